//! The other end of a connection to the server: raw frames, over TCP or TLS.

#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde_json::{Value, json};
use ttp::frame::{Decoder, encode};

use crate::stage::PATIENCE;

/// The other end of a connection.
pub(crate) struct Client {
    pub(crate) stream: Wire,
    decoder: Decoder,
}

/// What a client speaks over.
pub(crate) enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Wire {
    pub(crate) fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => &stream.sock,
        }
    }

    pub(crate) fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.tcp().local_addr()
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

impl Client {
    /// The same after a handshake.
    pub(crate) fn over_tls(stream: TcpStream, config: &Arc<ClientConfig>) -> Self {
        Self::over_tls_saying(stream, config, &[])
    }

    pub(crate) fn over_tls_saying(mut stream: TcpStream, config: &Arc<ClientConfig>, bytes: &[u8]) -> Self {
        let name = ServerName::try_from("localhost").unwrap();
        let mut session = ClientConnection::new(Arc::clone(config), name).unwrap();
        session.writer().write_all(bytes).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        while session.is_handshaking() {
            session.complete_io(&mut stream).unwrap();
        }
        Self {
            stream: Wire::Tls(Box::new(StreamOwned::new(session, stream))),
            decoder: Decoder::new(1 << 24),
        }
    }

    pub(crate) fn is_tls(&self) -> bool {
        matches!(self.stream, Wire::Tls(_))
    }

    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream: Wire::Plain(stream), decoder: Decoder::new(1 << 24) }
    }

    pub(crate) fn send(&mut self, method: &str, params: Value) {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        self.send_payload(request.to_string().as_bytes());
    }

    pub(crate) fn send_payload(&mut self, payload: &[u8]) {
        self.stream.write_all(&encode(payload)).unwrap();
    }

    /// The reply to a request, which must be what comes next.
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Value {
        self.send(method, params);
        let said = self.next();
        assert!(said.get("method").is_none(), "{said} came before the reply to {method}");
        said
    }

    /// The next payload as it came.
    pub(crate) fn next_payload(&mut self) -> Vec<u8> {
        self.read().expect("the server closed the connection")
    }

    /// The next payload as JSON.
    pub(crate) fn next(&mut self) -> Value {
        serde_json::from_slice(&self.next_payload()).unwrap()
    }

    /// The `seq` of the next event, which must be one.
    pub(crate) fn next_event(&mut self) -> (i64, u64) {
        let push = self.next();
        assert_eq!(push["method"], "Event", "{push}");
        let params = &push["params"];
        (params["chat_id"].as_i64().unwrap(), params["seq"].as_u64().unwrap())
    }

    /// Whether the server closes now, with nothing more to say.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.read().is_none()
    }

    fn read(&mut self) -> Option<Vec<u8>> {
        let mut buffer = [0; 64 * 1024];
        loop {
            if let Some(payload) = self.decoder.next_payload().unwrap() {
                return Some(payload.to_vec());
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => {
                    assert!(self.decoder.is_between_frames(), "closed in the middle of a frame");
                    return None;
                }
                Ok(count) => self.decoder.push(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                // TLS without a farewell: nobody was expected to hear it.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return None,
                Err(error) => panic!("no answer: {error}"),
            }
        }
    }
}
