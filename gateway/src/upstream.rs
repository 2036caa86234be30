//! A TTP connection to one of the two servers, on behalf of one peer.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use ttp::call::{Authenticate, Call, Hello};
use ttp::code::{CallError, ErrorCode};
use ttp::frame::{FrameError, encode, encode_with};
use ttp::limits::BATCH_REPLY_BYTES_MAX;
use ttp::net::connection::{FrameReader, ReadError};
use ttp::net::serve::Protection;
use ttp::net::socket;
use ttp::net::tls::client::ALPN_CLIENT;
use ttp::net::tls::{Authorities, ClientTls, Expected, FirstUse, KnownServers};
use ttp::rpc::{self, ServerMessage};
use ttp::secret::Secret;

use crate::config::Config;

/// The longest payload taken from a server: the replies of a batch, the last of which may be errors that come on
/// top of the servers' own limit.
pub(crate) const REPLY_BYTES_MAX: usize = BATCH_REPLY_BYTES_MAX + 256 * 1024;

/// Time for a server to accept a connection, and as much again for TLS. It is on this machine, or near.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a server did not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Nothing was sent.
    #[error("the server cannot be reached: {0}")]
    Unreachable(io::Error),
    /// The server does not talk with us, and says why. Nothing was sent.
    #[error(transparent)]
    Refused(CallError),
    /// What was sent may have had its effect.
    #[error("the server closed the connection before it answered")]
    Lost,
    /// What was sent may have its effect yet.
    #[error("the server did not answer in time")]
    Late,
    /// What was sent has had its effect.
    #[error("the server's answer is too long for a gateway")]
    TooLong,
}

impl From<&Failure> for CallError {
    fn from(failure: &Failure) -> Self {
        match failure {
            Failure::Refused(error) => error.clone(),
            // What the operating system says is for our log.
            Failure::Unreachable(_) => Self::overloaded("the server cannot be reached"),
            Failure::TooLong => Self::new(ErrorCode::TooLarge, failure.to_string()),
            Failure::Lost | Failure::Late => Self::new(ErrorCode::Indeterminate, failure.to_string()),
        }
    }
}

/// The two servers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Side {
    Data,
    Broadcast,
}

/// What is said on a peer's behalf before its own payloads.
#[derive(Debug)]
pub(crate) enum Opening {
    /// Nothing: version 1 is spoken, or the peer says Hello itself.
    Nothing,
    /// Version 2 is spoken.
    Hello,
    /// Version 2 is spoken, in the session of this token.
    Session(Secret),
}

type Incoming = Box<dyn AsyncRead + Send + Sync + Unpin>;
pub(crate) type Reader = FrameReader<Incoming>;
pub(crate) type Writer = Box<dyn AsyncWrite + Send + Sync + Unpin>;

/// An open connection.
pub(crate) struct Upstream {
    pub(crate) reader: Reader,
    pub(crate) writer: Writer,
}

impl Upstream {
    /// Connects on behalf of a peer at `origin`, and says what is to be said first. May wait for ever for the answers.
    pub(crate) async fn open(
        config: &Config,
        side: Side,
        origin: SocketAddr,
        opening: &Opening,
    ) -> Result<Self, Failure> {
        let mut upstream = Self::connect(config, side, origin).await.map_err(Failure::Unreachable)?;
        upstream.begin(opening).await?;
        Ok(upstream)
    }

