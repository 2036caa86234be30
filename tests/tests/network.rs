//! A network at its worst: answers that come in the wrong order or not at all, peers that vanish without a word, a bus
//! that crawls or hangs, and clients that die. Nothing is lost or doubled by it, and nobody waits for ever.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use client_lib::{Cursors, Error, EventStream, Options, Position};
use tests::chaos::database;
use tests::figures;
use tests::proxy::{Aim, End, Flow, Line, Plan, Shot, Way};
use tests::roads::{CALL_TIMEOUT, Roads, Scene, Traveller};
use tests::{live, until, within};
use ttp::model::ChatId;
use ttp::net::clock;

/// Everything vanishes, both ways.
fn black_hole() -> Plan {
    Plan::both(Line { flow: Flow::Vanishes, ..Line::default() })
}

fn slow_answers(delay: Duration) -> Plan {
    Plan { down: Line { delay, ..Line::default() }, ..Plan::default() }
}

/// Two people, their chat, and the open streams of both.
async fn two_people(roads: &Roads, send_timeout: Duration) -> (Traveller, Traveller, ChatId) {
    let listener = roads.person("listener").await;
    let speaker = roads.person("speaker").await.user;
    let speaker = roads.device_with(&speaker, |options| Options { send_timeout, ..options }).await;
    let chat_id = speaker.client.insert_chat("", &[listener.user.user_id]).await.unwrap().chat_id;
    (speaker, listener, chat_id)
}

/// The text of the next message on a stream.
async fn next_text(events: &mut EventStream) -> String {
    loop {
        let event = within("a message", events.next()).await.expect("the stream ended");
        if let Some(message) = event.message() {
            return message.message_text.clone();
        }
    }
}

/// F33, G2, G6: the event comes first, the reply long after it. The own message is not shown a second time.
#[tokio::test(flavor = "multi_thread")]
async fn f33_an_event_before_its_reply_is_shown_once() {
    let roads = Roads::start().await;
    let (speaker, listener, chat_id) = two_people(&roads, tests::DEADLINE).await;
    let (mut own, mut heard) = (live(&speaker.client).await, live(&listener.client).await);
    for number in 0..5 {
        speaker.data.set(slow_answers(Duration::from_millis(400)));
        let (client, text) = (speaker.client.clone(), format!("early {number}"));
        let sending = tokio::spawn(async move { client.insert_message(chat_id, &text).await });
        assert_eq!(next_text(&mut heard).await, format!("early {number}"));
        // The event has answered the send; the reply comes all the same, before that of a later call.
        assert_eq!(sending.await.unwrap().unwrap().message_text, format!("early {number}"));
        speaker.client.get_user(speaker.user.user_id).await.unwrap();
        speaker.data.set(Plan::default());
        listener.client.insert_message(chat_id, "mark").await.unwrap();
        assert_eq!(next_text(&mut own).await, "mark", "the own message was brought back");
    }
}

/// F33, G2: the reply is lost and the event is not: the event is the answer.
#[tokio::test(flavor = "multi_thread")]
async fn f33_an_event_answers_a_send_whose_reply_is_lost() {
    let roads = Roads::start().await;
    let (speaker, listener, chat_id) = two_people(&roads, Duration::from_millis(700)).await;
    let mut own = live(&speaker.client).await;
    speaker.data.set(Plan { down: black_hole().down, ..Plan::default() });
    let message = speaker.client.insert_message(chat_id, "no answer").await.unwrap();
    assert_eq!(message.message_text, "no answer");
    speaker.data.set(Plan::default());
    speaker.data.cut(End::Reset);
    listener.client.insert_message(chat_id, "mark").await.unwrap();
    assert_eq!(next_text(&mut own).await, "mark", "the own message was brought back");
    assert_stored_once(&roads, "no answer");
}

/// F33, G3: the caller gave up before anything came. The send has no known outcome then, so its event is shown, once;
/// the late reply changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn f33_a_reply_after_the_caller_gave_up_doubles_nothing() {
    let roads = Roads::start().await;
    let (speaker, listener, chat_id) = two_people(&roads, Duration::from_millis(300)).await;
    let mut own = live(&speaker.client).await;
    let late = slow_answers(Duration::from_millis(1_500));
    speaker.data.set(late);
    speaker.stream.set(late);
    let error = speaker.client.insert_message(chat_id, "given up").await.unwrap_err();
    assert!(matches!(error, Error::Indeterminate { .. }), "{error}");
    assert_eq!(next_text(&mut own).await, "given up");
    listener.client.insert_message(chat_id, "mark").await.unwrap();
    assert_eq!(next_text(&mut own).await, "mark", "the message was shown twice");
    assert_stored_once(&roads, "given up");
}

