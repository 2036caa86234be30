//! The fingerprint of a server's public key: what people compare, what links carry, and what clients pin.
//!
//! It is the SHA-256 of the key's `SubjectPublicKeyInfo` (RFC 7469, 2.4), and not of the certificate, so that a renewed
//! certificate with the same key is still the same server.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::pki_types::CertificateDer;
use rustls::server::ParsedCertificate;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What stands before the digits.
const PREFIX: &str = "sha256:";

/// Names a public key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint([u8; 32]);

/// Why a text is not a fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is written as `sha256:` and 64 hexadecimal digits")]
pub struct NotAFingerprint;

impl Fingerprint {
    /// The fingerprint of a key given as the DER of its `SubjectPublicKeyInfo`.
    pub fn of_public_key(subject_public_key_info: &[u8]) -> Self {
        Self(Sha256::digest(subject_public_key_info).into())
    }

    /// The fingerprint of a certificate's key, if it is a certificate.
    pub fn of_certificate(certificate: &CertificateDer<'_>) -> Option<Self> {
        let parsed = ParsedCertificate::try_from(certificate).ok()?;
        Some(Self::of_public_key(&parsed.subject_public_key_info()))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = NotAFingerprint;

    fn from_str(text: &str) -> Result<Self, NotAFingerprint> {
        let digits = text.trim().strip_prefix(PREFIX).ok_or(NotAFingerprint)?;
        crate::hex::decode(digits).map(Self).ok_or(NotAFingerprint)
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = NotAFingerprint;

    fn try_from(text: String) -> Result<Self, NotAFingerprint> {
        text.parse()
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.to_string()
    }
}

/// The key of a server that may still have to be met. Clones share what is learnt.
#[derive(Debug, Clone, Default)]
pub struct LearntFingerprint(Arc<RwLock<Option<Fingerprint>>>);

impl LearntFingerprint {
    /// The key that was met last.
    pub fn get(&self) -> Option<Fingerprint> {
        *self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes which key was met; none where the server speaks no TLS.
    pub fn set(&self, fingerprint: Option<Fingerprint>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = fingerprint;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_read_back() {
        let fingerprint = Fingerprint::of_public_key(b"a key");
        let text = fingerprint.to_string();
        assert_eq!(text.len(), 7 + 64);
        assert_eq!(text.parse(), Ok(fingerprint));
        assert_eq!(text.to_uppercase().replace("SHA256", "sha256").parse(), Ok(fingerprint));
        for wrong in ["", "sha256:", &text[7..], &text[..70], &text.replace("sha256:", "md5:")] {
            assert_eq!(wrong.parse::<Fingerprint>(), Err(NotAFingerprint), "{wrong}");
        }
    }
}
