//! What a run came to: one line that machines read, and what people need when it is not all zeros.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use ttp::net::clock;

use super::Plan;
use crate::history::{History, Outcome, Rule, Verdict};
use crate::power::{Cut, Loss};

/// The figures of a run.
#[derive(Debug, Clone, Default)]
pub struct Report {
    pub date: String,
    pub seed: u64,
    pub acknowledged: usize,
    pub refused: usize,
    pub indeterminate: usize,
    pub delivered: usize,
    /// Kills by shot.
    pub shots: BTreeMap<String, usize>,
    /// Power cuts, and what they took.
    pub cuts: Vec<Cut>,
    /// What was wrong in databases right after a cut, the first thing of each.
    pub broken_disks: Vec<String>,
    /// From the start of a process to its being ready.
    pub restarts: Vec<Duration>,
    /// From then to the moment when every reader had everything that was acknowledged before.
    pub catch_ups: Vec<Duration>,
    pub took: Duration,
    pub verdict: Verdict,
}

impl Report {
    /// Completes the figures when the run is over.
    pub(super) fn judge(mut self, plan: &Plan, history: &History, verdict: Verdict, took: Duration) -> Self {
        for operation in &history.operations {
            match operation.outcome {
                Outcome::Stored(_) => self.acknowledged += 1,
                Outcome::NotStored => self.refused += 1,
                Outcome::Indeterminate => self.indeterminate += 1,
            }
        }
        self.delivered = history.readers.iter().map(|reader| reader.deliveries.len()).sum();
        let now = jiff::Timestamp::from_millisecond(clock::now_ms()).expect("the clock is in this age");
        self.date = now.strftime("%Y-%m-%dT%H:%MZ").to_string();
        (self.seed, self.verdict, self.took) = (plan.seed, verdict, took);
        self
    }

    pub fn kills(&self) -> usize {
        self.shots.values().sum()
    }

    /// What the cuts were like, for people.
    pub fn cuts_in_words(&self) -> String {
        let of = |loss: Loss| self.cuts.iter().filter(|cut| cut.loss == loss).count();
        let sum = |number: fn(&Cut) -> usize| self.cuts.iter().map(number).sum::<usize>();
        format!(
            "all={} suffix={} subset={} unsynced={} undone={} torn={} in_checkpoint={} \
             names_undone={} broken_disks={}",
            of(Loss::All),
            of(Loss::Suffix),
            of(Loss::Subset),
            sum(|cut| cut.unsynced),
            sum(|cut| cut.undone),
            sum(|cut| cut.torn),
            sum(|cut| cut.in_checkpoint.into()),
            sum(|cut| cut.names_undone.into()),
            self.broken_disks.len(),
        )
    }

    pub fn lost(&self) -> usize {
        self.verdict.count(&[Rule::AcknowledgedIsStored])
    }

    pub fn doubled(&self) -> usize {
        self.verdict.count(&[Rule::StoredOnce, Rule::EchoedOnce])
    }

    pub fn resurrected(&self) -> usize {
        self.verdict.count(&[Rule::RefusedIsNotStored])
    }

    pub fn gaps(&self) -> usize {
        self.verdict.count(&[Rule::Dense, Rule::ReaderIsComplete, Rule::RealTimeOrder])
    }

    pub fn ghosts(&self) -> usize {
        self.verdict.count(&[Rule::NothingForeign, Rule::DeliveredIsStored])
    }

    /// The first things that are wrong, in words.
    pub fn wrongs(&self) -> String {
        let wrongs: Vec<String> = self.verdict.violations.iter().take(20).map(ToString::to_string).collect();
        wrongs.join("\n")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (date, seed, kills, acked) = (&self.date, self.seed, self.kills(), self.acknowledged);
        write!(out, "run={date} seed={seed} kills={kills} cuts={} ", self.cuts.len())?;
        write!(out, "acked={acked} lost={} ", self.lost())?;
        write!(out, "dup={} resurrected={} ", self.doubled(), self.resurrected())?;
        write!(out, "gaps={} ghosts={} ", self.gaps(), self.ghosts())?;
        write!(out, "refused={} indeterminate={} ", self.refused, self.indeterminate)?;
        write!(out, "delivered={} ", self.delivered)?;
        write!(out, "restart_p99_ms={} ", p99(&self.restarts).as_millis())?;
        write!(out, "catchup_p99_ms={} seconds={}", p99(&self.catch_ups).as_millis(), self.took.as_secs())
    }
}

/// The duration that one of a hundred exceeds.
pub(super) fn p99(durations: &[Duration]) -> Duration {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() * 99 / 100).or(sorted.last()).copied().unwrap_or_default()
}
