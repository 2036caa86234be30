//! Which figures are shown of each server, the most important first, and in which words.

use super::history::History;

/// One line about a server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) title: &'static str,
    what: What,
}

/// A figure's name, and what its labels must contain.
type Name = (&'static str, &'static str);

#[derive(Debug, Clone, Copy)]
enum What {
    /// How fast a counter grows.
    Rate(Name),
    /// The same of bytes.
    ByteRate(Name),
    /// How much there is now.
    Count(Name),
    /// The same of bytes.
    Bytes(Name),
    /// The middle and the worst of a hundred.
    Times(Name),
    /// The mean of a histogram.
    Mean(&'static str),
    /// How often it happened, which should be never.
    Trouble(Name),
    /// What must be so.
    Must(&'static str),
}

/// What a row says now.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Said {
    pub(crate) value: String,
    /// The same over time, the newest last; nothing where one number says it.
    pub(crate) course: Vec<f64>,
    /// Whether somebody should look at it.
    pub(crate) is_alarming: bool,
}

/// Shown when a figure by this name is there.
pub(crate) struct Panel {
    pub(crate) title: &'static str,
    pub(crate) proof: &'static str,
    pub(crate) rows: &'static [Row],
}

const fn row(title: &'static str, what: What) -> Row {
    Row { title, what }
}

/// Both servers.
pub(crate) const PANELS: [Panel; 2] = [
    Panel { title: "data-server", proof: "talko_data_calls_total", rows: DATA },
    Panel { title: "broadcast-server", proof: "talko_broadcast_streams", rows: BROADCAST },
];

const DATA: &[Row] = &[
    row("calls/s", What::Rate(("talko_data_calls_total", ""))),
    row("entries/s", What::Rate(("talko_data_entries_total", ""))),
    row("commit p50 p99", What::Times(("talko_data_commit_seconds", ""))),
    row("connections", What::Count(("talko_connections", "server=\"data\""))),
    row("overloaded", What::Trouble(("talko_data_refusals_total", "code=\"overloaded\""))),
    row("changes/commit", What::Mean("talko_data_batch_changes")),
    row("writes waiting", What::Count(("talko_data_queue_length", "queue=\"writes\""))),
    row("reads waiting", What::Count(("talko_data_queue_length", "reads\""))),
    row("read p50 p99", What::Times(("talko_data_read_seconds", ""))),
    row("rate limited", What::Trouble(("talko_data_calls_rate_limited_total", ""))),
    row("logins/s", What::Rate(("talko_data_logins_total", ""))),
    row("logins failed", What::Trouble(("talko_data_logins_failed_total", ""))),
    row("passwd waiting", What::Count(("talko_data_queue_length", "queue=\"passwords\""))),
    row("forward p50 p99", What::Times(("talko_data_forward_seconds", ""))),
    row("commits failed", What::Trouble(("talko_data_commits_failed_total", ""))),
    row("storage", What::Must("talko_data_storage_sound")),
    row("link", What::Must("talko_data_link_up")),
    row("link losses", What::Trouble(("talko_data_link_losses_total", ""))),
    row("shed", What::Trouble(("talko_connections_refused_total", "server=\"data\""))),
];

const BROADCAST: &[Row] = &[
    row("deliveries/s", What::Rate(("talko_broadcast_deliveries_total", ""))),
    row("streams", What::Count(("talko_broadcast_streams", ""))),
    row("lag p50 p99", What::Times(("talko_broadcast_lag_seconds", ""))),
    row("outlets wait", What::Bytes(("talko_broadcast_outlet_waiting_bytes", ""))),
    row("slow cuts", What::Trouble(("talko_broadcast_slow_cuts_total", ""))),
    row("sent/s", What::ByteRate(("talko_broadcast_delivered_bytes_total", ""))),
    row("fan-out p50 p99", What::Times(("talko_broadcast_fan_out_seconds", ""))),
    row("events/fan-out", What::Mean("talko_broadcast_fan_out_events")),
    row("connections", What::Count(("talko_connections", "server=\"broadcast\""))),
    row("opened/s", What::Rate(("talko_broadcast_streams_opened_total", ""))),
    row("hints/s", What::Rate(("talko_broadcast_hints_total", ""))),
    row("hints waiting", What::Bytes(("talko_broadcast_hints_waiting_bytes", ""))),
    row("hints lost", What::Trouble(("talko_broadcast_hints_lost_total", ""))),
    row("resyncs", What::Trouble(("talko_broadcast_resyncs_total", ""))),
    row("outlets hold", What::Bytes(("talko_broadcast_outlet_held_bytes", ""))),
    row("turns/s", What::Rate(("talko_broadcast_turns_total", ""))),
    row("people", What::Count(("talko_broadcast_people", ""))),
    row("topics", What::Count(("talko_broadcast_topics", ""))),
    row("links", What::Count(("talko_broadcast_links", ""))),
    row("shed", What::Trouble(("talko_connections_refused_total", "server=\"broadcast\""))),
];

impl Row {
    /// What there is to say; nothing when the server does not count it.
    pub(crate) fn say(&self, history: &History) -> Option<Said> {
        let now = history.last()?;
        let calm = |value: String, course| Said { value, course, is_alarming: false };
        Some(match self.what {
            What::Rate((name, label)) => {
                now.sum(name, label)?;
                let rate = history.rate(name, label);
                calm(rate.map_or("–".into(), number), history.rates(name, label))
            }
            What::ByteRate((name, label)) => {
                now.sum(name, label)?;
                let rate = history.rate(name, label);
                calm(rate.map_or("–".into(), bytes), history.rates(name, label))
            }
            What::Count((name, label)) => calm(number(now.sum(name, label)?), history.values(name, label)),
            What::Bytes((name, label)) => calm(bytes(now.sum(name, label)?), history.values(name, label)),
            What::Times((name, label)) => {
                now.sum(&format!("{name}_count"), label)?;
                let shown = |part| history.quantile(name, label, part).map_or("–".into(), time);
                calm(format!("{} {}", shown(0.5), shown(0.99)), Vec::new())
            }
            What::Mean(name) => {
                now.sum(&format!("{name}_count"), "")?;
                calm(history.mean(name).map_or("–".into(), number), Vec::new())
            }
            What::Trouble((name, label)) => Said {
                value: number(now.sum(name, label)?),
                course: Vec::new(),
                is_alarming: history.growth(name, label) > 0.0,
            },
            What::Must(name) => {
                let is_so = now.sum(name, "")? > 0.0;
                let value = if is_so { "up" } else { "DOWN" };
                Said { value: value.into(), course: Vec::new(), is_alarming: !is_so }
            }
        })
    }
}

/// What a process uses: its processor, memory and files.
pub(crate) fn process(history: &History) -> Option<String> {
    let now = history.last()?;
    let cores = history.rate("process_cpu_seconds_total", "");
    let cores = cores.map_or("–".into(), |cores| format!("{:.0}%", cores * 100.0));
    let memory = now.sum("process_resident_memory_bytes", "").map_or("–".into(), bytes);
    let files = now.sum("process_open_fds", "").map_or("–".into(), number);
    Some(format!("cpu {cores} {memory} {files} fd"))
}

/// A number in at most six characters.
pub(crate) fn number(value: f64) -> String {
    match value {
        value if value >= 9_999_500.0 => format!("{:.0} M", value / 1e6),
        value if value >= 999_500.0 => format!("{:.1} M", value / 1e6),
        value if value >= 9_999.5 => format!("{:.0} k", value / 1e3),
        value if value >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        value => format!("{value:.1}"),
    }
}

fn bytes(value: f64) -> String {
    const KIB: f64 = 1024.0;
    match value {
        value if value >= 1023.95 * KIB * KIB => format!("{:.1} GiB", value / KIB / KIB / KIB),
        value if value >= 1023.95 * KIB => format!("{:.1} MiB", value / KIB / KIB),
        value if value >= KIB => format!("{:.1} KiB", value / KIB),
        value => format!("{value:.0} B"),
    }
}

/// The end of a bucket: what was measured took no longer.
fn time(seconds: f64) -> String {
    match seconds {
        seconds if seconds.is_infinite() => ">10s".into(),
        seconds if seconds >= 1.0 => format!("{seconds}s"),
        seconds if seconds >= 0.001 => format!("{}ms", seconds * 1e3),
        seconds => format!("{:.0}µs", seconds * 1e6),
    }
}

#[cfg(test)]
mod tests {
    use ttp::net::clock;

