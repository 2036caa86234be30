//! TLS as operators and people meet it: keys, first use, changed keys, reload, and the wrong way to speak to a port.

use std::path::Path;

use crate::house::{House, PASSWORD, Said, Serving, Tail, at_terminal, mode, wait_for};

const ALWAYS: [&str; 2] = ["--tls", "always"];

fn fingerprint(serving: &Serving) -> String {
    let fingerprint = serving.after("(TLS, key ").to_owned();
    assert!(fingerprint.starts_with("sha256:") && fingerprint.len() == 71, "{}", serving.ready);
    fingerprint
}

fn remove_key(data: &Path) {
    for file in ["tls.crt", "tls.key"] {
        std::fs::remove_file(data.join(file)).unwrap();
    }
}

fn trust(serving: &Serving, device: &Path, more: &[&str], input: &str) -> Said {
    let address = serving.data_address();
    serving.run(device, &[&["trust", &address], more].concat(), input)
}

/// R25: a fresh install makes its key and says its fingerprint; a client says once whom it trusts; an invitation carries
/// the key, so that who joins by it trusts nobody blindly; a changed key is refused until a person trusts it.
#[test]
fn r25_keys_are_made_shown_pinned_and_changed() {
    let house = House::new();
    let (server, ada, grace) = (house.home("server"), house.home("ada"), house.home("grace"));
    let up = Serving::up(&server, &ALWAYS);
    let (at, key) = (up.data_address(), fingerprint(&up));
    assert_eq!(up.ready.matches(&key).count(), 2, "both servers show it: {}", up.ready);
    assert_eq!(mode(&house.data("server").join("tls.key")), 0o600);
    let first = up.run(&ada, &["login", "--register", "--user", "ada", "--password-fd", "0"], PASSWORD);
    first.is(
        0,
        &format!("ada is logged in at {at}\n"),
        &format!(
            "talko: first time at {at}: its key is {key}; it is trusted from now on\n\
             Made the account ada, the owner of this server.\n"
        ),
    );
    assert_eq!(up.run(&ada, &["whoami"], "").err, "");
    let invited = up.run(&ada, &["invite"], "");
    let link = invited.out.trim();
    assert!(link.starts_with(&format!("talko://{at}/")) && link.ends_with(&format!("?key={key}")), "{link}");
    let join = ["join", link, "--user", "grace", "--password-fd", "0"];
    assert_eq!(up.run(&grace, &join, PASSWORD).err, "Made the account grace.\n");
    let wrong = link.replace(&key, &format!("sha256:{}", "0".repeat(64)));
    let join = ["join", wrong.as_str(), "--user", "lin", "--password-fd", "0"];
    assert_eq!(up.run(&house.home("lin"), &join, PASSWORD).code, 5);
    trust(&up, &ada, &[], "").is(
        0,
        &format!("server   {at}\ntrusted  {key}\nshown    {key}\nIt is the key that is trusted already.\n"),
        "",
    );
    up.stop();

    remove_key(&house.data("server"));
    let up = Serving::up_on(&server, &at, &ALWAYS);
    let new = fingerprint(&up);
    assert_ne!(key, new);
    for device in [&ada, &grace] {
        let refused = up.run(device, &["whoami"], "");
        assert_eq!((refused.code, refused.out.as_str()), (5, ""), "{refused:?}");
        assert!(refused.err.contains(&key) && refused.err.contains(&new), "both keys: {refused:?}");
        assert!(refused.err.contains("talko trust"), "the way out: {refused:?}");
    }
    let question = format!("server   {at}\ntrusted  {key}\nshown    {new}\n");
    let no = trust(&up, &ada, &[], "n\n");
    assert_eq!((no.code, no.out.as_str()), (1, question.as_str()));
    assert!(no.err.ends_with("[y/N] talko: nothing was changed\n"), "{no:?}");
    assert_eq!(up.run(&ada, &["whoami"], "").code, 5);
    let yes = trust(&up, &ada, &[], "y\n");
    assert_eq!((yes.code, yes.out), (0, format!("{question}This key is trusted from now on.\n")));
    assert_eq!(up.run(&ada, &["whoami"], "").code, 0);
    assert_eq!(trust(&up, &grace, &["--fingerprint", "sha256:00"], "").code, 2);
    assert_eq!(trust(&up, &grace, &["--fingerprint", &new], "").code, 0);
    assert_eq!(up.run(&grace, &["whoami"], "").code, 0);
    assert_eq!(trust(&up, &house.home("lin"), &["--yes"], "").code, 0);
}

