//! The event stream over everything that connections, servers and hints may do.
#![allow(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

mod fake;

use std::pin::Pin;
use std::time::Duration;

use client_lib::{
    ChatId, Client, CloseCode, ConnectionState, Cursors, Entry, Error, Event, EventStream, Position, UserId,
};
use fake::data::DataServer;
use fake::{ME, Server, entry, identity, options, soon};
use futures_core::Stream;
use ttp::call::{Authenticate, DataCall, Empty, Ping, Sync, SyncReply};
use ttp::event::{Close, EventFrame, Resync, close_frame, heartbeat_frame, resync_frame};

async fn client(data: &DataServer, broadcast: &Server) -> Client {
    let client = Client::connect(options(&data.address, &broadcast.address())).await.unwrap();
    client.trust_me(ME).await.unwrap();
    client
}

/// The next event that is not about the connection.
async fn next(events: &mut EventStream) -> Event {
    loop {
        match soon(events.next()).await.expect("the stream ended") {
            Event::Connection(ConnectionState::Disconnected { retry_in: None, reason }) => panic!("{reason}"),
            Event::Connection(_) => {}
            event => return event,
        }
    }
}

async fn texts(events: &mut EventStream, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    while texts.len() < count {
        let event = next(events).await;
        texts.push(event.message().unwrap_or_else(|| panic!("{event:?}")).message_text.clone());
    }
    texts
}

async fn connected(events: &mut EventStream) {
    let event = soon(events.next()).await;
    assert!(matches!(event, Some(Event::Connection(ConnectionState::Connected))), "{event:?}");
}

async fn disconnected(events: &mut EventStream) -> (Error, Option<Duration>) {
    match soon(events.next()).await {
        Some(Event::Connection(ConnectionState::Disconnected { reason, retry_in })) => (reason, retry_in),
        other => panic!("{other:?}"),
    }
}

fn is_sync(call: &DataCall) -> bool {
    matches!(call, DataCall::Sync(_))
}

/// T47: each new message as it comes; what was there before `Now` is not new.
#[tokio::test]
async fn t47_new_messages_as_they_come() {
    let (data, broadcast) = (DataServer::start().await, Server::start().await);
    data.commit(1, "old");
    let client = client(&data, &broadcast).await;
    let mut events = client.events(Position::Now);
    assert_eq!(events.cursors(), None);
    let mut stream = broadcast.stream().await;
    connected(&mut events).await;
    for text in ["one", "two", "three"] {
        stream.push(&data.commit(1, text)).await;
        assert_eq!(texts(&mut events, 1).await, [text]);
    }
    assert_eq!(events.cursors(), Some(data.heads()));
    stream.push(&data.commit(1, "four")).await;
    let next = std::future::poll_fn(|context| Pin::new(&mut events).poll_next(context));
    let event = soon(next).await.unwrap();
    assert_eq!(event.message().unwrap().message_text, "four");
}

/// T38: offline during a hundred messages, then all of them, in order.
#[tokio::test]
async fn t38_messages_of_an_absence_come_in_order() {
    let (data, broadcast) = (DataServer::start().await, Server::start().await);
    let saved = data.heads();
    let sent: Vec<_> = (0..100).map(|number| data.commit(1, &number.to_string())).collect();
    let mut events = client(&data, &broadcast).await.events(Position::After(saved));
    let _stream = broadcast.stream().await;
    for entry in sent {
        let Event::Entry(received) = next(&mut events).await else { panic!("no entry") };
        assert_eq!(received, entry);
    }
    connected(&mut events).await;
}

