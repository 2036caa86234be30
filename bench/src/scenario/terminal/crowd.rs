//! People who say so many messages a second in one room, each waiting for an answer before speaking again.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use serde_json::json;
use ttp::net::clock;

use crate::asker::Asker;
use crate::language::Key;

/// The room.
const ROOM: i64 = 1;

/// The part of the wanted rate below which the figures would be those of another question.
const RATE_PART_MIN: f64 = 0.9;

/// See the module.
pub(super) struct Crowd {
    data_address: SocketAddr,
    people: RangeInclusive<i64>,
    /// Messages so far, of all times.
    said: u64,
}

/// What was found while they spoke.
pub(super) struct Heard<T> {
    pub(super) found: T,
    /// What the last message says, and when it was acknowledged.
    pub(super) last_text: String,
    pub(super) ended: Instant,
    pub(super) per_s: f64,
}

impl Crowd {
    /// These people, who are in the room.
    pub(super) fn new(data_address: SocketAddr, people: RangeInclusive<i64>) -> Self {
        Self { data_address, people, said: 0 }
    }

    /// Speaks until `find` has found something. Connections are made for it: servers end those that are silent for long.
    ///
    /// # Errors
    /// It did not, a message was refused, or the rate was not reached.
    pub(super) fn while_speaking<T>(
        &mut self,
        per_s: u32,
        find: impl FnOnce() -> Result<T>,
    ) -> Result<Heard<T>> {
        let connect = |person| Asker::person(self.data_address, person);
        let mut speakers: Vec<Asker> = self.people.clone().map(connect).collect::<Result<_>>()?;
        let is_over = AtomicBool::new(false);
        let begun = clock::now();
        let before = self.said;
        let (found, spoken) = thread::scope(|scope| {
            let speaking =
                scope.spawn(|| self.speak(&mut speakers, Duration::from_secs(1) / per_s, &is_over));
            let found = find();
            is_over.store(true, Ordering::Release);
            (found, speaking.join())
        });
        spoken.map_err(|_| anyhow!("the speakers panicked"))??;
        let found = found?;
        let ended = clock::now();
        let reached = (self.said - before) as f64 / (ended - begun).as_secs_f64();
        ensure!(
            reached >= f64::from(per_s) * RATE_PART_MIN,
            "{reached:.0} messages a second were said instead of {per_s}: is the machine busy?"
        );
        Ok(Heard { found, last_text: token(self.said - 1), ended, per_s: reached })
    }

    /// A message is due at each interval; one that is late does not make the others late.
    fn speak(&mut self, speakers: &mut [Asker], interval: Duration, is_over: &AtomicBool) -> Result<()> {
        let mut due = clock::now();
        let mut waiting = vec![false; speakers.len()];
        while !is_over.load(Ordering::Acquire) {
            if let Some(left) = due.checked_duration_since(clock::now()) {
                thread::sleep(left);
            }
            due += interval;
            let place = (self.said % speakers.len() as u64) as usize;
            let speaker = &mut speakers[place];
            if std::mem::replace(&mut waiting[place], true) {
                speaker.receive("InsertMessage")?;
            }
            let text = format!("{} and so on, and so on, and so on", token(self.said));
            let key = Key(place, self.said).to_string();
            let message = json!({"chat_id": ROOM, "message_text": text, "client_message_id": key});
            speaker.send("InsertMessage", &message)?;
            self.said += 1;
        }
        let mut spoken = speakers.iter_mut().zip(waiting).filter(|(_, is_waiting)| *is_waiting);
        spoken.try_for_each(|(speaker, _)| speaker.receive("InsertMessage").map(drop))
    }
}

/// A word that stands in one message alone.
fn token(number: u64) -> String {
    format!("said{number:07}")
}
