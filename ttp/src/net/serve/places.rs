//! The places of connections, and what is counted about them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// What the loop counts. Shared with whoever reports it.
#[derive(Debug, Default)]
pub struct ServeCounters {
    accepted: AtomicU64,
    shed: AtomicU64,
    shed_by_address: AtomicU64,
    handshakes: AtomicU64,
    handshakes_failed: AtomicU64,
    handshakes_late: AtomicU64,
    records_refused: AtomicU64,
    open: AtomicUsize,
    refusing: AtomicUsize,
    freed: Notify,
    /// Connections by address, where that is limited. An address without connections is forgotten.
    addresses: Mutex<HashMap<IpAddr, usize>>,
}

impl ServeCounters {
    /// Connections that were handed on.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Connections that were refused because the server was full (T41).
    pub fn shed(&self) -> u64 {
        self.shed.load(Ordering::Relaxed)
    }

    /// Connections that were refused because their address had as many as it may.
    pub fn shed_by_address(&self) -> u64 {
        self.shed_by_address.load(Ordering::Relaxed)
    }

    /// TLS handshakes that were completed.
    pub fn handshakes(&self) -> u64 {
        self.handshakes.load(Ordering::Relaxed)
    }

    /// Connections with which no TLS came about.
    pub fn handshakes_failed(&self) -> u64 {
        self.handshakes_failed.load(Ordering::Relaxed)
    }

    /// Connections whose TLS handshake was not completed in time.
    pub fn handshakes_late(&self) -> u64 {
        self.handshakes_late.load(Ordering::Relaxed)
    }

    /// Connections that ended at a TLS record which was not what the peer had sent: changed, repeated or left out.
    pub fn records_refused(&self) -> u64 {
        self.records_refused.load(Ordering::Relaxed)
    }

    /// Connections that are open now.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// To be called by who drives a TLS session of its own, at its first bad record.
    pub fn count_refused_record(&self) {
        self.records_refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_shed(&self) {
        self.shed.fetch_add(1, Ordering::Relaxed);
    }

    #[cfg(feature = "tls")]
    pub(super) fn count_handshake(&self) {
        self.handshakes.fetch_add(1, Ordering::Relaxed);
    }

    #[cfg(feature = "tls")]
    pub(super) fn count_failed_handshake(&self) {
        self.handshakes_failed.fetch_add(1, Ordering::Relaxed);
    }

    #[cfg(feature = "tls")]
    pub(super) fn count_late_handshake(&self) {
        self.handshakes_late.fetch_add(1, Ordering::Relaxed);
    }

    /// Resolves when a place became free.
    pub(super) async fn freed(&self) {
        self.freed.notified().await;
    }

    /// A place among those who are told why they are refused.
    pub(super) fn place_for_refusal(self: &Arc<Self>, refusals_max: usize) -> Option<RefusalPlace> {
        let place = RefusalPlace(Arc::clone(self));
        (self.refusing.fetch_add(1, Ordering::AcqRel) < refusals_max).then_some(place)
    }

    fn addresses(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Given back when it is dropped.
#[derive(Debug)]
pub(super) struct RefusalPlace(Arc<ServeCounters>);

impl Drop for RefusalPlace {
    fn drop(&mut self) {
        self.0.refusing.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A connection's place among the allowed ones. Dropping it frees the place.
#[derive(Debug)]
pub struct Permit {
    counters: Arc<ServeCounters>,
    /// Whose connections are counted, if they are.
    address: Option<IpAddr>,
}

impl Permit {
    /// Takes a place.
    pub fn take(counters: &Arc<ServeCounters>) -> Self {
        counters.open.fetch_add(1, Ordering::AcqRel);
        Self { counters: Arc::clone(counters), address: None }
    }

    /// Takes a place of those that an address may have; `None`, and counted, when it has them all.
    pub(super) fn take_of(
        counters: &Arc<ServeCounters>,
        address: IpAddr,
        per_address_max: usize,
    ) -> Option<Self> {
        let address = holder(address);
        let mut addresses = counters.addresses();
        if addresses.get(&address).is_some_and(|&count| count >= per_address_max) {
            counters.shed_by_address.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        *addresses.entry(address).or_default() += 1;
        drop(addresses);
        let mut permit = Self::take(counters);
        permit.address = Some(address);
        Some(permit)
    }

    /// What is counted where this place is.
    pub fn counters(&self) -> &Arc<ServeCounters> {
        &self.counters
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(address) = self.address {
            let mut addresses = self.counters.addresses();
            if let Some(count) = addresses.get_mut(&address) {
                *count -= 1;
                if *count == 0 {
                    addresses.remove(&address);
                }
            }
        }
        self.counters.open.fetch_sub(1, Ordering::AcqRel);
        self.counters.freed.notify_one();
    }
}

/// Whom an address stands for: one of IPv6 for its /64, which one machine can fill.
fn holder(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        address => address,
    }
}
