//! docs/PROTOCOL.md is true: every exchange in it is executed, and its tables list exactly what the source has.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use data_server::PasswordCost;
use serde_json::Value;
use tests::{Form, Installation, Setup, Wire};
use ttp::call::{BroadcastCall, DataCall};
use ttp::code::{Advice, CloseCode, ErrorCode};

const DOCUMENT: &str = include_str!("../../docs/PROTOCOL.md");

/// Members whose values differ from run to run: only their kind is compared.
const VOLATILE: &[&str] = &[
    "message_ts",
    "change_ts",
    "activity_ts",
    "created_ts",
    "used_ts",
    "expires_ts",
    "last_seen_ts",
    "epoch",
    "server",
    "broadcast_address",
];

/// Members that a server makes up and clients show it again. Numbers of these names are compared: codes of errors.
const MINTED: &[&str] = &["token", "code", "ticket"];

/// What stands in the document for something minted, and what the servers have minted instead.
type Minted = BTreeMap<String, String>;

/// Every documented frame is executed, over both forms of the servers (T68).
#[tokio::test(flavor = "multi_thread")]
async fn every_documented_exchange_happens() {
    for form in [Form::Together, Form::Apart] {
        let mut untrusting = Setup::default();
        untrusting.data.trust_user_ids = false;
        untrusting.data.password_cost = PasswordCost { memory_kib: 8, passes: 1, lanes: 1 };
        for (language, setup, lines_min) in [("ttp", Setup::default(), 60), ("ttp-accounts", untrusting, 80)]
        {
            let installation = Installation::start_with(form, setup).await;
            let mut lines = 0;
            let mut minted = Minted::new();
            for block in blocks(language) {
                let mut connections: BTreeMap<String, Wire> = BTreeMap::new();
                for line in block.lines() {
                    perform(&installation, &mut connections, &mut minted, line).await;
                    lines += 1;
                }
            }
            assert!(lines > lines_min, "only {lines} lines were found: the document's form has changed");
            installation.stop().await;
        }
    }
}

async fn perform(
    installation: &Installation,
    connections: &mut BTreeMap<String, Wire>,
    minted: &mut Minted,
    line: &str,
) {
    let mut words = line.splitn(3, ' ');
    let (name, arrow) = (words.next().unwrap(), words.next().unwrap());
    let payload = words.next().unwrap_or_default();
    if !connections.contains_key(name) {
        let wire = if name.starts_with("data") {
            installation.data_wire().await
        } else {
            assert!(name.starts_with("stream"), "{line}");
            installation.broadcast_wire().await
        };
        connections.insert(name.to_owned(), wire);
    }
    let wire = connections.get_mut(name).unwrap();
    match arrow {
        "→" => {
            let payload = minted.iter().fold(payload.to_owned(), |payload, (documented, real)| {
                payload.replace(documented.as_str(), real)
            });
            wire.send_payload(&payload).await;
        }
        "←" => {
            let received = wire.receive_text().await;
            let mut said: Value = serde_json::from_str(&received).unwrap();
            let mut documented: Value =
                serde_json::from_str(payload).unwrap_or_else(|error| panic!("{error}: {line}"));
            // Compared as text, since a 128-bit id would lose its digits as a value.
            if let Some((_, id)) = payload.rsplit_once("\"id\":").filter(|_| !payload.starts_with('[')) {
                assert!(received.ends_with(id), "the id of {line} came as {received}");
            }
            learn(&said, &documented, minted);
            blur(&mut said);
            blur(&mut documented);
            assert_eq!(said, documented, "\ndocumented: {payload}\nreceived:   {received}\n");
        }
        "✕" => assert!(wire.is_closed().await, "{line}"),
        _ => panic!("{line}"),
    }
}

/// Remembers what was minted, to send it where the document sends what stands for it.
fn learn(said: &Value, documented: &Value, minted: &mut Minted) {
    let (Value::Object(said), Value::Object(documented)) = (said, documented) else {
        return;
    };
    for (name, documented) in documented {
        match (said.get(name), documented) {
            (Some(Value::String(real)), Value::String(documented)) if MINTED.contains(&name.as_str()) => {
                minted.insert(documented.clone(), real.clone());
            }
            (Some(said), documented) => learn(said, documented, minted),
            (None, _) => {}
        }
    }
}

