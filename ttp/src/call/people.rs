//! Finding people, and adding them where nobody asks for passwords.

use serde::{Deserialize, Serialize};

use crate::model::{User, UserId};

/// Finds a person by number or by name; exactly one of both is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetUser {
    /// The person's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// The person's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_name: Option<String>,
}

/// Creates a person. In version 2 a taken name is a conflict; in version 1 names may repeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InsertUser {
    /// The new person's name.
    pub user_name: String,
}

/// One person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserReply {
    /// The person.
    pub user: User,
    /// Whether it is a program. Absent of people.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_bot: bool,
}
