//! Streams open by ticket, and end with their session, whatever becomes of the hint.

use broadcast_server::Config;
use bus::link::{Caller, ServiceKey};
use bus::{Hint, Publisher};
use serde_json::{Value, json};
use ttp::model::{SessionId, UserId};
use ttp::net::clock;
use ttp::ticket::TicketKey;

use crate::client::Client;
use crate::stage::{Mood, Stage, ended, message, ticket, ticket_key, until};

fn open(client: &mut Client, user: i64, session: i64) -> Value {
    client.call("OpenStream", json!({"ticket": ticket(user, session)}))
}

/// The stream's last word is that its session has ended, and that it shall not come back.
fn is_logged_out(client: &mut Client) -> bool {
    let farewell = client.next();
    let params = &farewell["params"];
    assert_eq!(farewell["method"], "Close", "{farewell}");
    assert_eq!((&params["code"], &params["reason"]), (&json!(4010), &json!("logged_out")));
    assert_eq!(params["reconnect"], false);
    client.is_closed()
}

/// T30, C03: a number alone, a forged, late or foreign ticket open nothing and end nothing, in either dialect. The
/// connection may go on trying, and each try is counted.
#[test]
fn t30_streams_open_and_end_by_ticket_alone() {
    let stage = Stage::strict(Config::default());
    stage.directory.set(7, &[17]);
    stage.directory.set_sessions(7, &[70]);
    let mut theirs = stage.open_session(7, 70);
    let now = clock::now_ms();
    let late = ticket_key().sign(UserId(7), Some(SessionId(70)), now - 70_000).0;
    let forged = TicketKey::new([8; 32]).sign(UserId(7), Some(SessionId(70)), now).0;
    let trusted = ticket_key().sign(UserId(7), None, now).0;
    let refused = [
        (json!({"user_id": 7}), -32001),
        (json!({}), -32001),
        (json!({"ticket": ""}), -32001),
        (json!({"ticket": "1.7.70.99999999999999.00"}), -32001),
        (json!({"ticket": late.expose()}), -32001),
        (json!({"ticket": forged.expose()}), -32001),
        (json!({"ticket": trusted.expose()}), -32001),
        (json!({"ticket": ticket(7, 70), "user_id": 8}), -32003),
        (json!({"ticket": ticket(8, 70), "user_id": 7}), -32003),
    ];
    let mut count = 0;
    for mut client in [stage.connect(), stage.greet()] {
        for method in ["OpenStreamRequest", "CloseStreamRequest"] {
            for (params, code) in &refused {
                let refusal = client.call(method, params.clone());
                assert_eq!(refusal["error"]["code"], *code, "{method} {params}");
                count += 1;
            }
        }
        assert_eq!(stage.stats().tickets_refused, count);
        stage.publish(vec![message(17, count, 8, "not for strangers")]);
        assert_eq!(client.call("Ping", json!({}))["result"], json!({}), "nothing else came");
        assert_eq!(open(&mut client, 7, 70)["result"], json!({}), "the connection may try again");
    }
    assert_eq!([theirs.next_event().1, theirs.next_event().1], [count / 2, count]);
}

/// R18: the streams of an ended session end at once with all that was said before, and nobody else's do.
#[test]
fn r18_an_ended_session_ends_its_streams_and_no_others() {
    let stage = Stage::strict(Config { shards: 3, ..Config::default() });
    for (user, sessions) in [(7, &[70, 71][..]), (8, &[80])] {
        stage.directory.set(user, &[17]);
        stage.directory.set_sessions(user, sessions);
    }
    let mut theirs: Vec<Client> = (0..6).map(|_| stage.open_session(7, 70)).collect();
    let mut others: Vec<Client> = (0..3).map(|_| stage.open_session(7, 71)).collect();
    others.push(stage.open_session(8, 80));
    let mut old = stage.connect();
    assert_eq!(open(&mut old, 7, 70)["result"], json!({}));
    stage.hub.receive(vec![
        Hint::Event(message(17, 1, 8, "before")),
        ended(&[9, 70, 70, 99]),
        Hint::Event(message(17, 2, 8, "after")),
    ]);
    for stream in &mut theirs {
        assert_eq!(stream.next_event(), (17, 1));
        assert!(is_logged_out(stream));
    }
    assert_eq!(old.next()["result"]["message"]["message_text"], "before");
    assert!(old.is_closed());
    // It is said again and again.
    stage.ended(&[70]);
    stage.publish(vec![message(17, 3, 8, "later")]);
    for stream in &mut others {
        assert_eq!([(); 3].map(|()| stream.next_event().1), [1, 2, 3]);
    }
    drop((theirs, old));
    until("the others are left", || stage.stats().connections == 4);
    assert_eq!(stage.stats().streams, 4);
}

