//! Servers that are wrong on purpose. The checks that sound servers pass must catch each of them, or they prove
//! nothing.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use tests::chaos::report::Report;
use tests::chaos::servers::Pair;
use tests::chaos::{self, Plan};
use tests::figures;
use ttp::limits::STREAM_SILENCE_MAX_MS;

/// Sound servers let readers catch up in a fifth of this.
const PATIENCE: Duration = Duration::from_secs(6);

/// Notes for the report that this mutant was caught.
fn caught(mutant: &str) {
    figures::keep(&format!("mutants.{mutant}"), "mutants_caught=1/1");
}

/// So many kills, over servers with this fault. After 24 every shot has fallen, after 40 twice.
async fn run(mutant: &'static str, kills: usize) -> Report {
    run_with(7, mutant, kills).await
}

async fn run_with(seed: u64, mutant: &'static str, kills: usize) -> Report {
    let plan = Plan { mutant: Some(mutant), patience: PATIENCE, ..Plan::sound(seed, kills) };
    let report = chaos::run(plan).await;
    println!("{mutant}: {report}");
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_before_the_commit_is_caught() {
    // The answer must outrun the death, which on a busy machine it may not in any of 40.
    let mut report = run("ack_before_commit", 40).await;
    for seed in 8..11 {
        if report.lost() == 0 {
            report = run_with(seed, "ack_before_commit", 40).await;
        }
    }
    assert!(report.lost() > 0, "{report}");
    caught("ack_before_commit");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_unique_key_is_caught() {
    let report = run("no_unique_key", 24).await;
    assert!(report.doubled() > 0, "{report}");
    caught("no_unique_key");
}

#[tokio::test(flavor = "multi_thread")]
async fn delivery_without_catching_up_is_caught() {
    let report = run("publish_only", 4).await;
    assert!(report.gaps() > 0, "{report}");
    caught("publish_only");
}

/// T35, G9: all streams of one person hear.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_stream_that_silences_the_first_is_caught() {
    assert!(all_streams_hear(None).await, "a sound broadcast-server silenced a stream");
    assert!(!all_streams_hear(Some("last_stream_wins")).await, "not caught");
    caught("last_stream_wins");
}

/// Opens streams of a listener, more than there are shards, says something, and waits for each to hear it.
async fn all_streams_hear(mutant: Option<&'static str>) -> bool {
    let count = 2 * std::thread::available_parallelism().map_or(1, usize::from);
    let home = tempfile::tempdir().unwrap();
    let mut pair = Pair::start(home.path(), 0);
    pair.mutate(mutant);
    pair.disarm();
    let (speaker, user) = chaos::person(&pair, "speaker", tests::DEADLINE).await;
    let (_, listener) = chaos::person(&pair, "listener", tests::DEADLINE).await;
    let chat_id = speaker.insert_chat("", &[user.user_id, listener.user_id]).await.unwrap().chat_id;
    let mut streams = Vec::new();
    for _ in 0..count {
        let mut stream = tests::Wire::connect(pair.broadcast_address()).await;
        tests::until("the directory answers", async || {
            let open = serde_json::json!({"user_id": listener.user_id});
            stream.call("OpenStreamRequest", open).await.get("error").is_none()
        })
        .await;
        streams.push(stream);
    }
    speaker.insert_message(chat_id, "to all of you").await.unwrap();
    for stream in &mut streams {
        if tokio::time::timeout(PATIENCE, stream.receive()).await.is_err() {
            return false;
        }
    }
    true
}

/// G12, G13: what waits for a reader that stands still is bounded. The check is memory, since that is the promise.
#[tokio::test(flavor = "multi_thread")]
async fn an_unbounded_outlet_is_caught() {
    /// The outlet of 1 MiB, its allocations, and the hints of a turn.
    const GROWTH_KIB_MAX: u64 = 16 * 1024;
    const ATTEMPTS_MAX: usize = 4;
    let sound = growth_by_a_standing_reader(None).await;
    assert!(sound <= GROWTH_KIB_MAX, "a sound broadcast-server grew by {sound} KiB");
    // A busy machine may say so little in the time for which the kernel keeps a reader that takes nothing.
    let mut mutant = 0;
    for _ in 0..ATTEMPTS_MAX {
        mutant = growth_by_a_standing_reader(Some("unbounded_outlet")).await;
        if mutant > GROWTH_KIB_MAX {
            break;
        }
    }
    println!("unbounded_outlet: sound_growth_kib={sound} mutant_growth_kib={mutant}");
    assert!(mutant > GROWTH_KIB_MAX, "not caught: it grew by {mutant} KiB");
    caught("unbounded_outlet");
}

/// By how many KiB a broadcast-server grows while 48 MB are said to somebody who does not read.
async fn growth_by_a_standing_reader(mutant: Option<&'static str>) -> u64 {
    let home = tempfile::tempdir().unwrap();
    let mut pair = Pair::start(home.path(), 0);
    pair.mutate(mutant);
    pair.disarm();
    let speaker = chaos::person(&pair, "speaker", tests::DEADLINE).await;
    let sleeper = chaos::person(&pair, "sleeper", tests::DEADLINE).await;
    let users = [speaker.1.user_id, sleeper.1.user_id];
    let chat_id = speaker.0.insert_chat("room", &users).await.unwrap().chat_id;
    let mut stream = tests::Wire::connect(pair.broadcast_address()).await;
    stream.result("Hello", serde_json::json!({"protocol": [2]})).await;
    tests::until("the directory answers", async || {
        let open = serde_json::json!({"user_id": sleeper.1.user_id});
        stream.call("OpenStream", open).await.get("error").is_none()
    })
    .await;
    let before = pair.broadcast_peak_kib();
    let text = "z".repeat(16_000);
    let speaking = (0..8).map(|_| {
        let (client, text) = (speaker.0.clone(), text.clone());
        tokio::spawn(async move {
            for _ in 0..375 {
                client.insert_message(chat_id, &text).await.unwrap();
            }
        })
    });
    // Who stands still says from time to time that it is there, or its stream would end as one that vanished.
    let speaking: Vec<_> = speaking.collect();
    let standing = tokio::spawn(async move {
        loop {
            stream.send_payload(r#"{"jsonrpc":"2.0","method":"Ping","params":{},"id":9}"#).await;
            tokio::time::sleep(Duration::from_millis(STREAM_SILENCE_MAX_MS / 5)).await;
        }
    });
    for speaking in speaking {
        speaking.await.unwrap();
    }
    standing.abort();
    pair.broadcast_peak_kib() - before
}

/// Those of the broadcast-server's tests that find it out without waiting: one of the hint, one of the directory.
const SESSION_TESTS: [&str; 2] = ["r18_an_ended_session_ends", "r18_a_ticket_from_before_the_end"];

/// R18, G20: a stream ends with its session. The checks are the broadcast-server's own, run once more against a server
/// that hears neither the hint nor the directory about it.
#[test]
fn a_stream_that_outlives_its_session_is_caught() {
    assert_eq!(failing(SESSION_TESTS, None), 0, "a sound broadcast-server fails");
    assert_eq!(failing(SESSION_TESTS, Some("ignore_ended")), SESSION_TESTS.len(), "not caught");
    caught("ignore_ended");
}

/// How many of these tests of the broadcast-server fail.
fn failing(tests: [&str; 2], mutant: Option<&str>) -> usize {
    let mut cargo = std::process::Command::new(env!("CARGO"));
    cargo.args([
        "test",
        "--quiet",
        "--package",
        "broadcast-server",
        "--features",
        "mutants",
        "--test",
        "sockets",
    ]);
    cargo.arg("--").args(tests).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = cargo.env("TALKO_MUTANT", mutant.unwrap_or_default()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("running 2 tests"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said.lines().filter(|line| line.starts_with("    sessions::")).count()
}

/// Rights that are not checked, each with the method, and of its cells in the matrix those that must then be wrong.
const RIGHTS: [(&str, &str, &str); 5] = [
    ("no_session_check", "GetMessages", "Revoked"),
    ("anybody_removes", "RemoveParticipant", "Member"),
    ("id_from_params", "InsertMessage", "Guest"),
    ("strangers_read", "GetMessages", "Stranger"),
    ("numbers_open", "OpenStream", "Nobody"),
];

/// G20, R18, T30: the matrix of rights finds servers that check too little, and open streams find one that does not see
/// who has left.
#[test]
fn rights_that_are_not_checked_are_caught() {
    const MATRIX: &str = "g20_nobody_may_more_than_the_table_says";
    const STREAMS: &str = "g20_open_streams_hear_while_the_right_lasts";
    for (test, method) in [(MATRIX, "GetMessages"), (STREAMS, "")] {
        let (passes, said) = rights(test, method, None);
        assert!(passes, "sound servers fail: {said}");
    }
    for (mutant, method, actor) in RIGHTS {
        let (passes, said) = rights(MATRIX, method, Some(mutant));
        let wrong: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("wrong: ")).collect();
        println!("{mutant}: {} cells of {method} are wrong", wrong.len());
        let is_found = wrong.iter().any(|cell| cell.starts_with(&format!("{actor}: {method} ")));
        assert!(is_found && !passes, "{mutant} is not caught: {wrong:?}");
        caught(mutant);
    }
    assert!(!rights(STREAMS, "", Some("leavers_hear")).0, "leavers_hear is not caught");
    caught("leavers_hear");
}

/// Whether this test of rights passes, and what it says. Of the matrix the rows of one method are tried.
fn rights(test: &str, method: &str, mutant: Option<&str>) -> (bool, String) {
    let mut cargo = std::process::Command::new(env!("CARGO"));
    cargo.args(["test", "--quiet", "--package", "tests", "--features", "mutants", "--test", "rights"]);
    cargo.args(["--", test, "--nocapture"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo.env("TALKO_RIGHTS_METHOD", method).env("TALKO_MUTANT", mutant.unwrap_or_default());
    let output = cargo.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("running 1 test"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    (output.status.success(), said)
}
