//! Two people talk, and do with messages what can be done with them.

use std::path::Path;

use pty::Terminal;

use crate::stage::{TRUSTING, add_person, free_ports, open, open_in};

/// Ada and Bob, each before a terminal, and Ada has opened the chat of the two.
fn two_people(home: &Path, ports: &[String; 2], environment: &[(&str, &str)]) -> [Terminal; 2] {
    let environment: Vec<_> = environment.iter().copied().chain(TRUSTING).collect();
    let [mut ada, bob] = ["Ada", "Bob"].map(|name| {
        let person = open_in(home, ports, name, (30, 100), &environment);
        person.sees("/new");
        person
    });
    ada.types("/new Bob\r");
    ada.sees("┌ Bob ");
    [ada, bob]
}

/// T57–T62 with the real program: three panes, live messages without a key press, another chat's message marks that
/// chat, Cyrillic, Chinese, emoji and `~` are typed and seen.
#[test]
fn t57_t60_two_people_in_two_terminals() {
    let home = tempfile::tempdir().unwrap();
    let ports = free_ports();
    let mut ada = open(home.path(), &ports, "Ada", &TRUSTING);
    ada.sees("/new");
    let mut grace = open(home.path(), &ports, "Грейс", &TRUSTING);
    grace.sees("/new");
    ada.types("/new lunch Грейс\r");
    ada.sees("Recent");
    ada.sees("Грейс");
    ada.types("привет 你好 🌮 ~\r");
    ada.sees("Ada: привет 你好 🌮 ~");
    grace.sees("Ada");
    grace.types("\u{1b}1");
    grace.sees("Ada: привет 你好 🌮 ~");
    grace.types("soup is ready\r");
    ada.sees("Грейс: soup is ready");
    // A message for another chat marks that chat, and does not appear in the open one (T61).
    add_person(home.path(), &ports, "Lin");
    ada.types("/new lunch Грейс Lin\r");
    ada.sees("┌ lunch ");
    ada.types("who is coming?\r");
    grace.sees("(1)");
    assert!(!grace.contents().contains("who is coming?"), "{}", grace.contents());
    ada.types("/open 2\r");
    ada.sees("Грейс: soup is ready");
    ada.types("on my way\r");
    grace.sees("Ada: on my way");
    ada.types("/quit\r");
    assert!(ada.is_restored());
    // Who joined takes the servers over.
    grace.types("still here\r");
    grace.sees("Грейс: still here");
    grace.types("/quit\r");
    assert!(grace.is_restored());
}

/// T69 and what belongs to it, with the real program: everything that is done with a message is done in the full screen, and
/// the other person sees it at once.
#[test]
fn t69_what_is_done_with_messages_is_done_and_seen_in_the_full_screen() {
    let home = tempfile::tempdir().unwrap();
    let ports = free_ports();
    let [mut ada, mut bob] = two_people(home.path(), &ports, &[]);
    ada.sees("● Bob");
    ada.types("the **soup** of teh day\r");
    bob.sees("the soup of teh day");
    bob.types("\u{1b}1");
    bob.sees("┌ Ada ");
    // Up brings the last message back; the other one sees what it says now.
    ada.types("\u{1b}[A\u{1b}[1;5D\u{1b}d");
    ada.types("menu\r");
    bob.sees("Ada: the soup of teh menu (edited)");
    // Tab chooses it: answer, sign, pin, history.
    bob.types("\tr");
    bob.sees("answering Ada: the **soup** of teh menu");
    bob.types("which one?");
    ada.sees("Bob is typing…");
    bob.types("\r");
    ada.sees("↳ Ada: the **soup** of teh menu");
    bob.types("\t\u{1b}[A+tada\r");
    ada.sees("🎉 1");
    bob.types("p");
    ada.sees("(pinned)");
    bob.types("h");
    bob.sees("the **soup** of teh day");
    bob.types("\u{1b}");
    bob.sees("r reply");
    bob.types("\u{1b}");
    bob.sees("Ctrl-K go to");
    // Files: sent, seen, saved.
    std::fs::write(home.path().join("menu.txt"), "soup\n".repeat(40_000)).unwrap();
    ada.types("/attach menu.txt have a look\r");
    bob.sees("[menu.txt · 200 kB]");
    bob.types("/save 1 kept.txt\r");
    bob.sees("Saved kept.txt.");
    assert_eq!(std::fs::read(home.path().join("kept.txt")).unwrap().len(), 200_000);
    // What was said is found, and opened where it stands.
    ada.types("/search soups\r");
    ada.sees("Bob Ada: the **soup** of teh menu");
    ada.types("\r");
    ada.sees("#2 · r reply");
    // Deleted for everybody, by who wrote it.
    ada.types("dd");
    bob.sees("Ada: (deleted)");
    ada.types("\u{1b}");
    ada.sees("Ctrl-K go to");
    ada.types("half a thought");
    ada.sees("half a thought");
    ada.types("\u{3}");
    assert!(ada.is_restored());
    // What was begun is there on the next device.
    let mut again = open_in(home.path(), &ports, "Ada", (30, 100), &TRUSTING);
    again.sees("Ada > half a thought");
    again.types("\u{3}");
    assert!(again.is_restored());
    bob.types("/quit\r");
    assert!(bob.is_restored());
}

