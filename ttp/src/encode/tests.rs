//! What is written by hand has the bytes that the derived `Serialize` makes.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::call::{Draft, Mark};
use crate::model::{ChatCreated, ChatId, MessageDetails, MessageId, Seq, User, UserId};

prop_compose! {
    fn messages()(
        (message_id, chat_id, user_id) in any::<(i64, i64, i64)>(),
        (user_name, message_text) in any::<(String, String)>(),
        message_ts in any::<i64>(),
        (seq, number) in (0..3_u64, any::<u64>()),
        client_message_id in any::<Option<String>>(),
    ) -> Message {
        Message {
            message_id: MessageId(message_id),
            chat_id: ChatId(chat_id),
            user: User { user_id: UserId(user_id), user_name },
            message_text,
            message_ts,
            seq,
            number,
            client_message_id,
            details: (number % 2 == 0)
                .then(|| Box::new(MessageDetails { reply_to: Some(number), ..MessageDetails::default() })),
        }
    }
}

fn entries() -> impl Strategy<Value = Entry> {
    let created = any::<(String, bool, i64)>().prop_map(|(chat_name, is_private, change_ts)| {
        Change::Created(ChatCreated { chat_name, is_private, by: None, change_ts })
    });
    let change = prop_oneof![4 => messages().prop_map(Change::Message), 1 => created];
    (any::<i64>(), any::<u64>(), change).prop_map(|(chat, seq, change)| Entry {
        chat_id: ChatId(chat),
        seq,
        change,
    })
}

fn heads() -> impl Strategy<Value = Option<BTreeMap<ChatId, Seq>>> {
    prop::option::of(prop::collection::btree_map(any::<i64>().prop_map(ChatId), any::<u64>(), 0..4))
}

fn written(write: impl FnOnce(&mut Vec<u8>) -> serde_json::Result<()>) -> String {
    String::from_utf8(Json::written(write).unwrap().bytes().to_vec()).unwrap()
}

proptest! {
    #[test]
    fn what_is_written_by_hand_has_the_bytes_of_the_derived_one(
        said in prop::collection::vec(messages(), 0..4),
        log in prop::collection::vec(entries(), 0..4),
        (more, reset, epoch, as_of) in any::<(bool, bool, String, u64)>(),
        gone in prop::collection::vec(any::<i64>().prop_map(ChatId), 0..3),
        heads in heads(),
        purged in heads(),
    ) {
        for message in &said {
            let reply = MessageReply { message: message.clone() };
            prop_assert_eq!(written(|out| message_reply(out, &reply)), serde_json::to_string(&reply).unwrap());
        }
        for one in &log {
            prop_assert_eq!(written(|out| entry(out, one)), serde_json::to_string(one).unwrap());
        }
        let reply = MessagesReply { messages: said, more, more_after: reset, as_of: as_of % 3 };
        prop_assert_eq!(written(|out| messages_reply(out, &reply)), serde_json::to_string(&reply).unwrap());
        let marks: Vec<Mark> =
            gone.iter().map(|chat_id| Mark { chat_id: *chat_id, number: as_of, unread: 1, mentions: as_of % 2 }).collect();
        let drafts: Vec<Draft> = gone
            .iter()
            .map(|chat_id| Draft { chat_id: *chat_id, text: epoch.clone(), reply_to: more.then_some(as_of) })
            .collect();
        let noted = more.then_some(as_of);
        let purged = purged.unwrap_or_default();
        let reply = SyncReply { epoch, entries: log, more, gone, purged, reset, heads, noted, marks, drafts };
        prop_assert_eq!(written(|out| sync_reply(out, &reply)), serde_json::to_string(&reply).unwrap());
    }
}
