//! A server's key and certificate in files: made on the first start, renewed with the same key, given by the operator.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, PublicKeyData};
use ttp::net::clock;
use ttp::net::tls::Fingerprint;
use ttp::net::tls::server::{ServerTls, TlsError, TlsFiles};

use crate::stage::{files, open};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A certificate that holds from so many days from now to so many.
fn certificate(key: &KeyPair, days: (u32, u32)) -> String {
    let now = Duration::from_millis(clock::now_ms() as u64);
    let day = |number: u32| rcgen::date_time_ymd(1970, 1, 1) + now + DAY * number - DAY * 1000;
    let mut params = CertificateParams::new(["chat.example.org".to_owned()]).unwrap();
    (params.not_before, params.not_after) = (day(days.0), day(days.1));
    params.self_signed(key).unwrap().pem()
}

/// Days from now on are counted from here.
const TODAY: u32 = 1000;

/// Files as an operator puts them there.
fn put(folder: &Path, certificate: &str, key: &str) -> TlsFiles {
    let files = files(folder);
    fs::create_dir_all(files.key.parent().unwrap()).unwrap();
    fs::write(&files.certificate, certificate).unwrap();
    fs::write(&files.key, key).unwrap();
    files
}

fn refused(files: &TlsFiles) -> TlsError {
    ServerTls::open(files.clone(), &[]).unwrap_err()
}

fn fingerprint(key: &KeyPair) -> Fingerprint {
    Fingerprint::of_public_key(&key.subject_public_key_info())
}

/// R25: a fresh installation has a key and a certificate, and stays who it is.
#[test]
fn r25_the_first_start_makes_a_key_and_the_second_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path()).fingerprint();
    let files = files(folder.path());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&files.key).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let made = (fs::read(&files.certificate).unwrap(), fs::read(&files.key).unwrap());
    assert_eq!(open(folder.path()).fingerprint(), first);
    assert_eq!((fs::read(&files.certificate).unwrap(), fs::read(&files.key).unwrap()), made);
    let names = fs::read_dir(files.key.parent().unwrap()).unwrap().count();
    assert_eq!(names, 2, "nothing unfinished is left");
}

#[test]
fn starts_at_one_moment_agree_on_one_key() {
    let folder = tempfile::tempdir().unwrap();
    let found: Vec<Fingerprint> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| open(folder.path()).fingerprint())).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    assert!(found.iter().all(|fingerprint| *fingerprint == found[0]), "{found:?}");
}

/// A first start that was cut off after the key goes on from there; so does one that is to have other names.
#[test]
fn a_certificate_of_ours_that_is_missing_is_made_again_with_the_same_key() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path()).fingerprint();
    fs::remove_file(files(folder.path()).certificate).unwrap();
    assert_eq!(open(folder.path()).fingerprint(), first);
}

#[test]
fn a_certificate_of_ours_near_its_end_is_renewed_with_the_same_key() {
    for days in [(0, TODAY - 1), (0, TODAY + 364), (TODAY + 1, TODAY + 4000)] {
        let folder = tempfile::tempdir().unwrap();
        let first = open(folder.path()).fingerprint();
        let files = files(folder.path());
        let key = KeyPair::from_pem(&fs::read_to_string(&files.key).unwrap()).unwrap();
        let near = format!("# Made by talko.\n{}", certificate(&key, days));
        fs::write(&files.certificate, &near).unwrap();
        let tls = open(folder.path());
        assert_eq!(tls.fingerprint(), first);
        let renewed = fs::read_to_string(&files.certificate).unwrap();
        assert_ne!(renewed, near, "{days:?}");
        assert_eq!(tls.reload().unwrap(), first);
        assert_eq!(fs::read_to_string(&files.certificate).unwrap(), renewed, "once is enough");
    }
}

/// What the operator put there is the operator's to renew.
#[test]
fn files_of_the_operator_are_never_written() {
    let folder = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let near = certificate(&key, (0, TODAY + 1));
    let files = put(folder.path(), &near, &key.serialize_pem());
    let tls = ServerTls::open(files.clone(), &[]).unwrap();
    assert_eq!(tls.fingerprint(), fingerprint(&key));
    assert_eq!(fs::read_to_string(&files.certificate).unwrap(), near);
    assert_eq!(fs::read_to_string(&files.key).unwrap(), key.serialize_pem());
}

/// F27: what is of no use is refused, with a sentence that names the file and says what to do.
#[test]
fn f27_files_of_no_use_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let good = certificate(&key, (0, TODAY + 90));
    let text = key.serialize_pem();

    let files = put(folder, &good, &other.serialize_pem());
    assert!(matches!(refused(&files), TlsError::OtherKey(_)));
    put(folder, &certificate(&key, (0, TODAY - 1)), &text);
    assert!(matches!(refused(&files), TlsError::Expired(path) if path == files.certificate));
    put(folder, &certificate(&key, (TODAY + 1, TODAY + 2)), &text);
    assert!(matches!(refused(&files), TlsError::NotYetValid(path) if path == files.certificate));
    for (certificate, key, path) in [
        ("", &text[..], &files.certificate),
        ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", &text, &files.certificate),
        (&text, &text, &files.certificate),
        (&good, "", &files.key),
        (&good, &good, &files.key),
        (&good, &text[..text.len() / 2], &files.key),
    ] {
        put(folder, certificate, key);
        let error = refused(&files);
        assert!(matches!(&error, TlsError::NotPem { path: named, .. } if named == path), "{error}");
        assert!(error.to_string().contains(&path.display().to_string()));
    }
    let nonsense = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    put(folder, nonsense, &text);
    assert!(matches!(refused(&files), TlsError::Unusable { path, .. } if path == files.certificate));

    put(folder, &good, &text);
    fs::remove_file(&files.certificate).unwrap();
    let error = refused(&files);
    assert!(
        matches!(&error, TlsError::OneMissing { missing, .. } if *missing == files.certificate),
        "{error}"
    );
    put(folder, &good, &text);
    fs::remove_file(&files.key).unwrap();
    let error = refused(&files);
    assert!(matches!(&error, TlsError::OneMissing { missing, .. } if *missing == files.key), "{error}");
    assert!(error.to_string().contains("put it back"));
    assert!(!files.key.exists(), "no key is made beside a certificate that is there");
    fs::create_dir(&files.key).unwrap();
    assert!(matches!(refused(&files), TlsError::File { path, .. } if path == files.key));
}

#[test]
fn a_name_that_no_certificate_can_hold_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = ServerTls::open(files(folder.path()), &["schön".into()]).unwrap_err();
    assert!(matches!(error, TlsError::NotMade { .. }), "{error}");
    assert!(error.to_string().contains("schön"));
}
