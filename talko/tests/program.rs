//! The real program as an operator and a script see it: starting, stopping, wrong usage, and the commands.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// No wait in a test is longer.
const DEADLINE: Duration = Duration::from_secs(30);

fn talko(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_talko"));
    command.env_clear().env("TALKO_TRUST_USER_IDS", "1").env("HOME", home).env("TZ", "UTC").current_dir(home);
    command
}

/// `talko up` on free ports, and a home in which it is the configured one.
struct Up {
    home: TempDir,
    child: Child,
    data_address: String,
    broadcast_address: String,
    ready: String,
}

impl Up {
    fn start(arguments: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), "127.0.0.1:0", arguments)
    }

    fn start_in(home: TempDir, data_address: &str, arguments: &[&str]) -> Self {
        let mut command = talko(home.path());
        command.args(["up", "--db", "talko.db", "--data-address", data_address]);
        command.args(["--broadcast-address", "127.0.0.1:0"]).args(arguments);
        let log = std::fs::File::create(home.path().join("log")).unwrap();
        Self::wait_ready(home, command.stdout(Stdio::piped()).stderr(log).spawn().unwrap())
    }

    fn wait_ready(home: TempDir, mut child: Child) -> Self {
        let mut ready = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut ready).unwrap();
        let after = |words: &str| {
            let (_, rest) = ready.split_once(words).unwrap_or_else(|| panic!("not ready: {ready:?}"));
            rest.split([',', '\n']).next().unwrap().to_owned()
        };
        let (data_address, broadcast_address) = (after("data-server on "), after("broadcast-server on "));
        Self { home, child, data_address, broadcast_address, ready }
    }

    /// A command that finds this installation.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = talko(self.home.path());
        command.env("TALKO_DATA_ADDRESS", &self.data_address);
        command.env("TALKO_BROADCAST_ADDRESS", &self.broadcast_address).args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().unwrap()
    }

    fn say(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("log")).unwrap()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The one sentence and the exit code of a command that must fail.
fn failure(command: &mut Command) -> (i32, String) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "it succeeded");
    assert!(!said.contains("panicked"), "{said}");
    (output.status.code().unwrap(), said)
}

/// T14: stopped and started again at once, on the same port, with everything it had.
#[test]
fn t14_starts_again_on_the_same_port_at_once() {
    let mut up = Up::start(&[]);
    let address = up.data_address.clone();
    up.say(&["user", "add", "Ada"]);
    up.signal("TERM");
    assert!(up.child.wait().unwrap().success(), "{}", up.log());
    let home = std::mem::replace(&mut up.home, tempfile::tempdir().unwrap());
    drop(up);
    let again = Up::start_in(home, &address, &[]);
    assert_eq!(again.say(&["user", "show", "Ada"]), "1\tAda\n");
}

