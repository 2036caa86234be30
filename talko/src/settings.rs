//! Flags, environment variables, a TOML file and defaults, merged in this order, each value with its origin.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::ArgMatches;
use clap::parser::ValueSource;
use etcetera::BaseStrategy;
use serde::Deserialize;

use crate::choices::{LogFormat, RatesName, RegistrationName, TlsWhen};
use crate::failure::Misuse;

/// With the 2 s for forwarding what was committed last, a process ends within 10 s of its signal, whoever does not read.
const DRAIN_TIMEOUT_MS: u64 = 7_000;

/// The room that every new account joins.
const GENERAL_ROOM: &str = "general";

/// What is said in the place of its name when there shall be none.
const NO_GENERAL_ROOM: &str = "off";

/// How long a device stays logged in without being used.
const SESSION_DAYS: u32 = 30;

/// A value and where it is from.
#[derive(Debug, Clone)]
pub(crate) struct Setting<T> {
    pub(crate) value: T,
    origin: Origin,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    Flag,
    Environment,
    File(PathBuf),
    Default,
}

impl<T> Setting<T> {
    /// Whether somebody said so.
    pub(crate) fn is_chosen(&self) -> bool {
        self.origin != Origin::Default
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Environment => f.write_str("environment"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// The file. Every member is optional; what is not listed here is refused.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    data_address: Option<String>,
    broadcast_address: Option<String>,
    http_address: Option<String>,
    metrics_address: Option<String>,
    db: Option<PathBuf>,
    trust_user_ids: Option<bool>,
    tls: Option<TlsWhen>,
    tls_certificate_file: Option<PathBuf>,
    tls_key_file: Option<PathBuf>,
    registration: Option<RegistrationName>,
    rates: Option<RatesName>,
    general_room: Option<String>,
    session_days: Option<u32>,
    keep_days: Option<u32>,
    keep_messages: Option<u64>,
    public_address: Option<String>,
    service_key_file: Option<PathBuf>,
    connections_max: Option<usize>,
    outlet_bytes_max: Option<usize>,
    text_bytes_max: Option<usize>,
    attachment_bytes_max: Option<u64>,
    drain_timeout_ms: Option<u64>,
    log_level: Option<String>,
    log_format: Option<LogFormat>,
    user: Option<String>,
    screen_file: Option<PathBuf>,
}

/// All settings in force.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) data_address: Setting<String>,
    pub(crate) broadcast_address: Setting<String>,
    pub(crate) http_address: Setting<Option<String>>,
    pub(crate) metrics_address: Setting<Option<String>>,
    pub(crate) db: Setting<PathBuf>,
    pub(crate) trust_user_ids: Setting<bool>,
    pub(crate) tls: Setting<TlsWhen>,
    pub(crate) tls_certificate_file: Setting<PathBuf>,
    pub(crate) tls_key_file: Setting<PathBuf>,
    pub(crate) registration: Setting<Option<RegistrationName>>,
    pub(crate) rates: Setting<RatesName>,
    pub(crate) general_room: Setting<String>,
    pub(crate) session_days: Setting<u32>,
    pub(crate) keep_days: Setting<u32>,
    pub(crate) keep_messages: Setting<u64>,
    pub(crate) public_address: Setting<Option<String>>,
    pub(crate) service_key_file: Setting<PathBuf>,
    pub(crate) connections_max: Setting<usize>,
    pub(crate) outlet_bytes_max: Setting<usize>,
    pub(crate) text_bytes_max: Setting<usize>,
    pub(crate) attachment_bytes_max: Setting<u64>,
    pub(crate) drain_timeout_ms: Setting<u64>,
    pub(crate) log_level: Setting<String>,
    pub(crate) log_format: Setting<LogFormat>,
    pub(crate) user: Setting<Option<String>>,
    pub(crate) screen_file: Setting<PathBuf>,
    /// Where a password comes from that nobody is asked for.
    pub(crate) password_fd: Option<u32>,
    /// Where a token comes from that no session file keeps.
    pub(crate) token_file: Option<PathBuf>,
    /// Where the database, the key and the log of a local installation live.
    pub(crate) data_directory: PathBuf,
}

impl Settings {
    /// Merges. `matches` are those of the command that was typed; flags it does not have keep their file or
    /// default values.
    pub(crate) fn load(matches: &ArgMatches) -> anyhow::Result<Self> {
        let directories = etcetera::choose_base_strategy().context("cannot find your home directory")?;
        let data_directory = directories.data_dir().join("talko");
        let config_directory = directories.config_dir().join("talko");
        let (path, file) = read_file(matches, &config_directory.join("talko.toml"))?;
        let merge = Merge { matches, path };
        Ok(Self {
            data_address: merge.pick("data_address", file.data_address, "127.0.0.1:8889".into()),
            broadcast_address: merge.pick(
                "broadcast_address",
                file.broadcast_address,
                "127.0.0.1:8888".into(),
            ),
            http_address: merge.pick_optional("http_address", file.http_address),
            metrics_address: merge.pick_optional("metrics_address", file.metrics_address),
            db: merge.pick("db", file.db, data_directory.join("talko.db")),
            trust_user_ids: merge.pick("trust_user_ids", file.trust_user_ids, false),
            tls: merge.pick("tls", file.tls, TlsWhen::Auto),
            tls_certificate_file: merge.pick(
                "tls_certificate_file",
                file.tls_certificate_file,
                data_directory.join("tls.crt"),
            ),
            tls_key_file: merge.pick("tls_key_file", file.tls_key_file, data_directory.join("tls.key")),
            registration: merge.pick_optional("registration", file.registration),
            rates: merge.pick("rates", file.rates, RatesName::Default),
            general_room: merge.pick("general_room", file.general_room, GENERAL_ROOM.into()),
            session_days: merge.pick("session_days", file.session_days, SESSION_DAYS),
            keep_days: merge.pick("keep_days", file.keep_days, 0),
            keep_messages: merge.pick("keep_messages", file.keep_messages, 0),
            public_address: merge.pick_optional("public_address", file.public_address),
            service_key_file: merge.pick(
                "service_key_file",
                file.service_key_file,
                data_directory.join("service.key"),
            ),
            connections_max: merge.pick(
                "connections_max",
                file.connections_max,
                ttp::limits::CONNECTIONS_MAX,
            ),
            text_bytes_max: merge.pick("text_bytes_max", file.text_bytes_max, ttp::limits::TEXT_BYTES_MAX),
            attachment_bytes_max: merge.pick(
                "attachment_bytes_max",
                file.attachment_bytes_max,
                ttp::limits::ATTACHMENT_BYTES_MAX,
            ),
            outlet_bytes_max: merge.pick(
                "outlet_bytes_max",
                file.outlet_bytes_max,
                broadcast_server::Config::default().outlets_bytes_max,
            ),
            drain_timeout_ms: merge.pick("drain_timeout_ms", file.drain_timeout_ms, DRAIN_TIMEOUT_MS),
            log_level: merge.pick("log_level", file.log_level, "info".into()),
            log_format: merge.pick("log_format", file.log_format, LogFormat::Text),
            user: merge.pick_optional("user", file.user),
            screen_file: merge.pick("screen_file", file.screen_file, config_directory.join("screen.toml")),
            password_fd: merge.pick_optional("password_fd", None).value,
            token_file: merge.pick_optional("token_file", None).value,
            data_directory,
        })
    }

