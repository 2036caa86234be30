//! The README's session of two people, line by line, in two terminals.

use pty::Terminal;

use crate::first_start::{ports, with};
use crate::house::{House, PASSWORD, at_terminal};

/// What begins with `> ` is typed, after a question a password; the rest is seen, whatever the time.
fn follow(person: &mut Terminal, lines: &[&str]) {
    for line in lines {
        if let Some(typed) = line.strip_prefix("> ") {
            person.types(&format!("{typed}\r"));
        } else {
            person.was_sent(line.split_once("12:0").map_or(line, |(_, after)| &after[2..]), 1);
            if line.starts_with("Password ") {
                person.types(&format!("{PASSWORD}\r"));
            }
        }
    }
}

#[test]
fn the_session_of_the_readme_happens() {
    let readme = include_str!("../../../README.md");
    let blocks: Vec<&str> =
        readme.split("```text\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    let lines = |user: &str| -> Vec<&str> {
        let first = format!("$ talko --line --user {user}\n");
        blocks.iter().find_map(|block| block.strip_prefix(first.as_str())).unwrap().lines().collect()
    };
    let (ada_lines, grace_lines) = (lines("ada"), lines("grace"));
    let house = House::new();
    let (home, ports) = (house.home("machine"), ports());
    let start = |user: &str| at_terminal(&home, &with(&ports, &["--line", "--user", user]));
    let mut grace = start("grace");
    follow(&mut grace, &grace_lines[..4]);
    let mut ada = start("ada");
    follow(&mut ada, &ada_lines[..5]);
    follow(&mut grace, &grace_lines[4..6]);
    follow(&mut ada, &ada_lines[5..]);
    follow(&mut grace, &grace_lines[6..]);
    for mut person in [grace, ada] {
        person.types("/quit\r");
        assert_eq!(person.leaves(), 0);
    }
}
