//! Bots in SQLite: people without a password, each with an owner and one session that does not end by disuse.

use rusqlite::{OptionalExtension, Row};
use ttp::call::BotInfo;
use ttp::limits::BOTS_PER_OWNER_MAX;
use ttp::model::{Role, TimestampMs, User, UserId};

use super::admission::Class;
use super::members::id_list;
use super::tables::{Failure, Tables};
use super::writer::Turn;
use super::{SqliteStore, accounts, roles, sessions, users};
use crate::rights::ServerAct;
use crate::store::{
    BotEnd, BotRenewal, Bots, By, Done, NameRule, NewBot, NewSession, NewUser, SecretHash, StoreError,
};

/// The end of a session that has none: the last day that four digits of a year can say.
const NEVER_TS: TimestampMs = 253_402_300_799_000;

/// What a bot's session is called.
const DEVICE: &str = "bot";

impl Bots for SqliteStore {
    fn insert_bot(&self, by: By, new: NewBot, done: Done<BotInfo>) {
        self.write_by(by, new.owner, Class::Login, done, move |turn| insert(turn, new));
    }

    fn renew_bot(&self, by: By, renewal: BotRenewal, done: Done<BotInfo>) {
        self.write_by(by, renewal.owner, Class::Other, done, move |turn| renew(turn, renewal));
    }

    fn end_bot(&self, by: By, end: BotEnd, done: Done<()>) {
        self.write_by(by, end.owner, Class::Other, done, move |turn| {
            require_owner(turn.tables, end.owner, end.user_id)?;
            close(turn, end.user_id)
        });
    }

    fn bots(&self, by: By, owner: UserId, done: Done<Vec<BotInfo>>) {
        self.ask_by(&self.light_reads, by, Some(owner), Class::Other, done, move |tables| {
            Ok(list(tables, owner)?)
        });
    }
}

/// Whether an account is a bot's.
pub(super) fn is_bot(tables: Tables<'_>, user_id: UserId) -> rusqlite::Result<bool> {
    tables.statement("SELECT 1 FROM Bots WHERE user_id = ?1")?.exists([user_id.0])
}

/// Which of these are bots.
pub(super) fn among(
    tables: Tables<'_>,
    users: impl Iterator<Item = UserId>,
) -> rusqlite::Result<Vec<UserId>> {
    let ids = id_list(users.map(|user_id| user_id.0));
    tables
        .statement("SELECT b.user_id FROM json_each(?1) w JOIN Bots b ON b.user_id = w.value ORDER BY 1")?
        .query_map([ids], |row| row.get(0).map(UserId))?
        .collect()
}

/// Refuses what people do and bots do not.
pub(super) fn require_person(
    tables: Tables<'_>,
    user_id: UserId,
    refusal: &'static str,
) -> Result<(), Failure> {
    if is_bot(tables, user_id)? { Err(StoreError::NotAllowed(refusal).into()) } else { Ok(()) }
}

/// A bot has no more rights than who made it.
pub(super) fn follow_role(tables: Tables<'_>, owner: UserId, role: Role) -> rusqlite::Result<()> {
    let sql = "UPDATE Users SET server_role = ?2
               WHERE user_id IN (SELECT user_id FROM Bots WHERE owner_id = ?1)";
    tables.statement(sql)?.execute((owner.0, role.min(Role::Member).name())).map(drop)
}

/// Closes the bots of somebody whose account is closed.
pub(super) fn close_all_of(turn: &mut Turn<'_>, owner: UserId) -> Result<(), Failure> {
    for bot in list(turn.tables, owner)? {
        close(turn, bot.user.user_id)?;
    }
    Ok(())
}

fn insert(turn: &mut Turn<'_>, new: NewBot) -> Result<BotInfo, Failure> {
    let owner = new.owner;
    require_person(turn.tables, owner, "bots make no bots")?;
    let role = accounts::standing(turn.tables, owner)?.role;
    ServerAct::InsertBot.check(role).map_err(StoreError::NotAllowed)?;
    if list(turn.tables, owner)?.len() >= BOTS_PER_OWNER_MAX {
        return Err(StoreError::TooManyBots.into());
    }
    let bot = users::insert(turn, NewUser { user_name: new.user_name, rule: NameRule::Unique })?;
    turn.tables
        .statement("INSERT INTO Bots (user_id, owner_id, created_ts) VALUES (?1, ?2, ?3)")?
        .execute((bot.user_id.0, owner.0, turn.now))?;
    begin(turn, bot.user_id, new.token_hash)?;
    require_owner(turn.tables, owner, bot.user_id)
}

fn renew(turn: &mut Turn<'_>, renewal: BotRenewal) -> Result<BotInfo, Failure> {
    let BotRenewal { owner, user_id, token_hash } = renewal;
    require_owner(turn.tables, owner, user_id)?;
    sessions::end_all_but(turn, user_id, None)?;
    begin(turn, user_id, token_hash)?;
    require_owner(turn.tables, owner, user_id)
}

fn begin(turn: &mut Turn<'_>, user_id: UserId, token_hash: SecretHash) -> Result<(), Failure> {
    let session = NewSession { token_hash, device: DEVICE.into(), expires_ts: NEVER_TS };
    sessions::begin(turn, user_id, session).map(drop)
}

fn close(turn: &mut Turn<'_>, user_id: UserId) -> Result<(), Failure> {
    turn.tables
        .statement("UPDATE Users SET deactivated_ts = ?2 WHERE user_id = ?1")?
        .execute((user_id.0, turn.now))?;
    sessions::end_all_but(turn, user_id, None)?;
    roles::hand_on_groups_of(turn, user_id)
}

/// A bot that has not ended, of this owner: to others there is no such bot.
fn require_owner(tables: Tables<'_>, owner: UserId, user_id: UserId) -> Result<BotInfo, Failure> {
    let bot = tables
        .statement(
            "SELECT u.user_id, u.user_name, b.created_ts,
                    (SELECT max(s.used_ts) FROM Sessions s WHERE s.user_id = b.user_id AND s.ended_ts IS NULL)
             FROM Bots b JOIN Users u ON u.user_id = b.user_id
             WHERE b.owner_id = ?1 AND u.deactivated_ts IS NULL AND b.user_id = ?2",
        )?
        .query_row((owner.0, user_id.0), from_row)
        .optional()?;
    bot.ok_or(StoreError::NoSuchBot(user_id).into())
}

fn list(tables: Tables<'_>, owner: UserId) -> rusqlite::Result<Vec<BotInfo>> {
    tables
        .statement(
            "SELECT u.user_id, u.user_name, b.created_ts,
                    (SELECT max(s.used_ts) FROM Sessions s WHERE s.user_id = b.user_id AND s.ended_ts IS NULL)
             FROM Bots b JOIN Users u ON u.user_id = b.user_id
             WHERE b.owner_id = ?1 AND u.deactivated_ts IS NULL ORDER BY b.user_id",
        )?
        .query_map([owner.0], from_row)?
        .collect()
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<BotInfo> {
    let user: User = users::from_row(row, 0)?;
    Ok(BotInfo { user, created_ts: row.get(2)?, used_ts: row.get(3)? })
}
