//! TTP frames: `10-byte header` + `payload`, without I/O.
//!
//! The header is the payload's length in *bytes*, decimal ASCII, left-aligned and padded with spaces. Spaces on
//! either side of the digits are accepted, because the 2020 peer parses its header with a function that allows
//! them; everything else that such a parser would let through (signs, `_`, digits of other scripts) is refused.
//!
//! The invariant of [`Decoder`]: its buffer holds a suffix of the received bytes that starts at the first byte
//! of a frame, and never more capacity than the bytes received justify.

use bytes::{Buf, Bytes, BytesMut};

use crate::limits::HEADER_BYTES;

/// Why a peer's bytes are not frames. After any of these the position in the stream is lost: answer and close.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The ten bytes are not a decimal number padded with spaces.
    #[error(
        "the frame header {} is not a decimal length padded with spaces to 10 bytes",
        .header.escape_ascii()
    )]
    BadHeader {
        /// The ten bytes as received.
        header: [u8; HEADER_BYTES],
    },
    /// The announced length is above the limit that holds for this peer now.
    #[error("the frame announces {announced} bytes, the limit is {limit}")]
    TooLong {
        /// Bytes that the header announced.
        announced: u64,
        /// Bytes that are allowed.
        limit: usize,
    },
}

/// Reads the length out of a header. Needs no allocation and no earlier check.
pub fn parse_header(header: [u8; HEADER_BYTES]) -> Result<u64, FrameError> {
    let digits = header.trim_ascii_with(b' ');
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(FrameError::BadHeader { header });
    }
    // Ten digits cannot overflow 64 bits.
    Ok(digits.iter().fold(0, |length, digit| length * 10 + u64::from(digit - b'0')))
}

/// Trims one given byte; `<[u8]>::trim_ascii` would also accept tabs and line ends.
trait TrimWith {
    fn trim_ascii_with(&self, pad: u8) -> &[u8];
}

impl TrimWith for [u8; HEADER_BYTES] {
    fn trim_ascii_with(&self, pad: u8) -> &[u8] {
        let start = self.iter().position(|&byte| byte != pad).unwrap_or(HEADER_BYTES);
        let end = self.iter().rposition(|&byte| byte != pad).map_or(start, |last| last + 1);
        &self[start..end]
    }
}

/// The header of a payload of `payload_bytes` bytes.
///
/// Lengths above 9 999 999 999 have no header; our limits lie far below, so this is a precondition.
pub fn header(payload_bytes: usize) -> [u8; HEADER_BYTES] {
    debug_assert!(payload_bytes as u64 <= 9_999_999_999, "ten digits cannot say {payload_bytes}");
    let mut header = [b' '; HEADER_BYTES];
    let mut digits = [0u8; HEADER_BYTES];
    let mut count = 0;
    let mut rest = payload_bytes;
    while count < HEADER_BYTES {
        digits[count] = b'0' + (rest % 10) as u8;
        rest /= 10;
        count += 1;
        if rest == 0 {
            break;
        }
    }
    for (place, digit) in header.iter_mut().zip(digits[..count].iter().rev()) {
        *place = *digit;
    }
    header
}

/// One payload as a frame.
pub fn encode(payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(HEADER_BYTES + payload.len());
    frame.extend_from_slice(&header(payload.len()));
    frame.extend_from_slice(payload);
    frame
}

/// Appends a frame to `out`, its payload written by `write`, without a second buffer: the header is filled in
/// afterwards.
pub fn encode_with<E>(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
    let start = out.len();
    out.extend_from_slice(&[b' '; HEADER_BYTES]);
    if let Err(error) = write(out) {
        out.truncate(start);
        return Err(error);
    }
    let payload_bytes = out.len() - start - HEADER_BYTES;
    out[start..start + HEADER_BYTES].copy_from_slice(&header(payload_bytes));
    Ok(())
}

/// Turns received bytes, in any slices, into payloads.
///
/// Feed it with [`push`](Self::push) or through [`buffer`](Self::buffer), then take payloads until
/// [`next_payload`](Self::next_payload) answers `None`. After an error it answers the same error for ever.
#[derive(Debug)]
pub struct Decoder {
    buffer: BytesMut,
    payload_bytes_max: usize,
    failed: Option<FrameError>,
}

