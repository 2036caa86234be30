//! What one delivery costs a server that is built in one way or another: `turn` is one thread that writes to each socket in
//! turn, as a shard does; `tasks` is a task for each stream with a queue of its own, as many servers on a shared runtime do.
//! `cargo run --release -p bench --example deliveries -- turn|tasks STREAMS ROUNDS`
//!
//! An experiment, and no part of the figures. The writing side runs on core 0, the reading side on core 1. Each round gives
//! one event to every stream, and the next one begins when all of it has been read.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use mio::{Events, Interest, Poll, Token};
use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

/// Bytes of an event with a text of 128.
const EVENT_BYTES: usize = 410;

/// Rounds before it is measured.
const WARM_UP: usize = 20;

/// Events that a stream's queue holds.
const QUEUE_MAX: usize = 16;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [way, streams, rounds] = &arguments[..] else { bail!("say turn or tasks, streams and rounds") };
    let (streams, rounds): (usize, usize) = (streams.parse()?, rounds.parse()?);
    let (written, read): (Vec<_>, Vec<_>) = pairs(streams)?.into_iter().unzip();
    let (done, mut all_read) = mpsc::channel(1);
    std::thread::spawn(move || swallow(read, &done));
    pin(0)?;
    let cost_us = match way.as_str() {
        "turn" => in_turn(written, rounds, &mut all_read)?,
        "tasks" => by_tasks(written, rounds, &mut all_read)?,
        other => bail!("{other} is neither turn nor tasks"),
    };
    println!("{way}: {:.2} CPU µs per delivery to {streams} streams", cost_us / (rounds * streams) as f64);
    Ok(())
}

/// Microseconds of this process's other threads than the reading one: all of them are on core 0.
fn in_turn(mut written: Vec<TcpStream>, rounds: usize, all_read: &mut mpsc::Receiver<()>) -> Result<f64> {
    let event = [b'x'; EVENT_BYTES];
    let mut begun = 0.0;
    for round in 0..WARM_UP + rounds {
        if round == WARM_UP {
            begun = thread_us();
        }
        written.iter_mut().try_for_each(|socket| socket.write_all(&event))?;
        all_read.blocking_recv().context("nobody reads")?;
    }
    Ok(thread_us() - begun)
}

fn by_tasks(written: Vec<TcpStream>, rounds: usize, all_read: &mut mpsc::Receiver<()>) -> Result<f64> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let mut queues = Vec::new();
        for socket in written {
            socket.set_nonblocking(true)?;
            let mut socket = tokio::net::TcpStream::from_std(socket)?;
            let (queue, mut waiting) = mpsc::channel::<Arc<[u8]>>(QUEUE_MAX);
            queues.push(queue);
            tokio::spawn(async move {
                while let Some(event) = waiting.recv().await {
                    if socket.write_all(&event).await.is_err() {
                        break;
                    }
                }
            });
        }
        let event: Arc<[u8]> = Arc::from([b'x'; EVENT_BYTES]);
        let mut begun = 0.0;
        for round in 0..WARM_UP + rounds {
            if round == WARM_UP {
                begun = thread_us();
            }
            for queue in &queues {
                queue.send(Arc::clone(&event)).await?;
            }
            all_read.recv().await.context("nobody reads")?;
        }
        Ok(thread_us() - begun)
    })
}

/// Reads everything, and says so after each round.
fn swallow(sockets: Vec<TcpStream>, done: &mpsc::Sender<()>) -> Result<()> {
    pin(1)?;
    let round = sockets.len() * EVENT_BYTES;
    let mut poll = Poll::new()?;
    let mut sockets: Vec<_> = sockets.into_iter().map(mio::net::TcpStream::from_std).collect();
    for (place, socket) in sockets.iter_mut().enumerate() {
        poll.registry().register(socket, Token(place), Interest::READABLE)?;
    }
    let (mut events, mut scratch, mut read) = (Events::with_capacity(1024), vec![0; 64 * 1024], 0);
    loop {
        poll.poll(&mut events, Some(Duration::ZERO))?;
        for event in &events {
            match sockets[event.token().0].read(&mut scratch) {
                Ok(count) => read += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
        if read == round {
            read = 0;
            done.blocking_send(())?;
        }
    }
}

fn pairs(streams: usize) -> Result<Vec<(TcpStream, TcpStream)>> {
    rlimit::increase_nofile_limit(u64::MAX)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    (0..streams)
        .map(|_| {
            let read = TcpStream::connect(address)?;
            let (written, _) = listener.accept()?;
            written.set_nodelay(true)?;
            read.set_nonblocking(true)?;
            Ok((written, read))
        })
        .collect()
}

/// Processor time of this thread.
fn thread_us() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

fn pin(core: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).with_context(|| format!("this machine has no core {core}"))
}
