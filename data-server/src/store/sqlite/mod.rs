//! The store on one SQLite file: one thread writes, a few read, and the calls only fill their queues.
//!
//! Modules in reading order: `file`, `upgrade` and `legacy` make the file what it should be; `admission` stands before the queues;
//! `writer`, `reader` and `answer` are the threads, `figures` what they count, `health` and `identity` what they know of the file's state; `tables`
//! and `budget` serve the operations, which are `users`, `accounts`, `sessions`, `invitations`, `roles`, `chats`,
//! `client_key`, `messages`, `message_life`, `attachments`, `pages`, `members`, `rooms`, `restrictions`, `changes`, `log`, `recent`, `notes`, `bots`, `search` and `retention`. Beside the store stand those who take a whole file: `snapshot`, `copy`, `check`,
//! `restore`, `export`, `stats` and `new_password`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crossbeam::channel::{self, Sender};
use ttp::call::{InvitationInfo, MessageVersion, UnreadReply};
use ttp::model::{Chat, ChatId, Message, Role, Seq, SessionId, TimestampMs, User, UserId};
use ttp::net::clock;

use self::admission::{Class, Gate};
use self::figures::WriterFigures;
use self::health::Health;
use self::reader::Reader;
use self::tables::{Failure, Tables};
use self::writer::{Guard, Turn, Writer};
use super::{
    AccountChange, Admission, By, ChatsQuery, Clock, CommitSink, Credentials, Done, Ending, EntriesPage,
    EntriesQuery, Hearing, InvitationEnd, Invitations, LiveSession, MembershipChange, MessageChange,
    MessagesPage, MessagesQuery, NewAccount, NewChat, NewInvitation, NewLogin, NewMessage, NewUser, Page,
    ParticipantsQuery, PasswordChange, PeoplePage, Person, PersonSought, ReadMark, Recent, RecentQuery,
    RoleAssignment, SearchPage, SearchQuery, SecretHash, Sessions, Store, VersionsQuery,
};
use crate::error::Error;

pub use rusqlite::Error as SqliteError;

mod file;
mod upgrade;
mod legacy;
mod admission;
mod figures;
mod health;
mod identity;
mod writer;
mod reader;
mod answer;
mod tables;
mod budget;
mod users;
mod accounts;
mod sessions;
mod invitations;
mod roles;
mod chats;
mod client_key;
mod messages;
mod message_life;
mod attachments;
mod pages;
mod members;
mod rooms;
mod restrictions;
mod changes;
mod log;
mod recent;
mod notes;
mod bots;
mod search;
mod retention;
mod snapshot;
mod copy;
mod check;
mod restore;
mod export;
mod stats;
mod new_password;
#[cfg(feature = "simulation")]
mod unthreaded;

pub use check::{Report, Rule, check};
pub use client_key::ClientKey;
pub use copy::{Contents, Progress, Watch, backup};
pub use export::{ChatDigest, Exported, export, import};
pub use new_password::NewPassword;
pub(crate) use new_password::set_password;
pub use restore::{Lost, Restored, restore};
pub use retention::Keep;
pub use stats::{Compacted, Part, Room, Stats, compact, stats};
#[cfg(feature = "simulation")]
pub use unthreaded::{Hands, open_without_threads};

/// One reader for light questions alone, and one for the others.
const READERS_MIN: usize = 2;

/// A store on one SQLite file. Several stores, also of several processes, may share the file.
pub struct SqliteStore {
    epoch: String,
    clock: Clock,
    writes: Entrance<writer::Command>,
    light_reads: Entrance<reader::Command>,
    heavy_reads: Entrance<reader::Command>,
    threads: Mutex<Threads>,
    statements: Arc<AtomicU64>,
    health: Arc<Health>,
    writer_figures: Arc<WriterFigures>,
}

/// The epoch of the database at `path`; `None` when there is no database of the current definition. Creates and
/// changes nothing.
pub fn epoch_of(path: &Path) -> Option<String> {
    file::epoch_of(path)
}

/// The folder of the files of a database: beside it, and not beside a link to it.
pub fn files_beside(path: &Path) -> PathBuf {
    file::beside(&file::real(path), "-files")
}

/// A queue with its gate.
struct Entrance<C> {
    queue: Sender<C>,
    gate: Arc<Gate>,
}

#[derive(Default)]
struct Threads {
    light_reader: Option<JoinHandle<()>>,
    readers: Vec<JoinHandle<()>>,
    writer: Option<JoinHandle<()>>,
}

impl SqliteStore {
    /// Opens the file at `path`; creates it when it is missing, and upgrades it when it is one of the 2020 system.
    ///
    /// # Errors
    /// [`Error`] says what the file is instead, or what the operating system says.
    pub fn open(path: &Path, readers: usize, clock: Clock, sink: Box<dyn CommitSink>) -> Result<Self, Error> {
        Self::open_keeping(Keep::default(), path, readers, clock, sink)
    }

