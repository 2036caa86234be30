//! What an operator does to the accounts of a database without asking a server, where the right to it is the right to
//! write to the file.

use std::path::Path;

use ttp::net::clock;
use ttp::secret::Secret;

use crate::calls::check_password;
use crate::config::PasswordCost;
use crate::error::Error;
use crate::passwords;
use crate::store::sqlite::{self, NewPassword};

/// Sets a person's password: a forgotten one, or the first of somebody from before there were accounts. All sessions of the
/// person end; a server that runs tells open streams so within 20 s, and calls at once.
///
/// # Errors
/// [`Error::WrongPassword`] when nobody may have this one, [`Error::NoSuchPerson`], [`Error::ClosedAccount`]; others say
/// what the file or the operating system is about. Nothing is changed then.
pub fn set_password(database: &Path, user_name: &str, password: &Secret) -> Result<NewPassword, Error> {
    check_password(password, user_name).map_err(|refused| Error::WrongPassword(refused.message))?;
    let hash = passwords::hash_once(PasswordCost::default(), password)?;
    sqlite::set_password(database, user_name, &hash, clock::now_ms())
}
