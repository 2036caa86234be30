//! Wrong passwords and new accounts (G22): what is counted, what is given back, and how an owner is not locked out.
//!
//! A guess is counted before the password is hashed, so that guesses side by side are all counted and one that is refused
//! costs no hash; and given back unless the password turns out to be wrong. Three counts stand against an address that an
//! account was never used from: of this account from this address, of this account from all such addresses, and of this
//! address. Against an address that the account was used from stands one count of that pair alone: whoever guesses from
//! anywhere else leaves the owner's own addresses alone, and all that the guesses can delay is the owner's first
//! login from a new address. A login gives nothing back but its own pair's count: a guesser would get new guesses
//! with each login of the owner otherwise, or with logins to an account of his own.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ttp::model::UserId;

use super::gcra::{Gcra, Rate};
use super::rates::GuessRates;
use super::table::Table;
use super::{Source, Throttle, milliseconds};

/// Addresses that are remembered of one account, so that no account fills the table.
const SOURCES_MAX: usize = 8;

/// How long an address is remembered after it was used.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 3600);

/// Whose password is guessed. Names that nobody has are limited like others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Account {
    /// Somebody's.
    Of(UserId),
    /// Nobody's; the name's hash.
    Nobody(u64),
}

impl Account {
    /// Of a name that nobody has.
    pub(crate) fn nobody(name: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        Self::Nobody(hasher.finish())
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Subject {
    Stranger(Account, Source),
    Account(Account),
    Address(Source),
    Acquaintance(Account, Source),
    Registrations(Source),
}

impl Subject {
    /// All newcomers of one kind together, when there is no place for another.
    fn crowd(self) -> usize {
        match self {
            Self::Stranger(..) => 0,
            Self::Account(_) => 1,
            Self::Address(_) => 2,
            Self::Acquaintance(..) => 3,
            Self::Registrations(_) => 4,
        }
    }
}

/// Where an account was used from.
#[derive(Debug, Clone, Copy, Default)]
struct Uses {
    sources: [Option<(Source, u64)>; SOURCES_MAX],
}

impl Uses {
    fn last_ns(&self) -> u64 {
        self.sources.iter().flatten().map(|(_, used_ns)| *used_ns).max().unwrap_or(0)
    }

    /// Notes a use, in place of the one that is longest ago.
    fn note(&mut self, source: Source, now_ns: u64) {
        let same = |place: &Option<(Source, u64)>| place.is_some_and(|(known, _)| known == source);
        let oldest = || {
            let ages = self.sources.iter().map(|place| place.map(|(_, used_ns)| used_ns));
            ages.enumerate().min_by_key(|(_, used_ns)| *used_ns).map_or(0, |(place, _)| place)
        };
        let place = self.sources.iter().position(same).unwrap_or_else(oldest);
        self.sources[place] = Some((source, now_ns));
    }
}

/// What is remembered of guesses.
#[derive(Debug)]
pub(super) struct Guesses {
    counts: Table<Subject, Gcra>,
    /// Of those that found no place, one for each kind.
    crowds: [Gcra; 5],
    uses: Table<UserId, Uses>,
}

impl Guesses {
    pub(super) fn new(entries_max: usize) -> Self {
        Self { counts: Table::new(entries_max), crowds: [Gcra::default(); 5], uses: Table::new(entries_max) }
    }

    pub(super) fn is_acquainted(&mut self, account: Account, source: Source) -> bool {
        let Account::Of(user_id) = account else {
            return false;
        };
        let uses = self.uses.get(user_id);
        uses.is_some_and(|uses| uses.sources.iter().flatten().any(|(known, _)| *known == source))
    }

    /// The counts that a guess is held against.
    fn held_against(&mut self, rates: &GuessRates, account: Account, source: Source) -> Counted {
        let of = |subject, rate: Option<Rate>| rate.map(|rate| (subject, rate));
        if self.is_acquainted(account, source) {
            return [of(Subject::Acquaintance(account, source), rates.acquaintance), None, None];
        }
        [
            of(Subject::Stranger(account, source), rates.stranger),
            of(Subject::Account(account), rates.account),
            of(Subject::Address(source), rates.address),
        ]
    }

    /// Counts in all, or in none and says how long it is too early.
    fn count(&mut self, counted: &Counted, now_ns: u64) -> Result<(), u64> {
        let mut early_ns = 0;
        for (subject, rate) in counted.iter().flatten() {
            early_ns = early_ns.max(self.of(*subject, now_ns).early_ns(*rate, now_ns));
        }
        if early_ns > 0 {
            return Err(early_ns);
        }
        for (subject, rate) in counted.iter().flatten() {
            self.of(*subject, now_ns).take(*rate, now_ns);
        }
        Ok(())
    }

    fn of(&mut self, subject: Subject, now_ns: u64) -> &mut Gcra {
        let is_stale = |count: &Gcra| count.is_stale(now_ns);
        match self.counts.enter(subject, Gcra::default(), is_stale) {
            Some(count) => count,
            None => &mut self.crowds[subject.crowd()],
        }
    }

    fn give_back(&mut self, counted: &Counted) {
        for (subject, rate) in counted.iter().flatten() {
            match self.counts.get(*subject) {
                Some(count) => count.give_back(*rate),
                None => self.crowds[subject.crowd()].give_back(*rate),
            }
        }
    }

    fn note_use(&mut self, user_id: UserId, source: Source, now_ns: u64) {
        let long_ago_ns = now_ns.saturating_sub(REMEMBERED.as_nanos() as u64);
        let new = Uses::default();
        if self.uses.enter(user_id, new, |uses| uses.last_ns() < long_ago_ns).is_none() {
            // No place: somebody is forgotten, whose next login is a stranger's.
            self.uses.enter(user_id, new, |_| true);
        }
        if let Some(uses) = self.uses.get(user_id) {
            uses.note(source, now_ns);
        }
        for subject in [Subject::Stranger, Subject::Acquaintance] {
            if let Some(count) = self.counts.get(subject(Account::Of(user_id), source)) {
                *count = Gcra::default();
            }
        }
    }
}

/// What was counted, for giving it back.
type Counted = [Option<(Subject, Rate)>; 3];

/// Something that counts, unless this is dropped.
#[derive(Debug)]
#[must_use = "dropping it gives the count back"]
pub(crate) struct Counting {
    throttle: Arc<Throttle>,
    counted: Counted,
}

impl Counting {
    /// It counts.
    pub(crate) fn keep(mut self) {
        self.counted = Counted::default();
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        if self.counted.iter().any(Option::is_some) {
            self.throttle.guesses().give_back(&self.counted);
        }
    }
}

/// A password that may be looked at. Dropped without a word, as when there was no time for the hash, it does not count.
#[derive(Debug)]
#[must_use = "dropping it gives the count back"]
pub(crate) struct Guess {
    counting: Counting,
}

impl Guess {
    /// The password was wrong.
    pub(crate) fn was_wrong(self) {
        self.counting.throttle.counters.guess_wrong();
        self.counting.keep();
    }
}

impl Throttle {
    /// Lets a password be looked at, or says after how many milliseconds it may be.
    pub(crate) fn guess(
        self: &Arc<Self>,
        account: Account,
        source: Source,
        now: Instant,
    ) -> Result<Guess, u64> {
        let now_ns = self.since_began_ns(now);
        let mut guesses = self.guesses();
        let counted = guesses.held_against(&self.rates.guesses, account, source);
        let result = guesses.count(&counted, now_ns);
        drop(guesses);
        match result {
            Ok(()) => Ok(Guess { counting: Counting { throttle: Arc::clone(self), counted } }),
            Err(early_ns) => {
                self.counters.refuse_guess();
                Err(milliseconds(early_ns))
            }
        }
    }

    /// Somebody proved from this address to be this person: by a password, or by the token of a session.
    pub(crate) fn note_use(&self, user_id: UserId, source: Source, now: Instant) {
        let now_ns = self.since_began_ns(now);
        self.guesses().note_use(user_id, source, now_ns);
    }

    /// Lets an account be made from this address, or says after how many milliseconds it may be. Dropped, it does not
    /// count: it is kept when the account is there.
    pub(crate) fn registration(self: &Arc<Self>, source: Source, now: Instant) -> Result<Counting, u64> {
        let now_ns = self.since_began_ns(now);
        let rate = self.rates.registrations;
        let counted = [rate.map(|rate| (Subject::Registrations(source), rate)), None, None];
        let result = self.guesses().count(&counted, now_ns);
        match result {
            Ok(()) => Ok(Counting { throttle: Arc::clone(self), counted }),
            Err(early_ns) => {
                self.counters.refuse_registration();
                Err(milliseconds(early_ns))
            }
        }
    }
}