/// O10: the stream is opened before the sync, so what is stored between the two is neither lost nor doubled.
#[tokio::test]
async fn o10_an_entry_between_opening_and_sync_comes_once() {
    let (data, broadcast) = (DataServer::start().await, Server::start().await);
    let mut events = client(&data, &broadcast).await.events(Position::After(Cursors::default()));
    let mut stream = broadcast.greet().await;
    let (_, slot) = stream.expect::<ttp::call::OpenStream>().await;
    assert!(!data.state.lock().unwrap().calls.iter().any(is_sync), "synced before the stream was open");
    let before = data.commit(1, "before the answer");
    stream.push(&before).await;
    stream.answer(slot, &ttp::call::Empty {}).await;
    let after = data.commit(1, "after the answer");
    stream.push(&after).await;
    stream.push(&data.commit(1, "live")).await;
    assert_eq!(texts(&mut events, 3).await, ["before the answer", "after the answer", "live"]);
    stream.push(&after).await;
    stream.push(&data.commit(1, "last")).await;
    assert_eq!(texts(&mut events, 1).await, ["last"]);
}

/// G6: hints that are lost, doubled and reordered change nothing.
#[tokio::test]
async fn g6_hints_may_be_lost_doubled_and_reordered() {
    let (data, broadcast) = (DataServer::start().await, Server::start().await);
    let mut events = client(&data, &broadcast).await.events(Position::Now);
    let mut stream = broadcast.stream().await;
    connected(&mut events).await;
    let entries: Vec<Entry> = (1..=12).map(|number| data.commit(1, &number.to_string())).collect();
    for index in [0, 0, 3, 2, 1, 4, 0, 8, 7] {
        stream.push(&entries[index]).await;
    }
    let expected: Vec<String> = (1..=12).map(|number: u32| number.to_string()).collect();
    assert_eq!(texts(&mut events, 12).await, expected);
    // A lost last message is found when the server says that hints were lost.
    data.commit(2, "lost");
    stream.write(&heartbeat_frame()).await;
    stream.write(&resync_frame(Resync::default())).await;
    assert_eq!(texts(&mut events, 1).await, ["lost"]);
}

/// G6: cut within a frame, after an event, and before one; both servers restarted.
#[tokio::test]
async fn g6_nothing_is_lost_or_doubled_by_cuts() {
    let (data, broadcast) = (DataServer::start().await, Server::start().await);
    let mut events = client(&data, &broadcast).await.events(Position::Now);
    let stream = broadcast.stream().await;
    connected(&mut events).await;
    stream.push_half(&data.commit(1, "cut within its frame")).await;
    assert!(disconnected(&mut events).await.1.is_some());
    let mut stream = broadcast.stream().await;
    stream.push(&data.commit(1, "cut after it")).await;
    drop(stream);
    data.commit(1, "away");
    data.cut();
    let mut stream = broadcast.stream().await;
    stream.push(&data.commit(1, "back")).await;
    let all = ["cut within its frame", "cut after it", "away", "back"];
    assert_eq!(texts(&mut events, 4).await, all);
    stream.push(&data.commit(1, "live")).await;
    assert_eq!(texts(&mut events, 1).await, ["live"]);
}

/// G6: the connection is cut at every byte of a frame.
#[tokio::test]
async fn g6_a_cut_at_any_byte_loses_nothing() {
    let (data, broadcast) = (DataServer::start().await, Server::start().await);
    let mut options = options(&data.address, &broadcast.address());
    options.backoff_max = Duration::from_millis(1);
    let client = Client::connect(options).await.unwrap();
    client.trust_me(ME).await.unwrap();
    let mut events = client.events(Position::Now);
    let mut stream = broadcast.stream().await;
    connected(&mut events).await;
    for offset in 0.. {
        let entry = data.commit(1, "cut");
        let frame = EventFrame::new(&entry).frame().clone();
        stream.write(&frame[..offset.min(frame.len())]).await;
        drop(stream);
        if offset >= frame.len() {
            break;
        }
        assert!(disconnected(&mut events).await.1.is_some());
        stream = broadcast.stream().await;
        let event = next(&mut events).await;
        assert!(matches!(&event, Event::Entry(next) if *next == entry), "{offset}: {event:?}");
        connected(&mut events).await;
    }
    assert_eq!(texts(&mut events, 1).await, ["cut"]);
}

