//! What the senders say: Talko's `InsertMessage` and Redis' `XADD`. Requests are written into a buffer, replies are scanned for
//! whose they are and whether they are errors, and not parsed.

use std::fmt::{self, Write as _};
use std::io::Write as _;

use anyhow::{Context, Result, bail, ensure};
use ttp::frame::{encode_with, parse_header};
use ttp::limits::HEADER_BYTES;
use ttp::net::clock;

/// Bytes of each text.
pub(crate) const TEXT_BYTES: usize = 128;

/// What stands before the time in a text.
pub(crate) const STAMP: &[u8] = b"at=";

/// Digits of the time.
pub(crate) const STAMP_DIGITS: usize = 12;

/// The rest of a text.
const FILLING: [u8; TEXT_BYTES] = [b'x'; TEXT_BYTES];

/// A way to ask for a durable write.
pub(crate) trait Language {
    /// Appends a request to store something in a room. `number` counts the sender's requests; `due_us` goes into the text.
    fn ask(&self, room: i64, sender: usize, number: u64, due_us: u64, out: &mut Vec<u8>);

    /// The first reply in these bytes, if it is there as a whole.
    ///
    /// # Errors
    /// It is an error, or no reply.
    fn reply(&self, bytes: &[u8]) -> Result<Option<Reply>>;
}

/// What the scanner says of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reply {
    /// Its length.
    pub(crate) bytes: usize,
    /// The number of its request, where replies tell it; elsewhere they come in order.
    pub(crate) number: Option<u64>,
}

/// Sends with keys, as client-lib does, in version 2.
pub(crate) struct Talko;

/// What every good reply begins with.
const RESULT: &[u8] = br#"{"jsonrpc":"2.0","result":"#;

impl Language for Talko {
    fn ask(&self, room: i64, sender: usize, number: u64, due_us: u64, out: &mut Vec<u8>) {
        let _ = encode_with(out, |out| {
            write!(
                out,
                r#"{{"jsonrpc":"2.0","method":"InsertMessage","params":{{"chat_id":{room},"message_text":""#
            )?;
            text(due_us, out);
            write!(out, r#"","client_message_id":"{}"}},"id":{number}}}"#, Key(sender, number))
        });
    }

    fn reply(&self, bytes: &[u8]) -> Result<Option<Reply>> {
        let Some(payload) = payload(bytes)? else { return Ok(None) };
        ensure!(payload.starts_with(RESULT), "a send was refused: {}", String::from_utf8_lossy(payload));
        let number = last_number(payload).context("a reply has no id at its end")?;
        Ok(Some(Reply { bytes: HEADER_BYTES + payload.len(), number: Some(number) }))
    }
}

/// Redis streams: an entry with the sender, the text and the key.
pub(crate) struct Redis;

impl Language for Redis {
    fn ask(&self, room: i64, sender: usize, number: u64, due_us: u64, out: &mut Vec<u8>) {
        let _ = write!(out, "*9\r\n$4\r\nXADD\r\n$12\r\n{room:012}\r\n$1\r\n*\r\n");
        let _ = write!(out, "$4\r\nuser\r\n$8\r\n{sender:08x}\r\n$4\r\ntext\r\n${TEXT_BYTES}\r\n");
        text(due_us, out);
        let _ = write!(out, "\r\n$3\r\nkey\r\n$26\r\n{}\r\n", Key(sender, number));
    }

