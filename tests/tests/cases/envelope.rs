//! Payloads that are not JSON, or JSON that is not a request, or requests of an odd kind.

use super::To::{Both, Broadcast, Data};
use super::{Case, PING, framed, ping};

/// Not JSON, whatever else: always −32700 without an id.
const NO_JSON: &[&str] = &[
    " ",
    "nul",
    "NaN",
    "Infinity",
    "-",
    "+1",
    "01",
    "1.",
    ".5",
    "1e",
    "0x10",
    "1_000",
    "{",
    "}",
    "[",
    "]",
    "[]]",
    "[,]",
    "[1,]",
    "[1 2]",
    "{}{}",
    "{} x",
    "{]",
    "\"",
    "\"\\\"",
    "'x'",
    r#"{"a":1,}"#,
    r#"{"a"}"#,
    r#"{"a":}"#,
    r#"{a:1}"#,
    r#"{'a':1}"#,
    r#"{1:1}"#,
    r#"{"a" 1}"#,
    "/**/{}",
    "{}//x",
    "#{}",
    r#"{"jsonrpc":"2.0","method"#,
    r#"{"jsonrpc":"2.0","method":"Ping","id":NaN}"#,
    r#"{"jsonrpc":"2.0","method":"Ping","id":01}"#,
    r#"{"jsonrpc":"2.0","method":"Ping","id":+1}"#,
    r#"{"jsonrpc":"2.0","method":"Ping","id":1.}"#,
    r#"{"jsonrpc":"2.0","method":"Ping","id":0x1}"#,
    r#"{"jsonrpc":"2.0","method":"Ping","id":"\x41"}"#,
    r#"{"jsonrpc":"2.0","method":"Ping","id":"\u12"}"#,
    r#"{"jsonrpc":"2.0","method":"Ping","id":"\uzzzz"}"#,
    r#"{"jsonrpc":"2.0","method":"Ping","id":undefined}"#,
    "{\"jsonrpc\":\"2.0\",\"method\":\"Pi\nng\",\"id\":1}",
    "{\"jsonrpc\":\"2.0\",\"method\":\"Pi\0ng\",\"id\":1}",
    "{\"jsonrpc\":\"2.0\",\"method\":\"Pi\x1bng\",\"id\":1}",
    "\0",
    "{\"jsonrpc\":\"2.0\",\"method\":\"Ping\",\"id\":1}\0",
    r#"[{"jsonrpc":"2.0","method":"Ping","id":1},{"jsonrpc"]"#,
];

