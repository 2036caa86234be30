//! What a delivery costs whoever does nothing else: one write of an event's bytes to each of many sockets in turn, from the server's
//! core, with readers on the other one.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use mio::{Events, Interest, Poll, Token};

use crate::durable::Window;
use crate::durable::alone::repeated_on_the_core;

/// Sockets that one process may write to: both ends are its own, and a process may have 20 000 open files.
pub(crate) const SOCKETS_MAX: usize = 9_500;

/// Bytes of an event with a text of 128.
const EVENT_BYTES: usize = 410;

/// Longest wait for bytes, after which is looked whether all is over.
const WAIT_MAX: Duration = Duration::from_millis(20);

/// CPU microseconds of a write, to so many sockets in turn.
///
/// # Errors
/// The system has no sockets for this.
pub(crate) fn processor_us(sockets: usize, window: Window) -> Result<f64> {
    let (mut written, read): (Vec<_>, Vec<_>) = pairs(sockets)?.into_iter().unzip();
    let is_over = AtomicBool::new(false);
    let figures = std::thread::scope(|scope| {
        let reader = scope.spawn(|| swallow(read, &is_over));
        let event = [b'x'; EVENT_BYTES];
        let figures = repeated_on_the_core(window, sockets, || {
            written.iter_mut().try_for_each(|socket| Ok(socket.write_all(&event)?))
        });
        is_over.store(true, Ordering::Release);
        reader.join().ok().context("the reading thread died")??;
        figures
    })?;
    Ok(figures.processor_us)
}

fn pairs(sockets: usize) -> Result<Vec<(TcpStream, TcpStream)>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    (0..sockets)
        .map(|_| {
            let read = TcpStream::connect(address)?;
            let (written, _) = listener.accept()?;
            written.set_nodelay(true)?;
            read.set_nonblocking(true)?;
            Ok((written, read))
        })
        .collect()
}

/// Reads whatever comes.
fn swallow(sockets: Vec<TcpStream>, is_over: &AtomicBool) -> Result<()> {
    let mut poll = Poll::new()?;
    let mut sockets: Vec<_> = sockets.into_iter().map(mio::net::TcpStream::from_std).collect();
    for (place, socket) in sockets.iter_mut().enumerate() {
        poll.registry().register(socket, Token(place), Interest::READABLE)?;
    }
    let (mut events, mut scratch) = (Events::with_capacity(1024), vec![0; 64 * 1024]);
    while !is_over.load(Ordering::Acquire) {
        poll.poll(&mut events, Some(WAIT_MAX))?;
        for event in &events {
            match sockets[event.token().0].read(&mut scratch) {
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error.into()),
                _ => {}
            }
        }
    }
    Ok(())
}
