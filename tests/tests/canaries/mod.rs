//! The run: what people and attackers do, and what is found afterwards.

mod peer;
mod search;
mod stage;

use std::fs;

use client_lib::{Client, Event, Position, Secret, SessionFile};
use serde_json::value::to_raw_value;
use tests::binary::Process;
use tests::{figures, until, within};
use ttp::call::{GetServerInfo, GetStreamTicket};
use ttp::net::random;

use search::{Kind, Place, from_base64};
use stage::{Form, Report, Stage};

/// Characters that are written otherwise in JSON, in URLs and by `Debug`.
const AWKWARD: &str = "\"\\é";

/// Unique letters.
fn letters(what: &str) -> String {
    let mut bytes = [0; 12];
    random::fill(&mut bytes).unwrap();
    let letters: String = bytes.iter().map(|byte| char::from(b'a' + byte % 26)).collect();
    format!("{what}{letters}")
}

impl Stage {
    fn text(&mut self, kind: Kind) -> String {
        let text = format!("{}{AWKWARD}{}", letters("Qx"), letters("Vz"));
        self.search.add(kind, text.as_bytes());
        // A half is a leak too.
        self.search.add(kind, &text.as_bytes()[..14]);
        self.search.add(kind, &text.as_bytes()[text.len() - 14..]);
        text
    }

    fn name(&mut self) -> String {
        let name = letters("nom");
        self.search.add(Kind::Name, name.as_bytes());
        name
    }

    fn token_of(&mut self, device: &str) -> Secret {
        let file = self.device_folder(device).join(".local/share/talko/sessions");
        let sessions = SessionFile::new(file).list().unwrap();
        let token = sessions.into_iter().next_back().unwrap().token;
        self.search.add(Kind::Token, token.expose().as_bytes());
        token
    }

    fn log_in(&mut self, device: &str, name: &str, password: &str, more: &[&str]) -> Secret {
        let arguments = [&["login", "--user", name, "--password-fd", "0"], more].concat();
        self.say(device, &arguments, &[password]);
        self.token_of(device)
    }

    /// What the servers keep for themselves.
    fn add_keys(&mut self) {
        let folder = self.server_folder();
        if self.form == Form::Apart {
            let key = fs::read_to_string(folder.join("service.key")).unwrap();
            for line in key.split_whitespace() {
                self.search.add(Kind::ServiceKey, line.as_bytes());
                let bytes: Vec<u8> = (0..line.len() / 2)
                    .map(|place| u8::from_str_radix(&line[2 * place..2 * place + 2], 16).unwrap())
                    .collect();
                self.search.add(Kind::ServiceKey, &bytes);
            }
        }
        if self.is_tls {
            let pem = fs::read_to_string(folder.join("tls.key")).unwrap();
            let lines: Vec<&str> = pem.lines().filter(|line| !line.starts_with(['-', '#'])).collect();
            for line in lines.iter().filter(|line| line.len() >= 16) {
                self.search.add(Kind::TlsKey, line.as_bytes());
            }
            let der = from_base64(&lines.concat());
            // The scalar of a key of P-256: an octet string of 32 bytes.
            let start = der.windows(2).position(|part| part == [4, 32]).unwrap() + 2;
            self.search.add(Kind::TlsKey, &der[start..start + 32]);
        }
    }
}

/// G21, T64: nothing is found where it must not be, in either form of the servers, and in plaintext it is found on the
/// wire.
#[tokio::test(flavor = "multi_thread")]
async fn g21_t64_no_secret_is_found_where_it_does_not_belong() {
    for form in [Form::Apart, Form::Up] {
        let (report, line) = run(form, true).await;
        show(form, &report);
        figures::keep(&format!("canary.{form:?}"), &line);
        assert!(report.leaks.is_empty(), "{form:?}: {:#?}", report.leaks);
        assert!(report.searched[&Place::Wire] > 20_000);
    }
    for form in [Form::Apart, Form::Up] {
        let (report, line) = run(form, false).await;
        figures::keep(&format!("canary.{form:?} in plaintext"), &line);
        assert!(report.leaks.is_empty(), "{form:?} in plaintext: {:#?}", report.leaks);
    }
}

fn show(form: Form, report: &Report) {
    println!(
        "{form:?}: bytes searched {:?}\n{form:?}: where they belong {:?}",
        report.searched, report.belongs
    );
}

