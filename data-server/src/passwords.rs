//! Passwords become hashes here, on a few threads of their own and at a lower priority than everything else: a hash is
//! made to be expensive, and who floods the server with logins shall not slow those who chat.
//!
//! At most so many passwords wait as the queue has places. Past that the answer is [`Failed::Busy`], at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use argon2::{Algorithm, Argon2, Params, PasswordHash as Phc, PasswordHasher, PasswordVerifier, Version};
use crossbeam::channel::{self, Receiver, Sender, TrySendError};
use tokio::sync::oneshot;
use tracing::error;
use ttp::net::random;
use ttp::secret::Secret;

use crate::config::PasswordCost;
use crate::error::Error;
use crate::figures::Figures;
use crate::store::PasswordHash;

/// Bytes of salt, as the format of the hashes recommends.
const SALT_BYTES: usize = 16;

/// How much less the threads are worth than others, in the scheduler's words. A place of the queue is still worked off
/// when the machine is full: about a tenth of a core's time is theirs.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// Hashes passwords and checks them.
pub(crate) struct Passwords {
    hasher: Arc<Hasher>,
    /// Nothing where there are no threads: then the caller's does the work.
    queue: Option<Sender<Job>>,
    hashed: AtomicU64,
    refused: AtomicU64,
}

/// Why there is no hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failed {
    /// Too many passwords wait already.
    Busy,
    /// Our fault, and logged.
    Broken,
}

/// What a password is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Not the one, or there is nothing to compare it with.
    Wrong,
    /// The one.
    Right {
        /// Its hash by today's cost, when the stored one was cheaper.
        better: Option<PasswordHash>,
    },
}

type Job = Box<dyn FnOnce(&Hasher) + Send>;

impl Passwords {
    /// Starts the threads.
    ///
    /// # Errors
    /// The cost is none that Argon2 knows, or the operating system gives no threads.
    pub(crate) fn start(cost: PasswordCost, threads: usize, queue_max: usize) -> Result<Self, Error> {
        let hasher = Arc::new(Hasher::new(cost)?);
        let (queue, jobs) = channel::bounded(queue_max);
        for _ in 0..threads.max(1) {
            let (hasher, jobs) = (Arc::clone(&hasher), jobs.clone());
            std::thread::Builder::new().name("passwords".into()).spawn(move || work(&hasher, &jobs))?;
        }
        Ok(Self { hasher, queue: Some(queue), hashed: AtomicU64::new(0), refused: AtomicU64::new(0) })
    }

    /// Hashes where it is asked to, for a simulation.
    ///
    /// # Errors
    /// As [`Passwords::start`].
    #[cfg(feature = "simulation")]
    pub(crate) fn without_threads(cost: PasswordCost) -> Result<Self, Error> {
        let hasher = Arc::new(Hasher::new(cost)?);
        Ok(Self { hasher, queue: None, hashed: AtomicU64::new(0), refused: AtomicU64::new(0) })
    }

    /// Makes the hash of a new password.
    pub(crate) async fn hash(&self, password: Secret) -> Result<PasswordHash, Failed> {
        self.run(move |hasher| hasher.hash(&password)).await?
    }

    /// Compares a password with what is stored. Takes as long when nothing is: the time tells nobody which names exist.
    pub(crate) async fn check(
        &self,
        password: Secret,
        stored: Option<PasswordHash>,
    ) -> Result<Verdict, Failed> {
        self.run(move |hasher| hasher.check(&password, stored.as_ref())).await?
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Hasher) -> T + Send + 'static,
    ) -> Result<T, Failed> {
        let Some(queue) = &self.queue else {
            return Ok(work(&self.hasher));
        };
        let (done, answer) = oneshot::channel();
        let job: Job = Box::new(move |hasher| drop(done.send(work(hasher))));
        queue.try_send(job).map_err(|refused| match refused {
            TrySendError::Full(_) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                Failed::Busy
            }
            TrySendError::Disconnected(_) => Failed::Broken,
        })?;
        let done = answer.await.map_err(|_| Failed::Broken)?;
        self.hashed.fetch_add(1, Ordering::Relaxed);
        Ok(done)
    }

    /// What is counted here.
    pub(crate) fn add_to(&self, figures: &mut Figures) {
        figures.passwords_waiting = self.queue.as_ref().map_or(0, Sender::len);
        figures.passwords_refused = self.refused.load(Ordering::Relaxed);
        figures.passwords_hashed = self.hashed.load(Ordering::Relaxed);
    }
}

/// Makes the hash of a new password where it is asked to, for who has nobody else to serve meanwhile.
///
/// # Errors
/// As [`Passwords::start`]; and there is no randomness.
pub(crate) fn hash_once(cost: PasswordCost, password: &Secret) -> Result<PasswordHash, Error> {
    Hasher::new(cost)?.hash(password).map_err(|_| io::Error::other("a password could not be hashed").into())
}

/// The life of one thread: until nobody can ask any more.
fn work(hasher: &Hasher, jobs: &Receiver<Job>) {
    #[cfg(target_os = "linux")]
    // A thread that may not step back works all the same.
    let _ = rustix::process::nice(NICENESS);
    for job in jobs {
        job(hasher);
    }
}

