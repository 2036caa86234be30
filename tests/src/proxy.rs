//! A TCP proxy on loopback that is a bad network: it delays, slices, throttles, swallows, stands still, and cuts after
//! an exact number of bytes. What it does can change at any time, for all connections or for those that are open now.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;
use ttp::frame::Decoder;
use ttp::limits::{FRAME_BYTES_MAX, HEADER_BYTES};

/// Bytes that one way of a connection may hold.
const CHUNK_BYTES: usize = 64 * 1024;

/// Connections at one time; further ones are closed.
const CONNECTIONS_MAX: usize = 1024;

/// How long an orderly end may wait for the other side's own.
const LINGER: Duration = Duration::from_secs(1);

/// The two ways of a connection, as seen by who opened it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Up,
    Down,
}

/// How a connection is ended, for both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Reset,
    Finish,
}

/// What becomes of bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Flow {
    #[default]
    Passes,
    /// They are taken and vanish. No end passes either: the peer is gone and nobody says so.
    Vanishes,
    /// They are not even taken.
    StandsStill,
}

/// One way of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    pub flow: Flow,
    /// How long each piece is kept.
    pub delay: Duration,
    /// Longest piece that is read and written at once.
    pub slice_bytes_max: usize,
    pub bytes_per_second: Option<usize>,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            flow: Flow::Passes,
            delay: Duration::ZERO,
            slice_bytes_max: CHUNK_BYTES,
            bytes_per_second: None,
        }
    }
}

/// What happens to a connection. The default passes everything at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Plan {
    pub up: Line,
    pub down: Line,
    /// The connection ends now.
    pub end: Option<End>,
}

impl Plan {
    /// Both ways the same.
    pub fn both(line: Line) -> Self {
        Self { up: line, down: line, end: None }
    }

    fn line(&self, way: Way) -> Line {
        match way {
            Way::Up => self.up,
            Way::Down => self.down,
        }
    }
}

/// A cut that waits for its frame: the first one on this way in which `mark` stands. So many of its bytes pass, then the
/// connection ends. Finds whole frames only: not to be used on a line that slices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shot {
    pub way: Way,
    pub mark: String,
    pub bytes: usize,
    pub end: End,
}

/// What became of a shot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aim {
    /// The frame did not come yet.
    Waits,
    /// The connection was cut.
    Hit,
    /// The frame came, has no more bytes than this, and has passed.
    Short { frame_bytes: usize },
}

/// See the module. Dropping it resets all its connections.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

/// Sees all bytes of one connection, and says what passes instead of them.
pub trait Hand: Send {
    fn pass(&mut self, way: Way, bytes: &[u8]) -> Vec<u8>;
}

/// A hand for each connection.
type Hands = Arc<dyn Fn() -> Box<dyn Hand> + Send + Sync>;

struct Shared {
    target: watch::Sender<Option<SocketAddr>>,
    /// Replaced when the open connections are left to a plan of their own.
    plan: Mutex<watch::Sender<Plan>>,
    shot: Mutex<(Option<Shot>, Aim)>,
    hands: Mutex<Option<Hands>>,
    accepted: AtomicU64,
}

impl Proxy {
    /// Between its own address and this one.
    pub async fn to(target: SocketAddr) -> Self {
        let proxy = Self::bind().await;
        proxy.lead_to(target);
        proxy
    }

