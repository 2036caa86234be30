//! A TTP connection to one of the two servers, on behalf of one peer.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use ttp::call::{Call, Dialect, Hello};
use ttp::code::{CallError, ErrorCode};
use ttp::frame::{FrameError, encode, encode_with};
use ttp::limits::BATCH_REPLY_BYTES_MAX;
use ttp::net::connection::{FrameReader, ReadError};
use ttp::net::socket;
use ttp::rpc::{self, ServerMessage};

/// The longest payload taken from a server: the replies of a batch, the last of which may be errors that come on
/// top of the servers' own limit.
pub(crate) const REPLY_BYTES_MAX: usize = BATCH_REPLY_BYTES_MAX + 256 * 1024;

/// Time for a server to accept a connection. It is on this machine, or near.
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

/// An open connection.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) reader: FrameReader<OwnedReadHalf>,
    pub(crate) writer: OwnedWriteHalf,
}

impl Upstream {
    /// Connects, and says Hello where version 2 is to be spoken. May wait for ever for its answer.
    pub(crate) async fn open(address: SocketAddr, dialect: Dialect) -> Result<Self, Failure> {
        let stream = socket::connect(address, CONNECT_TIMEOUT).await.map_err(Failure::Unreachable)?;
        let (reader, writer) = stream.into_split();
        let mut upstream = Self { reader: FrameReader::new(reader, REPLY_BYTES_MAX), writer };
        if dialect == Dialect::Version2 {
            upstream.greet().await?;
        }
        Ok(upstream)
    }

    async fn greet(&mut self) -> Result<(), Failure> {
        let hello = Hello::from_client(concat!("talko-gateway/", env!("CARGO_PKG_VERSION")));
        let mut frame = Vec::new();
        encode_with(&mut frame, |out| rpc::write_request(out, Some(0), Hello::METHOD, &hello))
            .expect("a greeting of strings and numbers is JSON");
        // A server that is full has closed by now; what it said before is what matters.
        let _ = self.writer.write_all(&frame).await;
        let Ok(Some(reply)) = self.reader.next_payload().await else {
            return Err(Failure::Lost);
        };
        match serde_json::from_slice::<ServerMessage<'_>>(&reply) {
            Ok(ServerMessage { error: None, .. }) => Ok(()),
            Ok(ServerMessage { error: Some(error), .. }) => Err(Failure::Refused(error)),
            Err(_) => Err(Failure::Lost),
        }
    }
}

/// Carries one payload over a connection of its own, and waits until it is answered or, when it asks for no answer,
/// until the server has done with it and closes.
pub(crate) async fn ask(
    address: SocketAddr,
    dialect: Dialect,
    payload: &[u8],
    timeout: Duration,
) -> Result<Option<Bytes>, Failure> {
    let asked = async {
        let Upstream { mut reader, mut writer } = Upstream::open(address, dialect).await?;
        let written = writer.write_all(&encode(payload)).await;
        // Closes our direction: this was the last request.
        drop(writer);
        match (reader.next_payload().await, written) {
            (Ok(Some(reply)), _) => Ok(Some(reply)),
            (Ok(None), Ok(())) => Ok(None),
            (Err(ReadError::Frame(FrameError::TooLong { .. })), _) => Err(Failure::TooLong),
            _ => Err(Failure::Lost),
        }
    };
    tokio::time::timeout(timeout, asked).await.unwrap_or(Err(Failure::Late))
}