    fn reply(&self, bytes: &[u8]) -> Result<Option<Reply>> {
        let Some(end) = line_end(bytes) else { return Ok(None) };
        match bytes.first() {
            Some(b'$') => {
                let length = std::str::from_utf8(&bytes[1..end - 2])?.parse::<usize>()?;
                let whole = end + length + 2;
                Ok((bytes.len() >= whole).then_some(Reply { bytes: whole, number: None }))
            }
            _ => bail!("redis answers: {}", String::from_utf8_lossy(&bytes[..end]).trim()),
        }
    }
}

/// The key of a sender's message, as client-lib mints them: 48 bits of time and 80 that no two share, in 26 characters that
/// sort by time.
pub(crate) struct Key(pub(crate) usize, pub(crate) u64);

/// Crockford's base 32.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

impl Key {
    /// Its bits, which the store keeps in the place of the characters.
    pub(crate) fn bits(&self) -> u128 {
        let time = (clock::now_ms().cast_unsigned() & 0xFFFF_FFFF_FFFF) as u128;
        let own = scrambled(((self.0 as u64) << 40) | self.1);
        (time << 80) | u128::from(own)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.bits();
        (0..26).rev().try_for_each(|place| {
            formatter.write_char(char::from(DIGITS[((bits >> (5 * place)) & 31) as usize]))
        })
    }
}

/// SplitMix64: another number for each number.
pub(crate) fn scrambled(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The text that says when it was due.
fn text(due_us: u64, out: &mut Vec<u8>) {
    let before = out.len();
    out.extend_from_slice(STAMP);
    let _ = write!(out, "{due_us:0STAMP_DIGITS$} ");
    let written = out.len() - before;
    out.extend_from_slice(&FILLING[written.min(TEXT_BYTES)..]);
}

/// The payload of the first frame, if it is there as a whole.
///
/// # Errors
/// These bytes do not begin with a frame.
pub(crate) fn payload(bytes: &[u8]) -> Result<Option<&[u8]>> {
    let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
    let length = usize::try_from(parse_header(*header)?)?;
    Ok(bytes.get(HEADER_BYTES..HEADER_BYTES + length))
}

/// The digits before the last brace.
fn last_number(payload: &[u8]) -> Option<u64> {
    let head = payload.strip_suffix(b"}")?;
    let digits = head.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (before, digits) = head.split_at(head.len() - digits);
    before.ends_with(br#""id":"#).then(|| decimal(digits))?
}

/// A decimal number, when there are nothing but digits.
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Where the first line ends, its line feed included.
fn line_end(bytes: &[u8]) -> Option<usize> {
    Some(1 + bytes.iter().position(|byte| *byte == b'\n')?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use ttp::frame::encode;

    #[test]
    fn a_request_is_a_frame_with_a_text_of_its_length() {
        let mut out = Vec::new();
        Talko.ask(43, 3, 40, 17, &mut out);
        let request: Value = serde_json::from_slice(payload(&out).unwrap().unwrap()).unwrap();
        assert_eq!((&request["params"]["chat_id"], &request["id"]), (&Value::from(43), &Value::from(40)));
        let text = request["params"]["message_text"].as_str().unwrap();
        assert!(text.len() == TEXT_BYTES && text.starts_with("at=000000000017 "), "{text}");
    }

    #[test]
    fn a_reply_is_known_by_its_id_and_an_error_is_refused() {
        let good = encode(br#"{"jsonrpc":"2.0","result":{"message":{"seq":9}},"id":40}"#);
        let told = Some(Reply { bytes: good.len(), number: Some(40) });
        assert_eq!(Talko.reply(&good).unwrap(), told);
        assert_eq!(Talko.reply(&[&good[..], b"12"].concat()).unwrap(), told);
        assert_eq!(Talko.reply(&good[..good.len() - 1]).unwrap(), None);
        let bad = encode(br#"{"jsonrpc":"2.0","error":{"code":-32053,"message":"overloaded"},"id":40}"#);
        assert!(Talko.reply(&bad).unwrap_err().to_string().contains("overloaded"));
        assert!(Talko.reply(&encode(br#"{"jsonrpc":"2.0","result":{"message":{"seq":9}}}"#)).is_err());
    }

    #[test]
    fn redis_answers_in_order_and_its_errors_are_refused() {
        let redis = Redis;
        let mut out = Vec::new();
        redis.ask(1, 3, 40, 17, &mut out);
        assert_eq!(out.iter().filter(|byte| **byte == b'$').count(), 9);
        assert!(String::from_utf8(out).unwrap().contains("\r\nat=000000000017 x"));
        let reply = b"$15\r\n1763690000000-0\r\n";
        assert_eq!(redis.reply(reply).unwrap(), Some(Reply { bytes: reply.len(), number: None }));
        assert_eq!(redis.reply(&reply[..20]).unwrap(), None);
        assert!(redis.reply(b"-MISCONF no disk\r\n").unwrap_err().to_string().contains("MISCONF"));
    }
}
