//! Talko's broadcast-server, as installed, fed over a real link of the bus. The load generator plays the data-server: it
//! answers that everybody hears the room, and publishes entries as a commit would.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use bus::link::{Caller, Carrier, ServiceKeys};
use bus::{Answer, Directory, Event, Hearing, Hint, Publisher, Topic};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use ttp::event::EventFrame;
use ttp::frame::encode;
use ttp::limits::HEADER_BYTES;
use ttp::model::{Change, ChatId, Entry, Message, MessageId, User, UserId};
use ttp::net::clock;

use super::{Broker, Step};
use crate::crowd::shape::text;
use crate::crowd::wire::{self, Wire};
use crate::house::{self, House};
use crate::machine::SERVER_CORE;
use crate::server::Server;

/// The number of the first entry: all are equally long.
const FIRST_SEQ: u64 = 1_000_000_000;

/// The end of the answer to a stream that wants to open, and of the one that is open.
const ANSWER_END: &[u8] = br#","id":2}"#;
const OPEN: &[u8] = br#""result":{},"id":2}"#;

/// Longest wait for the link.
const LINK_TIMEOUT: Duration = Duration::from_secs(20);

/// The time of all messages.
const TIME: i64 = 1_700_000_000_000;

/// See the module.
pub(crate) struct Talko {
    talko: house::Talko,
    address: SocketAddr,
    caller: Arc<Caller>,
    link: Link,
    _house: House,
}

/// The end of the link: while subscribers open, it answers questions on a thread of its own; later it runs within
/// [`Broker::publish`], so that no other thread stands between a message and the socket.
enum Link {
    Answering { stop: oneshot::Sender<()>, thread: JoinHandle<Runtime> },
    Publishing(Runtime),
    Gone,
}

/// Everybody hears the room.
struct Everybody;

impl Talko {
    /// Starts it, with TLS or without.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) fn start(is_tls: bool) -> Result<Self> {
        let tls = if is_tls { "always" } else { "auto" };
        let house = House::new()?.with(&["--service-key-file", "service.key", "--tls", tls]);
        let talko = house.broadcast_server(&[SERVER_CORE])?;
        let address = talko.broadcast_address()?;
        let keys: ServiceKeys = std::fs::read_to_string(house.folder().join("service.key"))?.parse()?;
        // Looks at the sockets after every task, since it is not waited for between two messages.
        let runtime = Builder::new_current_thread().enable_all().event_interval(1).build()?;
        let carrier = if is_tls { Carrier::Tls } else { Carrier::TlsOffLoopback };
        let caller = {
            let _context = runtime.enter();
            Caller::start_over(carrier, address.to_string(), keys)
        };
        caller.attach_directory(Arc::new(Everybody));
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let _ = runtime.block_on(stopped);
            runtime
        });
        let started = Self { talko, address, caller, link: Link::Answering { stop, thread }, _house: house };
        started.wait_for_the_link(is_tls)?;
        Ok(started)
    }

    /// Streams are refused until it is open.
    fn wait_for_the_link(&self, is_tls: bool) -> Result<()> {
        let config = if is_tls { Some(wire::tls()?) } else { None };
        let begun = clock::now();
        loop {
            let mut stream = Wire::connect(self.address, config.as_ref())?;
            stream.say(&opening(0))?;
            let (answer, _) = stream.hear(Vec::new(), ANSWER_END)?;
            if answer.ends_with(OPEN) {
                return Ok(());
            }
            ensure!(clock::now() - begun < LINK_TIMEOUT, "the link to the broadcast-server does not open");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Broker for Talko {
    fn server(&self) -> &Server {
        &self.talko.server
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn greeting(&self, place: usize) -> Vec<Step> {
        vec![Step::new(opening(place), OPEN)]
    }

    fn open_senders(&mut self, count: usize) -> Result<()> {
        ensure!(count == 1, "a broadcast-server hears one data-server here");
        if let Link::Answering { stop, thread } = std::mem::replace(&mut self.link, Link::Gone) {
            let _ = stop.send(());
            let runtime = thread.join().map_err(|_| anyhow!("the link's thread has ended"))?;
            self.link = Link::Publishing(runtime);
        }
        Ok(())
    }

    fn publish(&mut self, counters: Range<u64>) -> Result<()> {
        let Link::Publishing(runtime) = &self.link else { return Err(anyhow!("the link is not open")) };
        self.caller.publish(counters.map(|counter| Hint::Event(event(counter))).collect());
        runtime.block_on(async {
            tokio::task::yield_now().await;
            self.caller.flush().await;
        });
        Ok(())
    }

    fn delivered(&self, counter: u64) -> Vec<u8> {
        frame(counter)
    }

    /// Any whole frame, such as a heartbeat; a delivery was recognised before.
    fn other(&self) -> fn(&[u8]) -> Option<usize> {
        |bytes| {
            let digits = std::str::from_utf8(bytes.get(..HEADER_BYTES)?).ok()?;
            let whole = HEADER_BYTES + digits.trim().parse::<usize>().ok()?;
            (whole <= bytes.len()).then_some(whole)
        }
    }
}

impl Directory for Everybody {
    fn hearing_of(&self, users: Vec<UserId>, answer: Answer) {
        let hearing = || Hearing { topics: vec![Topic(1)], sessions: Vec::new() };
        answer(Ok(users.iter().map(|_| hearing()).collect()));
    }
}

/// What a stream says first.
fn opening(place: usize) -> Vec<u8> {
    let hello = r#"{"jsonrpc":"2.0","method":"Hello","params":{"protocol":[2]},"id":1}"#;
    let user_id = place + 1;
    let open =
        format!(r#"{{"jsonrpc":"2.0","method":"OpenStream","params":{{"user_id":{user_id}}},"id":2}}"#);
    [encode(hello.as_bytes()), encode(open.as_bytes())].concat()
}

/// The frame that a subscriber gets.
pub(crate) fn frame(counter: u64) -> Vec<u8> {
    event(counter).frame.frame().to_vec()
}

/// As the data-server would make it of a message that somebody else has sent.
fn event(counter: u64) -> Event {
    let seq = FIRST_SEQ + counter;
    let message = Message {
        message_id: MessageId(seq as i64),
        chat_id: ChatId(1),
        user: User { user_id: UserId(100_000), user_name: "Ada Lovelace".into() },
        message_text: text(counter),
        message_ts: TIME,
        seq,
        number: seq,
        client_message_id: Some(format!("{seq:020}")),
        details: None,
    };
    let entry = Entry { chat_id: ChatId(1), seq, change: Change::Message(message) };
    Event { topic: Topic(1), seq, author: None, frame: EventFrame::new(&entry) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_all_counters_are_equally_long() {
        assert_eq!(frame(0).len(), frame(99_999_999).len());
    }
}
