//! Invitation links: all that a new person needs in one text, `talko://HOST:PORT/CODE?key=sha256:…`.
//!
//! The key's fingerprint closes the hole of first use: whoever comes by a link knows the server's key before it connects.

use std::fmt;
use std::str::FromStr;

use crate::secret::Secret;

const SCHEME: &str = "talko://";
const KEY: &str = "?key=";

/// Characters of a code.
const CODE_CHARS_MAX: usize = 128;

/// What a link says. It is printed with `Display`, and only on purpose: `Debug` keeps the code secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvitationLink {
    /// `HOST:PORT` of the data-server.
    pub address: String,
    /// What the new person shows when it registers.
    pub code: Secret,
    /// The fingerprint of the server's key, where it speaks TLS.
    pub fingerprint: Option<String>,
}

/// Why a text is not a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an invitation looks like talko://HOST:PORT/CODE?key=sha256:…; copy the whole of it")]
pub struct NotALink;

impl fmt::Display for InvitationLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.address, self.code.expose())?;
        self.fingerprint.as_ref().map_or(Ok(()), |key| write!(f, "{KEY}{key}"))
    }
}

impl FromStr for InvitationLink {
    type Err = NotALink;

    fn from_str(text: &str) -> Result<Self, NotALink> {
        let (address, rest) =
            text.trim().strip_prefix(SCHEME).and_then(|rest| rest.split_once('/')).ok_or(NotALink)?;
        let (code, fingerprint) = match rest.split_once(KEY) {
            Some((code, key)) => (code, Some(key)),
            None => (rest, None),
        };
        let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        let has_port = address
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok() && is_plain(address));
        let is_code = (1..=CODE_CHARS_MAX).contains(&code.len())
            && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !has_port || !is_code || !fingerprint.is_none_or(|key| key.starts_with("sha256:") && is_plain(key))
        {
            return Err(NotALink);
        }
        Ok(Self {
            address: address.into(),
            code: Secret::new(code),
            fingerprint: fingerprint.map(Into::into),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_read_back() {
        for text in ["talko://chat.example.org:8889/a1B2", "talko://[::1]:8889/a1?key=sha256:00ff"] {
            let link: InvitationLink = text.parse().unwrap();
            assert_eq!(link.to_string(), text);
            assert!(!format!("{link:?}").contains("a1"), "{link:?}");
        }
        for wrong in [
            "",
            "talko://",
            "talko://host/code",
            "talko://:1/code",
            "talko://host:1/",
            "talko://host:1/co de",
            "talko://host:1/code?key=md5:00",
            "http://host:1/code",
        ] {
            assert_eq!(wrong.parse::<InvitationLink>(), Err(NotALink), "{wrong}");
        }
    }
}
