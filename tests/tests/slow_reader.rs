//! One reader of a thousand stands still: nobody else's messages are later, it is sent away before much waits for it, and
//! it comes back to everything that it missed.
//!
//! ```sh
//! TALKO_SLOW_READER_ROUNDS=7 cargo test --release -p tests --test slow_reader -- --nocapture
//! ```
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use client_lib::{Cursors, Event, Options, Position, blocking};
use tests::load::figures::{asked, part};
use tests::load::house::Processes;
use tests::load::room::{Found, PING_EVERY, Room, Stalled, stamped};
use tests::load::speaker::Speaker;
use tests::load::{Figures, House, Town};
use tests::{DEADLINE, figures};
use ttp::limits::OUTLET_BYTES_MAX;
use ttp::model::{ChatId, UserId};
use ttp::net::clock;

/// Person 1 speaks, the next ones measure, and the last ones do not read.
const MEASURING: i64 = 999;
const MEASURING_SHORT: i64 = 200;
const NOT_READING: i64 = 110;

/// How often and how much is said.
const PACE: Duration = Duration::from_millis(50);
const TEXT_CHARS: usize = 12_000;

/// A delivery adds so much at one time at most, so what waits may be found to be so much above its limit.
const BLOCK_BYTES_MAX: i64 = 192 * 1024;

/// A reader that stands still is found out within this time after its socket takes nothing more.
const CUT_MS_MAX: u64 = 10_000;

/// What the delay of the others may grow by; in the short form many a test runs beside.
const CHANGE_PERCENT_MAX: i64 = 10;
const CHANGE_PERCENT_MAX_SHORT: i64 = 50;

/// A change of the delay by so little is none in the short form.
const CHANGE_US_IGNORED: i64 = 100_000;

/// Rounds of the short form. Whatever else the machine does makes some of them slower; a server that waits for one reader is slow
/// in all of them.
const ROUNDS_MAX_SHORT: usize = 5;

/// Phases of a run; half of them with somebody who does not read.
struct Stage {
    house: House,
    speaker: Speaker,
    room: Room,
    origin: Instant,
    /// The newest number, and the bytes of frames that every reader was sent.
    head: u64,
    said: u64,
}

/// Somebody who does not read, and when that began.
struct Watched {
    stalled: Stalled,
    person: i64,
    bytes_before: u64,
    /// When the log said that it was cut, and how many bytes the room had been sent then.
    cut: Option<(Duration, u64)>,
}

impl Stage {
    fn open(measuring: i64) -> Self {
        tests::need_open_files(4_000);
        let people = 1 + measuring + NOT_READING;
        let town = Town { people, chats: 1, chats_of_person: 1, messages_of_chat: 10, text_chars: 60 };
        let house = House::start(Processes::Two, |path| town.build(path));
        let origin = clock::now();
        let room = Room::open(house.broadcast_address, 2..2 + measuring, origin);
        let speaker = Speaker::connect(house.data_address);
        Self { house, speaker, room, origin, head: town.head(), said: 0 }
    }

    /// Speaks for a time, or until all who do not read were cut, but not longer than twice the time. Answers the delays.
    fn phase(&mut self, lasts: Duration, watched: &mut [Watched], crawling: bool) -> Vec<u64> {
        self.settle();
        self.room.take_delays();
        let begun = clock::now();
        let mut log = Log::at_end(self.house.broadcast_log());
        let mut next = begun;
        let (mut crawled, mut pinged) = (begun, begun);
        while clock::now() - begun < lasts
            || (watched.iter().any(|one| one.cut.is_none()) && clock::now() - begun < 3 * lasts)
        {
            next += PACE;
            std::thread::sleep(next.saturating_duration_since(clock::now()));
            self.head = self.speaker.say(&stamped(self.origin, TEXT_CHARS));
            self.said += 1;
            for port in log.slow_ports() {
                let sent = self.bytes_sent();
                let now = clock::now() - begun;
                for one in watched.iter_mut().filter(|one| one.stalled.port == port) {
                    one.cut = Some((now, sent - one.bytes_before));
                }
            }
            if clock::now() - pinged > PING_EVERY {
                pinged = clock::now();
                watched.iter_mut().for_each(|one| one.stalled.ping());
            }
            if crawling && clock::now() - crawled > Duration::from_secs(1) {
                crawled = clock::now();
                watched.iter_mut().for_each(|one| one.stalled.crawl());
            }
        }
        self.settle();
        self.room.take_delays()
    }

