//! Who a server is: its key and its certificate, in two PEM files. They are made on the first start, unless the operator
//! puts others there, and read again when the operator says so.
//!
//! What was made here says so in its first line. Only that is ever renewed, and always with the same key, because the
//! key is what clients know the server by.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, InconsistentKeys, RootCertStore};
use tracing::{info, warn};

use crate::hex;
use crate::net::tls::Fingerprint;
use crate::net::{clock, random};
use crate::secret::Secret;

/// The first line of files that were made here.
const MARK: &str = "# Made by talko.";

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a certificate that is made here holds.
const LIFETIME: Duration = DAY.saturating_mul(3650);

/// A certificate of ours that does not hold for so long any more is made again.
const RENEWED_BEFORE: Duration = DAY.saturating_mul(365);

/// A new certificate holds since so long ago, for clients whose clock is late.
const BACKDATED: Duration = DAY;

/// Where a server's key and certificate are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and those that it is signed with, in PEM.
    pub certificate: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
}

/// Why a server cannot show who it is. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// One of the two files is not there.
    #[error(
        "{} is missing, but {} is there: put it back, or remove both to be known by a new key",
        .missing.display(), .there.display()
    )]
    OneMissing {
        /// The one that is not there.
        missing: PathBuf,
        /// The other.
        there: PathBuf,
    },
    /// Both files are gone, and a server that runs makes no new key.
    #[error("{} and {} are missing: put them back", .0.certificate.display(), .0.key.display())]
    BothMissing(TlsFiles),
    /// A file cannot be read or made.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// A file holds something else.
    #[error("{} holds no {expected} in PEM", .path.display())]
    NotPem {
        /// Which file.
        path: PathBuf,
        /// What should be in it.
        expected: &'static str,
    },
    /// The two files do not belong together.
    #[error(
        "the key {} is not the one of the certificate {}: name two that belong together",
        .0.key.display(), .0.certificate.display()
    )]
    OtherKey(TlsFiles),
    /// The certificate does not hold any more.
    #[error("the certificate {} has expired: put a renewed one in its place", .0.display())]
    Expired(PathBuf),
    /// The certificate does not hold yet.
    #[error("the certificate {} is not valid yet: look at the clock of this machine", .0.display())]
    NotYetValid(PathBuf),
    /// The certificate or the key is of no use for TLS 1.3.
    #[error("{} cannot be used for TLS 1.3: {source}", .path.display())]
    Unusable {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: rustls::Error,
    },
    /// No key or certificate could be made.
    #[error("no certificate could be made for the names {names:?}: {source}")]
    NotMade {
        /// The names that were to be in it.
        names: Vec<String>,
        /// Why not.
        source: rcgen::Error,
    },
    /// The operating system has no randomness.
    #[error("the operating system has no randomness: {0}")]
    Randomness(getrandom::Error),
}

/// A key and a certificate that are in force, shown to every client.
#[derive(Debug)]
pub(super) struct Identity {
    files: TlsFiles,
    names: Vec<String>,
    current: RwLock<Current>,
}

#[derive(Debug, Clone)]
struct Current {
    certified: Arc<CertifiedKey>,
    fingerprint: Fingerprint,
}

impl Identity {
    /// Reads both files, or makes both when there is neither.
    pub(super) fn open(files: TlsFiles, names: &[String]) -> Result<Self, TlsError> {
        if !is_there(&files.certificate)? && !is_there(&files.key)? {
            make_key(&files, names)?;
        }
        let current = load(&files, names)?;
        Ok(Self { files, names: names.to_vec(), current: RwLock::new(current) })
    }

    /// Reads both files again. On an error everything stays as it was.
    pub(super) fn reload(&self) -> Result<Fingerprint, TlsError> {
        if !is_there(&self.files.certificate)? && !is_there(&self.files.key)? {
            return Err(TlsError::BothMissing(self.files.clone()));
        }
        let current = load(&self.files, &self.names)?;
        let fingerprint = current.fingerprint;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = current;
        Ok(fingerprint)
    }

    pub(super) fn fingerprint(&self) -> Fingerprint {
        self.current().fingerprint
    }

    /// Nobody leaves a half of it behind: it is replaced in one step.
    fn current(&self) -> Current {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current().certified)
    }
}

/// Reads both files. A certificate of ours that is missing or near its end is made again, with the same key.
fn load(files: &TlsFiles, names: &[String]) -> Result<Current, TlsError> {
    let missing = |missing: &Path, there: &Path| TlsError::OneMissing {
        missing: missing.to_path_buf(),
        there: there.to_path_buf(),
    };
    let key = read(&files.key)?.ok_or_else(|| missing(&files.key, &files.certificate))?;
    let certificate = match read(&files.certificate)? {
        Some(certificate) => certificate,
        // The first start was interrupted between the two, or the operator wants other names in it.
        None if is_ours(&key) => make_certificate(files, &key, names, Place::New)?,
        None => return Err(missing(&files.certificate, &files.key)),
    };
    let provider = ring::default_provider();
    let current = Current::of(files, &certificate, &key, &provider)?;
    let held = current.hold(files, Duration::ZERO, &provider);
    if !is_ours(&certificate) || (held.is_ok() && current.hold(files, RENEWED_BEFORE, &provider).is_ok()) {
        return held.map(|()| current);
    }
    let renewed = make_certificate(files, &key, names, Place::Taken)
        .and_then(|certificate| Current::of(files, &certificate, &key, &provider));
    match renewed {
        Ok(renewed) => {
            info!(certificate = %files.certificate.display(), "renewed the certificate; the key is the same");
            Ok(renewed)
        }
        Err(error) if held.is_ok() => {
            warn!(%error, "the certificate is near its end and could not be renewed");
            Ok(current)
        }
        Err(error) => Err(error),
    }
}

