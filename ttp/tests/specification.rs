//! The examples of the JSON-RPC 2.0 specification (2013-01-04, section 7), each driven through [`Exchange`] as a
//! server drives it. Replies are compared as JSON and codes exactly; the wording of errors is ours.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use ttp::call::{Dialect, read_params};
use ttp::code::{CallError, ErrorCode};
use ttp::exchange::{Exchange, Outcome};
use ttp::frame::Decoder;

/// In which order the calls of one payload are answered.
#[derive(Debug, Clone, Copy)]
enum Order {
    AsAsked,
    Reversed,
}

/// The methods that the specification's examples suppose.
fn answer(method: &str, params: Option<&RawValue>) -> Outcome {
    #[derive(Deserialize)]
    struct Subtract {
        minuend: i64,
        subtrahend: i64,
    }
    let result = match method {
        "subtract" => {
            let numbers: Subtract = read_params(method, params, Dialect::Version1)?;
            json!(numbers.minuend - numbers.subtrahend)
        }
        "sum" => json!(read_params::<Vec<i64>>(method, params, Dialect::Version1)?.iter().sum::<i64>()),
        "get_data" => json!(["hello", 5]),
        "update" | "notify_hello" | "notify_sum" => Value::Null,
        _ => return Err(CallError::new(ErrorCode::MethodNotFound, "no such method")),
    };
    Ok(to_raw_value(&result).unwrap())
}

/// What the server sends for one payload, byte for byte.
fn bytes_for(payload: &str, order: Order) -> Vec<u8> {
    let mut exchange = Exchange::default();
    let mut out = Vec::new();
    let mut accepted = exchange.accept(payload.as_bytes(), &mut out);
    if matches!(order, Order::Reversed) {
        accepted.reverse();
    }
    for call in accepted {
        let outcome = answer(&call.request.method, call.request.params);
        exchange.complete(call.slot, outcome, &mut out);
    }
    assert_eq!(exchange.in_flight(), 0);
    out
}

/// The one reply to a payload, its errors without their wording, its batch in the order of ids.
fn reply(payload: &str, order: Order) -> Value {
    let mut decoder = Decoder::new(1024 * 1024);
    decoder.push(&bytes_for(payload, order));
    let reply = decoder.next_payload().unwrap().unwrap();
    assert_eq!(decoder.next_payload(), Ok(None), "{payload} has more than one reply");
    comparable(serde_json::from_slice(&reply).unwrap())
}

fn comparable(mut reply: Value) -> Value {
    if let Some(batch) = reply.as_array_mut() {
        *batch = batch.drain(..).map(comparable).collect();
        batch.sort_by_key(Value::to_string);
        return reply;
    }
    if let Some(error) = reply.get_mut("error") {
        let message = error.as_object_mut().unwrap().remove("message").unwrap();
        assert!(!message.as_str().unwrap().is_empty());
    }
    reply
}

/// Replies as in the specification, whatever order the calls are answered in.
fn is_answered(payload: &str, expected: &Value) {
    for order in [Order::AsAsked, Order::Reversed] {
        assert_eq!(reply(payload, order), comparable(expected.clone()), "{payload}, {order:?}");
    }
}

/// An error as in the specification. The wording given here is taken off by [`comparable`].
fn error(code: i32, id: Value) -> Value {
    json!({"jsonrpc": "2.0", "error": {"code": code, "message": "any"}, "id": id})
}

fn result(result: Value, id: Value) -> Value {
    json!({"jsonrpc": "2.0", "result": result, "id": id})
}

/// T08.
#[test]
fn t08_call_with_positional_parameters() {
    is_answered(
        r#"{"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}"#,
        &result(json!(19), json!(1)),
    );
    is_answered(
        r#"{"jsonrpc": "2.0", "method": "subtract", "params": [23, 42], "id": 2}"#,
        &result(json!(-19), json!(2)),
    );
}

#[test]
fn call_with_named_parameters() {
    is_answered(
        r#"{"jsonrpc": "2.0", "method": "subtract", "params": {"subtrahend": 23, "minuend": 42}, "id": 3}"#,
        &result(json!(19), json!(3)),
    );
    is_answered(
        r#"{"jsonrpc": "2.0", "method": "subtract", "params": {"minuend": 42, "subtrahend": 23}, "id": 4}"#,
        &result(json!(19), json!(4)),
    );
}

#[test]
fn notifications_are_not_answered() {
    for payload in [
        r#"{"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]}"#,
        r#"{"jsonrpc": "2.0", "method": "foobar"}"#,
    ] {
        assert_eq!(bytes_for(payload, Order::AsAsked), b"", "{payload}");
    }
}

/// T11.
#[test]
fn t11_call_of_a_method_that_does_not_exist() {
    is_answered(r#"{"jsonrpc": "2.0", "method": "foobar", "id": "1"}"#, &error(-32601, json!("1")));
}

/// T11.
#[test]
fn t11_call_with_invalid_json() {
    is_answered(
        r#"{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]"#,
        &error(-32700, Value::Null),
    );
}

/// T11.
#[test]
fn t11_call_with_an_invalid_request_object() {
    is_answered(r#"{"jsonrpc": "2.0", "method": 1, "params": "bar"}"#, &error(-32600, Value::Null));
}

#[test]
fn batch_with_invalid_json_gets_one_error_and_no_array() {
    is_answered(
        r#"[
            {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},
            {"jsonrpc": "2.0", "method"
        ]"#,
        &error(-32700, Value::Null),
    );
}

#[test]
fn empty_array_gets_one_error_and_no_array() {
    is_answered("[]", &error(-32600, Value::Null));
}

#[test]
fn invalid_batches_that_are_not_empty_get_an_error_for_each_item() {
    let invalid = || error(-32600, Value::Null);
    is_answered("[1]", &json!([invalid()]));
    is_answered("[1,2,3]", &json!([invalid(), invalid(), invalid()]));
}

#[test]
fn mixed_batch() {
    is_answered(
        r#"[
            {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},
            {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},
            {"jsonrpc": "2.0", "method": "subtract", "params": [42,23], "id": "2"},
            {"foo": "boo"},
            {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
            {"jsonrpc": "2.0", "method": "get_data", "id": "9"}
        ]"#,
        &json!([
            result(json!(7), json!("1")),
            result(json!(19), json!("2")),
            error(-32600, Value::Null),
            error(-32601, json!("5")),
            result(json!(["hello", 5]), json!("9")),
        ]),
    );
}

#[test]
fn batch_of_notifications_alone_is_not_answered() {
    let payload = r#"[
        {"jsonrpc": "2.0", "method": "notify_sum", "params": [1,2,4]},
        {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}
    ]"#;
    for order in [Order::AsAsked, Order::Reversed] {
        assert_eq!(bytes_for(payload, order), b"", "{order:?}");
    }
}
