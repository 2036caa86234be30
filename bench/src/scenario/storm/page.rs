//! Entries in what a server says, found and not parsed: the servers write JSON in one way alone.

use memchr::memmem;

/// Chat and number of each entry of a page or an event, in their order.
pub(crate) fn entries(payload: &[u8]) -> impl Iterator<Item = (i64, u64)> {
    // No text can hold this: its quotes would be escaped.
    memmem::find_iter(payload, br#","change":{"#).filter_map(|at| {
        let (rest, seq) = number_before(&payload[..at])?;
        let (rest, chat) = number_before(rest.strip_suffix(br#","seq":"#)?)?;
        rest.ends_with(br#""chat_id":"#).then_some((i64::try_from(chat).ok()?, seq))
    })
}

/// Whether the end of a page says that there is more.
pub(crate) fn has_more(page: &[u8]) -> bool {
    memmem::find(end_of(page), br#""more":true"#).is_some()
}

/// Whether the end of a page says that the cursors were of another life of the database.
pub(crate) fn is_reset(page: &[u8]) -> bool {
    memmem::find(end_of(page), br#""reset":true"#).is_some()
}

/// Whether an answer is a refusal. A result may be long, and none has this near its beginning.
pub(crate) fn is_refusal(answer: &[u8]) -> bool {
    memmem::find(&answer[..answer.len().min(200)], br#""error":{"#).is_some()
}

/// How long the server wants the peer to wait, in milliseconds.
pub(crate) fn advice_ms(payload: &[u8]) -> u64 {
    let words = br#""retry_after_ms":"#;
    let Some(at) = memmem::find(payload, words) else { return 0 };
    let digits = payload[at + words.len()..].iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number: u64, digit| number.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
}

/// What stands behind the entries.
fn end_of(page: &[u8]) -> &[u8] {
    &page[page.len().saturating_sub(200)..]
}

/// The number at the end of some bytes, and what stands before it.
fn number_before(bytes: &[u8]) -> Option<(&[u8], u64)> {
    let digits = bytes.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (rest, number) = bytes.split_at(bytes.len() - digits);
    Some((rest, std::str::from_utf8(number).ok()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &[u8] = br#"{"jsonrpc":"2.0","result":{"epoch":"0f","entries":[{"chat_id":7,"seq":12,"change":{"message":{"message_id":2,"chat_id":9,"message_text":"\",\"change\":{\"seq\":5","seq":12}}},{"chat_id":8,"seq":3,"change":{"joined":{"change_ts":1}}}],"more":true},"id":3}"#;

    #[test]
    fn entries_are_found_and_what_a_text_says_is_not_one() {
        assert_eq!(entries(PAGE).collect::<Vec<_>>(), [(7, 12), (8, 3)]);
        assert_eq!(entries(br#"{"entries":[]}"#).count(), 0);
    }

    #[test]
    fn the_end_of_a_page_says_how_to_go_on() {
        assert!(has_more(PAGE) && !is_reset(PAGE) && !is_refusal(PAGE));
        assert!(is_reset(br#"{"result":{"entries":[],"reset":true},"id":3}"#));
    }

    #[test]
    fn a_refusal_tells_how_long_to_wait() {
        let refusal = br#"{"jsonrpc":"2.0","error":{"code":-32053,"message":"m","data":{"retry_after_ms":1250}},"id":3}"#;
        assert!(is_refusal(refusal));
        assert_eq!(advice_ms(refusal), 1_250);
        assert_eq!(advice_ms(PAGE), 0);
    }
}
