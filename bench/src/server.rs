//! Whatever is measured: a process on cores of its own, with its processor time and memory read from the operating
//! system. Dropping it ends it.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use ttp::net::clock;

use crate::machine::{GENERATOR_CORE, pin};

/// Longest wait for a server to answer on its port.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// Ticks of a second in `/proc/PID/stat`, on every Linux that there is.
const TICKS_PER_S: f64 = 100.0;

/// See the module.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
}

impl Server {
    /// Starts a command on these cores. Its standard output is piped, and the errors are dropped.
    ///
    /// # Errors
    /// The program is not there.
    pub(crate) fn start(command: &mut Command, cores: &[usize]) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        // A child begins where its parent is.
        pin(cores)?;
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        pin(&[GENERATOR_CORE])?;
        let child = child.with_context(|| format!("{name} does not start: is it installed?"))?;
        Ok(Self { child })
    }

    /// The process, to read what it prints.
    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until somebody answers on this port.
    ///
    /// # Errors
    /// Nobody does, or the process has ended.
    pub(crate) fn wait_for(&mut self, address: SocketAddr) -> Result<()> {
        let begun = clock::now();
        while TcpStream::connect(address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server for {address} ended at once: {status}");
            }
            if clock::now() - begun > START_TIMEOUT {
                bail!("nobody answers on {address}");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Seconds of processor time that the process and its descendants have used.
    pub(crate) fn processor_s(&self) -> f64 {
        let own = processor_ticks(self.id());
        let descendants: f64 = descendants(self.id()).into_iter().map(processor_ticks).sum();
        (own + descendants) / TICKS_PER_S
    }

    /// A number of `/proc/PID/status` in KiB, such as `VmRSS` or `VmHWM`.
    ///
    /// # Errors
    /// The process has ended.
    pub(crate) fn memory_kib(&self, name: &str) -> Result<u64> {
        memory_kib(self.id(), name)
    }

    /// Ends the process and waits for it: with a signal by name, such as `TERM`, and by force after a while.
    pub(crate) fn stop(&mut self, signal: &str) {
        let _ = Command::new("kill").args(["-s", signal, &self.id().to_string()]).status();
        let begun = clock::now();
        while clock::now() - begun < START_TIMEOUT {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A number of `/proc/PID/status` of any process in KiB.
///
/// # Errors
/// The process has ended.
pub(crate) fn memory_kib(process: u32, name: &str) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/status")).context("the process has ended")?;
    let line = text.lines().find(|line| line.split(':').next() == Some(name));
    let value = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    value.with_context(|| format!("the system does not tell {name}"))
}

/// Nanoseconds of processor time that the threads of a process have used which are there now.
pub(crate) fn processor_ns(process: u32) -> f64 {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let used = threads.map(|thread| fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default());
    used.filter_map(|text| text.split(' ').next()?.parse::<f64>().ok()).sum()
}

/// Ticks of a process, with those of its children that have ended and were waited for.
fn processor_ticks(process: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |field: usize| fields.get(field).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or(0.0);
    (11..=14).map(ticks).sum()
}

/// All processes below one.
fn descendants(process: u32) -> Vec<u32> {
    let mut found = Vec::new();
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
        found.push(child);
        found.extend(descendants(child));
    }
    found
}
