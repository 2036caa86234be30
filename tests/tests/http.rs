//! Accounts through the gateway, as programs and attackers on other machines find them: a token in a header, TLS between
//! the gateway and the servers, and addresses that the servers are told of.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::time::Duration;

use data_server::Registration;
use serde_json::{Value, json};
use tests::{Form, Installation, Setup, until, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use ttp::frame::encode;
use ttp::limits::FRAME_BYTES_MAX;
use ttp::net::connection::FramedConnection;
use ttp::net::forwarded::Forwarded;
use ttp::net::serve::Protection;
use ttp::net::socket;
use ttp::net::tls::server::{ServerTls, TlsFiles};

/// Servers that ask who is there, and a gateway in front of them.
struct House {
    installation: Installation,
    gateway: SocketAddr,
    stop: CancellationToken,
}

impl House {
    async fn open(protection: Protection, believed: Protection, registration: Registration) -> Self {
        let forwarded = Forwarded::default();
        let mut setup = Setup::default();
        setup.data.trust_user_ids = false;
        setup.data.registration = registration;
        setup.data.protection = protection;
        setup.data.connections_per_address_max = 2;
        setup.data.forwarded = forwarded.clone();
        setup.broadcast.forwarded = forwarded.clone();
        let installation = Installation::start_with(Form::Together, setup).await;
        // Every address of this machine: where the gateway connects to is for it to find out.
        let data_address = SocketAddr::new("0.0.0.0".parse().unwrap(), installation.data_address.port());
        let config = gateway::Config {
            data_protection: believed,
            forwarded: Some(forwarded),
            // For a name that is not this machine's.
            protection: Protection::Plaintext,
            ..gateway::Config::new(data_address, installation.broadcast_address)
        };
        let listener = socket::listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let gateway = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let served = gateway::Server::open(config).serve(listener, stop.clone().cancelled_owned());
        tokio::spawn(async { served.await.unwrap() });
        Self { installation, gateway, stop }
    }

    async fn close(self) {
        self.stop.cancel();
        self.installation.stop().await;
    }

    async fn connect_directly(&self) -> TcpStream {
        let before = self.installation.data_counters.open();
        let stream = TcpStream::connect(self.installation.data_address).await.unwrap();
        until("a place is taken", async || self.installation.data_counters.open() > before).await;
        stream
    }

    /// Posts a call with these header lines; the status, and the reply.
    async fn post(&self, lines: &str, method: &str, params: Value) -> (u16, Value) {
        let body = json!({"jsonrpc": "2.0", "method": method, "params": params, "id": 1}).to_string();
        let request = format!(
            "POST /rpc HTTP/1.1\r\nHost: chat.example.org\r\nContent-Type: application/json\r\n{lines}\
             Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(self.gateway).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        within("the answer", stream.read_to_string(&mut answer)).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), serde_json::from_str(body).unwrap())
    }
}

const VERSION_2: &str = "Talko-Version: 2\r\n";

async fn an_account_lives(house: House) {
    // Others of this machine have all the places that one address may have. The gateway's peers are not of them.
    let _full = [house.connect_directly().await, house.connect_directly().await];
    let params = json!({"user_name": "Ada", "password": "correct horse", "device": "curl"});
    let (status, refused) = house.post("", "Register", params.clone()).await;
    assert_eq!((status, &refused["error"]["code"]), (401, &json!(-32001)), "{refused}");
    let (status, begun) = house.post(VERSION_2, "Register", params).await;
    assert_eq!(status, 200, "{begun}");
    let token = begun["result"]["token"].as_str().unwrap();
    let bearer = format!("Authorization: Bearer {token}\r\n");

    let chat = json!({"chat_name": "lunch", "user_ids": [begun["result"]["user"]["user_id"]]});
    let (status, created) = house.post(&bearer, "InsertChat", chat).await;
    assert_eq!(status, 200, "{created}");
    let (status, chats) = house.post(&bearer, "GetChats", json!({})).await;
    assert_eq!((status, &chats["result"]["chats"][0]["chat_name"]), (200, &json!("lunch")), "{chats}");
    let (status, refused) = house.post(VERSION_2, "GetChats", json!({})).await;
    assert_eq!((status, &refused["error"]["code"]), (401, &json!(-32001)));

    let session_id = &begun["result"]["session_id"];
    let (status, _) = house.post(&bearer, "RevokeSession", json!({"session_id": session_id})).await;
    assert_eq!(status, 200);
    let (status, refused) = house.post(&bearer, "GetChats", json!({})).await;
    assert_eq!((status, &refused["error"]["code"]), (401, &json!(-32001)), "{refused}");
    house.close().await;
}

/// T45: from the first password to the end of the session, with nothing but HTTP.
#[tokio::test(flavor = "multi_thread")]
async fn t45_an_account_lives_over_http() {
    let house = House::open(Protection::Loopback, Protection::Loopback, Registration::Open).await;
    an_account_lives(house).await;
}

fn tls(folder: &tempfile::TempDir) -> ServerTls {
    let files = TlsFiles { certificate: folder.path().join("tls.crt"), key: folder.path().join("tls.key") };
    ServerTls::open(files, &["chat.example.org".into()]).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn t45_the_gateway_speaks_tls_with_the_servers() {
    let folder = tempfile::tempdir().unwrap();
    let own = tls(&folder);
    let house = House::open(Protection::Tls(own.clone()), Protection::Tls(own), Registration::Open).await;
    an_account_lives(house).await;
}

/// Whoever took the servers' port hears nothing of what is said to them.
#[tokio::test(flavor = "multi_thread")]
async fn another_key_is_not_believed() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (own, other) = (Protection::Tls(tls(&folder)), Protection::Tls(tls(&other)));
    let house = House::open(other, own, Registration::Open).await;
    let params = json!({"user_name": "Ada", "password": "correct horse"});
    let (status, reply) = house.post(VERSION_2, "Register", params).await;
    assert_eq!((status, &reply["error"]["code"]), (502, &json!(-32053)), "{reply}");
    house.close().await;
}

/// Whoever comes from this machine may make the first account of a server. Whoever comes through its gateway may not,
/// unless that peer is of this machine; and not by going away before the server has looked.
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_behind_the_gateway_is_not_of_this_machine() {
    let (forwarded, mut setup) = (Forwarded::default(), Setup::default());
    setup.data.trust_user_ids = false;
    setup.data.registration = Registration::Closed;
    setup.data.forwarded = forwarded.clone();
    let installation = Installation::start_with(Form::Together, setup).await;
    let register = async |stream: TcpStream| {
        let mut connection = FramedConnection::new(stream, FRAME_BYTES_MAX);
        let mut frames = encode(br#"{"jsonrpc":"2.0","method":"Hello","params":{"protocol":[2]},"id":1}"#);
        frames.extend(encode(
            br#"{"jsonrpc":"2.0","method":"Register","params":{"user_name":"Eve","password":"correct horse"},"id":2}"#,
        ));
        connection.write_frames(&frames).await.unwrap();
        let _welcome = within("the welcome", connection.next_payload()).await.unwrap().unwrap();
        let reply = within("the reply", connection.next_payload()).await.unwrap().unwrap();
        serde_json::from_slice::<Value>(&reply).unwrap()
    };
    let origin = "203.0.113.7:4711".parse().unwrap();
    let stranger =
        forwarded.connect(installation.data_address, origin, Duration::from_secs(20)).await.unwrap();
    let refused = register(stranger).await;
    assert_eq!(refused["error"]["code"], -32003, "{refused}");
    let local = TcpStream::connect(installation.data_address).await.unwrap();
    let begun = register(local).await;
    assert_eq!(begun["result"]["server_role"], "owner", "{begun}");
    installation.stop().await;
}
