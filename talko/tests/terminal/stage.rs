//! A person before a terminal of their own, in which the real program runs.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use pty::{Terminal, until};

/// Of the client alone, whose numbers the servers believe.
pub(crate) const TRUSTING: [(&str, &str); 1] = [("TALKO_TRUST_USER_IDS", "1")];

/// In a window of the usual size.
pub(crate) fn open(home: &Path, ports: &[String; 2], user: &str, environment: &[(&str, &str)]) -> Terminal {
    open_in(home, ports, user, (24, 80), environment)
}

/// With these variables in the environment, besides those that every terminal sets.
pub(crate) fn open_in(
    home: &Path,
    ports: &[String; 2],
    user: &str,
    (rows, columns): (u16, u16),
    environment: &[(&str, &str)],
) -> Terminal {
    let mut command = at_terminal(home, env!("CARGO_BIN_EXE_talko"));
    command.args(["--user", user, "--data-address", &ports[0], "--broadcast-address", &ports[1]]);
    command.envs(environment.iter().copied());
    Terminal::start(&command, rows, columns)
}

/// In a shell that puts jobs to sleep; it says so, and wakes them when somebody presses Enter.
pub(crate) fn open_in_shell(home: &Path, ports: &[String; 2], user: &str) -> Terminal {
    let mut command = at_terminal(home, "sh");
    let talko = env!("CARGO_BIN_EXE_talko");
    let [data, broadcast] = ports;
    let chat = format!("'{talko}' --user {user} --data-address {data} --broadcast-address {broadcast}");
    command.args(["-m", "-c", &format!("{chat}; echo it sleeps; read enter; fg; echo it has ended")]);
    command.envs(TRUSTING).env("PATH", "/usr/bin:/bin");
    Terminal::start(&command, 24, 80)
}

fn at_terminal(home: &Path, program: &str) -> Command {
    let mut command = Command::new(program);
    command.env("HOME", home).env("TZ", "UTC").env("TERM", "xterm-256color").env("LANG", "C.UTF-8");
    command.current_dir(home);
    command
}

/// A person who exists without chatting.
pub(crate) fn add_person(home: &Path, ports: &[String; 2], name: &str) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_talko"));
    command.env_clear().env("TALKO_TRUST_USER_IDS", "1").env("HOME", home).args([
        "user",
        "add",
        name,
        "--data-address",
        &ports[0],
    ]);
    assert!(command.output().unwrap().status.success());
}

/// Two ports that are free now.
pub(crate) fn free_ports() -> [String; 2] {
    let listeners = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().to_string())
}

/// Servers in a process of their own, whose database no client of the test would serve.
pub(crate) fn serve(home: &Path, ports: &[String; 2], trust: &str) -> std::process::Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_talko"));
    command.env_clear().env("TALKO_TRUST_USER_IDS", trust).env("HOME", home);
    command.args(["up", "--db"]).arg(home.join("elsewhere.db"));
    command.args(["--data-address", &ports[0], "--broadcast-address", &ports[1]]);
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    command.spawn().unwrap()
}

pub(crate) fn wait_for_port(address: &str) {
    assert!(until(|| std::net::TcpStream::connect(address).is_ok()), "nobody listens at {address}");
}
