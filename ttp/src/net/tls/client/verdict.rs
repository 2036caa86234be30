//! Whether a certificate is believed: the one decision, without I/O and with the time as an argument.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, PeerIncompatible, RootCertStore, SignatureScheme,
};

use super::super::Fingerprint;
use super::super::trust::{Known, day};
use super::{Expected, FirstUse, TlsClientError, Trusted};

/// Judges the certificate of one connection and keeps what it found.
#[derive(Debug)]
pub(super) struct Judge {
    /// `HOST:PORT`, for what is said.
    pub(super) server: String,
    pub(super) expected: Expected,
    pub(super) known: Option<Known>,
    pub(super) first_use: FirstUse,
    /// Absent when there are none, or they are not to be asked.
    pub(super) authorities: Option<Arc<dyn ServerCertVerifier>>,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
    pub(super) verdict: Mutex<Option<Verdict>>,
}

/// What was found: the key, and why it is believed or not.
pub(super) type Verdict = Result<(Fingerprint, Trusted), TlsClientError>;

/// A certificate as it was shown.
struct Shown<'a> {
    certificate: &'a CertificateDer<'a>,
    intermediates: &'a [CertificateDer<'a>],
    name: &'a ServerName<'a>,
    ocsp: &'a [u8],
    now: UnixTime,
}

impl Judge {
    pub(super) fn take_verdict(&self) -> Option<Verdict> {
        self.verdict.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The key first: what is said about a wrong one is said whatever its certificate looks like.
    fn judge(&self, shown: &Shown<'_>) -> Verdict {
        let server = || self.server.clone();
        let Ok(certificate) = ParsedCertificate::try_from(shown.certificate) else {
            return Err(TlsClientError::BadCertificate { server: server() });
        };
        let key = Fingerprint::of_public_key(&certificate.subject_public_key_info());
        let by_key = self.judge_key(key)?;
        self.judge_dates(&certificate, shown.now)?;
        let trusted = match by_key {
            Some(trusted) => trusted,
            None => self.judge_stranger(key, shown)?,
        };
        Ok((key, trusted))
    }

    /// What the key alone says; `None` when it says nothing.
    fn judge_key(&self, shown: Fingerprint) -> Result<Option<Trusted>, TlsClientError> {
        let server = || self.server.clone();
        match &self.expected {
            &Expected::Key(expected) if shown != expected => {
                return Err(TlsClientError::NotExpected { server: server(), expected, shown });
            }
            Expected::VouchedFor(keys) if keys.contains(&shown) => return Ok(Some(Trusted::Vouched)),
            _ => {}
        }
        match (self.known, &self.expected) {
            (Some(Known::Key(pinned)), _) if pinned == shown => Ok(Some(Trusted::Pinned)),
            // Also when an invitation names the new key: invitations come from anybody.
            (Some(Known::Key(pinned)), _) => {
                Err(TlsClientError::KeyChanged { server: server(), pinned, shown })
            }
            (_, Expected::Key(_)) => Ok(Some(Trusted::Expected)),
            _ => Ok(None),
        }
    }

    /// A verifier without roots looks at the dates before it misses an issuer, so this is all it is asked for. It
    /// holds for every certificate, whoever vouches for its key.
    fn judge_dates(&self, certificate: &ParsedCertificate<'_>, now: UnixTime) -> Result<(), TlsClientError> {
        let nobody = RootCertStore::empty();
        let found =
            verify_server_cert_signed_by_trust_anchor(certificate, &nobody, &[], now, self.algorithms.all);
        match found {
            Err(Error::InvalidCertificate(error)) => match self.refusal(&error) {
                Some(refusal) => Err(refusal),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// A server whose key says nothing yet: authorities are asked, and then the policy.
    fn judge_stranger(&self, key: Fingerprint, shown: &Shown<'_>) -> Result<Trusted, TlsClientError> {
        if let Some(authorities) = &self.authorities {
            let Shown { certificate, intermediates, name, ocsp, now } = *shown;
            match authorities.verify_server_cert(certificate, intermediates, name, ocsp, now) {
                Ok(_) => return Ok(Trusted::Authority),
                Err(Error::InvalidCertificate(error)) => self.refusal(&error).map_or(Ok(()), Err)?,
                Err(_) => {}
            }
        }
        let server = self.server.clone();
        if self.known == Some(Known::Authority) {
            return Err(TlsClientError::AuthorityGone { server, shown: key });
        }
        match (&self.expected, self.first_use) {
            (Expected::VouchedFor(keys), _) if !keys.is_empty() => {
                Err(TlsClientError::NotVouched { server, shown: key })
            }
            (_, FirstUse::Pin) => Ok(Trusted::First),
            (_, FirstUse::Refuse) => Err(TlsClientError::Unknown { server, fingerprint: key }),
        }
    }

    /// What cannot be mended by knowing the key. `None` for all that only says that no authority vouches.
    fn refusal(&self, error: &CertificateError) -> Option<TlsClientError> {
        let server = self.server.clone();
        let of = |time: &UnixTime| day(i64::try_from(time.as_secs()).unwrap_or(i64::MAX / 2));
        let untold = || "a day that is not told".to_owned();
        Some(match error {
            CertificateError::ExpiredContext { not_after, .. } => {
                TlsClientError::Expired { server, day: of(not_after) }
            }
            CertificateError::Expired => TlsClientError::Expired { server, day: untold() },
            CertificateError::NotValidYetContext { not_before, .. } => {
                TlsClientError::NotYetValid { server, day: of(not_before) }
            }
            CertificateError::NotValidYet => TlsClientError::NotYetValid { server, day: untold() },
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                TlsClientError::WrongName { server }
            }
            CertificateError::Revoked => TlsClientError::Revoked { server },
            CertificateError::BadEncoding => TlsClientError::BadCertificate { server },
            _ => return None,
        })
    }
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict = self.judge(&Shown { certificate, intermediates, name, ocsp, now });
        let is_believed = verdict.is_ok();
        *self.verdict.lock().unwrap_or_else(PoisonError::into_inner) = Some(verdict);
        if is_believed {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // Never offered, so never asked.
        Err(PeerIncompatible::ServerDoesNotSupportTls12Or13.into())
    }

    /// Shows that the server has the key, which all that is judged above supposes.
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
