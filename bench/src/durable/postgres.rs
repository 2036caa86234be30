//! PostgreSQL with what it comes with (`fsync` and `synchronous_commit` on): one prepared INSERT of the same row per transaction,
//! asked by its own pgbench. The table has the same two indexes and no foreign keys, and a sequence instead of a number
//! in each room: less work than Talko does.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;
use ttp::net::clock;

use super::redis::free_address;
use super::{Crowd, Figures, Window, talko};
use crate::language::TEXT_BYTES;
use crate::senders::{latencies, percentile_us};
use crate::server::Server;

/// Where Debian has the programs, one folder for each version.
const VERSIONS: &str = "/usr/lib/postgresql";

/// The person that PostgreSQL runs as when we are root, whom it refuses.
const PERSON: &str = "postgres";

/// Longest wait for it to let somebody in.
const START_TIMEOUT: Duration = Duration::from_secs(30);

const SCHEMA: &str = "CREATE SEQUENCE seqs CACHE 1000;
CREATE SEQUENCE keys CACHE 1000;
CREATE TABLE messages (message_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, chat_id bigint NOT NULL,
    user_id bigint NOT NULL, message_text text NOT NULL, message_ts bigint NOT NULL,
    seq bigint NOT NULL DEFAULT nextval('seqs'), number bigint NOT NULL, client_message_id text,
    UNIQUE (chat_id, seq));
CREATE UNIQUE INDEX messages_by_client_key ON messages (client_message_id, user_id)
    WHERE client_message_id IS NOT NULL;";

/// A cluster in a folder of its own, made once and started for each measurement.
pub(crate) struct Postgres {
    folder: TempDir,
    programs: PathBuf,
}

impl Postgres {
    /// Makes the cluster.
    ///
    /// # Errors
    /// PostgreSQL is not installed, or does not like the folder.
    pub(crate) fn new() -> Result<Self> {
        let folder = tempfile::tempdir().context("there is no place for a folder")?;
        let postgres = Self { folder, programs: newest()? };
        if rustix::process::geteuid().is_root() {
            let (user, group) = person()?;
            chown(postgres.path(), Some(user), Some(group))?;
        }
        fs::set_permissions(postgres.path(), fs::Permissions::from_mode(0o755))?;
        let mut command = postgres.command("initdb");
        command.args(["-U", PERSON, "-A", "trust", "-E", "UTF8", "--no-locale", "-D"]).arg(postgres.data());
        succeed(&mut command)?;
        Ok(postgres)
    }