    /// The same, and no chat keeps more than this, whatever it says.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn open_keeping(
        house: Keep,
        path: &Path,
        readers: usize,
        clock: Clock,
        sink: Box<dyn CommitSink>,
    ) -> Result<Self, Error> {
        let says = |source| Error::Sqlite { path: path.into(), source };
        let _quiet = file::Quiet::to_open(path);
        let epoch = file::prepare(path, clock())?;
        let statements = Arc::new(AtomicU64::new(0));
        let health = Arc::new(Health::default());
        let connection = file::open_writer(path, file::BUSY_TIMEOUT).map_err(says)?;
        let now = Arc::clone(&clock);
        let (known, counted) = (Arc::clone(&health), Arc::clone(&statements));
        let writer = Writer::new(path.into(), connection, now, sink, counted, known, house);
        let writer_figures = writer.figures();
        let (writes, write_queue) = channel::bounded(writer::QUEUE_MAX);
        let (light_reads, light_queue) = channel::bounded(reader::QUEUE_MAX);
        let (heavy_reads, heavy_queue) = channel::bounded(reader::QUEUE_MAX);
        let readers = readers.max(READERS_MIN);
        let writes = Entrance { queue: writes, gate: Gate::new(writer::BATCH_MAX) };
        let light_reads = Entrance { queue: light_reads, gate: Gate::new(1) };
        let heavy_reads = Entrance { queue: heavy_reads, gate: Gate::new(readers - 1) };
        let mut threads = Threads::default();
        let thread = thread::Builder::new().name("store-writer".into());
        let gate = Arc::clone(&writes.gate);
        threads.writer = Some(thread.spawn(move || writer.run(&write_queue, &gate))?);
        for place in 0..readers {
            let connection = file::open_reader(path).map_err(says)?;
            let reader = Reader::new(path.into(), connection, Arc::clone(&statements));
            let light = (light_queue.clone(), Arc::clone(&light_reads.gate));
            let heavy = (place > 0).then(|| (heavy_queue.clone(), Arc::clone(&heavy_reads.gate)));
            let thread = thread::Builder::new().name("store-reader".into());
            let thread = thread.spawn(move || reader.run(&light, heavy.as_ref()))?;
            match place {
                0 => threads.light_reader = Some(thread),
                _ => threads.readers.push(thread),
            }
        }
        let threads = Mutex::new(threads);
        Ok(Self {
            epoch,
            clock,
            writes,
            light_reads,
            heavy_reads,
            threads,
            statements,
            health,
            writer_figures,
        })
    }

    /// Statements that were asked of SQLite so far.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Hands a change to the writer, unless it would have to wait too long.
    fn write<T: Send + 'static>(
        &self,
        class: Class,
        done: Done<T>,
        make: impl FnOnce(&mut Turn<'_>) -> Result<T, Failure> + Send + 'static,
    ) {
        self.write_guarded(class, Guard::Savepoint, done, make);
    }

    fn write_guarded<T: Send + 'static>(
        &self,
        class: Class,
        guard: Guard,
        done: Done<T>,
        make: impl FnOnce(&mut Turn<'_>) -> Result<T, Failure> + Send + 'static,
    ) {
        match self.writes.gate.enter(class, self.writes.queue.len()) {
            Err(refused) => done(Err(refused)),
            Ok(entered) => writer::hand_in(&self.writes.queue, &self.health, guard, done, move |turn| {
                entered.check(clock::now()).map_err(Failure::Refused)?;
                make(turn)
            }),
        }
    }
}

impl SqliteStore {
    /// The same on the word of `actor`, which is checked first.
    fn write_by<T: Send + 'static>(
        &self,
        by: By,
        actor: UserId,
        class: Class,
        done: Done<T>,
        make: impl FnOnce(&mut Turn<'_>) -> Result<T, Failure> + Send + 'static,
    ) {
        self.write(class, done, move |turn| {
            sessions::require(turn.tables, by, Some(actor), turn.now)?;
            make(turn)
        });
    }

    /// Asks on somebody's word, which is checked first. Of some questions nobody knows who asks them.
    fn ask_by<T: Send + 'static>(
        &self,
        entrance: &Entrance<reader::Command>,
        by: By,
        actor: Option<UserId>,
        class: Class,
        done: Done<T>,
        question: impl FnOnce(Tables<'_>) -> Result<T, Failure> + Send + 'static,
    ) {
        let now = (self.clock)();
        entrance.ask(class, done, move |tables| {
            sessions::require(tables, by, actor, now)?;
            question(tables)
        });
    }
}

