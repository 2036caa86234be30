//! Frames that are none, nearly none, or cut in odd places.

use ttp::frame::encode;

use super::To::{Both, Broadcast, Data};
use super::{Case, PING, framed, ping, raw};

/// Ten bytes that are no header.
const NO_HEADERS: &[&[u8; 10]] = &[
    b"          ",
    b"abc       ",
    b"-1        ",
    b"-0        ",
    b"--1       ",
    b"+1        ",
    b"+000000040",
    b"1+        ",
    b"1_0       ",
    b"_10       ",
    b"0x1f      ",
    b"0xffffffff",
    b"0b11      ",
    b"0o17      ",
    b"1 1       ",
    b" 1 1      ",
    b"1        1",
    b"0 0       ",
    b"1\t        ",
    b"\t1        ",
    b"\n1        ",
    b"1\r\n       ",
    b"1\x0b        ",
    b"1\x0c        ",
    b"1.0       ",
    b"1.        ",
    b".1        ",
    b"1e3       ",
    b"1E3       ",
    b"1,000     ",
    b"1;        ",
    b"1/1       ",
    b"11L       ",
    b"11n       ",
    b"(11)      ",
    b"'11'      ",
    b"\"11\"      ",
    b"NaN       ",
    b"inf       ",
    b"null      ",
    b"true      ",
    b"ffffffffff",
    b"\0\0\0\0\0\0\0\0\0\0",
    b"11\0       ",
    b"\0\0\0\0\0\0\0\0\0\x0b",
    b"\x00\x00\x00\x0bhello ",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\xd9\xa1\xd9\xa1      ",
    b"\xe0\xa5\xa7       ",
    b"\xef\xbc\x91\xef\xbc\x91    ",
    b"\xc2\xb2        ",
    b"\xe2\x85\xa7       ",
    b"\xc2\xa01       ",
    b"\xe2\x80\x831      ",
    b"\xef\xbb\xbf11     ",
    b"{\"jsonrpc\"",
    b"[{\"jsonrpc",
    b"GET / HTTP",
    b"POST /api ",
    b"PRI * HTTP",
    b"SSH-2.0-Op",
    b"HELO local",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03",
    b"\x1b[2J\x1b[1;1H",
];

/// Headers that are one, with `N` for the length.
const HEADERS: &[&str] = &["N        ", "        N", "    N    ", "00000000N", "0N       ", "  00N    "];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.extend(
        NO_HEADERS.iter().map(|header| raw(Both, [&header[..], PING.as_bytes()].concat(), "-32700 null | ✕")),
    );
    cases.extend(HEADERS.iter().map(|form| {
        let header = form.replace('N', &PING.len().to_string());
        raw(Both, header + PING, "ok 1")
    }));
    for empty in ["0         ", "         0", "0000000000"] {
        cases.push(raw(Both, empty, "-32700 null"));
        cases.push(raw(Both, empty.repeat(3), "-32700 null | -32700 null | -32700 null"));
    }
    cases.extend(lengths());
    cases.extend(rows_of_frames());
    cases.extend(cut_off());
    cases.extend(no_utf_8());
    cases
}

/// Lengths around the limits, and lengths that are not that of the payload.
fn lengths() -> Vec<Case> {
    let of = |length: usize| format!("{length:<10}");
    let padded = |length: usize| PING.to_owned() + &" ".repeat(length - PING.len());
    let both_pings = PING.to_owned() + &of(PING.len()) + PING;
    let cyrillic = r#"{"jsonrpc":"2.0","method":"Ping","params":{"x":"привет"},"id":1}"#;
    vec![
        raw(Both, "9999999999", "-32013 null | ✕"),
        raw(Both, "4294967296", "-32013 null | ✕"),
        raw(Both, "4294967336", "-32013 null | ✕"),
        raw(Both, "2147483648", "-32013 null | ✕"),
        raw(Both, "1048577   ", "-32013 null | ✕"),
        raw(Both, "   1048577", "-32013 null | ✕"),
        raw(Both, of(1_048_577) + &padded(1_048_577), "-32013 null | ✕"),
        raw(Broadcast, "1048576   ", "-32013 null | ✕"),
        raw(Broadcast, "4097      ", "-32013 null | ✕"),
        raw(Broadcast, of(4097) + &padded(4097), "-32013 null | ✕"),
        framed(Data, padded(1_048_576), "ok 1"),
        framed(Data, padded(4097), "ok 1"),
        framed(Both, padded(4096), "ok 1"),
        // A refusal takes nothing back of what was asked before it.
        raw(Both, of(PING.len()) + PING + "9999999999", "ok 1 | -32013 null | ✕"),
        // One short: a payload without its end, and a header that begins with that end.
        raw(Both, of(PING.len() - 1) + &both_pings, "-32700 null | -32700 null | ✕"),
        // One long: the payload has the first digit of the next header.
        raw(Both, of(PING.len() + 1) + &both_pings, "-32700 null | -32700 null | ✕"),
        // The header counted too.
        raw(Both, of(PING.len() + 10) + &both_pings, "-32700 null | -32700 null | ✕"),
        // Characters counted instead of bytes.
        raw(Both, of(cyrillic.chars().count()) + cyrillic + "    ", "-32700 null | -32700 null | ✕"),
        raw(Both, of(cyrillic.len()) + cyrillic, "ok 1"),
        raw(Both, "1         {2         {}", "-32700 null | -32600 null"),
    ]
}

