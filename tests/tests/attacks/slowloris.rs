//! F18: peers that send so slowly that they never end. Heads and bodies of HTTP are in the gateway's tests, hellos of TLS
//! in those of `ttp`.

use std::time::Duration;

use tests::{Form, Installation, Setup, Wire, figures};
use tokio::task::JoinSet;
use ttp::net::clock;

use super::{alone, source};

const PATIENCE: Duration = Duration::from_millis(1_500);
const LATE: Duration = Duration::from_secs(8);

/// G19: one byte each half second, in the header and in the body: closed within the time of an opening, on both servers,
/// and told why.
#[tokio::test(flavor = "multi_thread")]
async fn g19_a_frame_that_comes_byte_by_byte_is_not_waited_for() {
    let _alone = alone().await;
    let mut setup = Setup::default();
    setup.data.opening_timeout = PATIENCE;
    setup.broadcast.opening_timeout_ms = PATIENCE.as_millis() as u64;
    let house = Installation::start_with(Form::Together, setup).await;
    let mut attackers = JoinSet::new();
    for number in 0..40 {
        let is_data = number % 2 == 0;
        let address = if is_data { house.data_address } else { house.broadcast_address };
        let begin: &[u8] = if number % 4 < 2 { b"" } else { b"100       {" };
        attackers.spawn(async move {
            let mut wire = Wire::connect_from(source(number), address).await;
            let opened = clock::now();
            wire.send(begin).await;
            for byte in b"4000      ".iter().chain([b' '; 100].iter()) {
                if !wire.tries_to_send(&[*byte]).await {
                    break;
                }
                if let Ok(end) =
                    tokio::time::timeout(Duration::from_millis(500), wire.receive_payload()).await
                {
                    if let Some(told) = end {
                        assert!(String::from_utf8(told).unwrap().contains("-32700"));
                        assert!(wire.is_closed().await);
                    }
                    return clock::now() - opened;
                }
            }
            panic!("a slow peer was waited for");
        });
    }
    let closed_after = attackers.join_all().await;
    let (first, last) = (closed_after.iter().min().unwrap(), closed_after.iter().max().unwrap());
    assert!(*first + Duration::from_millis(300) >= PATIENCE, "one was closed after {first:?}");
    assert!(*last <= PATIENCE + LATE, "one was closed after {last:?}");
    let line = format!("slowloris={} slowloris_closed_after_ms={}", closed_after.len(), last.as_millis());
    figures::keep("abuse.slowloris", &line);
    house.stop().await;
}
