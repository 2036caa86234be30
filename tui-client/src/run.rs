//! The loop around the pure core: keys, signals, time and the servers in, commands and the screen out.

use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use client_lib::{Client, EventStream, Position};
use crossterm::event::Event as TerminalEvent;
use jiff::tz::TimeZone;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Interval, MissedTickBehavior};
use ttp::model::User;
use ttp::net::clock;

use crate::app::{App, Start};
use crate::command::Command;
use crate::draw::draw;
use crate::event::{Connection, Event, Net};
use crate::keyboard::Keyboard;
use crate::perform::{self, Performer};
use crate::terminal::{self, Screen};

/// Distance of looks at the clock. Screens show minutes.
const TICK_INTERVAL: Duration = Duration::from_secs(15);

/// Events that are taken before the screen is drawn again, so that a burst costs one screen.
const EVENTS_PER_SCREEN_MAX: usize = 256;

/// How long the end waits for messages on their way.
const LAST_SENDS_TIMEOUT: Duration = Duration::from_secs(2);

/// How the client shall look.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where times of day are those of.
    pub zone: TimeZone,
    /// Whether colours may be used.
    pub has_color: bool,
}

impl Default for Options {
    /// The zone of the system; colours unless `NO_COLOR` is set.
    fn default() -> Self {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { zone: TimeZone::system(), has_color: !no_color }
    }
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
}

/// Runs the client in the process's terminal until the person quits, the terminal is closed, or a signal asks for
/// the end; the terminal is given back in any case. `client` speaks for `me` already. A text in a log would spoil
/// the screen, so the caller logs to a file or not at all.
///
/// # Errors
/// The terminal cannot be used, or a part of the client panicked.
pub async fn run(client: Client, me: User, options: Options) -> Result<(), Error> {
    let mut sources = Sources::new(&client, me.clone())?;
    let mut screen = Screen::take()?;
    let mut keyboard = Keyboard::start()?;
    let size = screen.terminal.size()?;
    let mut app = App::new(Start {
        me,
        zone: options.zone,
        now_ms: clock::now_ms(),
        width: size.width,
        height: size.height,
        has_color: options.has_color,
    });
    while !screen.is_lost() {
        screen.terminal.draw(|frame| draw(&app, frame))?;
        let mut next = Some(sources.next(&mut keyboard).await?);
        for _ in 0..EVENTS_PER_SCREEN_MAX {
            let Some(happening) = next else {
                break;
            };
            if take(happening, &mut app, &mut sources.performer, &mut screen).await?.is_break() {
                // What was said before the end is sent, if that is possible soon.
                let _ = tokio::time::timeout(LAST_SENDS_TIMEOUT, sources.performer.finish_sends()).await;
                return Ok(());
            }
            next = sources.next_ready(&mut keyboard).await?;
        }
    }
    Err(Error::Panicked)
}

/// Updates the state, and begins what is to be done. Breaks when it is the end.
async fn take(
    happening: Happening,
    app: &mut App,
    performer: &mut Performer,
    screen: &mut Screen,
) -> Result<ControlFlow<()>, Error> {
    let Happening::Event(event) = happening else {
        return Ok(ControlFlow::Break(()));
    };
    for command in app.update(event) {
        match command {
            Command::Quit => return Ok(ControlFlow::Break(())),
            Command::Redraw => screen.forget()?,
            command => performer.begin(command).await,
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Something for the loop.
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
enum Happening {
    Event(Event),
    /// A signal, or the terminal was closed.
    End,
}

/// Everything that events come from, but for the terminal.
struct Sources {
    performer: Performer,
    heard: EventStream,
    is_over: bool,
    signals: [Signal; 3],
    ticks: Interval,
}

impl Sources {
    fn new(client: &Client, me: User) -> io::Result<Self> {
        let mut ticks = tokio::time::interval(TICK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self {
            // Listening begins before anything is asked for, so that nothing slips between.
            heard: client.events(Position::Now),
            is_over: false,
            performer: Performer::new(client.clone(), me),
            signals: [
                signal(SignalKind::hangup())?,
                signal(SignalKind::terminate())?,
                signal(SignalKind::interrupt())?,
            ],
            ticks,
        })
    }

    /// The next event. Dropping the future loses none.
    async fn next(&mut self, keyboard: &mut Keyboard) -> Result<Happening, Error> {
        let [hangup, terminate, interrupt] = &mut self.signals;
        loop {
            tokio::select! {
                biased;
                () = terminal::lost() => return Err(Error::Panicked),
                _ = hangup.recv() => return Ok(Happening::End),
                _ = terminate.recv() => return Ok(Happening::End),
                _ = interrupt.recv() => return Ok(Happening::End),
                typed = keyboard.next() => match typed {
                    None => return Ok(Happening::End),
                    Some(typed) => if let Some(event) = read(typed?) {
                        return Ok(Happening::Event(event));
                    },
                },
                answer = self.performer.next() => {
                    return Ok(Happening::Event(Event::Net(answer.map_err(|_| Error::Panicked)?)));
                }
                heard = self.heard.next(), if !self.is_over => {
                    self.is_over = heard.is_none();
                    let net = heard.map_or(Net::Connection(Connection::Ended), perform::heard);
                    return Ok(Happening::Event(Event::Net(net)));
                }
                _ = self.ticks.tick() => return Ok(Happening::Event(Event::Tick(clock::now_ms()))),
            }
        }
    }

    /// The next event that is there already.
    async fn next_ready(&mut self, keyboard: &mut Keyboard) -> Result<Option<Happening>, Error> {
        tokio::select! {
            biased;
            happening = self.next(keyboard) => happening.map(Some),
            () = std::future::ready(()) => Ok(None),
        }
    }
}

fn read(event: TerminalEvent) -> Option<Event> {
    match event {
        TerminalEvent::Key(key) => Some(Event::Key(key)),
        TerminalEvent::Paste(text) => Some(Event::Paste(text)),
        TerminalEvent::Resize(width, height) => Some(Event::Resize { width, height }),
        _ => None,
    }
}
