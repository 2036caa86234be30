//! `talko` on a fresh machine: a name, a password, and that is all.

use std::net::TcpListener;

use crate::house::{House, PASSWORD, at_terminal, mode};

/// Two ports that are free now, as arguments.
pub(crate) fn ports() -> [String; 4] {
    let [data, broadcast] = [0, 1].map(|_| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    });
    ["--data-address".into(), data, "--broadcast-address".into(), broadcast]
}

pub(crate) fn with<'a>(ports: &'a [String; 4], more: &[&'a str]) -> Vec<&'a str> {
    ports.iter().map(String::as_str).chain(more.iter().copied()).collect()
}

/// T63: who comes first is asked for a name and a password, and chats; who comes again is asked nothing; a second person
/// registers beside, and both chat.
#[test]
fn t63_a_name_and_a_password_and_that_is_all() {
    let house = House::new();
    let (home, ports) = (house.home("machine"), ports());
    let mut ada = at_terminal(&home, &with(&ports, &[]));
    ada.sees("A name that is new becomes an account");
    ada.sees("Your name: ");
    ada.types("Ada\r");
    ada.sees("Password of Ada: ");
    ada.types("short\r");
    ada.sees("a password has at least 8 characters");
    ada.was_sent("Password of Ada: ", 2);
    // A slip is taken back unseen.
    ada.types(&format!("{PASSWORD}x\u{7f}\r"));
    ada.sees("general");
    let questions = ada.everything();
    assert!(!questions.contains(PASSWORD) && !questions.contains("short"), "{questions:?}");
    assert!(questions.contains("Made the account Ada, the owner of this server."), "{questions:?}");
    ada.types("/quit\r");
    assert_eq!(ada.leaves(), 0);
    for file in ["talko.db", "sessions", "talko.log"] {
        assert_eq!(mode(&house.data("machine").join(file)), 0o600, "{file}");
    }

    let mut ada = at_terminal(&home, &with(&ports, &[]));
    ada.sees("general");
    assert!(!ada.everything().contains("Password"), "{:?}", ada.everything());
    let mut grace = at_terminal(&home, &with(&ports, &["--user", "Грейс"]));
    grace.sees("Password of Грейс: ");
    grace.types("another long one\r");
    grace.sees("general");
    ada.types("/new Грейс\r");
    ada.sees("┌ Грейс ");
    ada.types("привет 🌮\r");
    grace.sees("Ada");
    grace.types("\u{1b}1");
    grace.sees("Ada: привет 🌮");
    grace.types("hello\r");
    ada.sees("Грейс: hello");
    grace.types("/quit\r");
    assert_eq!(grace.leaves(), 0);
    assert!(!grace.everything().contains("another long one"));
    ada.types("/quit\r");
    assert_eq!(ada.leaves(), 0);
}

/// What is refused is asked again at a terminal, a few times; then the program ends, and the terminal is as it was.
#[test]
fn what_is_refused_is_asked_again() {
    let house = House::new();
    let ports = ports();
    let mut ada = at_terminal(&house.home("ada"), &with(&ports, &[]));
    ada.sees("Your name: ");
    ada.types("\r  \rA\u{200b}da\r");
    ada.was_sent("Your name: ", 3);
    ada.sees("Password of ");
    ada.types(&format!("{PASSWORD}\r"));
    ada.sees("a name has no invisible characters");
    ada.was_sent("Your name: ", 4);
    ada.types("Ada Lovelace\r");
    ada.sees("Password of Ada Lovelace: ");
    ada.types("ADA LOVELACE\r");
    ada.sees("the password is the name");
    ada.was_sent("Password of Ada Lovelace: ", 2);
    ada.types(&format!("{PASSWORD}\r"));
    ada.sees("general");

    let mut guesser = at_terminal(&house.home("guesser"), &with(&ports, &["--user", "ada lovelace"]));
    for time in 1..=3 {
        guesser.was_sent("Password of ada lovelace: ", time);
        guesser.types("wrong password\r");
        guesser.was_sent("wrong name or password, or the name is taken", time);
    }
    assert_eq!(guesser.leaves(), 4);
    ada.types("/quit\r");
    assert_eq!(ada.leaves(), 0);
}

/// Ctrl-C and Ctrl-D at the question end the program, and the terminal shows again what is typed.
#[test]
fn a_question_can_be_left() {
    let house = House::new();
    for (key, code) in [("\u{3}", 130), ("\u{4}", 1)] {
        let mut nobody = at_terminal(&house.home("nobody"), &with(&ports(), &["--user", "Nobody"]));
        nobody.sees("Password of Nobody: ");
        assert!(!nobody.has_its_modes());
        nobody.types("half a pass");
        if key == "\u{4}" {
            nobody.types("\u{15}");
        }
        nobody.types(key);
        assert_eq!(nobody.leaves(), code);
        assert!(nobody.has_its_modes() && !nobody.everything().contains("half"), "{:?}", nobody.everything());
    }
    assert!(!house.data("nobody").join("sessions").exists());
}
