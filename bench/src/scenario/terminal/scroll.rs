//! Scrolling through all that was said in a chat of a town, whose messages tell their numbers.

use std::time::Duration;

use anyhow::{Context, Result};
use vt100::Screen;

use crate::terminal::Terminal;

/// What terminals send for PageUp.
const PAGE_UP: &str = "\x1b[5~";

/// After so long without an older message the key is pressed again: older ones were not there yet.
const PATIENCE: Duration = Duration::from_millis(100);

/// After so many keys in a row that showed nothing older, there is nothing older to see.
const VAIN_KEYS_MAX: u32 = 20;

/// The number of the first message of a chat.
const FIRST: u64 = 1;

/// Presses PageUp until the first message of the chat is seen, or nothing older comes. Says which was the oldest.
///
/// # Errors
/// There is no message on the screen, or the program ends.
pub(super) fn to_the_oldest(client: &mut Terminal) -> Result<u64> {
    let mut oldest = oldest_seen(client.screen()).context("no message is seen")?;
    // No page has more messages than rows. Greater steps are those of digits of two numbers in a screen that is half drawn.
    let page = u64::from(client.screen().size().0.get());
    let mut vain_keys = 0;
    while oldest > FIRST && vain_keys < VAIN_KEYS_MAX {
        client.press(PAGE_UP)?;
        let older = |screen: &Screen| {
            oldest_seen(screen).filter(|number| (oldest.saturating_sub(page)..oldest).contains(number))
        };
        client.see_soon(PATIENCE, |screen| older(screen).is_some())?;
        match older(client.screen()) {
            Some(number) => (oldest, vain_keys) = (number, 0),
            None => vain_keys += 1,
        }
    }
    Ok(oldest)
}

/// The smallest number of a message that is seen: `message 17 of room 1`.
pub(super) fn oldest_seen(screen: &Screen) -> Option<u64> {
    numbers(&screen.contents()).min()
}

fn numbers(text: &str) -> impl Iterator<Item = u64> {
    text.split("message ").skip(1).filter_map(|rest| rest.split_once(" of")?.0.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_read_and_cut_ones_are_not() {
        let text = "person 3: message 17 of room 1 and so on\nperson 4: message 18 of room 1 │message 2…";
        assert_eq!(numbers(text).collect::<Vec<_>>(), [17, 18]);
        assert_eq!(numbers("the message of the day").count(), 0);
    }
}
