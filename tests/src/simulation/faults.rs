//! What goes wrong in a simulated run, and how it is mended.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::bus::Weather;
use super::pipe::{CLIENT, SERVER};
use super::{BROADCAST, DATA, House};

/// Longest absence of a server, and of a link, in milliseconds.
const ABSENCE_MS: u64 = 4_000;

/// How often each fault happened.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    pub data_kills: usize,
    pub broadcast_kills: usize,
    pub cuts: usize,
    pub cuts_within: usize,
    pub silences: usize,
    pub partitions: usize,
    pub link_cuts: usize,
    pub slow_times: usize,
}

impl Tally {
    pub fn add(&mut self, other: &Self) {
        self.data_kills += other.data_kills;
        self.broadcast_kills += other.broadcast_kills;
        self.cuts += other.cuts;
        self.cuts_within += other.cuts_within;
        self.silences += other.silences;
        self.partitions += other.partitions;
        self.link_cuts += other.link_cuts;
        self.slow_times += other.slow_times;
    }
}

impl House {
    /// One fault after the other.
    pub(super) async fn have_faults(&mut self) {
        let until = Instant::now() + Duration::from_secs(self.plan.faults_s);
        while Instant::now() < until {
            let nature = self.world.nature.clone();
            tokio::time::sleep(nature.dice.up_to_ms(self.plan.fault_pause_ms)).await;
            let fault = nature.dice.below(12);
            nature.trace.note(("fault", fault));
            match fault {
                0 | 1 => self.kill(true, nature.dice.percent(10)).await,
                2 => self.kill(false, true).await,
                3 => {
                    self.tally.cuts += 1;
                    self.world.wires_of(None).iter().for_each(|wire| wire.cut());
                }
                4..=7 => self.hurt_one_connection(fault),
                8 => self.part().await,
                9 => {
                    self.tally.link_cuts += 1;
                    self.bus.set_cut(true);
                    tokio::time::sleep(nature.dice.up_to_ms(ABSENCE_MS)).await;
                    self.bus.set_cut(false);
                }
                _ => {
                    self.tally.slow_times += 1;
                    nature.delay_ms.store(nature.dice.between(1, 2_000), Ordering::Relaxed);
                    tokio::time::sleep(nature.dice.up_to_ms(ABSENCE_MS)).await;
                    nature.delay_ms.store(self.plan.delay_ms, Ordering::Relaxed);
                }
            }
        }
    }

    /// Kills servers, and starts them again some time later.
    async fn kill(&mut self, data: bool, broadcast: bool) {
        if data {
            self.tally.data_kills += 1;
            self.data.kill();
        }
        if broadcast {
            self.tally.broadcast_kills += 1;
            self.broadcast.kill();
        }
        let dice = self.world.nature.dice.clone();
        let most_ms = if dice.percent(50) { 50 } else { ABSENCE_MS };
        tokio::time::sleep(dice.up_to_ms(most_ms)).await;
        self.revive();
    }

    fn revive(&mut self) {
        if !self.data.is_alive() {
            self.data.revive();
        }
        if !self.broadcast.is_alive() {
            self.broadcast.revive();
        }
    }

    fn hurt_one_connection(&mut self, fault: usize) {
        let dice = &self.world.nature.dice;
        let wires = self.world.wires_of(None);
        if wires.is_empty() {
            return;
        }
        let wire = wires[dice.below(wires.len())].clone();
        match fault {
            4 => {
                self.tally.cuts += 1;
                wire.cut();
            }
            5 | 6 => {
                self.tally.cuts_within += 1;
                let side = if dice.percent(50) { CLIENT } else { SERVER };
                wire.cut_after(side, dice.between(0, 400) as usize);
            }
            _ => {
                self.tally.silences += 1;
                self.world.swallow(wire);
            }
        }
    }

    /// Nobody reaches one of the servers for a while.
    async fn part(&mut self) {
        self.tally.partitions += 1;
        let dice = &self.world.nature.dice;
        let address = if dice.percent(50) { DATA } else { BROADCAST }.parse().unwrap();
        self.world.part_from(address);
        tokio::time::sleep(dice.up_to_ms(ABSENCE_MS)).await;
        self.world.join(address);
    }

    /// From now on nothing fails. What was swallowed is given up by the kernels in their own time.
    pub(super) fn mend(&mut self) {
        self.revive();
        self.bus.set_weather(Weather::default());
    }
}