/// One installation from its first account to its end.
async fn run(form: Form, is_tls: bool) -> (Report, String) {
    let mut stage = Stage::open(form, is_tls).await;
    stage.add_keys();
    let guest = people(&mut stage).await;
    misplace(&mut stage).await;
    end(&mut stage, &guest).await;
    let mut line = format!("canary_secrets={} canary_forms={}", stage.search.secrets(), stage.search.forms());
    if !is_tls {
        line = control(&stage);
    }
    let report = stage.close();
    // What belongs somewhere is found there: the search can find.
    for (kind, place) in [
        (Kind::Text, Place::Database),
        (Kind::Text, Place::Backup),
        (Kind::Text, Place::Output),
        (Kind::Token, Place::SessionFile),
        (Kind::Code, Place::Invitation),
        (Kind::Name, Place::CommandLine),
        (Kind::Name, Place::Database),
    ] {
        assert!(report.belongs.contains_key(&(kind, place)), "{kind:?} is not in {place:?}");
    }
    for place in [Place::ServerLog, Place::ClientFile, Place::Config, Place::Environment] {
        assert!(report.searched[&place] > 100, "{place:?}");
    }
    if is_tls {
        let searched: usize = report.searched.values().sum();
        let wire: usize =
            [Place::Wire, Place::Link].iter().filter_map(|place| report.searched.get(place)).sum();
        line += &format!(
            " canary_places={} canary_bytes={searched} canary_tls_bytes={wire} canary_leaks={}",
            report.searched.len(),
            report.leaks.len()
        );
    }
    (report, line)
}

/// In plaintext every kind of secret is on the wire, and on the link too.
fn control(stage: &Stage) -> String {
    let (wire, link) = (stage.wire.tapes(), stage.link.tapes());
    let bytes = |tapes: &'_ Vec<Vec<u8>>| tapes.iter().map(Vec::len).sum::<usize>();
    let borrowed = |tapes: &'_ [Vec<u8>]| tapes.to_vec();
    let wire_tapes = borrowed(&wire);
    let slices: Vec<&[u8]> = wire_tapes.iter().map(Vec::as_slice).collect();
    let (mut met, mut all) = (0, 0);
    for kind in [Kind::Password, Kind::Token, Kind::Ticket, Kind::Code, Kind::Text, Kind::Name] {
        let (found, of) = stage.search.distinct(kind, &slices);
        assert!(
            found > 0 && found * 2 >= of,
            "in plaintext {found} of {of} of {kind:?} were found on the wire"
        );
        met += found;
        all += of;
    }
    if stage.form == Form::Apart {
        let slices: Vec<&[u8]> = link.iter().map(Vec::as_slice).collect();
        let (found, _) = stage.search.distinct(Kind::Text, &slices);
        assert!(found > 0, "in plaintext no text was found on the link");
        assert_eq!(stage.search.distinct(Kind::ServiceKey, &slices).0, 0, "the key itself is never said");
    }
    format!("canary_plaintext_found={met}/{all} canary_plaintext_bytes={}", bytes(&wire) + bytes(&link))
}

/// Accounts, passwords, sessions, an invitation and a conversation. The name of the guest.
async fn people(stage: &mut Stage) -> String {
    let (owner, guest) = (stage.name(), stage.name());
    let passwords: Vec<String> = (0..4).map(|_| stage.text(Kind::Password)).collect();
    stage.log_in("laptop", &owner, &passwords[0], &["--register"]);
    let refused = stage.run("phone", &["login", "--user", &owner, "--password-fd", "0"], &[&passwords[1]]);
    assert_eq!(refused.status.code(), Some(4));
    stage.log_in("phone", &owner, &passwords[0], &[]);
    let changed = stage.say("laptop", &["password", "--password-fd", "0"], &[&passwords[0], &passwords[2]]);
    assert!(changed.contains("1 other"), "{changed}");
    let refused = stage.run("phone", &["login", "--user", &owner, "--password-fd", "0"], &[&passwords[0]]);
    assert_eq!(refused.status.code(), Some(4), "the password until now");
    stage.log_in("phone", &owner, &passwords[2], &[]);

    let link = stage.say("laptop", &["invite"], &[]).trim().to_owned();
    let code = link.rsplit('/').next().unwrap().split('?').next().unwrap().to_owned();
    stage.search.add(Kind::Code, code.as_bytes());
    // The link names the server itself; people here go by the recorder.
    let address = stage.data.address();
    let (_, rest) = link.strip_prefix("talko://").unwrap().split_once('/').unwrap();
    let link = format!("talko://{address}/{rest}");
    stage.say("guest", &["join", &link, "--user", &guest, "--password-fd", "0"], &[&passwords[3]]);
    stage.token_of("guest");

    let texts: Vec<String> = (0..4).map(|_| stage.text(Kind::Text)).collect();
    let said: Vec<&str> = texts.iter().map(String::as_str).collect();
    stage.say("laptop", &["send", &guest], &said[..2]);
    listen(stage, &owner, &said[2..]).await;
    guest
}

