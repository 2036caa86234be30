//! Tokens of sessions and codes of invitations: minted from chance, shown once, and known again by their hash.

use sha2::{Digest, Sha256};
use ttp::hex;
use ttp::net::random;
use ttp::secret::Secret;
use zeroize::Zeroizing;

use crate::store::SecretHash;

/// What tokens begin with, so that one that got about can be searched for.
const TOKEN_PREFIX: &str = "tlk_";

/// A token of 256 bits.
///
/// # Errors
/// The operating system has no randomness.
pub(crate) fn token() -> Result<Secret, getrandom::Error> {
    let digits = digits::<32>()?;
    Ok(Secret::new([TOKEN_PREFIX, digits.as_str()].concat()))
}

/// A code of 128 bits.
///
/// # Errors
/// As [`token`].
pub(crate) fn invitation_code() -> Result<Secret, getrandom::Error> {
    Ok(Secret::new(digits::<16>()?.as_str()))
}

/// All that is stored of a token or code.
pub(crate) fn hash_of(secret: &Secret) -> SecretHash {
    SecretHash(Sha256::digest(secret.expose()).into())
}

fn digits<const BYTES: usize>() -> Result<Zeroizing<String>, getrandom::Error> {
    let mut bytes = Zeroizing::new([0; BYTES]);
    random::fill(&mut *bytes)?;
    Ok(Zeroizing::new(hex::encode(&*bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_different_and_easy_to_find() {
        let tokens = [token().unwrap(), token().unwrap()];
        for token in &tokens {
            let digits = token.expose().strip_prefix("tlk_").unwrap();
            assert!(hex::decode::<32>(digits).is_some());
        }
        assert!(tokens[0] != tokens[1] && hash_of(&tokens[0]) != hash_of(&tokens[1]));
        assert!(hex::decode::<16>(invitation_code().unwrap().expose()).is_some());
    }

    #[test]
    fn a_hash_is_sha_256() {
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash_of(&Secret::new("abc")).0, hex::decode(known).unwrap());
    }
}
