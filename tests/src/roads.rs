//! Servers that are reached over bad roads: a proxy on every connection of every person, and on the link between the
//! two servers. A [`Scene`] has somebody who speaks and somebody who listens, and is judged in the end.

use std::time::Duration;

use client_lib::{Client, Options};
use tokio::task::JoinHandle;
use ttp::model::{ChatId, Message, User};

use crate::chaos::database;
use crate::chaos::people::{self, Heads, Stage};
use crate::history::{History, Operation, Outcome, Reader, Verdict, check};
use crate::proxy::Proxy;
use crate::{DEADLINE, Form, Installation, Setup, until, within};

/// How long one call of these clients may take.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Separate servers, and the road between them.
pub struct Roads {
    pub link: Proxy,
    pub installation: Installation,
}

/// A client, and its roads to both servers.
pub struct Traveller {
    pub client: Client,
    pub user: User,
    pub data: Proxy,
    pub stream: Proxy,
}

impl Roads {
    /// Nothing is repeated to the readers: what they miss they have to find out without it.
    pub async fn start() -> Self {
        let mut setup = Setup::default();
        setup.data.digest_interval = 10 * DEADLINE;
        Self::start_with(setup).await
    }

    pub async fn start_with(setup: Setup) -> Self {
        let link = Proxy::bind().await;
        let setup = Setup { link_address: Some(link.address()), ..setup };
        let installation = Installation::start_with(Form::Apart, setup).await;
        link.lead_to(installation.broadcast_address);
        Self { link, installation }
    }

    /// A new person.
    pub async fn person(&self, name: &str) -> Traveller {
        let user = self.installation.client().await.insert_user(name).await.unwrap();
        self.device_of(&user).await
    }

    /// One more client of a person, who does not wait long for anything but the outcome of a send.
    pub async fn device_of(&self, user: &User) -> Traveller {
        self.device_with(user, |options| options).await
    }

    /// The same with other options.
    pub async fn device_with(&self, user: &User, change: impl FnOnce(Options) -> Options) -> Traveller {
        let data = Proxy::to(self.installation.data_address).await;
        let stream = Proxy::to(self.installation.broadcast_address).await;
        let options = Options {
            broadcast_address: Some(stream.address().to_string()),
            call_timeout: CALL_TIMEOUT,
            send_timeout: DEADLINE,
            backoff_first: Duration::from_millis(2),
            backoff_max: Duration::from_millis(20),
            security: self.installation.security.clone(),
            ..Options::new(data.address().to_string())
        };
        let client = Client::connect(change(options)).await.unwrap();
        let user = client.trust_me(user.user_id).await.unwrap();
        Traveller { client, user, data, stream }
    }
}

/// Two people in one chat. Both listen, and one of them speaks.
pub struct Scene {
    pub roads: Roads,
    pub speaker: Traveller,
    pub listener: Traveller,
    pub chat_id: ChatId,
    stage: Stage,
    operations: Vec<Operation>,
    readers: Vec<JoinHandle<Reader>>,
}

impl Scene {
    pub async fn open(roads: Roads) -> Self {
        let speaker = roads.person("speaker").await;
        let listener = roads.person("listener").await;
        let chat_id = speaker.client.insert_chat("", &[listener.user.user_id]).await.unwrap().chat_id;
        let stage = Stage::new();
        let readers = [("speaker", &speaker, Some(0)), ("listener", &listener, None)];
        let readers = readers.map(|(name, traveller, own)| {
            let chats = [(chat_id, 0)].into();
            let reader = Reader { name: name.into(), client: own, chats, ..Reader::default() };
            let position = stage.add_reader();
            tokio::spawn(people::listen(stage.clone(), traveller.client.clone(), reader, position))
        });
        let readers = readers.into();
        let mut scene = Self { roads, speaker, listener, chat_id, stage, operations: Vec::new(), readers };
        // Streams are open from here on.
        scene.say("the first word").await;
        scene.all_hear().await;
        scene
    }

    /// Sends, and gets the answer or fails the test.
    pub async fn say(&mut self, text: &str) -> Message {
        let invoked = self.stage.moment();
        let message = within("a send", self.speaker.client.insert_message(self.chat_id, text)).await.unwrap();
        self.note(&message, invoked);
        message
    }

    /// Somebody has this answer to a send that began at this moment.
    fn note(&mut self, message: &Message, invoked: u64) {
        let completed = self.stage.moment();
        self.stage.note(self.chat_id, message.seq);
        self.operations.push(Operation {
            client: 0,
            sender: self.speaker.user.user_id,
            chat_id: self.chat_id,
            text: message.message_text.clone(),
            invoked,
            completed,
            outcome: Outcome::Stored(message.seq),
        });
    }

    /// Waits until every reader has all that was acknowledged.
    pub async fn all_hear(&self) {
        let goal: Heads = self.stage.acknowledged();
        until("every reader hears", async || self.stage.have_all(&goal)).await;
    }

    pub fn have_all_heard(&self) -> bool {
        self.stage.have_all(&self.stage.acknowledged())
    }

    /// Ends the scene, and compares what was said, stored and heard.
    pub async fn judge(mut self) -> Verdict {
        self.all_hear().await;
        self.stage.stop_readers();
        let mut history = History { operations: self.operations, ..History::default() };
        for reader in std::mem::take(&mut self.readers) {
            history.readers.push(within("a reader's end", reader).await.unwrap());
        }
        history.rows = database::rows(&self.roads.installation.database());
        check(&history)
    }
}
