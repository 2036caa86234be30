//! The file of known servers: what is read, what is kept, and what two writers do.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

/// Noon of 21 November 2026.
const NOW: TimestampMs = 1_795_262_400_000;

fn key(of: &str) -> Fingerprint {
    Fingerprint::of_public_key(of.as_bytes())
}

/// A file of its own, which goes with the value.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("talko-trust-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("deep").join("known_servers")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_pin_is_read_back_replaced_and_forgotten() {
    let folder = Folder::new("pin");
    for servers in [KnownServers::in_memory(), KnownServers::in_file(folder.file())] {
        assert_eq!(servers.known("chat.example:8889").unwrap(), None);
        assert_eq!(servers.pin("chat.example:8889", key("a"), NOW).unwrap(), None);
        assert_eq!(servers.pin_of("Chat.Example.:8889").unwrap(), Some(key("a")));
        assert_eq!(servers.pin_of("chat.example:8888").unwrap(), None);
        assert_eq!(servers.pin("chat.example:8889", key("b"), NOW).unwrap(), Some(key("a")));
        assert_eq!(servers.pin_of("chat.example:8889").unwrap(), Some(key("b")));
        assert_eq!(
            servers.list().unwrap()[0].to_string(),
            format!("chat.example:8889 {} 2026-11-21", key("b"))
        );
        assert_eq!(servers.forget("chat.example:8889").unwrap(), Some(Known::Key(key("b"))));
        assert_eq!(servers.forget("chat.example:8889").unwrap(), None);
        assert_eq!(servers.list().unwrap(), []);
    }
}

#[test]
fn what_is_remembered_first_stays() {
    let servers = KnownServers::in_memory();
    assert_eq!(servers.remember("a:1", Known::Key(key("a")), NOW).unwrap(), Known::Key(key("a")));
    assert_eq!(servers.remember("a:1", Known::Key(key("b")), NOW).unwrap(), Known::Key(key("a")));
    assert_eq!(servers.remember("b:1", Known::Authority, NOW).unwrap(), Known::Authority);
    assert_eq!(servers.pin_of("b:1").unwrap(), None);
    assert_eq!(servers.pin("b:1", key("b"), NOW).unwrap(), None);
    assert_eq!(servers.pin_of("b:1").unwrap(), Some(key("b")));
}

#[test]
fn a_server_has_one_spelling() {
    for (written, text) in [
        ("Chat.Example:8889", "chat.example:8889"),
        ("chat.example.:8889", "chat.example:8889"),
        ("chat.example:08889", "chat.example:8889"),
        ("[0:0::1]:1", "[::1]:1"),
        ("127.0.0.1:65535", "127.0.0.1:65535"),
        ("data_server:1", "data_server:1"),
    ] {
        assert_eq!(Address::parse(written).unwrap().text, text);
    }
    for wrong in [
        "",
        ":",
        "chat.example",
        "chat.example:",
        ":1",
        "chat.example:+1",
        "chat.example:65536",
        "::1:1",
        "::1",
        "[127.0.0.1]:1",
        "[chat]:1",
        "a b:1",
        "http://chat.example:1",
        "chät.example:1",
        "\u{1b}[2J:1",
        ".:1",
    ] {
        let error = Address::parse(wrong).unwrap_err();
        assert_eq!(error, NotAServer(wrong.to_owned()));
        assert!(!error.to_string().contains('\u{1b}'));
    }
}

#[test]
fn comments_and_other_lines_stay_as_they_are() {
    let folder = Folder::new("comments");
    let file = folder.file();
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let (a, b, c) = (key("a"), key("b"), key("c"));
    fs::write(&file, format!("# mine\r\n\n  A:1\t{a}  2020-02-29\r\nb:1 authority 2021-01-01\n# end"))
        .unwrap();
    let servers = KnownServers::in_file(&file);
    servers.pin("c:1", c, NOW).unwrap();
    servers.pin("b:1", b, NOW).unwrap();
    assert_eq!(servers.remember("a:1", Known::Authority, NOW).unwrap(), Known::Key(a));
    let expected =
        format!("# mine\r\n\n  A:1\t{a}  2020-02-29\r\nb:1 {b} 2026-11-21\n# end\nc:1 {c} 2026-11-21\n");
    assert_eq!(fs::read_to_string(&file).unwrap(), expected);
    servers.forget("a:1").unwrap();
    let expected = format!("# mine\r\n\nb:1 {b} 2026-11-21\n# end\nc:1 {c} 2026-11-21\n");
    assert_eq!(fs::read_to_string(&file).unwrap(), expected);
}

