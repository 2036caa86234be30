//! A line that is typed at the terminal and that nobody sees. Whatever ends the question, the terminal is as it was.

use std::fs::File;
use std::io::{self, Read, Write};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use ttp::limits::PASSWORD_BYTES_MAX;
use zeroize::Zeroizing;

/// How a question ends.
pub(crate) enum Answer {
    /// By Enter. What is longer than any password may be is cut off one byte behind that.
    Line(Zeroizing<Vec<u8>>),
    /// By Ctrl-D, or since there is nobody at the terminal any more.
    Nothing,
    /// By Ctrl-C.
    Interrupted,
}

/// Asks at the terminal of this process.
pub(crate) fn ask(question: &str) -> io::Result<Answer> {
    let terminal = Hidden::begin(File::options().read(true).write(true).open("/dev/tty")?)?;
    (&terminal.file).write_all(question.as_bytes())?;
    let answer = read(&mut &terminal.file);
    // Enter was not seen either.
    (&terminal.file).write_all(b"\n")?;
    answer
}

/// A terminal that shows nothing of what is typed, and hands over each key, until it is dropped.
struct Hidden {
    file: File,
    before: Termios,
}

impl Hidden {
    fn begin(file: File) -> io::Result<Self> {
        let before = tcgetattr(&file)?;
        let mut hidden = before.clone();
        // Ctrl-C must not end the process before the terminal is as it was, so it comes as a key.
        hidden.local_modes -= LocalModes::ECHO
            | LocalModes::ECHONL
            | LocalModes::ICANON
            | LocalModes::ISIG
            | LocalModes::IEXTEN;
        hidden.special_codes[SpecialCodeIndex::VMIN] = 1;
        hidden.special_codes[SpecialCodeIndex::VTIME] = 0;
        // What was typed before the question was seen by everybody, and is thrown away.
        tcsetattr(&file, OptionalActions::Flush, &hidden)?;
        Ok(Self { file, before })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // A terminal that is gone needs no restoring.
        let _ = tcsetattr(&self.file, OptionalActions::Now, &self.before);
    }
}

/// Reads keys until one ends the line.
fn read(keys: &mut impl Read) -> io::Result<Answer> {
    // Of its greatest size from the beginning, so that no copy stays behind.
    let mut line = Zeroizing::new(Vec::with_capacity(PASSWORD_BYTES_MAX + 1));
    loop {
        match key(keys)? {
            Some(b'\n' | b'\r') => return Ok(Answer::Line(line)),
            Some(0x03) => return Ok(Answer::Interrupted),
            None => return Ok(Answer::Nothing),
            Some(0x04) if line.is_empty() => return Ok(Answer::Nothing),
            // Ctrl-U and Ctrl-W: who sees nothing begins again.
            Some(0x15 | 0x17) => line.clear(),
            Some(0x08 | 0x7f) => while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {},
            Some(0x1b) => skip_sequence(keys)?,
            Some(byte) if byte < 0x20 => {}
            Some(byte) if line.len() <= PASSWORD_BYTES_MAX => line.push(byte),
            Some(_) => {}
        }
    }
}

/// Skips what keys such as the arrows send behind the escape: `[` or `O`, and all up to a letter.
fn skip_sequence(keys: &mut impl Read) -> io::Result<()> {
    if matches!(key(keys)?, Some(b'[' | b'O')) {
        while key(keys)?.is_some_and(|byte| !(0x40..=0x7e).contains(&byte)) {}
    }
    Ok(())
}

fn key(keys: &mut impl Read) -> io::Result<Option<u8>> {
    let mut byte = Zeroizing::new([0]);
    loop {
        match keys.read(&mut *byte) {
            Ok(0) => return Ok(None),
            Ok(_) => return Ok(Some(byte[0])),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &str) -> Option<String> {
        match read(&mut keys.as_bytes()).unwrap() {
            Answer::Line(line) => Some(String::from_utf8(line.to_vec()).unwrap()),
            Answer::Nothing | Answer::Interrupted => None,
        }
    }

    #[test]
    fn keys_edit_the_line() {
        for (keys, line) in [
            ("correct horse\r", "correct horse"),
            ("корень\u{7f}\u{7f}\n", "коре"),
            ("\u{7f}a\u{8}b\n", "b"),
            ("wrong\u{15}right\n", "right"),
            ("le\u{1b}[D\u{1b}OH\u{1b}[1;5Cft\n", "left"),
            ("a\tb\u{1a}\n", "ab"),
            ("x\u{4}\n", "x"),
            ("\n", ""),
        ] {
            assert_eq!(typed(keys).as_deref(), Some(line), "{keys:?}");
        }
        assert!(matches!(read(&mut &b"secret\x03"[..]).unwrap(), Answer::Interrupted));
        assert!(matches!(read(&mut &b"\x04"[..]).unwrap(), Answer::Nothing));
        assert!(matches!(read(&mut &b"no end"[..]).unwrap(), Answer::Nothing));
    }

    #[test]
    fn a_line_that_is_too_long_is_seen_to_be() {
        let long = typed(&("x".repeat(PASSWORD_BYTES_MAX * 3) + "\n")).unwrap();
        assert_eq!(long.len(), PASSWORD_BYTES_MAX + 1);
    }
}
