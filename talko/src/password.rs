//! Asking for passwords: at the terminal, or from a file descriptor; never from the command line, where every process of
//! the machine could read along.

use std::io::{BufRead, Read};

use anyhow::Context;
use ttp::limits::PASSWORD_BYTES_MAX;
use ttp::secret::Secret;
use zeroize::Zeroizing;

use crate::failure::Misuse;
use crate::settings::Settings;

/// Asks for a password.
pub(crate) fn ask(question: &str, settings: &Settings) -> anyhow::Result<Secret> {
    match settings.password_fd {
        Some(descriptor) => read_line(descriptor),
        None => rpassword::prompt_password(question).map(Secret::new).map_err(|_| {
            let message = "there is no terminal to ask for the password: give --password-fd NUMBER";
            Misuse(message.into()).into()
        }),
    }
}

/// Whether somebody can be asked.
pub(crate) fn can_ask(settings: &Settings) -> bool {
    settings.password_fd.is_some() || std::fs::File::open("/dev/tty").is_ok()
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
        let mut byte = [0];
        while line.len() <= PASSWORD_BYTES_MAX && file.read(&mut byte).with_context(context)? > 0 {
            line.push(byte[0]);
            if byte[0] == b'\n' {
                break;
            }
        }
    }
    let text = std::str::from_utf8(&line).map_err(|_| Misuse("the password is not UTF-8".into()))?;
    let text = text.trim_end_matches(['\n', '\r']);
    if text.is_empty() {
        return Err(Misuse(format!("file descriptor {descriptor} holds no password")).into());
    }
    Ok(Secret::new(text))
}