    /// Measures a crowd, with the server on these cores.
    ///
    /// # Errors
    /// The server does not start, or a write is refused.
    pub(crate) fn measure(&self, crowd: Crowd, cores: &[usize], window: Window) -> Result<Figures> {
        let port = free_address()?.port().to_string();
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).args(["-p", &port, "-c", "listen_addresses=127.0.0.1"]);
        command.args(["-c", "max_connections=200", "-c", "unix_socket_directories="]);
        let mut server = Server::start(&mut command, cores)?;
        server.wait_for(format!("127.0.0.1:{port}").parse()?)?;
        self.wait_for(&port)?;
        let script = self.path().join("insert.sql");
        fs::write(&script, script_text())?;
        self.ask(&port, SCHEMA)?;
        let figures = self.run(crowd, &port, &script, &server, window);
        self.ask(&port, "DROP TABLE messages; DROP SEQUENCE seqs, keys;")?;
        server.stop("INT");
        figures
    }

    /// Runs pgbench longer than the window, and counts what falls into it.
    fn run(
        &self,
        crowd: Crowd,
        port: &str,
        script: &Path,
        server: &Server,
        window: Window,
    ) -> Result<Figures> {
        let log = self.path().join("log");
        let seconds = (window.warm_up + window.length).as_secs() + 2;
        let mut command = self.command("pgbench");
        command.args(["-n", "-M", "prepared", "-j", "1", "-h", "127.0.0.1", "-U", PERSON, "-p", port, "-f"]);
        command.arg(script).args(["-c", &crowd.connections.to_string(), "-T", &seconds.to_string()]);
        command.arg("-l").arg(format!("--log-prefix={}", log.display())).arg(PERSON);
        let mut pgbench = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        // The connections are part of the warm-up.
        std::thread::sleep(window.warm_up + Duration::from_millis(500));
        let (begun_ms, processor_s) = (clock::now_ms(), server.processor_s());
        std::thread::sleep(window.length);
        let (ended_ms, processor_s_after) = (clock::now_ms(), server.processor_s());
        let process = pgbench.id();
        ensure!(pgbench.wait()?.success(), "pgbench failed");
        let name = format!("{}.{process}", log.display());
        let text = fs::read_to_string(&name).with_context(|| format!("pgbench left no {name}"))?;
        fs::remove_file(&name)?;
        let mut latency_ns = latencies();
        for latency_us in text.lines().filter_map(|line| within(line, begun_ms..ended_ms)) {
            latency_ns.saturating_record(latency_us * 1000);
        }
        let writes = latency_ns.len() as f64;
        ensure!(writes > 0.0, "pgbench wrote nothing in the window");
        Ok(Figures {
            per_s: writes * 1000.0 / (ended_ms - begun_ms) as f64,
            processor_us: (processor_s_after - processor_s) * 1e6 / writes,
            p50_us: percentile_us(&latency_ns, 50.0),
            p99_us: percentile_us(&latency_ns, 99.0),
            rows_per_commit: None,
        })
    }

    /// Its port is open before it lets anybody in.
    fn wait_for(&self, port: &str) -> Result<()> {
        let begun = clock::now();
        while !self.command("pg_isready").args(["-q", "-h", "127.0.0.1", "-p", port]).status()?.success() {
            ensure!(clock::now() - begun < START_TIMEOUT, "PostgreSQL lets nobody in");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn ask(&self, port: &str, sql: &str) -> Result<()> {
        let mut command = self.command("psql");
        succeed(command.args([
            "-q",
            "-h",
            "127.0.0.1",
            "-U",
            PERSON,
            "-p",
            port,
            "-v",
            "ON_ERROR_STOP=1",
            "-c",
            sql,
        ]))
    }

    /// One of PostgreSQL's programs, as the person that it accepts.
    fn command(&self, program: &str) -> Command {
        let path = self.programs.join(program);
        let mut command = if rustix::process::geteuid().is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", PERSON, "--regid", PERSON, "--clear-groups", "--"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        command.current_dir(self.path());
        command
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn data(&self) -> PathBuf {
        self.path().join("data")
    }
}

/// The insert, for one of the rooms and a thousand people, with a key of 26 characters that
/// sort by time.
fn script_text() -> String {
    let text = "x".repeat(TEXT_BYTES);
    format!(
        "\\set room random(1, {})\n\\set person random(1, 64)\n\\set low random(1000000000000, 9999999999999)\n\
         INSERT INTO messages (chat_id, user_id, message_text, message_ts, number, client_message_id)\n\
         VALUES (:room, :person, '{text}', 1763690000000, 1, lpad(nextval('keys')::text, 13, '0') || :low::text)\n\
         RETURNING message_id, seq;\n",
        talko::ROOMS
    )
}

/// The latency of a line of pgbench's log, when its transaction ended in this time: client, transaction, latency in
/// microseconds, script, seconds, microseconds.
fn within(line: &str, window_ms: std::ops::Range<i64>) -> Option<u64> {
    let fields: Vec<&str> = line.split(' ').collect();
    let end_ms = fields.get(4)?.parse::<i64>().ok()? * 1000 + fields.get(5)?.parse::<i64>().ok()? / 1000;
    let latency_us = fields.get(2)?.parse().ok()?;
    window_ms.contains(&end_ms).then_some(latency_us)
}

fn succeed(command: &mut Command) -> Result<()> {
    let name = format!("{command:?}");
    let output = command.output().with_context(|| format!("{name} does not start"))?;
    if !output.status.success() {
        bail!("{name} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// The programs of the newest version that is installed.
fn newest() -> Result<PathBuf> {
    let versions = fs::read_dir(VERSIONS).into_iter().flatten().flatten();
    let number = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let newest = versions.map(|entry| entry.path()).max_by_key(number);
    Ok(newest.context("PostgreSQL is not installed: apt-get install postgresql")?.join("bin"))
}

/// User and group of the person that PostgreSQL runs as.
fn person() -> Result<(u32, u32)> {
    let people = fs::read_to_string("/etc/passwd").context("this system lists no people")?;
    let line = people.lines().find(|line| line.split(':').next() == Some(PERSON));
    let fields: Vec<&str> = line.context("there is no person postgres on this system")?.split(':').collect();
    let number = |place: usize| fields.get(place).and_then(|field| field.parse().ok());
    number(2).zip(number(3)).context("the person postgres has no number")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_counts_when_it_ended_in_the_window() {
        let line = "0 199 2241 0 1763690000 995603";
        assert_eq!(within(line, 1_763_690_000_995..1_763_690_000_996), Some(2241));
        assert_eq!(within(line, 1_763_690_000_996..1_763_690_001_996), None);
        assert_eq!(within("no numbers", 0..i64::MAX), None);
    }
}