impl Current {
    fn of(
        files: &TlsFiles,
        certificate: &Secret,
        key: &Secret,
        provider: &CryptoProvider,
    ) -> Result<Self, TlsError> {
        let not_pem = |path: &PathBuf, expected| TlsError::NotPem { path: path.clone(), expected };
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(certificate.expose().as_bytes())
                .collect::<Result<_, _>>()
                .map_err(|_| not_pem(&files.certificate, "certificate"))?;
        let Some(first) = chain.first() else {
            return Err(not_pem(&files.certificate, "certificate"));
        };
        let parsed = ParsedCertificate::try_from(first)
            .map_err(|source| TlsError::Unusable { path: files.certificate.clone(), source })?;
        let fingerprint = Fingerprint::of_public_key(&parsed.subject_public_key_info());
        let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes())
            .map_err(|_| not_pem(&files.key, "private key without a password"))?;
        match CertifiedKey::from_der(chain.clone(), key, provider) {
            Ok(certified) => Ok(Self { certified: Arc::new(certified), fingerprint }),
            Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
                Err(TlsError::OtherKey(files.clone()))
            }
            Err(source) => Err(TlsError::Unusable { path: files.key.clone(), source }),
        }
    }

    /// Whether the certificate holds now and for some time. Who signed it is the clients' question.
    fn hold(&self, files: &TlsFiles, time: Duration, provider: &CryptoProvider) -> Result<(), TlsError> {
        let since_epoch = Duration::from_millis(u64::try_from(clock::now_ms()).unwrap_or(0));
        let unusable = |source| TlsError::Unusable { path: files.certificate.clone(), source };
        let certificate = self.certified.end_entity_cert().map_err(unusable)?;
        let verified = verify_server_cert_signed_by_trust_anchor(
            &ParsedCertificate::try_from(certificate).map_err(unusable)?,
            &RootCertStore::empty(),
            &[],
            UnixTime::since_unix_epoch(since_epoch + time),
            provider.signature_verification_algorithms.all,
        );
        match verified {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::Expired | CertificateError::ExpiredContext { .. },
            )) => Err(TlsError::Expired(files.certificate.clone())),
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
            )) => Err(TlsError::NotYetValid(files.certificate.clone())),
            _ => Ok(()),
        }
    }
}

fn is_ours(text: &Secret) -> bool {
    text.expose().starts_with(MARK)
}

fn is_there(path: &Path) -> Result<bool, TlsError> {
    fs::exists(path).map_err(|source| TlsError::File { path: path.to_path_buf(), source })
}

/// The text of a file, if it is there. What is no text is no PEM either.
fn read(path: &Path) -> Result<Option<Secret>, TlsError> {
    match fs::read(path) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(Secret::new(text))),
            Err(_) => Err(TlsError::NotPem { path: path.to_path_buf(), expected: "text" }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(TlsError::File { path: path.to_path_buf(), source }),
    }
}

/// Makes a key, unless another process was faster.
fn make_key(files: &TlsFiles, names: &[String]) -> Result<(), TlsError> {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)
        .map_err(|source| TlsError::NotMade { names: names.to_vec(), source })?;
    let text = Secret::new(format!("{MARK}\n{}", Secret::new(key.serialize_pem()).expose()));
    if write(&files.key, &text, 0o600, Place::New)? {
        info!(key = %files.key.display(), "made a key for TLS");
    }
    Ok(())
}

/// Makes a self-signed certificate with this key, and returns the one that is in its place then.
fn make_certificate(
    files: &TlsFiles,
    key: &Secret,
    names: &[String],
    place: Place,
) -> Result<Secret, TlsError> {
    let not_made = |source| TlsError::NotMade { names: names.to_vec(), source };
    let pair = KeyPair::from_pem(key.expose()).map_err(not_made)?;
    let mut params = CertificateParams::new(names).map_err(not_made)?;
    let now = Duration::from_millis(u64::try_from(clock::now_ms()).unwrap_or(0));
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + now.saturating_sub(BACKDATED);
    params.not_after = epoch + now + LIFETIME;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "talko");
    params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
    let text = Secret::new(format!("{MARK}\n{}", params.self_signed(&pair).map_err(not_made)?.pem()));
    if write(&files.certificate, &text, 0o644, place)? {
        return Ok(text);
    }
    read(&files.certificate)?.ok_or_else(|| TlsError::BothMissing(files.clone()))
}

/// Where a file is to be put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Where none is; one that is there by then stays.
    New,
    /// In the place of another.
    Taken,
}

/// Writes a file that has its name only when it is complete and on the disk. `false` when one was there already.
fn write(path: &Path, text: &Secret, mode: u32, place: Place) -> Result<bool, TlsError> {
    let mut chance = [0; 8];
    random::fill(&mut chance).map_err(TlsError::Randomness)?;
    let unfinished = path.with_extension(format!("new-{}", hex::encode(&chance)));
    let written = write_unfinished(path, &unfinished, text, mode).and_then(|()| match place {
        Place::New => fs::hard_link(&unfinished, path),
        Place::Taken => fs::rename(&unfinished, path),
    });
    let _ = fs::remove_file(&unfinished);
    match written.and_then(|()| sync_folder(path)) {
        Ok(()) => Ok(true),
        Err(error) if place == Place::New && error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(source) => Err(TlsError::File { path: path.to_path_buf(), source }),
    }
}

fn write_unfinished(path: &Path, unfinished: &Path, text: &Secret, mode: u32) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = options.open(unfinished)?;
    file.write_all(text.expose().as_bytes())?;
    file.sync_all()
}

/// Makes the name of a new file as durable as the file: a key that a power cut takes away is a new server to clients.
fn sync_folder(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}
