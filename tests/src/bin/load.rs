//! A load process: clients that are cut all at once and come back. The test that starts it speaks to it by lines:
//! `cut` says that what is lost from now on is the cut, `tell` asks for the figures, and the end of the input is the end.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a part of tests, which fail by panicking")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tests::load::returner::{Returner, Shared};
use tests::load::{Figures, Town};
use tokio::io::{AsyncBufReadExt, BufReader};

/// Clients come for the first time within so many milliseconds, one after another.
const ARRIVAL_MS: u64 = 2_000;

/// Arguments: both addresses, the first person, how many, and the town's people, chats, chats of a person and messages
/// of a chat, then the most that a client may be behind.
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |place: usize| arguments[place].parse::<i64>().unwrap();
    let (data_address, broadcast_address) = (arguments[0].parse().unwrap(), arguments[1].parse().unwrap());
    let (first, count, behind_max) = (number(2), number(3), number(8) as u64);
    let town = Town {
        people: number(4),
        chats: number(5),
        chats_of_person: number(6),
        messages_of_chat: number(7),
        text_chars: 0,
    };
    tests::need_open_files(2 * count as u64 + 100);
    let shared: &Shared = Box::leak(Box::default());
    for user_id in first..first + count {
        // Spread evenly, and repeatable.
        let behind = (user_id as u64 * 7_919) % (behind_max + 1);
        let returner = Returner {
            shared,
            data_address,
            broadcast_address,
            user_id,
            cursors: town.chats_of(user_id).into_iter().map(|chat| (chat, town.head())).collect(),
            head: town.head(),
            behind,
            data: None,
            is_complete: false,
            was_cut: false,
        };
        let arrival = Duration::from_millis(ARRIVAL_MS * (user_id - first) as u64 / count as u64);
        tokio::spawn(async move {
            tokio::time::sleep(arrival).await;
            returner.run().await;
        });
    }
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        match line.as_str() {
            "cut" => {
                for counter in [&shared.complete, &shared.attempts, &shared.lost, &shared.overloaded] {
                    counter.store(0, Ordering::Relaxed);
                }
                shared.completed_ms.lock().unwrap().clear();
                shared.is_cut.store(true, Ordering::Release);
            }
            "tell" => {}
            other => panic!("{other:?} is no word of ours"),
        }
        println!("{}", figures(shared));
    }
}

fn figures(shared: &Shared) -> Figures {
    let mut figures = Figures::default();
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    figures.note("complete", read(&shared.complete));
    figures.note("paged", read(&shared.paged));
    figures.note("heard", read(&shared.heard));
    figures.note("wrong", read(&shared.wrong));
    figures.note("attempts", read(&shared.attempts));
    figures.note("lost", read(&shared.lost));
    figures.note("overloaded", read(&shared.overloaded));
    figures.note("pages", read(&shared.pages));
    let mut times = shared.completed_ms.lock().unwrap().clone();
    times.sort_unstable();
    for (name, of_thousand) in [("p50_at_ms", 500), ("p99_at_ms", 990), ("last_at_ms", 1_000)] {
        figures.note(name, tests::load::figures::part(&times, of_thousand));
    }
    figures
}
