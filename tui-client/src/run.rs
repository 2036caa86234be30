//! The loop around the pure core: keys, signals, time and the servers in, commands and the screen out.

use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use client_lib::{Client, EventStream, Position, Signals};
use crossterm::event::Event as TerminalEvent;
use jiff::tz::TimeZone;
use tokio::signal::unix::{Signal, SignalKind, signal};
use ttp::model::User;
use ttp::net::clock;

use crate::app::{App, Start};
use crate::cache::Cache;
use crate::command::Command;
use crate::desktop;
use crate::draw::draw;
use crate::event::{Connection, Event, Net};
use crate::graphics::Graphics;
use crate::keyboard::Keyboard;
use crate::perform::{self, Performer};
use crate::taste::Taste;
use crate::terminal::{self, Screen};

/// Events that are taken before the screen is drawn again, so that a burst costs one screen.
const EVENTS_PER_SCREEN_MAX: usize = 256;

/// Commands that wait until the servers were found.
const BACKLOG_MAX: usize = 1_024;

/// How long the end waits for messages on their way.
const LAST_SENDS_TIMEOUT: Duration = Duration::from_secs(2);

/// How the client shall look.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where times of day are those of.
    pub zone: TimeZone,
    /// Whether colours may be used.
    pub has_color: bool,
    /// Whether these can be any of sixteen million.
    pub has_true_color: bool,
    /// What the person wants otherwise than it is from the start.
    pub taste: Taste,
    /// Where the last screen is kept for the next time.
    pub cache_file: Option<PathBuf>,
    /// Whether servers run in this process, which others would miss while it sleeps.
    pub is_serving: Arc<AtomicBool>,
}

impl Default for Options {
    /// The zone of the system; colours unless `NO_COLOR` is set.
    fn default() -> Self {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let depth = std::env::var("COLORTERM").unwrap_or_default();
        let has_true_color = matches!(depth.as_str(), "truecolor" | "24bit");
        Self {
            zone: TimeZone::system(),
            has_color: !no_color,
            has_true_color,
            taste: Taste::default(),
            cache_file: None,
            is_serving: Arc::default(),
        }
    }
}

/// What the person wants when the client has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Nothing more.
    Left,
    /// To go on as the person of this name.
    ChangeAccount(String),
}

/// Why the client ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The terminal cannot be used, or not any more.
    #[error("the terminal cannot be used: {0}")]
    Terminal(#[from] io::Error),
    /// A part of the client panicked; its message was printed.
    #[error("the client failed")]
    Panicked,
    /// The person's file of keys and colours cannot be used.
    #[error("line {line} is wrong: {what}")]
    Taste {
        /// Where, from 1.
        line: usize,
        /// What is wrong there.
        what: String,
    },
    /// There will be no connection.
    #[error("there is no connection")]
    NotConnected,
}

/// Runs the client in the process's terminal until the person quits, the terminal is closed, or a signal asks for
/// the end; the terminal is given back in any case. `client` speaks for `me` already. A text in a log would spoil
/// the screen, so the caller logs to a file or not at all.
///
/// # Errors
/// The terminal cannot be used, or a part of the client panicked.
pub async fn run(client: Client, me: User, options: Options) -> Result<Ending, Error> {
    run_early(me, options, async { Some(client) }).await
}

/// The same for who was here before: what the screen showed last is there at once, and can be used, while `connect` looks for
/// the servers. It answers a client that speaks for `me`, or nothing when there never will be one.
///
/// # Errors
/// As [`run`]; [`Error::NotConnected`] when `connect` gives up.
pub async fn run_early(
    me: User,
    options: Options,
    connect: impl Future<Output = Option<Client>>,
) -> Result<Ending, Error> {
    let mut screen = Screen::take(options.taste.mouse)?;
    let size = screen.terminal.size()?;
    let cache_file = options.cache_file;
    let mut app = App::new(Start {
        cache: cache_file.as_ref().and_then(|path| Cache::load(path, me.user_id)),
        me: me.clone(),
        zone: options.zone,
        now_ms: clock::now_ms(),
        width: size.width,
        height: size.height,
        has_color: options.has_color,
        has_true_color: options.has_true_color,
        taste: options.taste,
    });
    // The first screen waits for nothing.
    screen.draw(|frame| draw(&app, frame))?;
    let mut sources = Sources::new(me, cache_file, Graphics::find().await)?;
    sources.is_serving = options.is_serving;
    let outcome = turn(&mut app, &mut sources, &mut screen, std::pin::pin!(connect)).await;
    sources.keep(&app);
    outcome
}

