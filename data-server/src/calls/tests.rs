//! Which number a program is told for each refusal of the store.

use ttp::attachment::FileHash;
use ttp::model::{ChatId, UserId};

use super::*;

/// Whose fault each refusal of the store is, in the number that a program acts on.
#[test]
fn each_refusal_of_the_store_has_its_code() {
    let (user_id, chat_id) = (UserId(1), ChatId(1));
    for (error, code) in [
        (StoreError::NoSuchUser(user_id), -32004),
        (StoreError::NoSuchName, -32004),
        (StoreError::NoSuchChat(chat_id), -32004),
        (StoreError::NoSuchSession(SessionId(1)), -32004),
        (StoreError::NoSuchInvitation, -32004),
        (StoreError::NoSuchMessage { chat_id, seq: 1 }, -32004),
        (StoreError::MessageDeleted(1), -32004),
        (StoreError::NoSuchFile(FileHash([0; 32])), -32004),
        (StoreError::NoSuchAttachment(1), -32004),
        (StoreError::TooManyUploads, -32009),
        (StoreError::WithinThread { seq: 2, thread: 1 }, -32602),
        (StoreError::TooManyReactions, -32009),
        (StoreError::TooManyPins, -32009),
        (StoreError::TooManyDrafts, -32009),
        (StoreError::TooManyBots, -32009),
        (StoreError::NoSuchBot(user_id), -32004),
        (StoreError::NoSuchChatName, -32004),
        (StoreError::SearchTooLong, -32013),
        (StoreError::NotAParticipant { user_id, chat_id }, -32003),
        (StoreError::PrivateChat(chat_id), -32003),
        (StoreError::NoSuchRoom, -32004),
        (StoreError::NotPublic(chat_id), -32003),
        (StoreError::Archived(chat_id), -32003),
        (StoreError::Banned { user_id, chat_id, left_ms: None }, -32003),
        (StoreError::Muted { user_id, chat_id, left_ms: None }, -32003),
        (StoreError::Full { chat_id, users_max: 3 }, -32009),
        (StoreError::LimitTooLow(4), -32009),
        (StoreError::RoomNameTaken, -32009),
        (StoreError::NotInvited, -32003),
        (StoreError::NotAllowed("no"), -32003),
        (StoreError::Deactivated, -32003),
        (StoreError::SessionEnded, -32001),
        (StoreError::WrongPassword, -32001),
        (StoreError::NameTaken, -32009),
        (StoreError::NameLooksTaken, -32009),
        (StoreError::KeyReused, -32009),
        (StoreError::LastOwner, -32009),
        (StoreError::TooManyInvitations, -32009),
        (StoreError::Overloaded, -32053),
        (StoreError::Unavailable, -32053),
        (StoreError::Failed, -32603),
        (StoreError::Indeterminate, -32050),
    ] {
        let is_indeterminate = error == StoreError::Indeterminate;
        let told = CallError::from(Refusal::Change(error.clone()));
        assert_eq!(told.code.number(), code, "{error:?}");
        let data = told.data.unwrap_or_default();
        assert_eq!(data.stored, (!is_indeterminate).then_some(false), "{error:?}");
        assert_eq!(data.retry_after_ms.is_some(), code == -32053, "{error:?}");
        assert_eq!(CallError::from(Refusal::Question(error)).code.number(), code);
    }
}
