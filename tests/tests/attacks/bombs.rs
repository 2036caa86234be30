//! F16, F17: few bytes that ask for much, from somebody who has not said who it is.

use serde_json::{Value, json};
use tests::{Form, Installation, Wire, figures};
use ttp::frame::encode;
use ttp::limits::FRAME_BYTES_MAX_BEFORE_LOGIN;

use super::{alone, rss_kib, source};

const PEERS: usize = 200;

/// What is sent, and the codes that may be the answer.
fn bombs() -> Vec<(&'static str, Vec<u8>, &'static [i64])> {
    let nested = |depth: usize| encode(&[vec![b'['; depth], vec![b']'; depth]].concat()).to_vec();
    let past = FRAME_BYTES_MAX_BEFORE_LOGIN + 1;
    let batch = vec![r#"{"jsonrpc":"2.0","method":"Ping","id":1}"#; 100_000].join(",");
    let number = format!(
        r#"{{"jsonrpc":"2.0","method":"GetUser","params":{{"user_id":{}}},"id":1}}"#,
        "9".repeat(1 << 20)
    );
    vec![
        ("a header of 9999999999", b"9999999999".to_vec(), &[-32013]),
        ("a header past the limit before login", format!("{past:<10}").into_bytes(), &[-32013]),
        ("a frame past the limit before login", encode(&vec![b' '; past]).to_vec(), &[-32013]),
        ("10^2 arrays", nested(100), &[-32700, -32600]),
        ("10^3 arrays", nested(1_000), &[-32700, -32600]),
        ("10^4 arrays", nested(10_000), &[-32013]),
        ("10^5 arrays", nested(100_000), &[-32013]),
        ("a batch of 10^5", encode(format!("[{batch}]").as_bytes()).to_vec(), &[-32013]),
        ("a number of 1 MiB", encode(number.as_bytes()).to_vec(), &[-32013]),
    ]
}

/// G13, G18: each of these is refused with its code, and costs no memory.
#[tokio::test(flavor = "multi_thread")]
async fn g13_bombs_before_login_are_refused_and_cost_nothing() {
    let _alone = alone().await;
    let house = Installation::start_with(Form::Together, super::guarded()).await;
    let mut grown_max_kib = 0;
    for (what, bytes, codes) in bombs() {
        let before_kib = rss_kib();
        let mut peers = Vec::new();
        for number in 0..PEERS {
            let mut peer = Wire::connect_from(source(number), house.data_address).await;
            // The head is enough to be refused; whether the rest is still taken does not matter.
            peer.tries_to_send(&bytes[..bytes.len().min(64 * 1024)]).await;
            peers.push(peer);
        }
        for peer in &mut peers {
            let told =
                peer.receive_payload().await.unwrap_or_else(|| panic!("{what}: closed without a word"));
            let told: Value = serde_json::from_slice(&told).unwrap();
            let code = told["error"]["code"].as_i64().unwrap_or_else(|| panic!("{what}: {told}"));
            assert!(codes.contains(&code), "{what}: {told}");
            if code == -32013 {
                assert!(peer.is_closed().await, "{what} leaves the connection open");
            }
        }
        let grown_kib = rss_kib().saturating_sub(before_kib);
        assert!(grown_kib <= 64 * PEERS as u64, "{what}: {grown_kib} KiB for {PEERS}");
        grown_max_kib = grown_max_kib.max(grown_kib);
        let mut honest = house.data_wire().await;
        assert_eq!(honest.result("Ping", json!({})).await, json!({}), "after {what}");
    }
    let line = format!("bombs={} bombs_grown_kib={grown_max_kib}", bombs().len() * PEERS);
    figures::keep("abuse.bombs", &line);
    house.stop().await;
}
