//! Stream tickets: the data-server's word, for a minute, that a session may open a stream.
//!
//! A ticket is `1.USER.SESSION.EXPIRES.PROOF`: decimal numbers (session 0 where a number was trusted), and HMAC-SHA256
//! (RFC 2104) over all that stands before the proof, by a key that only the servers know. A broadcast-server needs no
//! database to check it.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::hex;
use crate::limits::TICKET_LIFETIME_MS;
use crate::model::{SessionId, TimestampMs, UserId};
use crate::secret::Secret;

/// How far the clocks of two servers may differ.
const CLOCK_SKEW_MAX_MS: i64 = 5_000;

/// Signs tickets, and checks them.
#[derive(Clone, PartialEq, Eq)]
pub struct TicketKey([u8; 32]);

/// What a ticket says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// Who may open a stream.
    pub user_id: UserId,
    /// In which session; none where a number was trusted.
    pub session_id: Option<SessionId>,
    /// Until when.
    pub expires_ts: TimestampMs,
}

/// Why a ticket is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// It is none, or was not made by our data-server.
    #[error("this is no stream ticket of this server")]
    Forged,
    /// Its minute is over.
    #[error("the stream ticket has expired; ask the data-server for another one")]
    Expired,
}

impl TicketKey {
    /// A key of these bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Writes a ticket that holds from `now` on.
    pub fn sign(&self, user_id: UserId, session_id: Option<SessionId>, now: TimestampMs) -> (Secret, Ticket) {
        let ticket = Ticket { user_id, session_id, expires_ts: now + TICKET_LIFETIME_MS };
        let claim = claim(&ticket);
        let proof = hex::encode(&self.mac(&claim).finalize().into_bytes());
        (Secret::new(format!("{claim}.{proof}")), ticket)
    }

    /// Reads a ticket.
    ///
    /// # Errors
    /// [`TicketError`].
    pub fn verify(&self, ticket: &Secret, now: TimestampMs) -> Result<Ticket, TicketError> {
        let (claim, proof) = ticket.expose().rsplit_once('.').ok_or(TicketError::Forged)?;
        let proof: [u8; 32] = hex::decode(proof).ok_or(TicketError::Forged)?;
        self.mac(claim).verify_slice(&proof).map_err(|_| TicketError::Forged)?;
        let ticket = read(claim).ok_or(TicketError::Forged)?;
        let latest = now + TICKET_LIFETIME_MS + CLOCK_SKEW_MAX_MS;
        if ticket.expires_ts + CLOCK_SKEW_MAX_MS < now || ticket.expires_ts > latest {
            return Err(TicketError::Expired);
        }
        Ok(ticket)
    }

    fn mac(&self, claim: &str) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(claim.as_bytes());
        mac
    }
}

impl fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketKey(…)")
    }
}

fn claim(ticket: &Ticket) -> String {
    let session = ticket.session_id.map_or(0, |session_id| session_id.0);
    format!("1.{}.{session}.{}", ticket.user_id, ticket.expires_ts)
}

fn read(claim: &str) -> Option<Ticket> {
    let mut parts = claim.strip_prefix("1.")?.split('.');
    let mut number = || parts.next()?.parse::<i64>().ok();
    let (user, session, expires_ts) = (number()?, number()?, number()?);
    let session_id = (session != 0).then_some(SessionId(session));
    parts.next().is_none().then_some(Ticket { user_id: UserId(user), session_id, expires_ts })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: TimestampMs = 1_763_690_000_000;

    #[test]
    fn a_ticket_says_who_for_a_minute() {
        let key = TicketKey::new([7; 32]);
        for session_id in [None, Some(SessionId(12))] {
            let (text, ticket) = key.sign(UserId(3), session_id, NOW);
            assert_eq!(key.verify(&text, NOW + 59_000), Ok(ticket));
            assert_eq!(ticket, Ticket { user_id: UserId(3), session_id, expires_ts: NOW + 60_000 });
            assert_eq!(key.verify(&text, NOW + 66_000), Err(TicketError::Expired));
            assert_eq!(key.verify(&text, NOW - 66_000), Err(TicketError::Expired), "a clock far back");
        }
    }

    #[test]
    fn any_other_text_is_forged() {
        let key = TicketKey::new([7; 32]);
        let (text, _) = key.sign(UserId(3), Some(SessionId(12)), NOW);
        let text = text.expose();
        let other = TicketKey::new([8; 32]);
        assert_eq!(other.verify(&Secret::new(text), NOW), Err(TicketError::Forged));
        for place in 0..text.len() {
            let mut bytes = text.as_bytes().to_vec();
            bytes[place] ^= 1;
            let changed = Secret::new(String::from_utf8(bytes).unwrap());
            assert_eq!(key.verify(&changed, NOW), Err(TicketError::Forged), "byte {place}");
            assert_eq!(
                key.verify(&Secret::new(&text[..place]), NOW),
                Err(TicketError::Forged),
                "{place} bytes"
            );
        }
    }
}
