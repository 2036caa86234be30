//! Servers of the real program, and people with devices of their own who speak to them.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use pty::Terminal;
use tempfile::TempDir;

/// No wait in a test is longer.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) const PASSWORD: &str = "correct horse battery";

/// A place for homes.
pub(crate) struct House(TempDir);

impl House {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A device, or the account that the servers run in.
    pub(crate) fn home(&self, name: &str) -> PathBuf {
        let home = self.0.path().join(name);
        std::fs::create_dir_all(&home).unwrap();
        home
    }

    /// Where programs of a home keep their files.
    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.home(name).join(".local/share/talko")
    }
}

pub(crate) fn talko(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_talko"));
    command.env_clear().env("HOME", home).env("TZ", "UTC").current_dir(home).args(arguments);
    command
}

/// The same in a terminal, before which somebody sits.
pub(crate) fn at_terminal(home: &Path, arguments: &[&str]) -> Terminal {
    let mut command = talko(home, arguments);
    command.env("TERM", "xterm-256color").env("LANG", "C.UTF-8");
    Terminal::start(&command, 24, 80)
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    #[track_caller]
    pub(crate) fn is(&self, code: i32, out: &str, err: &str) {
        assert_eq!((self.code, self.out.as_str(), self.err.as_str()), (code, out, err));
    }
}

/// Runs a command with these lines as its standard input.
pub(crate) fn run(command: &mut Command, input: &str) -> Said {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Who needs no input may be gone before it comes.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

/// One server process, or both servers in one.
pub(crate) struct Serving {
    pub(crate) child: Child,
    pub(crate) ready: String,
    log: PathBuf,
}

impl Serving {
    /// Starts `talko` with these arguments and waits until it is ready.
    pub(crate) fn start(home: &Path, arguments: &[&str]) -> Self {
        let log = home.join(format!("{}.log", arguments[0]));
        let file = std::fs::File::create(&log).unwrap();
        let mut child = talko(home, arguments).stdout(Stdio::piped()).stderr(file).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut ready).unwrap();
        let serving = Self { child, ready, log };
        assert!(serving.ready.starts_with("ready: "), "{:?} {}", serving.ready, serving.log());
        serving
    }

    /// Both servers on free ports of this machine.
    pub(crate) fn up(home: &Path, arguments: &[&str]) -> Self {
        Self::up_on(home, "127.0.0.1:0", arguments)
    }

    pub(crate) fn up_on(home: &Path, data_address: &str, arguments: &[&str]) -> Self {
        let all = ["up", "--data-address", data_address, "--broadcast-address", "127.0.0.1:0"];
        Self::start(home, &[&all, arguments].concat())
    }

    /// What stands behind these words of the ready line.
    pub(crate) fn after(&self, words: &str) -> &str {
        let (_, rest) = self.ready.split_once(words).unwrap_or_else(|| panic!("{words}: {}", self.ready));
        rest.split([',', ' ', ')', '\n']).next().unwrap()
    }

    pub(crate) fn data_address(&self) -> String {
        self.after("data-server on ").to_owned()
    }

    /// A command on some device that finds these servers.
    pub(crate) fn command(&self, device: &Path, arguments: &[&str]) -> Command {
        let mut command = talko(device, arguments);
        command.env("TALKO_DATA_ADDRESS", self.data_address());
        command
    }

    pub(crate) fn run(&self, device: &Path, arguments: &[&str], input: &str) -> Said {
        run(&mut self.command(device, arguments), input)
    }

    /// Makes an account with the usual password, logged in on this device.
    pub(crate) fn register(&self, device: &Path, name: &str) {
        let said = self.run(device, &["login", "--register", "--user", name, "--password-fd", "0"], PASSWORD);
        assert_eq!(said.code, 0, "{said:?}");
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    pub(crate) fn stop(mut self) {
        self.signal("TERM");
        assert!(self.child.wait().unwrap().success(), "{}", self.log());
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A `talko tail` that is being read.
pub(crate) struct Tail {
    child: Child,
    lines: std::sync::mpsc::Receiver<String>,
}

impl Tail {
    /// Follows from the beginning of the person's chats.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = std::sync::mpsc::channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines }
    }

    /// Waits for a line with these words.
    pub(crate) fn hears(&self, words: &str) {
        loop {
            match self.lines.recv_timeout(DEADLINE) {
                Ok(line) if line.contains(words) => return,
                Ok(_) => {}
                Err(error) => panic!("{words:?} never came: {error}"),
            }
        }
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it ends by itself.
    pub(crate) fn ends(&mut self) -> (ExitStatus, String) {
        wait_for("the end of tail", || self.child.try_wait().unwrap().is_some());
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap(), said)
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "a deadline of a test")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

pub(crate) fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = now() + DEADLINE;
    while !is_so() {
        assert!(now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The permissions of a file.
pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).permissions().mode()
        & 0o777
}
