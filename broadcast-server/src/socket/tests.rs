//! The socket against a TLS client, over a wire in memory that takes and gives as little as it likes.

use std::collections::VecDeque;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use proptest::prelude::*;
use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use rustls::version::TLS13;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig};

use super::*;
use crate::budget::Budget;
use crate::stream::Stream;

/// Takes a portion at each call and then would block, gives what has arrived in portions too.
#[derive(Debug, Default)]
struct Wire {
    portions: VecDeque<usize>,
    sent: Vec<u8>,
    arrived: VecDeque<u8>,
    read_bytes_max: usize,
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.portions.pop_front().unwrap_or(0);
        if room == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let taken = bytes.len().min(room);
        self.sent.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.arrived.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = buffer.len().min(self.read_bytes_max.max(1));
        self.arrived.read(&mut buffer[..count])
    }
}

static CONFIGS: LazyLock<(Arc<ServerConfig>, Arc<ClientConfig>)> = LazyLock::new(|| {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), Arc::new(client))
});

/// Both ends, after the handshake.
fn pair() -> (Socket<Wire>, ClientConnection) {
    let mut client =
        ClientConnection::new(Arc::clone(&CONFIGS.1), ServerName::try_from("localhost").unwrap()).unwrap();
    let mut server = ServerConnection::new(Arc::clone(&CONFIGS.0)).unwrap();
    let mut headers = RecordHeaders::of_client();
    while client.is_handshaking() || server.is_handshaking() || server.wants_write() {
        let mut flight = Vec::new();
        client.write_tls(&mut flight).unwrap();
        headers.check(&mut flight);
        feed(&flight, |part| server.read_tls(part));
        server.process_new_packets().unwrap();
        flight.clear();
        while server.wants_write() {
            server.write_tls(&mut flight).unwrap();
        }
        feed(&flight, |part| client.read_tls(part));
        client.process_new_packets().unwrap();
    }
    (Socket::tls(Wire { read_bytes_max: usize::MAX, ..Wire::default() }, server, headers), client)
}

fn feed(mut bytes: &[u8], mut read: impl FnMut(&mut dyn Read) -> io::Result<usize>) {
    while !bytes.is_empty() {
        read(&mut bytes).unwrap();
    }
}

/// The records of what a client says.
fn said(client: &mut ClientConnection, plaintext: &[u8]) -> Vec<u8> {
    client.writer().write_all(plaintext).unwrap();
    let mut records = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut records).unwrap();
    }
    records
}

/// What a client understands of what the socket has sent since.
fn understood(client: &mut ClientConnection, socket: &mut Socket<Wire>) -> Vec<u8> {
    let mut plaintext = Vec::new();
    let sent = std::mem::take(&mut socket.wire.sent);
    let mut unread = &sent[..];
    while !unread.is_empty() {
        client.read_tls(&mut unread).unwrap();
        client.process_new_packets().unwrap();
        match client.reader().read_to_end(&mut plaintext) {
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            Ok(_) => break,
        }
    }
    plaintext
}

/// All that can be read now, and why no more.
fn read_all(socket: &mut Socket<Wire>, buffer_bytes: usize) -> (Vec<u8>, ErrorKind) {
    let mut plaintext = Vec::new();
    let mut buffer = vec![0; buffer_bytes];
    loop {
        match socket.read(&mut buffer) {
            Ok(0) => return (plaintext, ErrorKind::UnexpectedEof),
            Ok(count) => plaintext.extend_from_slice(&buffer[..count]),
            Err(error) => return (plaintext, error.kind()),
        }
    }
}

