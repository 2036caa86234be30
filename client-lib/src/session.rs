//! What all clones and streams of one client share: the way to the data-server, who it speaks for, and its sends.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot};
use ttp::call::{Call, ChangePassword, DeactivateUser, Login, Logout, Register, SessionReply, Welcome};
use ttp::model::{User, UserId};
use ttp::net::tls::{Expected, Fingerprint};

use crate::connection::{self, Claim, Request};
use crate::echo::Echo;
use crate::error::{Error, ProtocolError};
use crate::identity::{Identity, Proof};
use crate::link::{self, Link, Opened};
use crate::options::Options;
use crate::security::ServerTrust;

/// Calls that wait for a place on the connection. Further callers wait for a place in this queue.
const QUEUE_CALLS: usize = 64;

/// Calls that a wrong password makes fail in the same way as the lack of a session.
const PASSWORD_METHODS: [&str; 4] =
    [Register::METHOD, Login::METHOD, ChangePassword::METHOD, DeactivateUser::METHOD];

/// Shared by a client's clones and the tasks of its streams. The connection ends with the last of them.
#[derive(Debug)]
pub(crate) struct Session {
    /// Also known to the connection's task.
    pub(crate) profile: Arc<Profile>,
    /// Sends that streams must not bring back.
    pub(crate) echo: Echo,
    requests: mpsc::Sender<Request>,
    /// Held while the server is asked about it, so that two callers cannot become two people.
    proving: tokio::sync::Mutex<()>,
}

/// What a connection is opened with, and what was learnt by it.
#[derive(Debug)]
pub(crate) struct Profile {
    /// As the program gave them.
    pub(crate) options: Options,
    /// Whom the client speaks for. Said again on every new connection.
    pub(crate) identity: Identity,
    welcome: Mutex<Option<Welcome>>,
    trust: Mutex<Option<ServerTrust>>,
}

impl Session {
    /// Starts the connection's task; connects with the first call.
    pub(crate) fn start(options: Options) -> Self {
        let profile = Arc::new(Profile::new(options));
        let (requests, queue) = mpsc::channel(QUEUE_CALLS);
        tokio::spawn(connection::run(Arc::clone(&profile), queue));
        Self { profile, echo: Echo::default(), requests, proving: tokio::sync::Mutex::default() }
    }

    /// Makes one attempt at a call. The one answer of which more is made is that nobody is logged in: then it is found
    /// out whether the session has ended.
    ///
    /// # Errors
    /// `LoggedOut` when the session that the call was made in has ended, and what an attempt may end in.
    pub(crate) async fn call<C: Call>(&self, call: &C, timeout: Duration) -> Result<C::Reply, Error> {
        let identity = &self.profile.identity;
        let life = identity.life();
        let answer = self.attempt(call, timeout).await;
        if !answer.as_ref().is_err_and(Error::is_unauthenticated) {
            return answer;
        }
        // What is refused to somebody with a wrong password says nothing about the session.
        let is_about_password = PASSWORD_METHODS.contains(&C::METHOD);
        match life {
            Some(life) => {
                self.confirm(life).await?;
                // The session lives, so it was the connection that had not been told.
                if is_about_password { answer } else { self.attempt(call, timeout).await }
            }
            None if !is_about_password && identity.life().is_none() => {
                answer.map_err(|refusal| if identity.person().is_some() { Error::LoggedOut } else { refusal })
            }
            None => answer,
        }
    }

    /// A call after which there is no session.
    pub(crate) async fn last_call<C: Call>(&self, call: &C) -> Result<C::Reply, Error> {
        let life = self.profile.identity.life();
        let reply = self.call(call, self.profile.options.call_timeout).await?;
        if let Some(life) = life {
            self.profile.identity.end(life);
        }
        Ok(reply)
    }