impl Decoder {
    /// A decoder that refuses payloads above `payload_bytes_max` bytes. Allocates nothing yet.
    pub fn new(payload_bytes_max: usize) -> Self {
        Self { buffer: BytesMut::new(), payload_bytes_max, failed: None }
    }

    /// Changes the limit, for frames whose header has not been read yet.
    pub fn set_limit(&mut self, payload_bytes_max: usize) {
        self.payload_bytes_max = payload_bytes_max;
    }

    /// Appends received bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Where a socket may append received bytes without a copy. Reserve little: the buffer must grow with bytes
    /// received, never with bytes announced.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Whether the peer stands between two frames: nothing of an unfinished one is here.
    pub fn is_between_frames(&self) -> bool {
        self.buffer.is_empty()
    }

    /// The next whole payload, `None` when more bytes are needed.
    ///
    /// # Errors
    /// [`FrameError`] when the bytes cannot be a frame within the limit; the stream's position is lost then.
    pub fn next_payload(&mut self) -> Result<Option<Bytes>, FrameError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        match self.take() {
            Ok(payload) => Ok(payload),
            Err(error) => {
                self.buffer = BytesMut::new();
                self.failed = Some(error.clone());
                Err(error)
            }
        }
    }

    fn take(&mut self) -> Result<Option<Bytes>, FrameError> {
        let Some(header) = self.buffer.first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let announced = parse_header(*header)?;
        if announced > self.payload_bytes_max as u64 {
            return Err(FrameError::TooLong { announced, limit: self.payload_bytes_max });
        }
        let payload_bytes = announced as usize;
        if self.buffer.len() < HEADER_BYTES + payload_bytes {
            return Ok(None);
        }
        self.buffer.advance(HEADER_BYTES);
        let payload = self.buffer.split_to(payload_bytes).freeze();
        if self.buffer.is_empty() {
            // An idle connection owns no buffer.
            self.buffer = BytesMut::new();
        }
        Ok(Some(payload))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// T01: the header as the 2020 prototype writes it.
    #[test]
    fn t01_header_is_left_aligned_and_padded_with_spaces() {
        assert_eq!(encode(b"hello world"), b"11        hello world");
        assert_eq!(&header(0), b"0         ");
        assert_eq!(&header(9_999_999_999), b"9999999999");
    }

    /// T05: what a lenient parser would accept and we do not, and the spaces that we do.
    #[test]
    fn t05_header_digits() {
        for (bytes, length) in [
            (b"11        ", 11),
            (b"  11      ", 11),
            (b"        11", 11),
            (b"0000000011", 11),
            (b"0         ", 0),
            (b"9999999999", 9_999_999_999),
        ] {
            assert_eq!(parse_header(*bytes), Ok(length), "{}", bytes.escape_ascii());
        }
        for bytes in [
            b"          ",
            b"abc       ",
            b"-1        ",
            b"+1        ",
            b"1_0       ",
            b"0x1f      ",
            b"1 1       ",
            b"1\t        ",
            b"\n1        ",
            b"1.0       ",
            b"1e3       ",
            b"\0\0\0\0\0\0\0\0\0\0",
            b"\xd9\xa1        ",
            b"1\0        ",
        ] {
            assert_eq!(parse_header(*bytes), Err(FrameError::BadHeader { header: *bytes }));
        }
    }

    /// T03: nothing is allocated for an announced length, and the refusal is kept.
    #[test]
    fn t03_long_frame_is_refused_before_anything_is_allocated() {
        let mut decoder = Decoder::new(1000);
        decoder.push(b"9999999999");
        let refused = Err(FrameError::TooLong { announced: 9_999_999_999, limit: 1000 });
        assert_eq!(decoder.next_payload(), refused);
        assert_eq!(decoder.buffer.capacity(), 0);
        decoder.push(&encode(b"later"));
        assert_eq!(decoder.next_payload(), refused);
    }

    #[test]
    fn encode_with_keeps_what_was_there_when_the_writer_fails() {
        let mut out = b"before".to_vec();
        assert_eq!(encode_with(&mut out, |_| Err("no")), Err("no"));
        assert_eq!(out, b"before");
        encode_with::<()>(&mut out, |out| {
            out.extend_from_slice(b"abc");
            Ok(())
        })
        .unwrap();
        assert_eq!(out, b"before3         abc");
    }
}
