//! The face of the library: one object for both servers.

use std::sync::Arc;
use std::time::Duration;

use ttp::call::{
    AddParticipant, Call, ChatsCursor, ChatsReply, CloseStream, GetChats, GetMessages, GetParticipants,
    GetStreamTicket, GetUser, InsertChat, InsertMessage, InsertUser, MarkRead, MessagesReply,
    ParticipantsReply, Ping, RemoveParticipant, SearchMessages, SearchReply,
};
use ttp::model::{Chat, ChatId, Message, Seq, User, UserId, check_text};
use ttp::net::clock;

use crate::error::Error;
use crate::key;
use crate::link;
use crate::options::Options;
use crate::outbox::Outbox;
use crate::poll::Poll;
use crate::queue::{Delivery, SendQueue};
use crate::resume::Position;
use crate::security::ServerTrust;
use crate::session::Session;
use crate::stream::EventStream;

/// A client of both servers. Clones are the same client; the connections end with the last clone and stream.
///
/// A client speaks for one person. Lost connections are opened again by the next call, and streams come back by
/// themselves; neither loses or doubles anything.
///
/// ```no_run
/// # async fn run(password: client_lib::Secret) -> Result<(), client_lib::Error> {
/// use client_lib::{Client, Options, UserId};
///
/// let client = Client::connect(Options::new("127.0.0.1:8889")).await?;
/// let me = client.login("Ada", password, "the laptop").await?.user;
/// let chat = client.insert_chat("Lunch", &[me.user_id, UserId(2)]).await?;
/// let message = client.insert_message(chat.chat_id, "Hungry?").await?;
/// println!("{} is entry {} of {}", message.message_text, message.seq, chat.chat_name);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) session: Arc<Session>,
    pub(crate) outbox: Arc<Outbox>,
    /// Not in the session: the tasks of streams hold the session, and this holds a stream.
    poll: Arc<Poll>,
}

impl Client {
    /// Connects to the data-server, so that a wrong address is told at once. Runs on the current Tokio runtime.
    ///
    /// # Errors
    /// `Connect`, `Tls`, `SpeaksTls`, `Refused`, and what a `Ping` may end in.
    pub async fn connect(options: Options) -> Result<Self, Error> {
        let client =
            Self { session: Arc::new(Session::start(options)), outbox: Arc::default(), poll: Arc::default() };
        client.ping().await?;
        Ok(client)
    }

    /// Whom the client speaks for.
    pub fn me(&self) -> Option<User> {
        self.session.profile.identity.me()
    }

    /// What was found out about the data-server by the newest connection to it: whether it is encrypted, and then
    /// which key the server has and why it is believed. A key that was new to this client stays
    /// [`Trusted::First`](crate::Trusted::First).
    pub fn server_trust(&self) -> Option<ServerTrust> {
        self.session.profile.trust()
    }

    /// Makes one attempt at a call of the data-server.
    ///
    /// # Errors
    /// `Call` when the server refused; `LoggedOut` when the session has ended; `Connect` and `Refused` when the call was not sent; `Timeout`,
    /// `Disconnected` and `Protocol` when it is not known what the server did.
    pub async fn call<C: Call>(&self, call: C) -> Result<C::Reply, Error> {
        self.session.call(&call, self.session.profile.options.call_timeout).await
    }

