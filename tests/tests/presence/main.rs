//! Who is here and who is typing, over real servers in both forms: what others are told, how often, and who is told
//! nothing.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod client;
mod crowd;
mod seat;
mod typing;

use seat::{Seat, house, ids, is};
use serde_json::json;
use tests::{Form, Installation, Setup, within};

/// Both forms of the servers, and a short grace time.
const FORMS: [Form; 2] = [Form::Together, Form::Apart];

/// Long enough to come back in, on a busy machine too.
const GRACE_MS: u64 = 1_500;

/// N07, C10: a second device that comes or goes says nothing; the first that comes and the last that goes say exactly one
/// event each. That nothing came is shown by what comes next: whatever Grace's device caused would come before what
/// Tony's last one does.
#[tokio::test(flavor = "multi_thread")]
async fn n07_c10_the_first_device_and_the_last_are_told_of() {
    for form in FORMS {
        let house = house(form, 300).await;
        let [ada, grace, tony] = ids(&house, ["Ada", "Grace", "Tony"]).await;
        seat::group(&house, ada, &[grace, tony]).await;
        let mut watcher = Seat::open(&house, ada).await;
        assert_eq!(watcher.watch(&[grace, tony]).await, [is(grace, "offline"), is(tony, "offline")]);
        let laptop = Seat::open(&house, grace).await;
        assert_eq!(watcher.next_presence().await, is(grace, "online"));
        let phone = Seat::open(&house, grace).await;
        let tonys = Seat::open(&house, tony).await;
        assert_eq!(watcher.next_presence().await, is(tony, "online"), "the phone says nothing");
        drop(laptop);
        drop(tonys);
        assert_eq!(watcher.next_presence().await, is(tony, "offline"), "nor does the laptop's end");
        drop(phone);
        assert_eq!(watcher.next_presence().await, is(grace, "offline"));
        let _tonys = Seat::open(&house, tony).await;
        assert_eq!(watcher.next_presence().await, is(tony, "online"), "once is enough");
        house.stop().await;
    }
}

/// V08: who drops out and is back within the grace time was never gone. Tony goes after Grace is back, and what is told
/// after Grace's grace time is his going alone.
#[tokio::test(flavor = "multi_thread")]
async fn v08_a_short_drop_shows_nothing() {
    let house = house(Form::Together, GRACE_MS).await;
    let [ada, grace, tony] = ids(&house, ["Ada", "Grace", "Tony"]).await;
    let chat = seat::group(&house, ada, &[grace, tony]).await;
    let mut watcher = Seat::open(&house, ada).await;
    let first = Seat::open(&house, grace).await;
    let tonys = Seat::open(&house, tony).await;
    let seen = watcher.watch(&[grace, tony]).await;
    assert_eq!(seen, [is(grace, "online"), is(tony, "online")]);
    drop(first);
    let present = watcher.ask("GetPresence", json!({"chat_id": chat})).await["people"].clone();
    assert!(present.as_array().unwrap().iter().any(|person| person["user_id"] == grace), "{present}");
    let _second = Seat::open(&house, grace).await;
    drop(tonys);
    assert_eq!(watcher.next_presence().await, is(tony, "offline"));
    let person = watcher.ask("GetPresence", json!({"user_ids": [grace]})).await;
    assert_eq!(person["people"][0], json!({"user_id": grace, "state": "online"}));
    house.stop().await;
}

/// C08, V06: a peer that is there no more and says no farewell is found by its silence, and is offline for others a grace
/// time later. With the default times that is within 60 s, which `ttp::limits` asserts; here all of them are short.
#[tokio::test(flavor = "multi_thread")]
async fn c08_v06_a_pulled_plug_is_found() {
    let mut setup = Setup::default();
    setup.broadcast.presence_grace_ms = 200;
    setup.broadcast.tick_ms = 20;
    setup.broadcast.idle_timeout_ms = 2_000;
    let house = Installation::start_with(Form::Together, setup).await;
    let [ada, grace] = ids(&house, ["Ada", "Grace"]).await;
    let chat = seat::group(&house, ada, &[grace]).await;
    let mut watcher = Seat::open(&house, ada).await;
    let silent = Seat::open(&house, grace).await;
    assert_eq!(watcher.watch(&[grace]).await, [is(grace, "online")]);
    // The watcher goes on saying that it is there; the other end stays open, and says nothing.
    let told = within("the silence is found", async {
        loop {
            if let Some(told) = watcher.presence_within(100).await {
                return told;
            }
            watcher.ask("Ping", json!({})).await;
        }
    });
    assert_eq!(told.await, is(grace, "offline"));
    let seen = watcher.ask("GetPresence", json!({"user_ids": [grace]})).await;
    assert!(seen["people"][0]["last_seen_ts"].is_i64(), "{seen}");
    let room = watcher.ask("GetPresence", json!({"chat_id": chat})).await;
    assert_eq!(room["people"], json!([{"user_id": ada, "state": "online"}]));
    drop(silent);
    house.stop().await;
}

