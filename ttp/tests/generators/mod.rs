//! What the property tests are fed with: payloads, ids, params, and everything of the model.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;
use serde_json::value::RawValue;
use ttp::call::{BroadcastCall, DataCall};
use ttp::model::{
    Change, Chat, ChatCreated, ChatId, ChatSettings, ChatUpdate, Deletion, Edit, Entry, Membership, Mentions,
    Message, MessageDetails, MessageId, Penalty, Pin, Reaction, Restriction, Role, RoleChange, User, UserId,
};

/// Bytes that a header might have, so that lengths and near misses both come up.
pub(crate) fn header_byte() -> impl Strategy<Value = u8> {
    select(b"    0123456789+-_x\t".to_vec())
}

/// Anything from noise to a batch of requests.
pub(crate) fn any_payload() -> impl Strategy<Value = Vec<u8>> {
    let token = select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "\"jsonrpc\":\"2.0\"",
        "\"method\":\"GetUser\"",
        "\"params\":{}",
        "\"id\":1",
        "\"id\":null",
        "null",
        "-0",
        "1e999",
        " ",
        "\\ud800",
        "\u{feff}",
        "\0",
    ]);
    prop_oneof![
        vec(any::<u8>(), 0..200),
        vec(token, 0..30).prop_map(|tokens| tokens.concat().into_bytes()),
        json().prop_map(|value| value.to_string().into_bytes()),
        step().prop_map(|step| step.payload().into_bytes()),
    ]
}

/// JSON strings and numbers as somebody may write them.
pub(crate) fn id_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
        "\"(\\\\u[0-9a-fA-F]{4}|[ -!#-\\[\\]-~]|\\\\[\"\\\\/bfnrt]){0,50}\"",
        "-?(0|[1-9][0-9]{0,60})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,5})?",
    ]
}

/// One element of a payload, with the reply that it awaits.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    /// A request with this id.
    Request(String),
    /// A request without an id.
    Notification,
    /// Something else, refused with a null id.
    Invalid(&'static str),
}

/// A payload that arrives, and answers that are ready after it.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    items: Vec<Item>,
    is_batch: bool,
    /// Which of the open calls are completed then.
    pub(crate) completions: Vec<Index>,
}

impl Step {
    /// The payload as text.
    pub(crate) fn payload(&self) -> String {
        let items: Vec<String> = self.items.iter().map(Item::text).collect();
        if self.is_batch { format!("[{}]", items.join(",")) } else { items[0].clone() }
    }

    /// The ids that must come back, in one frame.
    pub(crate) fn awaited_ids(&self) -> Vec<String> {
        let items = if self.is_batch { &self.items[..] } else { &self.items[..1] };
        items.iter().filter_map(Item::awaited_id).collect()
    }
}