impl Entrance<reader::Command> {
    /// Hands a question to a reader, unless it would have to wait too long.
    fn ask<T: Send + 'static>(
        &self,
        class: Class,
        done: Done<T>,
        question: impl FnOnce(Tables<'_>) -> Result<T, Failure> + Send + 'static,
    ) {
        let entered = match self.gate.enter(class, self.queue.len()) {
            Err(refused) => return done(Err(refused)),
            Ok(entered) => entered,
        };
        reader::ask(&self.queue, done, move |tables| {
            entered.check(clock::now()).map_err(Failure::Refused)?;
            question(tables)
        });
    }
}

impl Store for SqliteStore {
    fn epoch(&self) -> &str {
        &self.epoch
    }

    fn register(&self, new: NewAccount, done: Done<LiveSession>) {
        self.write(Class::Login, done, move |turn| accounts::register(turn, new));
    }

    fn may_register(&self, user_name: String, admission: Admission, done: Done<()>) {
        let now = (self.clock)();
        let question = move |tables: Tables<'_>| accounts::may_register(tables, &user_name, admission, now);
        self.light_reads.ask(Class::Login, done, question);
    }

    fn credentials(&self, user_name: String, done: Done<Option<Credentials>>) {
        self.light_reads.ask(Class::Login, done, move |tables| accounts::credentials(tables, &user_name));
    }

    fn log_in(&self, new: NewLogin, done: Done<LiveSession>) {
        self.write(Class::Login, done, move |turn| sessions::log_in(turn, new));
    }

    fn session(&self, token_hash: SecretHash, done: Done<Option<LiveSession>>) {
        let now = (self.clock)();
        self.light_reads.ask(Class::Other, done, move |tables| sessions::find(tables, token_hash, now));
    }

    fn touch_session(&self, session_id: SessionId, expires_ts: TimestampMs, done: Done<()>) {
        self.write(Class::Other, done, move |turn| sessions::touch(turn, session_id, expires_ts));
    }

    fn end_sessions(&self, by: By, user_id: UserId, ending: Ending, done: Done<u64>) {
        self.write_by(by, user_id, Class::Other, done, move |turn| sessions::end(turn, user_id, ending));
    }

    fn sessions(&self, by: By, user_id: UserId, done: Done<Sessions>) {
        let now = (self.clock)();
        self.ask_by(&self.light_reads, by, Some(user_id), Class::Other, done, move |tables| {
            sessions::list(tables, by, user_id, now)
        });
    }

    fn change_password(&self, by: By, change: PasswordChange, done: Done<u64>) {
        self.write_by(by, change.user_id, Class::Login, done, move |turn| {
            accounts::change_password(turn, change)
        });
    }

    fn rename_user(&self, by: By, user_id: UserId, user_name: String, done: Done<User>) {
        self.write_by(by, user_id, Class::Other, done, move |turn| {
            accounts::rename(turn, user_id, user_name)
        });
    }

    fn deactivate_user(&self, by: By, change: AccountChange, done: Done<u64>) {
        self.write_by(by, change.by, Class::Other, done, move |turn| accounts::deactivate(turn, change));
    }

    fn set_server_role(&self, by: By, change: AccountChange, role: Role, done: Done<()>) {
        self.write_by(by, change.by, Class::Other, done, move |turn| accounts::set_role(turn, change, role));
    }

    fn insert_invitation(&self, by: By, new: NewInvitation, done: Done<InvitationInfo>) {
        self.write_by(by, new.by, Class::Other, done, move |turn| invitations::insert(turn, new));
    }

    fn invitations(&self, by: By, user_id: UserId, done: Done<Invitations>) {
        let now = (self.clock)();
        self.ask_by(&self.light_reads, by, Some(user_id), Class::Other, done, move |tables| {
            invitations::list(tables, user_id, now)
        });
    }

    fn end_invitation(&self, by: By, end: InvitationEnd, done: Done<()>) {
        self.write_by(by, end.by, Class::Other, done, move |turn| invitations::end(turn, end));
    }

    fn insert_user(&self, new: NewUser, done: Done<User>) {
        self.write(Class::Login, done, move |turn| users::insert(turn, new));
    }

    fn insert_chat(&self, by: By, new: NewChat, done: Done<Chat>) {
        self.write_by(by, new.viewer, Class::Other, done, move |turn| chats::insert(turn, &new));
    }

    fn insert_message(&self, by: By, new: NewMessage, done: Done<Message>) {
        self.write_guarded(Class::Chat, Guard::Itself, done, move |turn| {
            sessions::require(turn.tables, by, Some(new.user_id), turn.now)?;
            messages::insert(turn, new)
        });
    }

