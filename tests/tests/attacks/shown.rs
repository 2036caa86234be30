//! F17: what names and texts can do to the terminal of whoever reads them. They are stored as they are, and `talko`
//! shows nothing that a terminal would obey.

use std::io::{Read, Seek, SeekFrom, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::json;
use tests::binary::{Process, command};
use tests::{Wire, figures, until};

/// Clears the screen, sets the title, asks for a reply that is typed in; one-byte controls; marks that reorder and hide.
const EVIL: &str = "a\u{1b}[2J\u{1b}]0;title\u{7}\u{1b}[6n\u{9b}31m\u{90}q\u{85}\u{8}\r\u{202e}txt\u{2066}\u{200b}\u{7f}\u{feff}z";

/// The last message, by which a reader knows that it has seen all.
const LAST: &str = "the end";

/// What nobody's terminal may get. Line breaks end lines.
fn is_dangerous(char: char) -> bool {
    (char.is_control() && char != '\n' && char != '\t')
        || matches!(char, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A program that is not left behind when a test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a command writes to its two outputs until it ends, or until it has been shown everything: one that follows
/// goes on for ever.
async fn output(home: &Path, addresses: &[SocketAddr; 2], arguments: &[&str], typed: &str) -> String {
    let mut program = command(home);
    program.args(arguments);
    program.args(["--data-address", &addresses[0].to_string()]);
    program.args(["--broadcast-address", &addresses[1].to_string()]);
    let mut written = tempfile::tempfile().unwrap();
    let both = || Stdio::from(written.try_clone().unwrap());
    let program = program.stdin(Stdio::piped()).stdout(both()).stderr(both());
    let mut running = Running(program.spawn().unwrap());
    let mut keyboard = running.0.stdin.take().unwrap();
    keyboard.write_all(typed.as_bytes()).unwrap();
    drop(keyboard);
    let follows = arguments[0] == "tail";
    let mut shown = String::new();
    until("the end of what is shown", async || {
        shown.clear();
        let has_ended = running.0.try_wait().unwrap().is_some();
        written.seek(SeekFrom::Start(0)).unwrap();
        written.read_to_string(&mut shown).expect("what is shown is UTF-8");
        has_ended || (follows && shown.contains(LAST))
    })
    .await;
    shown
}

/// G18: names and texts full of controls come back as they were stored, and no command shows one of them raw.
#[tokio::test(flavor = "multi_thread")]
async fn g18_what_a_terminal_obeys_is_stored_and_never_shown() {
    let home = tempfile::tempdir().unwrap();
    let mut up = command(home.path());
    up.args(["up", "--db", "talko.db", "--log-level", "error", "--trust-user-ids"]);
    up.args(["--data-address", "127.0.0.1:0", "--broadcast-address", "127.0.0.1:0"]);
    let server = Process::start(&mut up);
    let addresses = [server.address_after("data-server on "), server.address_after("broadcast-server on ")];
    let mut wire = Wire::connect(addresses[0]).await;
    wire.result("InsertUser", json!({"user_name": "victim"})).await;
    let evil = wire.result("InsertUser", json!({"user_name": EVIL})).await["user"].clone();
    assert_eq!(evil["user_name"], EVIL, "stored as it is");
    let chat =
        wire.result("InsertChat", json!({"chat_name": EVIL, "user_ids": [1, 2]})).await["chat"].clone();
    let chat = if chat["is_private"] == true {
        let third = wire.result("InsertUser", json!({"user_name": "third"})).await["user"]["user_id"].clone();
        wire.result("InsertChat", json!({"chat_name": EVIL, "user_ids": [1, 2, third]})).await["chat"].clone()
    } else {
        chat
    };
    assert_eq!(chat["chat_name"], EVIL);
    let sent = json!({"chat_id": chat["chat_id"], "user_id": 2, "message_text": EVIL});
    assert_eq!(wire.result("InsertMessage", sent).await["message"]["message_text"], EVIL);
    let last = json!({"chat_id": chat["chat_id"], "user_id": 2, "message_text": LAST});
    wire.result("InsertMessage", last).await;
    let mut shown = 0;
    for (arguments, typed) in [
        (&["tail", "--user", "victim", "--since", "0"][..], ""),
        (&["tail", "--user", "victim", "--json", "--since", "0"], ""),
        (&["--user", "victim", "--line"], "/chats\n/open 1\n/open 2\n/quit\n"),
        (&["user", "show", EVIL], ""),
        (&["call", "--user", "victim", "GetChats", r#"{"user_id":1}"#], ""),
        // An error that repeats what it was given.
        (&["send", "--user", "victim", "no such chat: title\u{9b}\u{202e}", "text"], ""),
    ] {
        let output = output(home.path(), &addresses, arguments, typed).await;
        assert!(output.contains("title"), "{arguments:?} does not show it: {output:?}");
        if let Some(char) = output.chars().find(|char| is_dangerous(*char)) {
            panic!("{arguments:?} shows {char:?} in {output:?}");
        }
        shown += output.len();
    }
    figures::keep("abuse.shown", &format!("evil_shown_bytes={shown} evil_shown_raw=0"));
}
