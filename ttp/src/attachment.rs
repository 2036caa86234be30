//! Files that messages carry: by what they are known, what everybody is told of them, and which names they may have.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::code::{CallError, ErrorCode};
use crate::hex;
use crate::limits::{FILE_NAME_BYTES_MAX, MEDIA_TYPE_BYTES_MAX};
use crate::model::is_default;

/// SHA-256 of what is in a file: its only name for servers. Written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileHash(pub [u8; 32]);

impl FileHash {
    /// Of 64 hexadecimal digits.
    pub fn from_hex(digits: &str) -> Option<Self> {
        hex::decode(digits).map(Self)
    }
}

impl fmt::Display for FileHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for FileHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileHash({self})")
    }
}

impl Serialize for FileHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FileHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let digits = String::deserialize(deserializer)?;
        Self::from_hex(&digits).ok_or_else(|| de::Error::custom("a hash is 64 hexadecimal digits"))
    }
}

/// Bytes of a file, which travel as base 64.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct FileBytes(pub Vec<u8>);

impl fmt::Debug for FileBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileBytes({})", self.0.len())
    }
}

impl Serialize for FileBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for FileBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64_STANDARD
            .decode(text)
            .map(Self)
            .map_err(|_| de::Error::custom("bytes of a file are base 64 with padding"))
    }
}

/// A file of a message, as everybody in the chat is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// What is in it.
    pub sha256: FileHash,
    /// What the sender calls it. A name and no path; who saves it uses [`safe_file_name`] all the same.
    pub file_name: String,
    /// How long it is.
    pub bytes: u64,
    /// What it is, such as `image/png`: of images as their first bytes say, of others as the sender does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// Of an image, as its first bytes say.
    #[serde(default, skip_serializing_if = "is_default")]
    pub width: u32,
    /// The same.
    #[serde(default, skip_serializing_if = "is_default")]
    pub height: u32,
}

impl Attachment {
    /// Whether it is a picture of one of the kinds whose dimensions are read.
    pub fn is_image(&self) -> bool {
        self.width > 0 && self.height > 0
    }
}

/// Refuses names of files that are paths, empty, too long, or that do not look like what they are.
pub fn check_file_name(name: &str) -> Result<(), CallError> {
    if name.len() > FILE_NAME_BYTES_MAX {
        let message = format!("the name of a file has at most {FILE_NAME_BYTES_MAX} bytes");
        return Err(CallError::new(ErrorCode::TooLarge, message));
    }
    if name.trim().is_empty() || name == "." || name == ".." || name.chars().any(is_unfit) {
        let message =
            "the name of a file is one name without a path, control characters and changes of direction";
        return Err(CallError::new(ErrorCode::InvalidParams, message));
    }
    Ok(())
}

/// Refuses what is no media type such as `application/pdf`.
pub fn check_media_type(media_type: &str) -> Result<(), CallError> {
    let is_word = |word: &str| {
        let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
        !word.is_empty() && word.bytes().all(is_sign)
    };
    let is_type = media_type.split_once('/').is_some_and(|(kind, of)| is_word(kind) && is_word(of));
    if is_type && media_type.len() <= MEDIA_TYPE_BYTES_MAX {
        return Ok(());
    }
    let message = format!("`media_type` is such as application/pdf, of {MEDIA_TYPE_BYTES_MAX} bytes at most");
    Err(CallError::new(ErrorCode::InvalidParams, message))
}

/// The name under which a file can be saved whose name comes from somebody else: the last part of a path, without what
/// hides or disguises it. Never empty.
pub fn safe_file_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).find(|part| !part.trim().is_empty()).unwrap_or_default();
    let shown: String = last.chars().filter(|c| !is_unfit(*c)).collect();
    // A name that begins with a dot is hidden, or is the folder above.
    let mut safe = shown.trim().trim_start_matches('.').trim().to_owned();
    while safe.len() > FILE_NAME_BYTES_MAX {
        safe.pop();
    }
    if safe.is_empty() { "file".into() } else { safe }
}

/// Whether a character parts a path, or is not seen and changes how the rest is seen.
fn is_unfit(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '/' | '\\' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_in_one_way() {
        let read = |text: &str| serde_json::from_str::<FileBytes>(&format!("\"{text}\"")).ok();
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foobar", "Zm9vYmFy")] {
            let bytes = FileBytes(bytes.into());
            assert_eq!(serde_json::to_string(&bytes).unwrap(), format!("\"{text}\""));
            assert_eq!(read(text), Some(bytes));
        }
        for wrong in ["Zg", "Zg=", "Z===", "Zh==", "Zm9=", "Zg==Zg==", "Zm9v\\n", "Zm9-", "====", "éé"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_name_is_no_path() {
        for name in ["a.txt", ".profile", "фото 1.png", "C:x", "上海.pdf"] {
            assert_eq!(check_file_name(name), Ok(()), "{name}");
        }
        for name in ["", " ", ".", "..", "../a", "a/b", "a\\b", "a\nb", "a\u{202e}gpj.exe", "\u{1b}[2J"] {
            assert_eq!(check_file_name(name).unwrap_err().code, ErrorCode::InvalidParams, "{name:?}");
        }
        assert_eq!(check_file_name(&"я".repeat(128)).unwrap_err().code, ErrorCode::TooLarge);
    }

    #[test]
    fn every_name_becomes_one_that_can_be_saved() {
        for (name, safe) in [
            ("a.txt", "a.txt"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Windows\\system.ini", "system.ini"),
            ("/", "file"),
            ("..", "file"),
            (".ssh", "ssh"),
            ("a/..", "file"),
            ("x\u{202e}gpj.exe", "xgpj.exe"),
            ("a\u{0}b\n", "ab"),
        ] {
            assert_eq!(safe_file_name(name), safe, "{name:?}");
        }
        assert_eq!(safe_file_name(&"я".repeat(300)).len(), 254);
    }

    #[test]
    fn media_types_are_two_words() {
        for right in ["image/png", "application/vnd.ms-excel", "image/svg+xml"] {
            assert_eq!(check_media_type(right), Ok(()), "{right}");
        }
        for wrong in ["", "image", "/png", "image/", "a/b/c", "text/html; charset=x", "text/\u{1b}", "é/a"] {
            assert!(check_media_type(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_hash_is_read_as_it_is_written() {
        let hash = FileHash([0xab; 32]);
        let json = serde_json::to_string(&hash).unwrap();
        assert_eq!(serde_json::from_str::<FileHash>(&json).unwrap(), hash);
        assert!(serde_json::from_str::<FileHash>("\"ab\"").is_err());
    }
}
