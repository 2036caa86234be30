//! A data-server and a broadcast-server in processes of their own, linked over TLS by the key that they share.

use crate::house::{House, Serving, Tail, mode, wait_for};

/// Messages flow over the link before, between and after the steps of changing the service key.
#[test]
fn the_service_key_changes_without_downtime() {
    let house = House::new();
    let (server, ada, grace) = (house.home("server"), house.home("ada"), house.home("grace"));
    let broadcast = Serving::start(
        &server,
        &["broadcast-server", "--broadcast-address", "127.0.0.1:0", "--tls", "always"],
    );
    let at = broadcast.after("broadcast-server on ").to_owned();
    let data = Serving::start(
        &server,
        &["data-server", "--data-address", "127.0.0.1:0", "--broadcast-address", &at, "--tls", "always"],
    );
    assert!(data.ready.contains(&format!(", linked to {at}, ")), "{}", data.ready);
    let key = house.data("server").join("service.key");
    assert_eq!(mode(&key), 0o600);
    data.register(&ada, "ada");
    data.register(&grace, "grace");
    let follow = || Tail::start(&mut data.command(&ada, &["tail", "--since", "0"]));
    let say = |text: &str| {
        let said = data.run(&grace, &["send", "ada", text], "");
        assert_eq!(said.code, 0, "{said:?}");
    };
    let mut first = follow();
    say("before");
    first.hears("grace: before");

    let old = std::fs::read_to_string(&key).unwrap().trim().to_owned();
    let new = "5".repeat(64);
    let steps = [format!("{old}\n{new}\n"), format!("{new}\n{old}\n"), format!("# the only one\n{new}\n")];
    for (number, keys) in steps.iter().enumerate() {
        std::fs::write(&key, keys).unwrap();
        for serving in [&broadcast, &data] {
            serving.signal("HUP");
            wait_for("the keys to be read", || {
                serving.log().matches("the service keys were read again").count() == number + 1
            });
        }
        say(&format!("step {number}"));
        first.hears(&format!("grace: step {number}"));
        let newcomer = follow();
        newcomer.hears(&format!("grace: step {number}"));
    }
    // A file that is of no use leaves in force what was.
    std::fs::write(&key, "no key\n").unwrap();
    data.signal("HUP");
    wait_for("the refusal", || data.log().contains("the old service keys stay"));
    say("after");
    first.hears("grace: after");
    assert!(!data.log().contains(&new) && !broadcast.log().contains(&new), "a key was logged");
    assert!(first.is_running());

    // Who knows the new key alone is linked, so it is in force at the other end.
    std::fs::write(&key, &steps[2]).unwrap();
    let address = data.data_address();
    data.stop();
    let data = Serving::start(
        &server,
        &["data-server", "--data-address", &address, "--broadcast-address", &at, "--tls", "always"],
    );
    wait_for("the link", || data.log().contains("link open"));
    assert_eq!(data.run(&grace, &["send", "ada", "with the new key"], "").code, 0);
    first.hears("grace: with the new key");
    assert!(!broadcast.log().contains("link refused"), "{}", broadcast.log());
}
