//! What the system says of this process.

use std::fs;

use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

/// See the module. What the system does not tell is absent.
#[derive(Debug, Default)]
pub(crate) struct Process {
    pub(crate) resident_bytes: Option<u64>,
    pub(crate) open_files: Option<u64>,
    pub(crate) open_files_max: Option<u64>,
    pub(crate) processor_seconds: f64,
}

impl Process {
    /// As of now.
    pub(crate) fn look() -> Self {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        Self {
            resident_bytes: fs::read_to_string("/proc/self/status").ok().as_deref().and_then(resident_bytes),
            open_files: fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as u64),
            open_files_max: getrlimit(Resource::Nofile).current,
            processor_seconds: time.tv_sec as f64 + time.tv_nsec as f64 / 1e9,
        }
    }
}

fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    #[test]
    fn memory_is_read_in_bytes() {
        let status = "Name:\ttalko\nVmHWM:\t  9000 kB\nVmRSS:\t    8124 kB\nThreads:\t9\n";
        assert_eq!(super::resident_bytes(status), Some(8124 * 1024));
        assert_eq!(super::resident_bytes("VmRSS: many"), None);
    }
}