    /// The name of the room that every new account joins, unless there shall be none.
    pub(crate) fn general_room(&self) -> Option<String> {
        Some(&self.general_room.value).filter(|name| *name != NO_GENERAL_ROOM).cloned()
    }

    /// How long each of so many servers that stop one after the other may wait.
    pub(crate) fn drain_timeout(&self, servers: u32) -> Duration {
        Duration::from_millis(self.drain_timeout_ms.value) / servers
    }

    /// The broadcast-server's address, when somebody named one. Clients otherwise go where the data-server says.
    pub(crate) fn chosen_broadcast_address(&self) -> Option<String> {
        let setting = &self.broadcast_address;
        setting.is_chosen().then(|| setting.value.clone())
    }

    /// The flags that lead another `talko` to the same servers; nothing where the defaults do.
    pub(crate) fn address_flags(&self) -> String {
        let mut flags = String::new();
        for (flag, setting) in
            [("--data-address", &self.data_address), ("--broadcast-address", &self.broadcast_address)]
        {
            if setting.is_chosen() {
                flags += &format!(" {flag} {}", setting.value);
            }
        }
        flags
    }

    /// What no server may start with.
    ///
    /// # Errors
    /// A sentence that says what to change.
    pub(crate) fn check_for_serving(&self) -> Result<(), Misuse> {
        if self.session_days.value == 0 {
            return Err(Misuse("session_days is 0: nobody could stay logged in".into()));
        }
        if let Some(Err(fault)) = self.general_room().map(|name| data_server::names::room(&name)) {
            return Err(Misuse(format!("general_room is {:?}: {fault}", self.general_room.value)));
        }
        if !(1..=ttp::limits::TEXT_BYTES_MAX).contains(&self.text_bytes_max.value) {
            let most = ttp::limits::TEXT_BYTES_MAX;
            return Err(Misuse(format!("text_bytes_max is {}: give 1 to {most}", self.text_bytes_max.value)));
        }
        if self.connections_max.value == 0 {
            return Err(Misuse("connections_max is 0: nobody could connect".into()));
        }
        let (data, broadcast) = (&self.data_address.value, &self.broadcast_address.value);
        if data == broadcast && !data.ends_with(":0") {
            return Err(Misuse(format!(
                "data_address and broadcast_address are both {data}; each needs its own"
            )));
        }
        Ok(())
    }

