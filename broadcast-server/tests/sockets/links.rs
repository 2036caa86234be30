//! How a connection becomes a link of the bus: by its first request, or by what its TLS handshake said.

use std::io::Write;
use std::sync::{Arc, Mutex};

use broadcast_server::Config;
use bus::link::{Caller, Carrier, LinkAcceptor, ServiceKey};
use bytes::Bytes;
use serde_json::{Value, json};
use ttp::frame::Decoder;
use ttp::net::tls::peer::TlsPeer;

use crate::stage::{Stage, message, until};

/// What one link was handed: the first request, and what its decoder held.
type Handed = Mutex<Vec<(Bytes, Decoder, std::net::TcpStream, Box<dyn Send>)>>;

#[derive(Default)]
struct Links {
    handed: Handed,
}

impl LinkAcceptor for Links {
    fn accept(
        self: Arc<Self>,
        stream: std::net::TcpStream,
        decoder: Decoder,
        first: Bytes,
        permit: Box<dyn Send>,
    ) {
        self.handed.lock().unwrap().push((first, decoder, stream, permit));
    }

    fn accept_tls(self: Arc<Self>, _: Box<TlsPeer>, _: Box<dyn Send>) {}

    fn close(&self) {}
}

#[test]
fn a_link_takes_its_socket_and_the_bytes_that_were_read() {
    let links = Arc::new(Links::default());
    let mut stage = Stage::with_links(Config::default(), Some(Arc::clone(&links) as _));
    let mut client = stage.greet();
    if client.is_tls() {
        let refusal = client.call("Link", json!({"nonce": "00"}));
        assert_eq!(refusal["error"]["code"], -32003, "the handshake did not say that it is a link");
        return;
    }
    let request = br#"{"jsonrpc":"2.0","method":"Link","params":{"nonce":"00"},"id":1}"#;
    let mut bytes = ttp::frame::encode(request);
    bytes.extend_from_slice(b"5         hel");
    client.stream.write_all(&bytes).unwrap();
    until("the link was handed over", || !links.handed.lock().unwrap().is_empty());
    let (first, mut decoder, mut stream, permit) = links.handed.lock().unwrap().pop().unwrap();
    assert_eq!(&first[..], request);
    decoder.push(b"lo");
    assert_eq!(decoder.next_payload().unwrap().as_deref(), Some(&b"hello"[..]));
    stream.write_all(&ttp::frame::encode(br#""from the link""#)).unwrap();
    assert_eq!(client.next(), Value::from("from the link"));
    until("the shard has told that it serves it no more", || stage.stats().connections == 0);
    assert_eq!(stage.counters.open(), 1);
    drop(permit);
    assert_eq!(stage.stop(), 0);
}

/// An open link carries hints, and does not hold the shutdown up until its deadline.
#[test]
fn a_shutdown_ends_links() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let _entered = runtime.enter();
    let key = ServiceKey::generate().unwrap();
    let links = bus::link::Links::new(key.clone());
    let mut stage = Stage::with_links(Config::default(), Some(Arc::clone(&links) as _));
    links.attach_receiver(Arc::clone(&stage.hub));
    stage.directory.set(7, &[17]);
    let mut listener = stage.open(7);
    let carrier = if listener.is_tls() { Carrier::Tls } else { Carrier::default() };
    let caller = Caller::start_over(carrier, stage.address.to_string(), key);
    until("the link is open", || links.count() == 1);
    bus::Publisher::publish(&*caller, vec![bus::Hint::Event(message(17, 1, 8, "hello"))]);
    while listener.next()["method"] != "Event" {}
    drop(listener);
    until("the listener is gone", || stage.stats().connections == 0);
    assert_eq!(stage.stop(), 0, "no connection was cut at the deadline");
    assert_eq!(links.count(), 0);
}