/// Takes what happens, and draws, until the end.
async fn turn<C: Future<Output = Option<Client>>>(
    app: &mut App,
    sources: &mut Sources,
    screen: &mut Screen,
    mut connect: Pin<&mut C>,
) -> Result<Ending, Error> {
    let mut keyboard = Keyboard::start()?;
    while !screen.is_lost() {
        screen.draw(|frame| draw(app, frame))?;
        let mut next = Some(sources.next(&mut keyboard, connect.as_mut(), app.next_tick_ms()).await?);
        let mut taken = 0;
        while let Some(happening) = next {
            if let ControlFlow::Break(ending) = take(happening, app, sources, screen).await? {
                sources.finish_sends(app).await;
                return Ok(ending);
            }
            taken += 1;
            // What is fetched is taken: after the last one before a screen nothing is.
            next = match taken {
                EVENTS_PER_SCREEN_MAX => None,
                _ => sources.next_ready(&mut keyboard, connect.as_mut(), app.next_tick_ms()).await?,
            };
        }
    }
    Err(Error::Panicked)
}

/// Updates the state, and begins what is to be done. Breaks when it is the end.
async fn take(
    happening: Happening,
    app: &mut App,
    sources: &mut Sources,
    screen: &mut Screen,
) -> Result<ControlFlow<Ending>, Error> {
    let event = match happening {
        Happening::Event(event) => event,
        Happening::Connected(client) => {
            sources.connect(client, app).await?;
            return Ok(ControlFlow::Continue(()));
        }
        Happening::End => return Ok(ControlFlow::Break(Ending::Left)),
    };
    let is_tick = matches!(event, Event::Tick(_));
    sources.is_unkept |= !is_tick;
    let waited = app.waiting_offline();
    let mut flow = ControlFlow::Continue(());
    for command in app.update(event) {
        match command {
            Command::Quit => flow = ControlFlow::Break(Ending::Left),
            Command::ChangeAccount(name) => flow = ControlFlow::Break(Ending::ChangeAccount(name)),
            Command::Redraw => screen.forget()?,
            Command::TakeMouse(has_mouse) => screen.take_mouse(has_mouse)?,
            Command::Suspend if sources.is_serving.load(Ordering::Relaxed) => app.stay_awake(),
            Command::Suspend => screen.suspend()?,
            Command::Copy(text) => screen.copy(&text)?,
            Command::Notify { title, body } => {
                screen.notify(&title, &body)?;
                desktop::notify(title, body);
            }
            command => sources.begin(command, app).await?,
        }
    }
    // What nobody else has yet is kept at once.
    if is_tick || app.waiting_offline() > waited {
        sources.keep(app);
    }
    Ok(flow)
}

/// Something for the loop.
enum Happening {
    Event(Event),
    /// The servers were found.
    Connected(Client),
    /// A signal, or the terminal was closed.
    End,
}

/// Everything that events come from, but for the terminal and the search for the servers.
struct Sources {
    me: User,
    is_serving: Arc<AtomicBool>,
    graphics: Graphics,
    line: Option<Line>,
    /// Commands that wait for the servers to be found.
    backlog: Vec<Command>,
    cache_file: Option<PathBuf>,
    /// Whether something happened since the screen was kept.
    is_unkept: bool,
    signals: [Signal; 3],
    ticked_at: Instant,
}

/// What comes from the servers, once they were found.
struct Line {
    performer: Performer,
    heard: EventStream,
    signals: Signals,
    is_over: bool,
}

impl Sources {
    fn new(me: User, cache_file: Option<PathBuf>, graphics: Graphics) -> io::Result<Self> {
        Ok(Self {
            me,
            is_serving: Arc::default(),
            graphics,
            line: None,
            backlog: Vec::new(),
            cache_file,
            is_unkept: false,
            signals: [
                signal(SignalKind::hangup())?,
                signal(SignalKind::terminate())?,
                signal(SignalKind::interrupt())?,
            ],
            ticked_at: clock::now(),
        })
    }

    /// Begins to listen, and then what has waited.
    async fn connect(&mut self, client: Client, app: &mut App) -> Result<(), Error> {
        // Listening begins before anything is asked for, so that nothing slips between.
        let heard = client.events(Position::Now);
        let signals = heard.signals();
        let performer = Performer::new(client, self.me.clone(), heard.signals(), self.graphics.clone());
        self.line = Some(Line { performer, heard, signals, is_over: false });
        for command in std::mem::take(&mut self.backlog) {
            self.begin(command, app).await?;
        }
        Ok(())
    }

