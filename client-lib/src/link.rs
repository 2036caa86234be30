//! Opens a connection to either server in version 2, and asks one question at a time while it is being opened.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ttp::call::{Call, Hello, Welcome};
use ttp::code::ErrorCode;
use ttp::event::{Push, read_push};
use ttp::frame::{FrameError, encode_with};
use ttp::limits::BATCH_REPLY_BYTES_MAX;
use ttp::net::address;
use ttp::net::connection::{FramedConnection, ReadError};
use ttp::net::tls::client::ALPN_CLIENT;
use ttp::net::tls::{ClientTls, Expected, TlsClientError, TlsConnection};
use ttp::rpc;

use crate::error::{Error, Lost, ProtocolError};
use crate::options::Options;
use crate::pending::{self, Pending};
use crate::security::{Security, ServerTrust};
use crate::wire::{Stream, Wire, connect};

/// Longest payload taken from a server: its longest batch of replies, with a little room.
const PAYLOAD_BYTES_MAX: usize = BATCH_REPLY_BYTES_MAX + 64 * 1024;

/// A connection to a server, framed.
pub(crate) type Link = FramedConnection<Wire>;

/// First bytes of what a TLS server answers to one that does not speak it: an alert, or part of a handshake.
const TLS_RECORDS: [u8; 2] = [0x15, 0x16];

/// A connection that a server has greeted.
pub(crate) struct Opened {
    /// The connection.
    pub(crate) link: Link,
    /// The greeting.
    pub(crate) welcome: Welcome,
    /// Who greeted.
    pub(crate) trust: ServerTrust,
}

/// Connects and says Hello, all within the options' time. A refusal of Hello is [`Error::Refused`].
pub(crate) async fn open(address: &str, options: &Options, expected: Expected) -> Result<Opened, Error> {
    let failed = |source: io::Error| Error::Connect { address: address.to_owned(), source: Arc::new(source) };
    let opening = async {
        let resolved = address::resolve(address).await.map_err(failed)?;
        let stream = || async { connect(resolved, options.connect_timeout).await.map_err(failed) };
        let tls = match &options.security {
            Security::Plaintext => return greet_plainly(stream().await?, address, options).await,
            Security::Tls(tls) => tls,
            Security::Auto(tls) => {
                // The name decides as well: a false answer to where another machine is must not switch TLS off.
                let stays_here = names_this_machine(address) && address::is_loopback(&resolved);
                // A key that an invitation names can only be shown by TLS.
                if stays_here && !matches!(expected, Expected::Key(_)) {
                    match greet_plainly(stream().await?, address, options).await {
                        Err(Error::SpeaksTls { .. }) => {}
                        greeted => return greeted,
                    }
                }
                tls
            }
        };
        greet_in_tls(stream().await?, address, options, tls, expected).await
    };
    tokio::time::timeout(options.connect_timeout, opening)
        .await
        .unwrap_or_else(|_| Err(failed(io::ErrorKind::TimedOut.into())))
}

async fn greet_in_tls(
    stream: Stream,
    address: &str,
    options: &Options,
    tls: &ClientTls,
    expected: Expected,
) -> Result<Opened, Error> {
    let connected = tls.connect(stream, address, expected, &[ALPN_CLIENT]).await;
    let TlsConnection { stream, fingerprint, trusted } = connected.map_err(|error| match error {
        TlsClientError::Broken { source, .. } => Error::Connect { address: address.to_owned(), source },
        refusal => Error::Tls(Arc::new(refusal)),
    })?;
    let mut link = Link::new(Wire::Tls(Box::new(stream)), PAYLOAD_BYTES_MAX);
    let welcome = greet(&mut link, options).await?;
    Ok(Opened { link, welcome, trust: ServerTrust::Tls { fingerprint, trusted } })
}

async fn greet_plainly(stream: Stream, address: &str, options: &Options) -> Result<Opened, Error> {
    let mut link = Link::new(Wire::Plain(stream), PAYLOAD_BYTES_MAX);
    match greet(&mut link, options).await {
        Ok(welcome) => Ok(Opened { link, welcome, trust: ServerTrust::Plaintext }),
        Err(error) => {
            // A server of ours says it in words, any other in a record of TLS.
            let speaks_tls = matches!(&error, Error::Refused(said) if said.code == ErrorCode::TlsRequired)
                || first_byte(link, &error).is_some_and(|byte| TLS_RECORDS.contains(&byte));
            Err(if speaks_tls { Error::SpeaksTls { address: address.to_owned() } } else { error })
        }
    }
}

async fn greet(link: &mut Link, options: &Options) -> Result<Welcome, Error> {
    ask(link, &Hello::from_client(options.client_name.as_str())).await.map_err(refused)
}

/// The first byte of a server's answer that was no frame. An alert is shorter than a frame's header.
fn first_byte(link: Link, error: &Error) -> Option<u8> {
    match error {
        Error::Disconnected(Lost::Broken(broken)) => match &**broken {
            ReadError::Frame(FrameError::BadHeader { header }) => Some(header[0]),
            _ => link.into_parts().1.buffer().first().copied(),
        },
        _ => None,
    }
}

/// Whether `HOST:PORT` can mean nothing but this machine.
fn names_this_machine(address: &str) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    match inner.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => inner.eq_ignore_ascii_case("localhost"),
    }
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
