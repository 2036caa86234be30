//! Many people who come and go: how much of it others are told.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use tests::{Form, within};
use ttp::limits::SIGNALS_INTERVAL_MS;
use ttp::net::clock;

use crate::seat::{self, Seat, house, ids};

/// People who are watched, and those of them who cannot make up their minds.
const PEOPLE: usize = 40;
const FLAPPING: usize = 20;

/// How often each of these changes.
const CHANGES: usize = 200;

/// N08: of people who change as fast as they can, a watcher is told each at most once in each interval; who stays as they
/// are is not mentioned, and in the end everybody is seen as they are.
#[tokio::test(flavor = "multi_thread")]
async fn n08_the_events_of_a_flapping_crowd_stay_within_the_bound() {
    let house = house(Form::Together, 300).await;
    let names: [String; PEOPLE] = std::array::from_fn(|place| format!("person {place}"));
    let people = ids(&house, names.each_ref().map(String::as_str)).await;
    let [ada] = ids(&house, ["Ada"]).await;
    seat::group(&house, ada, &people).await;
    let mut watcher = Seat::open(&house, ada).await;
    let mut seats = Vec::new();
    for user in people {
        seats.push((user, Seat::open(&house, user).await));
    }
    let seen = watcher.watch(&people).await;
    assert!(seen.iter().all(|(_, state)| state == "online"), "{seen:?}");
    let began = clock::now();
    let flapping: Vec<_> = seats
        .drain(..FLAPPING)
        .map(|(_, mut seat)| {
            tokio::spawn(async move {
                for change in 0..CHANGES {
                    let state = ["away", "online"][change % 2];
                    seat.ask("SetPresence", json!({"state": state})).await;
                }
                seat.ask("SetPresence", json!({"state": "away"})).await;
                seat
            })
        })
        .collect();
    let mut seats = Vec::new();
    for flapping in flapping {
        seats.push(within("the changes", flapping).await.unwrap());
    }
    let mut told = BTreeMap::new();
    let mut events = 0;
    let is_over =
        |told: &BTreeMap<i64, String>| told.len() == FLAPPING && told.values().all(|state| state == "away");
    within("everybody is seen as they are", async {
        // One who is told to be away may have been online since: then the last word is still to come.
        loop {
            match watcher.presence_within(2 * SIGNALS_INTERVAL_MS).await {
                Some((user, state)) => {
                    told.insert(user, state);
                    events += 1;
                }
                None if is_over(&told) => break,
                None => {}
            }
        }
    })
    .await;
    let intervals = (clock::now() - began).div_duration_f64(Duration::from_millis(SIGNALS_INTERVAL_MS));
    let bound = FLAPPING * (intervals as usize + 2);
    println!("{events} events of {} changes, in {intervals:.1} intervals", FLAPPING * CHANGES);
    assert!(events <= bound, "{events} events, and {bound} are the most");
    assert!(told.keys().all(|user| people[..FLAPPING].contains(user)), "nobody else was mentioned");
    house.stop().await;
}