    async fn attempt<C: Call>(&self, call: &C, timeout: Duration) -> Result<C::Reply, Error> {
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

    /// Says who the client speaks for: once and for ever, since what streams follow depends on it.
    pub(crate) async fn prove(&self, proof: Proof) -> Result<User, Error> {
        let _turn = self.proving.lock().await;
        let call = proof.call();
        if let Some(person) = self.profile.identity.person() {
            self.check_person(&proof, person).await?;
        }
        self.leave_ended_life().await;
        let user = self.attempt(&call, self.profile.options.call_timeout).await;
        let user = user.map_err(|error| ended_if_unauthenticated(error, &proof))?.user;
        self.profile.identity.prove(user.clone(), proof)?;
        Ok(user)
    }

    /// Whose a token is can be found out only by showing it, and the connection that it is shown on speaks for its person
    /// from then on: so it is one that nothing else is said on.
    async fn check_person(&self, proof: &Proof, person: UserId) -> Result<(), Error> {
        let options = &self.profile.options;
        let shown = match proof {
            Proof::Number(user_id) => *user_id,
            Proof::Token(_) => {
                let Opened { mut link, .. } =
                    link::open(&options.data_address, options, self.profile.expected()).await?;
                let reply = link::ask_within(&mut link, &proof.call(), options.call_timeout).await;
                reply.map_err(|error| ended_if_unauthenticated(error, proof))?.user.user_id
            }
        };
        if shown == person { Ok(()) } else { Err(Error::OtherPerson) }
    }

    /// Begins a session by registering or logging in.
    pub(crate) async fn begin<C: Call<Reply = SessionReply>>(&self, call: &C) -> Result<SessionReply, Error> {
        let _turn = self.proving.lock().await;
        let identity = &self.profile.identity;
        if identity.me().is_some() {
            return Err(Error::LoggedIn);
        }
        self.leave_ended_life().await;
        let timeout = self.profile.options.call_timeout;
        let reply = self.attempt(call, timeout).await?;
        let proved = identity.prove(reply.user.clone(), Proof::Token(reply.token.clone()));
        if proved.is_err() {
            // The connection shall not speak for somebody else, and nobody will use this session.
            let _ = self.attempt(&Logout {}, timeout).await;
        }
        proved.map(|()| reply)
    }

    /// Sees to it that the connection speaks for nobody when the client does not: that a session has ended may have been
    /// told elsewhere, by a stream. Whether there was anything to leave, and whether there is a server, does not matter.
    async fn leave_ended_life(&self) {
        let identity = &self.profile.identity;
        if identity.person().is_some() && identity.life().is_none() {
            let _ = self.attempt(&Logout {}, self.profile.options.call_timeout).await;
        }
    }

    /// Ends the session.
    pub(crate) async fn logout(&self) -> Result<(), Error> {
        let _turn = self.proving.lock().await;
        let identity = &self.profile.identity;
        let life = identity.life().ok_or_else(|| identity.absent())?;
        match self.attempt(&Logout {}, self.profile.options.call_timeout).await {
            Err(error) if !error.is_unauthenticated() && !matches!(error, Error::LoggedOut) => Err(error),
            _ => {
                identity.end(life);
                Ok(())
            }
        }
    }

    /// Asks whether the session of a life goes on. Many calls may want to know at once, and one asks.
    async fn confirm(&self, life: u64) -> Result<(), Error> {
        let _turn = self.proving.lock().await;
        let identity = &self.profile.identity;
        let Some((_, call)) = identity.proof().filter(|(current, _)| *current == life) else {
            return Err(Error::LoggedOut);
        };
        match self.attempt(&call, self.profile.options.call_timeout).await {
            Err(error) if error.is_unauthenticated() => {
                identity.end(life);
                Err(Error::LoggedOut)
            }
            answer => answer.map(drop),
        }
    }
}

/// A token that is refused has been one.
fn ended_if_unauthenticated(error: Error, proof: &Proof) -> Error {
    if error.is_unauthenticated() && matches!(proof, Proof::Token(_)) { Error::LoggedOut } else { error }
}

impl Profile {
    fn new(options: Options) -> Self {
        let (welcome, trust) = (Mutex::default(), Mutex::default());
        Self { options, identity: Identity::default(), welcome, trust }
    }

    /// Keeps the data-server's greeting, of the newest connection, and who it is.
    pub(crate) fn welcomed(&self, welcome: Welcome, trust: ServerTrust) {
        *lock(&self.welcome) = Some(welcome);
        let mut known = lock(&self.trust);
        *known = Some(trust.after(*known));
    }

    /// The key that the data-server must have, where an invitation has named it.
    pub(crate) fn expected(&self) -> Expected {
        self.options.data_key.map_or(Expected::Nothing, Expected::Key)
    }

    /// What is known of the data-server.
    pub(crate) fn trust(&self) -> Option<ServerTrust> {
        *lock(&self.trust)
    }

    /// Connects to the broadcast-server. It may have the data-server's key, or the one that the data-server tells.
    pub(crate) async fn open_broadcast(&self) -> Result<Link, Error> {
        let told = lock(&self.welcome).as_ref().and_then(|welcome| welcome.broadcast_fingerprint.clone());
        let told: Option<Fingerprint> = told.and_then(|told| told.parse().ok());
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
        let told = || told().map(|told| beside(&self.options.data_address, told));
        self.options.broadcast_address.clone().or_else(told).ok_or(Error::NoBroadcastAddress)
    }
}

/// A server that listens on every address of its machine tells none of them: then the broadcast-server is where the
/// data-server was found.
fn beside(data_address: &str, told: String) -> String {
    match (told.parse::<SocketAddr>(), data_address.rsplit_once(':')) {
        (Ok(address), Some((host, _))) if address.ip().is_unspecified() => {
            format!("{host}:{}", address.port())
        }
        _ => told,
    }
}

/// Whole values are replaced under these locks, so a panic elsewhere does not spoil them.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::beside;

    #[test]
    fn a_server_on_every_address_is_where_the_other_is() {
        assert_eq!(beside("chat.example.org:8889", "0.0.0.0:8888".into()), "chat.example.org:8888");
        assert_eq!(beside("[2001:db8::1]:8889", "[::]:8888".into()), "[2001:db8::1]:8888");
        assert_eq!(beside("10.0.0.1:8889", "10.0.0.2:8888".into()), "10.0.0.2:8888");
        assert_eq!(beside("10.0.0.1:8889", "events.example.org:8888".into()), "events.example.org:8888");
    }
}
