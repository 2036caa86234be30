//! `talko call`: any method with any params, and its raw result; and `talko ping`, which asks both servers.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use serde_json::value::RawValue;
use tokio::net::TcpStream;
use ttp::call::{Call, Hello, Ping, Welcome};
use ttp::frame::encode_with;
use ttp::net::connection::{FramedConnection, ReadError};
use ttp::net::{address, socket};
use ttp::rpc::{ServerMessage, write_request};

use crate::failure::Misuse;
use crate::output::say_json;
use crate::person;
use crate::settings::Settings;

/// Longest wait for a connection or a reply.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Longest reply that is read.
const REPLY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Calls, as the person of the settings if there is one, and prints the result.
pub(crate) async fn run(
    method: &str,
    params: &str,
    broadcast: bool,
    settings: &Settings,
) -> anyhow::Result<()> {
    let params: &RawValue =
        serde_json::from_str(params).map_err(|error| Misuse(format!("the params are not JSON: {error}")))?;
    let server = if broadcast { &settings.broadcast_address } else { &settings.data_address };
    let mut connection = Connection::open(&server.value).await?;
    if let (Some(name), false) = (&settings.user.value, broadcast) {
        let client = person::connect(settings).await?;
        let user_id = person::become_person(&client, name).await?.user_id;
        connection
            .call("Authenticate", &ttp::call::Authenticate { user_id: Some(user_id), token: None })
            .await?;
    }
    say_json(&connection.call(method, params).await?)
}

/// Succeeds when both servers answer.
pub(crate) async fn ping(settings: &Settings) -> anyhow::Result<()> {
    for server in [&settings.data_address.value, &settings.broadcast_address.value] {
        Connection::open(server).await?.call(Ping::METHOD, &Ping {}).await?;
    }
    Ok(())
}

/// The life of the database behind the data-server that runs.
pub(crate) async fn epoch(settings: &Settings) -> anyhow::Result<Option<String>> {
    let connection = Connection::open(&settings.data_address.value).await?;
    Ok(connection.welcome.and_then(|welcome| welcome.epoch))
}

/// One connection on which calls take turns.
struct Connection {
    server: String,
    welcome: Option<Welcome>,
    frames: FramedConnection<TcpStream>,
    calls: u64,
}

impl Connection {
    async fn open(server: &str) -> anyhow::Result<Self> {
        let connected = match address::resolve(server).await {
            Ok(address) => socket::connect(address, TIMEOUT).await,
            Err(error) => Err(error),
        };
        let stream = connected.map_err(|error| client_lib::Error::Connect {
            address: server.to_owned(),
            source: Arc::new(error),
        })?;
        let frames = FramedConnection::new(stream, REPLY_BYTES_MAX);
        let mut connection = Self { server: server.to_owned(), welcome: None, frames, calls: 0 };
        let welcome = connection.call(Hello::METHOD, &Hello::from_client("talko call")).await?;
        connection.welcome = serde_json::from_str(&welcome).ok();
        Ok(connection)
    }

    async fn call<P: serde::Serialize + ?Sized>(
        &mut self,
        method: &str,
        params: &P,
    ) -> anyhow::Result<String> {
        // The name goes into the request as it is, so it must need no escapes.
        if !method.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.') {
            return Err(Misuse(format!("`{method}` is not the name of a method")).into());
        }
        self.calls += 1;
        let mut frame = Vec::new();
        encode_with(&mut frame, |out| write_request(out, Some(self.calls), method, params))?;
        self.frames.write_frames(&frame).await?;
        let payload = tokio::time::timeout(TIMEOUT, self.frames.next_payload())
            .await
            .map_err(|_| client_lib::Error::Timeout { after: TIMEOUT })?
            .map_err(|error| match error {
                ReadError::Frame(_) => anyhow!("{} does not answer like a Talko server", self.server),
                error => error.into(),
            })?
            .ok_or_else(|| anyhow!("the server closed the connection without an answer"))?;
        let reply: ServerMessage<'_> =
            serde_json::from_slice(&payload).context("the answer is not JSON-RPC")?;
        if let Some(error) = reply.error {
            return Err(client_lib::Error::Call(error).into());
        }
        Ok(reply.result.map_or("null", RawValue::get).to_owned())
    }
}
