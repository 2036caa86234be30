//! The commands about accounts as scripts use them: exact words and exit codes, and no secret where others can see it.

use std::time::Duration;

use crate::house::{House, PASSWORD, Serving, Tail, mode, now, talko};

const LOGIN: [&str; 5] = ["login", "--password-fd", "0", "--user", "ada"];
const REGISTER: [&str; 6] = ["login", "--register", "--password-fd", "0", "--user", "ada"];

/// T63, R14: accounts from the shell, from the first to the last word.
#[test]
fn t63_r14_accounts_from_the_shell() {
    let house = House::new();
    let up = Serving::up(&house.home("server"), &[]);
    let at = up.data_address();
    let (laptop, phone) = (house.home("laptop"), house.home("phone"));
    let refused = |sentence: &str| format!("talko: {sentence}\n");
    up.run(&laptop, &["whoami"], "").is(
        2,
        "",
        &refused(&format!("nobody is logged in at {at}: say `talko login --user NAME`")),
    );
    up.run(&laptop, &LOGIN, PASSWORD).is(4, "", &refused("wrong name or password"));
    up.run(&laptop, &REGISTER, "short").is(4, "", &refused("a password has at least 8 characters"));
    let logged_in = format!("ada is logged in at {at}\n");
    up.run(&laptop, &REGISTER, PASSWORD).is(
        0,
        &logged_in,
        "Made the account ada, the owner of this server.\n",
    );
    up.run(&phone, &REGISTER, "not the password").is(
        4,
        "",
        &refused("wrong name or password, or the name is taken"),
    );
    up.run(&phone, &REGISTER, &format!("{PASSWORD}\r\n")).is(0, &logged_in, "");
    up.run(&laptop, &["whoami"], "").is(0, &format!("1\tada\towner of {at}\tsession 1\n"), "");
    up.register(&house.home("grace"), "grace");
    up.run(&house.home("grace"), &["whoami"], "").is(
        0,
        &format!("2\tgrace\tmember of {at}\tsession 3\n"),
        "",
    );

    let sessions = up.run(&laptop, &["sessions"], "");
    let first: Vec<&str> = sessions.out.lines().map(|line| line.split('\t').next().unwrap()).collect();
    assert_eq!((sessions.code, first), (0, vec!["2", "1*"]), "{}", sessions.out);
    assert!(sessions.out.contains("\ttalko") && sessions.out.contains("\tlast used 2"), "{}", sessions.out);
    let changed =
        up.run(&laptop, &["password", "--password-fd", "0"], &format!("{PASSWORD}\nchanged it all\n"));
    changed.is(0, "the password is changed; 1 other sessions have ended\n", "");
    up.run(&phone, &["whoami"], "").is(
        4,
        "",
        &refused(&format!("ada was logged out at {at}: `talko login` begins again")),
    );
    assert_eq!(std::fs::read_to_string(house.data("phone").join("sessions")).unwrap(), "");
    up.run(&phone, &LOGIN, PASSWORD).is(4, "", &refused("wrong name or password"));
    up.run(&phone, &LOGIN, "changed it all").is(0, &logged_in, "");

    up.run(&laptop, &["user", "role", "grace", "moderator"], "").is(
        0,
        "grace is now moderator of the server\n",
        "",
    );
    up.run(&laptop, &["user", "rename", "Ada"], "").is(0, "1\tAda\n", "");
    up.run(&laptop, &["user", "show", "ADA"], "").is(0, "1\tAda\n", "");
    let add = up.run(&laptop, &["user", "add", "robot"], "");
    assert!(add.code == 2 && add.err.contains("talko login --register"), "{add:?}");
    let wrong =
        up.run(&house.home("grace"), &["user", "deactivate", "grace", "--password-fd", "0"], "wrong one");
    assert!(wrong.code == 4 && wrong.err.contains("the password is wrong"), "{wrong:?}");
    up.run(&laptop, &["user", "deactivate", "grace"], "").is(
        0,
        "the account grace is closed; 1 sessions have ended\n",
        "",
    );
    assert_eq!(up.run(&house.home("grace"), &["whoami"], "").code, 4);
    up.run(&laptop, &["logout", "--everywhere"], "").is(0, "ada is logged out (2 ended)\n", "");
    assert_eq!(up.run(&laptop, &["whoami"], "").code, 2);
}

