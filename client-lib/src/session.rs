//! What all clones and streams of one client share: the way to the data-server, who it speaks for, and its sends.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot};
use ttp::call::{Authenticate, Call, Welcome};
use ttp::model::{User, UserId};
use ttp::net::tls::{Expected, Fingerprint};

use crate::connection::{self, Claim, Request};
use crate::echo::Echo;
use crate::error::{Error, ProtocolError};
use crate::link::{self, Link};
use crate::options::Options;
use crate::security::ServerTrust;

/// Calls that wait for a place on the connection. Further callers wait for a place in this queue.
const QUEUE_CALLS: usize = 64;

/// Shared by a client's clones and the tasks of its streams. The connection ends with the last of them.
#[derive(Debug)]
pub(crate) struct Session {
    /// Also known to the connection's task.
    pub(crate) profile: Arc<Profile>,
    /// Sends that streams must not bring back.
    pub(crate) echo: Echo,
    requests: mpsc::Sender<Request>,
    /// Held while the server is asked, so that two callers cannot become two people.
    authenticating: tokio::sync::Mutex<()>,
}

/// What a connection is opened with, and what was learnt by it.
#[derive(Debug)]
pub(crate) struct Profile {
    /// As the program gave them.
    pub(crate) options: Options,
    /// Said again on every new connection.
    me: Mutex<Option<User>>,
    welcome: Mutex<Option<Welcome>>,
    trust: Mutex<Option<ServerTrust>>,
}

impl Session {
    /// Starts the connection's task; connects with the first call.
    pub(crate) fn start(options: Options) -> Self {
        let profile = Arc::new(Profile::new(options));
        let (requests, queue) = mpsc::channel(QUEUE_CALLS);
        tokio::spawn(connection::run(Arc::clone(&profile), queue));
        Self { profile, echo: Echo::default(), requests, authenticating: tokio::sync::Mutex::default() }
    }

    /// Makes one attempt at a call.
    pub(crate) async fn call<C: Call>(&self, call: &C, timeout: Duration) -> Result<C::Reply, Error> {
        let params = serde_json::value::to_raw_value(call).map_err(|error| {
            let source = Arc::new(error);
            ProtocolError::WrongParams { method: C::METHOD, source }
        })?;
        let claim = Claim::default();
        let asking = self.ask(C::METHOD, params, claim.clone());
        let result = match tokio::time::timeout(timeout, asking).await {
            Ok(answer) => answer?,
            Err(_) if claim.take() => return Err(Error::NotSent),
            Err(_) => return Err(Error::Timeout { after: timeout }),
        };
        link::read_reply::<C>(&result)
    }

    async fn ask(
        &self,
        method: &'static str,
        params: Box<RawValue>,
        claim: Claim,
    ) -> Result<Box<RawValue>, Error> {
        let (reply, answer) = oneshot::channel();
        let request = Request { method, params, claim, reply };
        self.requests.send(request).await.map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }

    /// Says who the client speaks for, once and for ever: what streams follow depends on it.
    pub(crate) async fn trust_me(&self, user_id: UserId) -> Result<User, Error> {
        let _turn = self.authenticating.lock().await;
        if self.profile.me().is_some_and(|me| me.user_id != user_id) {
            return Err(Error::OtherPerson);
        }
        let timeout = self.profile.options.call_timeout;
        let user = self.call(&Authenticate { user_id: Some(user_id), token: None }, timeout).await?.user;
        *lock(&self.profile.me) = Some(user.clone());
        Ok(user)
    }
}

impl Profile {
    fn new(options: Options) -> Self {
        Self { options, me: Mutex::default(), welcome: Mutex::default(), trust: Mutex::default() }
    }

    /// Whom the client speaks for, when the server has agreed.
    pub(crate) fn me(&self) -> Option<User> {
        lock(&self.me).clone()
    }

    /// Keeps the data-server's greeting, of the newest connection, and who it is.
    pub(crate) fn welcomed(&self, welcome: Welcome, trust: ServerTrust) {
        *lock(&self.welcome) = Some(welcome);
        let mut known = lock(&self.trust);
        *known = Some(trust.after(*known));
    }

    /// What is known of the data-server.
    pub(crate) fn trust(&self) -> Option<ServerTrust> {
        *lock(&self.trust)
    }

    /// Connects to the broadcast-server. It may have the data-server's key, or the one that the data-server tells.
    pub(crate) async fn open_broadcast(&self) -> Result<Link, Error> {
        // No greeting tells a key yet.
        let told: Option<Fingerprint> = None;
        let shown = self.trust().and_then(|trust| trust.fingerprint());
        let expected = Expected::VouchedFor(shown.into_iter().chain(told).collect());
        Ok(link::open(&self.broadcast_address()?, &self.options, expected).await?.link)
    }

    /// The life of the database behind the newest connection.
    pub(crate) fn epoch(&self) -> Option<String> {
        lock(&self.welcome).as_ref()?.epoch.clone()
    }

    /// `HOST:PORT` of the broadcast-server.
    pub(crate) fn broadcast_address(&self) -> Result<String, Error> {
        let told = || lock(&self.welcome).as_ref()?.broadcast_address.clone();
        self.options.broadcast_address.clone().or_else(told).ok_or(Error::NoBroadcastAddress)
    }
}

/// Whole values are replaced under these locks, so a panic elsewhere does not spoil them.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
