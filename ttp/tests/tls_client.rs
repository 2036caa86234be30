//! What a client believes of a server that speaks TLS, and what it says when it does not. Each case has one outcome.
#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "tls_client/servers.rs"]
mod servers;

use std::sync::Arc;
use std::time::Duration;

use rustls::HandshakeKind;
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use ttp::net::tls::{
    Authorities, ClientTls, Expected, Fingerprint, FirstUse, Known, KnownServers, TlsClientError, Trusted,
};

use servers::{Authority, Certificate, Identity, Server};

const NAME: &str = "chat.example:8889";

/// The first of January of a year.
#[derive(Debug)]
struct Year(u64);

impl TimeProvider for Year {
    fn current_time(&self) -> Option<UnixTime> {
        let days = (self.0 - 1970) * 365 + (self.0 - 1969) / 4;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(days * 86_400)))
    }
}

/// A client in 2026 that pins at first use and asks no authority.
fn client() -> ClientTls {
    ClientTls::new(KnownServers::in_memory(), FirstUse::Pin)
        .with_authorities(Authorities::Nobody)
        .with_clock(Arc::new(Year(2026)))
}

/// A client in 2026 that pins at first use and believes an authority.
fn client_of(authority: &Authority) -> ClientTls {
    client().with_authorities(Authorities::These(authority.roots()))
}

/// One connection, over which a client that believes the server says one word.
async fn meet(client: &ClientTls, server: &Server, expected: Expected) -> Result<Trusted, TlsClientError> {
    meet_at(client, server, NAME, expected).await
}

async fn meet_at(
    client: &ClientTls,
    server: &Server,
    name: &str,
    expected: Expected,
) -> Result<Trusted, TlsClientError> {
    let (near, far) = tokio::io::duplex(16 * 1024);
    let serving = server.serve(far);
    let connecting = async {
        let mut connection = client.connect(near, name, expected, &[b"talko"]).await?;
        connection.stream.write_all(b"application").await.unwrap();
        connection.stream.shutdown().await.unwrap();
        connection.stream.read_to_end(&mut Vec::new()).await.unwrap();
        assert_eq!(Some(connection.fingerprint), server.fingerprint());
        Ok(connection.trusted)
    };
    let (heard, result) =
        tokio::time::timeout(Duration::from_secs(20), async { tokio::join!(serving, connecting) })
            .await
            .expect("a handshake ends");
    // Whoever is not believed has heard nothing but the greeting of TLS.
    assert_eq!(heard, if result.is_ok() { &b"application"[..] } else { b"" });
    result
}

fn pin(client: &ClientTls) -> Option<Fingerprint> {
    client.known_servers().pin_of(NAME).unwrap()
}

#[tokio::test]
async fn r25_the_first_key_is_pinned_and_believed_again() {
    let (client, identity) = (client(), Identity::new());
    let server = Certificate::default().self_signed(&identity);
    assert_eq!(meet(&client, &server, Expected::Nothing).await.unwrap(), Trusted::First);
    assert_eq!(pin(&client), Some(identity.fingerprint()));
    assert_eq!(meet(&client, &server, Expected::Nothing).await.unwrap(), Trusted::Pinned);
    let renewed = Certificate { last_year: 2090, ..Certificate::default() }.self_signed(&identity);
    assert_eq!(meet(&client, &renewed, Expected::Nothing).await.unwrap(), Trusted::Pinned);
}

#[tokio::test]
async fn f27_a_changed_key_is_refused_until_it_is_pinned() {
    let (client, old, new) = (client(), Identity::new(), Identity::new());
    meet(&client, &Certificate::default().self_signed(&old), Expected::Nothing).await.unwrap();
    let swapped = Certificate::default().self_signed(&new);
    let error = meet(&client, &swapped, Expected::Nothing).await.unwrap_err();
    let (was, is) = (old.fingerprint(), new.fingerprint());
    let sentence = format!(
        "the key of {NAME} has changed: it was {was}, and now it is {is}. Ask the server's operator. If the new key \
         is right, `talko trust {NAME}` pins it; if not, somebody stands between you and the server"
    );
    assert_eq!(error.to_string(), sentence);
    assert!(!error.is_temporary());
    assert_eq!(pin(&client), Some(was));
    assert_eq!(client.known_servers().pin(NAME, is, 0).unwrap(), Some(was));
    assert_eq!(meet(&client, &swapped, Expected::Nothing).await.unwrap(), Trusted::Pinned);
}

/// Nor does an authority help: a pinned server is its key.
#[tokio::test]
async fn f27_a_changed_key_is_refused_although_an_authority_vouches_for_it() {
    let authority = Authority::new();
    let (client, old, new) = (client_of(&authority), Identity::new(), Identity::new());
    meet(&client, &Certificate::default().self_signed(&old), Expected::Nothing).await.unwrap();
    let swapped = Certificate::default().signed(&new, &authority);
    let error = meet(&client, &swapped, Expected::Nothing).await.unwrap_err();
    assert!(matches!(error, TlsClientError::KeyChanged { .. }), "{error}");
}