    use super::super::scrape::Scrape;
    use super::*;

    #[test]
    fn figures_are_short() {
        let shown = [0.0, 0.04, 3.0, 99.96, 1234.5, 9_999.0, 12_345.0, 1_234_567.0, 98_765_432.0].map(number);
        assert_eq!(shown, ["0", "0.0", "3", "100.0", "1234", "9999", "12 k", "1.2 M", "99 M"]);
        assert_eq!(
            [0.0, 1023.0, 1024.0, 3e6, 5e9].map(bytes),
            ["0 B", "1023 B", "1.0 KiB", "2.9 MiB", "4.7 GiB"]
        );
        assert_eq!([0.000_05, 0.0025, 1.0, f64::INFINITY].map(time), ["50µs", "2.5ms", "1s", ">10s"]);
    }

    #[test]
    fn what_just_went_wrong_is_alarming_and_what_did_so_long_ago_is_not() {
        let row = row("slow cuts", What::Trouble(("cuts_total", "")));
        let mut history = History::default();
        assert_eq!(row.say(&history), None);
        for (cuts, is_alarming) in [(4, false), (4, false), (5, true)] {
            history.push(Scrape::read(&format!("cuts_total {cuts}\n"), clock::now()));
            let said = row.say(&history).unwrap();
            assert_eq!((said.value, said.is_alarming), (cuts.to_string(), is_alarming));
        }
    }

    #[test]
    fn what_a_server_does_not_count_is_not_shown() {
        let mut history = History::default();
        history.push(Scrape::read("talko_data_calls_total 1\n", clock::now()));
        let shown = DATA.iter().filter(|row| row.say(&history).is_some());
        assert_eq!(shown.map(|row| row.title).collect::<Vec<_>>(), ["calls/s"]);
    }
}