/// An invitation makes an account where nobody may register, and holds no more when it is used or taken back.
#[test]
fn invitations_from_the_shell() {
    let house = House::new();
    let arguments = ["--registration", "invitation", "--public-address", "chat.example.org:8889"];
    let up = Serving::up(&house.home("server"), &arguments);
    let (ada, grace) = (house.home("ada"), house.home("grace"));
    up.register(&ada, "ada");
    let stranger =
        up.run(&grace, &["login", "--register", "--user", "grace", "--password-fd", "0"], PASSWORD);
    assert!(stranger.code == 4 && stranger.err.contains("invitation"), "{stranger:?}");
    let invited = up.run(&ada, &["invite", "--uses", "2", "--role", "guest"], "");
    assert!(invited.out.starts_with("talko://chat.example.org:8889/"), "{invited:?}");
    assert!(invited.err.starts_with("Invitation 1 for 2 accounts until "), "{invited:?}");
    let list = up.run(&ada, &["invite", "--list"], "").out;
    assert!(list.starts_with("1\tby ada\tguest\t2 left\tuntil "), "{list}");
    let here = invited.out.trim().replace("chat.example.org:8889", &up.data_address());
    let join = ["join", here.as_str(), "--user", "grace", "--password-fd", "0"];
    up.run(&grace, &join, PASSWORD).is(
        0,
        &format!("grace is logged in. To chat: talko --data-address {}\n", up.data_address()),
        "Made the account grace.\n",
    );
    assert!(up.run(&grace, &["whoami"], "").out.contains("\tguest of "));
    up.run(&house.home("other"), &join, PASSWORD).is(4, "", "talko: the name is taken\n");
    up.run(&ada, &["invite", "--revoke", "1"], "").is(0, "invitation 1 holds no more\n", "");
    let late = ["join", here.as_str(), "--user", "lin", "--password-fd", "0"];
    assert_eq!(up.run(&house.home("lin"), &late, PASSWORD).code, 4);
    assert_eq!(up.run(&house.home("lin"), &["join", "talko://nothing"], "").code, 2);
}

/// Passwords come from files as well as from pipes, one line each.
#[test]
fn passwords_stand_in_a_file_line_by_line() {
    let house = House::new();
    let (home, up) = (house.home("home"), Serving::up(&house.home("server"), &[]));
    std::fs::write(home.join("passwords"), format!("{PASSWORD}\nanother long one\nand more\n")).unwrap();
    for (arguments, said) in [
        ("login --register --user ada", "ada is logged in at "),
        ("password", "the password is changed; 0 other sessions have ended\n"),
    ] {
        let script = format!("exec \"$0\" {arguments} --password-fd 3 3< passwords");
        let mut shell = std::process::Command::new("/bin/sh");
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_talko")]).env_clear().env("HOME", &home);
        shell.env("TALKO_DATA_ADDRESS", up.data_address()).current_dir(&home);
        let output = crate::house::run(&mut shell, "");
        assert!(output.code == 0 && output.out.starts_with(said), "{output:?}");
    }
    up.run(&home, &LOGIN, "another long one").is(
        0,
        &format!("ada is logged in at {}\n", up.data_address()),
        "",
    );
    let empty = up.run(&home, &LOGIN, "\n");
    empty.is(2, "", "talko: file descriptor 0 holds no password\n");
}

/// A device that is logged out elsewhere stops hearing at once, and says why.
#[test]
fn a_revoked_device_stops_following() {
    let house = House::new();
    let up = Serving::up(&house.home("server"), &[]);
    let (laptop, phone, grace) = (house.home("laptop"), house.home("phone"), house.home("grace"));
    up.register(&laptop, "ada");
    up.register(&phone, "ada");
    up.register(&grace, "grace");
    let mut tail = Tail::start(&mut up.command(&phone, &["tail", "--since", "0"]));
    assert_eq!(up.run(&grace, &["send", "ada", "hello"], "").code, 0);
    tail.hears("grace: hello");
    for file in ["cmdline", "environ"] {
        let Ok(seen) = std::fs::read(format!("/proc/{}/{file}", tail.id())) else { continue };
        assert!(!String::from_utf8_lossy(&seen).contains(PASSWORD), "{file}");
    }
    let kept = std::fs::read_to_string(house.data("phone").join("sessions")).unwrap();
    assert!(kept.contains("tlk_") && !kept.contains(PASSWORD));
    assert_eq!(mode(&house.data("phone").join("sessions")), 0o600);
    let before = now();
    up.run(&laptop, &["sessions", "--revoke", "2"], "").is(0, "session 2 has ended\n", "");
    let (status, said) = tail.ends();
    assert!(before.elapsed() < Duration::from_secs(5), "{:?}", before.elapsed());
    assert_eq!(status.code(), Some(4), "{said}");
    assert_eq!(said, "talko: this device was logged out: `talko login` begins again\n");
    let next = up.run(&phone, &["send", "grace", "are you there?"], "");
    assert!(next.code == 4 && next.err.contains("ada was logged out at "), "{next:?}");
    // What comes by a pipe is never taken for a name or a password.
    let piped = up.run(&phone, &["send", "grace"], "ada\nsecret\n");
    assert!(piped.code == 2 && piped.err.contains("nobody is logged in"), "{piped:?}");
}

