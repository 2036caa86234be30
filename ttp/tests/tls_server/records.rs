//! R21: somebody on the way flips bits, repeats, drops and exchanges records. Nobody ever hears anything else than what
//! was said; the connection ends, and the server has counted it.
//!
//! The proxy here knows TLS records and touches one of them.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use ttp::net::serve::ServeCounters;
use ttp::net::tls::{Authorities, ClientTls, Expected, FirstUse, KnownServers};

use crate::stage::{Client, Listener, PATIENCE, until, within};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    ToServer,
    ToClient,
}

#[derive(Debug, Clone, Copy)]
enum Harm {
    /// A byte of a record is another one, by one bit; of a shorter record its last byte.
    Flip {
        byte: usize,
        bit: usize,
    },
    Repeat,
    Drop,
    /// The record comes after the next one.
    Late,
}

#[derive(Debug, Clone, Copy)]
struct Plan {
    way: Way,
    /// Which record of its direction, from 0.
    record: usize,
    harm: Harm,
}

impl Plan {
    /// A record that claims to be longer than it is waits for more, and one that is missing for ever.
    fn patience(&self) -> Duration {
        match self.harm {
            Harm::Flip { byte: 3 | 4, .. } | Harm::Drop | Harm::Late => Duration::from_millis(300),
            _ => PATIENCE,
        }
    }
}

/// Records of the handshake that each side sends: hello, change of cipher, finished; hello, change of cipher, and what
/// is encrypted of the rest.
const HANDSHAKE_OF_CLIENT: usize = 3;

/// Forwards one connection, and harms one record of it.
async fn proxy(to: SocketAddr, plan: Plan) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (client, _) = listener.accept().await.unwrap();
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = TcpStream::connect(to).await.unwrap().into_split();
        tokio::join!(
            forward(from_client, to_server, Way::ToServer, plan),
            forward(from_server, to_client, Way::ToClient, plan),
        );
    });
    address
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, way: Way, plan: Plan) {
    let mut late = None;
    for number in 0.. {
        let Some(mut record) = next_record(&mut from).await else {
            return;
        };
        let mut out = Vec::new();
        if way == plan.way && number == plan.record {
            match plan.harm {
                Harm::Flip { byte, bit } => {
                    let last = record.len() - 1;
                    record[byte.min(last)] ^= 1 << bit;
                    out = record;
                }
                Harm::Repeat => out = [&record[..], &record[..]].concat(),
                Harm::Drop => {}
                Harm::Late => late = Some(record),
            }
        } else {
            out = record;
            out.extend(late.take().unwrap_or_default());
        }
        if to.write_all(&out).await.is_err() {
            return;
        }
    }
}

/// A record with its header; `None` at the end.
async fn next_record(from: &mut OwnedReadHalf) -> Option<Vec<u8>> {
    let mut record = vec![0; 5];
    from.read_exact(&mut record).await.ok()?;
    let length = usize::from(u16::from_be_bytes([record[3], record[4]]));
    record.resize(5 + length, 0);
    from.read_exact(&mut record[5..]).await.ok()?;
    Some(record)
}

/// What the client said, in as many records.
const QUESTIONS: [&[u8]; 3] = [b"the first question", b"the second question", b"the third question"];

/// How a talk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Talk {
    /// Nothing was wrong with it.
    Unharmed,
    /// It was cut off, and all that was heard before is right.
    Cut,
}

/// Asks in several records through the proxy. Panics when anything else is heard than what was said.
async fn talk(address: SocketAddr, patience: Duration) -> Talk {
    let Ok(mut client) = within(Client::try_connect(address, &["talko"])).await else {
        return Talk::Cut;
    };
    for question in QUESTIONS {
        match ask(&mut client, question, patience).await {
            Some(heard) => assert_eq!(heard, question, "something else was heard"),
            None => return Talk::Cut,
        }
    }
    Talk::Unharmed
}

/// Asks, and hears as much, or nothing.
async fn ask(client: &mut Client, question: &[u8], patience: Duration) -> Option<Vec<u8>> {
    let mut heard = vec![0; question.len()];
    client.stream.write_all(question).await.ok()?;
    client.stream.flush().await.ok()?;
    let asked = async {
        client.stream.read_exact(&mut heard).await.ok()?;
        Some(heard)
    };
    tokio::time::timeout(patience, asked).await.ok()?
}

/// How the talk ended, and how many bad records and handshakes the server counted.
async fn harmed(listener: &Listener, plan: Plan) -> (Talk, u64) {
    let counted = |counters: &ServeCounters| {
        counters.records_refused() + counters.handshakes_failed() + counters.handshakes_late()
    };
    until("nothing else is open", || listener.counters.open() == 0).await;
    let before = counted(&listener.counters);
    let end = talk(proxy(listener.address, plan).await, plan.patience()).await;
    until("the connection is gone", || listener.counters.open() == 0).await;
    (end, counted(&listener.counters) - before)
}