    async fn begin(&mut self, command: Command, app: &mut App) -> Result<(), Error> {
        let Command::Send { chat, said, local_key, sent_key, may_be_stored } = command else {
            match &mut self.line {
                Some(line) => line.performer.begin(command).await,
                // These are asked for again when there is a connection.
                None if matches!(command, Command::LoadQuote { .. } | Command::LoadPicture { .. }) => {}
                None if self.backlog.len() < BACKLOG_MAX => self.backlog.push(command),
                None => {}
            }
            return Ok(());
        };
        let key = match sent_key {
            Some(key) => key,
            None => client_lib::mint_key().map_err(|error| io::Error::other(error.to_string()))?,
        };
        app.name_outgoing(chat, local_key, &key);
        match &mut self.line {
            Some(line) => line.performer.send(chat, said, local_key, (key, may_be_stored)).await,
            // Messages are bounded by what a chat holds of them.
            None => {
                let sent_key = Some(key);
                self.backlog.push(Command::Send { chat, said, local_key, sent_key, may_be_stored });
            }
        }
        Ok(())
    }

    /// What was said before the end is sent, if that is possible soon.
    async fn finish_sends(&mut self, app: &mut App) {
        let Some(line) = &mut self.line else { return };
        let ends_at = clock::now() + LAST_SENDS_TIMEOUT;
        while let Ok(Some(net)) = tokio::time::timeout_at(ends_at.into(), line.performer.next_sent()).await {
            let _ = app.update(Event::Net(net));
        }
    }

    /// Keeps the screen for the next time. Without a place for it one can still chat.
    fn keep(&mut self, app: &App) {
        if let Some(path) = self.cache_file.as_ref().filter(|_| self.is_unkept) {
            self.is_unkept = false;
            if let Err(error) = app.snapshot().save(path) {
                tracing::warn!("the screen is not kept in {}: {error}", path.display());
            }
        }
    }

    /// The next event. Dropping the future loses none.
    async fn next<C: Future<Output = Option<Client>>>(
        &mut self,
        keyboard: &mut Keyboard,
        connect: Pin<&mut C>,
        tick_ms: u64,
    ) -> Result<Happening, Error> {
        let tick_at = self.ticked_at + Duration::from_millis(tick_ms);
        let [hangup, terminate, interrupt] = &mut self.signals;
        let is_connected = self.line.is_some();
        let line = async {
            match &mut self.line {
                Some(line) => line.next().await,
                None => std::future::pending().await,
            }
        };
        let happening = tokio::select! {
            biased;
            () = terminal::lost() => return Err(Error::Panicked),
            _ = hangup.recv() => Happening::End,
            _ = terminate.recv() => Happening::End,
            _ = interrupt.recv() => Happening::End,
            typed = keyboard.next() => match typed {
                None => Happening::End,
                Some(typed) => Happening::Event(read(typed?)),
            },
            net = line => Happening::Event(Event::Net(net?)),
            client = connect, if !is_connected => Happening::Connected(client.ok_or(Error::NotConnected)?),
            () = tokio::time::sleep_until(tick_at.into()) => {
                self.ticked_at = clock::now();
                Happening::Event(Event::Tick(clock::now_ms()))
            }
        };
        Ok(happening)
    }

    /// The next event that is there already.
    async fn next_ready<C: Future<Output = Option<Client>>>(
        &mut self,
        keyboard: &mut Keyboard,
        connect: Pin<&mut C>,
        tick_ms: u64,
    ) -> Result<Option<Happening>, Error> {
        tokio::select! {
            biased;
            happening = self.next(keyboard, connect, tick_ms) => happening.map(Some),
            () = std::future::ready(()) => Ok(None),
        }
    }
}

impl Line {
    async fn next(&mut self) -> Result<Net, Error> {
        tokio::select! {
            biased;
            answer = self.performer.next() => answer.map_err(|_| Error::Panicked),
            heard = self.heard.next(), if !self.is_over => {
                self.is_over = heard.is_none();
                Ok(heard.map_or(Net::Connection(Connection::Ended), perform::heard))
            }
            Some(signal) = self.signals.next() => Ok(Net::Signal(signal)),
            else => std::future::pending().await,
        }
    }
}

fn read(event: TerminalEvent) -> Event {
    match event {
        TerminalEvent::Key(key) => Event::Key(key),
        TerminalEvent::Paste(text) => Event::Paste(text),
        TerminalEvent::Mouse(mouse) => Event::Mouse(mouse),
        TerminalEvent::FocusGained => Event::Focus(true),
        TerminalEvent::FocusLost => Event::Focus(false),
        TerminalEvent::Resize(width, height) => Event::Resize { width, height },
    }
}
