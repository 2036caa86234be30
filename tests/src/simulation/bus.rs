//! The bus between the two simulated servers: hints take their time and may be lost, doubled or overtaken; the link
//! is cut and comes back, and then says so.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bus::{ANSWER_TIMEOUT, Answer, Directory, Hint, Publisher, Receiver, Unavailable};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep, timeout};
use ttp::model::UserId;

use super::Mutant;
use super::world::Nature;

/// What hints have to bear.
#[derive(Debug, Clone, Copy, Default)]
pub struct Weather {
    pub lost_percent: u64,
    pub doubled_percent: u64,
    pub overtaken_percent: u64,
}

/// See the module. Both servers hold it, and find the other through it, if it is there.
pub struct Bus {
    nature: Arc<Nature>,
    /// Rings at the broadcast-server.
    pub bell: Arc<Notify>,
    mutant: Option<Mutant>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    weather: Weather,
    receiver: Option<Arc<dyn Receiver>>,
    directory: Option<Arc<dyn Directory>>,
    /// Counts the lives of the link: what was sent in an earlier one does not arrive.
    life: u64,
    is_cut: bool,
    last_arrival: Option<Instant>,
}

impl Bus {
    pub fn new(nature: Arc<Nature>, mutant: Option<Mutant>) -> Arc<Self> {
        Arc::new(Self { nature, bell: Arc::default(), mutant, state: Mutex::default() })
    }

    pub fn set_weather(&self, weather: Weather) {
        self.state.lock().unwrap().weather = weather;
    }

    /// The broadcast-server has come, or gone.
    pub fn set_receiver(&self, receiver: Option<Arc<dyn Receiver>>) {
        let mut state = self.state.lock().unwrap();
        state.life += 1;
        state.receiver = receiver;
        self.announce(&state);
    }

    /// The data-server has come, or gone.
    pub fn set_directory(&self, directory: Option<Arc<dyn Directory>>) {
        let mut state = self.state.lock().unwrap();
        state.life += 1;
        state.directory = directory;
        self.announce(&state);
    }

    /// Cuts the link: what is under way is lost, and until it is mended all that is published.
    pub fn set_cut(&self, is_cut: bool) {
        let mut state = self.state.lock().unwrap();
        state.life += 1;
        state.is_cut = is_cut;
        self.announce(&state);
    }

    /// A link that is new says that hints may have been lost.
    fn announce(&self, state: &State) {
        if let (Some(receiver), Some(_), false) = (&state.receiver, &state.directory, state.is_cut) {
            if self.mutant != Some(Mutant::ForgetfulBus) {
                receiver.resync();
            }
            self.bell.notify_one();
        }
    }

    /// When what is sent now arrives, and in which life of the link.
    fn send(&self, in_order: bool) -> (Instant, u64) {
        let mut state = self.state.lock().unwrap();
        let now = Instant::now();
        let mut arrival = now + self.nature.delay();
        if in_order {
            arrival = arrival.max(state.last_arrival.unwrap_or(now));
            state.last_arrival = Some(arrival);
        }
        (arrival, state.life)
    }

    fn arrive(&self, hints: Vec<Hint>, life: u64) {
        let state = self.state.lock().unwrap();
        if state.life == life
            && !state.is_cut
            && let Some(receiver) = &state.receiver
        {
            self.nature.trace.note(format!("{hints:?}"));
            receiver.receive(hints);
            self.bell.notify_one();
        }
    }
}

/// The bus, as the data-server of one life holds it.
pub struct Way(pub Arc<Bus>);

impl Publisher for Way {
    fn publish(&self, hints: Vec<Hint>) {
        let dice = &self.0.nature.dice;
        let weather = self.0.state.lock().unwrap().weather;
        for hint in hints {
            let is_digest = matches!(hint, Hint::Head(_) | Hint::Moved(_) | Hint::Ended(_));
            if is_digest && self.0.mutant == Some(Mutant::ForgetfulBus) || dice.percent(weather.lost_percent)
            {
                continue;
            }
            let copies = 1 + usize::from(dice.percent(weather.doubled_percent));
            for _ in 0..copies {
                let (arrival, life) = self.0.send(!dice.percent(weather.overtaken_percent));
                let (bus, hint) = (Arc::clone(&self.0), hint.clone());
                tokio::spawn(async move {
                    tokio::time::sleep_until(arrival).await;
                    bus.arrive(vec![hint], life);
                });
            }
        }
    }
}

impl Directory for Bus {
    fn hearing_of(&self, users: Vec<UserId>, answer: Answer) {
        let (there, back): (Duration, Duration) = (self.nature.delay(), self.nature.delay());
        let state = self.state.lock().unwrap();
        let directory = state.directory.clone().filter(|_| !state.is_cut);
        let bell = Arc::clone(&self.bell);
        drop(state);
        tokio::spawn(async move {
            sleep(there).await;
            let (sender, hearing) = oneshot::channel();
            let mut found = Err(Unavailable);
            if let Some(directory) = directory {
                directory.hearing_of(users, Box::new(move |hearing| drop(sender.send(hearing))));
                if let Ok(Ok(hearing)) = timeout(ANSWER_TIMEOUT, hearing).await {
                    found = hearing;
                }
            }
            sleep(back).await;
            answer(found);
            bell.notify_one();
        });
    }
}
