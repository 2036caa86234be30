//! Real servers with a recorder on every road, commands that are looked at while they run, and everything that is left
//! when all is over.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use client_lib::{Options, Security};
use tempfile::TempDir;
use tests::binary::{Process, guarded_command};
use tests::proxy::{Hand, Proxy, Way};
use tests::{pinning, until};

use super::search::{Kind, Place, Search};

/// Whether servers share a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `talko up`, with HTTP.
    Up,
    /// `talko data-server` and `talko broadcast-server`.
    Apart,
}

/// What went over one connection: to the server, and back.
type Road = Arc<Mutex<[Vec<u8>; 2]>>;

/// All bytes of all connections of one road, in pieces that stand in the order of one way each.
#[derive(Clone, Default)]
pub(crate) struct Capture(Arc<Mutex<Vec<Road>>>);

struct Recorder(Road);

impl Hand for Recorder {
    fn pass(&mut self, way: Way, bytes: &[u8]) -> Vec<u8> {
        self.0.lock().unwrap()[usize::from(way == Way::Down)].extend_from_slice(bytes);
        bytes.to_vec()
    }
}

impl Capture {
    pub(crate) async fn on(&self, target: SocketAddr) -> Proxy {
        let (proxy, capture) = (Proxy::bind().await, self.clone());
        proxy.lay_hands(move || {
            let tape = Arc::default();
            capture.0.lock().unwrap().push(Arc::clone(&tape));
            Box::new(Recorder(tape))
        });
        proxy.lead_to(target);
        proxy
    }

    pub(crate) fn tapes(&self) -> Vec<Vec<u8>> {
        self.0.lock().unwrap().iter().flat_map(|tape| tape.lock().unwrap().clone()).collect()
    }
}

/// See the module.
pub(crate) struct Stage {
    pub(crate) form: Form,
    pub(crate) is_tls: bool,
    pub(crate) search: Search,
    pub(crate) servers: Vec<Process>,
    pub(crate) data: Proxy,
    pub(crate) broadcast: Proxy,
    pub(crate) http: Option<Proxy>,
    pub(crate) wire: Capture,
    pub(crate) link: Capture,
    pub(crate) security: Security,
    evidence: Vec<(Place, String, Vec<u8>)>,
    home: TempDir,
    people: TempDir,
    _link_proxy: Option<Proxy>,
}

/// What was found, in figures.
pub(crate) struct Report {
    pub(crate) leaks: Vec<String>,
    /// Bytes searched in each place.
    pub(crate) searched: BTreeMap<Place, usize>,
    /// Where secrets were found that belong there.
    pub(crate) belongs: BTreeMap<(Kind, Place), usize>,
}

impl Stage {
    pub(crate) async fn open(form: Form, is_tls: bool) -> Self {
        let home = tempfile::tempdir().unwrap();
        let (wire, link) = (Capture::default(), Capture::default());
        let any = "127.0.0.1:0";
        let mut servers = Vec::new();
        let mut link_proxy = None;
        let (data, broadcast, http);
        if form == Form::Up {
            let addresses = ["--data-address", any, "--broadcast-address", any, "--http-address", any];
            let arguments =
                [&["up", "--db", "talko.db", "--registration", "invitation"], &addresses[..]].concat();
            let up = launch(home.path(), &arguments, is_tls, "up");
            data = up.address_after("data-server on ");
            broadcast = up.address_after("broadcast-server on ");
            http = Some(up.address_after("http on "));
            servers.push(up);
        } else {
            let arguments = ["broadcast-server", "--broadcast-address", any];
            let server = launch(home.path(), &arguments, is_tls, "broadcast");
            broadcast = server.address_after("broadcast-server on ");
            servers.push(server);
            let proxy = link.on(broadcast).await;
            let address = proxy.address().to_string();
            link_proxy = Some(proxy);
            let addresses = ["--data-address", any, "--broadcast-address", &address];
            let arguments =
                [&["data-server", "--db", "talko.db", "--registration", "invitation"], &addresses[..]]
                    .concat();
            let server = launch(home.path(), &arguments, is_tls, "data");
            data = server.address_after("data-server on ");
            http = None;
            servers.push(server);
        }
        let http = match http {
            Some(address) => Some(wire.on(address).await),
            None => None,
        };
        Self {
            form,
            is_tls,
            search: Search::default(),
            servers,
            data: wire.on(data).await,
            broadcast: wire.on(broadcast).await,
            http,
            wire,
            link,
            security: if is_tls { pinning() } else { Security::Plaintext },
            evidence: Vec::new(),
            home,
            people: tempfile::tempdir().unwrap(),
            _link_proxy: link_proxy,
        }
    }

    /// How a program reaches the servers.
    pub(crate) fn options(&self) -> Options {
        Options {
            broadcast_address: Some(self.broadcast.address().to_string()),
            security: self.security.clone(),
            ..Options::new(self.data.address().to_string())
        }
    }

    /// The folder where the servers' files are.
    pub(crate) fn server_folder(&self) -> PathBuf {
        self.home.path().join(".local/share/talko")
    }

