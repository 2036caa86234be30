//! What happened in a chat besides messages, as a sentence for people.

use ttp::model::{Change, ChatSettings, Penalty, TimestampMs};

/// What a change that is no message says, without an end, such as `Ada joined`. Names and texts of others go through
/// `shown` first, which makes them harmless for where they are shown.
pub fn sentence(change: &Change, shown: impl Fn(&str) -> String) -> Option<String> {
    Some(match change {
        Change::Message(_) => return None,
        Change::Created(created) => match &created.by {
            Some(by) => format!("{} started the chat", shown(&by.user_name)),
            None => "the chat was started".into(),
        },
        Change::Joined(membership) => format!("{} joined", shown(&membership.user.user_name)),
        Change::Left(membership) => format!("{} left", shown(&membership.user.user_name)),
        Change::Role(change) => format!("{} is now {}", shown(&change.user.user_name), change.role),
        Change::Updated(update) => {
            let by = update.by.as_ref().map_or("the server".into(), |by| shown(&by.user_name));
            format!("{by} {}", settings(&update.settings, shown))
        }
        Change::Restricted(restriction) => {
            let user = shown(&restriction.user.user_name);
            match (restriction.penalty, restriction.is_lifted) {
                (Penalty::Ban, false) => format!("{user} is banned"),
                (Penalty::Ban, true) => format!("{user} may come back"),
                (Penalty::Mute, false) => format!("{user} is muted"),
                (Penalty::Mute, true) => format!("{user} may write again"),
            }
        }
        Change::Edited(edit) => {
            format!("{} edited: {}", shown(&edit.by.user_name), shown(&edit.message_text))
        }
        Change::Deleted(deletion) => format!("{} deleted a message", shown(&deletion.by.user_name)),
        Change::Reacted(reaction) => {
            let verb = if reaction.is_removed { "took back" } else { "reacted with" };
            format!("{} {verb} {}", shown(&reaction.by.user_name), shown(&reaction.emoji))
        }
        Change::Pinned(pin) => {
            let verb = if pin.is_removed { "unpinned" } else { "pinned" };
            format!("{} {verb} a message", shown(&pin.by.user_name))
        }
    })
}

/// What the author of a message does, when the message says so: `/me nods`.
pub fn action(message_text: &str) -> Option<&str> {
    message_text.strip_prefix("/me ")
}

/// When a change happened.
pub fn change_ts(change: &Change) -> TimestampMs {
    match change {
        Change::Message(message) => message.message_ts,
        Change::Created(created) => created.change_ts,
        Change::Joined(membership) | Change::Left(membership) => membership.change_ts,
        Change::Role(change) => change.change_ts,
        Change::Updated(update) => update.change_ts,
        Change::Restricted(restriction) => restriction.change_ts,
        Change::Edited(edit) => edit.change_ts,
        Change::Deleted(deletion) => deletion.change_ts,
        Change::Reacted(reaction) => reaction.change_ts,
        Change::Pinned(pin) => pin.change_ts,
    }
}

fn settings(settings: &ChatSettings, shown: impl Fn(&str) -> String) -> String {
    let ChatSettings { chat_name, topic, room_name, is_public, is_archived, users_max, .. } = settings;
    let mut parts = Vec::new();
    parts.extend(chat_name.as_ref().map(|name| format!("named the chat {}", shown(name))));
    parts.extend(topic.as_ref().map(|topic| match topic.is_empty() {
        true => "removed the topic".into(),
        false => format!("set the topic: {}", shown(topic)),
    }));
    parts.extend(room_name.as_ref().map(|name| match name.is_empty() {
        true => "took the room's name away".into(),
        false => format!("called the room #{}", shown(name)),
    }));
    parts.extend(is_public.map(|is_public| match is_public {
        true => "opened the room to everybody".into(),
        false => "closed the room to strangers".into(),
    }));
    parts.extend(is_archived.map(|is_archived| match is_archived {
        true => "archived the chat".into(),
        false => "opened the chat again".into(),
    }));
    parts.extend(users_max.map(|users_max| match users_max {
        0 => "lifted the limit of people".into(),
        limit => format!("limited the chat to {limit} people"),
    }));
    parts.extend(settings.keep_ms.map(|keep_ms| match keep_ms {
        0 => "let messages stay however old they are".into(),
        keep_ms => format!("lets messages stay for {}", lasting(keep_ms)),
    }));
    parts.extend(settings.keep_messages.map(|keep_messages| match keep_messages {
        0 => "let messages stay however many they are".into(),
        keep_messages => format!("lets the newest {keep_messages} messages stay"),
    }));
    if parts.is_empty() { "changed nothing".into() } else { parts.join(", ") }
}

/// A time in the largest unit that fits.
fn lasting(ms: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(86_400_000, "days"), (3_600_000, "hours"), (60_000, "minutes")];
    let unit = UNITS.iter().find(|(unit, _)| ms >= *unit && ms.is_multiple_of(*unit));
    unit.map_or(format!("{} s", ms.div_ceil(1_000)), |(unit, name)| format!("{} {name}", ms / unit))
}

#[cfg(test)]
mod tests {
    use ttp::model::{ChatUpdate, Reaction, User, UserId};

    use super::*;

    #[test]
    fn what_happened_is_said_in_a_sentence_with_harmless_names() {
        let ada = User { user_id: UserId(1), user_name: "a\u{1b}da".into() };
        let shown = |text: &str| text.replace('\u{1b}', "?");
        let settings = ChatSettings {
            topic: Some("tea".into()),
            is_public: Some(true),
            users_max: Some(3),
            ..ChatSettings::default()
        };
        let update = Change::Updated(ChatUpdate { settings, by: Some(ada.clone()), change_ts: 7 });
        let said = "a?da set the topic: tea, opened the room to everybody, limited the chat to 3 people";
        assert_eq!(sentence(&update, shown).as_deref(), Some(said));
        assert_eq!(change_ts(&update), 7);
        let reaction = Reaction { seq: 3, emoji: "🌮".into(), is_removed: true, by: ada, change_ts: 8 };
        let said = sentence(&Change::Reacted(reaction), shown);
        assert_eq!(said.as_deref(), Some("a?da took back 🌮"));
    }
}
