//! Opens a connection to either server in version 2, and asks one question at a time while it is being opened.

use std::io;
use std::sync::Arc;
use std::time::Duration;

#[cfg(not(feature = "simulation"))]
use tokio::net::TcpStream as Stream;
use ttp::call::{Call, Hello, Welcome};
use ttp::event::{Push, read_push};
use ttp::frame::encode_with;
use ttp::limits::BATCH_REPLY_BYTES_MAX;
use ttp::net::address;
use ttp::net::connection::FramedConnection;
#[cfg(feature = "simulation")]
use ttp::net::simulation::{Stream, connect};
#[cfg(not(feature = "simulation"))]
use ttp::net::socket::connect;
use ttp::rpc;

use crate::error::{Error, Lost, ProtocolError};
use crate::options::Options;
use crate::pending::{self, Pending};

/// Longest payload taken from a server: its longest batch of replies, with a little room.
const PAYLOAD_BYTES_MAX: usize = BATCH_REPLY_BYTES_MAX + 64 * 1024;

/// A connection to a server, framed.
pub(crate) type Link = FramedConnection<Stream>;

/// Connects and says Hello, all within the options' time. A refusal of Hello is [`Error::Refused`].
pub(crate) async fn open(address: &str, options: &Options) -> Result<(Link, Welcome), Error> {
    let failed = |source: io::Error| Error::Connect { address: address.to_owned(), source: Arc::new(source) };
    let opening = async {
        let resolved = address::resolve(address).await.map_err(failed)?;
        let stream = connect(resolved, options.connect_timeout).await.map_err(failed)?;
        let mut link = Link::new(stream, PAYLOAD_BYTES_MAX);
        let welcome = ask(&mut link, &Hello::from_client(options.client_name.as_str())).await;
        Ok((link, welcome.map_err(refused)?))
    };
    tokio::time::timeout(options.connect_timeout, opening)
        .await
        .unwrap_or_else(|_| Err(failed(io::ErrorKind::TimedOut.into())))
}

/// What was refused while a connection was being opened is the connection, not the call that it was opened for.
pub(crate) fn refused(error: Error) -> Error {
    match error {
        Error::Call(refusal) => Error::Refused(refusal),
        other => other,
    }
}

/// Asks and waits for the answer, on a connection where nothing else is asked. Pushes that come before the answer
/// are passed over, because a stream syncs after it has been opened; all but the last one, which says why there
/// will be no answer.
pub(crate) async fn ask<C: Call>(link: &mut Link, call: &C) -> Result<C::Reply, Error> {
    let mut pending = Pending::default();
    let mut frame = Vec::new();
    encode_with(&mut frame, |out| rpc::write_request(out, Some(pending.insert(())), C::METHOD, call))
        .map_err(|error| ProtocolError::WrongParams { method: C::METHOD, source: error.into() })?;
    link.write_frames(&frame).await?;
    loop {
        let payload = link.next_payload().await?.ok_or(Error::Disconnected(Lost::Closed))?;
        let message = pending::read(&payload)?;
        if pending.take(&message)?.is_some() {
            return read_reply::<C>(&pending::outcome(message)?);
        }
        if let Some(Push::Close(close)) = push(&message)? {
            return Err(Error::Ended(close));
        }
    }
}

/// [`ask`], with a limit on the wait.
pub(crate) async fn ask_within<C: Call>(
    link: &mut Link,
    call: &C,
    timeout: Duration,
) -> Result<C::Reply, Error> {
    tokio::time::timeout(timeout, ask(link, call)).await.unwrap_or(Err(Error::Timeout { after: timeout }))
}

/// Reads the result of a call into the type of its reply.
pub(crate) fn read_reply<C: Call>(result: &serde_json::value::RawValue) -> Result<C::Reply, Error> {
    serde_json::from_str(result.get()).map_err(|error| {
        let source = Arc::new(error);
        ProtocolError::WrongReply { method: C::METHOD, source }.into()
    })
}

/// Reads a push. `None` for one of a later version.
pub(crate) fn push(message: &rpc::ServerMessage<'_>) -> Result<Option<Push>, Error> {
    read_push(message).map_err(|error| ProtocolError::Unreadable(error.into()).into())
}
