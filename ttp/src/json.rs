//! What is done to JSON by hand: a depth check before any parser sees it, and strings and numbers where much is written.
//!
//! `serde_json` limits recursion only for values it builds; fields it skips and raw values may nest a million
//! levels deep. One linear scan bounds all of them.

use memchr::memchr2;

/// Whether arrays and objects in `text` nest at most `depth_max` deep. Says nothing about validity otherwise.
pub fn depth_is_within(text: &[u8], depth_max: usize) -> bool {
    let mut depth = 0usize;
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => bytes = after_string(bytes.as_slice()).iter(),
            b'[' | b'{' => {
                depth += 1;
                if depth > depth_max {
                    return false;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    true
}

/// What follows a string whose opening quote was read. Most of a chat's bytes are in strings, so these are not looked at
/// one by one.
fn after_string(mut rest: &[u8]) -> &[u8] {
    while let Some(place) = memchr2(b'"', b'\\', rest) {
        let is_end = rest[place] == b'"';
        rest = rest.get(place + if is_end { 1 } else { 2 }..).unwrap_or_default();
        if is_end {
            return rest;
        }
    }
    &[]
}

/// Bytes of a string that are looked at together.
const LANE_BYTES: usize = 16;

/// Appends a string with its quotes, escaped as `serde_json` does it. Hardly any text needs an escape, so it is looked at
/// in lanes, which the compiler makes single instructions of.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some((lane, after)) = rest.split_first_chunk::<LANE_BYTES>() {
        if lane.iter().fold(false, |found, byte| found | needs_escape(*byte)) {
            lane.iter().for_each(|byte| write_byte(out, *byte));
        } else {
            out.extend_from_slice(lane);
        }
        rest = after;
    }
    rest.iter().for_each(|byte| write_byte(out, *byte));
    out.push(b'"');
}

/// Appends a number.
pub fn write_number(out: &mut Vec<u8>, number: impl Into<i128>) {
    let number = number.into();
    let mut digits = [0; 40];
    let mut start = digits.len();
    let mut left = number.unsigned_abs();
    loop {
        start -= 1;
        digits[start] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[start..]);
}

fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

fn write_byte(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        _ if !needs_escape(byte) => return out.push(byte),
        b'"' | b'\\' => byte,
        0x08 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        0x0C => b'f',
        b'\r' => b'r',
        _ => {
            out.extend_from_slice(b"\\u00");
            let digit = |value: u8| b"0123456789abcdef"[usize::from(value)];
            return out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn strings_and_numbers_are_written_as_serde_json_writes_them(
            text in any::<String>(),
            controls in "[\\x00-\\x7f]{0,60}",
            number in any::<i64>(),
            natural in any::<u64>(),
        ) {
            for text in [text, controls] {
                let mut out = Vec::new();
                write_string(&mut out, &text);
                prop_assert_eq!(out, serde_json::to_vec(&text).unwrap());
            }
            let mut out = Vec::new();
            write_number(&mut out, number);
            out.push(b' ');
            write_number(&mut out, natural);
            prop_assert_eq!(String::from_utf8(out).unwrap(), format!("{number} {natural}"));
        }
    }

    #[test]
    fn brackets_in_strings_do_not_count() {
        assert!(depth_is_within(br#"{"a":"[[[[[[","b":"\"[[["}"#, 1));
        assert!(depth_is_within(b"[[]][[]]", 2));
        assert!(!depth_is_within(b"[[[]]]", 2));
        assert!(!depth_is_within("[".repeat(1_000_000).as_bytes(), 32));
        assert!(depth_is_within(br#""\\"[]"#, 1));
        assert!(!depth_is_within(br#""\\\""[[]]"#, 1), "a quote after an escape is part of the string");
        assert!(depth_is_within(br#"["[[ \"#, 1) && depth_is_within(br#""\"#, 0), "strings that do not end");
    }
}
