//! The headers of one peer's TLS 1.3 records. The session does not authenticate their type and version, so here they are
//! held to the only values that a peer may say (RFC 8446, 5.1, 5.2 and D.4).
//!
//! First come hellos, one or two: handshake records, with at most one change_cipher_spec record after the first, and an
//! alert if it fails. Then there is ciphertext: application_data records alone, to the end. A record that is encrypted
//! must not pass for one that is not, so before that every handshake record must belong to a hello.
//!
//! What is illegal is not reported here. From that byte on the session is given [`NO_RECORD`] for ever, which it refuses
//! by itself: with an alert to the peer, so that both ends know, and nothing of it is heard.

use std::io;

/// What is read in the place of everything from the first illegal byte on. No type, no version and no length has it.
pub const NO_RECORD: u8 = 0xff;

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;

/// Type, version, length.
const HEADER_BYTES: u8 = 5;
/// Type and length of a handshake message.
const MESSAGE_HEADER_BYTES: u8 = 4;

const PLAINTEXT_BYTES_MAX: u16 = 1 << 14;
const CIPHERTEXT_BYTES_MAX: u16 = PLAINTEXT_BYTES_MAX + 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The first hello is not complete.
    Opening,
    /// A second one may follow, or ciphertext.
    Hellos,
    Ciphertext,
    Refused,
}

/// Follows the records that one peer sends, from the first byte on. Keeps no more than the header that is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordHeaders {
    phase: Phase,
    /// The message that this peer begins with.
    hello: u8,
    is_cipher_changed: bool,
    /// A record's header, and a hello's if the record begins with one.
    header: [u8; (HEADER_BYTES + MESSAGE_HEADER_BYTES) as usize],
    header_bytes: u8,
    /// What is to come of the record's body.
    body_bytes: u16,
    /// What is to come of the hello in later records.
    hello_bytes: u32,
}

impl RecordHeaders {
    /// Of what a client sends.
    pub fn of_client() -> Self {
        Self::new(CLIENT_HELLO)
    }

    /// Of what a server sends.
    pub fn of_server() -> Self {
        Self::new(SERVER_HELLO)
    }

    fn new(hello: u8) -> Self {
        Self {
            phase: Phase::Opening,
            hello,
            is_cipher_changed: false,
            header: Default::default(),
            header_bytes: 0,
            body_bytes: 0,
            hello_bytes: 0,
        }
    }

    /// Whether an illegal header came.
    pub fn is_refused(&self) -> bool {
        self.phase == Phase::Refused
    }

    /// Fills a part of `buffer` with what the session may read: what the peer said, or [`NO_RECORD`].
    ///
    /// # Errors
    /// Those of `read`.
    pub fn read(
        &mut self,
        buffer: &mut [u8],
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let count = if self.is_refused() { buffer.len() } else { read(buffer)? };
        self.check(&mut buffer[..count]);
        Ok(count)
    }

    /// Goes on with these bytes, and overwrites those that the session must not read.
    pub fn check(&mut self, mut bytes: &mut [u8]) {
        while !self.is_refused() && !bytes.is_empty() {
            let count = if self.body_bytes > 0 {
                let count = bytes.len().min(self.body_bytes.into());
                self.body_bytes -= u16::try_from(count).unwrap_or(self.body_bytes);
                count
            } else if self.is_legal(bytes[0]) {
                self.take(bytes[0]);
                1
            } else {
                self.phase = Phase::Refused;
                0
            };
            bytes = &mut bytes[count..];
        }
        if self.is_refused() {
            bytes.fill(NO_RECORD);
        }
    }

    /// Whether this may be the next byte of a header.
    fn is_legal(&self, byte: u8) -> bool {
        match self.header_bytes {
            0 => self.is_legal_kind(byte),
            1 => byte == 3,
            2 => self.is_legal_minor_version(byte),
            3 => true,
            4 => self.is_legal_length(u16::from_be_bytes([self.header[3], byte])),
            5 => byte == self.hello,
            // No hello is longer than two bytes tell, and the session takes none.
            6 => byte == 0,
            7 => true,
            _ => {
                // Only the answer of a server that does not speak TLS 1.3 has more than a hello in the record, and to
                // tell what it is, is up to the session.
                let hello_bytes = u32::from_be_bytes([0, self.header[6], self.header[7], byte]);
                self.phase == Phase::Opening || hello_bytes >= u32::from(self.body_bytes_of_hello())
            }
        }
    }

    fn is_legal_kind(&self, kind: u8) -> bool {
        match self.phase {
            Phase::Ciphertext => kind == APPLICATION_DATA,
            Phase::Hellos if self.hello_bytes == 0 => match kind {
                CHANGE_CIPHER_SPEC => !self.is_cipher_changed,
                _ => matches!(kind, ALERT | HANDSHAKE | APPLICATION_DATA),
            },
            Phase::Opening | Phase::Hellos => matches!(kind, ALERT | HANDSHAKE),
            Phase::Refused => false,
        }
    }

    fn is_legal_minor_version(&self, minor: u8) -> bool {
        match self.header[0] {
            // It ends the connection, and says more of why than its version: older servers send it too.
            ALERT => true,
            HANDSHAKE if self.phase == Phase::Opening && self.hello == CLIENT_HELLO => matches!(minor, 1 | 3),
            _ => minor == 3,
        }
    }

    fn is_legal_length(&self, length: u16) -> bool {
        match self.header[0] {
            CHANGE_CIPHER_SPEC => length == 1,
            ALERT => length == 2,
            APPLICATION_DATA => length <= CIPHERTEXT_BYTES_MAX,
            _ if self.hello_bytes > 0 => {
                (1..=PLAINTEXT_BYTES_MAX).contains(&length) && u32::from(length) <= self.hello_bytes
            }
            _ => (MESSAGE_HEADER_BYTES.into()..=PLAINTEXT_BYTES_MAX).contains(&length),
        }
    }

    fn take(&mut self, byte: u8) {
        self.header[usize::from(self.header_bytes)] = byte;
        self.header_bytes += 1;
        let opens_hello = self.header[0] == HANDSHAKE && self.hello_bytes == 0;
        let whole = if opens_hello { HEADER_BYTES + MESSAGE_HEADER_BYTES } else { HEADER_BYTES };
        if self.header_bytes < whole {
            return;
        }
        self.header_bytes = 0;
        self.body_bytes = self.length();
        match self.header[0] {
            CHANGE_CIPHER_SPEC => self.is_cipher_changed = true,
            APPLICATION_DATA => self.phase = Phase::Ciphertext,
            HANDSHAKE => {
                if opens_hello {
                    self.body_bytes = self.body_bytes_of_hello();
                    self.hello_bytes =
                        u32::from_be_bytes([0, self.header[6], self.header[7], self.header[8]]);
                }
                self.hello_bytes = self.hello_bytes.saturating_sub(self.body_bytes.into());
                if self.hello_bytes == 0 {
                    self.phase = Phase::Hellos;
                }
            }
            _ => {}
        }
    }

    fn length(&self) -> u16 {
        u16::from_be_bytes([self.header[3], self.header[4]])
    }

    /// What follows a hello's own header in its first record.
    fn body_bytes_of_hello(&self) -> u16 {
        self.length() - u16::from(MESSAGE_HEADER_BYTES)
    }
}

#[cfg(test)]
mod tests;
