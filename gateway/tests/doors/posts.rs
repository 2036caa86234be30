//! `POST /rpc`: what a payload is answered with.

use std::time::Duration;

use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use ttp::code::CallError;
use ttp::exchange::refusal_frame;
use ttp::frame::encode;
use ttp::limits::FRAME_BYTES_MAX;
use ttp::net::connection::FramedConnection;

use crate::stage::{Answer, Stage, within};

/// What the data-server answers over plain TCP.
async fn answer_over_tcp(stage: &Stage, payload: &str) -> String {
    let stream = TcpStream::connect(stage.data.address).await.unwrap();
    let mut connection = FramedConnection::new(stream, FRAME_BYTES_MAX);
    connection.write_frames(&encode(payload.as_bytes())).await.unwrap();
    let reply = within(connection.next_payload()).await.unwrap().unwrap();
    String::from_utf8(reply.to_vec()).unwrap()
}

/// T45: results, errors, batches and what is no request, byte for byte as over TCP, with the status they stand for.
#[tokio::test]
async fn t45_a_post_is_answered_as_over_tcp() {
    let stage = Stage::set().await;
    let long = format!(r#"{{"jsonrpc":"2.0","method":"Echo","params":["{}"],"id":1}}"#, "я".repeat(200_000));
    for (status, payload) in [
        (
            200,
            r#"{"jsonrpc":"2.0","method":"GetUser","params":{"user_id":7},"id":340282366920938463463374607431768211455}"#,
        ),
        (200, r#"{"jsonrpc":"2.0","method":"OpenStreams","id":null}"#),
        (200, &long),
        (404, r#"{"jsonrpc":"2.0","method":"Refuse","id":"x"}"#),
        (
            200,
            r#"[{"jsonrpc":"2.0","method":"A","id":1},{"jsonrpc":"2.0","method":"Refuse","id":2},{"jsonrpc":"2.0","method":"B"}]"#,
        ),
        (200, "[1]"),
        (400, "[]"),
        (400, r#"{"jsonrpc":"2.0","method":7,"id":7}"#),
        (400, "not JSON"),
        (400, ""),
    ] {
        let answer = stage.post(payload).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.body, answer_over_tcp(&stage, payload).await);
        assert!(answer.head.contains("content-type: application/json"), "{answer:?}");
    }
}

/// G23: a data-server that does not say that it is ready is not ready.
#[tokio::test]
async fn g23_readiness_is_the_data_servers_own_word() {
    let stage = Stage::set().await;
    let answer = stage.request("GET /ready", &stage.address.to_string(), "", "").await;
    assert_eq!((answer.status, answer.json()["ready"].as_bool()), (503, Some(false)), "{answer:?}");
    let foreign = stage.request("GET /ready", "example.org", "", "").await;
    assert_eq!(foreign.status, 403);
}

/// T45: notifications get no reply, and have reached the server when the status comes.
#[tokio::test]
async fn t45_notifications_are_answered_with_a_status_alone() {
    let mut stage = Stage::set().await;
    for payload in [
        r#"{"jsonrpc":"2.0","method":"One"}"#,
        r#"[{"jsonrpc":"2.0","method":"Two"},{"jsonrpc":"2.0","method":"Refuse"}]"#,
    ] {
        let answer = stage.post(payload).await;
        assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    }
    for method in ["One", "Two", "Refuse"] {
        assert_eq!(stage.data.hears().await, method);
    }
}

#[tokio::test]
async fn version_2_is_opened_by_a_greeting() {
    let mut stage = Stage::set().await;
    let payload = r#"{"jsonrpc":"2.0","method":"GetUser","params":{"user_id":7},"id":1}"#;
    let answer = stage.post_with("Talko-Version: 2\r\n", payload).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json(), json!({"jsonrpc":"2.0","result":{"data":{"user_id":7}},"id":1}));
    assert_eq!((stage.data.hears().await, stage.data.hears().await), ("Hello".into(), "GetUser".into()));
    assert_eq!(stage.post_with("Talko-Version: 1\r\n", payload).await.status, 200);
    assert_eq!(stage.data.hears().await, "GetUser");
    let answer = stage.post_with("Talko-Version: 3\r\n", payload).await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (426, &json!(-32026)));
    assert!(stage.data.heard_nothing_more());
}

#[tokio::test]
async fn only_posts_of_json_are_taken() {
    let mut stage = Stage::set().await;
    let host = stage.address.to_string();
    let payload = r#"{"jsonrpc":"2.0","method":"GetUser","id":1}"#;
    for lines in ["", "Content-Type: text/plain\r\n", "Content-Type: application/json-seq\r\n"] {
        assert_eq!(stage.request("POST /rpc", &host, lines, payload).await.status, 415, "{lines}");
    }
    let lines = "Content-Type: application/json; charset=utf-8\r\n";
    for (what, status) in
        [("GET /rpc", 405), ("PUT /rpc", 405), ("OPTIONS /rpc", 405), ("POST /ws", 405), ("POST /", 404)]
    {
        assert_eq!(stage.request(what, &host, lines, payload).await.status, status, "{what}");
    }
    assert!(stage.data.heard_nothing_more());
    assert_eq!(stage.request("POST /rpc", &host, lines, payload).await.status, 200);
}

#[tokio::test]
async fn pages_of_others_are_refused_before_anything_else() {
    let mut stage = Stage::set().await;
    let own = stage.address.to_string();
    let json = "Content-Type: application/json\r\n";
    let payload = r#"{"jsonrpc":"2.0","method":"GetUser","id":1}"#;
    for (host, origin) in [
        ("example.org", ""),
        ("example.org", "Origin: http://example.org\r\n"),
        (own.as_str(), "Origin: http://example.org\r\n"),
        (own.as_str(), "Origin: null\r\n"),
        (own.as_str(), "Origin: http://127.0.0.1:1\r\n"),
    ] {
        for what in ["POST /rpc", "GET /ws", "OPTIONS /rpc", "GET /nowhere"] {
            let answer = stage.request(what, host, &format!("{json}{origin}"), payload).await;
            assert_eq!((answer.status, &answer.json()["error"]["code"]), (403, &json!(-32003)));
            assert!(!answer.head.contains("access-control"), "{answer:?}");
        }
    }
    assert!(stage.data.heard_nothing_more());
    let answer = stage.post_with(&format!("Origin: http://{own}\r\n"), payload).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_server_that_fails_is_told_apart() {
    let refused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let stage = Stage::set_with(|config| config.data_address = refused).await;
    let answer = stage.post(r#"{"jsonrpc":"2.0","method":"InsertUser","id":"k"}"#).await;
    let error = &answer.json()["error"];
    assert_eq!(
        (answer.status, &error["code"], &error["data"]["stored"]),
        (502, &json!(-32053), &json!(false))
    );
    assert_eq!(answer.json()["id"], "k");

    let stage = Stage::set().await;
    let answer = stage.post(r#"{"jsonrpc":"2.0","method":"Leave","id":7}"#).await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (502, &json!(-32050)));
    assert_eq!(answer.json()["id"], 7);

    let stage = Stage::set_with(|config| config.upstream_timeout = Duration::from_millis(200)).await;
    let answer = stage.post(r#"[{"jsonrpc":"2.0","method":"Wait","id":7}]"#).await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (504, &json!(-32050)));
}

/// A full data-server says so before it is asked; that reaches the peer, in both versions.
#[tokio::test]
async fn a_refusal_of_the_data_server_is_passed_on() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut connection = FramedConnection::new(stream, FRAME_BYTES_MAX);
            let refusal = refusal_frame(&CallError::overloaded("full"));
            connection.write_frames(&refusal).await.unwrap();
            let _ = connection.next_payload().await;
        }
    });
    let stage = Stage::set_with(|config| config.data_address = address).await;
    for lines in ["", "Talko-Version: 2\r\n"] {
        let payload = r#"{"jsonrpc":"2.0","method":"InsertUser","id":7}"#;
        let answer: Answer = stage.post_with(lines, payload).await;
        assert_eq!((answer.status, &answer.json()["error"]["message"]), (503, &json!("full")), "{lines}");
    }
}