/// A stream from now on misses nothing even when the broadcast-server is away at first.
#[tokio::test]
async fn now_is_fixed_before_the_stream_is_open() {
    let (data, broadcast) = (DataServer::start().await, Server::start().await);
    let mut events = client(&data, &broadcast).await.events(Position::Now);
    drop(broadcast.accept().await);
    data.answered(1, is_sync).await;
    data.commit(1, "while nobody listened");
    let _stream = broadcast.stream().await;
    assert_eq!(texts(&mut events, 1).await, ["while nobody listened"]);
}

/// Ended as slow: the client comes back and syncs.
#[tokio::test]
async fn ended_as_slow_it_comes_back_and_syncs() {
    let (data, broadcast) = (DataServer::start().await, Server::start().await);
    let mut events = client(&data, &broadcast).await.events(Position::Now);
    let mut stream = broadcast.stream().await;
    connected(&mut events).await;
    stream.write(&close_frame(&Close::new(CloseCode::Slow, Some(20)))).await;
    data.commit(1, "missed");
    let (reason, retry_in) = disconnected(&mut events).await;
    assert!(matches!(&reason, Error::Ended(close) if close.code == CloseCode::Slow), "{reason}");
    assert!(retry_in.unwrap() >= Duration::from_millis(20), "{retry_in:?}");
    let _stream = broadcast.stream().await;
    assert_eq!(texts(&mut events, 1).await, ["missed"]);
    connected(&mut events).await;
}

/// Ended as forbidden, or by request: the client does not come back, and the stream ends.
#[tokio::test]
async fn ended_for_good_it_does_not_come_back() {
    for code in [CloseCode::Forbidden, CloseCode::Requested, CloseCode::Other(4999)] {
        let (data, broadcast) = (DataServer::start().await, Server::start().await);
        let mut events = client(&data, &broadcast).await.events(Position::Now);
        let mut stream = broadcast.stream().await;
        connected(&mut events).await;
        stream.write(&close_frame(&Close::new(code, None))).await;
        let (reason, retry_in) = disconnected(&mut events).await;
        assert!(matches!(&reason, Error::Ended(close) if close.code == code), "{reason}");
        assert_eq!(retry_in, None);
        assert!(soon(events.next()).await.is_none());
        stream.closed().await;
    }
}

#[tokio::test]
async fn a_stream_of_nobody_ends_at_once() {
    let data = DataServer::start().await;
    let client = Client::connect(options(&data.address, "")).await.unwrap();
    let mut events = client.events(Position::Now);
    let (reason, retry_in) = disconnected(&mut events).await;
    assert!(matches!(reason, Error::Unauthenticated), "{reason}");
    assert_eq!(retry_in, None);
    assert!(soon(events.next()).await.is_none());
}

/// A saved position of another life of the database: an explicit reset, then what is new.
#[tokio::test]
async fn a_replaced_database_is_a_reset() {
    let (data, broadcast) = (DataServer::start().await, Server::start().await);
    data.commit(1, "restored");
    let saved = Cursors { epoch: Some("another".into()), seqs: [(ChatId(1), 40)].into(), noted: 0 };
    let mut events = client(&data, &broadcast).await.events(Position::After(saved));
    let mut stream = broadcast.stream().await;
    let event = next(&mut events).await;
    assert!(matches!(event, Event::Reset), "{event:?}");
    assert_eq!(events.cursors(), Some(data.heads()));
    stream.push(&data.commit(1, "new")).await;
    assert_eq!(texts(&mut events, 1).await, ["new"]);
}

#[tokio::test]
async fn a_chat_that_is_gone_is_told_once() {
    let (data, broadcast) = (DataServer::start().await, Server::start().await);
    let late = data.commit(1, "theirs alone now");
    data.commit(2, "still mine");
    let saved = data.heads();
    data.state.lock().unwrap().gone.push(ChatId(1));
    let mut events = client(&data, &broadcast).await.events(Position::After(saved));
    let mut stream = broadcast.stream().await;
    let event = next(&mut events).await;
    assert!(matches!(event, Event::Gone(ChatId(1))), "{event:?}");
    stream.write(&resync_frame(Resync::default())).await;
    stream.push(&late).await;
    stream.push(&data.commit(2, "next")).await;
    assert_eq!(texts(&mut events, 1).await, ["next"]);
    assert_eq!(events.cursors().unwrap().seqs, [(ChatId(2), 2)].into());
}