/// SIGHUP: new connections are shown the new key, and what is open goes on.
#[test]
fn a_reload_changes_the_key_for_new_connections_only() {
    let house = House::new();
    let (server, ada, grace) = (house.home("server"), house.home("ada"), house.home("grace"));
    let up = Serving::up(&server, &ALWAYS);
    up.register(&ada, "ada");
    up.register(&grace, "grace");
    let mut tail = Tail::start(&mut up.command(&ada, &["tail", "--since", "0"]));
    assert_eq!(up.run(&grace, &["send", "ada", "before"], "").code, 0);
    tail.hears("grace: before");
    // Files that are of no use leave in force what was.
    let other = Serving::up(&house.home("other"), &ALWAYS);
    let new = fingerprint(&other);
    let (from, to) = (house.data("other"), house.data("server"));
    std::fs::copy(from.join("tls.crt"), to.join("tls.crt")).unwrap();
    up.signal("HUP");
    wait_for("the refusal", || up.log().contains("the certificate was not read again, the old one stays"));
    assert_eq!(up.run(&grace, &["whoami"], "").code, 0);
    std::fs::copy(from.join("tls.key"), to.join("tls.key")).unwrap();
    up.signal("HUP");
    wait_for("the reload", || up.log().contains("the certificate was read again"));
    assert_eq!(up.run(&grace, &["whoami"], "").code, 5);
    let address = up.data_address();
    let broadcast = up.after("broadcast-server on ");
    for address in [address.as_str(), broadcast] {
        assert_eq!(up.run(&grace, &["trust", address, "--fingerprint", &new], "").code, 0);
    }
    assert_eq!(up.run(&grace, &["send", "ada", "after"], "").code, 0);
    tail.hears("grace: after");
    assert!(tail.is_running());
}

/// Who speaks otherwise than the port is told what to do, in a sentence.
#[test]
fn plaintext_to_tls_and_tls_to_plaintext() {
    let house = House::new();
    let home = house.home("home");
    let secure = Serving::up(&house.home("secure"), &ALWAYS);
    let at = secure.data_address();
    secure.run(&home, &["whoami", "--tls", "never"], "").is(
        2,
        "",
        &format!("talko: nobody is logged in at {at}: say `talko login --user NAME`\n"),
    );
    secure.run(&home, &["call", "GetServerInfo", "--tls", "never"], "").is(
        2,
        "",
        &format!("talko: {at} speaks TLS, and this client was told to connect without it: connect with it\n"),
    );
    let info = secure.run(&home, &["call", "GetServerInfo"], "");
    assert!(info.code == 0 && info.out.contains("\"ready\":true"), "{info:?}");
    let plain = Serving::up(&house.home("plain"), &[]);
    let refused = plain.run(&home, &["call", "GetServerInfo", "--tls", "always"], "");
    refused.is(
        5,
        "",
        &format!(
            "talko: {} does not speak TLS. Its operator must switch TLS on; only on a network where everybody may \
             read along, connect without it\n",
            plain.data_address()
        ),
    );
}

/// Off loopback: TLS by itself, plaintext only when told to and said so; and who becomes the owner, until there is one.
#[test]
fn a_public_start_says_what_matters() {
    let house = House::new();
    let (server, ada) = (house.home("server"), house.home("ada"));
    let plain = Serving::up_on(&server, "0.0.0.0:0", &["--tls", "never"]);
    assert!(plain.ready.contains(" (PLAINTEXT: anybody on the way can read along), "), "{}", plain.ready);
    wait_for("the warning", || plain.log().contains("WARN") && plain.log().contains("plaintext"));
    plain.stop();

    let up = Serving::up_on(&server, "0.0.0.0:0", &[]);
    let key = fingerprint(&up);
    let here = up.data_address().replace("0.0.0.0", "127.0.0.1");
    let advice = format!(
        "Nobody owns this server yet. On this machine, say: talko login --register --user NAME \
         --data-address {here}\n"
    );
    wait_for("the advice", || up.log().contains(&advice));
    let arguments =
        ["login", "--register", "--user", "ada", "--password-fd", "0", "--data-address", here.as_str()];
    let owner = up.run(&ada, &arguments, PASSWORD);
    assert_eq!(owner.code, 0, "{owner:?}");
    assert!(owner.err.contains(&key) && owner.err.contains("the owner of this server"), "{owner:?}");
    let arguments = [&arguments[..3], &["grace"], &arguments[4..]].concat();
    let uninvited = up.run(&house.home("grace"), &arguments, PASSWORD);
    assert!(uninvited.code == 4 && uninvited.err.contains("invitation"), "{uninvited:?}");
    up.stop();
    let again = Serving::up_on(&server, "0.0.0.0:0", &[]);
    assert_eq!(fingerprint(&again), key);
    again.signal("TERM");
    wait_for("the end", || again.log().contains("data-server stopped"));
    assert!(!again.log().contains("Nobody owns"), "{}", again.log());
}

/// At a terminal a server that is not known yet is asked about, in words; the answer is kept.
#[test]
fn r25_at_a_terminal_an_unknown_key_is_asked_about() {
    let house = House::new();
    let up = Serving::up(&house.home("server"), &ALWAYS);
    let (at, key) = (up.data_address(), fingerprint(&up));
    let device = house.home("device");
    let arguments = ["--tls", "always", "--data-address", at.as_str(), "--user", "ada"];
    let mut doubting = at_terminal(&device, &arguments);
    doubting.sees(&format!("This device has never met {at}. Its key is {key}."));
    doubting.sees("do you trust it? [y/N] ");
    doubting.types("\r");
    assert_eq!(doubting.leaves(), 5);
    let mut trusting = at_terminal(&device, &arguments);
    trusting.sees("do you trust it? [y/N] ");
    trusting.types("y\r");
    trusting.sees("Password of ada: ");
    trusting.types(&format!("{PASSWORD}\r"));
    trusting.sees("general");
    trusting.types("/quit\r");
    assert_eq!(trusting.leaves(), 0);
    let again = at_terminal(&device, &arguments);
    again.sees("general");
    assert!(!again.everything().contains("[y/N]"), "it is known now");
}