    /// Has an address. Connections wait until it is known where to they lead.
    pub async fn bind() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            target: watch::Sender::new(None),
            plan: Mutex::default(),
            shot: Mutex::new((None, Aim::Waits)),
            hands: Mutex::default(),
            accepted: AtomicU64::new(0),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared))).abort_handle();
        Self { address, shared, accepting }
    }

    pub fn lead_to(&self, target: SocketAddr) {
        self.shared.target.send_replace(Some(target));
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections so far.
    pub fn accepted(&self) -> u64 {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    /// The plan of all connections that follow it, and of those to come.
    pub fn set(&self, plan: Plan) {
        self.shared.plan.lock().unwrap().send_replace(plan);
    }

    /// The last plan of all connections that are open now. Those to come pass everything.
    pub fn strand(&self, plan: Plan) {
        let stranded = std::mem::take(&mut *self.shared.plan.lock().unwrap());
        stranded.send_replace(plan);
    }

    /// Ends all connections that are open now.
    pub fn cut(&self, end: End) {
        self.strand(Plan { end: Some(end), ..Plan::default() });
    }

    /// Lays a hand on each connection to come.
    pub fn lay_hands(&self, hands: impl Fn() -> Box<dyn Hand> + Send + Sync + 'static) {
        *self.shared.hands.lock().unwrap() = Some(Arc::new(hands));
    }

    /// Takes the place of the shot before.
    pub fn arm(&self, shot: Shot) {
        *self.shared.shot.lock().unwrap() = (Some(shot), Aim::Waits);
    }

    /// Takes the shot back. What had become of it?
    pub fn disarm(&self) -> Aim {
        let mut shot = self.shared.shot.lock().unwrap();
        shot.0 = None;
        shot.1
    }

    /// What has become of the shot?
    pub fn aim(&self) -> Aim {
        self.shared.shot.lock().unwrap().1
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Dropped with this task, and the connections with it.
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        if connections.len() < CONNECTIONS_MAX {
            shared.accepted.fetch_add(1, Ordering::Relaxed);
            connections.spawn(connect(stream, Arc::clone(&shared)));
        }
    }
}

/// One connection, from its opening to its end.
async fn connect(mut near: TcpStream, shared: Arc<Shared>) {
    let mut plan = shared.plan.lock().unwrap().subscribe();
    let target = shared.target.subscribe().wait_for(Option::is_some).await.ok().and_then(|target| *target);
    let Some(target) = target else { return };
    let Ok(mut far) = TcpStream::connect(target).await else {
        return end(near, End::Reset).await;
    };
    near.set_nodelay(true).unwrap();
    far.set_nodelay(true).unwrap();
    let hand = shared.hands.lock().unwrap().as_ref().map(|hands| Mutex::new(hands()));
    let cause = {
        let (near_read, near_write) = near.split();
        let (far_read, far_write) = far.split();
        let up = carry(Way::Up, near_read, far_write, (&shared, hand.as_ref()), plan.clone());
        let down = carry(Way::Down, far_read, near_write, (&shared, hand.as_ref()), plan.clone());
        tokio::select! {
            both = async { tokio::try_join!(up, down) } => both.err(),
            cause = ended(&mut plan) => Some(cause),
        }
    };
    // Without a cause both sides have ended in good order already.
    if let Some(cause) = cause {
        tokio::join!(end(near, cause), end(far, cause));
    }
}

/// Carries one way until it ends in good order, or the whole connection is to end.
async fn carry(
    way: Way,
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    (shared, hand): (&Shared, Option<&Mutex<Box<dyn Hand>>>),
    mut plan: watch::Receiver<Plan>,
) -> Result<(), End> {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let line = plan.borrow_and_update().line(way);
        let room =
            line.slice_bytes_max.min(line.bytes_per_second.unwrap_or(CHUNK_BYTES)).clamp(1, CHUNK_BYTES);
        let read = tokio::select! {
            read = from.read(&mut buffer[..room]), if line.flow != Flow::StandsStill => read,
            () = changed(&mut plan) => continue,
        };
        // The plan may have changed before the bytes came.
        let line = plan.borrow().line(way);
        let count = match read {
            Ok(count) if count > 0 => count,
            end => {
                while plan.borrow_and_update().line(way).flow != Flow::Passes {
                    changed(&mut plan).await;
                }
                end.map_err(|_| End::Reset)?;
                return to.shutdown().await.map_err(|_| End::Reset);
            }
        };
        if line.flow == Flow::Vanishes {
            continue;
        }
        sleep(line.delay).await;
        let (passing, end) = shared.shoot(way, &buffer[..count]);
        let written = match hand.map(|hand| hand.lock().unwrap().pass(way, &buffer[..passing])) {
            Some(other) => to.write_all(&other).await,
            None => to.write_all(&buffer[..passing]).await,
        };
        written.map_err(|_| End::Reset)?;
        if let Some(end) = end {
            return Err(end);
        }
        if let Some(bytes_per_second) = line.bytes_per_second {
            tokio::select! {
                () = sleep(Duration::from_secs(1).mul_f64(count as f64 / bytes_per_second as f64)) => {}
                () = changed(&mut plan) => {}
            }
        }
    }
}

impl Shared {
    /// How many of these bytes pass, and whether that is the connection's end.
    fn shoot(&self, way: Way, chunk: &[u8]) -> (usize, Option<End>) {
        let mut shot = self.shot.lock().unwrap();
        let Some(aimed) = shot.0.take_if(|shot| shot.way == way && contains(chunk, &shot.mark)) else {
            return (chunk.len(), None);
        };
        let (start, frame_bytes) = frame_with(chunk, &aimed.mark);
        if aimed.bytes > frame_bytes {
            shot.1 = Aim::Short { frame_bytes };
            return (chunk.len(), None);
        }
        shot.1 = Aim::Hit;
        (start + aimed.bytes, Some(aimed.end))
    }
}

/// Where the frame with this mark begins in a chunk that begins with a frame, and how long it is.
fn frame_with(chunk: &[u8], mark: &str) -> (usize, usize) {
    let mut decoder = Decoder::new(FRAME_BYTES_MAX);
    decoder.push(chunk);
    let mut start = 0;
    while let Ok(Some(payload)) = decoder.next_payload() {
        let frame_bytes = HEADER_BYTES + payload.len();
        if contains(&payload, mark) {
            return (start, frame_bytes);
        }
        start += frame_bytes;
    }
    panic!("a chunk with {mark:?} is not made of whole frames");
}

fn contains(bytes: &[u8], mark: &str) -> bool {
    bytes.windows(mark.len()).any(|window| window == mark.as_bytes())
}

/// Resolves when the plan is another one; never when it was the last.
async fn changed(plan: &mut watch::Receiver<Plan>) {
    if plan.changed().await.is_err() {
        std::future::pending().await
    }
}

/// Resolves when the plan says that the connection ends.
async fn ended(plan: &mut watch::Receiver<Plan>) -> End {
    match plan.wait_for(|plan| plan.end.is_some()).await.map(|plan| plan.end) {
        Ok(Some(end)) => end,
        _ => std::future::pending().await,
    }
}

async fn end(mut stream: TcpStream, end: End) {
    match end {
        // Dropping it is the reset then.
        End::Reset => drop(stream.set_zero_linger()),
        End::Finish => {
            let finish = async {
                stream.shutdown().await?;
                let mut scrap = [0; 1024];
                // Bytes that nobody reads would make the kernel answer with a reset.
                while stream.read(&mut scrap).await? > 0 {}
                Ok::<(), std::io::Error>(())
            };
            let _ = tokio::time::timeout(LINGER, finish).await;
        }
    }
}
