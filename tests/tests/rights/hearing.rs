//! What open streams hear: of a group its people and nobody else, from the entry by which they came to the one by which
//! they went; and of nothing any more when their session has ended.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::{Form, Wire, figures};
use ttp::net::clock;

use crate::matrix::patiently;
use crate::world::{PASSWORD, World, greeted};

/// The promise is a second. The machine may be busy with other tests.
const END_MAX: Duration = Duration::from_secs(5);

/// Where the same is heard by all, so that nobody needs to wait for what does not come.
const BELL: &str = "the bell rings";

/// Somebody who listens.
struct Ear {
    name: &'static str,
    stream: Wire,
}

impl Ear {
    /// Opens a stream in the first session, or in the second.
    async fn open(world: &World, name: &'static str, is_elsewhere: bool) -> Self {
        let mut wire =
            if is_elsewhere { world.log_in_elsewhere(name).await } else { world.log_in(name).await };
        let ticket = wire.result("GetStreamTicket", json!({})).await["ticket"].clone();
        let mut stream = greeted(world.installation.broadcast_wire().await).await;
        let opened = patiently(&mut stream, "OpenStream", json!({"ticket": ticket})).await;
        assert_eq!(opened["result"], json!({}), "{name}: {opened}");
        Self { name, stream }
    }

    /// What came about the group before this bell: texts, and the kinds of other entries with whom they were about.
    async fn heard(&mut self, group: i64, bell: &str) -> Vec<String> {
        let mut heard = Vec::new();
        loop {
            let push = self.stream.receive().await;
            let entry = &push["params"];
            let change = &entry["change"];
            if change["message"]["message_text"] == bell {
                return heard;
            }
            match push["method"].as_str() {
                Some("Event") if entry["chat_id"] == group => heard.push(told(change)),
                Some("Event" | "Head" | "Heartbeat" | "Resync") => {}
                _ => panic!("{} got {push}", self.name),
            }
        }
    }

    /// What came before the stream was closed because its session had ended.
    async fn heard_until_the_end(mut self) -> Vec<String> {
        let mut heard = Vec::new();
        loop {
            let push = self.stream.receive().await;
            match push["method"].as_str() {
                Some("Close") => {
                    let reason = &push["params"]["reason"];
                    let is_so = push["params"]["code"] == 4010 && reason == "logged_out";
                    assert!(is_so, "{}: {push}", self.name);
                    assert!(self.stream.is_closed().await, "{}: nothing comes after the end", self.name);
                    return heard;
                }
                Some("Event") => heard.push(told(&push["params"]["change"])),
                _ => {}
            }
        }
    }
}

fn told(change: &Value) -> String {
    if let Some(text) = change["message"]["message_text"].as_str() {
        return text.to_owned();
    }
    let (kind, about) = change.as_object().unwrap().iter().next().unwrap();
    format!("{kind} {}", about["user"]["user_name"].as_str().unwrap_or_default())
}

async fn say(wire: &mut Wire, chat_id: i64, text: &str) {
    wire.result("InsertMessage", json!({"chat_id": chat_id, "message_text": text})).await;
}

/// N11, N12, N13: everybody in the group hears it, whatever the role, and nobody else: the server's owner does not, nor
/// does who was in it before. Who is removed hears of it and then nothing, however soon something is said.
#[tokio::test(flavor = "multi_thread")]
async fn g20_open_streams_hear_while_the_right_lasts() {
    for form in [Form::Together, Form::Apart] {
        let world = World::make(form).await;
        let team = world.number("team");
        let names =
            ["owner", "moderator", "member", "guest", "tony", "stranger", "remus", "landlord", "steward"];
        let people: Vec<i64> = names.iter().map(|name| world.number(name)).collect();
        let mut landlord = world.log_in("landlord").await;
        let hall = json!({"chat_name": "hall", "user_ids": people});
        let hall = landlord.result("InsertChat", hall).await["chat"]["chat_id"].as_i64().unwrap();
        let mut ears = Vec::new();
        for name in names {
            ears.push(Ear::open(&world, name, false).await);
        }
        let mut owner = world.log_in("owner").await;
        say(&mut owner, team, "before").await;
        say(&mut landlord, hall, BELL).await;
        for ear in &mut ears {
            let is_in = ["owner", "moderator", "member", "guest", "tony"].contains(&ear.name);
            let expected: &[&str] = if is_in { &["before"] } else { &[] };
            assert_eq!(ear.heard(team, BELL).await, expected, "{}", ear.name);
        }
        let mut moderator = world.log_in("moderator").await;
        let tony = json!({"chat_id": team, "user_id": world.number("tony")});
        for round in 0..20 {
            let (bell, secret) = (format!("{BELL} {round}"), format!("secret {round}"));
            moderator.result("RemoveParticipant", tony.clone()).await;
            say(&mut owner, team, &secret).await;
            say(&mut landlord, hall, &bell).await;
            for ear in &mut ears {
                let heard = ear.heard(team, &bell).await;
                let expected: &[&str] = match ear.name {
                    "owner" | "moderator" | "member" | "guest" => &["left tony", &secret],
                    "tony" => &["left tony"],
                    _ => &[],
                };
                assert_eq!(heard, expected, "{} in round {round}, {form:?}", ear.name);
            }
            come_back(&mut owner, &mut landlord, (team, hall), &tony, &mut ears, round).await;
        }
        // Servers that stop wait for who is still there.
        drop((ears, owner, moderator, landlord));
        world.installation.stop().await;
    }
}

