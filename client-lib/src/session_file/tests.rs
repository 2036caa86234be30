//! Who may read the file, what a crash leaves, and many writers.

use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;

fn home() -> (TempDir, SessionFile) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state").join("sessions");
    (folder, SessionFile::new(path))
}

fn session(server: &str, user_name: &str, user_id: i64, token: &str) -> SavedSession {
    SavedSession {
        server: server.into(),
        user_name: user_name.into(),
        user_id: UserId(user_id),
        session_id: SessionId(user_id * 10),
        token: Secret::new(token),
        created_ts: 5,
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn sessions_are_found_by_server_and_name() {
    let (_folder, file) = home();
    assert_eq!(file.list().unwrap(), []);
    let (ada, bob, far) =
        (session("a:1", "Ada", 1, "x"), session("a:1", "Bob", 2, "y"), session("b:1", "Ada", 7, "z"));
    for saved in [&ada, &bob, &far] {
        file.save(saved).unwrap();
    }
    assert_eq!(file.find("a:1", Some("Ada")).unwrap(), Some(ada));
    assert_eq!(file.find("a:1", None).unwrap(), Some(bob.clone()), "saved last");
    assert_eq!(file.find("c:1", None).unwrap(), None);
    // The same person under another name and with another token.
    let again = session("a:1", "Ada Lovelace", 1, "w");
    file.save(&again).unwrap();
    assert_eq!(file.list().unwrap(), [bob.clone(), far.clone(), again]);
    assert!(file.forget("a:1", UserId(1)).unwrap());
    assert!(!file.forget("a:1", UserId(1)).unwrap());
    assert_eq!(file.list().unwrap(), [bob, far]);
}

/// G21: nobody else may read the file, at no moment, whatever a crash has left beside it.
#[test]
fn g21_the_file_is_its_owners_alone() {
    let (folder, file) = home();
    file.save(&session("a:1", "Ada", 1, "first")).unwrap();
    assert_eq!(mode(&file.path), 0o600);
    assert_eq!(mode(&folder.path().join("state")), 0o700);
    // What lies where the new file will be, with an eye on it.
    let left = beside(&file.path, "new");
    std::fs::write(&left, "half a li").unwrap();
    std::fs::set_permissions(&left, std::fs::Permissions::from_mode(0o644)).unwrap();
    let mut eye = File::open(&left).unwrap();
    file.save(&session("a:1", "Bob", 2, "second")).unwrap();
    let mut seen = String::new();
    eye.read_to_string(&mut seen).unwrap();
    assert_eq!(seen, "half a li");
    assert_eq!(mode(&file.path), 0o600);
    assert_eq!(file.list().unwrap().len(), 2);
}

#[test]
fn g21_a_file_that_others_may_read_is_not_used() {
    let (_folder, file) = home();
    file.save(&session("a:1", "Ada", 1, "first")).unwrap();
    for wide in [0o640, 0o604, 0o620, 0o666] {
        std::fs::set_permissions(&file.path, std::fs::Permissions::from_mode(wide)).unwrap();
        for error in [
            file.list().unwrap_err(),
            file.save(&session("a:1", "Bob", 2, "second")).unwrap_err(),
            file.forget("a:1", UserId(1)).unwrap_err(),
        ] {
            assert!(
                matches!(&error, Error::SessionFile(SessionFileError::Exposed { mode, .. }) if *mode == wide),
                "{error}"
            );
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
    }
    std::fs::set_permissions(&file.path, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(file.list().unwrap().len(), 1, "and it was not touched");
}

/// F3: a program that dies before the new file is in its place leaves the old one; the next one goes on from there.
#[test]
fn f3_a_crash_leaves_the_old_file_or_the_new_one() {
    let (_folder, file) = home();
    file.save(&session("a:1", "Ada", 1, "first")).unwrap();
    let old = std::fs::read(&file.path).unwrap();
    file.save(&session("a:1", "Bob", 2, "second")).unwrap();
    let new = std::fs::read(&file.path).unwrap();
    for cut in 0..=new.len() {
        std::fs::write(&file.path, &old).unwrap();
        std::fs::write(beside(&file.path, "new"), &new[..cut]).unwrap();
        assert_eq!(file.list().unwrap().len(), 1);
    }
    file.save(&session("a:1", "Cleo", 3, "third")).unwrap();
    let names: Vec<String> = file.list().unwrap().into_iter().map(|saved| saved.user_name).collect();
    assert_eq!(names, ["Ada", "Cleo"]);
    assert!(!beside(&file.path, "new").exists());
}

/// A reader at any moment sees whole files, and nobody's session is lost. Threads lock as processes do.
#[test]
fn many_writers_lose_nothing() {
    const WRITERS: i64 = 4;
    const SESSIONS: i64 = 10;
    let (_folder, file) = home();
    let file = &file;
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            scope.spawn(move || {
                for number in 0..SESSIONS {
                    let user = writer * SESSIONS + number;
                    file.save(&session("a:1", &format!("user {user}"), user, "token")).unwrap();
                    assert!(file.list().unwrap().iter().any(|saved| saved.user_id == UserId(user)));
                }
            });
        }
    });
    assert_eq!(file.list().unwrap().len() as i64, WRITERS * SESSIONS);
}

/// A later version may write what this one does not know: it is passed over, and kept.
#[test]
fn unknown_lines_are_kept() {
    let (_folder, file) = home();
    file.save(&session("a:1", "Ada", 1, "first")).unwrap();
    let known = std::fs::read_to_string(&file.path).unwrap();
    let unknown = "{\"version\":9,\"server\":\"a:1\"}\nnot JSON at all\n";
    std::fs::write(&file.path, format!("{unknown}\n{known}")).unwrap();
    assert_eq!(file.list().unwrap().len(), 1);
    file.save(&session("a:1", "Bob", 2, "second")).unwrap();
    file.forget("a:1", UserId(1)).unwrap();
    let text = std::fs::read_to_string(&file.path).unwrap();
    assert!(text.starts_with(unknown), "{text}");
    assert_eq!(file.list().unwrap(), [session("a:1", "Bob", 2, "second")]);
    std::fs::write(&file.path, "x".repeat(BYTES_MAX as usize + 1)).unwrap();
    let error = file.list().unwrap_err();
    assert!(matches!(error, Error::SessionFile(SessionFileError::TooLong { .. })), "{error}");
}

#[test]
fn a_file_that_is_held_for_long_is_in_use() {
    let (_folder, file) = home();
    file.save(&session("a:1", "Ada", 1, "first")).unwrap();
    let _lock = file.lock(1).unwrap();
    assert_eq!(file.list().unwrap().len(), 1, "reading waits for nobody");
    let error = file.lock(3).unwrap_err();
    assert!(matches!(error, Error::SessionFile(SessionFileError::InUse { .. })), "{error}");
}

#[test]
fn tokens_are_not_printed() {
    let (_folder, file) = home();
    let saved = session("a:1", "Ada", 1, "sesame");
    file.save(&saved).unwrap();
    assert!(!format!("{saved:?} {:?} {file:?}", file.list().unwrap()).contains("sesame"));
}
