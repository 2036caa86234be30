//! Lines of standard input, read on a thread of their own, since such a read cannot be called off.

use std::io::{BufRead, Read};

use tokio::sync::mpsc;
use ttp::limits::TEXT_BYTES_MAX;

/// Lines that may wait to be taken.
const LINES_MAX: usize = 64;

/// One line of input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Without its line end.
    Text(String),
    /// Longer than any message may be; nothing of it is kept.
    TooLong,
}

/// Starts reading. The channel closes at the end of the input.
pub(crate) fn read() -> mpsc::Receiver<Line> {
    let (sender, receiver) = mpsc::channel(LINES_MAX);
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        while let Some(line) = next(&mut input) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// The next line; `None` at the end, and when the input cannot be read any further.
fn next(input: &mut impl BufRead) -> Option<Line> {
    let mut bytes = Vec::new();
    let limit = TEXT_BYTES_MAX as u64 + 2;
    if input.by_ref().take(limit).read_until(b'\n', &mut bytes).ok()? == 0 {
        return None;
    }
    if bytes.last() != Some(&b'\n') && bytes.len() as u64 == limit {
        input.skip_until(b'\n').ok()?;
        return Some(Line::TooLong);
    }
    let text = String::from_utf8_lossy(&bytes);
    Some(Line::Text(text.trim_end_matches(['\n', '\r']).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_passed_over_whole() {
        let long = "x".repeat(TEXT_BYTES_MAX * 3);
        let mut input = format!("one\r\n{long}\nдва\n\nlast").into_bytes();
        input.extend_from_slice(b" \xff");
        let mut input = input.as_slice();
        let lines: Vec<Line> = std::iter::from_fn(|| next(&mut input)).collect();
        let text = |text: &str| Line::Text(text.into());
        assert_eq!(lines, [text("one"), Line::TooLong, text("два"), text(""), text("last \u{fffd}")]);
    }
}
