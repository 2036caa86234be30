//! Both servers of the storm, in processes of their own: killed at one moment, and started again where they were.

use std::net::SocketAddr;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::house::{House, Talko};

/// See the module.
pub(crate) struct Servers {
    broadcast: Talko,
    data: Talko,
}

impl Servers {
    /// Starts both, on these addresses if there were some.
    ///
    /// # Errors
    /// One of them does not start.
    pub(crate) fn start(house: &House, cores: &[usize], addresses: Option<[SocketAddr; 2]>) -> Result<Self> {
        let any = || String::from("127.0.0.1:0");
        let [broadcast, data] = addresses.map_or([any(), any()], |both| both.map(|one| one.to_string()));
        let broadcast = house.start(&["broadcast-server", "--broadcast-address", &broadcast], cores)?;
        let told = broadcast.broadcast_address()?.to_string();
        let place = ["--data-address", &data, "--broadcast-address", &told];
        let data = house.start(&[&["data-server", "--db", "talko.db"], &place[..]].concat(), cores)?;
        Ok(Self { broadcast, data })
    }

    /// Of the broadcast-server, and of the data-server.
    ///
    /// # Errors
    /// They have not said.
    pub(crate) fn addresses(&self) -> Result<[SocketAddr; 2]> {
        Ok([self.broadcast.broadcast_address()?, self.data.data_address()?])
    }

    /// Kills both at one moment.
    ///
    /// # Errors
    /// One of them has ended before.
    pub(crate) fn kill(self) -> Result<()> {
        let both = [&self.broadcast, &self.data].map(|talko| talko.server.id().to_string());
        let status = Command::new("kill").arg("-KILL").args(both).status()?;
        ensure!(status.success(), "a server was dead before it was killed");
        Ok(())
    }

    /// Seconds of processor time since they were started.
    pub(crate) fn processor_s(&self) -> [f64; 2] {
        [&self.broadcast, &self.data].map(|talko| talko.server.processor_s())
    }

    /// The most memory that each has had, in MiB.
    ///
    /// # Errors
    /// One of them has ended.
    pub(crate) fn peak_mib(&self) -> Result<[f64; 2]> {
        let peak = |talko: &Talko| anyhow::Ok(talko.server.memory_kib("VmHWM")? as f64 / 1_024.0);
        Ok([peak(&self.broadcast)?, peak(&self.data)?])
    }
}