/// Nobody can put a password where other programs read it, and what is printed holds no secret.
#[test]
fn no_flag_takes_a_password_and_config_prints_no_secret() {
    let house = House::new();
    let (home, data) = (house.home("server"), house.data("server"));
    let refused = crate::house::run(&mut talko(&home, &["login", "--user", "ada", "--password", "x"]), "");
    assert!(refused.code == 2 && refused.err.contains("--password"), "{refused:?}");
    let mut login = talko(&home, &["login", "--user", "ada"]);
    login.env("TALKO_PASSWORD", "x").env("TALKO_DATA_ADDRESS", "127.0.0.1:1");
    let none = crate::house::run(&mut login, "");
    assert_eq!(none.code, 3, "nothing listens there, and nothing was taken from the environment");
    let up = Serving::up(&home, &["--tls", "always"]);
    up.register(&home, "ada");
    drop(up);
    let key = crate::house::run(&mut talko(&home, &["data-server", "--data-address", "x"]), "");
    assert_eq!(key.code, 2);
    std::fs::write(home.join("talko.toml"), "rates = \"off\"\nregistration = \"closed\"\n").unwrap();
    let config = crate::house::run(&mut talko(&home, &["config", "--config", "talko.toml"]), "");
    assert_eq!(config.code, 0);
    let rates = config.out.lines().find(|line| line.starts_with("rates ")).unwrap();
    assert!(rates.split_whitespace().eq(["rates", "off", "talko.toml"]), "{rates}");
    for file in ["tls.key", "sessions"] {
        assert_eq!(mode(&data.join(file)), 0o600, "{file}");
        for line in std::fs::read_to_string(data.join(file)).unwrap().lines() {
            for word in line.split(['"', ' ']).filter(|word| word.len() > 30) {
                assert!(!config.out.contains(word), "{file} is printed");
            }
        }
    }
}

/// `--rates off`: more wrong passwords than any rate allows are all heard.
#[test]
fn rates_can_be_switched_off() {
    let house = House::new();
    for (rates, is_limited) in [("default", true), ("off", false)] {
        let home = house.home(rates);
        let up = Serving::up(&home, &["--rates", rates]);
        let [.., last] = [(); 5].map(|()| up.run(&home, &LOGIN, "a wrong password"));
        assert_eq!(last.code, 4);
        assert_eq!(last.err.contains("too many wrong passwords: try again in "), is_limited, "{last:?}");
    }
}

/// A forgotten password, and people from before there were accounts: whoever has the database sets it.
#[test]
fn the_operator_sets_a_password_in_the_database() {
    let house = House::new();
    let (server, phone) = (house.home("server"), house.home("phone"));
    let trusting = Serving::up(&server, &["--trust-user-ids"]);
    let add = crate::house::run(
        trusting.command(&server, &["user", "add", "ada"]).env("TALKO_TRUST_USER_IDS", "1"),
        "",
    );
    add.is(0, "1\tada\n", "");
    trusting.stop();

    let up = Serving::up(&server, &[]);
    let taken = up.run(&phone, &REGISTER, PASSWORD);
    taken.is(4, "", "talko: wrong name or password, or the name is taken\n");
    // While the servers run.
    let set = ["user", "password", "Ada", "--password-fd", "0"];
    up.run(&server, &set, "short").is(1, "", "talko: a password has at least 8 characters\n");
    up.run(&server, &set, PASSWORD).is(
        0,
        "ada has a new password; 0 sessions have ended\n\
         ada is now owner of the server, as the first who can log in\n",
        "",
    );
    assert_eq!(up.run(&phone, &LOGIN, PASSWORD).code, 0);
    let mut tail = Tail::start(&mut up.command(&phone, &["tail"]));
    up.run(&server, &set, "a forgotten one").is(0, "ada has a new password; 1 sessions have ended\n", "");
    assert_eq!(tail.ends().0.code(), Some(4), "the servers hear of it");
    assert_eq!(up.run(&phone, &["whoami"], "").code, 4);
    up.run(&phone, &LOGIN, PASSWORD).is(4, "", "talko: wrong name or password\n");
    assert_eq!(up.run(&phone, &LOGIN, "a forgotten one").code, 0);
    let nobody = ["user", "password", "nobody", "--password-fd", "0"];
    up.run(&server, &nobody, PASSWORD).is(1, "", "talko: nobody is called nobody\n");
    up.stop();
    let database = house.data("server").join("talko.db");
    let checked = crate::house::run(&mut talko(&server, &["check", database.to_str().unwrap()]), "");
    assert_eq!(checked.code, 0, "{checked:?}");
}