/// A lost hint is repaired by whatever makes the server ask: an announced loss, or somebody who moved.
#[test]
fn a_lost_end_is_found_when_the_directory_is_asked() {
    let stage = Stage::strict(Config::default());
    let ways: [&dyn Fn(); 2] = [&|| stage.hub.resync(), &|| stage.moved(&[7])];
    for repair in ways {
        stage.directory.set(7, &[17]);
        stage.directory.set_sessions(7, &[70, 71]);
        let (mut gone, mut goes_on) = (stage.open_session(7, 70), stage.open_session(7, 71));
        stage.directory.set_sessions(7, &[71]);
        stage.publish(vec![message(17, 1, 8, "nobody knows yet")]);
        assert_eq!([gone.next_event(), goes_on.next_event()], [(17, 1); 2]);
        repair();
        let mut last = gone.next();
        if last["method"] == "Resync" {
            last = gone.next();
        }
        assert_eq!(last["params"]["code"], 4010);
        assert!(gone.is_closed());
        stage.publish(vec![message(17, 2, 8, "hello")]);
        let mut push = goes_on.next();
        if push["method"] == "Resync" {
            push = goes_on.next();
        }
        assert_eq!(push["params"]["seq"], 2);
        drop(goes_on);
        until("nobody is left", || stage.stats().streams == 0);
    }
}

/// A ticket from before the end of its session opens nothing after it, though no hint ever came; and the connection may
/// show another one.
#[test]
fn r18_a_ticket_from_before_the_end_opens_nothing_after_it() {
    let stage = Stage::strict(Config { streams_per_user_max: 1, ..Config::default() });
    stage.directory.set(7, &[17]);
    stage.directory.set_sessions(7, &[70, 71]);
    let old = json!({"ticket": ticket(7, 70)});
    stage.directory.set_sessions(7, &[71]);
    let mut client = stage.greet();
    for count in 1..=3 {
        let refusal = client.call("OpenStream", old.clone());
        assert_eq!(refusal["error"]["code"], -32001);
        assert_eq!(refusal["error"]["message"], "this session has ended: log in again");
        assert_eq!(stage.stats().tickets_refused, count);
    }
    until("nobody is there", || stage.stats().users == 0);
    stage.publish(vec![message(17, 1, 8, "not for strangers")]);
    assert_eq!(open(&mut client, 7, 71)["result"], json!({}), "its place was not kept by who was refused");
    stage.publish(vec![message(17, 2, 8, "hello")]);
    assert_eq!(client.next_event(), (17, 2));
    // A session that nobody ever had, and one of somebody else.
    stage.directory.set_sessions(8, &[80]);
    for (user, session) in [(7, 72), (7, 80), (8, 71), (9, 80)] {
        let mut client = stage.greet();
        let params = json!({"ticket": ticket(user, session)});
        let code = client.call("OpenStream", params)["error"]["code"].clone();
        // Person 7 has no place for another stream, which is said first.
        assert_eq!(code, if user == 7 { json!(-32029) } else { json!(-32001) });
    }
}

