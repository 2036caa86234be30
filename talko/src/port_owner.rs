//! Which process listens on a port, so that "address in use" can say who should be stopped. Linux only; elsewhere
//! nobody is named.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

/// `NAME (process ID)` of whoever listens on the address's port, if it can be seen.
pub(crate) fn find(address: SocketAddr) -> Option<String> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .find_map(|table| listening_inode(&fs::read_to_string(table).ok()?, address.port()))?;
    let socket = format!("socket:[{inode}]");
    let mut processes = fs::read_dir("/proc").ok()?.flatten();
    // `/proc` has other folders besides those of processes, such as `self`.
    let (owner, id) = processes.find_map(|process| {
        let id: u32 = process.file_name().to_str()?.parse().ok()?;
        holds(&process.path(), &socket).then_some((process, id))
    })?;
    let name = fs::read_to_string(owner.path().join("comm")).ok()?;
    Some(format!("{} (process {id})", name.trim()))
}

/// Finds the inode in the kernel's socket table. Columns: 1 local address, 3 state (0A is LISTEN), 9 inode.
fn listening_inode(table: &str, port: u16) -> Option<String> {
    let suffix = format!(":{port:04X}");
    table.lines().skip(1).find_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let listens = columns.get(1)?.ends_with(&suffix) && *columns.get(3)? == "0A";
        listens.then(|| columns.get(9).map(ToString::to_string)).flatten()
    })
}

fn holds(process: &Path, socket: &str) -> bool {
    let Ok(descriptors) = fs::read_dir(process.join("fd")) else {
        return false;
    };
    descriptors
        .flatten()
        .any(|descriptor| fs::read_link(descriptor.path()).is_ok_and(|target| target.as_os_str() == socket))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn this_process_owns_its_port() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let owner = super::find(listener.local_addr().unwrap()).unwrap();
        assert!(owner.ends_with(&format!("(process {})", std::process::id())), "{owner}");
    }
}