/// Several frames, and things between them.
fn rows_of_frames() -> Vec<Case> {
    let frame = |payload: &str| encode(payload.as_bytes());
    let between = |other: &[u8]| [&frame(PING), other, &frame(PING)].concat();
    let hundred: Vec<u8> = (0..100).flat_map(|id| frame(&ping(&id.to_string()))).collect();
    let hundred_ok: Vec<String> = (0..100).map(|id| format!("ok {id}")).collect();
    vec![
        raw(Both, [frame(PING), frame(&ping("2"))].concat(), "ok 1 | ok 2"),
        raw(Both, hundred, hundred_ok.join(" | ")),
        raw(Both, between(b"\n"), "ok 1 | -32700 null | ✕"),
        raw(Both, between(b"\r\n"), "ok 1 | -32700 null | ✕"),
        raw(Both, between(b"\0"), "ok 1 | -32700 null | ✕"),
        raw(Both, between(b";"), "ok 1 | -32700 null | ✕"),
        raw(Both, between(b"garbage!!!"), "ok 1 | -32700 null | ✕"),
        // A space moves the last one of the header into the payload, whose brace is then left over.
        Case { finishes: true, ..raw(Both, between(b" "), "ok 1 | -32700 null | ✕") },
        raw(Both, between(b"0         "), "ok 1 | -32700 null | ok 1"),
        raw(Both, between(b"4         null"), "ok 1 | -32600 null | ok 1"),
    ]
}

/// Peers that stop in the middle.
fn cut_off() -> Vec<Case> {
    let finishing = |sends: &str, outcome: &str| Case { finishes: true, ..raw(Both, sends, outcome) };
    let ping_frame = format!("{:<10}{PING}", PING.len());
    vec![
        finishing("", "✕"),
        finishing("4", "✕"),
        finishing("40   ", "✕"),
        finishing("40       ", "✕"),
        finishing("40        ", "✕"),
        finishing(&ping_frame[..11], "✕"),
        finishing(&ping_frame[..ping_frame.len() - 1], "✕"),
        finishing(&ping_frame, "ok 1 | ✕"),
        finishing(&(ping_frame.clone() + "4"), "ok 1 | ✕"),
        finishing(&(ping_frame.clone() + "garb"), "ok 1 | ✕"),
        finishing(&(ping_frame.clone() + &ping_frame[..20]), "ok 1 | ✕"),
        finishing("garbage!!!", "-32700 null | ✕"),
        finishing("0         ", "-32700 null | ✕"),
    ]
}

/// Payloads that are not UTF-8.
fn no_utf_8() -> Vec<Case> {
    let with_id = |id: &[u8]| [br#"{"jsonrpc":"2.0","method":"Ping","id":""#, id, b"\"}"].concat();
    let utf_16: Vec<u8> = PING.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf_16_big: Vec<u8> = PING.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let mut cases: Vec<Case> = [
        &b"\xff"[..],
        b"\xfe\xff",
        b"\x80",
        b"\xc3",
        b"\xc3\x28",
        b"\xc0\xaf",
        b"\xe0\x80\xaf",
        b"\xed\xa0\x80",
        b"\xed\xa0\xbd\xed\xb8\x80",
        b"\xf0\x9f\x8c",
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
    ]
    .iter()
    .map(|id| framed(Both, with_id(id), "-32700 null"))
    .collect();
    let halves = [encode(b"\"\xd0"), encode(b"\xbf\"")].concat();
    cases.extend([
        raw(Both, halves, "-32700 null | -32700 null"),
        framed(Both, utf_16, "-32700 null"),
        framed(Both, utf_16_big, "-32700 null"),
        framed(Both, format!("\u{feff}{PING}"), "-32700 null"),
        framed(Both, with_id("привет 🌮".as_bytes()), "ok \"привет 🌮\""),
    ]);
    cases
}
