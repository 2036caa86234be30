//! The machine that everything runs on: its cores, and what a reader must know of it to compare.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::{Deserialize, Serialize};

/// The core of whatever is measured.
pub(crate) const SERVER_CORE: usize = 0;

/// The core of the load generator, which is this process.
pub(crate) const GENERATOR_CORE: usize = 1;

/// What stands above the figures.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// Model of the processor.
    pub(crate) processor: String,
    /// Its cores.
    pub(crate) cores: usize,
    /// Memory, in GiB.
    pub(crate) memory_gib: u64,
    /// Kernel and distribution.
    pub(crate) system: String,
    /// The compiler that built Talko.
    pub(crate) compiler: String,
    /// The day, in UTC.
    pub(crate) day: String,
}

impl Machine {
    /// This one, today.
    pub(crate) fn this() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processor = value_of(&cpuinfo, "model name").unwrap_or("unknown").to_owned();
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let memory_kib =
            value_of(&meminfo, "MemTotal").and_then(|value| value.split(' ').next()?.parse().ok());
        let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
        let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or("Linux");
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            processor,
            // This process itself is on one of them.
            cores: cpuinfo.lines().filter(|line| line.starts_with("processor")).count(),
            memory_gib: memory_kib.unwrap_or(0_u64).div_ceil(1024 * 1024),
            system: format!("{}, Linux {}", name.trim_matches('"'), kernel.trim()),
            compiler: first_line("rustc", &["--version"]).unwrap_or_else(|| "unknown".into()),
            day: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
        }
    }
}

/// The version of a Debian package that is installed, such as `redis-server`, without what Debian adds to it.
pub(crate) fn package_version(package: &str) -> Option<String> {
    let version = first_line("dpkg-query", &["--show", "--showformat=${Version}", package])?;
    let upstream = version.split_once(':').map_or(&version[..], |(_, rest)| rest);
    Some(upstream.split(['-', '+']).next()?.to_owned())
}

/// This thread, and threads and processes that it starts, run on these cores alone from now on.
///
/// # Errors
/// The machine has no such core.
pub(crate) fn pin(cores: &[usize]) -> Result<()> {
    let mut set = CpuSet::new();
    cores.iter().for_each(|core| set.set(*core));
    sched_setaffinity(None, &set).with_context(|| format!("this machine has no cores {cores:?}"))
}

/// Refuses to measure where server and generator would share a core.
///
/// # Errors
/// There is one core only.
pub(crate) fn need_two_cores() -> Result<()> {
    let allowed = sched_getaffinity(None).context("the cores of this process are unknown")?;
    let both = allowed.is_set(SERVER_CORE) && allowed.is_set(GENERATOR_CORE);
    ensure!(both, "cores {SERVER_CORE} and {GENERATOR_CORE} are needed: one for servers, one for the load");
    Ok(())
}

fn value_of<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(line.split_once(':')?.1.trim())
}

/// The first line that a program prints, if it is installed and succeeds.
pub(crate) fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).lines().next()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

/// The kind and device of the file system that holds a folder, such as `ext4 on /dev/vda`.
pub(crate) fn filesystem_of(folder: &Path) -> String {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let place = |line: &str| {
        let mut fields = line.split(' ');
        let (device, point, kind) = (fields.next()?, fields.next()?, fields.next()?);
        folder.starts_with(point).then(|| (point.len(), format!("{kind} on {device}")))
    };
    let nearest = mounts.lines().filter_map(place).max_by_key(|(length, _)| *length);
    nearest.map_or_else(|| "unknown".into(), |(_, name)| name)
}
