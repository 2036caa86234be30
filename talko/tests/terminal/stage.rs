//! A person before a terminal of their own, in which the real program runs.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::num::NonZero;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// No wait in a test is longer.
const DEADLINE: Duration = Duration::from_secs(30);

/// A person before a terminal of their own.
pub(crate) struct Terminal {
    pub(crate) child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    keyboard: Box<dyn Write + Send>,
    screen: Arc<Mutex<vt100::Parser>>,
}

impl Terminal {
    pub(crate) fn open(home: &Path, ports: &[String; 2], user: &str, rows: u16, columns: u16) -> Self {
        Self::open_trusting(home, ports, user, (rows, columns), "1")
    }

    pub(crate) fn open_trusting(
        home: &Path,
        ports: &[String; 2],
        user: &str,
        (rows, columns): (u16, u16),
        trust: &str,
    ) -> Self {
        Self::open_with(home, ports, user, (rows, columns), &[("TALKO_TRUST_USER_IDS", trust)])
    }

    /// With these variables in the environment, besides those that every terminal sets.
    pub(crate) fn open_with(
        home: &Path,
        ports: &[String; 2],
        user: &str,
        (rows, columns): (u16, u16),
        environment: &[(&str, &str)],
    ) -> Self {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_talko"));
        command.args(["--user", user, "--data-address", &ports[0], "--broadcast-address", &ports[1]]);
        Self::run(home, command, (rows, columns), environment)
    }

    /// In a shell that puts jobs to sleep; it says so, and wakes them when somebody presses Enter.
    pub(crate) fn open_in_shell(
        home: &Path,
        ports: &[String; 2],
        user: &str,
        (rows, columns): (u16, u16),
    ) -> Self {
        let mut command = CommandBuilder::new("sh");
        let talko = env!("CARGO_BIN_EXE_talko");
        let [data, broadcast] = ports;
        let chat = format!("'{talko}' --user {user} --data-address {data} --broadcast-address {broadcast}");
        command.args(["-m", "-c", &format!("{chat}; echo it sleeps; read enter; fg; echo it has ended")]);
        Self::run(home, command, (rows, columns), &[("TALKO_TRUST_USER_IDS", "1"), ("PATH", "/usr/bin:/bin")])
    }

    fn run(
        home: &Path,
        mut command: CommandBuilder,
        (rows, columns): (u16, u16),
        environment: &[(&str, &str)],
    ) -> Self {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        command.env_clear();
        let home_path = home.to_str().unwrap();
        let usual = [("HOME", home_path), ("TZ", "UTC"), ("TERM", "xterm-256color")];
        for (name, value) in usual.iter().chain(environment) {
            command.env(name, value);
        }
        command.env("LANG", "C.UTF-8");
        command.cwd(home);
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let screen = Arc::new(Mutex::new(vt100::Parser::new(cells(rows), cells(columns), 0)));
        let mut output = pair.master.try_clone_reader().unwrap();
        let shown = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(received) = output.read(&mut bytes)
                && received > 0
            {
                shown.lock().unwrap().process(&bytes[..received]);
            }
        });
        let keyboard = pair.master.take_writer().unwrap();
        Self { child, master: pair.master, keyboard, screen }
    }

    pub(crate) fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    pub(crate) fn contents(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    pub(crate) fn sees(&self, words: &str) {
        self.waits(&format!("{words:?} on the screen"), |screen| screen.contents().contains(words));
    }

    #[expect(clippy::disallowed_methods, reason = "a deadline of a test")]
    pub(crate) fn waits(&self, what: &str, until: impl Fn(&vt100::Screen) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !until(self.screen.lock().unwrap().screen()) {
            assert!(Instant::now() < deadline, "waited in vain for {what}:\n{}", self.contents());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.process_id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    pub(crate) fn screen_is_other(&self) -> bool {
        self.screen.lock().unwrap().screen().alternate_screen()
    }

    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        self.screen.lock().unwrap().screen_mut().set_size(cells(rows), cells(columns));
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        self.master.resize(size).unwrap();
    }

    /// With which code the program ends.
    #[expect(clippy::disallowed_methods, reason = "a deadline of a test")]
    pub(crate) fn ends(&mut self) -> u32 {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.exit_code();
            }
            assert!(Instant::now() < deadline, "waited in vain for the end:\n{}", self.contents());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The program has ended, and has left the other screen and its modes.
    pub(crate) fn is_restored(&mut self) -> bool {
        self.ends();
        self.waits("the terminal as it was", |screen| {
            !screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste()
        });
        true
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn cells(count: u16) -> NonZero<u16> {
    NonZero::new(count).unwrap()
}

/// A person who exists without chatting.
pub(crate) fn add_person(home: &Path, ports: &[String; 2], name: &str) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_talko"));
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
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_talko"));
    command.env_clear().env("TALKO_TRUST_USER_IDS", trust).env("HOME", home);
    command.args(["up", "--db"]).arg(home.join("elsewhere.db"));
    command.args(["--data-address", &ports[0], "--broadcast-address", &ports[1]]);
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    command.spawn().unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a deadline of a test")]
pub(crate) fn wait_for_port(address: &str) {
    let deadline = Instant::now() + DEADLINE;
    while std::net::TcpStream::connect(address).is_err() {
        assert!(Instant::now() < deadline, "nobody listens at {address}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
