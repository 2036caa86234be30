//! What this machine is called.

/// Its name in the network, if it has one.
pub(crate) fn machine_name() -> Option<String> {
    let name = rustix::system::uname().nodename().to_str().ok()?.to_owned();
    (!name.is_empty() && name != "(none)").then_some(name)
}

/// What this program calls the device in the list of sessions.
pub(crate) fn describe() -> String {
    machine_name().map_or_else(|| "talko".into(), |name| format!("talko on {name}"))
}
