//! Who is here and who is typing: heard and said on a stream's own connection, since the broadcast-server alone knows it.
//!
//! None of it is in a log. What is not heard in time is lost, and what a stream watched and showed is said again on each
//! new connection.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::timeout;
use tracing::debug;
use ttp::call::{
    Appearance, Call, GetPresence, Presence, PresenceReply, PresenceState, SetPresence, SetTyping,
    WatchPresence,
};
use ttp::event::Typing;
use ttp::limits::TYPING_INTERVAL_MS;
use ttp::model::{ChatId, UserId};

use crate::connection::Waiter;
use crate::error::{Error, Lost, ProtocolError};
use crate::link::{self, Link};

/// Signals that wait for one program's end. The oldest are lost.
const SIGNALS_MAX: usize = 1024;

/// Requests that wait for the stream.
const ASKS_MAX: usize = 32;

/// What a stream tells besides its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// What is seen of somebody who is watched has changed.
    Presence(Presence),
    /// Somebody is typing, for so long unless it is said again; or not any more.
    Typing(Typing),
}

/// A program's way to hear and say who is here. Belongs to one [`EventStream`](crate::EventStream), and ends with it. Clones
/// hear everything, each from when it was made.
///
/// Requests wait for the stream to be live, at most for [`Options::call_timeout`](crate::Options::call_timeout).
///
/// ```no_run
/// # async fn run(events: client_lib::EventStream, friends: Vec<client_lib::UserId>) -> Result<(), client_lib::Error> {
/// use client_lib::Signal;
///
/// let mut signals = events.signals();
/// for person in signals.watch(&friends, &[]).await? {
///     println!("{} is {:?}", person.user_id, person.state);
/// }
/// while let Some(signal) = signals.next().await {
///     match signal {
///         Signal::Presence(person) => println!("{} is {:?} now", person.user_id, person.state),
///         Signal::Typing(typing) => println!("{} is typing", typing.user_id),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Signals {
    asks: mpsc::Sender<Ask>,
    heard: broadcast::Receiver<Signal>,
    patience: Duration,
}

impl Clone for Signals {
    fn clone(&self) -> Self {
        Self { asks: self.asks.clone(), heard: self.heard.resubscribe(), patience: self.patience }
    }
}

impl Signals {
    /// The two ends: the program's, and the stream's.
    pub(crate) fn channel(patience: Duration) -> (Self, Desk) {
        let (asks, queue) = mpsc::channel(ASKS_MAX);
        let (said, heard) = broadcast::channel(SIGNALS_MAX);
        let desk = Desk { asks: queue, said, shows: Appearance::default(), watched: BTreeMap::new() };
        (Self { asks, heard, patience }, desk)
    }