/// T41: with a place for one, the second is told and closed, counted in the log, and the third is served.
#[test]
fn t41_t42_a_full_server_sheds_and_says_so() {
    let up = Up::start(&["--connections-max", "1"]);
    let address: SocketAddr = up.data_address.parse().unwrap();
    let ping = b"40        {\"jsonrpc\":\"2.0\",\"method\":\"Ping\",\"id\":1}";
    let first = connect(address);
    assert!(ask(&first, ping).contains("\"result\""));
    let second = connect(address);
    let mut told = String::new();
    (&second).read_to_string(&mut told).unwrap();
    assert!(told.contains("-32053") && told.contains("retry_after_ms"), "{told}");
    let peer = first.local_addr().unwrap().to_string();
    drop(first);
    let served = (0..).any(|_| {
        let third = connect(address);
        ask(&third, ping).contains("\"result\"")
    });
    assert!(served);
    let log = up.log();
    for (words, peer) in [
        ("connection accepted", &peer),
        ("connection shed", &second.local_addr().unwrap().to_string()),
        ("connection closed", &peer),
    ] {
        let line = log.lines().find(|line| line.contains(words) && line.contains(peer.as_str()));
        assert!(line.is_some(), "no {words:?} of {peer} in\n{log}");
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// One request, one reply or what came before the close.
fn ask(mut stream: &TcpStream, frame: &[u8]) -> String {
    let mut reply = vec![0; 4096];
    if stream.write_all(frame).is_err() {
        return String::new();
    }
    let received = stream.read(&mut reply).unwrap_or(0);
    String::from_utf8_lossy(&reply[..received]).into_owned()
}

/// T41: out of file descriptors the accept loop waits, and goes on when there are some again.
#[test]
fn t41_out_of_file_descriptors_is_no_end() {
    let home = tempfile::tempdir().unwrap();
    let log = std::fs::File::create(home.path().join("log")).unwrap();
    let mut shell = Command::new("sh");
    shell
        .env_clear()
        .env("TALKO_TRUST_USER_IDS", "1")
        .env("HOME", home.path())
        .current_dir(home.path())
        .args(["-c", "ulimit -n 64; exec \"$@\"", "-"]);
    shell.args([env!("CARGO_BIN_EXE_talko"), "up", "--db", "talko.db"]);
    shell.args(["--data-address", "127.0.0.1:0", "--broadcast-address", "127.0.0.1:0"]);
    let mut up = Up::wait_ready(home, shell.stdout(Stdio::piped()).stderr(log).spawn().unwrap());
    let address: SocketAddr = up.data_address.parse().unwrap();
    let crowd: Vec<TcpStream> = (0..100).map(|_| connect(address)).collect();
    while !up.log().contains("accept failed") {
        assert!(up.child.try_wait().unwrap().is_none(), "{}", up.log());
        std::thread::yield_now();
    }
    drop(crowd);
    up.say(&["user", "add", "Ada"]);
}

/// T42: the same three events as JSON.
#[test]
fn t42_logs_are_structured_on_request() {
    let up = Up::start(&["--log-format", "json"]);
    up.say(&["ping"]);
    let log = up.log();
    let accepted: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .filter(|line| line["fields"]["message"] == "connection accepted")
        .collect();
    assert!(!accepted.is_empty(), "{log}");
    let peer = accepted[0]["fields"]["peer"].as_str().unwrap();
    peer.parse::<SocketAddr>().unwrap();
}

/// T43: wrong combinations and wrong values: one sentence, exit code 2.
#[test]
fn t43_wrong_usage_is_told_in_a_sentence() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("wrong.toml"), "data_address = \"127.0.0.1:1\"\nshoe_size = 43\n")
        .unwrap();
    std::fs::write(home.path().join("forgetful.toml"), "session_days = 0\n").unwrap();
    let cases: &[(&[&str], &str)] = &[
        (&["up", "--insert-demo-chat"], "--recreate-db"),
        (&["send"], "<CHAT>"),
        (&["send", "chat", "text"], "--user"),
        (&["tail", "--since", "x", "--user", "Ada"], "--since"),
        (&["--line", "up"], "cannot be used with"),
        (&["send", "--db", "x", "chat"], "--db"),
        (&["up", "--data-address", "0.0.0.0:8889"], "must not be trusted"),
        (&["up", "--data-address", "nowhere"], "not an address"),
        (
            &["up", "--trust-user-ids", "--broadcast-address", "0.0.0.0:1", "--data-address", "127.0.0.1:0"],
            "loopback",
        ),
        (&["up", "--log-level", "loud"], "log_level"),
        (&["up", "--config", "missing.toml"], "missing.toml"),
        (&["up", "--config", "wrong.toml"], "line 2"),
        (&["call", "GetUser", "{"], "not JSON"),
        (&["dance"], "dance"),
        (&["up", "--config", "forgetful.toml"], "session_days"),
        (&["up", "--connections-max", "0"], "connections_max"),
        (
            &["up", "--data-address", "127.0.0.1:1", "--broadcast-address", "127.0.0.1:1"],
            "each needs its own",
        ),
        (
            &["up", "--db", ".", "--data-address", "127.0.0.1:0", "--broadcast-address", "127.0.0.1:0"],
            "is a directory",
        ),
        (&["up", "--data-address", ""], "--data-address"),
    ];
    for (arguments, words) in cases {
        let (code, said) = failure(talko(home.path()).args(*arguments));
        assert_eq!(code, 2, "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?} said: {said}");
    }
}

