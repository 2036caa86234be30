//! The real `talko` program as a process: built once, started on free ports, ended by its id.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;

/// The path of the program, built first if it is not there or not new.
pub fn talko() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| build(&[]))
}

/// The program with failpoints and mutants, beside the one that people run. The libraries of others are shared.
pub fn talko_with_failpoints() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let built = build(&["--features", "failpoints,mutants"]);
        let beside = built.with_file_name("talko-with-failpoints");
        let _ = std::fs::remove_file(&beside);
        std::fs::copy(&built, &beside).unwrap();
        // In the place of the program stands the plain one again.
        build(&[]);
        beside
    })
}

/// Builds the program in the profile of the tests.
fn build(features: &[&str]) -> PathBuf {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--package", "talko"]).args(features);
    build.current_dir(env!("CARGO_MANIFEST_DIR"));
    // What Cargo tells a test of its package is not meant for another build: `ring` is built anew when it changes, and
    // with it all that speaks TLS, at each turn between this build and that of the tests.
    for (name, _) in std::env::vars_os() {
        let is_of_package =
            |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        if name.to_str().is_some_and(is_of_package) {
            build.env_remove(name);
        }
    }
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    assert!(build.status().unwrap().success(), "talko does not build");
    // Test programs lie in `target/PROFILE/deps`, programs one folder higher.
    let this = std::env::current_exe().unwrap();
    let folder = this.parent().unwrap();
    let folder = if folder.ends_with("deps") { folder.parent().unwrap() } else { folder };
    folder.join("talko")
}

/// A `talko` command with a home of its own, so that it sees nobody's settings, on servers that trust user ids.
pub fn command(home: &Path) -> Command {
    let mut command = guarded_command(home);
    command.env("TALKO_TRUST_USER_IDS", "1");
    command
}

/// The same where people log in.
pub fn guarded_command(home: &Path) -> Command {
    at_home(talko(), home)
}

/// The same of the program with failpoints and mutants.
pub fn command_with_failpoints(home: &Path) -> Command {
    let mut command = at_home(talko_with_failpoints(), home);
    command.env("TALKO_TRUST_USER_IDS", "1");
    command
}

/// This program with a home of its own, and nothing else in its environment.
pub fn at_home(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("HOME", home)
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("TZ", "UTC")
        .current_dir(home);
    command
}

/// A server process. Dropping it kills it.
pub struct Process {
    child: Child,
    /// What it said when it was ready.
    pub ready: String,
}

impl Process {
    /// Starts a command that says `ready: …` on its standard output.
    pub fn start(command: &mut Command) -> Self {
        let process = Self::launch(command);
        assert!(process.ready.starts_with("ready: "), "{command:?} said {:?}", process.ready);
        process
    }

    /// Starts a command that may die before it is ready: then it has said nothing.
    pub fn launch(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut ready).unwrap();
        Self { child, ready }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The address after these words in the line that said it was ready.
    pub fn address_after(&self, words: &str) -> SocketAddr {
        let (_, rest) =
            self.ready.split_once(words).unwrap_or_else(|| panic!("no {words:?} in {:?}", self.ready));
        let end = rest.find([',', '\n', ' ']).unwrap();
        rest[..end].parse().unwrap()
    }

    /// Ends the process as a power cut would.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends a signal by its name, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// How the process ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// A number of `/proc/PID/status`, such as `VmRSS` (KiB) or `Threads`.
    pub fn status(&self, name: &str) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = text.lines().find(|line| line.starts_with(&format!("{name}:"))).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