    pub(crate) fn device_folder(&self, device: &str) -> PathBuf {
        let folder = self.people.path().join(device);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    pub(crate) fn command(&self, device: &str, arguments: &[&str]) -> Command {
        let mut command = guarded_command(&self.device_folder(device));
        command.env("TALKO_DATA_ADDRESS", self.data.address().to_string());
        command.env("TALKO_BROADCAST_ADDRESS", self.broadcast.address().to_string());
        command.env("TALKO_LOG_LEVEL", "trace").env("TALKO_TLS", tls_words(self.is_tls)).args(arguments);
        command
    }

    /// Runs a command, and keeps everything that it shows.
    pub(crate) fn run(&mut self, device: &str, arguments: &[&str], input: &[&str]) -> Output {
        let mut command = self.command(device, arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let line = if arguments[0] == "join" { Place::JoinCommandLine } else { Place::CommandLine };
        // Who needs no input may have ended already: then there is nothing to be seen.
        if !input.is_empty() {
            self.look_at(child.id(), line);
        }
        let mut stdin = child.stdin.take().unwrap();
        // Who was refused at once does not read.
        let _ = input.iter().try_for_each(|line| writeln!(stdin, "{line}"));
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let place = match arguments {
            ["invite"] => Place::Invitation,
            ["config", ..] => Place::Config,
            _ => Place::Output,
        };
        self.keep(place, &format!("{arguments:?}"), [&output.stdout[..], &output.stderr].concat());
        output
    }

    /// The same of a command that must succeed; what it says.
    pub(crate) fn say(&mut self, device: &str, arguments: &[&str], input: &[&str]) -> String {
        let output = self.run(device, arguments, input);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What everybody on the machine can see of a process.
    pub(crate) fn look_at(&mut self, process: u32, line: Place) {
        for (file, place) in [("cmdline", line), ("environ", Place::Environment)] {
            // The system fills them in a moment after the program was started.
            let path = format!("/proc/{process}/{file}");
            let read = (0..500).find_map(|_| {
                let bytes = fs::read(&path).unwrap();
                if bytes.is_empty() {
                    std::thread::sleep(std::time::Duration::from_millis(2));
                }
                Some(bytes).filter(|bytes| !bytes.is_empty())
            });
            let bytes = read.unwrap_or_else(|| panic!("{process} has ended"));
            self.keep(place, file, bytes);
        }
    }

    pub(crate) fn keep(&mut self, place: Place, name: &str, bytes: Vec<u8>) {
        self.evidence.push((place, name.to_owned(), bytes));
    }

    /// A command in the servers' home.
    pub(crate) fn operate(&mut self, place: Place, arguments: &[&str]) {
        let output = guarded_command(self.home.path()).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        self.keep(place, &format!("{arguments:?}"), [output.stdout, output.stderr].concat());
    }

    /// Asks the servers to read their files again, and waits until they have.
    pub(crate) async fn reload(&mut self) {
        for server in &self.servers {
            server.signal("HUP");
        }
        if self.is_tls || self.form == Form::Apart {
            let is_reloaded = |log: &PathBuf| fs::read_to_string(log).unwrap().contains("read again");
            until("the reload", async || self.logs().iter().all(is_reloaded)).await;
        }
    }

    fn logs(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.home.path()).unwrap().map(|file| file.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|kind| kind == "log")).collect()
    }

    /// The database as it is now, with what was not yet put in its place.
    pub(crate) fn take_database(&mut self) {
        for name in ["talko.db", "talko.db-wal"] {
            let bytes = fs::read(self.home.path().join(name)).unwrap();
            self.keep(Place::Database, name, bytes);
        }
    }

    /// Ends the servers, and looks at everything.
    pub(crate) fn close(mut self) -> Report {
        for server in self.servers.iter_mut().rev() {
            server.signal("TERM");
            assert!(server.wait().success());
        }
        for log in self.logs() {
            let text = fs::read_to_string(&log).unwrap();
            assert!(!text.contains("panicked"), "{text}");
            assert!(text.contains("TRACE") || text.contains("DEBUG"), "the log says little: {text}");
        }
        for path in files_in(self.home.path()) {
            let place = match path.file_name().unwrap().to_str().unwrap() {
                "service.key" | "tls.key" => continue,
                "talko.db" | "talko.db-wal" | "talko.db-shm" => Place::Database,
                "copy.db" => Place::Backup,
                name if name.ends_with(".log") => Place::ServerLog,
                _ => Place::ServerFile,
            };
            self.keep(place, &path.display().to_string(), fs::read(&path).unwrap());
        }
        for path in files_in(self.people.path()) {
            let is_session = path.file_name().unwrap() == "sessions";
            let place = if is_session { Place::SessionFile } else { Place::ClientFile };
            self.keep(place, &path.display().to_string(), fs::read(&path).unwrap());
        }
        if self.is_tls {
            for (place, capture) in [(Place::Wire, self.wire.clone()), (Place::Link, self.link.clone())] {
                for tape in capture.tapes() {
                    self.keep(place, "a connection", tape);
                }
            }
        }
        self.judge()
    }

    fn judge(&self) -> Report {
        let mut report = Report { leaks: Vec::new(), searched: BTreeMap::new(), belongs: BTreeMap::new() };
        for (place, name, bytes) in &self.evidence {
            *report.searched.entry(*place).or_default() += bytes.len();
            for ((kind, form), count) in self.search.find(bytes) {
                if kind.belongs(*place) {
                    *report.belongs.entry((kind, *place)).or_default() += count;
                } else {
                    report.leaks.push(format!("{kind:?} as {form} in {place:?}, {name}: {count} times"));
                }
            }
        }
        report
    }
}

fn tls_words(is_tls: bool) -> &'static str {
    if is_tls { "always" } else { "never" }
}

fn launch(home: &Path, arguments: &[&str], is_tls: bool, name: &str) -> Process {
    let log = File::create(home.join(name).with_extension("log")).unwrap();
    let mut command = guarded_command(home);
    command.args(arguments).args(["--tls", tls_words(is_tls), "--log-level", "trace"]);
    Process::start(command.stderr(log))
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_in(&path));
        } else {
            found.push(path);
        }
    }
    found
}
