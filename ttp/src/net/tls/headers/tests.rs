//! The legal beginnings of a connection, what differs from them, and that slices make no difference.

use proptest::prelude::*;

use super::*;

fn record(kind: u8, minor: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind, 3, minor], &length[..], body].concat()
}

fn hello(kind: u8, body_bytes: u16) -> Vec<u8> {
    let length = body_bytes.to_be_bytes();
    [&[kind, 0], &length[..], &vec![0x5a; body_bytes.into()]].concat()
}

fn client_hello(minor: u8) -> Vec<u8> {
    record(HANDSHAKE, minor, &hello(CLIENT_HELLO, 240))
}

fn server_hello() -> Vec<u8> {
    record(HANDSHAKE, 3, &hello(SERVER_HELLO, 118))
}

fn change() -> Vec<u8> {
    record(CHANGE_CIPHER_SPEC, 3, &[1])
}

fn data(length: u16) -> Vec<u8> {
    record(APPLICATION_DATA, 3, &vec![0x5a; length.into()])
}

fn alert(minor: u8) -> Vec<u8> {
    record(ALERT, minor, &[2, 70])
}

fn client() -> RecordHeaders {
    RecordHeaders::of_client()
}

fn server() -> RecordHeaders {
    RecordHeaders::of_server()
}

/// The first byte that is not let through.
fn refused_at(mut headers: RecordHeaders, bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|&byte| {
        headers.check(&mut [byte]);
        headers.is_refused()
    })
}

/// Of everything that a peer may do.
fn legal() -> Vec<(RecordHeaders, Vec<Vec<u8>>)> {
    let whole = hello(CLIENT_HELLO, 240);
    vec![
        (client(), vec![client_hello(1), change(), data(53), data(CIPHERTEXT_BYTES_MAX), data(17)]),
        (client(), vec![client_hello(3), data(53), data(100)]),
        (client(), vec![client_hello(1), change(), client_hello(3), data(53), data(100)]),
        (client(), vec![client_hello(1), client_hello(3), change(), data(53)]),
        (
            client(),
            vec![
                record(HANDSHAKE, 1, &whole[..4]),
                record(HANDSHAKE, 1, &whole[4..100]),
                record(HANDSHAKE, 1, &whole[100..]),
                change(),
                data(53),
            ],
        ),
        (client(), vec![client_hello(1), alert(3)]),
        (server(), vec![server_hello(), change(), data(27), data(800), data(53), data(0)]),
        (server(), vec![server_hello(), data(900)]),
        (server(), vec![server_hello(), change(), server_hello(), data(900)]),
        (server(), vec![alert(1)]),
        // Of a server that does not speak TLS 1.3, which the session is to tell.
        (server(), vec![record(HANDSHAKE, 3, &[server_hello()[5..].to_vec(), vec![11; 900]].concat())]),
    ]
}

#[test]
fn what_a_peer_may_send_passes_untouched() {
    for (mut headers, records) in legal() {
        let said = records.concat();
        let mut heard = said.clone();
        headers.check(&mut heard);
        assert!(!headers.is_refused() && heard == said, "{records:?}");
    }
}

/// R21: type and version, which no key authenticates, of everything that follows the hellos.
#[test]
fn r21_each_changed_bit_in_front_of_a_record_is_refused() {
    let mut tried = 0;
    for (headers, records) in legal() {
        for number in 0..records.len() {
            if !matches!(records[number][0], CHANGE_CIPHER_SPEC | APPLICATION_DATA) {
                continue;
            }
            for bit in 0..24 {
                let mut changed = records.clone();
                changed[number][bit / 8] ^= 1 << (bit % 8);
                let begin = records[..number].concat().len();
                let at = refused_at(headers, &changed.concat());
                assert!(at.is_some_and(|at| (begin..begin + 9).contains(&at)), "{number} {bit}: {at:?}");
                tried += 1;
            }
        }
    }
    assert_eq!(tried, 21 * 24);
}

