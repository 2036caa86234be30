//! The service key, which tells a data-server from anybody else.

use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Bytes of a key and of a nonce.
const KEY_BYTES: usize = 32;

/// A secret that all servers of one installation share. Never printed.
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

/// A number used once, as hexadecimal digits.
pub(super) fn nonce() -> Result<String, NoRandomness> {
    random().map(|bytes| hex(&bytes))
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
        hex(&self.0)
    }

    pub(super) fn prove(&self, role: Role, data_server_nonce: &str, broadcast_server_nonce: &str) -> String {
        hex(&self.mac(role, data_server_nonce, broadcast_server_nonce).finalize().into_bytes())
    }

    /// Compares in constant time.
    pub(super) fn is_proven(
        &self,
        role: Role,
        data_server_nonce: &str,
        broadcast_server_nonce: &str,
        proof: &str,
    ) -> bool {
        let mac = self.mac(role, data_server_nonce, broadcast_server_nonce);
        unhex(proof).is_some_and(|proof| mac.verify_slice(&proof).is_ok())
    }

    fn mac(&self, role: Role, data_server_nonce: &str, broadcast_server_nonce: &str) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        let role: &[u8] = match role {
            Role::DataServer => b"talko link 1 data-server",
            Role::BroadcastServer => b"talko link 1 broadcast-server",
        };
        for part in [role, data_server_nonce.as_bytes(), broadcast_server_nonce.as_bytes()] {
            mac.update(part);
            mac.update(&[0]);
        }
        mac
    }
}

impl FromStr for ServiceKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        unhex(text.trim()).map(Self).ok_or(NotAKey)
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

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; KEY_BYTES]> {
    if text.len() != 2 * KEY_BYTES || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; KEY_BYTES];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(bytes)
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
    fn a_proof_holds_for_its_role_its_nonces_and_its_key_only() {
        let key = ServiceKey::generate().unwrap();
        let proof = key.prove(Role::DataServer, "a", "b");
        assert!(key.is_proven(Role::DataServer, "a", "b", &proof));
        assert!(!key.is_proven(Role::BroadcastServer, "a", "b", &proof));
        assert!(!key.is_proven(Role::DataServer, "ab", "", &proof));
        assert!(!key.is_proven(Role::DataServer, "b", "a", &proof));
        assert!(!key.is_proven(Role::DataServer, "a", "b", "00"));
        assert!(!ServiceKey::generate().unwrap().is_proven(Role::DataServer, "a", "b", &proof));
    }
}
