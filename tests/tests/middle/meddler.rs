//! Somebody in the middle, who knows where the records of TLS begin and does one thing wrong when told to.

use std::sync::{Arc, Mutex};

use tests::proxy::{Hand, Proxy, Way};

/// What is done wrong, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// One bit of the byte that comes after so many others.
    Flip { after: usize, bit: u8 },
    /// The next record comes twice.
    Repeat,
    /// It does not come.
    Drop,
    /// It comes behind the one after it.
    Swap,
}

/// What has become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    Waits,
    /// In a byte of the head of a record, counted from 0, or behind its five.
    At(usize),
}

#[derive(Debug, Clone, Copy)]
struct Order {
    way: Way,
    wrong: Wrong,
}

/// Gives orders to those who sit on the connections of one road.
#[derive(Clone, Default)]
pub(crate) struct Middle(Arc<Mutex<(Option<Order>, Option<usize>)>>);

impl Middle {
    /// Sits down on all connections to come.
    pub(crate) fn sit_on(proxy: &Proxy) -> Self {
        let middle = Self::default();
        let orders = middle.clone();
        proxy.lay_hands(move || Box::new(Meddler { orders: orders.clone(), lines: Default::default() }));
        middle
    }

    pub(crate) fn order(&self, way: Way, wrong: Wrong) {
        *self.0.lock().unwrap() = (Some(Order { way, wrong }), None);
    }

    pub(crate) fn done(&self) -> Done {
        self.0.lock().unwrap().1.map_or(Done::Waits, Done::At)
    }
}

/// Bytes of a record's head.
const HEAD_BYTES: usize = 5;

#[derive(Default)]
struct Line {
    /// Of the record that has begun.
    begun: Vec<u8>,
    /// Was to come, and waits for the next.
    held: Option<Vec<u8>>,
}

struct Meddler {
    orders: Middle,
    lines: [Line; 2],
}

impl Hand for Meddler {
    fn pass(&mut self, way: Way, bytes: &[u8]) -> Vec<u8> {
        let line = &mut self.lines[usize::from(way == Way::Down)];
        let mut passing = Vec::new();
        for byte in bytes {
            line.begun.push(*byte);
            let Some(head) = line.begun.first_chunk::<HEAD_BYTES>() else { continue };
            if line.begun.len() < HEAD_BYTES + usize::from(u16::from_be_bytes([head[3], head[4]])) {
                continue;
            }
            let record = std::mem::take(&mut line.begun);
            passing.extend(self.orders.work_on(way, record, &mut line.held));
        }
        passing
    }
}

impl Middle {
    fn work_on(&self, way: Way, mut record: Vec<u8>, held: &mut Option<Vec<u8>>) -> Vec<u8> {
        if let Some(held) = held.take() {
            return [record, held].concat();
        }
        let mut orders = self.0.lock().unwrap();
        let Some(order) = orders.0.take_if(|order| order.way == way) else { return record };
        match order.wrong {
            Wrong::Flip { after, bit } if after < record.len() => {
                record[after] ^= 1 << bit;
                orders.1 = Some(after.min(HEAD_BYTES));
                return record;
            }
            Wrong::Flip { after, bit } => {
                let wrong = Wrong::Flip { after: after - record.len(), bit };
                orders.0 = Some(Order { wrong, ..order });
                return record;
            }
            _ => orders.1 = Some(HEAD_BYTES),
        }
        match order.wrong {
            Wrong::Repeat => [&record[..], &record].concat(),
            Wrong::Drop => Vec::new(),
            _ => {
                *held = Some(record);
                Vec::new()
            }
        }
    }
}