impl Item {
    fn text(&self) -> String {
        match self {
            Self::Request(id) => format!(r#"{{"jsonrpc":"2.0","method":"M","params":[1],"id":{id}}}"#),
            Self::Notification => r#"{"jsonrpc":"2.0","method":"M"}"#.into(),
            Self::Invalid(text) => (*text).into(),
        }
    }

    fn awaited_id(&self) -> Option<String> {
        match self {
            Self::Request(id) => Some(id.clone()),
            Self::Notification => None,
            Self::Invalid(_) => Some("null".into()),
        }
    }
}

/// Steps with batches large enough that, over some of them, the limit of requests in flight is passed.
pub(crate) fn step() -> impl Strategy<Value = Step> {
    let item = prop_oneof![
        1 => id_text().prop_map(Item::Request),
        5 => any::<u128>().prop_map(|id| Item::Request(id.to_string())),
        1 => Just(Item::Request("null".into())),
        2 => Just(Item::Notification),
        1 => select(vec!["1", "{}", "\"x\"", "null", r#"{"jsonrpc":"1.0","method":"M"}"#]).prop_map(Item::Invalid),
    ];
    (vec(item, 1..60), any::<bool>(), vec(any::<Index>(), 0..50))
        .prop_map(|(items, is_batch, completions)| Step { items, is_batch, completions })
}

/// A result to complete calls with.
pub(crate) fn small_result() -> Box<RawValue> {
    RawValue::from_string("{}".into()).unwrap()
}

/// A method of either server, or nearly.
pub(crate) fn method() -> impl Strategy<Value = String> {
    let known: Vec<&str> = DataCall::METHODS.iter().chain(BroadcastCall::METHODS).copied().collect();
    prop_oneof![9 => select(known).prop_map(String::from), 1 => any::<String>()]
}

/// Params whose members have the names of the calls, often with values that fit.
pub(crate) fn params() -> impl Strategy<Value = Value> {
    let name = select(vec![
        "user_id",
        "user_name",
        "chat_id",
        "chat_name",
        "user_ids",
        "message_text",
        "messages_max",
        "before",
        "before_seq",
        "after_seq",
        "around_seq",
        "seq",
        "reply_to",
        "thread",
        "forward",
        "emoji",
        "limit",
        "client_message_id",
        "client_chat_id",
        "after_user_id",
        "number",
        "epoch",
        "cursors",
        "protocol",
        "client",
        "nonce",
        "activity_ts",
        "shoe_size",
    ]);
    let fitting = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<u32>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        vec(any::<i32>(), 0..4).prop_map(Value::from),
        Just(Value::Null),
        Just(serde_json::json!({"activity_ts": 1, "chat_id": 2})),
        Just(serde_json::json!({"7": 3})),
        Just(serde_json::json!({"chat_id": 7, "seq": 3})),
    ];
    let value = prop_oneof![4 => fitting, 1 => json()];
    prop_oneof![
        4 => proptest::collection::btree_map(name.prop_map(String::from), value, 0..5)
            .prop_map(|members| Value::Object(members.into_iter().collect())),
        1 => json(),
    ]
}

/// Any JSON of moderate size.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 30, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map(any::<String>(), inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn user() -> impl Strategy<Value = User> {
    (any::<i64>(), any::<String>())
        .prop_map(|(user_id, user_name)| User { user_id: UserId(user_id), user_name })
}

/// A message, its added members present or not.
pub(crate) fn message() -> impl Strategy<Value = Message> {
    (
        (any::<i64>(), any::<i64>(), user(), any::<String>(), any::<i64>()),
        (any::<u64>(), any::<u64>(), option::of(any::<String>())),
    )
        .prop_map(|((message_id, chat_id, user, message_text, message_ts), (seq, number, key))| {
            Message {
                message_id: MessageId(message_id),
                chat_id: ChatId(chat_id),
                user,
                message_text,
                message_ts,
                seq,
                number,
                client_message_id: key,
                details: (seq % 2 == 0).then(|| {
                    let mentions = Mentions { user_ids: vec![UserId(message_id)], all: false };
                    Box::new(MessageDetails { edited: Some(seq), mentions, ..MessageDetails::default() })
                }),
            }
        })
}

/// A chat, its added members present or not.
pub(crate) fn chat() -> impl Strategy<Value = Chat> {
    (
        (any::<i64>(), any::<String>(), vec(user(), 0..4), vec(message(), 0..4)),
        (any::<bool>(), any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>(), any::<i64>()),
        option::of(role()),
    )
        .prop_map(
            |(
                (chat_id, chat_name, users, messages),
                (is_private, user_count, last_seq, last_number, unread, activity_ts),
                role,
            )| Chat {
                chat_id: ChatId(chat_id),
                chat_name,
                users,
                messages,
                is_private,
                user_count,
                last_seq,
                last_number,
                unread,
                mentions: unread / 2,
                activity_ts,
                role,
                room_name: last_seq.to_string(),
                is_public: is_private,
                users_max: unread,
                keep_messages: unread / 3,
                purged_seq: last_seq / 2,
                ..Chat::default()
            },
        )
}

/// Any role.
fn role() -> impl Strategy<Value = Role> {
    proptest::sample::select(Role::ALL.to_vec())
}

/// What people do with messages.
fn on_a_message() -> impl Strategy<Value = Change> {
    (any::<u64>(), any::<String>(), any::<bool>(), user(), any::<i64>(), 0..4_u8).prop_map(
        |(seq, text, is_removed, by, change_ts, kind)| match kind {
            0 => Change::Edited(Edit {
                seq,
                message_text: text,
                mentions: Mentions { user_ids: vec![by.user_id], all: is_removed },
                by,
                change_ts,
            }),
            1 => Change::Deleted(Deletion { seq, by, change_ts }),
            2 => Change::Reacted(Reaction { seq, emoji: text, is_removed, by, change_ts }),
            _ => Change::Pinned(Pin { seq, is_removed, by, change_ts }),
        },
    )
}

/// What people do with groups.
fn rules() -> impl Strategy<Value = Change> {
    let texts = || option::of(any::<String>());
    let settings = (texts(), texts(), texts(), option::of(any::<bool>()), option::of(any::<u64>())).prop_map(
        |(chat_name, topic, room_name, is_public, users_max)| ChatSettings {
            chat_name,
            topic,
            room_name,
            is_public,
            is_archived: is_public,
            users_max,
            keep_ms: users_max,
            keep_messages: users_max.map(|users_max| users_max / 2),
        },
    );
    let update = (settings, option::of(user()), any::<i64>())
        .prop_map(|(settings, by, change_ts)| Change::Updated(ChatUpdate { settings, by, change_ts }));
    let restriction = (user(), option::of(any::<i64>()), any::<bool>(), user(), any::<i64>()).prop_map(
        |(user, until_ts, is_lifted, by, change_ts)| {
            let penalty = if is_lifted { Penalty::Ban } else { Penalty::Mute };
            Change::Restricted(Restriction { user, penalty, until_ts, is_lifted, by, change_ts })
        },
    );
    prop_oneof![update, restriction]
}

/// An entry of any kind.
pub(crate) fn entry() -> impl Strategy<Value = Entry> {
    let membership = || {
        (user(), option::of(user()), any::<i64>()).prop_map(|(user, by, change_ts)| Membership {
            user,
            by,
            change_ts,
        })
    };
    let created = (any::<String>(), any::<bool>(), option::of(user()), any::<i64>()).prop_map(
        |(chat_name, is_private, by, change_ts)| ChatCreated { chat_name, is_private, by, change_ts },
    );
    let change = prop_oneof![
        message().prop_map(Change::Message),
        created.prop_map(Change::Created),
        membership().prop_map(Change::Joined),
        membership().prop_map(Change::Left),
        (membership(), role()).prop_map(|(Membership { user, by, change_ts }, role)| {
            Change::Role(RoleChange { user, role, by, change_ts })
        }),
        on_a_message(),
        rules(),
    ];
    (any::<i64>(), any::<u64>(), change).prop_map(|(chat_id, seq, change)| Entry {
        chat_id: ChatId(chat_id),
        seq,
        change,
    })
}
