//! A depth check over raw JSON, done before any parser sees it.
//!
//! `serde_json` limits recursion only for values it builds; fields it skips and raw values may nest a million
//! levels deep. One linear scan bounds all of them.

/// Whether arrays and objects in `text` nest at most `depth_max` deep. Says nothing about validity otherwise.
pub fn depth_is_within(text: &[u8], depth_max: usize) -> bool {
    let mut depth = 0usize;
    let mut in_string = false;
    let mut escaped = false;
    for &byte in text {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
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
    }
}
