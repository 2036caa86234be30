//! What these tests stand on: a running server, its hints, and the other end of a connection.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bus::{Hint, Publisher};
use data_server::{Config, Error, PasswordCost, Rates, Registration, Server};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use ttp::frame::{Decoder, encode};

/// Longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What everybody's password is.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// A hash that costs nearly nothing.
pub(crate) const CHEAP: PasswordCost = PasswordCost { memory_kib: 8, passes: 1, lanes: 1 };

#[derive(Default)]
pub(crate) struct Recorder(pub(crate) Mutex<Vec<Hint>>);

impl Publisher for Recorder {
    fn publish(&self, hints: Vec<Hint>) {
        self.0.lock().unwrap().extend(hints);
    }
}

impl Recorder {
    /// The hints so far, once they are `count`.
    pub(crate) async fn hints(&self, count: usize) -> Vec<Hint> {
        let enough = async {
            loop {
                let hints = self.0.lock().unwrap().clone();
                if hints.len() >= count {
                    return hints;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(PATIENCE, enough).await.expect("the hints come")
    }
}

/// A running server on a port of its own.
pub(crate) struct House {
    pub(crate) address: SocketAddr,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) directory: Arc<dyn bus::Directory>,
    stop: Option<oneshot::Sender<()>>,
    pub(crate) served: JoinHandle<Result<(), Error>>,
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(adjust: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let recorder = Arc::new(Recorder::default());
        let mut config = Config {
            store_path: folder.path().join("talko.db"),
            broadcast_address: Some("127.0.0.1:8888".into()),
            // Each hint is heard once, unless a test wants to hear digests.
            digest_interval: Duration::from_secs(3600),
            trust_user_ids: true,
            ..Config::default()
        };
        adjust(&mut config);
        let server = Server::open(config, Arc::<Recorder>::clone(&recorder)).unwrap();
        let directory = server.directory();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(server.serve(listener, async {
            let _ = stopped.await;
        }));
        Self { address, folder, recorder, directory, stop: Some(stop), served }
    }

    /// A server that believes nobody's number, and hashes passwords cheaply.
    pub(crate) async fn strict(adjust: impl FnOnce(&mut Config)) -> Self {
        Self::with(|config| {
            config.trust_user_ids = false;
            config.password_cost = CHEAP;
            config.registration = Registration::Open;
            config.rates = Rates::OFF;
            adjust(config);
        })
        .await
    }

    /// A connection of version 2 that speaks for nobody.
    pub(crate) async fn stranger(&self) -> Peer {
        let mut peer = self.connect().await;
        peer.call("Hello", json!({"protocol": [2], "client": "test"})).await.unwrap();
        peer
    }

    /// A new account, with the connection that made it and its token.
    pub(crate) async fn register(&self, name: &str) -> (Peer, String) {
        let mut peer = self.stranger().await;
        let begun = peer.call("Register", json!({"user_name": name, "password": PASSWORD})).await.unwrap();
        (peer, begun["token"].as_str().unwrap().to_owned())
    }

    /// One more session of an account.
    pub(crate) async fn log_in(&self, name: &str) -> (Peer, Value) {
        let mut peer = self.stranger().await;
        let begun = peer.call("Login", json!({"user_name": name, "password": PASSWORD})).await.unwrap();
        (peer, begun)
    }

    pub(crate) fn store_path(&self) -> PathBuf {
        self.folder.path().join("talko.db")
    }

    pub(crate) async fn connect(&self) -> Peer {
        let stream = TcpStream::connect(self.address).await.unwrap();
        Peer { stream, decoder: Decoder::new(16 << 20), last_id: 0 }
    }

    /// A connection of version 2 that speaks for a person.
    pub(crate) async fn connect_as(&self, user_id: i64) -> Peer {
        let mut peer = self.connect().await;
        peer.call("Hello", json!({"protocol": [2], "client": "test"})).await.unwrap();
        peer.call("Authenticate", json!({"user_id": user_id})).await.unwrap();
        peer
    }

    /// People named a, b, c … with the numbers 1, 2, 3 …
    pub(crate) async fn people(&self, count: u8) {
        let mut peer = self.connect().await;
        for number in 0..count {
            let name = char::from(b'a' + number).to_string();
            let reply = peer.call("InsertUser", json!({"user_name": name})).await.unwrap();
            assert_eq!(reply["user"]["user_id"], number + 1);
        }
    }

    pub(crate) async fn stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
        tokio::time::timeout(PATIENCE, &mut self.served).await.unwrap().unwrap().unwrap();
    }
}

/// The other end of a connection, byte by byte.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    pub(crate) decoder: Decoder,
    pub(crate) last_id: u64,
}

impl Peer {
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    pub(crate) async fn send(&mut self, payload: &str) {
        self.write(&encode(payload.as_bytes())).await;
    }

    /// The next payload as text; `None` when the server has closed.
    pub(crate) async fn read(&mut self) -> Option<String> {
        let next = async {
            loop {
                if let Some(payload) = self.decoder.next_payload().unwrap() {
                    return Some(String::from_utf8(payload.to_vec()).unwrap());
                }
                if self.stream.read_buf(self.decoder.buffer()).await.unwrap() == 0 {
                    assert!(self.decoder.is_between_frames());
                    return None;
                }
            }
        };
        tokio::time::timeout(PATIENCE, next).await.expect("an answer or an end comes")
    }

    pub(crate) async fn read_json(&mut self) -> Value {
        serde_json::from_str(&self.read().await.expect("an answer comes")).unwrap()
    }

    /// One request and its reply: the result, or the number of the error.
    pub(crate) async fn call(&mut self, method: &str, params: Value) -> Result<Value, i64> {
        self.ask(method, params).await.map_err(|error| error["code"].as_i64().unwrap())
    }

    /// The same, with all of the error.
    pub(crate) async fn ask(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        self.last_id += 1;
        let id = self.last_id;
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params, "id": id}).to_string()).await;
        let mut reply = self.read_json().await;
        assert_eq!(reply["jsonrpc"], "2.0");
        assert_eq!(reply["id"], id);
        if reply["error"].is_object() { Err(reply["error"].take()) } else { Ok(reply["result"].take()) }
    }

    pub(crate) async fn error_of(&mut self, payload: &str) -> (i64, Value) {
        self.send(payload).await;
        let reply = self.read_json().await;
        (reply["error"]["code"].as_i64().unwrap(), reply["id"].clone())
    }
}