    /// Bytes that a reader who reads has got, once it has everything.
    fn bytes_sent(&self) -> u64 {
        self.room.bytes()
    }

    /// Waits until everybody who reads has everything.
    fn settle(&mut self) {
        let begun = clock::now();
        let goal = self.said * self.measuring();
        while self.room.heard() < goal {
            assert_eq!(self.room.lost(), 0, "somebody who reads was cut");
            assert!(clock::now() - begun < DEADLINE, "{} of {goal} deliveries", self.room.heard());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn measuring(&self) -> u64 {
        self.room.readers()
    }

    /// Lets so many people stop reading.
    fn stop_reading(&self, count: i64) -> Vec<Watched> {
        let first = 2 + self.measuring() as i64;
        let people = first..first + count;
        let bytes_before = self.bytes_sent();
        people
            .map(|person| {
                let stalled = Stalled::open(self.house.broadcast_address, person);
                Watched { stalled, person, bytes_before, cut: None }
            })
            .collect()
    }

    /// Comes back through `client-lib` from what was read, and takes everything else, once and in order.
    fn come_back(&self, person: i64, found: &Found) {
        let before = self.head - self.said;
        let expected: Vec<u64> = (1..=found.seqs.len() as u64).collect();
        let offset = found.seqs.first().map_or(before, |first| first - 1);
        assert!(found.seqs.iter().map(|seq| seq - offset).eq(expected), "numbers without a hole");
        let last = found.seqs.last().copied().unwrap_or(before);
        let client = blocking::Client::connect(Options::new(self.house.data_address.to_string())).unwrap();
        client.trust_me(UserId(person)).unwrap();
        let cursors = Cursors { epoch: None, seqs: BTreeMap::from([(ChatId(1), last)]), noted: 0 };
        let mut next = last + 1;
        for event in client.events(Position::After(cursors)) {
            if let Event::Entry(entry) = event {
                assert_eq!(entry.seq, next, "every entry once and in order");
                next += 1;
            }
            if next > self.head {
                return;
            }
        }
        panic!("the stream ended at {next} of {}", self.head);
    }
}

/// Those that the broadcast-server has sent away as slow, as its log tells it.
struct Log {
    path: PathBuf,
    read: usize,
}

impl Log {
    fn at_end(path: PathBuf) -> Self {
        let read = std::fs::metadata(&path).unwrap().len() as usize;
        Self { path, read }
    }

    fn slow_ports(&mut self) -> Vec<u16> {
        let text = std::fs::read_to_string(&self.path).unwrap();
        let end = text.rfind('\n').map_or(0, |end| end + 1);
        let fresh = &text[self.read.min(end)..end];
        self.read = end;
        let slow = fresh.lines().filter(|line| line.contains(r#"reason="slow""#));
        slow.map(|line| {
            let (_, rest) = line.split_once("peer=127.0.0.1:").unwrap();
            let digits = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap();
            rest[..digits].parse().unwrap()
        })
        .collect()
    }
}

/// What those who did not read had waiting when they were cut, and what the kernel had taken for them.
#[derive(Default)]
struct Cuts {
    waited_bytes: Vec<i64>,
    kernel_bytes: Vec<i64>,
    cut_ms: Vec<u64>,
}

impl Cuts {
    fn take(&mut self, stage: &Stage, watched: Vec<Watched>) {
        for one in watched {
            let (after, sent) = one.cut.unwrap_or_else(|| panic!("{} was not cut", one.person));
            let found = one.stalled.read_all();
            assert!(found.farewell.contains(r#""reason":"slow""#), "{found:?}");
            self.waited_bytes.push(sent as i64 - found.bytes as i64);
            self.kernel_bytes.push(found.bytes as i64);
            self.cut_ms.push(after.as_millis() as u64);
            stage.come_back(one.person, &found);
        }
    }

    fn note(&self, figures: &mut Figures, name: &str) {
        figures.note(&format!("{name}_waited_kib"), self.waited_bytes.iter().max().unwrap() / 1024);
        figures.note(&format!("{name}_kernel_kib"), self.kernel_bytes.iter().max().unwrap() / 1024);
        figures.note(&format!("{name}_cut_ms"), self.cut_ms.iter().max().unwrap());
        for waited in &self.waited_bytes {
            assert!(*waited <= OUTLET_BYTES_MAX as i64 + BLOCK_BYTES_MAX, "{waited} bytes waited: {figures}");
        }
    }
}

/// G12; F13, V10: the others' delays with and without one that stands still; what waits for it; and its return.
#[test]
fn g12_a_reader_that_stands_still_delays_nobody() {
    let asked_rounds = asked("TALKO_SLOW_READER_ROUNDS", 1) as usize;
    let is_long = asked_rounds > 1;
    let rounds_max = if is_long { asked_rounds } else { ROUNDS_MAX_SHORT };
    let mut stage = Stage::open(if is_long { MEASURING } else { MEASURING_SHORT });
    let lasts = Duration::from_secs(if is_long { 10 } else { 2 });
    stage.phase(lasts / 2, &mut [], false);
    let (mut without, mut with, mut cuts) = (Vec::new(), Vec::new(), Cuts::default());
    let (mut alone, mut beside);
    loop {
        alone = part(&stage.phase(lasts, &mut [], false), 990);
        without.push(alone);
        let mut watched = stage.stop_reading(1);
        beside = part(&stage.phase(lasts, &mut watched, false), 990);
        with.push(beside);
        cuts.take(&stage, watched);
        if with.len() == rounds_max || !is_long && is_little(alone, beside) {
            break;
        }
    }
    if is_long {
        (alone, beside) = (part(&without, 500), part(&with, 500));
    }
    let mut figures = Figures::default();
    let change = percent(alone, beside);
    figures.note("slow_reader_rounds", without.len());
    figures.note("readers", stage.measuring());
    figures.note("p99_without_us", alone);
    figures.note("p99_with_us", beside);
    figures.note("slow_reader_delta_p99_percent", change);
    cuts.note(&mut figures, "one");
    if is_long {
        for (name, count, crawling) in [("hundred", 100, false), ("crawling", 10, true)] {
            let mut watched = stage.stop_reading(count);
            figures.note(&format!("{name}_p99_us"), part(&stage.phase(lasts, &mut watched, crawling), 990));
            let mut cuts = Cuts::default();
            cuts.take(&stage, watched);
            cuts.note(&mut figures, name);
        }
    }
    figures.note("peak_rss_mb", stage.house.status("VmHWM")[0] / 1024);
    println!("{figures} without={without:?} with={with:?}");
    assert_eq!(stage.room.lost(), 0, "{figures}");
    if is_long {
        let mut kept = Figures::default();
        kept.note("slow_reader_delta_p99", change);
        kept.note("slow_reader_cut_kib", cuts.waited_bytes.iter().max().unwrap() / 1024);
        kept.note("slow_reader_cut_s", *cuts.cut_ms.iter().max().unwrap() as f64 / 1_000.0);
        figures::keep("slow_reader", &kept.to_string());
        assert!(change <= CHANGE_PERCENT_MAX, "{figures}");
        assert!(cuts.cut_ms.iter().all(|ms| *ms <= CUT_MS_MAX), "{figures}");
    } else {
        assert!(is_little(alone, beside), "{figures}");
    }
}

/// By how much a delay has grown.
fn percent(alone: u64, beside: u64) -> i64 {
    (beside as i64 - alone as i64) * 100 / alone.max(1) as i64
}

/// Whether that is nothing where many a test runs beside.
fn is_little(alone: u64, beside: u64) -> bool {
    percent(alone, beside) <= CHANGE_PERCENT_MAX_SHORT || beside as i64 - alone as i64 <= CHANGE_US_IGNORED
}
