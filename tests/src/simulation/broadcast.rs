//! The lives of the simulated broadcast-server. Its shards are the real ones, over real sockets, whose other ends are
//! here: what comes out of them goes on over the simulated network.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use broadcast_server::Config;
use broadcast_server::simulation::Server;
use bus::Directory;
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::BROADCAST;
use super::bus::Bus;
use super::pipe::End;
use super::world::World;

/// Bytes that one of the real sockets takes; the system makes it somewhat more.
const SOCKET_BYTES: usize = 4096;

/// Bytes taken out of a socket at once.
const PUMP_BYTES: usize = 16 * 1024;

/// The broadcast-server, dead or alive.
pub struct BroadcastServer {
    world: Arc<World>,
    bus: Arc<Bus>,
    config: Config,
    life: Option<CancellationToken>,
}

impl BroadcastServer {
    pub fn start(world: &Arc<World>, bus: &Arc<Bus>, config: Config) -> Self {
        let mut server = Self { world: Arc::clone(world), bus: Arc::clone(bus), config, life: None };
        server.revive();
        server
    }

    pub fn is_alive(&self) -> bool {
        self.life.is_some()
    }

    pub fn revive(&mut self) {
        let directory = Arc::clone(&self.bus) as Arc<dyn Directory>;
        let server = Server::start(self.config.clone(), directory).unwrap();
        let death = CancellationToken::new();
        let life = live(server, Arc::clone(&self.world), Arc::clone(&self.bus), death.clone());
        tokio::spawn(life);
        self.life = Some(death);
    }

    /// Kills it: its streams are reset, and hints find nobody.
    pub fn kill(&mut self) {
        let Some(death) = self.life.take() else { return };
        death.cancel();
        self.bus.set_receiver(None);
        self.world.die(BROADCAST.parse().unwrap());
    }
}

/// Takes connections and turns until it dies.
async fn live(mut server: Server, world: Arc<World>, bus: Arc<Bus>, death: CancellationToken) {
    let address: SocketAddr = BROADCAST.parse().unwrap();
    let mut listener = world.listen(address);
    bus.set_receiver(Some(server.receiver()));
    // Not a watch channel: that one wakes its receivers in an order of its own chance.
    let mut pumps: Vec<Arc<Notify>> = Vec::new();
    let mut accepted = 0;
    loop {
        let patience = server.take_turn().unwrap();
        pumps.retain(|turned| Arc::strong_count(turned) > 1);
        pumps.iter().for_each(|turned| turned.notify_one());
        let wait = async {
            match patience {
                Some(patience) => tokio::time::sleep(patience).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = death.cancelled() => return,
            Some(end) = listener.recv() => {
                accepted += 1;
                let (inner, outer) = pair();
                server.serve(inner, SocketAddr::from(([10, 0, 0, 9], accepted)));
                let turned = Arc::<Notify>::default();
                pumps.push(Arc::clone(&turned));
                tokio::spawn(pump(outer, end, turned, Arc::clone(&bus.bell), death.clone()));
            }
            () = bus.bell.notified() => {}
            () = wait => {}
        }
        // Threads are not always there at once.
        let nap = world.nature.dice.up_to_ms(1);
        tokio::time::sleep(nap).await;
    }
}

/// A real socket for a shard, and its other end.
fn pair() -> (TcpStream, Socket) {
    let (inner, outer) = Socket::pair(Domain::UNIX, Type::STREAM, None).unwrap();
    for socket in [&inner, &outer] {
        socket.set_nonblocking(true).unwrap();
        socket.set_send_buffer_size(SOCKET_BYTES).unwrap();
    }
    (inner.into(), outer)
}

/// Carries bytes between a real socket and the simulated network until one of them ends.
async fn pump(
    mut socket: Socket,
    end: End,
    turned: Arc<Notify>,
    bell: Arc<Notify>,
    death: CancellationToken,
) {
    let (mut reader, mut writer) = tokio::io::split(end);
    let mut incoming = vec![0; PUMP_BYTES];
    let (mut outgoing, mut scratch): (Vec<u8>, _) = (Vec::new(), vec![0; PUMP_BYTES]);
    let (mut peer_ended, mut shard_ended) = (false, false);
    while !(peer_ended && shard_ended) {
        if outgoing.is_empty() && !shard_ended {
            match socket.read(&mut scratch) {
                Ok(0) => {
                    shard_ended = true;
                    let _ = writer.shutdown().await;
                }
                Ok(count) => {
                    outgoing.extend_from_slice(&scratch[..count]);
                    bell.notify_one();
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => break,
            }
        }
        tokio::select! {
            biased;
            () = death.cancelled() => break,
            written = writer.write(&outgoing), if !outgoing.is_empty() => match written {
                Ok(count) => drop(outgoing.drain(..count)),
                Err(_) => break,
            },
            read = reader.read(&mut incoming), if !peer_ended => match read {
                Ok(0) => {
                    peer_ended = true;
                    let _ = socket.shutdown(Shutdown::Write);
                    bell.notify_one();
                }
                Ok(count) => {
                    if !give(&mut socket, &incoming[..count], &bell).await {
                        break;
                    }
                }
                Err(_) => break,
            },
            () = turned.notified() => {}
        }
    }
    drop(socket);
    bell.notify_one();
}

/// Writes all of it into a socket whose reader takes turns. `false` when nobody reads it any more.
async fn give(socket: &mut Socket, mut bytes: &[u8], bell: &Notify) -> bool {
    while !bytes.is_empty() {
        match socket.write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                bell.notify_one();
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Err(_) => return false,
        }
        bell.notify_one();
    }
    true
}