/// Cursors say what the program took, not what waits for it; a second run goes on exactly there.
#[tokio::test]
async fn saved_cursors_continue_without_gap_or_double() {
    let (data, broadcast) = (DataServer::start().await, Server::start().await);
    for number in 1..=10 {
        data.commit(1, &number.to_string());
    }
    let client = client(&data, &broadcast).await;
    let mut events = client.events(Position::After(Cursors::default()));
    let _first = broadcast.stream().await;
    assert_eq!(texts(&mut events, 4).await, ["1", "2", "3", "4"]);
    data.answered(4, is_sync).await;
    let saved = serde_json::to_string(&events.cursors().unwrap()).unwrap();
    assert_eq!(saved, r#"{"epoch":"first","seqs":{"1":4},"noted":0}"#);
    drop(events);
    let mut events = client.events(Position::After(serde_json::from_str(&saved).unwrap()));
    let _second = broadcast.stream().await;
    assert_eq!(texts(&mut events, 6).await, ["5", "6", "7", "8", "9", "10"]);
}

/// A program that takes nothing bounds what waits for it: the task stops reading, and nothing is lost.
#[tokio::test]
async fn a_program_that_takes_nothing_loses_nothing() {
    let (data, broadcast) = (DataServer::start().await, Server::start().await);
    let mut events = client(&data, &broadcast).await.events(Position::Now);
    let mut stream = broadcast.stream().await;
    for number in 0..1000 {
        stream.push(&data.commit(1, &number.to_string())).await;
    }
    drop(stream);
    data.commit(1, "1000");
    let coming_back = tokio::spawn(async move { broadcast.stream().await });
    let expected: Vec<String> = (0..=1000).map(|number: u32| number.to_string()).collect();
    assert_eq!(texts(&mut events, 1001).await, expected);
    soon(coming_back).await.unwrap();
}

/// A server that says nothing for too long is left. The clock is stopped, so waits end as soon as all are waiting.
#[tokio::test]
async fn a_silent_server_is_left() {
    let (data, broadcast) = (DataServer::start().await, Server::start().await);
    let mut events = client(&data, &broadcast).await.events(Position::Now);
    let _stream = broadcast.stream().await;
    connected(&mut events).await;
    tokio::time::pause();
    let event = events.next().await;
    tokio::time::resume();
    assert!(
        matches!(
            &event,
            Some(Event::Connection(ConnectionState::Disconnected { reason: Error::Silent, .. }))
        ),
        "{event:?}"
    );
    let _stream = broadcast.stream().await;
    connected(&mut events).await;
}

/// V07: streams that are all told at once to sync do not all ask at once, and each asks once, whatever it hears meanwhile.
#[tokio::test]
async fn v07_streams_that_shall_all_sync_spread_their_questions() {
    const STREAMS: usize = 20;
    let (data, broadcast) = (DataServer::start().await, Server::start().await);
    let client = client(&data, &broadcast).await;
    let mut streams = Vec::new();
    for _ in 0..STREAMS {
        let mut events = client.events(Position::After(Cursors::default()));
        let stream = broadcast.stream().await;
        connected(&mut events).await;
        streams.push((events, stream));
    }
    let syncs = || data.state.lock().unwrap().calls.iter().filter(|call| is_sync(call)).count();
    let before = syncs();
    data.commit(1, "lost");
    let after_it = data.commit(1, "after it");
    let told = tokio::time::Instant::now();
    for (_, stream) in &mut streams {
        stream.write(&resync_frame(Resync { spread_ms: 1_000 })).await;
        stream.push(&after_it).await;
    }
    let waiting = streams.iter_mut().map(async |(events, _)| {
        assert_eq!(texts(events, 2).await, ["lost", "after it"]);
        told.elapsed()
    });
    let mut waits = Vec::new();
    for wait in waiting.map(Box::pin).collect::<Vec<_>>() {
        waits.push(wait.await);
    }
    let longest = waits.iter().max().unwrap();
    assert!(*longest > Duration::from_millis(200), "one of a hundred million million runs: {waits:?}");
    assert!(*longest < Duration::from_secs(5), "{waits:?}");
    assert_eq!(syncs() - before, STREAMS);
}

/// A broadcast-server that comes back at another address is found, since the data-server is asked again.
#[tokio::test]
async fn a_broadcast_server_that_has_moved_is_found() {
    let (data, old, new) = (DataServer::start().await, Server::start().await, Server::start().await);
    data.state.lock().unwrap().broadcast_address = Some(old.address());
    let mut options = options(&data.address, "");
    options.broadcast_address = None;
    let client = Client::connect(options).await.unwrap();
    client.trust_me(ME).await.unwrap();
    let mut events = client.events(Position::Now);
    let stream = old.stream().await;
    connected(&mut events).await;
    data.state.lock().unwrap().broadcast_address = Some(new.address());
    data.cut();
    drop((stream, old));
    let mut stream = new.stream().await;
    stream.push(&data.commit(1, "here now")).await;
    assert_eq!(texts(&mut events, 1).await, ["here now"]);
}

/// F3 at K14: a program that dies after an event came and before its position was saved meets this event again, and
/// misses none.
#[tokio::test]
async fn f3_an_event_that_was_not_saved_comes_again() {
    let (data, broadcast) = (DataServer::start().await, Server::start().await);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("position");
    for number in 1..=5 {
        data.commit(1, &number.to_string());
    }
    let client = client(&data, &broadcast).await;
    let mut heard = Vec::new();
    for _ in 0..3 {
        let saved = Cursors::load(&path).unwrap().unwrap_or_default();
        let mut events = client.events(Position::After(saved));
        let _stream = broadcast.stream().await;
        heard.extend(texts(&mut events, 1).await);
        events.cursors().unwrap().save(&path).unwrap();
        // The program dies before it saves this one.
        heard.extend(texts(&mut events, 1).await);
    }
    assert_eq!(heard, ["1", "2", "2", "3", "3", "4"]);
}

/// A page that takes longer than a call may, over a slow network, is waited for while it comes, and asked for once.
#[tokio::test]
async fn a_page_that_comes_slowly_is_waited_for() {
    const PARTS: usize = 12;
    let (data, broadcast) = (Server::start().await, Server::start().await);
    let mut options = options(&data.address(), &broadcast.address());
    options.call_timeout = Duration::from_secs(1);
    let connecting = tokio::spawn(async move {
        let client = Client::connect(options).await.unwrap();
        client.trust_me(ME).await.unwrap();
        client.events(Position::After(Cursors::default()))
    });
    let mut peer = data.greet().await;
    peer.reply::<Ping>(&Empty {}).await;
    peer.reply::<Authenticate>(&identity(ME)).await;
    let mut events = soon(connecting).await.unwrap();
    peer.give_ticket().await;
    let _stream = broadcast.stream().await;
    let (_, slot) = peer.expect::<Sync>().await;
    let entries = vec![entry(1, 1, UserId(2), "at last", None)];
    let reply = SyncReply { epoch: "a life".into(), entries, ..SyncReply::default() };
    let bytes = peer.answer_bytes(slot, &reply);
    for part in bytes.chunks(bytes.len().div_ceil(PARTS)) {
        // The network takes its time: not a wait for something, but the thing that is tested.
        tokio::time::sleep(Duration::from_millis(200)).await;
        peer.write(part).await;
    }
    assert_eq!(soon(texts(&mut events, 1)).await, ["at last"]);
}

#[tokio::test]
async fn a_dropped_stream_closes_its_connection() {
    let (data, broadcast) = (DataServer::start().await, Server::start().await);
    let mut events = client(&data, &broadcast).await.events(Position::Now);
    let mut stream = broadcast.stream().await;
    connected(&mut events).await;
    drop(events);
    stream.closed().await;
}