/// A picture that one sends, the other sees between the texts, in its colours.
#[test]
fn a_picture_is_seen_where_it_was_said() {
    let home = tempfile::tempdir().unwrap();
    let flag = image::RgbImage::from_fn(60, 40, |_, y| {
        image::Rgb(if y < 20 { [0, 87, 183] } else { [255, 215, 0] })
    });
    flag.save(home.path().join("flag.png")).unwrap();
    let [mut ada, mut bob] = two_people(home.path(), &free_ports(), &[("COLORTERM", "truecolor")]);
    ada.types("/attach flag.png our colours\r");
    bob.types("\u{1b}1");
    bob.sees("flag.png");
    let has = |screen: &vt100::Screen, color: vt100::Color| {
        let cells = (0..30).flat_map(|row| (0..70).map(move |column| (row, column)));
        let cells = cells.filter_map(|(row, column)| screen.cell(row, column));
        cells
            .filter(|cell| cell.contents() == "▀" && cell.fgcolor() == color && cell.bgcolor() == color)
            .count()
    };
    let [blue, yellow] = [vt100::Color::Rgb(0, 87, 183), vt100::Color::Rgb(255, 215, 0)];
    for person in [&ada, &bob] {
        person.waits("a flag of 30 by 10 cells", |screen| {
            (has(screen, blue), has(screen, yellow)) == (150, 150)
        });
    }
    for mut person in [ada, bob] {
        person.types("\u{3}");
        assert!(person.is_restored());
    }
}

/// A thread is a place of its own, in which two people talk beside the chat.
#[test]
fn a_thread_is_a_place_beside_the_chat() {
    let home = tempfile::tempdir().unwrap();
    let ports = free_ports();
    let [mut ada, mut bob] = two_people(home.path(), &ports, &[]);
    ada.types("where do we eat?\r");
    ada.sees("Ada: where do we eat?");
    bob.types("\u{1b}1");
    bob.sees("Ada: where do we eat?");
    for (person, title) in [(&mut ada, "Bob · Thread"), (&mut bob, "Ada · Thread")] {
        person.types("\tt");
        person.sees(title);
    }
    ada.types("pizza?\r");
    bob.sees("Ada: pizza?");
    bob.types("noodles\r");
    ada.sees("Bob: noodles");
    bob.types("\u{1b}");
    bob.sees("⑂ Ada: where do we eat?");
    bob.types("meanwhile\r");
    bob.sees("Bob: meanwhile");
    ada.sees("(1)");
    assert!(!ada.contents().contains("Bob: meanwhile\n"), "{}", ada.contents());
    ada.types("\u{1b}");
    ada.sees("Ctrl-K go to");
    ada.sees("Bob: meanwhile");
    for mut person in [ada, bob] {
        person.types("\u{3}");
        assert!(person.is_restored());
    }
}