#[test]
fn a_line_that_is_not_understood_is_named_and_the_file_not_touched() {
    let folder = Folder::new("wrong");
    let file = folder.file();
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let good = format!("# first\na:1 {} 2026-01-01\n", key("a"));
    for (wrong, line, what) in [
        ("a:2", 3, WrongLine::Form),
        ("a:2 sha256:12 2026-01-01", 3, WrongLine::Form),
        (&format!("a:2 {} yesterday", key("a")), 3, WrongLine::Form),
        (&format!("a:2 {} 2026-01-01 more", key("a")), 3, WrongLine::Form),
        (&format!("a {} 2026-01-01", key("a")), 3, WrongLine::Form),
        (&format!("\n\nA:1 {} 2026-01-01", key("b")), 5, WrongLine::Again { first: 2 }),
    ] {
        let text = format!("{good}{wrong}\n");
        fs::write(&file, &text).unwrap();
        let servers = KnownServers::in_file(&file);
        for result in [
            servers.known("a:1").map(drop),
            servers.pin("a:1", key("c"), NOW).map(drop),
            servers.forget("a:1").map(drop),
        ] {
            let error = result.unwrap_err();
            let KnownServersError::Line { line: found, what: why, .. } = &error else { panic!("{error}") };
            assert_eq!((*found, *why), (line, what), "{wrong}");
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
    fs::write(&file, b"# fine\na:\xff sha256\n").unwrap();
    let error = KnownServers::in_file(&file).list().unwrap_err().to_string();
    let path = file.display();
    assert_eq!(error, format!("{path}, line 2: it is no text; correct the line or remove it"));
    fs::write(&file, vec![b'#'; FILE_BYTES_MAX as usize + 1]).unwrap();
    assert!(matches!(KnownServers::in_file(&file).list(), Err(KnownServersError::TooLong { .. })));
}

#[test]
fn many_writers_lose_nothing() {
    let folder = Folder::new("writers");
    let file = folder.file();
    thread::scope(|scope| {
        for writer in 0..8 {
            let servers = KnownServers::in_file(&file);
            scope.spawn(move || {
                for number in 0..10 {
                    servers.pin(&format!("w{writer}:{number}"), key("a"), NOW).unwrap();
                }
            });
        }
    });
    assert_eq!(KnownServers::in_file(&file).list().unwrap().len(), 80);
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_write_the_file() {
    use std::os::unix::fs::PermissionsExt;

    let folder = Folder::new("mode");
    KnownServers::in_file(folder.file()).pin("a:1", key("a"), NOW).unwrap();
    let mode = fs::metadata(folder.file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o022, 0, "{mode:o}");
}

#[test]
fn days_are_those_of_the_calendar() {
    for (seconds, text) in [
        (0, "1970-01-01"),
        (-1, "1969-12-31"),
        (951_782_400, "2000-02-29"),
        (951_868_800, "2000-03-01"),
        (1_795_262_400, "2026-11-21"),
        (4_107_542_399, "2100-02-28"),
        (4_107_542_400, "2100-03-01"),
        (253_402_300_799, "9999-12-31"),
    ] {
        assert_eq!(day(seconds), text);
    }
}

/// Lines of a file, right and wrong.
fn line() -> impl Strategy<Value = String> {
    let key = prop_oneof![Just(key("a").to_string()), Just(AUTHORITY.to_owned()), "sha256:[0-9a-f]{0,70}"];
    prop_oneof![
        ("[a-d]{1,2}:[0-9]{1,2}", key, "20[0-9]{2}-[0-9]{2}-[0-9]{2}").prop_map(|(server, key, day)| {
            let mut line = String::new();
            write!(line, "{server} {key} {day}").unwrap();
            line
        }),
        "# \\PC{0,20}",
        Just(String::new()),
    ]
}

proptest! {
    /// Any text is read without a panic; what is read is written as it was, and every server in it is found.
    #[test]
    fn any_text_is_kept_or_refused(text in prop_oneof!["\\PC*", "[\\PC\r\n]*"]) {
        if let Ok(lines) = Lines::parse(&text) {
            prop_assert_eq!(lines.to_string(), text);
        }
    }

    #[test]
    fn lines_are_kept_when_another_is_changed(
        lines in prop::collection::vec(line(), 0..12),
        end in "\n?",
    ) {
        let text = lines.join("\n") + &end;
        match Lines::parse(&text) {
            Ok(read) => {
                prop_assert_eq!(read.to_string(), text.clone());
                let mut changed = read.clone();
                changed.set(KnownServer::new("new:1".into(), Known::Authority, NOW));
                let written = changed.to_string();
                prop_assert!(written.starts_with(&text));
                let mut again = Lines::parse(&written).unwrap();
                prop_assert_eq!(again.servers().count(), read.servers().count() + 1);
                prop_assert!(again.remove("new:1").is_some());
                let without = again.to_string();
                prop_assert_eq!(without.trim_end(), text.trim_end());
            }
            Err((line, _)) => prop_assert!(line >= 1 && line <= text.split('\n').count()),
        }
    }
}
