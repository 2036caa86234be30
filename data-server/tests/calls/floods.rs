//! Many logins at once, what their time tells, and what is said about them in the log.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use data_server::PasswordCost;
use serde_json::{Value, json};
use ttp::net::clock;

use crate::house::*;

fn wrong(name: &str) -> Value {
    json!({"user_name": name, "password": "incorrect horse"})
}

/// G14, G22: past the queue the answer is `overloaded`, at once and with a time; who chats is served meanwhile.
#[tokio::test]
async fn g22_a_flood_of_logins_is_refused_and_chat_goes_on() {
    let cost = PasswordCost { memory_kib: 2 * 1024, passes: 24, lanes: 1 };
    let house = House::strict(|config| {
        config.password_cost = cost;
        config.hash_threads = 1;
        config.hash_queue_max = 2;
    })
    .await;
    let (mut ada, _) = house.register("Ada").await;
    ada.call("InsertChat", json!({"chat_name": "notes", "user_ids": [1]})).await.unwrap();
    let mut flood = tokio::task::JoinSet::new();
    for number in 0..24 {
        let mut peer = house.stranger().await;
        let name = if number % 2 == 0 { "Ada" } else { "Nobody" };
        flood.spawn(async move { peer.ask("Login", wrong(name)).await.unwrap_err() });
    }
    let mut served = 0;
    let mut refusals = Vec::new();
    while !flood.is_empty() {
        ada.call("InsertMessage", json!({"chat_id": 1, "message_text": "still here"})).await.unwrap();
        served += 1;
        while let Some(refusal) = flood.try_join_next() {
            refusals.push(refusal.unwrap());
        }
    }
    let busy: Vec<&Value> = refusals.iter().filter(|refusal| refusal["code"] == -32053).collect();
    let wrong = refusals.iter().filter(|refusal| refusal["code"] == -32001).count();
    assert_eq!((refusals.len(), busy.len() + wrong), (24, 24), "{refusals:?}");
    // Two places to wait, and a third one as soon as the thread has taken the first.
    assert!(wrong >= 2, "what found a place was served: {wrong}");
    assert!(busy.len() >= 10, "what found none was refused: {}", busy.len());
    for refusal in busy {
        assert!(refusal["data"]["retry_after_ms"].as_u64().is_some_and(|wait_ms| wait_ms > 0));
        assert_eq!(refusal["data"]["stored"], false);
    }
    assert!(served > 5, "{served}");
}

/// The time that a login takes does not tell which names exist.
#[tokio::test]
async fn a_login_takes_as_long_for_any_name() {
    let cost = PasswordCost { memory_kib: 512, passes: 2, lanes: 1 };
    let house = House::strict(|config| config.password_cost = cost).await;
    house.register("Ada").await;
    let mut peer = house.stranger().await;
    let mut taken: [Vec<Duration>; 2] = Default::default();
    let mut ratio = 0.0;
    // The machine may be busy with something else: as many tries as it takes to see past that.
    for _ in 0..30 {
        for _ in 0..10 {
            for (name, taken) in ["Ada", "Nobody"].into_iter().zip(&mut taken) {
                let begun = clock::now();
                assert_eq!(peer.call("Login", wrong(name)).await, Err(-32001));
                taken.push(begun.elapsed());
            }
        }
        let [known, unknown] = taken.each_mut().map(|taken| {
            taken.sort();
            taken[taken.len() / 2].as_secs_f64()
        });
        ratio = unknown / known;
        if (0.9..=1.1).contains(&ratio) {
            println!("unknown names take {ratio:.3} of the time of known ones, {known:.4} s");
            return;
        }
    }
    panic!("unknown names take {ratio} of the time of known ones");
}

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// G21: no password, token, code or ticket is logged, at any level.
#[tokio::test]
async fn g21_nothing_secret_is_logged() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let house = House::strict(|_| {}).await;
    let mut peer = house.stranger().await;
    let mut secrets = Vec::new();
    let mut canary = |text: &str| {
        secrets.push(text.to_owned());
        text.to_owned()
    };
    let (first, second) = (canary("canary-one-password"), canary("canary-two-password"));
    let made = json!({"user_name": "Canary Bird", "password": first, "device": "cage"});
    let token = peer.call("Register", made).await.unwrap()["token"].as_str().unwrap().to_owned();
    canary(&token);
    let mistaken = json!({"user_name": "Canary Bird", "password": canary("canary-three-password")});
    assert_eq!(house.stranger().await.call("Login", mistaken).await, Err(-32001));
    let broken = format!(r#"{{"jsonrpc":"2.0","method":"Login","params":{{"password":"{first}"}},"id":1}}"#);
    house.stranger().await.send(&broken).await;
    let forged = json!({"token": canary("tlk_canary")});
    assert_eq!(house.stranger().await.call("Authenticate", forged).await, Err(-32001));
    assert!(house.stranger().await.call("Authenticate", json!({"token": token})).await.is_ok());
    let invitation = peer.call("InsertInvitation", json!({})).await.unwrap();
    canary(invitation["code"].as_str().unwrap());
    canary(peer.call("GetStreamTicket", json!({})).await.unwrap()["ticket"].as_str().unwrap());
    let change = json!({"old_password": first, "new_password": second});
    peer.call("ChangePassword", change).await.unwrap();
    peer.call("DeactivateUser", json!({"password": first})).await.unwrap_err();
    let logged = async {
        while !String::from_utf8_lossy(&log.0.lock().unwrap()).contains("a session began") {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, logged).await.expect("something is logged");
    let logged = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    for secret in secrets {
        assert!(!logged.contains(&secret), "{secret} was logged");
    }
}
