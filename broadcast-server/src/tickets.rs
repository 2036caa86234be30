//! On whose word a stream opens or ends: a ticket of the data-server, or a number, where numbers are trusted.
//!
//! A ticket may be shown more than once in its minute. It travels inside TLS, so whoever can show it again was given it;
//! a stream of it ends with its session, and opens only while the session lives; and a client whose opening was cut, or
//! met a directory that was away, tries again with what it has. To remember the used ones on one of several
//! broadcast-servers would cost memory and promise little.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use ttp::code::CallError;
use ttp::model::{SessionId, TimestampMs, UserId};
use ttp::secret::Secret;
use ttp::ticket::{Ticket, TicketError, TicketKey};

use crate::refusal;

/// The keys by which tickets are checked, each of them: so a key can be changed while tickets of the old one are about.
/// Clones share the keys.
#[derive(Debug, Clone, Default)]
pub struct TicketKeys(Arc<RwLock<Arc<[TicketKey]>>>);

impl TicketKeys {
    /// These keys. With none of them every ticket is forged.
    pub fn new(keys: impl Into<Arc<[TicketKey]>>) -> Self {
        Self(Arc::new(RwLock::new(keys.into())))
    }

    /// Checks by these keys from now on. Streams that are open stay so.
    pub fn replace(&self, keys: impl Into<Arc<[TicketKey]>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = keys.into();
    }

    fn verify(&self, ticket: &Secret, now: TimestampMs) -> Result<Ticket, TicketError> {
        let keys = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        let mut outcome = Err(TicketError::Forged);
        for key in keys.iter() {
            match key.verify(ticket, now) {
                Err(TicketError::Forged) => {}
                known => outcome = known,
            }
        }
        outcome
    }
}

/// Who opens or ends streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bearer {
    pub(crate) user: UserId,
    /// Nothing where a number was trusted.
    pub(crate) session: Option<SessionId>,
}

/// Tells who a peer is.
#[derive(Debug)]
pub(crate) struct Tickets {
    keys: TicketKeys,
    trust_user_ids: bool,
    clock: fn() -> TimestampMs,
    refused: Arc<AtomicU64>,
}

impl Tickets {
    pub(crate) fn new(keys: TicketKeys, trust_user_ids: bool, clock: fn() -> TimestampMs) -> Self {
        Self { keys, trust_user_ids, clock, refused: Arc::default() }
    }

    /// Who shows this.
    ///
    /// # Errors
    /// What to tell somebody who may be anybody.
    pub(crate) fn bearer(
        &self,
        user_id: Option<UserId>,
        ticket: Option<&Secret>,
    ) -> Result<Bearer, CallError> {
        let bearer = match (ticket, user_id) {
            (Some(ticket), claimed) => self.bearer_of(ticket, claimed),
            #[cfg(feature = "mutants")]
            (None, Some(user)) if ttp::net::mutant::is("numbers_open") => Ok(Bearer { user, session: None }),
            (None, Some(user)) if self.trust_user_ids => Ok(Bearer { user, session: None }),
            (None, None) if self.trust_user_ids => Err(refusal::nobody()),
            (None, _) => Err(refusal::no_ticket()),
        };
        bearer.inspect_err(|_| self.count_refused())
    }

    fn bearer_of(&self, ticket: &Secret, claimed: Option<UserId>) -> Result<Bearer, CallError> {
        let ticket = self.keys.verify(ticket, (self.clock)()).map_err(refusal::bad_ticket)?;
        if claimed.is_some_and(|user| user != ticket.user_id) {
            return Err(refusal::ticket_of_another());
        }
        if ticket.session_id.is_none() && !self.trust_user_ids {
            // Nothing could ever end its stream.
            return Err(refusal::ticket_without_session());
        }
        Ok(Bearer { user: ticket.user_id, session: ticket.session_id })
    }

    /// Counts somebody who was refused.
    pub(crate) fn count_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// The counter of those who were refused.
    pub(crate) fn refused(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.refused)
    }
}

#[cfg(test)]
mod tests {
    use ttp::code::ErrorCode;

    use super::*;

    const NOW: TimestampMs = 1_763_690_000_000;
    const SESSION: Option<SessionId> = Some(SessionId(70));

    fn key(seed: u8) -> TicketKey {
        TicketKey::new([seed; 32])
    }

