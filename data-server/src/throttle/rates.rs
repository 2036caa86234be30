//! How much of what: the rates that a server starts with, each of which the operator can change or switch off.
//!
//! They are far above what a person, a busy program or a bridge of 2 000 messages a minute comes to, and far below what
//! a server can do. docs/OPERATIONS.md lists them, and a test holds it to these.

use std::time::Duration;

use super::gcra::Rate;

/// What a call costs the server, and is limited as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// A password is hashed.
    Login,
    /// Something is changed.
    Write,
    /// The reply may be long.
    Read,
    /// Everything else.
    Light,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Login, Self::Write, Self::Read, Self::Light];
}

/// The rates of one connection, account or address. `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassRates {
    /// Of calls that hash a password.
    pub login: Option<Rate>,
    /// Of changes.
    pub write: Option<Rate>,
    /// Of pages.
    pub read: Option<Rate>,
    /// Of everything else.
    pub light: Option<Rate>,
}

impl ClassRates {
    /// No limit on anything.
    pub const OFF: Self = Self { login: None, write: None, read: None, light: None };

    /// The rate of a class.
    pub fn of(&self, class: Class) -> Option<Rate> {
        match class {
            Class::Login => self.login,
            Class::Write => self.write,
            Class::Read => self.read,
            Class::Light => self.light,
        }
    }
}

/// The rates of wrong passwords. `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuessRates {
    /// Against one account from one address that it has never logged in from. Tighter than the account's, so that one
    /// address cannot use that up.
    pub stranger: Option<Rate>,
    /// Against one account from all such addresses together.
    pub account: Option<Rate>,
    /// From one address against accounts that have never logged in from it.
    pub address: Option<Rate>,
    /// Against one account from one address that it has logged in from. Nobody else's guesses count here.
    pub acquaintance: Option<Rate>,
}

/// All rates of one data-server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Of one connection.
    pub connection: ClassRates,
    /// Of one account on all its connections.
    pub account: ClassRates,
    /// Of one address on all its connections: one IPv4 address, or one /64 of IPv6.
    pub address: ClassRates,
    /// Of wrong passwords.
    pub guesses: GuessRates,
    /// Of new accounts from one address.
    pub registrations: Option<Rate>,
    /// Addresses, accounts and pairs of them that are remembered at one time, each.
    pub entries_max: usize,
}

/// Addresses, accounts and pairs of them that are remembered: some 10 MB each.
const ENTRIES_MAX: usize = 100_000;

impl Rates {
    /// No limit on anything: where every peer is trusted, and for measurements.
    pub const OFF: Self = Self {
        connection: ClassRates::OFF,
        account: ClassRates::OFF,
        address: ClassRates::OFF,
        guesses: GuessRates { stranger: None, account: None, address: None, acquaintance: None },
        registrations: None,
        entries_max: ENTRIES_MAX,
    };
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            connection: class_rates((1, 10), (60, 600), (100, 500), (200, 1_000)),
            account: class_rates((1, 10), (120, 1_200), (200, 1_000), (400, 2_000)),
            // An office, a mobile network or a gateway may stand behind one address.
            address: class_rates((5, 50), (1_000, 10_000), (1_000, 10_000), (2_000, 20_000)),
            guesses: GuessRates {
                // At most 4 in any minute, and 5, 20 and 5: the burst, and one for each interval of the minute.
                stranger: Some(Rate::one_per(Duration::from_secs(60), 3)),
                account: Some(Rate::one_per(Duration::from_secs(40), 4)),
                address: Some(Rate::one_per(Duration::from_secs(6), 10)),
                acquaintance: Some(Rate::one_per(Duration::from_secs(60), 4)),
            },
            registrations: Some(Rate::one_per(Duration::from_secs(360), 20)),
            entries_max: ENTRIES_MAX,
        }
    }
}

/// Of pairs of a rate per second and a burst.
const fn class_rates(
    login: (u32, u32),
    write: (u32, u32),
    read: (u32, u32),
    light: (u32, u32),
) -> ClassRates {
    ClassRates {
        login: Some(Rate::per_second(login.0, login.1)),
        write: Some(Rate::per_second(write.0, write.1)),
        read: Some(Rate::per_second(read.0, read.1)),
        light: Some(Rate::per_second(light.0, light.1)),
    }
}