/// Somebody follows a conversation, as a program of this library and by the command.
async fn listen(stage: &mut Stage, owner: &str, texts: &[&str]) {
    let token = stage.token_of("guest");
    let client = Client::connect(stage.options()).await.unwrap();
    client.authenticate(token.clone()).await.unwrap();
    for _ in 0..3 {
        let ticket = client.call(GetStreamTicket {}).await.unwrap().ticket;
        stage.search.add(Kind::Ticket, ticket.expose().as_bytes());
        let (_, proof) = ticket.expose().rsplit_once('.').unwrap();
        stage.search.add(Kind::Ticket, proof.as_bytes());
        let options = stage.options();
        let broadcast = stage.broadcast.address().to_string();
        let mut stream = client_lib::RawConnection::open(&broadcast, &options).await.unwrap();
        let params = to_raw_value(&serde_json::json!({ "ticket": ticket.expose() })).unwrap();
        stream.call("OpenStream", &params).await.unwrap();
    }
    let mut events = client.events(Position::Now);
    let home = stage.device_folder("guest");
    let (heard, errors) = (home.join("heard.out"), home.join("errors.log"));
    let mut tail = stage.command("guest", &["tail", owner, "--json", "--since", "0"]);
    tail.stdin(std::process::Stdio::null());
    tail.stdout(fs::File::create(&heard).unwrap()).stderr(fs::File::create(&errors).unwrap());
    let mut tail = tail.spawn().unwrap();
    stage.look_at(tail.id(), Place::CommandLine);
    until("the stream of the program", async || {
        !matches!(
            events.next().await,
            Some(Event::Connection(client_lib::ConnectionState::Disconnected { .. })) | None
        )
    })
    .await;
    let client_text = texts[0];
    let chats = client.get_chats(None, None).await.unwrap().chats;
    client.insert_message(chats[0].chat_id, client_text).await.unwrap();
    stage.say("laptop", &["send", &client.me().unwrap().user_name], &texts[1..]);
    within("both messages", async {
        let mut last = 0;
        while last < 1 {
            let event = events.next().await.unwrap();
            last += usize::from(event.message().is_some_and(|message| message.message_text == texts[1]));
        }
    })
    .await;
    let last = serde_json::to_string(texts[1]).unwrap();
    until("the command hears", async || fs::read_to_string(&heard).unwrap().contains(&last)).await;
    let servers: Vec<u32> = stage.servers.iter().map(Process::id).collect();
    for server in servers {
        stage.look_at(server, Place::CommandLine);
    }
    tail.kill().unwrap();
    tail.wait().unwrap();
    for path in [heard, errors] {
        stage.keep(Place::Output, "tail", fs::read(&path).unwrap());
        fs::remove_file(path).unwrap();
    }
    // Said by a program that asks what the server is.
    let info = client.call(GetServerInfo {}).await.unwrap();
    stage.keep(Place::Config, "GetServerInfo", format!("{info:?}").into_bytes());
}

/// Secrets where nobody expects them.
async fn misplace(stage: &mut Stage) {
    let security = stage.security.clone();
    let password = stage.text(Kind::Password);
    let addresses = [stage.data.address(), stage.broadcast.address()].map(|address| address.to_string());
    let mut peers = tokio::task::JoinSet::new();
    for address in addresses {
        for frame in peer::wrong_frames(&password) {
            let (security, address) = (security.clone(), address.clone());
            peers.spawn(async move { peer::say(&security, &address, b"talko", &frame).await });
        }
    }
    if let Some(http) = stage.http.as_ref().map(|proxy| proxy.address().to_string()) {
        for request in peer::wrong_requests(&password) {
            let (security, address) = (security.clone(), http.clone());
            peers.spawn(async move { peer::say(&security, &address, b"http/1.1", &request).await });
        }
    }
    within("answers to all", peers.join_all()).await;
    if stage.is_tls {
        // What a peer says in the clear is its own affair on the wire, but not in a log: round the recorder.
        let address = stage.servers.last().unwrap().address_after("data-server on ");
        peer::say_in_the_clear(address, &peer::wrong_frames(&password)[5]).await;
    }
    let mut options = stage.options();
    options.client_name = stage.text(Kind::Password);
    Client::connect(options).await.unwrap().ping().await.unwrap();
}

/// Sessions end, files are read again, and a backup is made.
async fn end(stage: &mut Stage, guest: &str) {
    let sessions = stage.say("laptop", &["sessions"], &[]);
    let other = sessions.lines().find(|line| !line.contains('*')).unwrap();
    let number: String = other.chars().take_while(char::is_ascii_digit).collect();
    stage.say("laptop", &["sessions", "--revoke", &number], &[]);
    let refused = stage.run("phone", &["whoami"], &[]);
    assert!(!refused.status.success(), "the session was revoked");
    stage.say("laptop", &["whoami"], &[]);
    stage.say("laptop", &["user", "show", guest], &[]);
    stage.say("laptop", &["config"], &[]);
    stage.say("laptop", &["call", "Ping"], &[]);
    chat_by_lines(stage);
    stage.say("guest", &["logout"], &[]);
    stage.reload().await;
    stage.operate(Place::Config, &["config"]);
    for command in [&["--help"][..], &["login", "--help"], &["password", "--help"], &["join", "--help"]] {
        stage.operate(Place::Config, command);
    }
    stage.operate(Place::Output, &["backup", "copy.db", "--db", "talko.db"]);
    stage.take_database();
}

/// The chat of a terminal without pictures, which keeps a log in a file.
fn chat_by_lines(stage: &mut Stage) {
    let text = stage.text(Kind::Text);
    stage.say("guest", &["--line"], &[&text, "/quit"]);
    let log = stage.device_folder("guest").join(".local/share/talko/talko.log");
    assert!(fs::metadata(log).unwrap().len() > 0);
}
