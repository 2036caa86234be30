//! What a line of the matrix says: who asks, and what becomes of it.

use std::fmt;

use ttp::code::ErrorCode;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Actor {
    Owner,
    Moderator,
    Member,
    Guest,
    Stranger,
    Removed,
    Landlord,
    Steward,
    Visitor,
    Revoked,
    Expired,
    Closed,
    Nobody,
    Version1,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Answered. Of a change: it is there.
    Accepted,
    /// Answered, and nothing has changed.
    NothingToDo,
    /// Refused, and nothing has changed.
    Refused(i32),
}

/// One call, and what becomes of it for each actor.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) method: &'static str,
    /// With names in the places of numbers.
    pub(crate) params: &'static str,
    pub(crate) verdicts: [Verdict; Actor::ALL.len()],
}

impl Actor {
    /// In the order of the columns.
    pub(crate) const ALL: [Self; 14] = [
        Self::Owner,
        Self::Moderator,
        Self::Member,
        Self::Guest,
        Self::Stranger,
        Self::Removed,
        Self::Landlord,
        Self::Steward,
        Self::Visitor,
        Self::Revoked,
        Self::Expired,
        Self::Closed,
        Self::Nobody,
        Self::Version1,
    ];

    /// The name of the account. Who has lost a session is the one person who may do everything.
    pub(crate) fn person(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Moderator => "moderator",
            Self::Member => "member",
            Self::Guest => "guest",
            Self::Stranger => "stranger",
            Self::Removed => "remus",
            Self::Landlord => "landlord",
            Self::Steward => "steward",
            Self::Visitor => "visitor",
            Self::Revoked | Self::Expired | Self::Closed | Self::Nobody | Self::Version1 => "fallen",
        }
    }

    /// Whether somebody has logged in on the connection.
    pub(crate) fn has_logged_in(self) -> bool {
        !matches!(self, Self::Nobody | Self::Version1)
    }

    /// Whether what is said in the group is for this one.
    pub(crate) fn is_in_the_group(self) -> bool {
        matches!(self, Self::Owner | Self::Moderator | Self::Member | Self::Guest)
    }
}

impl Row {
    /// From a line of the table.
    pub(crate) fn read(line: &'static str) -> Self {
        let mut words = line.split_ascii_whitespace();
        let verdicts =
            [(); Actor::ALL.len()].map(|()| Verdict::read(words.next().expect("a verdict for each")));
        let method = words.next().expect("a method");
        let (_, params) = line.split_once(&format!(" {method} ")).expect("params");
        Self { method, params, verdicts }
    }

    /// What becomes of the call when this one makes it.
    pub(crate) fn verdict(&self, actor: Actor) -> Verdict {
        self.verdicts[actor as usize]
    }
}

impl Verdict {
    fn read(word: &str) -> Self {
        match word {
            "ok" => Self::Accepted,
            "=" => Self::NothingToDo,
            number => Self::Refused(-32_000 - number.parse::<i32>().expect("a number")),
        }
    }

    pub(crate) fn is_refusal(self) -> bool {
        matches!(self, Self::Refused(_))
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted => write!(f, "an answer, and the change"),
            Self::NothingToDo => write!(f, "an answer without a change"),
            Self::Refused(code) => write!(f, "{:?} ({code})", ErrorCode::from_number(*code)),
        }
    }
}
