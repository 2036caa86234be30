//! A part of the program panics while somebody chats in the full screen and the servers run in the same process: the
//! terminal is given back with what went wrong on it, and nothing that was acknowledged is lost.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::TcpListener;

use pty::Terminal;
use tests::binary::{at_home, talko, talko_with_failpoints};

/// F34, G01: with `talko` itself, which is client and servers in one.
#[test]
fn f34_a_panic_gives_the_terminal_back_and_loses_nothing() {
    let home = tempfile::tempdir().unwrap();
    let database = home.path().join("talko.db");
    let database = database.to_str().unwrap();
    let listeners = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    let [data, broadcast] = listeners.map(|listener| listener.local_addr().unwrap().to_string());
    let arguments =
        ["--user", "Ada", "--db", database, "--data-address", &data, "--broadcast-address", &broadcast];
    let mut command = at_home(talko_with_failpoints(), home.path());
    command.env("TERM", "xterm-256color").env("LANG", "C.UTF-8").env("TALKO_TRUST_USER_IDS", "1");
    let mut ada = Terminal::start(command.args(arguments), 24, 80);
    ada.sees("online");
    let added = at_home(talko(), home.path())
        .env("TALKO_TRUST_USER_IDS", "1")
        .args(["user", "add", "Bob", "--data-address", &data])
        .output()
        .unwrap();
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    ada.types("/new Bob\r");
    ada.sees("┌ Bob ");
    ada.types("said before\r");
    ada.sees("Ada: said before");
    ada.signal("USR1");
    assert_eq!(ada.ends(), 1);
    assert!(ada.is_restored());
    ada.sees("as the test has ordered");
    for question in [["check", database].as_slice(), &["export", "-", "--db", database]] {
        let answer = at_home(talko(), home.path()).args(question).output().unwrap();
        let said = String::from_utf8_lossy(&answer.stdout);
        assert!(answer.status.success(), "{said}{}", String::from_utf8_lossy(&answer.stderr));
        assert!(question[0] == "check" || said.contains("said before"), "{said}");
    }
}
