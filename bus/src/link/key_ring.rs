//! The service keys of a server: the file that holds them, and the handle by which they are replaced while links run.
//!
//! The first key proves and signs; all are accepted. So a key is changed in three steps, each of them taken on every
//! server before the next one on any: the new key is added behind the old one, put in front of it, left alone.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};

use super::ServiceKey;
use super::key::Claim;

/// Keys of one file.
const KEYS_MAX: usize = 8;

/// One or more service keys. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct ServiceKeys(Arc<[ServiceKey]>);

/// Why a text does not hold service keys. Says the line and not what stands there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotKeys {
    /// Lines are keys, comments or empty.
    #[error("line {0} is neither a service key, 64 hexadecimal digits, nor a comment, which begins with `#`")]
    Line(usize),
    /// There is none.
    #[error("there is no service key")]
    None,
    /// More than anybody changes between.
    #[error("there are more than {KEYS_MAX} service keys")]
    TooMany,
}

impl ServiceKeys {
    /// The key that proves and signs.
    pub fn first(&self) -> &ServiceKey {
        &self.0[0]
    }

    /// All keys, which are all accepted; the first one first.
    pub fn iter(&self) -> impl Iterator<Item = &ServiceKey> {
        self.0.iter()
    }

    pub(super) fn is_proven(&self, claim: &Claim<'_>, proof: &str) -> bool {
        self.iter().any(|key| key.is_proven(claim, proof))
    }
}

impl From<ServiceKey> for ServiceKeys {
    fn from(key: ServiceKey) -> Self {
        Self([key].into())
    }
}

impl FromStr for ServiceKeys {
    type Err = NotKeys;

    /// Reads what a key file holds: a key a line, and comments that begin with `#`.
    fn from_str(text: &str) -> Result<Self, NotKeys> {
        let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
        let keys = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let keys: Vec<ServiceKey> = keys
            .map(|(number, line)| line.parse().map_err(|_| NotKeys::Line(number)))
            .collect::<Result<_, _>>()?;
        match keys.len() {
            0 => Err(NotKeys::None),
            1..=KEYS_MAX => Ok(Self(keys.into())),
            _ => Err(NotKeys::TooMany),
        }
    }
}

impl fmt::Debug for ServiceKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceKeys({} keys)", self.0.len())
    }
}

/// The keys that a server uses now. Clones share them.
#[derive(Debug, Clone)]
pub struct KeyRing(Arc<RwLock<ServiceKeys>>);

impl KeyRing {
    /// A ring of these keys.
    pub fn new(keys: ServiceKeys) -> Self {
        Self(Arc::new(RwLock::new(keys)))
    }

    /// Uses these keys for everything that is proven or signed from now on. Links that are open go on.
    pub fn replace(&self, keys: ServiceKeys) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    /// The keys as of now.
    pub fn keys(&self) -> ServiceKeys {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<K: Into<ServiceKeys>> From<K> for KeyRing {
    fn from(keys: K) -> Self {
        Self::new(keys.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_keys_and_comments() {
        let [one, two] = [ServiceKey::generate().unwrap(), ServiceKey::generate().unwrap()];
        let text = format!("# new since May\r\n{}\n\n  {}  \n# the end", one.to_hex(), two.to_hex());
        let keys: ServiceKeys = text.parse().unwrap();
        assert_eq!(keys.iter().collect::<Vec<_>>(), [&one, &two]);
        assert_eq!(keys.first(), &one);
        assert_eq!(one.to_hex().parse(), Ok(ServiceKeys::from(one.clone())));
        assert!(!format!("{:?}", KeyRing::new(keys)).contains(&one.to_hex()[..8]));
        let hex = one.to_hex();
        for (text, error) in [
            (String::new(), NotKeys::None),
            ("# nothing\n\n".into(), NotKeys::None),
            (format!("{hex}\n{}", &hex[1..]), NotKeys::Line(2)),
            (format!("{hex} # mine"), NotKeys::Line(1)),
            (format!("{hex}\n").repeat(KEYS_MAX + 1), NotKeys::TooMany),
        ] {
            assert_eq!(text.parse::<ServiceKeys>(), Err(error));
        }
    }
}