/// N08: people are watched and not watched any more in one request; who cannot be is named by the refusal, and nothing is
/// half done.
#[tokio::test(flavor = "multi_thread")]
async fn n08_one_request_watches_and_unwatches() {
    for form in FORMS {
        let house = house(form, 300).await;
        let [ada, grace, tony] = ids(&house, ["Ada", "Grace", "Tony"]).await;
        seat::group(&house, ada, &[grace, tony]).await;
        let mut watcher = Seat::open(&house, ada).await;
        watcher.watch(&[grace]).await;
        let twice = json!({"watch": [tony, grace], "unwatch": []});
        let refusal = watcher.refusal("WatchPresence", twice).await;
        assert_eq!((refusal["code"].as_i64(), &refusal["data"]["user_ids"]), (Some(-32009), &json!([grace])));
        let unknown = json!({"watch": [tony], "unwatch": [77, 78]});
        let refusal = watcher.refusal("WatchPresence", unknown).await;
        assert_eq!(
            (refusal["code"].as_i64(), &refusal["data"]["user_ids"]),
            (Some(-32009), &json!([77, 78]))
        );
        let many: Vec<i64> = (1_000..2_001).collect();
        assert_eq!(watcher.refusal("WatchPresence", json!({"watch": many})).await["code"], -32013);
        let both = watcher.ask("WatchPresence", json!({"watch": [tony], "unwatch": [grace]})).await;
        assert_eq!(
            both["people"],
            json!([{"user_id": tony, "state": "offline"}]),
            "neither had been watched"
        );
        let _graces = Seat::open(&house, grace).await;
        let _tonys = Seat::open(&house, tony).await;
        assert_eq!(watcher.next_presence().await, is(tony, "online"), "of Grace nothing is told");
        house.stop().await;
    }
}

/// N09, C08: one request asks about a thousand people, another about a chat; who is not in it is refused.
#[tokio::test(flavor = "multi_thread")]
async fn n09_one_request_asks_about_many() {
    for form in FORMS {
        let house = house(form, 300).await;
        let [ada, grace, tony, eve] = ids(&house, ["Ada", "Grace", "Tony", "Eve"]).await;
        let chat = seat::group(&house, ada, &[grace, tony]).await;
        let mut adas = Seat::open(&house, ada).await;
        let mut graces = Seat::open(&house, grace).await;
        let mut eves = Seat::open(&house, eve).await;
        graces.ask("SetPresence", json!({"state": "away"})).await;
        let mut users: Vec<i64> = (10_000..10_997).collect();
        users.extend([ada, grace, eve]);
        let seen = adas.ask("GetPresence", json!({"user_ids": users})).await;
        let seen = seen["people"].as_array().unwrap();
        assert_eq!(seen.len(), 1_000);
        let states: Vec<&str> = seen.iter().map(|person| person["state"].as_str().unwrap()).collect();
        assert_eq!(states[997..], ["online", "away", "offline"], "Eve shares no chat with Ada");
        assert!(states[..997].iter().all(|state| *state == "offline"));
        let room = adas.ask("GetPresence", json!({"chat_id": chat})).await;
        let here = json!([{"user_id": ada, "state": "online"}, {"user_id": grace, "state": "away"}]);
        assert_eq!(room["people"], here);
        assert_eq!(eves.refusal("GetPresence", json!({"chat_id": chat})).await["code"], -32003);
        assert_eq!(eves.refusal("GetPresence", json!({"chat_id": 999})).await["code"], -32003);
        users.push(tony);
        assert_eq!(adas.refusal("GetPresence", json!({"user_ids": users})).await["code"], -32013);
        assert_eq!(adas.refusal("GetPresence", json!({})).await["code"], -32602);
        house.stop().await;
    }
}