/// The end comes while the directory is being asked: its answer, which is older, opens nothing.
#[test]
fn r18_a_session_that_ends_during_the_question_opens_nothing() {
    let stage = Stage::strict(Config { shards: 1, ..Config::default() });
    stage.directory.set(7, &[17]);
    stage.directory.set_sessions(7, &[70, 71]);
    stage.directory.feel(Mood::Holds);
    let mut client = stage.greet();
    client.send("OpenStream", json!({"ticket": ticket(7, 70)}));
    until("the directory is asked", || stage.directory.held() == 1);
    stage.ended(&[70]);
    assert_eq!(client.next()["error"]["code"], -32001, "it does not wait for the answer");
    stage.directory.release();
    assert_eq!(client.call("Ping", json!({}))["result"], json!({}), "nothing opened afterwards");
    assert_eq!(stage.stats().streams, 0);
    client.send("OpenStream", json!({"ticket": ticket(7, 71)}));
    until("the directory is asked again", || stage.directory.held() == 1);
    stage.directory.release();
    assert_eq!(client.next()["result"], json!({}));
}

/// A question is under way for another stream of the person when the session ends and then its ticket is shown, and the
/// hint is lost: the answer still names the session, and is not believed about the newcomer.
#[test]
fn r18_an_answer_older_than_the_ticket_opens_nothing() {
    let stage = Stage::strict(Config { shards: 1, ..Config::default() });
    stage.directory.set(7, &[17]);
    stage.directory.set_sessions(7, &[70, 71]);
    stage.directory.feel(Mood::Holds);
    let (mut first, mut second) = (stage.greet(), stage.greet());
    first.send("OpenStream", json!({"ticket": ticket(7, 70)}));
    until("the directory is asked", || stage.directory.held() == 1);
    second.send("OpenStream", json!({"ticket": ticket(7, 71)}));
    assert_eq!(second.call("Ping", json!({}))["result"], json!({}), "it has been taken");
    // The answer of a directory that had read before the end.
    stage.directory.release();
    assert_eq!(first.next()["result"], json!({}));
    until("it is asked once more", || stage.directory.held() == 1);
    stage.directory.set_sessions(7, &[70]);
    stage.directory.release();
    assert_eq!(second.next()["error"]["code"], -32001);
    assert_eq!(stage.stats().streams, 1);
}

/// Over a link: the hint ends streams; and when the link was cut and the hint with it, the next link does.
#[test]
fn r18_sessions_end_over_a_link_and_after_a_cut() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let _entered = runtime.enter();
    let key = ServiceKey::generate().unwrap();
    let stage = Stage::linked(key.clone());
    stage.directory.set(7, &[17]);
    stage.directory.set_sessions(7, &[70, 71]);
    let call = || {
        let caller = Caller::start(stage.address.to_string(), key.clone());
        caller.attach_directory(std::sync::Arc::clone(&stage.directory) as _);
        caller
    };
    let caller = call();
    let mut client = stage.greet();
    until("the directory answers", || {
        let code = client.call("OpenStream", json!({"ticket": ticket(7, 72)}))["error"]["code"].clone();
        assert!([json!(-32053), json!(-32001)].contains(&code), "{code}");
        code == json!(-32001)
    });
    let (mut hinted, mut lost) = (stage.open_session(7, 70), stage.open_session(7, 71));
    stage.directory.set_sessions(7, &[71]);
    caller.publish(vec![Hint::Event(message(17, 1, 8, "before")), ended(&[70])]);
    let heard = |client: &mut Client| {
        let push = client.next();
        if push["method"] == "Resync" { client.next() } else { push }
    };
    assert_eq!(heard(&mut hinted)["params"]["seq"], 1);
    assert!(is_logged_out(&mut hinted));
    assert_eq!(heard(&mut lost)["params"]["seq"], 1);
    drop(caller);
    stage.directory.set_sessions(7, &[]);
    let _caller = call();
    let farewell = std::iter::repeat_with(|| lost.next()).find(|push| push["method"] == "Close").unwrap();
    assert_eq!(farewell["params"]["code"], 4010);
    assert!(lost.is_closed());
}
