//! The service key, which tells a data-server from anybody else.

use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use ttp::hex;
use ttp::ticket::TicketKey;
use zeroize::Zeroize;

use super::carrier::Binding;

/// Bytes of a key and of a nonce.
const KEY_BYTES: usize = 32;

/// A secret that all servers of one installation share. Never printed, and wiped from memory when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct ServiceKey([u8; KEY_BYTES]);

/// Why a text is not a service key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a service key is written as 64 hexadecimal digits")]
pub struct NotAKey;

/// The operating system has no randomness to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system has no randomness for a key")]
pub struct NoRandomness;

/// Who proves: the same nonces give different proofs, so that neither side can echo the other's.
#[derive(Debug, Clone, Copy)]
pub(super) enum Role {
    DataServer,
    BroadcastServer,
}

/// What a proof is about: who proves, on which connection, and the challenges of both sides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim<'a> {
    pub(super) role: Role,
    /// Nothing on a connection without TLS. A proof that was made for one connection holds on no other, so nobody who
    /// sits between two connections can pass it on.
    pub(super) binding: Option<&'a Binding>,
    pub(super) data_server_nonce: &'a str,
    pub(super) broadcast_server_nonce: &'a str,
}

/// A number used once, as hexadecimal digits.
pub(super) fn nonce() -> Result<String, NoRandomness> {
    random().map(|bytes| hex::encode(&bytes))
}

impl ServiceKey {
    /// A new key.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn generate() -> Result<Self, NoRandomness> {
        random().map(Self)
    }

    /// The key as 64 hexadecimal digits, for the file that holds it.
    pub fn to_hex(&self) -> String {
        hex::encode(&self.0)
    }

    /// The key that signs stream tickets: made from this one, and telling nothing about it.
    pub fn ticket_key(&self) -> TicketKey {
        TicketKey::new(self.mac_of(b"talko ticket 1").finalize().into_bytes().into())
    }

    pub(super) fn prove(&self, claim: &Claim<'_>) -> String {
        hex::encode(&self.mac(claim).finalize().into_bytes())
    }

    /// Compares in constant time.
    pub(super) fn is_proven(&self, claim: &Claim<'_>, proof: &str) -> bool {
        hex::decode::<KEY_BYTES>(proof).is_some_and(|proof| self.mac(claim).verify_slice(&proof).is_ok())
    }

    fn mac(&self, claim: &Claim<'_>) -> Hmac<Sha256> {
        // The name says whether a binding follows, so a proof without one is never the proof with one.
        let name: &[u8] = match (claim.role, claim.binding) {
            (Role::DataServer, None) => b"talko link 1 data-server",
            (Role::BroadcastServer, None) => b"talko link 1 broadcast-server",
            (Role::DataServer, Some(_)) => b"talko link 1 tls data-server",
            (Role::BroadcastServer, Some(_)) => b"talko link 1 tls broadcast-server",
        };
        let mut mac = self.mac_of(name);
        mac.update(&[0]);
        if let Some(binding) = claim.binding {
            mac.update(binding.bytes());
        }
        for nonce in [claim.data_server_nonce, claim.broadcast_server_nonce] {
            mac.update(nonce.as_bytes());
            mac.update(&[0]);
        }
        mac
    }

    fn mac_of(&self, bytes: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(bytes);
        mac
    }
}

impl Drop for ServiceKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl FromStr for ServiceKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        hex::decode(text.trim()).map(Self).ok_or(NotAKey)
    }
}

impl fmt::Debug for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServiceKey(…)")
    }
}

fn random() -> Result<[u8; KEY_BYTES], NoRandomness> {
    let mut bytes = [0; KEY_BYTES];
    getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_back_and_never_printed() {
        let key = ServiceKey::generate().unwrap();
        assert_eq!(key.to_hex().parse(), Ok(key.clone()));
        assert!(!format!("{key:?}").contains(&key.to_hex()[..8]));
        for wrong in ["", "12", &"g".repeat(64), &"é".repeat(32), &"+1".repeat(32)] {
            assert_eq!(wrong.parse::<ServiceKey>(), Err(NotAKey), "{wrong}");
        }
    }

    #[test]
    fn a_proof_holds_for_its_role_its_nonces_its_connection_and_its_key_only() {
        let key = ServiceKey::generate().unwrap();
        let claim = |role, binding, data_server_nonce, broadcast_server_nonce| Claim {
            role,
            binding,
            data_server_nonce,
            broadcast_server_nonce,
        };
        let (here, there) = (Binding::new([1; 32]), Binding::new([2; 32]));
        for binding in [None, Some(&here)] {
            let proven = claim(Role::DataServer, binding, "a", "b");
            let proof = key.prove(&proven);
            assert!(key.is_proven(&proven, &proof));
            let elsewhere = if binding.is_some() { None } else { Some(&here) };
            for other in [
                claim(Role::BroadcastServer, binding, "a", "b"),
                claim(Role::DataServer, binding, "ab", ""),
                claim(Role::DataServer, binding, "b", "a"),
                claim(Role::DataServer, elsewhere, "a", "b"),
                claim(Role::DataServer, Some(&there), "a", "b"),
            ] {
                assert!(!key.is_proven(&other, &proof), "{other:?}");
            }
            assert!(!key.is_proven(&proven, "00"));
            assert!(!ServiceKey::generate().unwrap().is_proven(&proven, &proof));
        }
    }

    #[test]
    fn ticket_keys_differ_from_key_to_key() {
        let key: ServiceKey = "0b".repeat(32).parse().unwrap();
        let bytes = hex::decode("823b5a4b4c7e636dc84e9f327c4319695f2452f5159dea3566c84aa5b91ed576").unwrap();
        assert!(key.ticket_key() == TicketKey::new(bytes));
        assert!(ServiceKey::generate().unwrap().ticket_key() != key.ticket_key());
    }
}