    /// The next signal; `None` when the stream has ended. What came while the program took none for long is lost.
    pub async fn next(&mut self) -> Option<Signal> {
        loop {
            match self.heard.recv().await {
                Ok(signal) => return Some(signal),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    /// Begins to watch people, and ceases to watch others, in one request. Answers what is seen of the former now; each
    /// change comes as a signal. Of who shares no chat with the person nothing is seen.
    ///
    /// # Errors
    /// `Call` with code `Conflict` when somebody is watched already, or is not; its data names them, and nothing has
    /// changed. And as [`Client::call`](crate::Client::call).
    pub async fn watch(&self, watch: &[UserId], unwatch: &[UserId]) -> Result<Vec<Presence>, Error> {
        let call = WatchPresence { watch: watch.to_vec(), unwatch: unwatch.to_vec() };
        let wish = Wish::Watch(call.clone());
        Ok(self.ask(&call, wish, self.patience).await?.people)
    }

    /// What is seen of these people now, in this order.
    ///
    /// # Errors
    /// As [`Client::call`](crate::Client::call).
    pub async fn presence_of(&self, users: &[UserId]) -> Result<Vec<Presence>, Error> {
        let call = GetPresence { user_ids: Some(users.to_vec()), chat_id: None };
        Ok(self.ask(&call, Wish::Nothing, self.patience).await?.people)
    }

    /// Who of a chat is here, by number.
    ///
    /// # Errors
    /// `Forbidden` when the person is not in the chat. And as [`Client::call`](crate::Client::call).
    pub async fn who_is_in(&self, chat_id: ChatId) -> Result<PresenceReply, Error> {
        let call = GetPresence { user_ids: None, chat_id: Some(chat_id) };
        self.ask(&call, Wish::Nothing, self.patience).await
    }

    /// Chooses what this stream shows of its person, now and on each new connection.
    ///
    /// # Errors
    /// As [`Client::call`](crate::Client::call).
    pub async fn appear(&self, state: Appearance) -> Result<(), Error> {
        self.ask(&SetPresence { state }, Wish::Show(state), self.patience).await.map(drop)
    }

    /// Tells the others in a chat that the person is typing, or has ceased to. To be said every few seconds while it
    /// lasts; the server passes on no more than others need. Not said at all when the stream is not live.
    ///
    /// # Errors
    /// `Forbidden` when the person is not in the chat. And as [`Client::call`](crate::Client::call).
    pub async fn typing(&self, chat_id: ChatId, typing: bool) -> Result<(), Error> {
        let patience = self.patience.min(Duration::from_millis(TYPING_INTERVAL_MS));
        self.ask(&SetTyping { chat_id, typing }, Wish::Nothing, patience).await.map(drop)
    }

    async fn ask<C: Call>(&self, call: &C, wish: Wish, patience: Duration) -> Result<C::Reply, Error> {
        let params = to_raw_value(call).map_err(|error| {
            let source = Arc::new(error);
            ProtocolError::WrongParams { method: C::METHOD, source }
        })?;
        let (reply, answer) = oneshot::channel();
        let ask = Ask { method: C::METHOD, params, wish, reply };
        let asking = async {
            self.asks.send(ask).await.map_err(|_| Error::Closed)?;
            answer.await.map_err(|_| Error::Disconnected(Lost::Closed))?
        };
        let result = timeout(patience, asking).await.unwrap_or(Err(Error::Timeout { after: patience }))?;
        link::read_reply::<C>(&result)
    }
}

/// A request for the stream to make.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) method: &'static str,
    pub(crate) params: Box<RawValue>,
    wish: Wish,
    reply: Waiter,
}

/// What the stream remembers of a request that was answered.
#[derive(Debug)]
enum Wish {
    Nothing,
    Show(Appearance),
    Watch(WatchPresence),
}

/// The stream's end.
#[derive(Debug)]
pub(crate) struct Desk {
    asks: mpsc::Receiver<Ask>,
    said: broadcast::Sender<Signal>,
    /// What the stream shows of its person.
    shows: Appearance,
    /// Whom it watches, and what was last seen of them.
    watched: BTreeMap<UserId, PresenceState>,
}

impl Desk {
    /// The next request whose maker still waits. Dropping the future loses none.
    pub(crate) async fn next(&mut self) -> Option<Ask> {
        loop {
            let ask = self.asks.recv().await?;
            if !ask.reply.is_closed() {
                return Some(ask);
            }
        }
    }

    /// A request was answered.
    pub(crate) fn answered(&mut self, ask: Ask, outcome: Result<Box<RawValue>, Error>) {
        if let Ok(result) = &outcome {
            match ask.wish {
                Wish::Nothing => {}
                Wish::Show(shows) => self.shows = shows,
                Wish::Watch(call) => {
                    for user in &call.unwatch {
                        self.watched.remove(user);
                    }
                    let reply = link::read_reply::<WatchPresence>(result).unwrap_or_default();
                    self.watched.extend(reply.people.iter().map(|person| (person.user_id, person.state)));
                }
            }
        }
        // Whoever asked may have given up.
        let _ = ask.reply.send(outcome);
    }

    /// Tells the program. Nobody may be listening.
    pub(crate) fn tell(&mut self, signal: Signal) {
        if let Signal::Presence(person) = &signal
            && let Some(state) = self.watched.get_mut(&person.user_id)
        {
            *state = person.state;
        }
        let _ = self.said.send(signal);
    }

    /// Before the stream is opened on a new connection: what it shows from its first moment.
    pub(crate) async fn say_what_shows(&self, link: &mut Link, patience: Duration) -> Result<(), Error> {
        if self.shows == Appearance::default() {
            return Ok(());
        }
        settled(link::ask_within(link, &SetPresence { state: self.shows }, patience).await).map(drop)
    }

    /// After that: whom it watches. What is seen of them now and was not before is told.
    pub(crate) async fn watch_again(&mut self, link: &mut Link, patience: Duration) -> Result<(), Error> {
        if self.watched.is_empty() {
            return Ok(());
        }
        let watch = self.watched.keys().copied().collect();
        let call = WatchPresence { watch, unwatch: Vec::new() };
        let reply = settled(link::ask_within(link, &call, patience).await)?;
        for person in reply.into_iter().flat_map(|reply| reply.people) {
            if self.watched.get(&person.user_id) != Some(&person.state) {
                self.tell(Signal::Presence(person));
            }
        }
        Ok(())
    }
}

/// A server that will have none of it ends no stream by that.
fn settled<R>(outcome: Result<R, Error>) -> Result<Option<R>, Error> {
    match outcome {
        Err(Error::Call(refusal)) => {
            debug!(%refusal, "the broadcast-server does not tell who is here");
            Ok(None)
        }
        other => other.map(Some),
    }
}
