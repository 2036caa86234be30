//! A depth check over raw JSON, done before any parser sees it.
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

#[cfg(test)]
mod tests {
    use super::*;

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