/// R21, T64: every byte of a record that carries data.
#[tokio::test]
async fn r21_a_flipped_bit_is_refused_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let listener = Listener::tls(folder.path()).await;
    // What is said, its type, a tag of 16 bytes, and a header of 5.
    let record_bytes = 5 + QUESTIONS[1].len() + 1 + 16;
    for (way, record) in
        [(Way::ToServer, HANDSHAKE_OF_CLIENT + 1), (Way::ToClient, records_of_server(&listener).await)]
    {
        for (byte, bit) in header_bits().chain((3..record_bytes).map(|byte| (byte, (byte * 5 + 3) % 8))) {
            let plan = Plan { way, record, harm: Harm::Flip { byte, bit } };
            let (end, counted) = harmed(&listener, plan).await;
            match byte {
                // A record that claims to be longer waits for the rest, until the connection ends.
                3 | 4 => assert_eq!(end, Talk::Cut, "{plan:?}"),
                _ => assert_eq!((end, counted), (Talk::Cut, 1), "{plan:?}"),
            }
        }
    }
}

/// Those of type and version, which the keys of the session do not authenticate.
fn header_bits() -> impl Iterator<Item = (usize, usize)> {
    (0..3).flat_map(|byte| (0..8).map(move |bit| (byte, bit)))
}

/// The number of the first record with data from the server, and one: how many its handshake takes is its choice.
async fn records_of_server(listener: &Listener) -> usize {
    for record in 3..12 {
        let plan = Plan { way: Way::ToClient, record, harm: Harm::Flip { byte: 5, bit: 0 } };
        let Ok(mut client) =
            within(Client::try_connect(proxy(listener.address, plan).await, &["talko"])).await
        else {
            continue;
        };
        if ask(&mut client, QUESTIONS[0], PATIENCE).await.is_none() {
            return record + 1;
        }
    }
    panic!("no record with data was found");
}

/// R21: the client of our programs refuses it too, and the server hears of it.
#[tokio::test]
async fn r21_a_flipped_bit_in_a_header_is_refused_by_clients() {
    let folder = tempfile::tempdir().unwrap();
    let listener = Listener::tls(folder.path()).await;
    let record = records_of_server(&listener).await - 1;
    until("nothing is open", || listener.counters.open() == 0).await;
    let before = listener.counters.records_refused();
    for ((byte, bit), tries) in header_bits().zip(1..) {
        let plan = Plan { way: Way::ToClient, record, harm: Harm::Flip { byte, bit } };
        let client =
            ClientTls::new(KnownServers::in_memory(), FirstUse::Pin).with_authorities(Authorities::Nobody);
        let stream = TcpStream::connect(proxy(listener.address, plan).await).await.unwrap();
        let connecting = client.connect(stream, "chat.example.org:1", Expected::Nothing, &[b"talko"]);
        let mut stream = within(connecting).await.unwrap().stream;
        stream.write_all(QUESTIONS[0]).await.unwrap();
        stream.flush().await.unwrap();
        let refusal = within(stream.read_exact(&mut [0; 1])).await.unwrap_err();
        assert_eq!(refusal.kind(), ErrorKind::InvalidData, "{plan:?}");
        until("it is counted", || listener.counters.records_refused() == before + tries).await;
    }
}

/// R21: no record can be said twice, left out, or put elsewhere.
#[tokio::test]
async fn r21_a_repeated_dropped_or_late_record_is_refused_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let listener = Listener::tls(folder.path()).await;
    let of_server = records_of_server(&listener).await;
    for (way, record) in [(Way::ToServer, HANDSHAKE_OF_CLIENT), (Way::ToClient, of_server - 1)] {
        let plan = Plan { way, record, harm: Harm::Repeat };
        assert_eq!(harmed(&listener, plan).await, (Talk::Cut, 1), "{plan:?}");
        for harm in [Harm::Drop, Harm::Late] {
            let plan = Plan { way, record, harm };
            let (end, _) = harmed(&listener, plan).await;
            // The question that was held back has no answer, so nothing follows that would show the loss.
            assert_eq!(end, Talk::Cut, "{plan:?}");
        }
    }
}

/// R21: the handshake of a connection that comes about was not touched either.
#[tokio::test]
async fn r21_a_flipped_bit_in_a_handshake_is_refused_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let listener = Listener::tls(folder.path()).await;
    let of_server = records_of_server(&listener).await - 1;
    for (way, records) in [(Way::ToServer, HANDSHAKE_OF_CLIENT), (Way::ToClient, of_server)] {
        for record in 0..records {
            let others = [5, 6, 11, 20, 40, 60, 85].map(|byte| (byte, byte % 8));
            for (byte, bit) in header_bits().chain(others) {
                let plan = Plan { way, record, harm: Harm::Flip { byte, bit } };
                if (way, record, byte, bit) == (Way::ToServer, 0, 2, 1) {
                    // A client's first record may name either of two versions, and it makes no difference.
                    assert_eq!(harmed(&listener, plan).await, (Talk::Unharmed, 0));
                    continue;
                }
                let (end, counted) = harmed(&listener, plan).await;
                assert_eq!((end, counted), (Talk::Cut, 1), "{plan:?}");
            }
        }
    }
}
