//! A person who speaks over a plain socket, without any runtime.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use ttp::frame::{Decoder, encode};
use ttp::limits::FRAME_BYTES_MAX;

use crate::DEADLINE;

/// Person 1 of a town, who speaks in chat 1.
pub struct Speaker {
    stream: TcpStream,
    decoder: Decoder,
}

impl Speaker {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut speaker = Self { stream, decoder: Decoder::new(FRAME_BYTES_MAX) };
        speaker.request("Hello", r#"{"protocol":[2]}"#);
        speaker.payload();
        speaker.request("Authenticate", r#"{"user_id":1}"#);
        speaker.payload();
        speaker
    }

    /// The number of the entry that this becomes.
    pub fn say(&mut self, text: &str) -> u64 {
        self.ask(text);
        self.answer()
    }

    /// Says something without waiting for the answer.
    pub fn ask(&mut self, text: &str) {
        self.request("InsertMessage", &format!(r#"{{"chat_id":1,"message_text":"{text}"}}"#));
    }

    /// The next answer: the number of an entry.
    pub fn answer(&mut self) -> u64 {
        let payload = self.payload();
        let reply: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        reply["result"]["message"]["seq"].as_u64().unwrap_or_else(|| panic!("not stored: {reply}"))
    }

    fn request(&mut self, method: &str, params: &str) {
        let request = format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params},"id":1}}"#);
        self.stream.write_all(&encode(request.as_bytes())).unwrap();
    }

    fn payload(&mut self) -> Vec<u8> {
        let mut buffer = [0; 16 * 1024];
        loop {
            if let Some(payload) = self.decoder.next_payload().unwrap() {
                return payload.to_vec();
            }
            let received = self.stream.read(&mut buffer).unwrap();
            assert!(received > 0, "the server closed");
            self.decoder.push(&buffer[..received]);
        }
    }
}
