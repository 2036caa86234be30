//! Windows of every size, pasted text, signals, and the person's own keys and colours.

use crate::stage::{TRUSTING, free_ports, open, open_in_shell, serve, wait_for_port};

/// T57: a storm of resizes, down to nothing and back.
#[test]
fn t57_resizing_keeps_it_usable() {
    let home = tempfile::tempdir().unwrap();
    let mut ada = open(home.path(), &free_ports(), "Ada", &TRUSTING);
    ada.sees("/new");
    for (rows, columns) in [(1, 1), (60, 200), (2, 80), (24, 3), (12, 40), (24, 80)] {
        ada.resize(rows, columns);
        ada.types("x\u{7f}");
    }
    ada.sees("/new");
    ada.types("/quit\r");
    assert!(ada.is_restored());
}

/// T59: a paste of a megabyte is taken as text, up to what a message holds, and freezes nothing; signals end the program cleanly.
#[test]
fn t59_paste_and_signals() {
    let home = tempfile::tempdir().unwrap();
    let mut ada = open(home.path(), &free_ports(), "Ada", &TRUSTING);
    ada.sees("/new");
    let pasted = "paste ".repeat(175_000);
    ada.types(&format!("\u{1b}[200~{pasted}\u{1b}[201~"));
    ada.sees("paste paste");
    for signal in ["TERM", "HUP", "INT"] {
        ada.signal(signal);
        assert!(ada.is_restored(), "{signal}");
        ada = open(home.path(), &free_ports(), "Ada", &TRUSTING);
        ada.sees("/new");
    }
}

/// Ctrl-Z gives the terminal back and sleeps, going on brings the screen back; but not while others chat through this program.
#[test]
fn ctrl_z_sleeps_where_nobody_else_is_put_to_sleep() {
    let home = tempfile::tempdir().unwrap();
    let ports = free_ports();
    let mut servers = serve(home.path(), &ports, "1");
    wait_for_port(&ports[0]);
    let mut ada = open_in_shell(home.path(), &ports, "Ada");
    ada.sees("/new");
    ada.types("\u{1a}");
    ada.sees("it sleeps");
    assert!(!ada.look(vt100::Screen::alternate_screen), "the terminal was not given back");
    ada.types("\r");
    ada.waits("the screen again", vt100::Screen::alternate_screen);
    ada.sees("/new");
    ada.types("awake");
    ada.sees("Ada > awake");
    ada.types("\u{15}/quit\r");
    ada.sees("it has ended");
    assert!(ada.is_restored());
    servers.kill().unwrap();
    servers.wait().unwrap();
    let mut host = open(home.path(), &free_ports(), "Ada", &TRUSTING);
    host.sees("/new");
    host.types("\u{1a}");
    host.sees("while it sleeps nobody could");
    host.types("/quit\r");
    assert!(host.is_restored());
}

/// N23: a terminal that cannot place its cursor gets lines, with the same commands.
#[test]
fn n23_a_dumb_terminal_gets_lines() {
    let home = tempfile::tempdir().unwrap();
    let environment = [("TALKO_TRUST_USER_IDS", "1"), ("TERM", "dumb")];
    let mut ada = open(home.path(), &free_ports(), "Ada", &environment);
    ada.sees("You are Ada. /help tells what you can type.");
    assert!(!ada.look(vt100::Screen::alternate_screen), "no other screen");
    ada.types("/quit\r");
    assert_eq!(ada.ends(), 0);
}

/// The person's own file: other keys, no mouse, and hints that say so; a file that is wrong is told before anything else.
#[test]
fn the_screen_file_changes_keys_and_habits() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("screen.toml");
    std::fs::write(&file, "mouse = false\nvim = true\n[keys]\nswitch = [\"Ctrl-G\"]\nquit = [\"F10\"]\n")
        .unwrap();
    let environment = [("TALKO_TRUST_USER_IDS", "1"), ("TALKO_SCREEN_FILE", file.to_str().unwrap())];
    let open = || open(home.path(), &free_ports(), "Ada", &environment);
    let mut ada = open();
    ada.sees("INSERT");
    ada.sees("Ctrl-G go to · F1 help · F10 quit");
    ada.waits("a mouse for the terminal", |screen| {
        screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None
    });
    ada.types("/mouse\r");
    ada.waits("a mouse for the program", |screen| {
        screen.mouse_protocol_mode() != vt100::MouseProtocolMode::None
    });
    // What was the key of something else is nothing now.
    ada.types("\u{b}");
    ada.types("\u{7}");
    ada.sees("Go to");
    ada.types("\u{1b}");
    ada.sees("Ctrl-G go to");
    ada.types("\u{1b}[21~");
    assert!(ada.is_restored());
    std::fs::write(&file, "[keys]\nswitch = [\"Hyper-G\"]\n").unwrap();
    let mut ada = open();
    ada.sees("screen.toml, line 2 is wrong: there is no key \"Hyper-G\"");
    assert_eq!(ada.ends(), 2);
    // Its own example is a file that it takes, and that changes nothing.
    let example =
        std::process::Command::new(env!("CARGO_BIN_EXE_talko")).arg("screen-file").output().unwrap();
    std::fs::write(&file, example.stdout).unwrap();
    let mut ada = open();
    ada.sees("Ctrl-K go to · F1 help · Ctrl-C quit");
    ada.types("\u{3}");
    assert!(ada.is_restored());
}
