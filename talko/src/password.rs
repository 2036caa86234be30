//! Asking for passwords: at the terminal, or from a file descriptor; never from the command line, where every process of
//! the machine could read along.

use std::io::{BufRead, Read, Seek, SeekFrom};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, bail};
use ttp::limits::{PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN};
use ttp::secret::Secret;
use zeroize::Zeroizing;

use crate::failure::{Interrupted, Misuse};
use crate::hidden::{self, Answer};
use crate::output::note;
use crate::settings::Settings;

/// How often a person at the terminal is asked for something before the program gives up.
pub(crate) const ATTEMPTS_MAX: usize = 3;

/// Bytes that were taken from the file descriptor: a second password stands behind the first.
static TAKEN: AtomicU64 = AtomicU64::new(0);

/// Asks for a password. At the terminal, what no password can be is asked again.
pub(crate) fn ask(question: &str, settings: &Settings) -> anyhow::Result<Secret> {
    if let Some(descriptor) = settings.password_fd {
        return read_line(descriptor);
    }
    let mut attempts = 1;
    loop {
        let password = ask_terminal(question)?;
        let Some(fault) = fault(&password) else {
            return Ok(password);
        };
        if attempts == ATTEMPTS_MAX {
            bail!(fault);
        }
        attempts += 1;
        note(fault);
    }
}

/// Asks for a password to be, at the terminal twice.
pub(crate) fn ask_new(question: &str, settings: &Settings) -> anyhow::Result<Secret> {
    let password = ask(question, settings)?;
    if settings.password_fd.is_none() && ask_terminal("Once more: ")? != password {
        bail!("the two passwords differ; nothing was changed");
    }
    Ok(password)
}

/// Whether somebody can be asked.
pub(crate) fn can_ask(settings: &Settings) -> bool {
    settings.password_fd.is_some() || std::fs::File::open("/dev/tty").is_ok()
}

fn ask_terminal(question: &str) -> anyhow::Result<Secret> {
    let answer = hidden::ask(question).map_err(|_| {
        Misuse("there is no terminal to ask for the password: give --password-fd NUMBER".into())
    })?;
    match answer {
        Answer::Line(line) => secret(&line),
        Answer::Nothing => bail!("no password was given"),
        Answer::Interrupted => Err(Interrupted.into()),
    }
}

/// Why this is nobody's password. The server says the same, and takes it for a guess.
fn fault(password: &Secret) -> Option<String> {
    let password = password.expose();
    if password.chars().count() < PASSWORD_CHARS_MIN {
        Some(format!("a password has at least {PASSWORD_CHARS_MIN} characters"))
    } else if password.len() > PASSWORD_BYTES_MAX {
        Some(format!("a password has at most {PASSWORD_BYTES_MAX} bytes"))
    } else {
        None
    }
}

/// Reads up to the end of a line, and nothing behind it: that may be messages.
fn read_line(descriptor: u32) -> anyhow::Result<Secret> {
    let mut line = Zeroizing::new(Vec::with_capacity(PASSWORD_BYTES_MAX + 2));
    let context = || format!("cannot read the password from file descriptor {descriptor}");
    if descriptor == 0 {
        // The same buffer that lines of the chat are read from later.
        let limit = PASSWORD_BYTES_MAX as u64 + 2;
        std::io::stdin().lock().take(limit).read_until(b'\n', &mut line).with_context(context)?;
    } else {
        let mut file = std::fs::File::open(format!("/dev/fd/{descriptor}")).with_context(context)?;
        // A pipe goes on where it was; a file that is opened anew does not.
        if file.metadata().with_context(context)?.is_file() {
            file.seek(SeekFrom::Start(TAKEN.load(Ordering::Relaxed))).with_context(context)?;
        }
        let mut byte = Zeroizing::new([0]);
        while line.len() <= PASSWORD_BYTES_MAX && file.read(&mut *byte).with_context(context)? > 0 {
            line.push(byte[0]);
            if byte[0] == b'\n' {
                break;
            }
        }
        TAKEN.fetch_add(line.len() as u64, Ordering::Relaxed);
    }
    let end = line.iter().rposition(|byte| !b"\r\n".contains(byte)).map_or(0, |last| last + 1);
    if end == 0 {
        return Err(Misuse(format!("file descriptor {descriptor} holds no password")).into());
    }
    secret(&line[..end])
}

fn secret(line: &[u8]) -> anyhow::Result<Secret> {
    let text = std::str::from_utf8(line).map_err(|_| Misuse("the password is not UTF-8".into()))?;
    Ok(Secret::new(text))
}
