//! A person before a terminal: somebody who is logged in on a device, and starts `talko` there.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::house::{House, Talko};
use crate::machine::SERVER_CORE;
use crate::terminal::{Size, Terminal};

/// Everybody's.
const PASSWORD: &str = "the same for everybody here";

/// See the module. What the device keeps is removed with it.
pub(crate) struct Seat<'a> {
    house: &'a House,
    data_address: String,
    home: TempDir,
}

impl<'a> Seat<'a> {
    /// Gives a person who is in the database a password, and logs in with it on a device that knows nothing yet.
    ///
    /// # Errors
    /// There is no such person.
    pub(crate) fn of(house: &'a House, talko: &Talko, person: &str) -> Result<Self> {
        let home = tempfile::tempdir().context("there is no place for a folder")?;
        let seat = Self { house, data_address: talko.data_address()?.to_string(), home };
        tell(&mut house.command(&["user", "password", person, "--db", "talko.db", "--password-fd", "0"]))?;
        let address = ["--data-address", &seat.data_address];
        tell(
            &mut seat.command(&[&["login", "--user", person, "--password-fd", "0"], &address[..]].concat()),
        )?;
        Ok(seat)
    }

    /// Starts the full screen, on the core of whatever is measured.
    ///
    /// # Errors
    /// The system has no terminal left.
    pub(crate) fn sit(&self, size: Size) -> Result<Terminal> {
        Terminal::start(&self.command(&["--data-address", &self.data_address]), size, Some(SERVER_CORE))
    }

    /// The program on this device, where numbers are not trusted.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.house.command(arguments);
        command.env("HOME", self.home.path()).env_remove("TALKO_TRUST_USER_IDS");
        command.env("TERM", "xterm-256color").env("COLORTERM", "truecolor").env("LANG", "C.UTF-8");
        command
    }
}

/// Runs a command that asks for the password.
fn tell(command: &mut Command) -> Result<()> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let mut input = child.stdin.take().context("the program has no input")?;
    // One that ends before it reads says why.
    let _ = writeln!(input, "{PASSWORD}");
    drop(input);
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}