/// Takes somebody in again, and waits until the stream follows the group.
async fn come_back(
    owner: &mut Wire,
    landlord: &mut Wire,
    (team, hall): (i64, i64),
    person: &Value,
    ears: &mut [Ear],
    round: usize,
) {
    owner.result("AddParticipant", person.clone()).await;
    for attempt in 0.. {
        let (bell, text) = (format!("{BELL} for tony {round} {attempt}"), format!("welcome {attempt}"));
        say(owner, team, &text).await;
        say(landlord, hall, &bell).await;
        let mut follows = false;
        for ear in &mut *ears {
            let heard = ear.heard(team, &bell).await;
            match ear.name {
                "tony" => follows = heard.contains(&text),
                "owner" | "moderator" | "member" | "guest" => assert!(heard.contains(&text), "{}", ear.name),
                name => assert!(heard.is_empty(), "{name} heard {heard:?}"),
            }
        }
        if follows {
            return;
        }
        assert!(attempt < 1_000, "who is in the group again hears it again");
    }
}

/// By what a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    RevokedElsewhere,
    LoggedOut,
    LoggedOutEverywhere,
    PasswordChangedElsewhere,
    ClosedOwnAccount,
    AccountClosedByOwner,
    Expired,
}

impl Ending {
    /// Each with somebody of the group.
    const ALL: [(Self, &'static str); 7] = [
        (Self::RevokedElsewhere, "moderator"),
        (Self::LoggedOut, "member"),
        (Self::LoggedOutEverywhere, "guest"),
        (Self::PasswordChangedElsewhere, "thea"),
        (Self::ClosedOwnAccount, "tilda"),
        (Self::AccountClosedByOwner, "fallen"),
        (Self::Expired, "tony"),
    ];

    /// Whether the other session of the person ends too.
    fn ends_all(self) -> bool {
        matches!(self, Self::LoggedOutEverywhere | Self::ClosedOwnAccount | Self::AccountClosedByOwner)
    }

    async fn happen(self, world: &World, name: &str) {
        let (mut here, mut elsewhere) = (world.log_in(name).await, world.log_in_elsewhere(name).await);
        let person = world.person(name);
        let (wire, method, params) = match self {
            Self::RevokedElsewhere => {
                (&mut elsewhere, "RevokeSession", json!({"session_id": person.session_id}))
            }
            Self::LoggedOut => (&mut here, "Logout", json!({})),
            Self::LoggedOutEverywhere => (&mut elsewhere, "LogoutEverywhere", json!({})),
            Self::PasswordChangedElsewhere => {
                let passwords = json!({"old_password": PASSWORD, "new_password": "staple staple"});
                (&mut elsewhere, "ChangePassword", passwords)
            }
            Self::ClosedOwnAccount => (&mut here, "DeactivateUser", json!({"password": PASSWORD})),
            Self::AccountClosedByOwner => {
                here = world.log_in("landlord").await;
                (&mut here, "DeactivateUser", json!({"user_id": person.user_id}))
            }
            Self::Expired => return world.expire(person),
        };
        wire.result(method, params).await;
    }
}

/// R18, R19: however a session ends, its streams end with it, and are told nothing that is said afterwards. The
/// person's other sessions hear on.
#[tokio::test(flavor = "multi_thread")]
async fn r18_open_streams_end_with_their_session() {
    let mut longest = Duration::ZERO;
    for form in [Form::Together, Form::Apart] {
        let world = World::make(form).await;
        let team = world.number("team");
        let mut owner = world.log_in("owner").await;
        for (ending, name) in Ending::ALL {
            let ear = Ear::open(&world, name, false).await;
            let mut other = Ear::open(&world, name, true).await;
            let began = clock::now();
            ending.happen(&world, name).await;
            // A session that expires is found out by the next digest: until then its stream may hear. What was said
            // after the end before this one may still be on its way.
            let after_the_end = format!("after the end: {ending:?}");
            if ending != Ending::Expired {
                say(&mut owner, team, &after_the_end).await;
            }
            let heard = ear.heard_until_the_end().await;
            let took = took(ending, form, began);
            assert!(!heard.contains(&after_the_end), "{ending:?}: {heard:?}");
            longest = longest.max(took);
            if ending.ends_all() {
                let heard = other.heard_until_the_end().await;
                assert!(!heard.contains(&after_the_end), "{ending:?}: {heard:?}");
            } else {
                say(&mut owner, team, BELL).await;
                other.heard(team, BELL).await;
            }
        }
        world.installation.stop().await;
    }
    figures::keep("rights.streams", &format!("session_end_to_stream_end_max_ms={}", longest.as_millis()));
}

fn took(ending: Ending, form: Form, began: Instant) -> Duration {
    let took = began.elapsed();
    println!("{form:?}: {ending:?}: the stream ended after {} ms", took.as_millis());
    assert!(took <= END_MAX, "{ending:?}: the stream lived on for {took:?}");
    took
}
