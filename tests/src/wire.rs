//! A peer that speaks raw frames, so that tests say byte by byte what goes over the wire.

use std::net::{IpAddr, SocketAddr};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use ttp::frame::{Decoder, encode};

use crate::within;

/// Longest reply that a test expects.
const REPLY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// One TCP connection.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    decoder: Decoder,
}

impl Wire {
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = within("connecting", TcpStream::connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, decoder: Decoder::new(REPLY_BYTES_MAX) }
    }

    /// The same from another address of this machine, as another one would come.
    pub async fn connect_from(source: IpAddr, address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((source, 0).into()).unwrap();
        let stream = within("connecting", socket.connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, decoder: Decoder::new(REPLY_BYTES_MAX) }
    }

    /// Sends bytes as they are, and whether the server still takes them.
    pub async fn tries_to_send(&mut self, bytes: &[u8]) -> bool {
        within("sending", self.stream.write_all(bytes)).await.is_ok()
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: &[u8]) {
        within("sending", self.stream.write_all(bytes)).await.unwrap();
    }

    /// Sends a payload as a frame.
    pub async fn send_payload(&mut self, payload: &str) {
        self.send(&encode(payload.as_bytes())).await;
    }

    /// Says that nothing more will be sent.
    pub async fn finish(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// The next payload as bytes; `None` when the server closed.
    pub async fn receive_payload(&mut self) -> Option<Vec<u8>> {
        within("a reply", async {
            loop {
                if let Some(payload) = self.decoder.next_payload().expect("the server sends frames") {
                    return Some(payload.to_vec());
                }
                match self.stream.read_buf(self.decoder.buffer()).await {
                    Ok(0) | Err(_) => return None,
                    Ok(_) => {}
                }
            }
        })
        .await
    }

    /// The next payload as text.
    pub async fn receive_text(&mut self) -> String {
        String::from_utf8(self.receive_payload().await.expect("the server closed")).unwrap()
    }

    /// The next payload as JSON.
    pub async fn receive(&mut self) -> Value {
        serde_json::from_str(&self.receive_text().await).unwrap()
    }

    /// A call in version 1, with its result or error.
    pub async fn call(&mut self, method: &str, params: Value) -> Value {
        let request = json!({"jsonrpc": "2.0", "method": method, "params": params, "id": 1});
        self.send_payload(&request.to_string()).await;
        self.receive().await
    }

    /// The result of a call that must succeed.
    pub async fn result(&mut self, method: &str, params: Value) -> Value {
        let reply = self.call(method, params).await;
        assert!(reply.get("error").is_none(), "{method} was refused: {reply}");
        reply["result"].clone()
    }

    /// The code of a call that must be refused.
    pub async fn refusal(&mut self, method: &str, params: Value) -> i64 {
        let reply = self.call(method, params).await;
        reply["error"]["code"].as_i64().unwrap_or_else(|| panic!("{method} was not refused: {reply}"))
    }

    /// Whether the server has closed, once everything it sent was read.
    pub async fn is_closed(&mut self) -> bool {
        self.receive_payload().await.is_none()
    }
}
