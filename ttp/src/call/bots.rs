//! Bots: accounts of programs. Each belongs to the person who made it, proves itself by a token, and has no password.

use serde::{Deserialize, Serialize};

use crate::model::{TimestampMs, User, UserId};
use crate::secret::Secret;

/// Makes a bot of the caller's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InsertBot {
    /// What others will see and find, under the rules for names of people.
    pub user_name: String,
}

/// Gives a bot of the caller's another token. What the former one began ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenewBot {
    /// Which.
    pub user_id: UserId,
}

/// A bot and its token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BotReply {
    /// The bot.
    pub bot: BotInfo,
    /// Proves it in `Authenticate`, until it is renewed or the bot ends. Shown only here.
    pub token: Secret,
}

/// The caller's bots.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetBots {}

/// The answer to [`GetBots`]: by number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BotsReply {
    /// Those that have not ended.
    pub bots: Vec<BotInfo>,
}

/// A bot, as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BotInfo {
    /// The bot.
    #[serde(flatten)]
    pub user: User,
    /// When it was made.
    pub created_ts: TimestampMs,
    /// When its token was used last, to the hour; absent when it has none that holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_ts: Option<TimestampMs>,
}

/// Ends a bot of the caller's for good: its account is closed, its token holds no longer, what it said stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokeBot {
    /// Which.
    pub user_id: UserId,
}