#[test]
fn unreachable_and_refusing_servers_have_exit_codes_of_their_own() {
    let home = tempfile::tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (code, said) = failure(talko(home.path()).args(["user", "show", "Ada", "--data-address", &free]));
    assert_eq!(code, 3, "{said}");
    assert!(said.contains(&free), "{said}");
    let up = Up::start(&[]);
    let (code, said) = failure(&mut up.command(&["user", "show", "Nobody"]));
    assert_eq!(code, 4, "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

/// A port in use: who should be stopped.
#[test]
fn a_port_in_use_says_who_listens_there() {
    let home = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, said) = failure(talko(home.path()).args(["up", "--data-address", &address]));
    assert_eq!(code, 1);
    assert!(said.contains("in use") && said.contains("--data-address"), "{said}");
    if cfg!(target_os = "linux") {
        assert!(said.contains(&format!("process {}", std::process::id())), "{said}");
    }
}

/// T43, T44: recreated on demand with the demo chat of two people; the old file is kept.
#[test]
fn t44_the_database_is_recreated_on_demand() {
    let mut up = Up::start(&[]);
    up.say(&["user", "add", "Ada"]);
    up.signal("INT");
    assert!(up.child.wait().unwrap().success());
    let home = std::mem::replace(&mut up.home, tempfile::tempdir().unwrap());
    let up = Up::start_in(home, "127.0.0.1:0", &["--recreate-db", "--insert-demo-chat"]);
    let (code, _) = failure(&mut up.command(&["user", "show", "Ada"]));
    assert_eq!(code, 4, "the database is a new one");
    let chats = up.say(&["call", "GetChats", "--user", "Eugen Hotaj"]);
    let chats: Value = serde_json::from_str(&chats).unwrap();
    assert_eq!(chats["chats"][0]["chat_name"], "Joe Rogan");
    assert!(up.home.path().join("talko.db.previous").exists());
}

/// The commands of a script: send, tail, call.
#[test]
fn messages_are_sent_and_followed_from_the_shell() {
    let up = Up::start(&[]);
    up.say(&["user", "add", "Ada"]);
    up.say(&["user", "add", "Грейс"]);
    let mut tail = up.command(&["tail", "--json", "--user", "Грейс"]).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(tail.stdout.take().unwrap());
    // The follower may not be live yet, so it is written to until it has heard something.
    let heard =
        std::thread::spawn(move || lines.lines().map_while(Result::ok).find(|l| l.contains("message")));
    let mut sent = 0;
    while !heard.is_finished() {
        sent += 1;
        up.say(&["send", "Грейс", "привет", "🌮", &sent.to_string(), "--user", "Ada"]);
    }
    let entry: Value = serde_json::from_str(&heard.join().unwrap().unwrap()).unwrap();
    assert_eq!(entry["change"]["message"]["user"]["user_name"], "Ada");
    tail.kill().unwrap();
    tail.wait().unwrap();
    let mut piped = up.command(&["send", "Ada", "--user", "Грейс"]).stdin(Stdio::piped()).spawn().unwrap();
    piped.stdin.take().unwrap().write_all("one\ntwo\n\nthree".as_bytes()).unwrap();
    assert!(piped.wait().unwrap().success());
    let reply = up.say(&["call", "GetMessages", r#"{"chat_id":2}"#, "--user", "Ada"]);
    let reply: Value = serde_json::from_str(&reply).unwrap();
    let texts: Vec<&str> =
        reply["messages"].as_array().unwrap().iter().map(|m| m["message_text"].as_str().unwrap()).collect();
    assert_eq!(texts[texts.len() - 3..], ["one", "two", "three"]);
    assert_eq!(texts.len(), sent + 3);
    let since = (texts.len() - 2).to_string();
    let mut tail = up
        .command(&["tail", "Ada", "--since", &since, "--user", "Грейс"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().ends_with("Грейс: one"));
    tail.kill().unwrap();
    tail.wait().unwrap();
    let mut tail = up
        .command(&["tail", "--since", "0", "--json", "--user", "Ada"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    let seqs: Vec<Value> = (0..texts.len() + 1)
        .map(|_| serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap()["seq"].clone())
        .collect();
    assert_eq!(seqs, (1..=texts.len() + 1).map(Value::from).collect::<Vec<_>>());
    tail.kill().unwrap();
    tail.wait().unwrap();
}

/// Settings: flags over environment over file over defaults, each with its origin.
#[test]
fn config_says_where_each_value_is_from() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(
        home.path().join("talko.toml"),
        "connections_max = 7\nuser = \"Ada\"\nlog_level = \"warn\"\n",
    )
    .unwrap();
    let output = talko(home.path())
        .args(["config", "--config", "talko.toml", "--db", "here.db"])
        .env("TALKO_LOG_LEVEL", "debug")
        .env("TALKO_HTTP_ADDRESS", "127.0.0.1:8080")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<Vec<&str>> = said.lines().map(|line| line.split_whitespace().collect()).collect();
    for row in [
        ["db", "here.db", "flag"],
        ["log_level", "debug", "environment"],
        ["http_address", "127.0.0.1:8080", "environment"],
        ["connections_max", "7", "talko.toml"],
        ["user", "Ada", "talko.toml"],
        ["data_address", "127.0.0.1:8889", "default"],
    ] {
        assert!(rows.contains(&row.to_vec()), "no {row:?} in\n{said}");
    }
}

/// Whoever read the output may go away: no panic, no word, no failure.
#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let up = Up::start(&[]);
    up.say(&["user", "add", "Ada"]);
    for arguments in [
        &["config"][..],
        &["completions", "bash"],
        &["user", "show", "Ada"],
        &["call", "GetChats", "--user", "Ada"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = up
            .command(arguments)
            .stdin(Stdio::null())
            .stdout(writer)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
    }
}

#[test]
fn completions_are_printed_for_each_shell() {
    let home = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let output = talko(home.path()).args(["completions", shell]).output().unwrap();
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(script.contains("talko") && script.contains("broadcast-server"), "{shell}");
    }
}

/// SIGTERM: streams are told, the process ends with 0 within its drain time.
#[test]
fn a_signal_drains() {
    let mut up = Up::start(&["--drain-timeout-ms", "5000"]);
    let address: SocketAddr = up.broadcast_address.parse().unwrap();
    up.say(&["user", "add", "Ada"]);
    let mut stream = connect(address);
    for payload in [
        r#"{"jsonrpc":"2.0","method":"Hello","params":{"protocol":[2]},"id":1}"#,
        r#"{"jsonrpc":"2.0","method":"OpenStream","params":{"user_id":1},"id":2}"#,
    ] {
        let frame = format!("{:<10}{payload}", payload.len());
        assert!(ask(&stream, frame.as_bytes()).contains("\"result\""));
    }
    up.signal("TERM");
    let mut last = String::new();
    stream.read_to_string(&mut last).unwrap();
    assert!(last.contains("going_away") && last.contains("\"reconnect\":true"), "{last}");
    assert!(up.child.wait().unwrap().success(), "{}", up.log());
}

/// T45: the same methods over plain TCP and over HTTP; the request is the one of docs/PROTOCOL.md.
#[test]
fn t45_the_same_methods_over_http() {
    let up = Up::start(&["--http-address", "127.0.0.1:0"]);
    let address: SocketAddr =
        up.ready.split("http on ").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
    up.say(&["user", "add", "Грейс"]);
    let document = include_str!("../../docs/PROTOCOL.md");
    let documented = document.split("```http\n").nth(1).unwrap().split("\n```").next().unwrap();
    let (head, body) = documented.split_once("\n\n").unwrap();
    let request = format!("{}\r\nConnection: close\r\n\r\n{body}", head.replace('\n', "\r\n"));
    let mut stream = connect(address);
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let said: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(said["id"], "h");
    let over_tcp: Value = serde_json::from_str(&up.say(&["call", "GetUser", r#"{"user_id":1}"#])).unwrap();
    assert_eq!(said["result"], over_tcp);
    let foreign = request.replace("\r\nConnection", "\r\nOrigin: http://evil.example\r\nConnection");
    let mut stream = connect(address);
    stream.write_all(foreign.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
}
