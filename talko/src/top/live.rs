//! The loop: keys, signals and scrapes in, screens out.

use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tui_client::keyboard::Keyboard;
use tui_client::terminal::{self, Screen};

use super::INTERVAL;
use super::board::Board;
use super::draw::draw;
use super::scrape::{self, Scrape};
use crate::failure;

/// Answers that wait to be drawn.
const ANSWERS_MAX: usize = 16;

/// An endpoint's place, and what it answered.
type Answer = (usize, Result<Scrape, String>);

/// Shows the board until the person ends it. The terminal is given back in any case.
pub(crate) async fn run(mut board: Board) -> anyhow::Result<()> {
    let has_color = tui_client::Options::default().has_color;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut screen = Screen::take(false).map_err(|error| {
        failure::Misuse(format!("talko top needs a terminal ({error}); --once prints a plain table"))
    })?;
    let mut keyboard = Keyboard::start()?;
    let (answers, mut answered) = mpsc::channel(ANSWERS_MAX);
    let mut scraping = JoinSet::new();
    for (place, source) in board.sources.iter().enumerate() {
        scraping.spawn(keep_asking(place, source.address.clone(), answers.clone()));
    }
    while !screen.is_lost() {
        screen.terminal.draw(|frame| draw(&board, has_color, frame))?;
        tokio::select! {
            biased;
            () = terminal::lost() => break,
            _ = interrupt.recv() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
            _ = hangup.recv() => return Ok(()),
            typed = keyboard.next() => match typed {
                None => return Ok(()),
                Some(Ok(Event::Key(key))) if is_end(key) => return Ok(()),
                Some(Ok(Event::Resize(..))) => screen.forget()?,
                Some(typed) => drop(typed?),
            },
            Some((place, answer)) = answered.recv() => board.take(place, answer),
        }
    }
    anyhow::bail!("a part of the program failed")
}

fn is_end(key: KeyEvent) -> bool {
    let is_interrupt = key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c');
    let is_quit = matches!(key.code, KeyCode::Char('q' | 'Q') | KeyCode::Esc);
    key.kind == KeyEventKind::Press && (is_interrupt || is_quit)
}

async fn keep_asking(place: usize, address: String, answers: mpsc::Sender<Answer>) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // The first look was taken just now.
    ticks.reset_after(INTERVAL);
    loop {
        ticks.tick().await;
        let answer = scrape::fetch(&address).await.map_err(|error| failure::sentence(&error));
        if answers.send((place, answer)).await.is_err() {
            return;
        }
    }
}