    fn tickets(keys: &TicketKeys, trust_user_ids: bool) -> Tickets {
        Tickets::new(keys.clone(), trust_user_ids, || NOW)
    }

    /// T30: a ticket says who it is, and nobody else, whoever else is claimed.
    #[test]
    fn t30_only_a_ticket_of_this_minute_and_house_says_who_it_is() {
        let keys = TicketKeys::new([key(1)]);
        let sign = |seed: u8, session, now| key(seed).sign(UserId(7), session, now).0;
        let good = sign(1, SESSION, NOW);
        let (unauthenticated, forbidden) = (ErrorCode::Unauthenticated, ErrorCode::Forbidden);
        let refused = [
            (None, None, unauthenticated),
            (Some(7), None, unauthenticated),
            (Some(8), Some(good.clone()), forbidden),
            (None, Some(Secret::new("")), unauthenticated),
            (None, Some(Secret::new("1.7.70.1763690060000.00")), unauthenticated),
            (None, Some(Secret::new(format!("{}0", good.expose()))), unauthenticated),
            (None, Some(sign(2, SESSION, NOW)), unauthenticated),
            (None, Some(sign(1, SESSION, NOW - 66_000)), unauthenticated),
            (None, Some(sign(1, SESSION, NOW + 66_000)), unauthenticated),
            (None, Some(sign(1, None, NOW)), unauthenticated),
        ];
        let strict = tickets(&keys, false);
        for (index, (user, ticket, code)) in refused.iter().enumerate() {
            let refusal = strict.bearer(user.map(UserId), ticket.as_ref()).unwrap_err();
            assert_eq!(refusal.code, *code, "{index}: {}", refusal.message);
            assert_eq!(strict.refused().load(Ordering::Relaxed), index as u64 + 1);
        }
        let bearer = Bearer { user: UserId(7), session: SESSION };
        for user in [None, Some(UserId(7))] {
            assert_eq!(strict.bearer(user, Some(&good)), Ok(bearer));
        }
    }

    /// Trust opens for a number alone, and makes no ticket better.
    #[test]
    fn trusted_numbers_need_no_ticket_and_bad_tickets_stay_bad() {
        let keys = TicketKeys::new([key(1)]);
        let trusting = tickets(&keys, true);
        let forged = key(2).sign(UserId(7), SESSION, NOW).0;
        let good = key(1).sign(UserId(7), None, NOW).0;
        let refusals = [
            trusting.bearer(None, None),
            trusting.bearer(Some(UserId(7)), Some(&forged)),
            trusting.bearer(Some(UserId(8)), Some(&good)),
        ];
        let codes = refusals.map(|refusal| refusal.unwrap_err().code);
        assert_eq!(codes, [ErrorCode::InvalidParams, ErrorCode::Unauthenticated, ErrorCode::Forbidden]);
        let bearer = Bearer { user: UserId(7), session: None };
        assert_eq!(trusting.bearer(Some(UserId(7)), None), Ok(bearer));
        assert_eq!(trusting.bearer(None, Some(&good)), Ok(bearer));
    }

    /// A key is added, and the old one taken away, while the server runs.
    #[test]
    fn keys_are_replaced_while_tickets_are_about() {
        let keys = TicketKeys::default();
        let tickets = tickets(&keys, false);
        let [old, new] = [1, 2].map(|seed| key(seed).sign(UserId(7), SESSION, NOW).0);
        let holds = || [&old, &new].map(|ticket| tickets.bearer(None, Some(ticket)).is_ok());
        assert_eq!(holds(), [false, false]);
        keys.replace([key(1)]);
        assert_eq!(holds(), [true, false]);
        keys.replace([key(1), key(2)]);
        assert_eq!(holds(), [true, true]);
        keys.replace([key(2)]);
        assert_eq!(holds(), [false, true]);
        assert!(!format!("{keys:?}").contains(" 2"));
    }

    /// An expired ticket of a known key is called expired, whatever the other keys think of it.
    #[test]
    fn an_expired_ticket_is_not_called_forged() {
        let late = key(1).sign(UserId(7), SESSION, NOW - 66_000).0;
        for order in [[key(1), key(2)], [key(2), key(1)]] {
            assert_eq!(TicketKeys::new(order).verify(&late, NOW), Err(TicketError::Expired));
        }
    }
}