/// Replaces volatile values by their kind.
fn blur(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let is_minted = value.is_string() && MINTED.contains(&name.as_str());
                if is_minted || VOLATILE.contains(&name.as_str()) {
                    *value = Value::from(if value.is_i64() { "a number" } else { "a text" });
                } else {
                    blur(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(blur),
        _ => {}
    }
}

/// The fenced blocks of one language.
fn blocks(language: &str) -> Vec<&'static str> {
    let opening = format!("\n```{language}\n");
    DOCUMENT.split(&opening).skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect()
}

/// The rows of the table under a heading, cell by cell.
fn table(heading: &str) -> Vec<Vec<String>> {
    let (_, section) = DOCUMENT.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// T01: the documented bytes are what the encoder writes.
#[test]
fn t01_documented_frame_is_what_is_sent() {
    assert_eq!(blocks("bytes"), [std::str::from_utf8(&ttp::frame::encode(b"hello world")).unwrap()]);
}

#[test]
fn documented_methods_are_the_methods() {
    let mut documented = BTreeMap::new();
    for row in table("Methods") {
        for name in row[0].split(", ") {
            documented.insert(name.trim_matches('`').to_owned(), row[1].clone());
        }
    }
    let listed = |server: &str| -> Vec<String> {
        let here = documented.iter().filter(|(_, of)| *of == server || *of == "both");
        here.map(|(name, _)| name.clone()).collect()
    };
    let sorted = |names: &[&str]| {
        let mut names: Vec<String> = names.iter().map(ToString::to_string).collect();
        names.sort();
        names
    };
    assert_eq!(listed("data"), sorted(DataCall::METHODS));
    assert_eq!(listed("broadcast"), sorted(BroadcastCall::METHODS));
}

#[test]
fn documented_codes_are_the_codes() {
    let advice = |code: ErrorCode| match code.advice() {
        Advice::CorrectRequest => "correct the request",
        Advice::Authenticate => "authenticate, then repeat",
        Advice::GiveUp => "give up",
        Advice::RetryLater => "repeat after `data.retry_after_ms`",
        Advice::RetryWithSameKey => "repeat with the same key",
        Advice::ChangeVersion => "speak a version of `data.supported`",
    };
    let codes: Vec<Vec<String>> = ErrorCode::ALL
        .iter()
        .map(|code| {
            let number = format!("−{}", code.number().abs());
            vec![number, format!("{code:?}"), code.http_status().to_string(), advice(*code).into()]
        })
        .collect();
    assert_eq!(table("Error codes"), codes);
    let closes: Vec<Vec<String>> = CloseCode::ALL
        .iter()
        .map(|code| {
            let back = if code.reconnect() { "yes" } else { "no" };
            vec![code.number().to_string(), code.reason().into(), back.into()]
        })
        .collect();
    assert_eq!(table("Close codes"), closes);
}

#[test]
fn documented_limits_are_the_limits() {
    use ttp::limits as l;
    let spaced = |number: usize| {
        let digits = number.to_string();
        let groups: Vec<&str> =
            digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap()).collect();
        if number < 1_000 { digits.clone() } else { groups.join(" ") }
    };
    let limits: Vec<String> = table("Limits").into_iter().map(|row| row[1].clone()).collect();
    let expected = [
        format!("{} bytes", spaced(l::FRAME_BYTES_MAX)),
        // Before login, and to the broadcast-server.
        format!("{} bytes", spaced(l::FRAME_BYTES_MAX_BEFORE_LOGIN)),
        format!("{} bytes", spaced(l::FRAME_BYTES_MAX_BEFORE_LOGIN)),
        format!("{} bytes", spaced(l::FRAME_BYTES_MAX_ON_STREAM)),
        format!("{} levels", l::JSON_DEPTH_MAX),
        l::BATCH_REQUESTS_MAX.to_string(),
        l::IN_FLIGHT_MAX.to_string(),
        format!("{} bytes", spaced(l::REQUEST_ID_BYTES_MAX)),
        format!("{} bytes and {} characters", spaced(l::TEXT_BYTES_MAX), spaced(l::TEXT_CHARS_MAX)),
        format!("{} bytes and {} signs", l::EMOJI_BYTES_MAX, l::EMOJI_SIGNS_MAX),
        l::REACTIONS_PER_MESSAGE_MAX.to_string(),
        l::PINS_PER_CHAT_MAX.to_string(),
        l::DRAFTS_PER_USER_MAX.to_string(),
        l::BOTS_PER_OWNER_MAX.to_string(),
        l::MENTIONS_PER_MESSAGE_MAX.to_string(),
        l::CALL_ALL_USERS_MAX.to_string(),
        format!("{} bytes", spaced(l::FILE_CHUNK_BYTES_MAX)),
        format!("{} bytes, unless the operator says otherwise", spaced(l::ATTACHMENT_BYTES_MAX as usize)),
        l::ATTACHMENTS_PER_MESSAGE_MAX.to_string(),
        format!("{} bytes", l::FILE_NAME_BYTES_MAX),
        format!("{} bytes", l::MEDIA_TYPE_BYTES_MAX),
        l::UPLOADS_BEGUN_MAX.to_string(),
        l::UPLOADS_WAITING_MAX.to_string(),
        format!("{} h", l::UPLOAD_LIFETIME_MS / 3_600_000),
        format!("{} characters", l::NAME_CHARS_MAX),
        format!("{} characters", data_server::names::ACCOUNT_NAME_CHARS_MAX),
        format!("{} characters", l::ROOM_NAME_CHARS_MAX),
        format!("{} characters", l::TOPIC_CHARS_MAX),
        spaced(l::ROOM_USERS_MAX as usize),
        format!("{} days", spaced(l::RESTRICTION_MAX_MS as usize / (24 * 3_600_000))),
        format!("{} s to {} days", l::KEEP_MIN_MS / 1000, spaced(l::KEEP_MAX_MS as usize / (24 * 3_600_000))),
        spaced(l::KEEP_MESSAGES_MAX as usize),
        format!("{} characters to {} bytes", l::PASSWORD_CHARS_MIN, spaced(l::PASSWORD_BYTES_MAX)),
        format!("{} characters", l::DEVICE_CHARS_MAX),
        l::SESSIONS_PER_USER_MAX.to_string(),
        spaced(l::INVITATION_USES_MAX as usize),
        spaced(l::INVITATIONS_MAX),
        format!("{} bytes", l::CLIENT_KEY_BYTES_MAX),
        spaced(l::CHAT_USERS_MAX),
        format!("{} rows or {} KiB", l::PAGE_ROWS_MAX, l::PAGE_BYTES_MAX / 1024),
        spaced(l::ROOMS_SEARCHED_MAX),
        format!("{} characters and {} words", l::SEARCH_QUERY_CHARS_MAX, l::SEARCH_WORDS_MAX),
        format!("{} messages", l::SEARCH_HITS_MAX),
        l::STREAMS_PER_USER_MAX.to_string(),
        spaced(l::OUTLET_BYTES_MAX),
        spaced(l::CONNECTIONS_MAX),
        format!("{} s", l::OPENING_TIMEOUT_MS / 1000),
        format!("{} s", l::IDLE_TIMEOUT_MS / 1000),
        format!("{} s", l::STREAM_IDLE_TIMEOUT_MS / 1000),
        spaced(l::WATCHED_PEOPLE_MAX.min(l::PEOPLE_ASKED_MAX)),
        format!("{} in {} ms", l::PRESENCES_PER_DELIVERY_MAX, l::SIGNALS_INTERVAL_MS),
        format!("once in {} s", l::TYPING_INTERVAL_MS / 1000),
        l::TYPING_CHATS_MAX.to_string(),
        format!("{} in {} ms", l::TYPISTS_PER_DELIVERY_MAX, l::SIGNALS_INTERVAL_MS),
        spaced(l::TYPING_LISTENERS_MAX),
    ];
    assert_eq!(limits, expected);
}