#[test]
fn each_rule_is_kept() {
    let opened = |more: Vec<u8>| [client_hello(1), more].concat();
    let encrypted = |more: Vec<u8>| [client_hello(1), change(), data(53), more].concat();
    let long = vec![0; usize::from(PLAINTEXT_BYTES_MAX) + 1];
    let begun = record(HANDSHAKE, 1, &hello(CLIENT_HELLO, 240)[..100]);
    for (why, headers, before, more) in [
        ("nothing before the hello", client(), vec![], data(53)),
        ("nothing before the hello", client(), vec![], change()),
        ("no text", client(), vec![], b"GET / HTTP/1.1".to_vec()),
        ("no other version", client(), vec![], client_hello(2)),
        ("not SSL", client(), vec![], vec![HANDSHAKE, 2, 0]),
        ("no old version of a server", server(), vec![], record(HANDSHAKE, 1, &hello(SERVER_HELLO, 118))),
        ("each its own hello", client(), vec![], server_hello()),
        ("each its own hello", server(), vec![], client_hello(3)),
        ("nothing empty", client(), vec![], record(HANDSHAKE, 1, &[])),
        ("nothing too long", client(), vec![], record(HANDSHAKE, 1, &long)),
        ("no hello too long", client(), vec![], record(HANDSHAKE, 1, &[1, 1, 0, 0])),
        ("the old version once", client(), opened(vec![]), client_hello(1)),
        ("one change", client(), opened(change()), change()),
        ("a change of one byte", client(), opened(vec![]), record(CHANGE_CIPHER_SPEC, 3, &[1, 1])),
        ("a change of this version", client(), opened(vec![]), record(CHANGE_CIPHER_SPEC, 1, &[1])),
        ("an alert of two bytes", client(), opened(vec![]), record(ALERT, 3, &[2, 70, 0])),
        ("a hello without more", client(), opened(vec![]), record(HANDSHAKE, 3, &[1, 0, 0, 1, 9, 9])),
        ("a whole hello before a change", client(), begun.clone(), change()),
        ("a whole hello before ciphertext", client(), begun.clone(), data(53)),
        ("no more than the hello", client(), begun, record(HANDSHAKE, 1, &[0; 145])),
        ("no change after ciphertext", client(), [client_hello(1), data(53)].concat(), change()),
        ("no hello after ciphertext", client(), encrypted(vec![]), client_hello(3)),
        ("no alert after ciphertext", client(), encrypted(vec![]), alert(3)),
        ("no other version", client(), encrypted(vec![]), record(APPLICATION_DATA, 1, &[0; 20])),
        ("nothing too long", client(), encrypted(vec![]), data(CIPHERTEXT_BYTES_MAX + 1)),
        ("no unknown type", client(), encrypted(vec![]), record(24, 3, &[0; 20])),
    ] {
        assert_eq!(refused_at(headers, &before), None, "{why}");
        let at = refused_at(headers, &[&before[..], &more].concat());
        assert!(at.is_some_and(|at| (before.len()..before.len() + 9).contains(&at)), "{why}: {at:?}");
    }
}

/// And for ever, without asking the peer for more.
#[test]
fn after_an_illegal_byte_nothing_is_said_any_more() {
    let mut headers = client();
    let mut bytes = [client_hello(1), alert(3), vec![99; 5], data(20)].concat();
    let legal = client_hello(1).len() + alert(3).len();
    let said = bytes.clone();
    headers.check(&mut bytes);
    assert!(bytes[..legal] == said[..legal] && bytes[legal..].iter().all(|&byte| byte == NO_RECORD));
    let mut buffer = [0; 10];
    assert_eq!(headers.read(&mut buffer, |_| panic!("it is read")).unwrap(), 10);
    assert_eq!(buffer, [NO_RECORD; 10]);
}

proptest! {
    #[test]
    fn slices_make_no_difference(
        choice in 0usize..11,
        change in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        cuts in prop::collection::vec(0usize..40, 0..60),
    ) {
        let (headers, records) = legal().swap_remove(choice);
        let mut said = records.concat();
        if let Some((index, byte)) = change {
            // Most bytes are in bodies; every other change is among the first.
            let within = if byte % 2 == 0 { said.len() } else { said.len().min(300) };
            said[index.index(within)] = byte;
        }
        let (mut whole, mut at_once) = (said.clone(), headers);
        at_once.check(&mut whole);
        let (mut sliced, mut by_and_by) = (said, headers);
        let mut rest = &mut sliced[..];
        for cut in cuts {
            let (slice, more) = rest.split_at_mut(cut.min(rest.len()));
            by_and_by.check(slice);
            rest = more;
        }
        by_and_by.check(rest);
        prop_assert!(sliced == whole);
        prop_assert_eq!(by_and_by, at_once);
    }

    /// R21: the first encrypted record with the type of a hello, whatever it is encrypted to.
    #[test]
    fn r21_ciphertext_is_no_hello(ciphertext in prop::collection::vec(any::<u8>(), 17..100)) {
        prop_assume!(ciphertext[..2] != [CLIENT_HELLO, 0]);
        let said = [client_hello(1), change(), record(HANDSHAKE, 3, &ciphertext)].concat();
        prop_assert!(refused_at(client(), &said).is_some());
        // One in 65536 passes for the beginning of one, and is refused at the next.
        let seeming = [&[CLIENT_HELLO, 0, 0xff, 0xff], &ciphertext[..]].concat();
        let said = [client_hello(1), change(), record(HANDSHAKE, 3, &seeming), data(30)].concat();
        prop_assert!(refused_at(client(), &said).is_some());
    }
}
