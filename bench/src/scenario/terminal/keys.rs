//! Typing: letters that nobody else writes, one after the other, each looked for on the screen.

use std::time::Duration;

use anyhow::Result;

use crate::asker::Times;
use crate::terminal::Terminal;

/// What every text begins with, so that it is like no other word on the screen.
const BEGINNING: &str = "ZQX";

/// What is typed behind it, again and again.
const LETTERS: &str = "WKVBGPDHJMNT";

/// Letters of a text. It stands on one row of every terminal.
const LETTERS_OF_TEXT: usize = 24;

/// What a keyboard sends for Backspace.
const BACKSPACE: &str = "\x7f";

/// After so long without a byte nothing more follows a key.
const SILENCE: Duration = Duration::from_millis(40);

/// Pauses between two letters, so that they meet all moments of whatever the program does at intervals.
const PAUSE: Duration = Duration::from_millis(15);
const PAUSES: u32 = 20;

/// A letter that was seen.
struct Stroke {
    took: Duration,
    /// Bytes that were written before its key.
    before: u64,
}

/// Types while others speak, and says how long each letter took to be seen.
///
/// # Errors
/// A letter is never seen.
pub(super) fn in_crowd(client: &mut Terminal, count: usize) -> Result<Times> {
    let mut times = Times::new()?;
    let mut place = 0;
    type_letters(client, count, |client, stroke| {
        if let Some(stroke) = stroke {
            times.add(stroke.took)?;
        }
        place += 1;
        // 7 and the number of pauses have no common divisor: all have their turns.
        client.watch(PAUSE + Duration::from_millis(1) * (place * 7 % PAUSES))
    })?;
    Ok(times)
}

/// Types while nobody does anything else, and says how many bytes followed each key.
///
/// # Errors
/// A letter is never seen.
pub(super) fn alone(client: &mut Terminal, count: usize) -> Result<Vec<u64>> {
    let mut bytes = Vec::with_capacity(count);
    type_letters(client, count, |client, stroke| {
        client.settle(SILENCE)?;
        bytes.extend(stroke.map(|stroke| client.written - stroke.before));
        Ok(())
    })?;
    Ok(bytes)
}

/// Types letters and deletes them; `after` is called after each of them, and with nothing after what does not count.
fn type_letters(
    client: &mut Terminal,
    count: usize,
    mut after: impl FnMut(&mut Terminal, Option<Stroke>) -> Result<()>,
) -> Result<()> {
    let mut left = count;
    let mut letters = LETTERS.chars().cycle();
    while left > 0 {
        let mut text = String::from(BEGINNING);
        client.press(&text)?;
        client.see("what was typed", |screen| screen.contents().contains(&text))?;
        after(client, None)?;
        for letter in letters.by_ref().take(left.min(LETTERS_OF_TEXT)) {
            text.push(letter);
            let before = client.written;
            let pressed = client.press(letter.encode_utf8(&mut [0; 4]))?;
            let seen = client.see("a letter", |screen| screen.contents().contains(&text))?;
            let took = seen.saturating_duration_since(pressed);
            after(client, Some(Stroke { took, before }))?;
        }
        left -= left.min(LETTERS_OF_TEXT);
        client.press(&BACKSPACE.repeat(text.chars().count()))?;
        client.see("an empty input", |screen| !screen.contents().contains(BEGINNING))?;
    }
    Ok(())
}
