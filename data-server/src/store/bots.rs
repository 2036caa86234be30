//! The part of the seam that is about bots: accounts that belong to a person, and have a token in the place of a password.
//!
//! # Promises, besides those of the store
//!
//! 1. **A bot is its owner's.** Nobody else lists it, renews it or ends it, but who may close accounts closes its account.
//! 2. **A bot has one token at a time**, which does not end by disuse.
//! 3. **A bot ends with its owner.** It makes no bots and no invitations, and has no role above a member's.

use ttp::call::BotInfo;
use ttp::model::UserId;

use super::{By, Done, SecretHash};

/// What a store is asked about bots.
pub trait Bots: Send + Sync {
    /// Makes a bot.
    fn insert_bot(&self, by: By, new: NewBot, done: Done<BotInfo>);
    /// Gives a bot another token, and ends what the former one began.
    fn renew_bot(&self, by: By, renewal: BotRenewal, done: Done<BotInfo>);
    /// Closes a bot's account.
    fn end_bot(&self, by: By, end: BotEnd, done: Done<()>);
    /// Somebody's bots that have not ended, by number.
    fn bots(&self, by: By, owner: UserId, done: Done<Vec<BotInfo>>);
}

/// A bot to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBot {
    /// Whose.
    pub owner: UserId,
    /// Its name.
    pub user_name: String,
    /// What its token hashes to.
    pub token_hash: SecretHash,
}

/// Another token for a bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BotRenewal {
    /// Whose.
    pub owner: UserId,
    /// Which bot.
    pub user_id: UserId,
    /// What its token hashes to.
    pub token_hash: SecretHash,
}

/// A bot to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BotEnd {
    /// Whose.
    pub owner: UserId,
    /// Which bot.
    pub user_id: UserId,
}
