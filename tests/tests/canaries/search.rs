//! Looking for secrets in bytes, in every form that a program could have given them.

use std::collections::{BTreeMap, HashMap};

/// What a secret is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Password,
    Token,
    Ticket,
    Code,
    ServiceKey,
    TlsKey,
    /// What somebody says in a chat.
    Text,
    /// What somebody is called.
    Name,
}

/// Where something was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    ServerLog,
    ServerFile,
    Database,
    Backup,
    /// What a command says to its user.
    Output,
    /// The same of the command whose business is to print an invitation.
    Invitation,
    Config,
    ClientFile,
    SessionFile,
    CommandLine,
    /// Of the command that is given an invitation.
    JoinCommandLine,
    Environment,
    /// What went over the wire between people and servers.
    Wire,
    /// The same between the two servers.
    Link,
}

impl Kind {
    /// Where it belongs. Everywhere else it is a leak.
    pub(crate) fn belongs(self, place: Place) -> bool {
        match self {
            Self::Password | Self::Ticket | Self::ServiceKey | Self::TlsKey => false,
            Self::Token => place == Place::SessionFile,
            Self::Code => matches!(place, Place::Invitation | Place::JoinCommandLine),
            Self::Text => matches!(place, Place::Database | Place::Backup | Place::Output),
            Self::Name => !matches!(place, Place::Wire | Place::Link),
        }
    }
}

/// Finds many secrets at once.
#[derive(Default)]
pub(crate) struct Search {
    patterns: Vec<(Kind, usize, &'static str, Vec<u8>)>,
    /// By their first bytes.
    index: HashMap<[u8; 4], Vec<usize>>,
    secrets: usize,
}

/// How often which secret was found in which form.
pub(crate) type Found = BTreeMap<(Kind, &'static str), usize>;

impl Search {
    pub(crate) fn add(&mut self, kind: Kind, secret: &[u8]) {
        assert!(secret.len() >= 4, "a secret that is so short is found everywhere");
        for (form, bytes) in forms(secret) {
            let start = bytes[..4].try_into().unwrap();
            self.index.entry(start).or_default().push(self.patterns.len());
            self.patterns.push((kind, self.secrets, form, bytes));
        }
        self.secrets += 1;
    }

    pub(crate) fn secrets(&self) -> usize {
        self.secrets
    }

    pub(crate) fn forms(&self) -> usize {
        self.patterns.len()
    }

    /// Which secrets of a kind were found somewhere in these bytes, out of how many.
    pub(crate) fn distinct(&self, kind: Kind, haystacks: &[&[u8]]) -> (usize, usize) {
        let mut all: Vec<usize> =
            self.patterns.iter().filter(|pattern| pattern.0 == kind).map(|pattern| pattern.1).collect();
        all.dedup();
        let mut met: Vec<usize> = Vec::new();
        for haystack in haystacks {
            self.each(haystack, |pattern| {
                if pattern.0 == kind {
                    met.push(pattern.1);
                }
            });
        }
        met.sort_unstable();
        met.dedup();
        (met.len(), all.len())
    }

    pub(crate) fn find(&self, haystack: &[u8]) -> Found {
        let mut found = Found::new();
        self.each(haystack, |(kind, _, form, _)| *found.entry((*kind, *form)).or_default() += 1);
        found
    }

    fn each<'a>(&'a self, haystack: &[u8], mut met: impl FnMut(&'a (Kind, usize, &'static str, Vec<u8>))) {
        let mut starts = vec![false; 1 << 16];
        for start in self.index.keys() {
            starts[usize::from(u16::from_be_bytes([start[0], start[1]]))] = true;
        }
        for place in 0..haystack.len().saturating_sub(3) {
            if !starts[usize::from(u16::from_be_bytes([haystack[place], haystack[place + 1]]))] {
                continue;
            }
            let rest = &haystack[place..];
            let start: [u8; 4] = rest[..4].try_into().unwrap();
            for pattern in self.index.get(&start).into_iter().flatten() {
                if rest.starts_with(&self.patterns[*pattern].3) {
                    met(&self.patterns[*pattern]);
                }
            }
        }
    }
}