    async fn connect(config: &Config, side: Side, origin: SocketAddr) -> io::Result<Self> {
        let (address, protection) = match side {
            Side::Data => (config.data_address, &config.data_protection),
            Side::Broadcast => (config.broadcast_address, &config.broadcast_protection),
        };
        let address = within_this_machine(address);
        let stream = match &config.forwarded {
            Some(forwarded) => forwarded.connect(address, origin, CONNECT_TIMEOUT).await?,
            None => socket::connect(address, CONNECT_TIMEOUT).await?,
        };
        let (reader, writer): (Incoming, Writer) = match protection {
            Protection::Tls(tls) => {
                let (server, key) = (address.to_string(), Expected::VouchedFor(vec![tls.fingerprint()]));
                let client = believing_one_key();
                let shaken = client.connect(stream, &server, key, &[ALPN_CLIENT]);
                let shaken = tokio::time::timeout(CONNECT_TIMEOUT, shaken).await?;
                let (reader, writer) = tokio::io::split(shaken.map_err(io::Error::other)?.stream);
                (Box::new(reader), Box::new(writer))
            }
            Protection::Loopback | Protection::Plaintext => {
                let (reader, writer) = stream.into_split();
                (Box::new(reader), Box::new(writer))
            }
        };
        Ok(Self { reader: FrameReader::new(reader, REPLY_BYTES_MAX), writer })
    }

    /// Nothing of the peer is said before the server has agreed to all of this.
    async fn begin(&mut self, opening: &Opening) -> Result<(), Failure> {
        let mut frames = Vec::new();
        let mut questions = 0;
        if !matches!(opening, Opening::Nothing) {
            ask_in(&mut frames, &mut questions, &Hello::from_client(CLIENT));
        }
        if let Opening::Session(token) = opening {
            let authenticate = Authenticate { token: Some(token.clone()), user_id: None };
            ask_in(&mut frames, &mut questions, &authenticate);
        }
        // A server that is full has closed by now; what it said before is what matters.
        let _ = write(&mut self.writer, &frames).await;
        for _ in 0..questions {
            let Ok(Some(reply)) = self.reader.next_payload().await else {
                return Err(Failure::Lost);
            };
            match serde_json::from_slice::<ServerMessage<'_>>(&reply) {
                Ok(ServerMessage { error: None, .. }) => {}
                Ok(ServerMessage { error: Some(error), .. }) => return Err(Failure::Refused(error)),
                Err(_) => return Err(Failure::Lost),
            }
        }
        Ok(())
    }
}

/// What the gateway calls itself.
const CLIENT: &str = concat!("talko-gateway/", env!("CARGO_PKG_VERSION"));

fn ask_in<C: Call>(frames: &mut Vec<u8>, questions: &mut u64, call: &C) {
    encode_with(frames, |out| rpc::write_request(out, Some(*questions), C::METHOD, call))
        .expect("what a connection begins with is strings and numbers");
    *questions += 1;
}

/// Where a server is reached that listens on every address of this machine.
fn within_this_machine(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Believes the key that it is told of and nobody else, and remembers nothing: the next one may be another.
fn believing_one_key() -> ClientTls {
    ClientTls::new(KnownServers::in_memory(), FirstUse::Refuse).with_authorities(Authorities::Nobody)
}

/// Writes, through TLS too.
pub(crate) async fn write(writer: &mut Writer, frames: &[u8]) -> io::Result<()> {
    writer.write_all(frames).await?;
    writer.flush().await
}

/// Carries one payload over a connection of its own, and waits until it is answered or, when it asks for no answer,
/// until the server has done with it and closes.
pub(crate) async fn ask(
    config: &Config,
    origin: SocketAddr,
    opening: &Opening,
    payload: &[u8],
    timeout: Duration,
) -> Result<Option<Bytes>, Failure> {
    let asked = async {
        let Upstream { mut reader, mut writer } = Upstream::open(config, Side::Data, origin, opening).await?;
        let written = match write(&mut writer, &encode(payload)).await {
            // Closes our direction: this was the last request.
            Ok(()) => writer.shutdown().await,
            failed => failed,
        };
        match (reader.next_payload().await, written) {
            (Ok(Some(reply)), _) => Ok(Some(reply)),
            (Ok(None), Ok(())) => Ok(None),
            (Err(ReadError::Frame(FrameError::TooLong { .. })), _) => Err(Failure::TooLong),
            _ => Err(Failure::Lost),
        }
    };
    tokio::time::timeout(timeout, asked).await.unwrap_or(Err(Failure::Late))
}
