//! Servers that die, devices that are offline, programs that are killed, and several accounts.

use crate::stage::{TRUSTING, add_person, free_ports, open, serve, wait_for_port};

/// The servers die and come back: the screen says so, and what was written meanwhile goes out once.
#[test]
fn servers_that_die_and_come_back_cost_a_moment() {
    let home = tempfile::tempdir().unwrap();
    let ports = free_ports();
    let mut servers = serve(home.path(), &ports, "1");
    wait_for_port(&ports[0]);
    add_person(home.path(), &ports, "Bob");
    let mut ada = open(home.path(), &ports, "Ada", &TRUSTING);
    ada.sees("/new");
    ada.types("/new Bob\r");
    ada.sees("┌ Bob ");
    ada.types("before\r");
    ada.sees("Ada: before");
    servers.kill().unwrap();
    servers.wait().unwrap();
    ada.sees("offline");
    ada.types("written meanwhile\r");
    ada.sees("…   Ada: written meanwhile");
    let mut servers = serve(home.path(), &ports, "1");
    ada.waits("the message to be stored", |screen| {
        let shown = screen.contents();
        shown.contains("online")
            && shown.contains(" Ada: written meanwhile")
            && !shown.contains("…   Ada: written")
    });
    assert_eq!(ada.contents().matches(" Ada: written meanwhile").count(), 1, "{}", ada.contents());
    ada.types("\u{3}");
    assert!(ada.is_restored());
    servers.kill().unwrap();
    servers.wait().unwrap();
}

/// Who was here before is asked nothing and sees the last screen at once; then what the servers tell takes its place.
#[test]
fn the_last_screen_is_there_at_the_next_start() {
    let home = tempfile::tempdir().unwrap();
    let ports = free_ports();
    let mut ada = open(home.path(), &ports, "Ada", &[]);
    ada.sees("Password of Ada:");
    ada.types("a long password\r");
    ada.sees("┌ general ");
    ada.types("hello from before\r");
    ada.sees("Ada: hello from before");
    ada.types("\u{3}");
    assert!(ada.is_restored());
    // What is kept tells itself apart from what the server says.
    let screens: Vec<_> = std::fs::read_dir(home.path().join(".local/share/talko/screens"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    let [screen] = &screens[..] else { panic!("{screens:?}") };
    let kept = std::fs::read_to_string(screen).unwrap();
    assert!(kept.contains("hello from before"));
    std::fs::write(screen, kept.replace("hello from before", "kept on this device")).unwrap();
    let mut ada = open(home.path(), &ports, "Ada", &[]);
    ada.sees("kept on this device");
    ada.sees("Ada: hello from before");
    assert!(!ada.contents().contains("kept on this device"), "{}", ada.contents());
    ada.types("\u{3}");
    assert!(ada.is_restored());
}

/// Two accounts on one device: who is logged in already is there at once, and the servers go on meanwhile.
#[test]
fn accounts_are_changed_without_leaving() {
    let home = tempfile::tempdir().unwrap();
    let ports = free_ports();
    let mut person = open(home.path(), &ports, "Ada", &[]);
    person.sees("Password of Ada:");
    person.types("a long password\r");
    person.sees("┌ general ");
    person.types("from Ada\r");
    person.sees("Ada: from Ada");
    person.types("/account Grace\r");
    person.sees("Password of Grace:");
    person.types("another password\r");
    person.sees("Grace >");
    person.sees("Ada: from Ada");
    person.types("from Grace\r");
    person.sees("Grace: from Grace");
    person.types("/account Ada\r");
    person.sees("Ada >");
    person.sees("Grace: from Grace");
    person.types("\u{3}");
    assert!(person.is_restored());
}

/// Killed while the servers are away, nothing is lost that was written: the next start has it, and sends it once.
#[test]
fn what_was_written_offline_outlives_a_kill() {
    let home = tempfile::tempdir().unwrap();
    let ports = free_ports();
    let mut servers = serve(home.path(), &ports, "0");
    wait_for_port(&ports[0]);
    let mut ada = open(home.path(), &ports, "Ada", &[]);
    ada.sees("Password of Ada:");
    ada.types("a long password\r");
    ada.sees("┌ general ");
    ada.types("before\r");
    ada.sees("Ada: before");
    servers.kill().unwrap();
    servers.wait().unwrap();
    ada.sees("offline");
    ada.types("written offline\r");
    ada.sees("…   Ada: written offline");
    ada.signal("KILL");
    ada.ends();
    let mut servers = serve(home.path(), &ports, "0");
    wait_for_port(&ports[0]);
    let mut ada = open(home.path(), &ports, "Ada", &[]);
    ada.waits("the message to be stored", |screen| {
        let shown = screen.contents();
        shown.contains(" Ada: written offline") && !shown.contains("…   Ada: written")
    });
    assert_eq!(ada.contents().matches("Ada: written offline").count(), 1, "{}", ada.contents());
    ada.types("\u{3}");
    assert!(ada.is_restored());
    servers.kill().unwrap();
    servers.wait().unwrap();
}

/// Without a network there is not even a name to look up: the last screen is there, and can be written in.
#[test]
fn a_device_without_network_shows_the_last_screen() {
    let home = tempfile::tempdir().unwrap();
    let ports = free_ports();
    let mut ada = open(home.path(), &ports, "Ada", &[]);
    ada.sees("Password of Ada:");
    ada.types("a long password\r");
    ada.sees("┌ general ");
    ada.types("hello from home\r");
    ada.sees("Ada: hello from home");
    ada.types("\u{3}");
    assert!(ada.is_restored());
    // The same session, of a server far away. No name is as long as its first part: nobody is asked for it.
    let far = format!("{}.example:8889", "a".repeat(64));
    let folder = home.path().join(".local/share/talko");
    let sessions = std::fs::read_to_string(folder.join("sessions")).unwrap();
    std::fs::write(folder.join("sessions"), sessions.replace(&ports[0], &far)).unwrap();
    let in_names = |server: &str| server.replace(|char: char| !char.is_ascii_alphanumeric(), "_");
    let screen = |server: &str| folder.join("screens").join(format!("{}-1.json", in_names(server)));
    std::fs::rename(screen(&ports[0]), screen(&far)).unwrap();
    let mut away = open(home.path(), &[far, ports[1].clone()], "Ada", &[]);
    away.sees("Ada: hello from home");
    away.sees("connecting…");
    away.types("from the train\r");
    away.sees("…   Ada: from the train");
    away.types("\u{3}");
    assert!(away.is_restored());
    assert!(
        std::fs::read_to_string(screen(&format!("{}.example:8889", "a".repeat(64))))
            .unwrap()
            .contains("from the train")
    );
}