/// Whoever shows another's certificate must show that he has its key.
#[tokio::test]
async fn f27_a_certificate_without_its_key_is_refused() {
    let (client, identity) = (client(), Identity::new());
    let stolen = Certificate::default().self_signed(&identity).with_another_key();
    let error = meet(&client, &stolen, Expected::Nothing).await.unwrap_err();
    assert!(matches!(error, TlsClientError::NotItsKey { .. }), "{error}");
    assert_eq!(pin(&client), None, "what was not shown is not remembered");
    meet(&client, &Certificate::default().self_signed(&identity), Expected::Nothing).await.unwrap();
    let error = meet(&client, &stolen, Expected::Nothing).await.unwrap_err();
    assert!(matches!(error, TlsClientError::NotItsKey { .. }), "{error}");
}

#[tokio::test]
async fn f27_dates_hold_for_every_certificate() {
    let authority = Authority::new();
    let identity = Identity::new();
    let short = Certificate { first_year: 2020, last_year: 2030, ..Certificate::default() };
    let own_authority = Certificate { is_authority: true, ..short.clone() };
    for server in [
        short.self_signed(&identity),
        own_authority.self_signed(&identity),
        short.signed(&identity, &authority),
    ] {
        let client = client_of(&authority);
        let late = client.clone().with_clock(Arc::new(Year(2031)));
        let early = client.clone().with_clock(Arc::new(Year(2019)));
        for expected in [Expected::Nothing, Expected::Key(identity.fingerprint())] {
            for _ in ["not known", "known"] {
                let error = meet(&late, &server, expected.clone()).await.unwrap_err();
                let sentence = format!(
                    "the certificate of {NAME} expired on 2030-01-01. Its operator must renew it; the key may stay"
                );
                assert_eq!(error.to_string(), sentence);
                let error = meet(&early, &server, expected.clone()).await.unwrap_err();
                let sentence = format!(
                    "the certificate of {NAME} is not valid before 2020-01-01. Either this machine's clock is wrong, \
                     or the server's operator must renew the certificate; the key may stay"
                );
                assert_eq!(error.to_string(), sentence);
                assert!(error.is_temporary());
                meet(&client, &server, expected.clone()).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn an_authority_vouches_for_a_name() {
    let authority = Authority::new();
    let (client, identity, other) = (client_of(&authority), Identity::new(), Identity::new());
    let server = Certificate::default().signed(&identity, &authority);
    assert_eq!(meet(&client, &server, Expected::Nothing).await.unwrap(), Trusted::Authority);
    assert_eq!(pin(&client), None);
    assert_eq!(client.known_servers().known(NAME).unwrap(), Some(Known::Authority));
    // The key may change, as long as somebody vouches for it.
    let renewed = Certificate::default().signed(&other, &authority);
    assert_eq!(meet(&client, &renewed, Expected::Nothing).await.unwrap(), Trusted::Authority);
    let on_address = Certificate { name: "192.0.2.1", ..Certificate::default() }.signed(&other, &authority);
    let met = meet_at(&client, &on_address, "192.0.2.1:8889", Expected::Nothing).await;
    assert_eq!(met.unwrap(), Trusted::Authority);
}

#[tokio::test]
async fn f27_an_authority_for_another_name_helps_nobody() {
    let authority = Authority::new();
    let (client, identity) = (client_of(&authority), Identity::new());
    let elsewhere = Certificate { name: "mail.example", ..Certificate::default() };
    let error = meet(&client, &elsewhere.signed(&identity, &authority), Expected::Nothing).await.unwrap_err();
    assert!(matches!(error, TlsClientError::WrongName { .. }), "{error}");
    // A name that nobody vouches for means nothing, and a pinned key means more than any.
    let server = elsewhere.self_signed(&identity);
    assert_eq!(meet(&client, &server, Expected::Nothing).await.unwrap(), Trusted::First);
    let server = elsewhere.signed(&identity, &authority);
    assert_eq!(meet(&client, &server, Expected::Nothing).await.unwrap(), Trusted::Pinned);
}

/// Otherwise whoever stands in between could make a server that was never pinned a new one.
#[tokio::test]
async fn f27_a_server_that_an_authority_vouched_for_is_not_new() {
    let authority = Authority::new();
    let (client, identity, other) = (client_of(&authority), Identity::new(), Identity::new());
    meet(&client, &Certificate::default().signed(&identity, &authority), Expected::Nothing).await.unwrap();
    let between = Certificate::default().self_signed(&other);
    let error = meet(&client, &between, Expected::Nothing).await.unwrap_err();
    assert!(matches!(error, TlsClientError::AuthorityGone { shown, .. } if shown == other.fingerprint()));
    // An invitation names the key.
    let expected = Expected::Key(other.fingerprint());
    assert_eq!(meet(&client, &between, expected).await.unwrap(), Trusted::Expected);
    assert_eq!(pin(&client), Some(other.fingerprint()));
}

#[tokio::test]
async fn an_authority_that_is_not_ours_is_nobody() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let (client, identity) = (client_of(&ours), Identity::new());
    let server = Certificate::default().signed(&identity, &theirs);
    assert_eq!(meet(&client, &server, Expected::Nothing).await.unwrap(), Trusted::First);
    // What common tools make by default calls itself an authority.
    let own_authority = Certificate { is_authority: true, ..Certificate::default() };
    let server = own_authority.self_signed(&identity);
    assert_eq!(meet(&client, &server, Expected::Nothing).await.unwrap(), Trusted::Pinned);
    assert_eq!(meet(&client_of(&ours), &server, Expected::Nothing).await.unwrap(), Trusted::First);
}

/// R25: an invitation removes the first use at which anybody could stand in between.
#[tokio::test]
async fn r25_an_invitation_names_the_key() {
    let (client, identity, other) = (client(), Identity::new(), Identity::new());
    let (server, between) =
        (Certificate::default().self_signed(&identity), Certificate::default().self_signed(&other));
    let expected = Expected::Key(identity.fingerprint());
    let error = meet(&client, &between, expected.clone()).await.unwrap_err();
    let sentence = format!(
        "{NAME} has the key {}, and the invitation says {}. Ask whoever invited you for a new invitation; if this \
         one is right, somebody stands between you and the server",
        other.fingerprint(),
        identity.fingerprint()
    );
    assert_eq!(error.to_string(), sentence);
    assert_eq!(pin(&client), None);
    assert_eq!(meet(&client, &server, expected.clone()).await.unwrap(), Trusted::Expected);
    assert_eq!(pin(&client), Some(identity.fingerprint()));
    assert_eq!(meet(&client, &server, expected).await.unwrap(), Trusted::Pinned);
    // An invitation comes from anybody, and does not overrule what is known.
    let error = meet(&client, &between, Expected::Key(other.fingerprint())).await.unwrap_err();
    assert!(matches!(error, TlsClientError::KeyChanged { .. }), "{error}");
}

#[tokio::test]
async fn a_client_that_takes_no_key_at_first_sight_says_it() {
    let identity = Identity::new();
    let client = ClientTls::new(KnownServers::in_memory(), FirstUse::Refuse)
        .with_authorities(Authorities::Nobody)
        .with_clock(Arc::new(Year(2026)));
    let server = Certificate::default().self_signed(&identity);
    let error = meet(&client, &server, Expected::Nothing).await.unwrap_err();
    let sentence = format!(
        "{NAME} is not known, and no authority of this system vouches for its key {}. Compare it with what the \
         server's operator says. If it is right, `talko trust {NAME}` pins it",
        identity.fingerprint()
    );
    assert_eq!(error.to_string(), sentence);
    assert_eq!(pin(&client), None);
    let expected = Expected::Key(identity.fingerprint());
    assert_eq!(meet(&client, &server, expected).await.unwrap(), Trusted::Expected);
    assert_eq!(meet(&client, &server, Expected::Nothing).await.unwrap(), Trusted::Pinned);
}

#[tokio::test]
async fn a_broadcast_server_is_vouched_for_by_the_data_server() {
    let authority = Authority::new();
    let (client, identity, other) = (client_of(&authority), Identity::new(), Identity::new());
    let server = Certificate::default().self_signed(&identity);
    let vouched = Expected::VouchedFor(vec![identity.fingerprint()]);
    assert_eq!(meet(&client, &server, vouched.clone()).await.unwrap(), Trusted::Vouched);
    assert_eq!(client.known_servers().known(NAME).unwrap(), None, "it is asked for each time");
    let between = Certificate::default().self_signed(&other);
    let error = meet(&client, &between, vouched.clone()).await.unwrap_err();
    assert!(
        matches!(error, TlsClientError::NotVouched { shown, .. } if shown == other.fingerprint()),
        "{error}"
    );
    assert_eq!(client.known_servers().known(NAME).unwrap(), None);
    // Known by itself.
    let of_authority = Certificate::default().signed(&other, &authority);
    assert_eq!(meet(&client, &of_authority, vouched.clone()).await.unwrap(), Trusted::Authority);
    client.known_servers().pin(NAME, other.fingerprint(), 0).unwrap();
    assert_eq!(meet(&client, &between, vouched).await.unwrap(), Trusted::Pinned);
    // A data-server without TLS vouches for nothing.
    let nobody = Expected::VouchedFor(Vec::new());
    client.known_servers().forget(NAME).unwrap();
    assert_eq!(meet(&client, &between, nobody).await.unwrap(), Trusted::First);
}

#[tokio::test]
async fn f27_older_tls_and_no_tls_are_told_apart() {
    let client = client();
    for (answer, expected) in [
        // An alert `protocol_version`.
        (&b"\x15\x03\x03\x00\x02\x02\x46"[..], "chat.example:8889 speaks no TLS 1.3, and nothing older is accepted"),
        // A `ServerHello` of TLS 1.2.
        (&servers::hello_of_tls_12(), "chat.example:8889 speaks no TLS 1.3, and nothing older is accepted"),
        // An alert `no_application_protocol`.
        (
            b"\x15\x03\x03\x00\x02\x02\x78",
            "chat.example:8889 speaks TLS, but not the Talko protocol inside: is the port right?",
        ),
        // What our own servers answer without TLS.
        (
            b"66        {\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32700,\"message\":\"no frame\"},\"id\":null}",
            "chat.example:8889 does not speak TLS. Its operator must switch TLS on; only on a network where everybody \
             may read along, connect without it",
        ),
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            "chat.example:8889 does not speak TLS. Its operator must switch TLS on; only on a network where everybody \
             may read along, connect without it",
        ),
    ] {
        let server = Server::saying(answer);
        let error = meet(&client, &server, Expected::Nothing).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert!(!error.is_temporary());
        assert_eq!(pin(&client), None);
    }
    let error = meet(&client, &Server::saying(b""), Expected::Nothing).await.unwrap_err();
    assert!(matches!(error, TlsClientError::Broken { .. }) && error.is_temporary(), "{error}");
}

/// A session that is resumed would show no key, so neither a changed pin nor a date would be seen.
#[tokio::test]
async fn sessions_are_not_resumed() {
    let (client, identity) = (client(), Identity::new());
    let server = Certificate::default().self_signed(&identity);
    for _ in 0..2 {
        let (near, far) = tokio::io::duplex(16 * 1024);
        let connecting = async {
            let connecting = client.connect(near, NAME, Expected::Nothing, &[b"talko"]);
            let mut stream = connecting.await.unwrap().stream;
            stream.write_all(b"application").await.unwrap();
            stream.shutdown().await.unwrap();
            // The server's tickets come before its end.
            stream.read_to_end(&mut Vec::new()).await.unwrap();
            stream.get_ref().1.handshake_kind()
        };
        let (_, kind) = tokio::join!(server.serve(far), connecting);
        assert_eq!(kind, Some(HandshakeKind::Full));
    }
}

/// Two programs that see a server for the first time at one moment: the file decides.
#[tokio::test]
async fn what_another_program_pinned_meanwhile_holds() {
    let (client, mine, theirs) = (client(), Identity::new(), Identity::new());
    let server = Certificate::default().self_signed(&mine);
    let known_servers = client.known_servers().clone();
    let meanwhile = theirs.fingerprint();
    let server = server.doing_before(move || {
        known_servers.pin(NAME, meanwhile, 0).unwrap();
    });
    let error = meet(&client, &server, Expected::Nothing).await.unwrap_err();
    assert!(matches!(error, TlsClientError::KeyChanged { pinned, .. } if pinned == meanwhile), "{error}");
    assert_eq!(pin(&client), Some(meanwhile));
}

#[tokio::test]
async fn a_file_that_cannot_be_read_believes_nobody() {
    let file = std::env::temp_dir().join(format!("talko-known-{}", std::process::id()));
    std::fs::write(&file, "chat.example:8889 md5:12 2026-01-01\n").unwrap();
    let client = ClientTls::new(KnownServers::in_file(&file), FirstUse::Pin);
    let server = Certificate::default().self_signed(&Identity::new());
    let error = meet(&client, &server, Expected::Nothing).await.unwrap_err();
    std::fs::remove_file(&file).unwrap();
    let sentence = format!(
        "the file of known servers: {}, line 1: a line is `HOST:PORT sha256:… YYYY-MM-DD`; correct the line or \
         remove it",
        file.display()
    );
    assert_eq!(error.to_string(), sentence);
}

/// The system's authorities, whoever they are here, do not vouch for a key that was made in this test.
#[tokio::test]
async fn the_authorities_of_the_system_are_asked() {
    let client = ClientTls::new(KnownServers::in_memory(), FirstUse::Refuse);
    let server = Certificate::default().signed(&Identity::new(), &Authority::new());
    let error = meet(&client, &server, Expected::Nothing).await.unwrap_err();
    assert!(matches!(error, TlsClientError::Unknown { .. }), "{error}");
    let error = meet_at(&client, &server, "no server", Expected::Nothing).await.unwrap_err();
    assert_eq!(error.to_string(), "no server is not HOST:PORT");
}
