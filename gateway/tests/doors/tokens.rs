//! Who is asking: the token of a session in its header, and nowhere else.

use serde_json::json;

use crate::stage::Stage;

const QUESTION: &str = r#"{"jsonrpc":"2.0","method":"GetUser","params":{"user_id":7},"id":1}"#;

#[tokio::test]
async fn a_token_is_shown_before_the_payload_is_said() {
    let mut stage = Stage::set().await;
    for scheme in ["Bearer", "bearer"] {
        for version in ["", "Talko-Version: 2\r\n"] {
            let lines = format!("Authorization: {scheme} tlk_good\r\n{version}");
            assert_eq!(stage.post_with(&lines, QUESTION).await.status, 200);
            for method in ["Hello", "Authenticate", "GetUser"] {
                assert_eq!(stage.data.hears().await, method);
            }
        }
    }
}

/// What is said in a session that has ended is not said at all.
#[tokio::test]
async fn a_refused_token_is_401_and_the_payload_goes_nowhere() {
    let mut stage = Stage::set().await;
    for (payload, id) in
        [(QUESTION, json!(1)), (r#"[{"jsonrpc":"2.0","method":"InsertMessage","id":1}]"#, json!(null))]
    {
        let answer = stage.post_with("Authorization: Bearer tlk_bad\r\n", payload).await;
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (401, &json!(-32001)), "{answer:?}");
        assert_eq!(answer.json()["id"], id);
        assert!(answer.head.contains("www-authenticate: bearer"), "{answer:?}");
        assert!(!answer.body.contains("tlk_"), "{answer:?}");
        assert_eq!(
            (stage.data.hears().await, stage.data.hears().await),
            ("Hello".into(), "Authenticate".into())
        );
        assert!(stage.data.heard_nothing_more());
    }
    for lines in [
        "Authorization: Basic dGxrX2dvb2Q6\r\n",
        "Authorization: tlk_good\r\n",
        "Authorization: Bearer \r\n",
        "Authorization: Bearer tlk_g\u{f6}\u{f6}d\r\n",
        "Authorization: Bearer tlk_good\r\nAuthorization: Bearer tlk_good\r\n",
    ] {
        let answer = stage.post_with(lines, QUESTION).await;
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (401, &json!(-32001)), "{lines}");
    }
    let lines = "Authorization: Bearer tlk_good\r\nTalko-Version: 1\r\n";
    assert_eq!(stage.post_with(lines, QUESTION).await.status, 400);
    assert!(stage.data.heard_nothing_more());
}

/// R20: what a browser sends along by itself proves nothing.
#[tokio::test]
async fn r20_cookies_say_nothing() {
    let mut stage = Stage::set().await;
    let lines = "Cookie: token=tlk_good; session=tlk_good\r\nTalko-Version: 2\r\n";
    assert_eq!(stage.post_with(lines, QUESTION).await.status, 200);
    assert_eq!((stage.data.hears().await, stage.data.hears().await), ("Hello".into(), "GetUser".into()));
}

#[tokio::test]
async fn a_token_in_an_address_is_refused_everywhere() {
    let mut stage = Stage::set().await;
    let host = stage.address.to_string();
    for what in
        ["POST /rpc?token=tlk_good", "GET /ws?token=tlk_good", "GET /ready?t%6Fken=tlk_good", "GET /x?token="]
    {
        let answer = stage.request(what, &host, "Content-Type: application/json\r\n", QUESTION).await;
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (400, &json!(-32600)), "{what}");
        assert!(!answer.body.contains("tlk_"), "{answer:?}");
    }
    assert!(stage.data.heard_nothing_more());
}