    /// A table of names, values and origins, for `talko config`.
    pub(crate) fn table(&self) -> Vec<[String; 3]> {
        fn row<T>(name: &str, setting: &Setting<T>, value: impl fmt::Display) -> [String; 3] {
            [name.into(), value.to_string(), setting.origin.to_string()]
        }
        vec![
            row("data_address", &self.data_address, &self.data_address.value),
            row("broadcast_address", &self.broadcast_address, &self.broadcast_address.value),
            row("http_address", &self.http_address, self.http_address.value.as_deref().unwrap_or("(none)")),
            row(
                "metrics_address",
                &self.metrics_address,
                self.metrics_address.value.as_deref().unwrap_or("(none)"),
            ),
            row("db", &self.db, self.db.value.display()),
            row("trust_user_ids", &self.trust_user_ids, self.trust_user_ids.value),
            row("tls", &self.tls, format!("{:?}", self.tls.value).to_lowercase()),
            row(
                "tls_certificate_file",
                &self.tls_certificate_file,
                self.tls_certificate_file.value.display(),
            ),
            row("tls_key_file", &self.tls_key_file, self.tls_key_file.value.display()),
            row(
                "registration",
                &self.registration,
                self.registration.value.map_or("(open on loopback, else invitation)".into(), |who| {
                    format!("{who:?}").to_lowercase()
                }),
            ),
            row("rates", &self.rates, format!("{:?}", self.rates.value).to_lowercase()),
            row("general_room", &self.general_room, &self.general_room.value),
            row("session_days", &self.session_days, self.session_days.value),
            row("keep_days", &self.keep_days, self.keep_days.value),
            row("keep_messages", &self.keep_messages, self.keep_messages.value),
            row(
                "public_address",
                &self.public_address,
                self.public_address.value.as_deref().unwrap_or("(what the inviter uses)"),
            ),
            row("service_key_file", &self.service_key_file, self.service_key_file.value.display()),
            row("connections_max", &self.connections_max, self.connections_max.value),
            row("text_bytes_max", &self.text_bytes_max, self.text_bytes_max.value),
            row("attachment_bytes_max", &self.attachment_bytes_max, self.attachment_bytes_max.value),
            row("outlet_bytes_max", &self.outlet_bytes_max, self.outlet_bytes_max.value),
            row("drain_timeout_ms", &self.drain_timeout_ms, self.drain_timeout_ms.value),
            row("log_level", &self.log_level, &self.log_level.value),
            row("log_format", &self.log_format, format!("{:?}", self.log_format.value).to_lowercase()),
            row("user", &self.user, self.user.value.as_deref().unwrap_or("(asked for)")),
            row("screen_file", &self.screen_file, self.screen_file.value.display()),
        ]
    }
}

/// Reads the file that was named, or the usual one if it is there.
fn read_file(matches: &ArgMatches, usual: &Path) -> anyhow::Result<(PathBuf, File)> {
    let named = matches.try_get_one::<PathBuf>("config").ok().flatten().cloned();
    let path = named.clone().unwrap_or_else(|| usual.to_path_buf());
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
            return Ok((path, File::default()));
        }
        Err(error) => {
            let message = format!("cannot read the configuration {}: {error}", path.display());
            return Err(Misuse(message).into());
        }
    };
    let file = toml::from_str(&text).map_err(|error| {
        let what = error.message().replace('\n', " ");
        let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        Misuse(format!("the configuration {}, line {line}, is wrong: {what}", path.display()))
    })?;
    Ok((path, file))
}

struct Merge<'a> {
    matches: &'a ArgMatches,
    path: PathBuf,
}

impl Merge<'_> {
    fn pick<T: Clone + Send + Sync + 'static>(&self, name: &str, file: Option<T>, default: T) -> Setting<T> {
        let picked = self.pick_optional(name, file);
        Setting { value: picked.value.unwrap_or(default), origin: picked.origin }
    }

    fn pick_optional<T: Clone + Send + Sync + 'static>(
        &self,
        name: &str,
        file: Option<T>,
    ) -> Setting<Option<T>> {
        if let Ok(Some(value)) = self.matches.try_get_one::<T>(name) {
            let origin = match self.matches.value_source(name) {
                Some(ValueSource::CommandLine) => Some(Origin::Flag),
                Some(ValueSource::EnvVariable) => Some(Origin::Environment),
                _ => None,
            };
            if let Some(origin) = origin {
                return Setting { value: Some(value.clone()), origin };
            }
        }
        match file {
            Some(value) => Setting { value: Some(value), origin: Origin::File(self.path.clone()) },
            None => Setting { value: None, origin: Origin::Default },
        }
    }
}