    fn change_message(&self, by: By, change: MessageChange, done: Done<Message>) {
        self.write_by(by, change.by, Class::Chat, done, move |turn| message_life::change(turn, change));
    }

    fn add_participant(&self, by: By, change: MembershipChange, done: Done<()>) {
        self.write_by(by, change.by, Class::Other, done, move |turn| members::add(turn, change));
    }

    fn remove_participant(&self, by: By, change: MembershipChange, done: Done<()>) {
        self.write_by(by, change.by, Class::Other, done, move |turn| members::remove(turn, change));
    }

    fn set_role(&self, by: By, assignment: RoleAssignment, done: Done<()>) {
        self.write_by(by, assignment.by, Class::Other, done, move |turn| roles::set(turn, assignment));
    }

    fn mark_read(&self, by: By, mark: ReadMark, done: Done<UnreadReply>) {
        self.write_by(by, mark.user_id, Class::Other, done, move |turn| members::mark_read(turn, mark));
    }

    fn user(&self, by: By, user_id: UserId, done: Done<User>) {
        self.ask_by(&self.light_reads, by, None, Class::Other, done, move |tables| {
            users::get(tables, user_id)
        });
    }

    fn person(&self, by: By, sought: PersonSought, done: Done<Person>) {
        self.ask_by(&self.light_reads, by, None, Class::Other, done, move |tables| {
            users::person(tables, &sought)
        });
    }

    fn trusted_user(&self, user_id: UserId, done: Done<(User, Role)>) {
        self.light_reads.ask(Class::Other, done, move |tables| accounts::trusted(tables, user_id));
    }

    fn user_by_name(&self, by: By, user_name: String, done: Done<User>) {
        let question = move |tables: Tables<'_>| users::get_by_name(tables, &user_name);
        self.ask_by(&self.light_reads, by, None, Class::Other, done, question);
    }

    fn chats(&self, by: By, query: ChatsQuery, done: Done<Page<Chat>>) {
        self.ask_by(&self.heavy_reads, by, Some(query.user_id), Class::History, done, move |tables| {
            chats::page(tables, query)
        });
    }

    fn messages(&self, by: By, query: MessagesQuery, done: Done<MessagesPage>) {
        self.ask_by(&self.heavy_reads, by, query.viewer, Class::History, done, move |tables| {
            pages::page(tables, query)
        });
    }

    fn versions(&self, by: By, query: VersionsQuery, done: Done<Page<MessageVersion>>) {
        self.ask_by(&self.heavy_reads, by, Some(query.viewer), Class::History, done, move |tables| {
            message_life::versions(tables, query)
        });
    }

    fn search(&self, by: By, query: SearchQuery, done: Done<SearchPage>) {
        self.ask_by(&self.heavy_reads, by, Some(query.user_id), Class::Other, done, move |tables| {
            search::page(tables, query)
        });
    }

    fn participants(&self, by: By, query: ParticipantsQuery, done: Done<PeoplePage>) {
        self.ask_by(&self.heavy_reads, by, query.viewer, Class::History, done, move |tables| {
            members::page(tables, query)
        });
    }

    fn heads(&self, by: By, user_id: UserId, done: Done<BTreeMap<ChatId, Seq>>) {
        self.ask_by(&self.heavy_reads, by, Some(user_id), Class::Chat, done, move |tables| {
            log::heads(tables, user_id)
        });
    }

    fn entries(&self, by: By, query: EntriesQuery, done: Done<EntriesPage>) {
        self.ask_by(&self.heavy_reads, by, Some(query.user_id), Class::Chat, done, move |tables| {
            log::page(tables, &query)
        });
    }

    fn hearing_of(&self, users: Vec<UserId>, done: Done<Vec<Hearing>>) {
        let now = (self.clock)();
        self.light_reads.ask(Class::Chat, done, move |tables| members::hearing_of(tables, &users, now));
    }

    fn recent(&self, query: RecentQuery, done: Done<Recent>) {
        let now = (self.clock)();
        self.heavy_reads.ask(Class::Chat, done, move |tables| recent::find(tables, query, now));
    }

    fn trouble(&self) -> Option<String> {
        self.health.trouble(clock::now())
    }

    /// The readers end first, so that the writer's connection is the last one and can take the write-ahead log back
    /// into the file.
    fn close(&self) {
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for _ in &threads.readers {
            let _ = self.heavy_reads.queue.send(reader::Command::Close);
        }
        for reader in threads.readers {
            let _ = reader.join();
        }
        if let Some(reader) = threads.light_reader {
            let _ = self.light_reads.queue.send(reader::Command::Close);
            let _ = reader.join();
        }
        if let Some(writer) = threads.writer {
            let _ = self.writes.queue.send(writer::Command::Close);
            let _ = writer.join();
        }
    }
}
