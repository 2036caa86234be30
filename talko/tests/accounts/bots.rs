//! Bots from the shell: making and ending them, their tokens, and the pipeline of docs/BOTS.md.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::house::{House, Serving, mode, run, wait_for};

/// The pipeline of the document, as it stands there.
fn pipeline() -> &'static str {
    let document = include_str!("../../../docs/BOTS.md");
    let mut blocks = document.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.find(|block| block.contains("talko send --json")).unwrap()
}

/// A shell and everything that it has started.
struct Shell(Child);

impl Shell {
    fn start(serving: &Serving, home: &Path, script: &str) -> Self {
        let folder = Path::new(env!("CARGO_BIN_EXE_talko")).parent().unwrap();
        let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new("sh");
        command.env_clear().env("HOME", home).env("PATH", path).current_dir(home);
        command.env("TALKO_DATA_ADDRESS", serving.data_address()).args(["-c", script]).process_group(0);
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-s", "KILL", "--", &group]).status();
        let _ = self.0.wait();
    }
}

/// What was said in a chat, oldest first: by whom, and what.
fn said(serving: &Serving, home: &Path, chat_id: i64) -> Vec<(String, String)> {
    let params = format!("{{\"chat_id\":{chat_id}}}");
    let reply = serving.run(home, &["call", "GetMessages", &params], "");
    let reply: Value = serde_json::from_str(&reply.out).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let messages = reply["messages"].as_array().unwrap().iter();
    messages.map(|m| (text(&m["user"]["user_name"]), text(&m["message_text"]))).collect()
}

fn chat_of(serving: &Serving, home: &Path, bot: i64) -> i64 {
    let params = format!("{{\"user_ids\":[{bot}]}}");
    let made = serving.run(home, &["call", "InsertChat", &params], "");
    serde_json::from_str::<Value>(&made.out).unwrap()["chat"]["chat_id"].as_i64().unwrap()
}

/// A bot is made, its token is written into a file, and the document's pipeline answers for it: each message once, although it
/// is killed and begins again from the beginning.
#[test]
fn the_pipeline_of_the_document_answers_each_message_once() {
    let house = House::new();
    let home = house.home("ada");
    let serving = Serving::up(&home, &[]);
    serving.register(&home, "ada");
    let made = Shell::start(&serving, &home, "umask 077; talko bot new pong > pong.token 2> said");
    wait_for("the bot", || {
        std::fs::read_to_string(home.join("said")).is_ok_and(|said| said.contains("user 2"))
    });
    drop(made);
    assert_eq!(mode(&home.join("pong.token")), 0o600);
    let chat_id = chat_of(&serving, &home, 2);
    // From the beginning, so that it does not matter when the pipeline is there.
    let position = home.join("pong.position");
    std::fs::write(&position, "{}").unwrap();
    let first = Shell::start(&serving, &home, pipeline());
    let chat = chat_id.to_string();
    let pongs = |count: usize| {
        let said = said(&serving, &home, chat_id);
        said.iter().filter(|(user, text)| user == "pong" && text == "pong").count() == count
    };
    assert_eq!(serving.run(&home, &["send", &chat, "/ping"], "").code, 0);
    wait_for("the answer", || pongs(1));
    drop(first);
    std::fs::write(&position, "{}").unwrap();
    let _again = Shell::start(&serving, &home, pipeline());
    assert_eq!(serving.run(&home, &["send", &chat, "/ping"], "").code, 0);
    wait_for("the second answer", || !pongs(1));
    let texts: Vec<String> = said(&serving, &home, chat_id).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["/ping", "pong", "/ping", "pong"]);
}

/// What cannot be sent is told by its line, what is sent again is said once, and the exit code says the worst of it.
#[test]
fn lines_of_objects_are_sent_once_and_faults_are_told_by_line() {
    let house = House::new();
    let home = house.home("ada");
    let serving = Serving::up(&home, &[]);
    serving.register(&home, "ada");
    let token = serving.run(&home, &["bot", "new", "herald"], "");
    assert_eq!(token.code, 0, "{token:?}");
    let token = token.out.trim();
    std::fs::write(home.join("token"), format!("{token}\n")).unwrap();
    let chat_id = chat_of(&serving, &home, 2);
    let send = |arguments: &[&str], input: &str| {
        let arguments = [&["send", "--json", "--token-file", "token"], arguments].concat();
        run(&mut serving.command(&home, &arguments), input)
    };
    let good = format!("{{\"chat_id\":{chat_id},\"text\":\"it's  \\\"so\\\"\",\"key\":\"k1\"}}\n");
    assert_eq!(send(&[], &format!("{good}\n{good}")).code, 0);
    assert_eq!(send(&[], &good).code, 0);
    let answer = "{\"text\":\"yes\",\"reply_to\":2}\n";
    assert_eq!(send(&[&chat_id.to_string()], answer).code, 0);
    assert_eq!(
        said(&serving, &home, chat_id),
        [("herald".to_owned(), "it's  \"so\"".to_owned()), ("herald".into(), "yes".into())]
    );
    let refused = send(&[], &format!("{{\"chat_id\":999,\"text\":\"x\"}}\n{good}no object\n{answer}"));
    assert_eq!(refused.code, 4, "{refused:?}");
    for words in ["line 1: not sent: ", "line 3: ", "line 4: say which chat", "3 of 4 lines were not sent"] {
        assert!(refused.err.contains(words), "{words}: {}", refused.err);
    }
    assert_eq!(send(&[], "no object\n").code, 2);
    // The variable does as well as the file, and neither is the command line.
    let mut whoami = serving.command(&home, &["call", "GetBots"]);
    let told = run(whoami.env("TALKO_TOKEN", token), "");
    assert_eq!((told.code, told.out.trim()), (0, "{\"bots\":[]}"));
    let mut wrong = serving.command(&home, &["send", "--json"]);
    let told = run(wrong.env("TALKO_TOKEN", "tlk_0123"), &good);
    assert_eq!(told.code, 4);
    assert!(told.err.contains("talko bot token"), "{}", told.err);
    assert_eq!(send(&["--token-file", "nothing"], "").code, 2);
}

/// Bots are listed, given other tokens and ended by their owner.
#[test]
fn bots_are_listed_renewed_and_ended() {
    let house = House::new();
    let home = house.home("ada");
    let serving = Serving::up(&home, &[]);
    serving.register(&home, "ada");
    let first = serving.run(&home, &["bot", "new", "herald"], "");
    assert!(first.out.starts_with("tlk_") && !first.err.contains("tlk_"), "{first:?}");
    let listed = serving.run(&home, &["bot", "list"], "");
    assert!(listed.out.starts_with("2\therald\tsince "), "{listed:?}");
    let second = serving.run(&home, &["bot", "token", "herald"], "");
    let speaks = |token: &str| {
        let mut call = serving.command(&home, &["call", "GetChats"]);
        run(call.env("TALKO_TOKEN", token.trim()), "").code
    };
    assert_eq!((speaks(&first.out), speaks(&second.out)), (4, 0));
    serving.run(&home, &["bot", "end", "2"], "").is(0, "the bot herald has ended\n", "");
    assert_eq!(speaks(&second.out), 4);
    serving.run(&home, &["bot", "list"], "").is(0, "", "");
    let nobody = serving.run(&home, &["bot", "end", "herald"], "");
    assert_eq!(nobody.code, 2, "{nobody:?}");
}