fn assert_stored_once(roads: &Roads, text: &str) {
    assert_eq!(stored(roads, text), 1, "{text}");
}

fn stored(roads: &Roads, text: &str) -> usize {
    let rows = database::rows(&roads.installation.database());
    rows.iter().filter(|row| row.message.as_ref().is_some_and(|message| message.text == text)).count()
}

/// F10, G10: a long poll with short time-outs, on connections that are cut again and again.
#[tokio::test(flavor = "multi_thread")]
async fn g10_a_long_poll_loses_nothing_across_cuts() {
    const MESSAGES: usize = 120;
    let roads = Roads::start().await;
    let (speaker, listener, chat_id) = two_people(&roads, tests::DEADLINE).await;
    // The first poll begins to listen; what was said before it has been listened to is not for it.
    let mut heard = Vec::new();
    until("the poll listens", async || {
        speaker.client.insert_message(chat_id, "are you there").await.unwrap();
        listener.client.receive_one(Some(Duration::from_millis(100))).await.unwrap().is_some()
    })
    .await;
    let speaking = tokio::spawn(async move {
        for number in 0..MESSAGES {
            speaker.client.insert_message(chat_id, &format!("message {number}")).await.unwrap();
        }
    });
    let polling = async {
        while heard.len() < MESSAGES {
            let message = listener.client.receive_one(Some(Duration::from_millis(5))).await.unwrap();
            let text = message.map(|message| message.message_text).filter(|text| text != "are you there");
            let Some(text) = text else { continue };
            heard.push(text);
            match heard.len() % 12 {
                5 => listener.stream.cut(End::Reset),
                11 => listener.data.cut(End::Finish),
                _ => {}
            }
        }
    };
    within("all polls", polling).await;
    speaking.await.unwrap();
    assert_eq!(listener.client.receive_one(Some(Duration::from_millis(50))).await.unwrap(), None);
    assert_eq!(heard, (0..MESSAGES).map(|number| format!("message {number}")).collect::<Vec<_>>());
    figures::keep(
        "network.polls",
        &format!("polled={MESSAGES} poll_connections={}", listener.stream.accepted()),
    );
}

/// F10: bytes that come one by one.
#[tokio::test(flavor = "multi_thread")]
async fn f10_one_byte_at_a_time_is_only_slower() {
    let mut scene = Scene::open(Roads::start().await).await;
    let slices = Plan::both(Line { slice_bytes_max: 1, ..Line::default() });
    for proxy in [&scene.speaker.data, &scene.listener.stream, &scene.listener.data, &scene.roads.link] {
        proxy.set(slices);
    }
    for number in 0..10 {
        scene.say(&format!("sliced {number}")).await;
        scene.all_hear().await;
    }
    let verdict = scene.judge().await;
    assert!(verdict.violations.is_empty(), "{:#?}", verdict.violations);
}

/// F3, G3: a client that dies before its frame is written (K0) or in its middle (K1) has stored nothing, and what the
/// next life of it says is stored once.
#[tokio::test(flavor = "multi_thread")]
async fn f3_a_client_that_dies_while_it_sends_stores_nothing() {
    let mut scene = Scene::open(Roads::start().await).await;
    for bytes in [0, 1, 9, 10, 11, 60, 120, 150] {
        let slow_to_return = |options| Options {
            send_timeout: 20 * tests::DEADLINE,
            backoff_first: 10 * tests::DEADLINE,
            backoff_max: 10 * tests::DEADLINE,
            ..options
        };
        let dying = scene.roads.device_with(&scene.speaker.user, slow_to_return).await;
        let text = format!("dies after {bytes} bytes");
        dying.data.arm(Shot { way: Way::Up, mark: text.clone(), bytes, end: End::Reset });
        let (client, chat_id, words) = (dying.client.clone(), scene.chat_id, text.clone());
        let sending = tokio::spawn(async move { client.insert_message(chat_id, &words).await });
        until("the frame is cut", async || dying.data.aim() == Aim::Hit).await;
        sending.abort();
        assert!(sending.await.unwrap_err().is_cancelled());
        drop(dying);
        scene.say(&format!("lives on after {bytes} bytes")).await;
        assert_eq!(stored(&scene.roads, &text), 0, "{text}");
    }
    let verdict = scene.judge().await;
    assert!(verdict.violations.is_empty(), "{:#?}", verdict.violations);
}

