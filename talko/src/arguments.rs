//! What can be typed. Values are picked up by name in [`crate::settings`]; here they get their flags, variables
//! and help.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand};

use crate::choices::{LogFormat, RatesName, RegistrationName, RoleName, TlsWhen};
use crate::file_arguments::FileCommand;

mod people;

pub(crate) use people::{BotCommand, UserCommand};

/// Self-hosted chat from TCP up. Without a command: chat now.
#[derive(Debug, Parser)]
#[command(name = "talko", version, args_conflicts_with_subcommands = true, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 server not reachable, 4 server refused, \
                  5 server not believed."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) chat: ChatArguments,
    #[command(flatten)]
    _addresses: AddressArguments,
    #[command(flatten)]
    _database: DatabaseArguments,
    #[command(flatten)]
    _server: ServerArguments,
    #[command(flatten)]
    _user: UserArguments,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run both servers in the foreground.
    Up {
        #[command(flatten)]
        recreate: RecreateArguments,
        #[command(flatten)]
        _http: HttpArguments,
        #[command(flatten)]
        _metrics: MetricsArguments,
        #[command(flatten)]
        _addresses: AddressArguments,
        #[command(flatten)]
        _database: DatabaseArguments,
        #[command(flatten)]
        _server: ServerArguments,
    },
    /// Run the data-server alone; it links to the broadcast-server at --broadcast-address.
    DataServer {
        #[command(flatten)]
        recreate: RecreateArguments,
        #[command(flatten)]
        _addresses: AddressArguments,
        #[command(flatten)]
        _database: DatabaseArguments,
        #[command(flatten)]
        _server: ServerArguments,
        #[command(flatten)]
        _metrics: MetricsArguments,
        #[command(flatten)]
        _key: ServiceKeyArguments,
    },
    /// Run the broadcast-server alone.
    BroadcastServer {
        #[command(flatten)]
        _addresses: AddressArguments,
        #[command(flatten)]
        _server: ServerArguments,
        #[command(flatten)]
        _metrics: MetricsArguments,
        #[command(flatten)]
        _key: ServiceKeyArguments,
    },
    /// Start with a fresh demo chat of two people and open it as the first of them.
    Demo {
        #[command(flatten)]
        chat: ChatArguments,
        #[command(flatten)]
        _addresses: AddressArguments,
        #[command(flatten)]
        _server: ServerArguments,
        #[command(flatten)]
        _user: UserArguments,
    },
    /// Log in, and remember it on this device.
    Login {
        /// Make the account if there is none of this name.
        #[arg(long)]
        register: bool,
        #[command(flatten)]
        _addresses: AddressArguments,
        #[command(flatten)]
        _user: UserArguments,
    },
    /// Accept an invitation: trust its server's key, and make an account there.
    Join {
        /// The invitation: talko://HOST:PORT/CODE?key=sha256:…
        link: String,
        #[command(flatten)]
        _config: ConfigArguments,
        #[command(flatten)]
        _user: UserArguments,
    },
    /// Log out on this device.
    Logout {
        /// End every session, on all devices.
        #[arg(long)]
        everywhere: bool,
        #[command(flatten)]
        _addresses: AddressArguments,
        #[command(flatten)]
        _user: UserArguments,
    },
    /// Say who is logged in here.
    Whoami {
        #[command(flatten)]
        _addresses: AddressArguments,
        #[command(flatten)]
        _user: UserArguments,
    },
    /// List the devices that are logged in.
    Sessions {
        /// Log this one out instead.
        #[arg(long, value_name = "NUMBER")]
        revoke: Option<i64>,
        #[command(flatten)]
        _addresses: AddressArguments,
        #[command(flatten)]
        _user: UserArguments,
    },
    /// Change the password; all other devices are logged out.
    Password {
        #[command(flatten)]
        _addresses: AddressArguments,
        #[command(flatten)]
        _user: UserArguments,
    },
    /// Make an invitation and print its link.
    Invite {
        /// How many accounts may be made with it.
        #[arg(long, value_name = "N", default_value_t = 1)]
        uses: u32,
        /// How many days it holds.
        #[arg(long, value_name = "DAYS", default_value_t = 7)]
        days: u32,
        /// What the new people may do on the server.
        #[arg(long, value_name = "ROLE", default_value = "member")]
        role: RoleName,
        /// List the invitations that hold instead.
        #[arg(long, conflicts_with = "revoke")]
        list: bool,
        /// Take one back instead.
        #[arg(long, value_name = "NUMBER")]
        revoke: Option<i64>,
        #[command(flatten)]
        _addresses: AddressArguments,
        #[command(flatten)]
        _user: UserArguments,
    },
    /// Show, and after a question trust, the key of a server.
    Trust {
        /// The server.
        #[arg(value_name = "HOST:PORT")]
        server: String,
        /// Trust this key without asking the server.
        #[arg(long, value_name = "sha256:…")]
        fingerprint: Option<String>,
        /// Trust what the server shows without the question.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        _config: ConfigArguments,
    },
    /// Send a message; without TEXT, each line of standard input is one.
    Send {
        /// The chat: its number, its name, or a person's name for a private chat. With --json, where objects without a
        /// `chat_id` go.
        #[arg(required_unless_present = "json")]
        chat: Option<String>,
        /// What to say.
        text: Vec<String>,
        /// Each line of standard input is an object: {"chat_id":…,"text":…,"reply_to":…,"key":…}. What is sent again with
        /// its key is said once.
        #[arg(long, conflicts_with = "text")]
        json: bool,
        #[command(flatten)]
        _addresses: AddressArguments,
        #[command(flatten)]
        _user: UserArguments,
    },
    /// Follow what is said, one line a message.
    Tail {
        /// One chat by number or name; all chats when left out.
        chat: Option<String>,
        /// The same.
        #[arg(long = "chat", value_name = "CHAT", conflicts_with = "chat")]
        named: Option<String>,
        /// One JSON object per log entry instead of text.
        #[arg(long)]
        json: bool,
        /// Begin after this entry of each chat instead of now; 0 is the beginning.
        #[arg(long, value_name = "SEQ")]
        since: Option<u64>,
        /// Keep in this file how far was printed, and go on from there the next time.
        #[arg(long, value_name = "FILE", conflicts_with = "since")]
        position: Option<PathBuf>,
        #[command(flatten)]
        _addresses: AddressArguments,
        #[command(flatten)]
        _user: UserArguments,
    },
    /// Call any method and print its result as JSON.
    Call {
        /// The method, such as GetChats.
        method: String,
        /// Its params as a JSON object.
        #[arg(default_value = "{}")]
        params: String,
        /// Ask the broadcast-server instead of the data-server.
        #[arg(long)]
        broadcast: bool,
        #[command(flatten)]
        _addresses: AddressArguments,
        #[command(flatten)]
        _user: UserArguments,
    },
    /// Accounts of programs: make, list and end them.
    Bot {
        #[command(subcommand)]
        command: BotCommand,
    },
    /// People.
    User {
        #[command(subcommand)]
        command: UserCommand,
    },
    #[command(flatten)]
    Files(FileCommand),
    /// Ask whether the servers are there; the exit code says it.
    Ping {
        #[command(flatten)]
        _addresses: AddressArguments,
    },
    /// Show the figures of running servers, every second anew.
    Top {
        /// Where servers show them (`--metrics-address` there); once or twice. [default: 127.0.0.1:8890]
        #[arg(long = "metrics-address", env = "TALKO_METRICS_ADDRESS", value_name = "HOST:PORT",
              value_delimiter = ',', value_parser = NonEmptyStringValueParser::new())]
        addresses: Vec<String>,
        /// Print them once, as a plain table.
        #[arg(long)]
        once: bool,
        #[command(flatten)]
        _config: ConfigArguments,
    },
    /// Print the settings in force and where each is from.
    Config {
        #[command(flatten)]
        _addresses: AddressArguments,
        #[command(flatten)]
        _database: DatabaseArguments,
        #[command(flatten)]
        _server: ServerArguments,
        #[command(flatten)]
        _http: HttpArguments,
        #[command(flatten)]
        _metrics: MetricsArguments,
        #[command(flatten)]
        _key: ServiceKeyArguments,
        #[command(flatten)]
        _user: UserArguments,
        #[command(flatten)]
        _screen: ScreenArguments,
    },
    /// Print a file of keys and colours for the full screen, with all that it can hold.
    ScreenFile,
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ChatArguments {
    /// Chat line by line even in a terminal.
    #[arg(long)]
    pub(crate) line: bool,
    #[command(flatten)]
    _screen: ScreenArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ScreenArguments {
    /// Keys, colours and habits of the full screen; `talko screen-file` prints one. [default: screen.toml in the user's
    /// configuration directory, if it is there]
    #[arg(long, env = "TALKO_SCREEN_FILE", value_name = "FILE")]
    screen_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RecreateArguments {
    /// Begin with an empty database; the old file is kept beside it as FILE.previous.
    #[arg(long)]
    pub(crate) recreate_db: bool,
    /// Put a chat of two people into the empty database.
    #[arg(long, requires = "recreate_db")]
    pub(crate) insert_demo_chat: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigArguments {
    /// A TOML file with settings. [default: talko.toml in the user's configuration directory, if it is there]
    #[arg(long, env = "TALKO_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Where the servers are, or shall be.
#[derive(Debug, Args)]
pub(crate) struct AddressArguments {
    #[command(flatten)]
    _config: ConfigArguments,
    /// The data-server. [default: 127.0.0.1:8889]
    #[arg(long, env = "TALKO_DATA_ADDRESS", value_name = "HOST:PORT", value_parser = NonEmptyStringValueParser::new())]
    data_address: Option<String>,
    /// The broadcast-server. [default: 127.0.0.1:8888, or what the data-server says]
    #[arg(long, env = "TALKO_BROADCAST_ADDRESS", value_name = "HOST:PORT", value_parser = NonEmptyStringValueParser::new())]
    broadcast_address: Option<String>,
    /// When to speak TLS: `auto` is everywhere but on this machine itself. `never` lets anybody on the way read along.
    /// [default: auto]
    #[arg(long, env = "TALKO_TLS", value_name = "WHEN")]
    tls: Option<TlsWhen>,
    /// Believe the user ids that peers send, and ask for no passwords. Loopback only.
    #[arg(long, env = "TALKO_TRUST_USER_IDS", value_parser = clap::builder::FalseyValueParser::new())]
    trust_user_ids: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DatabaseArguments {
    /// The database. [default: talko.db in the user's data directory]
    #[arg(long, env = "TALKO_DB", value_name = "FILE")]
    db: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ServerArguments {
    /// Who may make an account: anybody, whoever has an invitation, or nobody. [default: open on loopback, else
    /// invitation]
    #[arg(long, env = "TALKO_REGISTRATION", value_name = "WHO")]
    registration: Option<RegistrationName>,
    /// The public room that every new account joins, made at the first start; `off` for none. [default: general]
    #[arg(long, env = "TALKO_GENERAL_ROOM", value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    general_room: Option<String>,
    /// Days after which a device that was not used must log in again. [default: 30]
    #[arg(long, env = "TALKO_SESSION_DAYS", value_name = "DAYS")]
    session_days: Option<u32>,
    /// Days after which messages go, in every chat; 0 for never. [default: 0]
    #[arg(long, env = "TALKO_KEEP_DAYS", value_name = "DAYS")]
    keep_days: Option<u32>,
    /// Messages that stay of each chat, the newest; 0 for all. [default: 0]
    #[arg(long, env = "TALKO_KEEP_MESSAGES", value_name = "N")]
    keep_messages: Option<u64>,
    /// Limits on how often peers may ask and guess passwords. `off` is for benchmarks and closed networks. [default:
    /// default]
    #[arg(long, env = "TALKO_RATES", value_name = "WHICH")]
    rates: Option<RatesName>,
    /// How others reach the data-server: printed in invitations. [default: what the inviter uses]
    #[arg(long, env = "TALKO_PUBLIC_ADDRESS", value_name = "HOST:PORT", value_parser = NonEmptyStringValueParser::new())]
    public_address: Option<String>,
    /// The certificate for TLS, as PEM; made on the first start if neither it nor the key is there. [default: tls.crt in
    /// the data directory]
    #[arg(long, env = "TALKO_TLS_CERTIFICATE_FILE", value_name = "FILE")]
    tls_certificate_file: Option<PathBuf>,
    /// Its private key, as PEM. [default: tls.key in the data directory]
    #[arg(long, env = "TALKO_TLS_KEY_FILE", value_name = "FILE")]
    tls_key_file: Option<PathBuf>,
    /// Connections of each server; further ones are told to come back later. [default: 20000, or fewer where the
    /// system allows fewer open files]
    #[arg(long, env = "TALKO_CONNECTIONS_MAX", value_name = "N")]
    connections_max: Option<usize>,
    /// Memory of the broadcast-server for what its readers have not taken yet, in bytes; the slowest readers are sent
    /// away to come back when it is used up. [default: 268435456]
    #[arg(long, env = "TALKO_OUTLET_BYTES_MAX", value_name = "BYTES")]
    outlet_bytes_max: Option<usize>,
    /// Bytes of the text of a message; longer ones are refused. [default: 65536]
    #[arg(long, env = "TALKO_TEXT_BYTES_MAX", value_name = "BYTES")]
    text_bytes_max: Option<usize>,
    /// Bytes of a file of a message; longer ones are refused. [default: 67108864]
    #[arg(long, env = "TALKO_ATTACHMENT_BYTES_MAX", value_name = "BYTES")]
    attachment_bytes_max: Option<u64>,
    /// How long a stopping process waits for open connections, all its servers together, in milliseconds. [default:
    /// 7000]
    #[arg(long, env = "TALKO_DRAIN_TIMEOUT_MS", value_name = "MS")]
    drain_timeout_ms: Option<u64>,
    /// error, warn, info, debug or trace. [default: info]
    #[arg(long, env = "TALKO_LOG_LEVEL", value_name = "LEVEL")]
    log_level: Option<String>,
    /// How log lines look. [default: text]
    #[arg(long, env = "TALKO_LOG_FORMAT", value_name = "FORMAT")]
    log_format: Option<LogFormat>,
}

#[derive(Debug, Args)]
pub(crate) struct HttpArguments {
    /// Serve the same methods over HTTP and WebSocket there, too. [default: not at all]
    #[arg(long, env = "TALKO_HTTP_ADDRESS", value_name = "HOST:PORT", value_parser = NonEmptyStringValueParser::new())]
    http_address: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct MetricsArguments {
    /// Show figures for Prometheus and `talko top` there, such as 127.0.0.1:8890. [default: not at all]
    #[arg(long, env = "TALKO_METRICS_ADDRESS", value_name = "HOST:PORT", value_parser = NonEmptyStringValueParser::new())]
    metrics_address: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ServiceKeyArguments {
    /// The key that both servers share; made on the first start. [default: service.key in the data directory]
    #[arg(long, env = "TALKO_SERVICE_KEY_FILE", value_name = "FILE")]
    service_key_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct UserArguments {
    /// Who you are. On this machine's own servers a name that is new becomes a new account.
    #[arg(long, env = "TALKO_USER", value_name = "NAME")]
    user: Option<String>,
    /// Speak as the bot, or in the session, whose token stands in this file; or in TALKO_TOKEN.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    _password: PasswordArguments,
}

#[derive(Debug, Args)]
pub(crate) struct PasswordArguments {
    /// Read the password from this file descriptor, up to the end of a line, instead of asking.
    #[arg(long, value_name = "NUMBER")]
    password_fd: Option<u32>,
}