/// Of a stranger nothing is seen, whatever they do; of who begins to share a chat the truth, and of who ceases to,
/// nothing again.
#[tokio::test(flavor = "multi_thread")]
async fn strangers_see_nothing_and_people_of_one_chat_each_other() {
    for form in FORMS {
        let house = house(form, 300).await;
        let [ada, eve, tony, ann] = ids(&house, ["Ada", "Eve", "Tony", "Ann"]).await;
        let chat = seat::group(&house, ada, &[tony, ann]).await;
        let mut spy = Seat::open(&house, eve).await;
        let mut adas = Seat::open(&house, ada).await;
        assert_eq!(spy.watch(&[ada, tony, 999]).await.len(), 3);
        adas.ask("SetPresence", json!({"state": "away"})).await;
        seat::add(&house, chat, ada, eve).await;
        assert_eq!(spy.next_presence().await, is(ada, "away"), "the first that is told is what is so now");
        let seen = spy.ask("GetPresence", json!({"user_ids": [ada, tony]})).await;
        assert_eq!(seen["people"][0]["state"], "away");
        seat::remove(&house, chat, ada, eve).await;
        assert_eq!(spy.next_presence().await, is(ada, "offline"));
        let seen = spy.ask("GetPresence", json!({"user_ids": [ada]})).await;
        assert_eq!(seen["people"], json!([{"user_id": ada, "state": "offline"}]), "nor when it was");
        house.stop().await;
    }
}

/// What a person chooses shows at once; the most present device is what is seen; invisible is as good as not there, from
/// the first moment if that is said before.
#[tokio::test(flavor = "multi_thread")]
async fn people_choose_what_is_seen_of_them() {
    let house = house(Form::Together, 300).await;
    let [ada, grace, tony] = ids(&house, ["Ada", "Grace", "Tony"]).await;
    let chat = seat::group(&house, ada, &[grace, tony]).await;
    let mut watcher = Seat::open(&house, ada).await;
    watcher.watch(&[grace, tony]).await;
    let mut hidden = Seat::open_showing(&house, grace, "invisible").await;
    let _tonys = Seat::open(&house, tony).await;
    assert_eq!(watcher.next_presence().await, is(tony, "online"), "of Grace nothing was told");
    let room = watcher.ask("GetPresence", json!({"chat_id": chat})).await;
    assert_eq!(room["people"].as_array().unwrap().len(), 2, "{room}");
    let mut phone = Seat::open_showing(&house, grace, "away").await;
    assert_eq!(watcher.next_presence().await, is(grace, "away"));
    hidden.ask("SetPresence", json!({"state": "online"})).await;
    assert_eq!(watcher.next_presence().await, is(grace, "online"));
    hidden.ask("SetPresence", json!({"state": "invisible"})).await;
    assert_eq!(watcher.next_presence().await, is(grace, "away"));
    phone.ask("SetPresence", json!({"state": "invisible"})).await;
    assert_eq!(watcher.next_presence().await, is(grace, "offline"));
    let seen = watcher.ask("GetPresence", json!({"user_ids": [grace]})).await;
    assert!(seen["people"][0]["last_seen_ts"].is_i64(), "{seen}");
    house.stop().await;
}

/// N06: three streams of one person are one person to the bus: each hint comes to the broadcast-server once, and every
/// stream gets it.
#[tokio::test(flavor = "multi_thread")]
async fn n06_three_devices_cost_one_hint() {
    let mut setup = Setup::default();
    setup.broadcast.shards = 1;
    // What is repeated would be counted as well.
    setup.data.digest_interval = std::time::Duration::from_secs(3_600);
    let house = Installation::start_with(Form::Together, setup).await;
    let [ada, grace] = ids(&house, ["Ada", "Grace"]).await;
    let chat = seat::group(&house, ada, &[grace]).await;
    let mut devices =
        [Seat::open(&house, grace).await, Seat::open(&house, grace).await, Seat::open(&house, grace).await];
    let stats = || house.broadcast_stats.read();
    tests::until("one person has three streams", async || (stats().users, stats().streams) == (1, 3)).await;
    let before = house.broadcast_stats.work();
    seat::say(&house, chat, ada, "once").await;
    for device in &mut devices {
        assert_eq!(device.next_text().await, "once");
    }
    let after = || house.broadcast_stats.work();
    tests::until("it is counted", async || after().deliveries == before.deliveries + 3).await;
    assert_eq!(after().hints, before.hints + 1);
    house.stop().await;
}
