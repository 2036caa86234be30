//! Words that settings are chosen from, on the command line, in the environment and in the file.

use clap::ValueEnum;

/// A role, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RoleName {
    /// Takes part, and changes nothing for others.
    Guest,
    /// The usual.
    Member,
    /// Keeps order.
    Moderator,
    /// May do everything.
    Owner,
}

impl From<RoleName> for ttp::model::Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Guest => Self::Guest,
            RoleName::Member => Self::Member,
            RoleName::Moderator => Self::Moderator,
            RoleName::Owner => Self::Owner,
        }
    }
}

/// When to speak TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TlsWhen {
    /// Everywhere but on loopback.
    Auto,
    /// On loopback, too.
    Always,
    /// Nowhere.
    Never,
}

/// Who may make an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RegistrationName {
    /// Anybody.
    Open,
    /// Whoever has an invitation.
    Invitation,
    /// Nobody.
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Which limits against abuse hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RatesName {
    /// Those that docs/OPERATIONS.md lists.
    Default,
    /// None, also none of wrong passwords.
    Off,
}
