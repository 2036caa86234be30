//! A connection of the simulated network: two ways, on which bytes take their time, stop, or are cut off.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};
use ttp::net::simulation::Pipe;

use super::world::Nature;

/// The two ends of a connection; each writes on the way of its own number.
pub const CLIENT: usize = 0;
pub const SERVER: usize = 1;

/// A connection, as the network sees it.
#[derive(Debug)]
pub struct Wire {
    pub number: u64,
    nature: Arc<Nature>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    ways: [Way; 2],
    /// Both ends are told of a reset.
    is_cut: bool,
    /// Nothing arrives any more, and nobody is told.
    is_black: bool,
}

#[derive(Debug, Default)]
struct Way {
    parcels: VecDeque<(Instant, Parcel)>,
    bytes: usize,
    last_arrival: Option<Instant>,
    /// Bytes until the connection is cut.
    bytes_left: Option<usize>,
    is_ended: bool,
    /// Nobody reads any more.
    is_deaf: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Debug)]
enum Parcel {
    Bytes(Vec<u8>),
    End,
    Cut,
}

/// One end of a connection.
#[derive(Debug)]
pub struct End {
    wire: Arc<Wire>,
    side: usize,
    sleep: Pin<Box<Sleep>>,
}

impl Pipe for End {}

impl Wire {
    /// A connection, the client's end and the server's.
    pub fn lay(number: u64, nature: Arc<Nature>) -> (Arc<Self>, End, End) {
        let wire = Arc::new(Self { number, nature, state: Mutex::default() });
        let end = |side| {
            let sleep = Box::pin(tokio::time::sleep(Duration::ZERO));
            End { wire: Arc::clone(&wire), side, sleep }
        };
        let ends = (end(CLIENT), end(SERVER));
        (wire, ends.0, ends.1)
    }

    /// Resets the connection: what is under way is lost, and both ends are told.
    pub fn cut(&self) {
        let mut state = self.state.lock().unwrap();
        state.is_cut = true;
        state.wake_all();
    }

    /// Resets it after so many more bytes of one side, in the middle of whatever they are.
    pub fn cut_after(&self, side: usize, bytes: usize) {
        self.state.lock().unwrap().ways[side].bytes_left = Some(bytes);
    }

    /// From now on nothing arrives, and nobody is told.
    pub fn swallow(&self) {
        self.state.lock().unwrap().is_black = true;
    }

    pub fn is_over(&self) -> bool {
        let state = self.state.lock().unwrap();
        state.is_cut || state.ways.iter().all(|way| way.is_deaf)
    }
}

impl State {
    fn wake_all(&mut self) {
        for way in &mut self.ways {
            way.reader.take().into_iter().chain(way.writer.take()).for_each(Waker::wake);
        }
    }
}

impl Way {
    /// Sends a parcel on its way; none overtakes another.
    fn send(&mut self, parcel: Parcel, nature: &Nature) {
        let arrival = (Instant::now() + nature.delay()).max(self.last_arrival.unwrap_or_else(Instant::now));
        self.last_arrival = Some(arrival);
        self.parcels.push_back((arrival, parcel));
        self.reader.take().into_iter().for_each(Waker::wake);
    }
}

impl AsyncRead for End {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let wire = Arc::clone(&self.wire);
        let arrival = {
            let mut state = wire.state.lock().unwrap();
            if state.is_cut {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            let is_black = state.is_black;
            let way = &mut state.ways[1 - self.side];
            way.reader = Some(context.waker().clone());
            match way.parcels.front_mut() {
                Some((arrival, parcel)) if !is_black && *arrival <= Instant::now() => match parcel {
                    Parcel::End => return Poll::Ready(Ok(())),
                    Parcel::Cut => {
                        state.is_cut = true;
                        state.wake_all();
                        return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
                    }
                    Parcel::Bytes(bytes) => {
                        let count = bytes.len().min(buffer.remaining());
                        wire.nature.trace.note((wire.number, self.side, &bytes[..count]));
                        buffer.put_slice(&bytes[..count]);
                        bytes.drain(..count);
                        if bytes.is_empty() {
                            way.parcels.pop_front();
                        }
                        way.bytes -= count;
                        way.writer.take().into_iter().for_each(Waker::wake);
                        return Poll::Ready(Ok(()));
                    }
                },
                Some((arrival, _)) if !is_black => *arrival,
                _ => return Poll::Pending,
            }
        };
        self.sleep.as_mut().reset(arrival);
        ready!(self.sleep.as_mut().poll(context));
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl AsyncWrite for End {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let nature = &self.wire.nature;
        let mut state = self.wire.state.lock().unwrap();
        if state.is_cut {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let way = &mut state.ways[self.side];
        if way.is_deaf || way.is_ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = nature.window_bytes.saturating_sub(way.bytes);
        if room == 0 {
            way.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        let mut count = nature.slice(bytes.len().min(room));
        if let Some(left) = &mut way.bytes_left {
            count = count.min(*left);
            *left -= count;
            if count == 0 {
                way.is_ended = true;
                way.send(Parcel::Cut, nature);
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
        }
        way.bytes += count;
        way.send(Parcel::Bytes(bytes[..count].to_vec()), nature);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.wire.state.lock().unwrap();
        let way = &mut state.ways[self.side];
        if !std::mem::replace(&mut way.is_ended, true) {
            way.send(Parcel::End, &self.wire.nature);
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let mut state = self.wire.state.lock().unwrap();
        let way = &mut state.ways[self.side];
        if !std::mem::replace(&mut way.is_ended, true) {
            way.send(Parcel::End, &self.wire.nature);
        }
        let back = &mut state.ways[1 - self.side];
        back.is_deaf = true;
        back.writer.take().into_iter().for_each(Waker::wake);
    }
}
