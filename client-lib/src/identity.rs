//! Whom a client speaks for and how it proves it, without I/O.
//!
//! ```text
//!  nobody ──► proven ──► ended (logged out, revoked, expired, deactivated) ──► proven again, by the same person ──► …
//!             └──────────────── one life ─┘                                    └── the next life
//! ```
//!
//! A client is one person for ever, since its streams and queues hold that person's positions. What was begun in one
//! life tells by its number that this life is over, however soon the next one begins.

use tokio::sync::watch;
use ttp::call::Authenticate;
use ttp::model::{User, UserId};
use ttp::secret::Secret;

use crate::error::Error;

/// The identity of one client.
#[derive(Debug, Default)]
pub(crate) struct Identity {
    standing: watch::Sender<Standing>,
}

/// How a client proves whom it speaks for.
#[derive(Debug, Clone)]
pub(crate) enum Proof {
    /// The token of a session.
    Token(Secret),
    /// The person's number, where user ids are trusted.
    Number(UserId),
}

/// Where things stand.
#[derive(Debug, Default)]
struct Standing {
    life: u64,
    /// Stays when the life is over.
    person: Option<User>,
    proof: Option<Proof>,
}

impl Proof {
    /// The call that says it.
    pub(crate) fn call(&self) -> Authenticate {
        match self {
            Self::Token(token) => Authenticate { token: Some(token.clone()), user_id: None },
            Self::Number(user_id) => Authenticate { token: None, user_id: Some(*user_id) },
        }
    }
}

impl Identity {
    /// The person, while the client speaks for one.
    pub(crate) fn me(&self) -> Option<User> {
        let standing = self.standing.borrow();
        standing.proof.as_ref().and(standing.person.clone())
    }

    /// The person, also when nothing proves it any more.
    pub(crate) fn person(&self) -> Option<UserId> {
        self.standing.borrow().person.as_ref().map(|person| person.user_id)
    }

    /// The number of this life, while it lasts.
    pub(crate) fn life(&self) -> Option<u64> {
        let standing = self.standing.borrow();
        standing.proof.as_ref().map(|_| standing.life)
    }

    /// The number of this life and what is to be said on a new connection.
    pub(crate) fn proof(&self) -> Option<(u64, Authenticate)> {
        let standing = self.standing.borrow();
        standing.proof.as_ref().map(|proof| (standing.life, proof.call()))
    }

    /// Why the client speaks for nobody.
    pub(crate) fn absent(&self) -> Error {
        if self.person().is_some() { Error::LoggedOut } else { Error::Unauthenticated }
    }

    /// Notes what a server has agreed to.
    ///
    /// # Errors
    /// `OtherPerson`, and nothing is noted.
    pub(crate) fn prove(&self, user: User, proof: Proof) -> Result<(), Error> {
        if self.person().is_some_and(|person| person != user.user_id) {
            return Err(Error::OtherPerson);
        }
        self.standing.send_modify(|standing| {
            standing.person = Some(user);
            standing.proof = Some(proof);
        });
        Ok(())
    }

    /// Notes another name of the person.
    pub(crate) fn rename(&self, user: User) {
        self.standing.send_modify(|standing| standing.person = Some(user));
    }

    /// Ends a life, if it has not ended yet.
    pub(crate) fn end(&self, life: u64) {
        self.standing.send_if_modified(|standing| {
            let lasts = standing.life == life && standing.proof.is_some();
            if lasts {
                standing.proof = None;
                standing.life += 1;
            }
            lasts
        });
    }

    /// Waits until a life is over.
    pub(crate) async fn ended(&self, life: u64) {
        let mut changes = self.standing.subscribe();
        // Fails only without the sender, which is here.
        let _ = changes.wait_for(|standing| standing.life != life).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(number: i64) -> User {
        User { user_id: UserId(number), user_name: format!("user {number}") }
    }

    fn token() -> Proof {
        Proof::Token(Secret::new("open sesame"))
    }

    #[test]
    fn a_client_is_one_person_over_all_its_lives() {
        let identity = Identity::default();
        assert!(matches!(identity.absent(), Error::Unauthenticated));
        identity.prove(user(1), token()).unwrap();
        assert_eq!((identity.me(), identity.life()), (Some(user(1)), Some(0)));
        assert!(!format!("{identity:?}").contains("sesame"));
        identity.end(0);
        assert_eq!((identity.me(), identity.person(), identity.life()), (None, Some(UserId(1)), None));
        assert!(matches!(identity.absent(), Error::LoggedOut));
        assert!(matches!(identity.prove(user(2), token()), Err(Error::OtherPerson)));
        identity.prove(user(1), token()).unwrap();
        identity.end(0);
        assert_eq!(identity.life(), Some(1), "what is late about the first life does not end the second");
    }

    /// A life that ends while nobody looks has ended, although the next one has begun.
    #[tokio::test]
    async fn an_end_is_seen_after_a_new_beginning() {
        let identity = Identity::default();
        identity.prove(user(1), token()).unwrap();
        let ended = identity.ended(0);
        identity.end(0);
        identity.prove(user(1), token()).unwrap();
        tokio::time::timeout(std::time::Duration::from_secs(5), ended).await.unwrap();
    }
}
