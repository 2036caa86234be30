//! How a connection becomes a subscribed one: what is said in each protocol, and the answer that shows that it is open.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use ttp::frame::encode;
use ttp::net::tls::client::ALPN_CLIENT;
use ttp::net::tls::{ClientTls, Expected};

/// Connections that are opened at one time.
const AT_ONE_TIME: usize = 64;
const AT_ONE_TIME_IRC: usize = 2_000;

/// Longest wait for a connection to be open.
const PATIENCE: Duration = Duration::from_secs(20);

/// Longest answer.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A connection, plain or with TLS.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// What is said in a protocol, and what is heard then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speech {
    Talko,
    Redis,
    Nats,
    Irc,
    Mqtt,
    /// Nothing is said; the server says one byte.
    Nothing,
}

/// Opens connections with numbers from `first` until there are `until`.
///
/// # Errors
/// One of them was not opened.
pub(crate) async fn open(
    speech: Speech,
    address: SocketAddr,
    tls: Option<&ClientTls>,
    (first, until, rooms): (usize, usize, usize),
) -> Result<Vec<Box<dyn Duplex>>> {
    let tls = tls.cloned().map(Arc::new);
    let mut opened = Vec::with_capacity(until - first);
    // InspIRCd welcomes people once a second.
    let at_one_time = if matches!(speech, Speech::Irc) { AT_ONE_TIME_IRC } else { AT_ONE_TIME };
    for begin in (first..until).step_by(at_one_time) {
        let mut opening = JoinSet::new();
        for number in begin..until.min(begin + at_one_time) {
            let tls = tls.clone();
            opening.spawn(tokio::time::timeout(PATIENCE, async move {
                one(speech, address, tls.as_deref(), (number, number % rooms)).await
            }));
        }
        while let Some(done) = opening.join_next().await {
            opened.push(done?.context("a connection was not open in time")??);
        }
    }
    Ok(opened)
}

/// Fails if one of these has been closed by the server. What came meanwhile, such as a heartbeat, is read.
///
/// # Errors
/// A connection is gone.
pub(crate) async fn are_open(streams: &mut [Box<dyn Duplex>]) -> Result<()> {
    let mut scratch = [0; 4096];
    for stream in streams {
        let gone = poll_fn(|context| {
            loop {
                let mut buffer = ReadBuf::new(&mut scratch);
                match Pin::new(&mut *stream).poll_read(context, &mut buffer) {
                    Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                    Poll::Pending => return Poll::Ready(false),
                    Poll::Ready(Err(error)) if error.kind() == ErrorKind::WouldBlock => {
                        return Poll::Ready(false);
                    }
                    Poll::Ready(_) => return Poll::Ready(true),
                }
            }
        });
        ensure!(!gone.await, "the server has closed a connection that said nothing");
    }
    Ok(())
}

async fn one(
    speech: Speech,
    address: SocketAddr,
    tls: Option<&ClientTls>,
    (number, room): (usize, usize),
) -> Result<Box<dyn Duplex>> {
    let socket = TcpStream::connect(address).await.with_context(|| format!("nobody answers on {address}"))?;
    socket.set_nodelay(true)?;
    let mut stream: Box<dyn Duplex> = match tls {
        None => Box::new(socket),
        Some(tls) => {
            let name = address.to_string();
            let shaking = tls.connect(socket, &name, Expected::Nothing, &[ALPN_CLIENT]);
            Box::new(shaking.await.context("the handshake failed")?.stream)
        }
    };
    for (words, answer) in speech.turns(number, room) {
        say(&mut stream, &words, answer).await?;
    }
    Ok(stream)
}

/// Says something, and hears until the answer.
async fn say(stream: &mut Box<dyn Duplex>, words: &[u8], answer: &[u8]) -> Result<()> {
    stream.write_all(words).await?;
    stream.flush().await?;
    let mut heard = Vec::new();
    while !contains(&heard, answer) {
        if stream.read_buf(&mut heard).await? == 0 || heard.len() > ANSWER_BYTES_MAX {
            bail!("a connection was refused: {}", String::from_utf8_lossy(&heard));
        }
    }
    let is_refusal = contains(&heard, br#""error":{"#);
    ensure!(!is_refusal, "a stream was refused: {}", String::from_utf8_lossy(&heard));
    Ok(())
}

impl Speech {
    /// What is said, and the answer that shows that it was heard, one after the other.
    fn turns(self, number: usize, room: usize) -> Vec<(Vec<u8>, &'static [u8])> {
        let turn = |words: String, answer: &'static [u8]| vec![(words.into_bytes(), answer)];
        match self {
            Self::Talko => {
                let hello = br#"{"jsonrpc":"2.0","method":"Hello","params":{"protocol":[2]},"id":1}"#;
                let person = number + 1;
                let open = format!(
                    r#"{{"jsonrpc":"2.0","method":"OpenStream","params":{{"user_id":{person}}},"id":2}}"#
                );
                vec![([encode(hello), encode(open.as_bytes())].concat(), br#""id":2}"#)]
            }
            Self::Redis => turn(format!("SUBSCRIBE room:{room}\r\n"), b":1\r\n"),
            Self::Nats => {
                turn(format!("CONNECT {{\"verbose\":false}}\r\nSUB room.{room} 1\r\nPING\r\n"), b"PONG\r\n")
            }
            // Who joins before the welcome is refused. Numbers of its end, and of the end of the list of names.
            Self::Irc => [
                turn(format!("NICK n{number}\r\nUSER n{number} 0 * :n\r\n"), b" 422 "),
                turn(format!("JOIN #room{room}\r\n"), b" 366 "),
            ]
            .concat(),
            // The subscription with number 1 is granted.
            Self::Mqtt => vec![(mqtt(&format!("n{number}"), &format!("room/{room}")), &[0x90, 3, 0, 1, 0])],
            Self::Nothing => turn(String::new(), b"!"),
        }
    }
}

/// CONNECT and SUBSCRIBE of MQTT 3.1.1, without a limit for silence.
fn mqtt(client: &str, topic: &str) -> Vec<u8> {
    let text = |text: &str| [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat();
    let packet = |kind: u8, body: Vec<u8>| [&[kind, body.len() as u8][..], &body].concat();
    let connect = [text("MQTT"), vec![4, 2, 0, 0], text(client)].concat();
    let subscribe = [vec![0, 1], text(topic), vec![0]].concat();
    [packet(0x10, connect), packet(0x82, subscribe)].concat()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_of_mqtt_are_as_its_standard_writes_them() {
        let connect = b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x00\x00\x02n1";
        let subscribe = b"\x82\x0b\x00\x01\x00\x06room/7\x00";
        assert_eq!(mqtt("n1", "room/7"), [&connect[..], &subscribe[..]].concat());
    }

    #[test]
    fn an_answer_is_found_wherever_it_stands() {
        assert!(contains(b"a PONG\r\n", Speech::Nats.turns(1, 1)[0].1));
        assert!(!contains(b"a PON", Speech::Nats.turns(1, 1)[0].1));
    }

    #[test]
    fn a_connection_that_the_server_closed_is_found_out() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (near, far) = tokio::io::duplex(16);
            let mut streams: Vec<Box<dyn Duplex>> = vec![Box::new(near)];
            are_open(&mut streams).await.unwrap();
            drop(far);
            are_open(&mut streams).await.unwrap_err();
        });
    }
}