/// F3, G6: a program that dies when it has taken events and not yet saved how far (K14) gets exactly those again.
#[tokio::test(flavor = "multi_thread")]
async fn f3_a_client_that_dies_before_it_saves_hears_from_what_was_saved() {
    const LIVES: usize = 12;
    let roads = Roads::start().await;
    let (speaker, listener, chat_id) = two_people(&roads, tests::DEADLINE).await;
    let mut saved = Cursors::default();
    let mut kept: Vec<String> = Vec::new();
    for life in 0..LIVES {
        for number in 0..5 {
            speaker.client.insert_message(chat_id, &format!("{life}.{number}")).await.unwrap();
        }
        let reader = roads.device_of(&listener.user).await;
        let mut events = reader.client.events(Position::After(saved.clone()));
        let is_last = life + 1 == LIVES;
        for _ in 0..if is_last { 5 * LIVES - kept.len() } else { 3 } {
            kept.push(next_text(&mut events).await);
        }
        saved = events.cursors().unwrap();
        if !is_last {
            // Taken, and lost with this life.
            next_text(&mut events).await;
        }
    }
    let said: Vec<String> =
        (0..LIVES).flat_map(|life| (0..5).map(move |number| format!("{life}.{number}"))).collect();
    assert_eq!(kept, said);
}

/// F14, G19, G8: peers that vanish without a word. Side by side, since finding out takes its time.
#[tokio::test(flavor = "multi_thread")]
async fn f14_peers_that_vanish_are_found_out() {
    tokio::join!(
        a_send_leaves_a_data_server_that_vanished(),
        a_stream_that_vanished_is_given_up_on_both_sides(),
        a_link_that_vanished_is_replaced(),
    );
}

/// The data-server vanishes without a word. A send finds out, and takes another way.
async fn a_send_leaves_a_data_server_that_vanished() {
    let roads = Roads::start().await;
    let (speaker, _listener, chat_id) = two_people(&roads, tests::DEADLINE).await;
    speaker.data.strand(black_hole());
    let begun = clock::now();
    let message = speaker.client.insert_message(chat_id, "is anybody there").await.unwrap();
    let took = clock::now() - begun;
    figures::keep("network.vanished_data", &format!("vanished_server_found_ms={}", took.as_millis()));
    assert_eq!(stored(&roads, &message.message_text), 1);
    // Twice the time that these clients give one call, and as much for the way back.
    assert!(took < 3 * CALL_TIMEOUT, "it took {took:?}");
}

/// A stream's connection vanishes without a word. The client finds out by itself, and has missed nothing;
/// the server gets rid of its half within 30 s.
async fn a_stream_that_vanished_is_given_up_on_both_sides() {
    let mut scene = Scene::open(Roads::start().await).await;
    let counters = Arc::clone(&scene.roads.installation.broadcast_counters);
    let open = counters.open();
    let accepted = scene.listener.stream.accepted();
    let begun = clock::now();
    scene.listener.stream.strand(black_hole());
    scene.say("said into a black hole").await;
    let limit = Duration::from_secs(35);
    let mut noticed = None;
    // The old half of the server, and the new stream of the client.
    let mut dropped = None;
    while noticed.is_none() || dropped.is_none() {
        let waited = clock::now() - begun;
        assert!(waited < limit, "client after {noticed:?}, server after {dropped:?}");
        if scene.have_all_heard() {
            noticed.get_or_insert(waited);
        }
        let returned = usize::from(scene.listener.stream.accepted() > accepted);
        if counters.open() < open + returned {
            dropped.get_or_insert(waited);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let [noticed, dropped] = [noticed, dropped].map(|took| took.unwrap_or(limit).as_millis());
    let line = format!("vanished_server_found_ms={noticed} vanished_client_found_ms={dropped}");
    figures::keep("network.vanished_stream", &line);
    let verdict = scene.judge().await;
    assert!(verdict.violations.is_empty(), "{:#?}", verdict.violations);
}

/// The link between the servers vanishes without a word. Both ends find out, and readers catch up.
async fn a_link_that_vanished_is_replaced() {
    let mut scene = Scene::open(Roads::start().await).await;
    let begun = clock::now();
    scene.roads.link.strand(black_hole());
    scene.say("said into a black hole").await;
    assert!(clock::now() - begun < Duration::from_secs(5), "a send waited for the bus");
    scene.all_hear().await;
    let took_ms = (clock::now() - begun).as_millis();
    figures::keep("network.vanished_link", &format!("vanished_link_found_ms={took_ms}"));
    let verdict = scene.judge().await;
    assert!(verdict.violations.is_empty(), "{:#?}", verdict.violations);
}