/// JSON, with the outcome.
const ENVELOPES: &[(&str, &str)] = &[
    ("null", "-32600 null"),
    ("true", "-32600 null"),
    ("1", "-32600 null"),
    ("-1.5e300", "-32600 null"),
    ("\"x\"", "-32600 null"),
    ("{}", "-32600 null"),
    ("[]", "-32600 null"),
    (" [ ] ", "-32600 null"),
    ("[1]", "[-32600 null]"),
    ("[null]", "[-32600 null]"),
    ("[[]]", "[-32600 null]"),
    ("[{}]", "[-32600 null]"),
    ("[1,2,3]", "[-32600 null, -32600 null, -32600 null]"),
    ("[[],{},\"x\"]", "[-32600 null, -32600 null, -32600 null]"),
    (r#"{"method":"Ping","id":1}"#, "-32600 1"),
    (r#"{"jsonrpc":"1.0","method":"Ping","id":1}"#, "-32600 1"),
    (r#"{"jsonrpc":"2.00","method":"Ping","id":1}"#, "-32600 1"),
    (r#"{"jsonrpc":2.0,"method":"Ping","id":1}"#, "-32600 1"),
    (r#"{"jsonrpc":2,"method":"Ping","id":1}"#, "-32600 1"),
    (r#"{"jsonrpc":null,"method":"Ping","id":1}"#, "-32600 1"),
    (r#"{"jsonrpc":["2.0"],"method":"Ping","id":1}"#, "-32600 1"),
    (r#"{"JSONRPC":"2.0","method":"Ping","id":1}"#, "-32600 1"),
    (r#"{"jsonrpc":"2.0","id":1}"#, "-32600 1"),
    (r#"{"jsonrpc":"2.0","method":null,"id":1}"#, "-32600 1"),
    (r#"{"jsonrpc":"2.0","method":1,"id":1}"#, "-32600 1"),
    (r#"{"jsonrpc":"2.0","method":true,"id":1}"#, "-32600 1"),
    (r#"{"jsonrpc":"2.0","method":["Ping"],"id":1}"#, "-32600 1"),
    (r#"{"jsonrpc":"2.0","method":{"Ping":1},"id":1}"#, "-32600 1"),
    (r#"{"jsonrpc":"2.0","method":"\ud800","id":1}"#, "-32600 1"),
    (r#"{"jsonrpc":"2.0","method":1}"#, "-32600 null"),
    (r#"{"jsonrpc":"2.0","result":{},"id":1}"#, "-32600 1"),
    (r#"{"jsonrpc":"2.0","error":{"code":1,"message":""},"id":1}"#, "-32600 1"),
    (r#"{"jsonrpc":"2.0","method":"","id":1}"#, "-32601 1"),
    (r#"{"jsonrpc":"2.0","method":"ping","id":1}"#, "-32601 1"),
    (r#"{"jsonrpc":"2.0","method":" Ping","id":1}"#, "-32601 1"),
    (r#"{"jsonrpc":"2.0","method":"Ping\u0000","id":1}"#, "-32601 1"),
    (r#"{"jsonrpc":"2.0","method":"Рing","id":1}"#, "-32601 1"),
    (r#"{"jsonrpc":"2.0","method":"rpc.discover","id":1}"#, "-32601 1"),
    (r#"{"jsonrpc":"2.0","method":"__proto__","id":1}"#, "-32601 1"),
    (r#"{"jsonrpc":"2.0","method":"'; DROP TABLE Users; --","id":1}"#, "-32601 1"),
    (r#"{"jsonrpc":"2.0","method":"\u001b[2J\u202e","id":1}"#, "-32601 1"),
    (r#"{"jsonrpc":"2.0","method":"\u0050ing","id":1}"#, "ok 1"),
    (r#"{"jsonrpc":"2.0","method":"Ping","params":null,"id":1}"#, "ok 1"),
    (r#"{"jsonrpc":"2.0","method":"Ping","params":{},"id":1}"#, "ok 1"),
    (r#"{"jsonrpc":"2.0","method":"Ping","params":[],"id":1}"#, "ok 1"),
    (r#"{"jsonrpc":"2.0","method":"Ping","params":[1],"id":1}"#, "-32602 1"),
    (r#"{"jsonrpc":"2.0","method":"Ping","params":{"x":"\ud800"},"id":1}"#, "ok 1"),
    (r#"{"jsonrpc":"2.0","method":"Ping","params":{"x":1e999,"y":1e-999,"z":-0},"id":1}"#, "ok 1"),
    (r#"{"jsonrpc":"2.0","method":"Ping","params":{"x":1,"x":2},"id":1}"#, "ok 1"),
    (r#"{"jsonrpc":"2.0","method":"Ping","params":1,"id":1}"#, "-32600 1"),
    (r#"{"jsonrpc":"2.0","method":"Ping","params":"x","id":1}"#, "-32600 1"),
    (r#"{"jsonrpc":"2.0","method":"Ping","params":true,"id":1}"#, "-32600 1"),
    (r#"{"jsonrpc":"2.0","method":"Ping","params":1}"#, "-32600 null"),
    (r#"{"jsonrpc":"2.0","method":"Ping","extra":[{}],"id":1}"#, "ok 1"),
    (r#"{"jsonrpc":"2.0","method":"Ping","x":1,"x":2,"id":1}"#, "ok 1"),
    (r#"{"id":1,"params":{},"method":"Ping","jsonrpc":"2.0"}"#, "ok 1"),
    (r#"{"jsonrpc":"2.0","method":"Ping","\u0069d":7}"#, "ok 7"),
    (r#"{"jsonrpc":"2.0","method":"Ping","id":1,"id":1}"#, "-32600 null"),
    (r#"{"jsonrpc":"2.0","method":"Ping","id":1,"\u0069d":1}"#, "-32600 null"),
    (r#"{"jsonrpc":"2.0","method":"Ping","method":"Ping","id":1}"#, "-32600 null"),
    (r#"{"jsonrpc":"2.0","jsonrpc":"2.0","method":"Ping","id":1}"#, "-32600 null"),
    (r#"{"jsonrpc":"2.0","method":"Ping","params":{},"params":{},"id":1}"#, "-32600 null"),
    (" \t\r\n{ \"jsonrpc\" : \"2.0\" ,\n\"method\":\"Ping\" , \"id\" : 1 } \n", "ok 1"),
    (r#"{"jsonrpc":"2.0","method":"Ping"}"#, ""),
    (r#"{"jsonrpc":"2.0","method":"NoSuchMethod"}"#, ""),
    (r#"{"jsonrpc":"2.0","method":"Ping","params":[1]}"#, ""),
    (r#"[{"jsonrpc":"2.0","method":"Ping"}]"#, ""),
    (r#"[{"jsonrpc":"2.0","method":"Ping"},{"jsonrpc":"2.0","method":"No"}]"#, ""),
    (r#"[{"jsonrpc":"2.0","method":"Ping","id":1}]"#, "[ok 1]"),
    (r#"[[{"jsonrpc":"2.0","method":"Ping","id":1}]]"#, "[-32600 null]"),
    (
        r#"[{"jsonrpc":"2.0","method":"Ping","id":1},{"jsonrpc":"2.0","method":"Ping","id":1}]"#,
        "[ok 1, ok 1]",
    ),
    (
        r#"[{"jsonrpc":"2.0","method":"Ping","id":1},{"jsonrpc":"2.0","method":"Ping"},7,{"foo":"boo"},{"jsonrpc":"2.0","method":"No","id":"2"}]"#,
        "[-32600 null, -32600 null, -32601 \"2\", ok 1]",
    ),
];

/// Ids that come back byte for byte (T09).
const IDS: &[&str] = &[
    "null",
    "0",
    "-0",
    "-1",
    "1.5",
    "1.50",
    "1e400",
    "1e-400",
    "1E+2",
    "-0.0e-0",
    "9223372036854775808",
    "18446744073709551616",
    "340282366920938463463374607431768211455",
    "340282366920938463463374607431768211456",
    "-170141183460469231731687303715884105729",
    "0.1000000000000000055511151231257827021181583404541015625",
    r#""""#,
    r#"" ""#,
    r#""1""#,
    r#""null""#,
    r#""\u0000""#,
    r#""\ud800""#,
    r#""\uD83C\uDF2E\/\"\\\b\f\n\r\t""#,
    r#""привет 🌮""#,
    "\"\u{202e}\u{7f}\u{feff}\"",
    r#""{\"jsonrpc\":\"2.0\"}""#,
];

/// Things that are no id.
const NO_IDS: &[&str] = &["true", "false", "[]", "[1]", "{}", r#"{"a":1}"#, "[null]"];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.extend(NO_JSON.iter().map(|payload| framed(Both, payload, "-32700 null")));
    cases.extend(ENVELOPES.iter().map(|(payload, outcome)| framed(Both, payload, *outcome)));
    cases.extend(IDS.iter().map(|id| framed(Both, ping(id), format!("ok {id}"))));
    cases.extend(NO_IDS.iter().map(|id| framed(Both, ping(id), "-32600 null")));
    cases.push(framed(Both, PING.repeat(2), "-32700 null"));
    cases.extend(long_ids());
    cases.extend(depths());
    cases.extend(crowds());
    cases
}

/// Ids around their limit of 1 024 bytes, and far past it.
fn long_ids() -> Vec<Case> {
    let text = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    let mut cases = Vec::new();
    for id in ["7".repeat(1024), text(1024), format!("-{}", "7".repeat(1023))] {
        cases.push(framed(Both, ping(&id), format!("ok {id}")));
    }
    for id in ["7".repeat(1025), text(1025), text(3000)] {
        cases.push(framed(Both, ping(&id), "-32600 null"));
    }
    for id in [text(10_000), "7".repeat(1_000_000), text(1_000_000)] {
        cases.push(framed(Data, ping(&id), "-32600 null"));
        cases.push(framed(Broadcast, ping(&id), "-32013 null | ✕"));
    }
    cases
}

/// Nesting around the limit of 32 levels, and up to a million.
fn depths() -> Vec<Case> {
    let params = |depth: usize| format!(r#"{{"x":{}{}}}"#, "[".repeat(depth - 2), "]".repeat(depth - 2));
    let nested = |depth| format!(r#"{{"jsonrpc":"2.0","method":"Ping","params":{},"id":1}}"#, params(depth));
    let in_a_string = format!(r#"{{"jsonrpc":"2.0","method":"Ping","x":"{}\"{{","id":1}}"#, "[".repeat(1000));
    let mut cases = vec![
        framed(Both, nested(32), "ok 1"),
        framed(Both, nested(33), "-32700 null"),
        framed(Both, in_a_string, "ok 1"),
        framed(Both, "[".repeat(32), "-32700 null"),
        framed(Both, "]".repeat(4000), "-32700 null"),
        framed(Both, "[".repeat(32) + &"]".repeat(32), "[-32600 null]"),
        framed(Data, "]".repeat(1_000_000), "-32700 null"),
        framed(Data, "{\"a\":".repeat(200_000), "-32700 null"),
    ];
    for depth in [100, 1_000, 10_000, 100_000, 500_000] {
        let to = if depth <= 1_000 { Both } else { Data };
        cases.push(framed(to, nested(depth), "-32700 null"));
        cases.push(framed(to, "[".repeat(depth) + &"]".repeat(depth), "-32700 null"));
    }
    cases.push(framed(Data, "[".repeat(1_000_000), "-32700 null"));
    cases
}

/// Many of something: requests, keys, digits, letters.
fn crowds() -> Vec<Case> {
    let batch = |count: usize| format!("[{}]", vec![PING; count].join(","));
    let all = |answer: &str, count: usize| format!("[{}]", vec![answer; count].join(", "));
    let keys = |count: usize| (0..count).map(|key| format!(r#""k{key}":0,"#)).collect::<String>();
    let with = |members: &str| format!(r#"{{"jsonrpc":"2.0","method":"Ping",{members}"id":1}}"#);
    let params = |member: &str| with(&format!(r#""params":{{"x":{member}}},"#));
    vec![
        framed(Both, batch(50), all("ok 1", 50)),
        framed(Data, batch(100), all("ok 1", 100)),
        framed(Data, batch(101), "-32013 null"),
        framed(Data, batch(20_000), "-32013 null"),
        framed(Data, batch(100_000), "-32013 null | ✕"),
        framed(Both, format!("[{}1]", "1,".repeat(99)), all("-32600 null", 100)),
        framed(Both, format!("[{}1]", "1,".repeat(100)), "-32013 null"),
        framed(Data, format!("[{}1]", "1,".repeat(100_000)), "-32013 null"),
        framed(Data, format!("[{}1]", "1,".repeat(500_000)), "-32013 null"),
        framed(Both, with(&keys(300)), "ok 1"),
        framed(Data, with(&keys(80_000)), "ok 1"),
        framed(Data, params(&format!("{{{}\"k\":0}}", keys(80_000))), "ok 1"),
        framed(Data, with(&"\"x\":0,".repeat(140_000)), "ok 1"),
        framed(Data, params(&"7".repeat(1_000_000)), "ok 1"),
        framed(Data, params(&format!("0.{}", "7".repeat(1_000_000))), "ok 1"),
        framed(Data, params(&format!("\"{}\"", "\\u0000".repeat(150_000))), "ok 1"),
        framed(
            Data,
            format!(r#"{{"jsonrpc":"2.0","method":"{}","id":1}}"#, "M".repeat(1_000_000)),
            "-32601 1",
        ),
        framed(Data, format!("{}{PING}{}", " ".repeat(500_000), "\n".repeat(500_000)), "ok 1"),
    ]
}