    /// Asks the data-server for an empty answer.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn ping(&self) -> Result<(), Error> {
        self.call(Ping {}).await.map(drop)
    }

    /// A person by number.
    ///
    /// # Errors
    /// As [`Client::call`]; `NotFound` when there is none.
    pub async fn get_user(&self, user: UserId) -> Result<User, Error> {
        let call = GetUser { user_id: Some(user), user_name: None };
        Ok(self.call(call).await?.user)
    }

    /// A person by name.
    ///
    /// # Errors
    /// As [`Client::call`]; `NotFound` when there is none.
    pub async fn find_user(&self, name: &str) -> Result<User, Error> {
        let call = GetUser { user_id: None, user_name: Some(name.to_owned()) };
        Ok(self.call(call).await?.user)
    }

    /// Creates a person.
    ///
    /// # Errors
    /// As [`Client::call`]; `Conflict` when the name is taken.
    pub async fn insert_user(&self, name: &str) -> Result<User, Error> {
        let call = InsertUser { user_name: name.to_owned() };
        Ok(self.call(call).await?.user)
    }

    /// The person's chats, most recent first: those after `before`, the last chat of the page before. Each comes
    /// with its `messages_max` newest messages, or with as many as the server likes.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn get_chats(
        &self,
        messages_max: Option<u32>,
        before: Option<ChatsCursor>,
    ) -> Result<ChatsReply, Error> {
        self.call(GetChats { messages_max, before, ..GetChats::default() }).await
    }

    /// Creates a chat of the person and others; with one other, finds or creates the private chat of the two,
    /// whatever name is given. Sent until the outcome is definite, as [`Client::insert_message`] is.
    ///
    /// # Errors
    /// As [`Client::insert_message`].
    pub async fn insert_chat(&self, name: &str, users: &[UserId]) -> Result<Chat, Error> {
        let key = key::mint(clock::now_ms())?;
        let call = InsertChat {
            chat_name: name.to_owned(),
            user_ids: users.to_vec(),
            client_chat_id: Some(key.clone()),
            ..InsertChat::default()
        };
        Ok(self.outbox.send(&self.session, &call, &key).await?.chat)
    }

    /// Messages of a chat, oldest first: the newest, or the newest of those before a `seq`.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn get_messages(
        &self,
        chat_id: ChatId,
        before_seq: Option<Seq>,
        limit: Option<u32>,
    ) -> Result<MessagesReply, Error> {
        self.call(GetMessages { chat_id, before_seq, limit, ..GetMessages::default() }).await
    }

    /// Looks for messages in all chats of the person, or in one: see [`SearchMessages`] for what can be asked.
    ///
    /// # Errors
    /// As [`Client::call`]; what cannot be read is refused with a sentence that says how to ask.
    pub async fn search_messages(&self, search: SearchMessages) -> Result<SearchReply, Error> {
        self.call(search).await
    }

    /// Says something. The message is sent again, with the same key, until the server has said what became of it
    /// or [`Options::send_timeout`] is over; it is never stored twice. Messages of one client take turns in the
    /// order in which the calls were first polled.
    ///
    /// Streams of this client do not bring back what this call has answered. Dropping the future leaves open whether
    /// the message is stored: if it is, streams bring it, in its place. While the future is neither dropped nor polled
    /// to its end, streams wait at its message, at most for [`Options::send_timeout`]; then they bring it too.
    ///
    /// # Errors
    /// `Indeterminate` when it is not known whether the message is stored; everything else means that it is not.
    pub async fn insert_message(&self, chat_id: ChatId, text: &str) -> Result<Message, Error> {
        let message_text = text.to_owned();
        self.send_message(InsertMessage { chat_id, message_text, ..InsertMessage::default() }).await
    }

    /// The same of a message that is more than a text: an answer, in a thread, or forwarded. Without a key it gets one of its own;
    /// with one it is said once, however often it is sent, also by later runs of a program.
    ///
    /// # Errors
    /// As [`Client::insert_message`].
    pub async fn send_message(&self, message: InsertMessage) -> Result<Message, Error> {
        let says_nothing = message.message_text.is_empty() && !message.attachments.is_empty();
        if message.forward.is_none() && !says_nothing {
            check_text(&message.message_text)?;
        }
        let key = match message.client_message_id.clone() {
            Some(key) => key,
            None => key::mint(clock::now_ms())?,
        };
        let call = InsertMessage { client_message_id: Some(key.clone()), ..message };
        let sending = self.session.echo.begin(&key);
        let result = tokio::select! {
            biased;
            // The event says as well as the reply that the message is stored, and may come where the reply cannot.
            message = sending.seen() => Ok(message),
            reply = self.outbox.send(&self.session, &call, &key) => reply.map(|reply| reply.message),
        };
        if result.is_ok() {
            sending.told();
        }
        result
    }

    /// Sends the first message of a queue, or the first that is added, until it is definite what became of it, however
    /// long there is no server, and tells that. Calling again says that the program has dealt with it: only then the
    /// message leaves the queue's file, and the next one is sent. So of each message something is told, in the queue's
    /// order, and what was told last is told again to a program that ended before the next call. Dropping the future
    /// loses nothing.
    ///
    /// Streams do not bring back what is told here. Call this before the first [`Client::events`], or a message that was
    /// stored before a crash may come there too; and what an earlier run was told comes there as an event when it is
    /// newer than the saved position. Messages that do not go through the queue take no notice of its order.
    ///
    /// # Errors
    /// `Unauthenticated`, `LoggedOut` and `OtherPerson` when the client does not speak for the queue's person; `Queue` when the
    /// messages are for another history; `File`. The messages still wait.
    pub async fn deliver_next(&self, queue: &SendQueue) -> Result<Delivery, Error> {
        queue.deliver_next(&self.session, &self.outbox).await
    }

    /// The people of a chat by number, those after one.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn get_participants(
        &self,
        chat_id: ChatId,
        after: Option<UserId>,
    ) -> Result<ParticipantsReply, Error> {
        self.call(GetParticipants { chat_id, after_user_id: after }).await
    }

    /// Adds a person to a group. Doing it again changes nothing.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn add_participant(&self, chat_id: ChatId, user: UserId) -> Result<(), Error> {
        self.call(AddParticipant { chat_id, user_id: user }).await.map(drop)
    }

    /// Removes a person from a group. Doing it again changes nothing.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn remove_participant(&self, chat_id: ChatId, user: UserId) -> Result<(), Error> {
        self.call(RemoveParticipant { chat_id, user_id: user }).await.map(drop)
    }

    /// Marks messages as read up to a message's `number`. Returns how many are still unread.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn mark_read(&self, chat_id: ChatId, number: u64) -> Result<u64, Error> {
        Ok(self.call(MarkRead { chat_id, number }).await?.unread)
    }

    /// Ends all streams of the client's session, in every program that goes on with it; of a person whose number is trusted,
    /// all there are. They do not come back by themselves.
    ///
    /// # Errors
    /// `Unauthenticated`, `LoggedOut`, `NoBroadcastAddress`, and what a call may end in.
    pub async fn close_streams(&self) -> Result<(), Error> {
        let profile = &self.session.profile;
        if self.me().is_none() {
            return Err(profile.identity.absent());
        }
        let ticket = self.call(GetStreamTicket {}).await?.ticket;
        let mut link = profile.open_broadcast().await?;
        let call = CloseStream { user_id: None, ticket: Some(ticket) };
        link::ask_within(&mut link, &call, profile.options.call_timeout).await.map(drop)
    }

    /// What happens in the person's chats from a position on. The stream's task ends when it is dropped.
    pub fn events(&self, from: Position) -> EventStream {
        EventStream::start(Arc::clone(&self.session), from)
    }

    /// Waits for the next message of others in any chat; `None` when there was none in time, and without a
    /// timeout waits for ever. The first call begins to listen; what comes between two calls waits for the next.
    ///
    /// # Errors
    /// `Reset` when the history was replaced; the reason when the stream has ended. The next call listens again.
    pub async fn receive_one(&self, timeout: Option<Duration>) -> Result<Option<Message>, Error> {
        self.poll.receive_one(&self.session, timeout).await
    }
}