fn waiting_bytes(socket: &mut Socket<Wire>) -> usize {
    socket.tls.as_mut().unwrap().session.process_new_packets().unwrap().tls_bytes_to_write()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the wire takes at a time, the peer reads exactly what was said, and little waits outside the outlet.
    #[test]
    fn what_is_said_is_heard_to_the_byte(
        blocks in prop::collection::vec((0usize..40_000, any::<u8>()), 1..8),
        at_once in 1usize..4,
        portions in prop::collection::vec(1usize..20_000, 0..40),
        trickle in 1usize..3_000,
    ) {
        let (mut socket, mut client) = pair();
        socket.wire.portions = portions.into();
        let budget = Budget::new(usize::MAX);
        let mut stream = Stream::new(socket, ([127, 0, 0, 1], 9).into(), 0, budget);
        let blocks: Vec<Bytes> = blocks
            .into_iter()
            .map(|(length, seed)| (0..length).map(|index| (index as u8).wrapping_mul(31) ^ seed).collect())
            .collect();
        for group in blocks.chunks(at_once) {
            prop_assert_eq!(stream.send(group, 0, usize::MAX), Ok(()));
            let socket = stream.socket();
            let waiting = waiting_bytes(socket);
            prop_assert!(waiting <= PORTION_BYTES + 64);
            if waiting > 0 && socket.wire.portions.is_empty() {
                prop_assert_eq!(socket.write(b"more").unwrap_err().kind(), ErrorKind::WouldBlock);
            }
        }
        while stream.outlet_bytes() > 0 || waiting_bytes(stream.socket()) > 0 {
            stream.socket().wire.portions.push_back(trickle);
            let left = stream.outlet_bytes() + waiting_bytes(stream.socket());
            prop_assert_eq!(stream.flush(0), Ok(()));
            prop_assert!(waiting_bytes(stream.socket()) <= PORTION_BYTES + 64);
            prop_assert!(stream.socket().wire.portions.is_empty(), "{left} bytes wait, and there was room");
        }
        prop_assert!(understood(&mut client, stream.socket()) == blocks.concat());
    }

    /// In whatever parts records arrive, and into whatever buffer they are read.
    #[test]
    fn what_arrives_is_read_to_the_byte(
        texts in prop::collection::vec(0usize..20_000, 1..6),
        read_bytes_max in 1usize..6_000,
        buffer_bytes in 1usize..20_000,
    ) {
        let (mut socket, mut client) = pair();
        socket.wire.read_bytes_max = read_bytes_max;
        let mut expected = Vec::new();
        let mut heard = Vec::new();
        for length in texts {
            let text: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
            socket.wire.arrived.extend(said(&mut client, &text));
            expected.extend(text);
            let (plaintext, reason) = read_all(&mut socket, buffer_bytes);
            prop_assert_eq!(reason, ErrorKind::WouldBlock);
            heard.extend(plaintext);
        }
        prop_assert!(heard == expected);
    }
}

/// R21: with any bit of a record changed, its header's too, nothing of it is heard and the session ends.
#[test]
fn r21_a_changed_bit_ends_the_session() {
    let bytes = said(&mut pair().1, b"the text").len();
    for bit in 0..bytes * 8 {
        let (mut socket, mut client) = pair();
        socket.wire.arrived.extend(said(&mut client, b"before"));
        assert_eq!(read_all(&mut socket, 100), (b"before".to_vec(), ErrorKind::WouldBlock));
        let mut records = said(&mut client, b"the text");
        records[bit / 8] ^= 1 << (bit % 8);
        // A changed length makes it wait for more, but not for long.
        let more = [7; 30_000];
        records.extend(said(&mut client, &more));
        socket.wire.arrived.extend(records);
        let (heard, reason) = read_all(&mut socket, 100);
        assert!(heard.is_empty() && reason == ErrorKind::InvalidData, "bit {bit}: {} {reason}", heard.len());
        assert_eq!(read_all(&mut socket, 100).1, ErrorKind::InvalidData, "bit {bit}, once more");
    }
}

/// R21: the same record twice, and one that is left out.
#[test]
fn r21_repeated_and_missing_records_end_the_session() {
    let (mut socket, mut client) = pair();
    let record = said(&mut client, b"pay ten");
    socket.wire.arrived.extend(&record);
    assert_eq!(read_all(&mut socket, 100), (b"pay ten".to_vec(), ErrorKind::WouldBlock));
    socket.wire.arrived.extend(&record);
    assert_eq!(read_all(&mut socket, 100), (Vec::new(), ErrorKind::InvalidData));
    let (mut socket, mut client) = pair();
    said(&mut client, b"left out");
    socket.wire.arrived.extend(said(&mut client, b"the next"));
    assert_eq!(read_all(&mut socket, 100), (Vec::new(), ErrorKind::InvalidData));
}

/// A change of keys is answered, also when the answer finds no room at first.
#[test]
fn changes_of_keys_are_answered() {
    let (mut socket, mut client) = pair();
    for round in 0..10 {
        client.refresh_traffic_keys().unwrap();
        let records = said(&mut client, b"new keys");
        socket.wire.arrived.extend(records);
        assert_eq!(read_all(&mut socket, 100), (b"new keys".to_vec(), ErrorKind::WouldBlock));
        socket.wire.portions.extend([1, 2, usize::MAX, usize::MAX, usize::MAX]);
        while socket.write(b"heard").is_err() {}
        assert_eq!(understood(&mut client, &mut socket), b"heard", "round {round}");
        socket.wire.portions.clear();
    }
}

/// The peer's farewell is an end, and its mere silence afterwards too.
#[test]
fn farewells_are_told_from_cuts() {
    let (mut socket, mut client) = pair();
    client.send_close_notify();
    socket.wire.arrived.extend(said(&mut client, b""));
    assert_eq!(socket.read(&mut [0; 10]).unwrap(), 0);
    assert_eq!(socket.read(&mut [0; 10]).unwrap(), 0);
}
