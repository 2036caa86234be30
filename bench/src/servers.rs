//! Both servers, in one process or in two, with people who speak to the one and listen to the other.

use std::net::SocketAddr;

use anyhow::Result;

use crate::house::{House, Talko};
use crate::language;
use crate::load::Load;
use crate::rooms;
use crate::senders::talko_connection;

/// Files that this process, and the servers which it starts, may have open: as an operator would set it.
const FILES_MAX: u64 = 65_536;

/// See the module.
pub(crate) struct Servers {
    processes: Vec<Talko>,
    data: SocketAddr,
    broadcast: SocketAddr,
}

impl Servers {
    /// As installed.
    ///
    /// # Errors
    /// They do not start.
    pub(crate) fn in_one_process(house: &House, cores: &[usize]) -> Result<Self> {
        rlimit::increase_nofile_limit(FILES_MAX)?;
        let both = house.up(cores)?;
        let (data, broadcast) = (both.data_address()?, both.broadcast_address()?);
        Ok(Self { processes: vec![both], data, broadcast })
    }

    /// With a link in between.
    ///
    /// # Errors
    /// They do not start.
    pub(crate) fn in_two_processes(house: &House, cores: &[usize]) -> Result<Self> {
        rlimit::increase_nofile_limit(FILES_MAX)?;
        let hearing = house.broadcast_server(cores)?;
        let broadcast = hearing.broadcast_address()?;
        let storing = house.data_server(broadcast, cores)?;
        let data = storing.data_address()?;
        Ok(Self { processes: vec![storing, hearing], data, broadcast })
    }

    /// These people speak, and those listen in rooms in which nothing was said yet.
    ///
    /// # Errors
    /// A connection is refused.
    pub(crate) fn load(
        &self,
        speakers: impl IntoIterator<Item = i64>,
        listeners: impl IntoIterator<Item = (i64, Vec<i64>)>,
    ) -> Result<Load<language::Talko>> {
        let mut load = Load::new(language::Talko)?;
        let registry = load.registry()?;
        for person in speakers {
            load.senders.add(talko_connection(self.data, person)?, &registry)?;
        }
        for (person, rooms) in listeners {
            load.readers.open(self.broadcast, person, rooms.into_iter(), &registry)?;
        }
        Ok(load)
    }

    /// Seconds of processor time of both.
    pub(crate) fn processor_s(&self) -> f64 {
        self.processes.iter().map(|process| process.server.processor_s()).sum()
    }

    /// Waits for the last delivery, ends both, and compares what is stored with what was acknowledged to `speakers`, in
    /// the order in which they were named.
    ///
    /// # Errors
    /// A delivery or a message is missing.
    pub(crate) fn end(
        &mut self,
        house: &House,
        load: &mut Load<language::Talko>,
        speakers: impl IntoIterator<Item = i64>,
    ) -> Result<()> {
        load.rest()?;
        self.processes.iter_mut().for_each(|process| process.server.stop("TERM"));
        let acknowledged: Vec<_> = speakers.into_iter().zip(load.senders.answered_of_each()).collect();
        rooms::check(&house.database(), &acknowledged)
    }
}
