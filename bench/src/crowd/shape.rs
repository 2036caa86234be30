//! The shape of a delivered frame: of one peer and one room all frames are equally long and differ in their counters alone,
//! so a frame is checked by its length, eight bytes that it must hold, and its counter. Nothing is parsed.

use anyhow::{Context, Result, bail};

/// Digits of a counter, with zeros in front.
pub(crate) const DIGITS: usize = 8;

/// Bytes of a message's text.
pub(crate) const TEXT_BYTES: usize = 128;

/// A counter that differs from zero in all digits, and in its sender.
const OTHER: u64 = 12_345_679;

/// The text of a message: its counter, and letters.
pub(crate) fn text(counter: u64) -> String {
    let mut text = format!("{counter:0DIGITS$}");
    text.extend((b'a'..=b'z').cycle().map(char::from).take(TEXT_BYTES - DIGITS));
    text
}

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// Bytes of a frame.
    pub(crate) bytes: usize,
    counter_at: usize,
    mark_at: usize,
    mark: [u8; 8],
    /// Bytes of a frame that begins here and is no delivery; none when it is a delivery or not whole.
    other: fn(&[u8]) -> Option<usize>,
}

impl Shape {
    /// Of the frames that `delivered` makes of counters; `other` tells what else may come in between.
    ///
    /// # Errors
    /// The frames are not of one shape.
    pub(crate) fn of(delivered: impl Fn(u64) -> Vec<u8>, other: fn(&[u8]) -> Option<usize>) -> Result<Self> {
        let (zero, one) = (delivered(0), delivered(OTHER));
        let place = text(0);
        let counter_at = zero.windows(place.len()).position(|part| part == place.as_bytes());
        let counter_at = counter_at.context("the text is not in the frame")?;
        let bytes = zero.len();
        anyhow::ensure!(one.len() == bytes, "frames of one room are not equally long");
        let mut windows = zero.windows(8).zip(one.windows(8)).enumerate();
        let Some((mark_at, (mark, _))) = windows.find(|(_, (zero, one))| zero == one) else {
            bail!("nothing is common to the frames of a room");
        };
        Ok(Self { bytes, counter_at, mark_at, mark: mark.try_into()?, other })
    }

    /// Gives the counters of all whole deliveries in `bytes` to `each`, and tells how many bytes were used.
    ///
    /// # Errors
    /// Something stands there that is no frame, or `each` refuses.
    #[inline]
    pub(crate) fn scan(&self, bytes: &[u8], mut each: impl FnMut(u64, &[u8]) -> Result<()>) -> Result<usize> {
        let mut used = 0;
        while let Some(rest) = bytes.get(used..).filter(|rest| !rest.is_empty()) {
            match rest.get(..self.bytes).filter(|frame| frame[self.mark_at..][..8] == self.mark) {
                Some(frame) => {
                    each(self.counter_of(frame)?, frame)?;
                    used += self.bytes;
                }
                None => match (self.other)(rest) {
                    Some(length) => used += length,
                    None => break,
                },
            }
        }
        Ok(used)
    }

    #[inline]
    fn counter_of(&self, frame: &[u8]) -> Result<u64> {
        let digits: [u8; DIGITS] = frame[self.counter_at..][..DIGITS].try_into()?;
        number(digits).context("a delivery has no counter")
    }
}

/// Eight digits at a time: pairs, then fours, then all.
#[inline]
fn number(digits: [u8; DIGITS]) -> Option<u64> {
    let values = u64::from_le_bytes(digits).wrapping_sub(0x3030_3030_3030_3030);
    if (values | values.wrapping_add(0x7676_7676_7676_7676)) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let pairs = (values.wrapping_mul(10) + (values >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100) + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    Some((fours.wrapping_mul(10_000) + (fours >> 32)) & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines are something else here.
    fn line(bytes: &[u8]) -> Option<usize> {
        (bytes.first() != Some(&b'<'))
            .then(|| bytes.iter().position(|byte| *byte == b'\n'))
            .flatten()
            .map(|at| at + 1)
    }

    fn delivered(counter: u64) -> Vec<u8> {
        format!("<message>{}</message>", text(counter)).into_bytes()
    }

    fn counters(bytes: &[u8]) -> Result<(Vec<u64>, usize)> {
        let mut found = Vec::new();
        let used = Shape::of(delivered, line)?.scan(bytes, |counter, _| {
            found.push(counter);
            Ok(())
        })?;
        Ok((found, used))
    }

    #[test]
    fn digits_are_read_eight_at_a_time() {
        for value in [0, 1, 9, 10, 12_345_678, 99_999_999, 90_000_000, 10_203_040] {
            let digits: [u8; DIGITS] = format!("{value:08}").into_bytes().try_into().unwrap();
            assert_eq!(number(digits), Some(value));
        }
        for text in [b"1234567x", b"/2345678", b"1234:678", b"\xb02345678", b"        "] {
            assert_eq!(number(*text), None, "{text:?}");
        }
    }

    #[test]
    fn whole_frames_are_found_wherever_the_bytes_end() {
        let bytes = [delivered(7), b"hello\n".to_vec(), delivered(8), delivered(9)].concat();
        let frame = delivered(0).len();
        for end in 0..=bytes.len() {
            let (found, used) = counters(&bytes[..end]).unwrap();
            let mut borders =
                vec![(0, 0), (frame, 1), (frame + 6, 1), (2 * frame + 6, 2), (3 * frame + 6, 3)];
            borders.retain(|(border, _)| *border <= end);
            let (border, count) = borders.pop().unwrap();
            assert_eq!((found, used), ([7, 8, 9][..count].to_vec(), border), "{end}");
        }
    }

    #[test]
    fn a_frame_without_a_counter_is_an_error() {
        let mut bytes = delivered(7);
        bytes[10] = b'x';
        assert!(counters(&bytes).is_err());
    }
}
