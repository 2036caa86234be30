//! `GET /ws`: which server hears what, what comes back, and how it ends.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use ttp::limits::FRAME_BYTES_MAX;

use crate::stage::{PUSH, Stage, within};

type Socket = WebSocketStream<TcpStream>;

async fn say(socket: &mut Socket, payload: impl Into<String>) {
    within(socket.send(Message::text(payload.into()))).await.unwrap();
}

fn request(method: &str, id: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{{"user_id":7}},"id":{id}}}"#)
}

/// The next text message.
async fn hear(socket: &mut Socket) -> String {
    loop {
        match within(socket.next()).await.unwrap().unwrap() {
            Message::Text(text) => return text.to_string(),
            Message::Ping(_) => {}
            other => panic!("not a text: {other:?}"),
        }
    }
}

async fn hear_json(socket: &mut Socket) -> Value {
    serde_json::from_str(&hear(socket).await).unwrap()
}

/// The code of the close that comes next, whatever comes before.
async fn hear_close(socket: &mut Socket) -> u16 {
    loop {
        if let Message::Close(frame) = within(socket.next()).await.unwrap().unwrap() {
            let frame = frame.unwrap();
            assert!(!frame.reason.is_empty());
            return frame.code.into();
        }
    }
}

/// T45: calls of both servers and pushes over one WebSocket.
#[tokio::test]
async fn t45_one_socket_speaks_with_both_servers() {
    let mut stage = Stage::set().await;
    let mut socket = stage.web_socket().await;
    say(&mut socket, request("GetUser", "340282366920938463463374607431768211455")).await;
    assert_eq!(
        hear(&mut socket).await,
        r#"{"jsonrpc":"2.0","result":{"data":{"user_id":7}},"id":340282366920938463463374607431768211455}"#
    );
    say(&mut socket, request("OpenStreamRequest", "\"s\"")).await;
    assert_eq!(hear(&mut socket).await, r#"{"jsonrpc":"2.0","result":{"broadcast":{"user_id":7}},"id":"s"}"#);
    assert_eq!(hear(&mut socket).await, PUSH);
    say(&mut socket, format!("[{},{}]", request("OpenStream", "1"), request("Refuse", "2"))).await;
    let replies = hear_json(&mut socket).await;
    assert_eq!((&replies[0]["id"], &replies[1]["error"]["code"]), (&json!(1), &json!(-32004)));
    say(&mut socket, "not JSON").await;
    assert_eq!(hear_json(&mut socket).await["error"]["code"], -32700);
    for method in ["CloseStream", "BroadcastRequest", "Ping"] {
        say(&mut socket, format!(r#"{{"jsonrpc":"2.0","method":"{method}"}}"#)).await;
    }
    for method in ["GetUser", "OpenStream", "Refuse", "Ping"] {
        assert_eq!(stage.data.hears().await, method);
    }
    for method in ["OpenStreamRequest", "CloseStream", "BroadcastRequest"] {
        assert_eq!(stage.broadcast.hears().await, method);
    }
}

#[tokio::test]
async fn the_version_is_the_same_towards_both_servers() {
    let mut stage = Stage::set().await;
    let mut socket = stage.web_socket().await;
    say(&mut socket, r#"{"jsonrpc":"2.0","method":"Hello","params":{"protocol":[2]},"id":1}"#).await;
    assert_eq!(hear_json(&mut socket).await["result"], json!({"data":{"protocol":[2]}}));
    say(&mut socket, request("OpenStream", "2")).await;
    assert_eq!(hear_json(&mut socket).await["id"], 2);
    assert_eq!(stage.data.hears().await, "Hello");
    assert!(stage.data.heard_nothing_more());
    for method in ["Hello", "OpenStream"] {
        assert_eq!(stage.broadcast.hears().await, method);
    }
}

#[tokio::test]
async fn nobody_becomes_a_link_of_the_bus() {
    let mut stage = Stage::set().await;
    let mut socket = stage.web_socket().await;
    say(&mut socket, r#"{"jsonrpc":"2.0","method":"Link"}"#).await;
    for link in
        [r#"{"jsonrpc":"2.0","method":"Link","id":1}"#, r#"{"jsonrpc":"2.0","method":"\u004cink","id":1}"#]
    {
        say(&mut socket, link).await;
        let reply = hear_json(&mut socket).await;
        assert_eq!((&reply["error"]["code"], &reply["id"]), (&json!(-32003), &json!(1)));
    }
    say(&mut socket, r#"[{"jsonrpc":"2.0","method":"Link","id":1}]"#).await;
    assert_eq!(hear_json(&mut socket).await[0]["result"], json!({ "data": null }));
    assert!(stage.broadcast.heard_nothing_more());
}

#[tokio::test]
async fn sockets_of_foreign_pages_are_refused() {
    let stage = Stage::set().await;
    for (header, value) in [("Origin", "http://example.org"), ("Host", "example.org")] {
        let mut request = format!("ws://{}/ws", stage.address).into_client_request().unwrap();
        request.headers_mut().insert(header, value.parse().unwrap());
        let stream = TcpStream::connect(stage.address).await.unwrap();
        let refused = within(tokio_tungstenite::client_async(request, stream)).await;
        let Err(Error::Http(response)) = refused else {
            panic!("opened: {refused:?}");
        };
        assert_eq!(response.status(), 403);
    }
}

/// Each side may have its hands full while the other asks for more.
#[tokio::test]
async fn long_payloads_in_both_directions_hold_nothing_up() {
    const COUNT: usize = 40;
    let stage = Stage::set().await;
    let (mut sink, mut stream) = stage.web_socket().await.split();
    let text = "x".repeat(FRAME_BYTES_MAX / 2);
    let asking = async {
        for id in 0..COUNT {
            let payload = format!(r#"{{"jsonrpc":"2.0","method":"Echo","params":["{text}"],"id":{id}}}"#);
            sink.send(Message::text(payload)).await.unwrap();
        }
    };
    let hearing = async {
        let mut bytes = 0;
        for _ in 0..COUNT {
            bytes += loop {
                if let Message::Text(text) = stream.next().await.unwrap().unwrap() {
                    break text.len();
                }
            };
        }
        bytes
    };
    let ((), bytes) = within(async { tokio::join!(asking, hearing) }).await;
    assert!(bytes > COUNT * text.len());
}

#[tokio::test]
async fn what_breaks_the_rules_ends_the_socket() {
    let mut stage = Stage::set().await;
    let mut socket = stage.web_socket().await;
    within(socket.send(Message::binary(b"{}".to_vec()))).await.unwrap();
    assert_eq!(hear_close(&mut socket).await, 4001);

    let mut socket = stage.web_socket().await;
    // The close may overtake the rest of the message and cut it off.
    let _ = within(socket.send(Message::text("x".repeat(FRAME_BYTES_MAX + 1)))).await;
    within(async {
        while let Some(Ok(message)) = socket.next().await {
            assert!(!message.is_text());
        }
    })
    .await;
    assert!(stage.data.heard_nothing_more());
}

#[tokio::test]
async fn a_server_that_closes_ends_the_socket_after_its_last_reply() {
    let stage = Stage::set().await;
    let mut socket = stage.web_socket().await;
    say(&mut socket, request("GetUser", "1")).await;
    say(&mut socket, request("Leave", "2")).await;
    assert_eq!(hear_json(&mut socket).await["id"], 1);
    assert_eq!(hear_close(&mut socket).await, 3002);

    let mut socket = stage.web_socket().await;
    say(&mut socket, request("OpenStreamRequest", "1")).await;
    assert_eq!(hear_json(&mut socket).await["id"], 1);
    assert_eq!(hear(&mut socket).await, PUSH);
    stage.broadcast.leave.notify_waiters();
    assert_eq!(hear_close(&mut socket).await, 3002);
}

/// T22, through the gateway: sending needs no broadcast-server.
#[tokio::test]
async fn a_server_that_is_away_costs_an_answer_alone() {
    let nowhere = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let stage = Stage::set_with(|config| config.broadcast_address = nowhere).await;
    let mut socket = stage.web_socket().await;
    say(&mut socket, request("OpenStream", "1")).await;
    let reply = hear_json(&mut socket).await;
    assert_eq!((&reply["error"]["code"], &reply["id"]), (&json!(-32053), &json!(1)));
    say(&mut socket, request("InsertMessage", "2")).await;
    assert_eq!(hear_json(&mut socket).await["id"], 2);
}

#[tokio::test]
async fn signs_of_life_reach_both_servers_and_silence_ends_the_socket() {
    let patience = Duration::from_millis(1500);
    let mut stage = Stage::set_with(|config| config.idle_timeout = patience).await;
    let mut socket = stage.web_socket().await;
    say(&mut socket, request("GetUser", "1")).await;
    say(&mut socket, request("OpenStream", "2")).await;
    let answering = async { while let Some(Ok(_)) = socket.next().await {} };
    let heard = async {
        assert_eq!(stage.data.hears().await, "GetUser");
        assert_eq!(stage.broadcast.hears().await, "OpenStream");
        // More than patience would bear without them.
        for _ in 0..5 {
            assert_eq!(stage.data.hears().await, "Ping");
            assert_eq!(stage.broadcast.hears().await, "Ping");
        }
    };
    tokio::select! {
        () = answering => panic!("the socket was closed"),
        () = heard => {}
    }
    let mut silent = socket.into_inner();
    let mut rest = Vec::new();
    within(silent.read_to_end(&mut rest)).await.unwrap();
    let code = 3004u16.to_be_bytes();
    assert!(rest.windows(2).any(|bytes| bytes == code), "{}", rest.escape_ascii());
}

#[tokio::test]
async fn long_replies_pass_a_socket() {
    let stage = Stage::set().await;
    let mut socket = stage.web_socket().await;
    say(&mut socket, r#"{"jsonrpc":"2.0","method":"Long","params":[15000000],"id":1}"#).await;
    assert_eq!(hear_json(&mut socket).await["result"].as_str().map(str::len), Some(15_000_000));
}

#[tokio::test]
async fn what_a_socket_asked_before_the_end_is_answered() {
    let mut stage = Stage::set().await;
    let address = stage.address;
    let mut socket = stage.web_socket().await;
    say(&mut socket, request("Wait", "1")).await;
    assert_eq!(stage.data.hears().await, "Wait");
    let (data, served) = stage.stop();
    within(async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    data.released.notify_one();
    assert_eq!(hear_json(&mut socket).await["id"], 1);
    assert_eq!(hear_close(&mut socket).await, 3002);
    within(served).await.unwrap().unwrap();
}

#[tokio::test]
async fn the_end_of_the_gateway_is_told() {
    let stage = Stage::set().await;
    let mut socket = stage.web_socket().await;
    say(&mut socket, request("GetUser", "1")).await;
    assert_eq!(hear_json(&mut socket).await["id"], 1);
    let (_data, served) = stage.stop();
    assert_eq!(hear_close(&mut socket).await, 3002);
    within(served).await.unwrap().unwrap();
}
