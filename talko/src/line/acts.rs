//! What the line chat does to single messages, and what it tells about people.

use std::collections::BTreeMap;

use client_lib::{MessagePlace, Presence, PresenceState, Signal};
use ttp::model::{ChatId, Seq, User, UserId};
use tui_client::one_line;
use tui_client::slash::Act;

use super::{Conversation, numbered};
use crate::output::say;
use crate::person;

impl Conversation<'_> {
    /// Does it in the open chat.
    pub(super) async fn act(&mut self, act: Act) -> anyhow::Result<()> {
        let client = self.client;
        match act {
            Act::Status(shows) => return Ok(self.signals.appear(shows).await?),
            Act::Watch(names, on) => return self.watch(&names, on).await,
            _ => {}
        }
        let chat_id = self.open_chat()?.chat_id;
        match act {
            Act::Reply(seq, text) => self.said(&client.reply(chat_id, seq, &text).await?),
            Act::SayInThread(seq, text) => self.said(&client.insert_in_thread(chat_id, seq, &text).await?),
            Act::Edit(seq, text) => Ok(client.edit_message(chat_id, seq, &text).await.map(drop)?),
            Act::Delete(seq) => Ok(client.delete_message(chat_id, seq).await.map(drop)?),
            Act::React(seq, sign) => Ok(client.react(chat_id, seq, &sign).await?),
            Act::Unreact(seq, sign) => Ok(client.remove_reaction(chat_id, seq, &sign).await?),
            Act::Pin(seq) => Ok(client.pin_message(chat_id, seq).await?),
            Act::Unpin(seq) => Ok(client.unpin_message(chat_id, seq).await?),
            Act::Pins => {
                let pinned = client.get_pins(chat_id, None).await?.messages;
                pinned.iter().try_for_each(|message| say(numbered(message)))?;
                say(format_args!("--- {} pinned ---", pinned.len()))
            }
            Act::Thread(seq) => {
                let page = client.get_thread(chat_id, seq, None, None).await?;
                page.messages.iter().try_for_each(|message| say(numbered(message)))?;
                let more = if page.more { "the newest " } else { "" };
                say(format_args!("--- {more}{} in the thread of #{seq} ---", page.messages.len()))
            }
            Act::Forward(seq, chat) => self.forward(MessagePlace { chat_id, seq }, &chat).await,
            Act::History(seq) => self.history(chat_id, seq).await,
            Act::Who => self.who(chat_id).await,
            Act::Remove(name) => {
                let user = person::find(client, &name).await?;
                Ok(client.remove_participant(chat_id, user.user_id).await?)
            }
            Act::Status(_) | Act::Watch(..) => Ok(()),
        }
    }

    /// To the chat of this number in the list, or of this name.
    async fn forward(&mut self, from: MessagePlace, chat: &str) -> anyhow::Result<()> {
        let listed = chat.parse::<usize>().ok().and_then(|number| self.listed.get(number.checked_sub(1)?));
        let to = match listed {
            Some(chat) => chat.clone(),
            None => person::find_chat(self.client, chat).await?,
        };
        let message = self.client.forward(from, to.chat_id).await?;
        say(format_args!("#{} in {}", message.seq, one_line(&to.chat_name)))
    }

    async fn history(&self, chat_id: ChatId, seq: Seq) -> anyhow::Result<()> {
        let reply = self.client.get_message_history(chat_id, seq).await?;
        for version in &reply.versions {
            say(format_args!("#{seq} {}", one_line(&version.message_text)))?;
        }
        say(format_args!(
            "--- {} texts of #{seq}, the last one is what it says now ---",
            reply.versions.len()
        ))
    }

    /// The first page of people: of a larger chat who is here is told, and not who is not.
    async fn who(&self, chat_id: ChatId) -> anyhow::Result<()> {
        let people = self.client.get_participants(chat_id, None).await?;
        let here = self.signals.who_is_in(chat_id).await?.people;
        let here: BTreeMap<UserId, PresenceState> =
            here.into_iter().map(|person| (person.user_id, person.state)).collect();
        for person in &people.users {
            let state = here.get(&person.user.user_id).copied().unwrap_or(PresenceState::Offline);
            let kind = if people.bots.contains(&person.user.user_id) { ", a bot" } else { "" };
            let (name, role) = (one_line(&person.user.user_name), person.role);
            say(format_args!("{:10} {name} ({role}{kind})", word(state)))?;
        }
        let more = if people.more { "the first " } else { "" };
        let count = people.users.len();
        say(format_args!("--- {more}{count} {} ---", if count == 1 { "person" } else { "people" }))
    }

    async fn watch(&mut self, names: &[String], on: bool) -> anyhow::Result<()> {
        let mut people = Vec::new();
        for name in names {
            people.push(person::find(self.client, name).await?);
        }
        let numbers: Vec<UserId> = people.iter().map(|user| user.user_id).collect();
        let (watch, unwatch): (&[UserId], &[UserId]) = if on { (&numbers, &[]) } else { (&[], &numbers) };
        let seen = self.signals.watch(watch, unwatch).await?;
        for user in people {
            match on {
                true => self.watched.insert(user.user_id, user),
                false => self.watched.remove(&user.user_id),
            };
        }
        seen.iter().try_for_each(|presence| self.tell_presence(presence))
    }

    /// Says what a signal means, if it means something here.
    pub(super) fn hear(&self, signal: &Signal) -> anyhow::Result<()> {
        match signal {
            Signal::Presence(presence) => self.tell_presence(presence),
            Signal::Typing(_) => Ok(()),
        }
    }

    fn tell_presence(&self, presence: &Presence) -> anyhow::Result<()> {
        let Some(User { user_name, .. }) = self.watched.get(&presence.user_id) else { return Ok(()) };
        say(format_args!("* {} is {}", one_line(user_name), word(presence.state)))
    }
}

fn word(state: PresenceState) -> &'static str {
    match state {
        PresenceState::Online => "online",
        PresenceState::Away => "away",
        PresenceState::Offline => "offline",
    }
}