/// A secret as it is, and as programs write bytes and texts.
fn forms(secret: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut forms = vec![("plain", secret.to_vec())];
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    forms.push(("hex", hex.to_uppercase().into_bytes()));
    forms.push(("hex", hex.into_bytes()));
    let listed: Vec<String> = secret.iter().map(u8::to_string).collect();
    forms.push(("list", listed.join(", ").into_bytes()));
    forms.push(("list", listed.join(",").into_bytes()));
    for shift in 0..3 {
        let inner = base64(&[&vec![0; shift][..], secret].concat());
        // The characters at both ends depend on what stands beside.
        let first = [0, 2, 3][shift];
        let whole = (shift + secret.len()) * 8 / 6;
        if whole >= first + 6 {
            let inner = &inner[first..whole];
            forms.push(("base64", inner.as_bytes().to_vec()));
            forms.push(("base64", inner.replace('+', "-").replace('/', "_").into_bytes()));
        }
    }
    if let Ok(text) = std::str::from_utf8(secret) {
        let json = serde_json::to_string(text).unwrap();
        forms.push(("json", json.as_bytes()[1..json.len() - 1].to_vec()));
        // JSON inside JSON, as a log of requests in JSON would have it.
        let twice = serde_json::to_string(&json[1..json.len() - 1]).unwrap();
        forms.push(("json", twice.as_bytes()[1..twice.len() - 1].to_vec()));
        forms.push(("debug", text.escape_default().to_string().into_bytes()));
        let percent: String = text
            .bytes()
            .map(|byte| match byte {
                byte if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) => {
                    char::from(byte).to_string()
                }
                byte => format!("%{byte:02X}"),
            })
            .collect();
        forms.push(("percent", percent.into_bytes()));
    }
    let mut known: Vec<Vec<u8>> = Vec::new();
    forms.retain(|(_, bytes)| {
        let is_new = bytes.len() >= 4 && !known.contains(bytes);
        known.push(bytes.clone());
        is_new
    });
    forms
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(crate) fn base64(bytes: &[u8]) -> String {
    let bits = |at: usize| (bytes.get(at / 8).copied().unwrap_or(0) >> (7 - at % 8)) & 1;
    (0..(bytes.len() * 8).div_ceil(6))
        .map(|place| (0..6).fold(0, |value, bit| value << 1 | usize::from(bits(place * 6 + bit))))
        .map(|value| char::from(ALPHABET[value]))
        .collect()
}

pub(crate) fn from_base64(text: &str) -> Vec<u8> {
    let values: Vec<usize> =
        text.bytes().filter_map(|char| ALPHABET.iter().position(|known| *known == char)).collect();
    let bit = |at: usize| values[at / 6] >> (5 - at % 6) & 1;
    (0..values.len() * 6 / 8)
        .map(|place| (0..8).fold(0, |value, part| value << 1 | bit(place * 8 + part) as u8))
        .collect()
}

/// Each form of a secret is found, wherever it stands.
#[test]
fn every_form_is_found() {
    let secret = "pw\"Zq8\\é-unlikely";
    let mut search = Search::default();
    search.add(Kind::Password, secret.as_bytes());
    assert_eq!(base64(b"any carnal pleas"), "YW55IGNhcm5hbCBwbGVhcw");
    assert_eq!(from_base64("YW55IGNhcm5hbCBwbGVhcw=="), b"any carnal pleas");
    for (form, bytes) in forms(secret.as_bytes()) {
        let around = [b"before ", &bytes[..], b" after"].concat();
        assert!(search.find(&around).contains_key(&(Kind::Password, form)), "{form}");
    }
    for shift in 0..3 {
        let coded = base64(&[&b"user:"[..shift + 2], secret.as_bytes(), b"\n and more"].concat());
        assert!(search.find(coded.as_bytes()).contains_key(&(Kind::Password, "base64")), "{shift}");
    }
    let logged = format!("{:?}", secret.as_bytes());
    assert_eq!(search.find(logged.as_bytes())[&(Kind::Password, "list")], 1);
    assert!(search.find(format!("{:?}", &secret[..12]).as_bytes()).is_empty());
}
