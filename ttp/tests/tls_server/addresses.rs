//! Which address may be served how, and how many connections one address may have.

use std::net::SocketAddr;

use tokio::io::AsyncReadExt;
use tokio::net::{TcpSocket, TcpStream};
use ttp::net::serve::{NotLoopback, Protection, ServeLimits};

use crate::stage::{Client, LIMITS, Listener, open, until, within};

/// G21: what leaves the machine is protected, or the operator said otherwise.
#[test]
fn g21_other_machines_are_served_with_tls_or_by_an_explicit_choice() {
    let folder = tempfile::tempdir().unwrap();
    let tls = Protection::Tls(open(folder.path()));
    let reachable =
        ["0.0.0.0:0", "[::]:0", "192.0.2.7:8889", "[2001:db8::7]:8889", "[::ffff:192.0.2.7]:8889"];
    for text in reachable {
        let address: SocketAddr = text.parse().unwrap();
        assert_eq!(Protection::Loopback.check(address), Err(NotLoopback(address)), "{text}");
        assert_eq!(Protection::Plaintext.check(address), Ok(()), "{text}");
        assert_eq!(tls.check(address), Ok(()), "{text}");
    }
    for text in ["127.0.0.1:0", "127.9.9.9:1", "[::1]:0", "[::ffff:127.0.0.1]:1"] {
        let address = text.parse().unwrap();
        for protection in [&Protection::Loopback, &Protection::Plaintext, &tls] {
            assert_eq!(protection.check(address), Ok(()), "{text}");
        }
    }
}

async fn from(source: &str, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(source.parse().unwrap(), 0)).unwrap();
    within(socket.connect(to)).await.unwrap()
}

/// R24: one address does not take the places of all.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn r24_an_address_has_its_limit_and_is_told() {
    let limits = ServeLimits { connections_per_address_max: 2, ..LIMITS };
    let folder = tempfile::tempdir().unwrap();
    for protection in [Protection::Loopback, Protection::Tls(open(folder.path()))] {
        let is_tls = matches!(protection, Protection::Tls(_));
        let listener = Listener::start(protection, limits).await;
        let held = [from("127.0.0.1", listener.address).await, from("127.0.0.1", listener.address).await];
        until("two are in", || listener.counters.open() == 2).await;
        let mut refused = from("127.0.0.1", listener.address).await;
        let mut told = String::new();
        if is_tls {
            let mut client = within(Client::over(refused, &[])).await.unwrap();
            within(client.stream.read_to_string(&mut told)).await.unwrap();
        } else {
            within(refused.read_to_string(&mut told)).await.unwrap();
        }
        assert!(told.contains("-32053") && told.contains("retry_after_ms"), "{told}");
        assert_eq!((listener.counters.shed_by_address(), listener.counters.shed()), (1, 0));

        let elsewhere = from("127.0.0.2", listener.address).await;
        until("another address has places", || listener.counters.open() == 3).await;
        drop((held, elsewhere));
        until("all are gone", || listener.counters.open() == 0).await;
        let again = from("127.0.0.1", listener.address).await;
        until("the place is free again", || listener.counters.open() == 1).await;
        assert_eq!(listener.counters.shed_by_address(), 1);
        drop(again);
        assert_eq!(listener.stop().await, 0);
    }
}