/// Argon2id at a certain cost.
struct Hasher(Argon2<'static>);

impl Hasher {
    fn new(cost: PasswordCost) -> Result<Self, Error> {
        let PasswordCost { memory_kib, passes, lanes } = cost;
        let params = Params::new(memory_kib, passes, lanes, None)
            .map_err(|reason| io::Error::new(io::ErrorKind::InvalidInput, format!("{cost:?}: {reason}")))?;
        Ok(Self(Argon2::new(Algorithm::Argon2id, Version::V0x13, params)))
    }

    fn hash(&self, password: &Secret) -> Result<PasswordHash, Failed> {
        let mut salt = [0; SALT_BYTES];
        random::fill(&mut salt).map_err(broken)?;
        let password = password.expose().as_bytes();
        let hash: Phc = self.0.hash_password_with_salt(password, &salt).map_err(broken)?;
        Ok(PasswordHash(hash.to_string()))
    }

    fn check(&self, password: &Secret, stored: Option<&PasswordHash>) -> Result<Verdict, Failed> {
        let Some(stored) = stored else {
            self.hash(password)?;
            return Ok(Verdict::Wrong);
        };
        let stored = Phc::new(&stored.0).map_err(broken)?;
        if self.0.verify_password(password.expose().as_bytes(), &stored).is_err() {
            return Ok(Verdict::Wrong);
        }
        let then = Params::try_from(&stored).map_err(broken)?;
        let now = self.0.params();
        let was_cheaper = then.m_cost() < now.m_cost() || then.t_cost() < now.t_cost();
        let better = if was_cheaper { Some(self.hash(password)?) } else { None };
        Ok(Verdict::Right { better })
    }
}

fn broken(reason: impl std::fmt::Display) -> Failed {
    error!(%reason, "a password could not be hashed");
    Failed::Broken
}

#[cfg(test)]
mod tests {
    use super::*;

    const TINY: PasswordCost = PasswordCost { memory_kib: 8, passes: 1, lanes: 1 };

    fn secret() -> Secret {
        Secret::new("correct horse")
    }

    /// R16: a slow salted hash, different for equal passwords.
    #[test]
    fn r16_equal_passwords_have_different_hashes() {
        let hasher = Hasher::new(TINY).unwrap();
        let (one, other) = (hasher.hash(&secret()).unwrap(), hasher.hash(&secret()).unwrap());
        assert!(one.0.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{}", one.0);
        assert_ne!(one, other);
        for hash in [one, other] {
            assert_eq!(hasher.check(&secret(), Some(&hash)), Ok(Verdict::Right { better: None }));
            assert_eq!(hasher.check(&Secret::new("correct house"), Some(&hash)), Ok(Verdict::Wrong));
        }
        assert_eq!(hasher.check(&secret(), None), Ok(Verdict::Wrong));
    }

    #[test]
    fn a_cheaper_hash_is_made_anew_and_a_dearer_one_stays() {
        let hasher = Hasher::new(TINY).unwrap();
        let dearer = Hasher::new(PasswordCost { passes: 2, ..TINY }).unwrap();
        let cheap = hasher.hash(&secret()).unwrap();
        let Ok(Verdict::Right { better: Some(better) }) = dearer.check(&secret(), Some(&cheap)) else {
            panic!("a better hash is made");
        };
        assert!(better.0.contains("t=2"));
        assert_eq!(hasher.check(&secret(), Some(&better)), Ok(Verdict::Right { better: None }));
    }

    #[test]
    fn the_default_cost_is_the_one_that_is_recommended() {
        assert_eq!(PasswordCost::default(), PasswordCost { memory_kib: 19_456, passes: 2, lanes: 1 });
        assert!(Hasher::new(PasswordCost::default()).is_ok());
        assert!(Hasher::new(PasswordCost { memory_kib: 1, ..TINY }).is_err(), "less than Argon2 can do");
    }

    /// What finds no place is refused at once, and what has one is answered.
    #[tokio::test]
    async fn a_full_queue_refuses_at_once() {
        let passwords = Passwords::start(TINY, 1, 1).unwrap();
        let (busy, begun) = channel::bounded(0);
        let (release, released) = channel::bounded::<()>(0);
        let blocking = passwords.run(move |_| {
            busy.send(()).unwrap();
            released.recv().unwrap_err();
        });
        let waiting = passwords.hash(secret());
        tokio::pin!(blocking, waiting);
        assert!(futures_pending(&mut blocking).await);
        begun.recv().unwrap();
        assert!(futures_pending(&mut waiting).await);
        assert_eq!(passwords.hash(secret()).await, Err(Failed::Busy));
        drop(release);
        assert_eq!(blocking.await, Ok(()));
        assert!(waiting.await.is_ok());
    }

    /// Polls once.
    async fn futures_pending(future: &mut (impl Future + Unpin)) -> bool {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(context).is_pending())
        })
        .await
    }
}
