//! The part of the client that is about bots: making and ending what programs speak as. A bot itself begins with
//! [`Client::authenticate`] and its token.

use ttp::call::{BotInfo, BotReply, GetBots, GetUser, InsertBot, RenewBot, RevokeBot};
use ttp::model::UserId;

use crate::client::Client;
use crate::error::Error;

/// # Bots
impl Client {
    /// Makes a bot of the person's. Its token is in the answer and nowhere else.
    ///
    /// # Errors
    /// As [`Client::call`]: `Conflict` when the name is taken or there are too many, `Forbidden` for guests and bots.
    pub async fn insert_bot(&self, name: &str) -> Result<BotReply, Error> {
        self.call(InsertBot { user_name: name.to_owned() }).await
    }

    /// The person's bots, by number.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn get_bots(&self) -> Result<Vec<BotInfo>, Error> {
        Ok(self.call(GetBots {}).await?.bots)
    }

    /// Gives a bot of the person's another token. The former one holds no longer.
    ///
    /// # Errors
    /// As [`Client::call`]: `NotFound` when it is none of the person's.
    pub async fn renew_bot(&self, bot: UserId) -> Result<BotReply, Error> {
        self.call(RenewBot { user_id: bot }).await
    }

    /// Ends a bot of the person's for good.
    ///
    /// # Errors
    /// As [`Client::renew_bot`].
    pub async fn revoke_bot(&self, bot: UserId) -> Result<(), Error> {
        self.call(RevokeBot { user_id: bot }).await.map(drop)
    }

    /// Whether somebody is a bot: what programs ask before they answer, so that they do not answer each other for ever.
    ///
    /// # Errors
    /// As [`Client::get_user`].
    pub async fn is_bot(&self, user: UserId) -> Result<bool, Error> {
        Ok(self.call(GetUser { user_id: Some(user), user_name: None }).await?.is_bot)
    }
}
