//! Keys that make a repeated send harmless: 48 bits of time and 80 of chance, in 26 characters that sort by time.

use ttp::model::TimestampMs;
use ttp::net::{clock, random};

use crate::error::Error;

/// Crockford's base 32: no I, L, O, U.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Characters of a key; 130 bits, of which the first two are zero.
const KEY_CHARS: u32 = 26;

/// Mints a key.
///
/// # Errors
/// The operating system has no randomness: a key that might repeat would be worse than none.
pub(crate) fn mint(now_ms: TimestampMs) -> Result<String, Error> {
    let mut chance = [0u8; 16];
    random::fill(&mut chance[6..]).map_err(Error::Randomness)?;
    let time = (now_ms.cast_unsigned() & 0xFFFF_FFFF_FFFF) as u128;
    let bits = (time << 80) | u128::from_be_bytes(chance);
    let digit = |place: u32| char::from(DIGITS[((bits >> (5 * place)) & 31) as usize]);
    Ok((0..KEY_CHARS).rev().map(digit).collect())
}

/// Mints a key for a message, for programs that keep it until they know what became of the message: with
/// [`Client::send_message`](crate::Client::send_message), the same key again is stored once.
///
/// # Errors
/// The operating system has no randomness.
pub fn mint_key() -> Result<String, Error> {
    mint(clock::now_ms())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_short_sort_by_time_and_do_not_repeat() {
        let early = mint(1_000).unwrap();
        let late = mint(1_700_000_000_000).unwrap();
        assert!(early < late);
        assert!(early.starts_with("00000000Z8"), "{early}");
        for key in [&early, &late] {
            assert_eq!(key.len(), 26);
            assert!(ttp::model::check_client_key("key", key).is_ok());
        }
        assert_ne!(late, mint(1_700_000_000_000).unwrap());
    }
}
