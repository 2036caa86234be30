//! What the tests share: servers that answer by the method's name, a gateway in front of them, and raw peers.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gateway::{Config, Error, Server};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use ttp::code::{CallError, ErrorCode};
use ttp::exchange::Exchange;
use ttp::frame::encode;
use ttp::limits::FRAME_BYTES_MAX;
use ttp::net::connection::FramedConnection;
use ttp::net::serve::ServeCounters;

/// No wait in a test is longer.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) async fn within<T>(wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, wait).await.expect("within the deadline")
}

/// The push that follows the answer to `OpenStreamRequest`.
pub(crate) const PUSH: &str = r#"{"jsonrpc":"2.0","method":"Event","params":{"chat_id":17}}"#;

/// A server that answers each method with `{"NAME": params}`, but for these: `Refuse` with an error, `Leave` by
/// closing, `Authenticate` with an error unless the token is `tlk_good`, `Wait` only when released, `Long` with as many bytes as its param says; `OpenStreamRequest` is followed
/// by a push.
pub(crate) struct Pretender {
    pub(crate) address: SocketAddr,
    pub(crate) released: Arc<Notify>,
    /// Makes it close a connection.
    pub(crate) leave: Arc<Notify>,
    heard: mpsc::UnboundedReceiver<String>,
}

impl Pretender {
    pub(crate) async fn start(name: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, heard) = mpsc::unbounded_channel();
        let (released, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (release, left) = (Arc::clone(&released), Arc::clone(&leave));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let conversation = pretend(name, stream, tell.clone(), Arc::clone(&release));
                let left = Arc::clone(&left);
                tokio::spawn(async move {
                    tokio::select! {
                        () = conversation => {}
                        () = left.notified() => {}
                    }
                });
            }
        });
        Self { address, released, leave, heard }
    }

    /// The next method that was called.
    pub(crate) async fn hears(&mut self) -> String {
        within(self.heard.recv()).await.unwrap()
    }

    pub(crate) fn heard_nothing_more(&mut self) -> bool {
        self.heard.try_recv().is_err()
    }
}

async fn pretend(
    name: &'static str,
    stream: TcpStream,
    tell: mpsc::UnboundedSender<String>,
    release: Arc<Notify>,
) {
    let mut connection = FramedConnection::new(stream, FRAME_BYTES_MAX);
    let mut exchange = Exchange::default();
    while let Ok(Some(payload)) = connection.next_payload().await {
        let mut out = Vec::new();
        for call in exchange.accept(&payload, &mut out) {
            let method = call.request.method.into_owned();
            let params = call.request.params;
            let _ = tell.send(method.clone());
            let outcome = match method.as_str() {
                "Refuse" => Err(CallError::new(ErrorCode::NotFound, "there is none")),
                "Leave" => return,
                "Authenticate" if !params.unwrap().get().contains("\"tlk_good\"") => {
                    Err(CallError::new(ErrorCode::Unauthenticated, "this session has ended"))
                }
                "Long" => {
                    let [bytes]: [usize; 1] = serde_json::from_str(params.unwrap().get()).unwrap();
                    Ok(to_raw_value(&"x".repeat(bytes)).unwrap())
                }
                _ => Ok(to_raw_value(&json!({ name: params })).unwrap()),
            };
            if method == "Wait" {
                release.notified().await;
            }
            exchange.complete(call.slot, outcome, &mut out);
            if method == "OpenStreamRequest" {
                out.extend(encode(PUSH.as_bytes()));
            }
        }
        if connection.write_frames(&out).await.is_err() {
            return;
        }
    }
}

/// A gateway in front of two pretenders.
pub(crate) struct Stage {
    pub(crate) data: Pretender,
    pub(crate) broadcast: Pretender,
    pub(crate) address: SocketAddr,
    pub(crate) counters: Arc<ServeCounters>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<Result<(), Error>>,
}

impl Stage {
    pub(crate) async fn set() -> Self {
        Self::set_with(|_| {}).await
    }

    pub(crate) async fn set_with(change: impl FnOnce(&mut Config)) -> Self {
        let (data, broadcast) = (Pretender::start("data").await, Pretender::start("broadcast").await);
        let mut config = Config::new(data.address, broadcast.address);
        change(&mut config);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::open(config);
        let counters = server.counters();
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(server.serve(listener, async {
            let _ = stopped.await;
        }));
        Self { data, broadcast, address, counters, stop, served }
    }

    /// Begins to stop the gateway; the handle ends when it has stopped.
    pub(crate) fn stop(self) -> (Pretender, JoinHandle<Result<(), Error>>) {
        self.stop.send(()).unwrap();
        (self.data, self.served)
    }

    /// Posts a payload as a program does.
    pub(crate) async fn post(&self, payload: &str) -> Answer {
        self.post_with("", payload).await
    }

    /// Posts a payload with more header lines, each ended by a line end.
    pub(crate) async fn post_with(&self, lines: &str, payload: &str) -> Answer {
        let lines = format!("Content-Type: application/json\r\n{lines}");
        self.request("POST /rpc", &self.address.to_string(), &lines, payload).await
    }

    pub(crate) async fn request(&self, what: &str, host: &str, lines: &str, body: &str) -> Answer {
        let length = body.len();
        let request = format!(
            "{what} HTTP/1.1\r\nHost: {host}\r\n{lines}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        within(stream.write_all(request.as_bytes())).await.unwrap();
        Answer::read(stream).await
    }

    /// Opens a WebSocket as a page of the gateway's own does.
    pub(crate) async fn web_socket(&self) -> WebSocketStream<TcpStream> {
        let mut request = format!("ws://{}/ws", self.address).into_client_request().unwrap();
        let own = format!("http://{}", self.address);
        request.headers_mut().insert("Origin", own.parse().unwrap());
        let stream = TcpStream::connect(self.address).await.unwrap();
        let opened = within(tokio_tungstenite::client_async(request, stream)).await;
        opened.unwrap().0
    }
}

/// An HTTP response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// Reads until the gateway closes.
    pub(crate) async fn read(mut stream: TcpStream) -> Self {
        let mut text = String::new();
        within(stream.read_to_string(&mut text)).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no response: {text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_lowercase(), body: body.into() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }
}
