//! How long a page of `Sync` takes, from any cursor, in a database with a long history; and that the pages are complete.
//!
//! ```sh
//! TALKO_RESUME_MESSAGES=1000000 cargo test --release -p tests --test resume_time -- --nocapture
//! ```
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tests::chaos::servers::Dice;
use tests::load::Town;
use tests::load::figures::{asked, part};
use tests::load::house::{House, Processes};
use tests::{Wire, figures};
use ttp::limits::PAGE_ROWS_MAX;
use ttp::net::clock;

/// Messages of the short form.
const MESSAGES: u64 = 20_000;

/// From so many on, the time is held to the guarantee.
const MESSAGES_OF_THE_GUARANTEE: u64 = 1_000_000;
const FIRST_PAGE_MAX: Duration = Duration::from_millis(50);

const CHATS: i64 = 100;
const CHATS_OF_PERSON: i64 = 20;

/// G7: from any cursors, the pages hold all that is newer, in order and not more than a page at a time.
#[tokio::test(flavor = "multi_thread")]
async fn g7_a_page_from_any_cursor_is_quick_and_complete() {
    let messages = asked("TALKO_RESUME_MESSAGES", MESSAGES);
    let is_long = messages >= MESSAGES_OF_THE_GUARANTEE;
    let town = Town {
        people: 200,
        chats: CHATS,
        chats_of_person: CHATS_OF_PERSON,
        messages_of_chat: messages as i64 / CHATS,
        text_chars: 128,
    };
    let house = House::start(Processes::One, |path| town.build(path));
    let mut dice = Dice(7);
    let (mut first, mut later) = (Vec::new(), Vec::new());
    for resume in 0..if is_long { 300 } else { 20 } {
        let person = 1 + dice.below(town.people as u64) as i64;
        let mut wire = Wire::connect(house.data_address).await;
        wire.result("Hello", json!({"protocol": [2]})).await;
        wire.result("Authenticate", json!({"user_id": person})).await;
        // Some are almost there, some have most of it still before them.
        let behind = 1 + dice.below(if resume % 4 == 0 { town.head() } else { 200 });
        let mut cursors: BTreeMap<String, u64> = BTreeMap::new();
        for chat in town.chats_of(person) {
            cursors.insert(chat.to_string(), town.head() - dice.below(behind));
        }
        let missing: u64 = cursors.values().map(|cursor| town.head() - cursor).sum();
        let mut have = 0;
        for page in 0_usize.. {
            let begun = clock::now();
            let reply = wire.result("Sync", json!({"cursors": cursors})).await;
            let took = clock::now() - begun;
            if page == 0 { &mut first } else { &mut later }.push(took);
            have += take(&reply, &mut cursors);
            // Three pages of a long history tell as much as all of them.
            if reply.get("more").is_none() || page == 2 {
                assert!(have == missing || page == 2, "{have} of {missing}");
                break;
            }
        }
    }
    let [p50, p99] = [500, 990].map(|place| part(&first, place));
    let (later_pages, later_p99) = (later.len(), part(&later, 990));
    println!(
        "{} first pages: p50 {p50:?} p99 {p99:?}; {later_pages} later pages: p99 {later_p99:?}",
        first.len()
    );
    if is_long {
        let line = format!(
            "resume_first_page_p50_us={} resume_first_page_p99_us={}",
            p50.as_micros(),
            p99.as_micros()
        );
        figures::keep("resume_time", &line);
        assert!(p99 <= FIRST_PAGE_MAX, "{p99:?}");
    }
}

/// Takes a page: each chat's entries follow its cursor without a hole. How many there were.
fn take(reply: &Value, cursors: &mut BTreeMap<String, u64>) -> u64 {
    let entries = reply["entries"].as_array().unwrap();
    assert!(entries.len() <= PAGE_ROWS_MAX);
    for entry in entries {
        let cursor = cursors.get_mut(&entry["chat_id"].to_string()).expect("only chats of the person");
        assert_eq!(entry["seq"].as_u64(), Some(*cursor + 1));
        *cursor += 1;
    }
    entries.len() as u64
}
