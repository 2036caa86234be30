//! From figures to the text that Prometheus reads (OpenMetrics 1.0). What each figure tells an operator to do stands in
//! docs/OPERATIONS.md, which lists exactly these names; a test holds that.

use std::fmt::Error;
use std::sync::Arc;

use broadcast_server::{Stats, Work};
use data_server::{Class, Figures, QueueFigures, StoreFigures, ThrottleCounters};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use ttp::code::ErrorCode;
use ttp::net::histogram::Buckets;
use ttp::net::serve::ServeCounters;

use super::process::Process;
use super::sources::{BroadcastSource, DataSource, Sources};

/// The format, as it is said to who asks.
pub(crate) const CONTENT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Nanoseconds of a second, in which durations are shown.
const SECOND: f64 = 1e9;

/// All figures of this process, as text.
pub(crate) struct Exposition(Registry);

impl Exposition {
    /// Of what is counted there.
    pub(crate) fn new(sources: Sources) -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(sources));
        Self(registry)
    }

    /// Writes them as of now.
    pub(crate) fn write(&self) -> Result<String, Error> {
        let mut out = String::new();
        text::encode(&mut out, &self.0)?;
        Ok(out)
    }
}

impl Collector for Sources {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let mut page = Page(encoder);
        page.process()?;
        page.connections(self)?;
        if let Some(data) = &self.data {
            page.data_server(data)?;
        }
        if let Some(broadcast) = &self.broadcast {
            page.broadcast_server(broadcast)?;
        }
        Ok(())
    }
}

/// What is being written. The order of its methods is that of the text.
struct Page<'a>(DescriptorEncoder<'a>);

/// One label.
type Label = [(&'static str, &'static str); 1];

impl Page<'_> {
    fn process(&mut self) -> Result<(), Error> {
        let process = Process::look();
        self.0
            .encode_descriptor("talko_build", "The version of the program.", None, MetricType::Info)?
            .encode_info(&[("version", env!("CARGO_PKG_VERSION"))])?;
        for (name, help, value) in [
            ("process_resident_memory_bytes", "Memory of the process in use.", process.resident_bytes),
            ("process_open_fds", "Open files of the process, sockets included.", process.open_files),
            ("process_max_fds", "Files that the process may open.", process.open_files_max),
        ] {
            if let Some(value) = value {
                self.gauge(name, help, value)?;
            }
        }
        self.0
            .encode_descriptor(
                "process_cpu_seconds",
                "Processor time of the process, user and system.",
                None,
                MetricType::Counter,
            )?
            .encode_counter::<Label, f64, f64>(&process.processor_seconds, None)
    }

    fn connections(&mut self, sources: &Sources) -> Result<(), Error> {
        let data = sources.data.as_ref().map(|data| ("data", &data.counters));
        let broadcast = sources.broadcast.as_ref().map(|broadcast| ("broadcast", &broadcast.counters));
        let gateway = sources.gateway.as_ref().map(|counters| ("http", counters));
        let all: Vec<(&str, &Arc<ServeCounters>)> =
            [data, broadcast, gateway].into_iter().flatten().collect();
        let by_server = |count: fn(&ServeCounters) -> u64| -> Vec<(Label, u64)> {
            all.iter().map(|(server, counters)| ([("server", *server)], count(counters))).collect()
        };
        self.gauges("talko_connections", "Connections that are open.", by_server(|c| c.open() as u64))?;
        self.counters(
            "talko_connections_accepted",
            "Connections that were served.",
            by_server(ServeCounters::accepted),
        )?;
        let mut refused = Vec::new();
        for (server, counters) in &all {
            let row = |reason, count| ([("server", *server), ("reason", reason)], count);
            refused.push(row("full", counters.shed()));
            refused.push(row("address", counters.shed_by_address()));
        }
        if let Some(broadcast) = &sources.broadcast {
            let busy = broadcast.stats.work().connections_refused;
            refused.push(([("server", "broadcast"), ("reason", "busy")], busy));
        }
        self.counters("talko_connections_refused", "Connections that were refused.", refused)?;
        self.counters(
            "talko_tls_handshakes",
            "TLS handshakes that were completed.",
            by_server(ServeCounters::handshakes),
        )?;
        let failed = all.iter().flat_map(|(server, counters)| {
            let row = |reason, count| ([("server", *server), ("reason", reason)], count);
            [row("failed", counters.handshakes_failed()), row("late", counters.handshakes_late())]
        });
        let failed = failed.collect();
        self.counters("talko_tls_handshakes_failed", "Connections with which no TLS came about.", failed)?;
        self.counters(
            "talko_tls_records_refused",
            "Connections that ended at a TLS record that was changed on its way.",
            by_server(ServeCounters::records_refused),
        )
    }

    fn data_server(&mut self, data: &DataSource) -> Result<(), Error> {
        let figures = data.figures.read();
        self.answers(&figures)?;
        self.throttle(&data.throttle)?;
        if let Some(store) = &figures.store {
            self.queues(&figures, store)?;
            self.store(store)?;
        }
        let link = data.link.as_ref().and_then(std::sync::Weak::upgrade);
        if let Some(link) = link.map(|link| link.figures()) {
            self.gauge(
                "talko_data_link_up",
                "1 while the link to the broadcast-server is open and proven.",
                u64::from(link.is_open),
            )?;
            self.gauge(
                "talko_data_link_waiting_bytes",
                "Bytes of hints that wait for the link.",
                link.waiting_bytes as u64,
            )?;
            self.counter(
                "talko_data_link_losses",
                "Times that hints for the link were dropped: it ended, or too many waited.",
                link.losses,
            )?;
        }
        Ok(())
    }

    fn answers(&mut self, figures: &Figures) -> Result<(), Error> {
        self.counter("talko_data_calls", "Calls that were answered, refusals included.", figures.calls)?;
        let refusals = figures.refusals.iter().map(|(code, count)| ([("code", snake(*code))], *count));
        self.counters("talko_data_refusals", "Calls that were refused, by error.", refusals.collect())?;
        self.counter("talko_data_entries", "Log entries that were handed to the bus.", figures.entries)?;
        self.counter("talko_data_logins", "Logins and registrations that succeeded.", figures.logins)?;
        let hashed = figures.passwords_hashed;
        self.counter("talko_data_passwords_hashed", "Passwords that were hashed or compared.", hashed)
    }

    fn throttle(&mut self, throttle: &ThrottleCounters) -> Result<(), Error> {
        let by_class = |count: &dyn Fn(Class) -> u64| -> Vec<(Label, u64)> {
            Class::ALL.iter().map(|class| ([("class", name_of(*class))], count(*class))).collect()
        };
        self.counters(
            "talko_data_calls_delayed",
            "Calls that waited because they came too often.",
            by_class(&|class| throttle.delayed(class)),
        )?;
        self.counters(
            "talko_data_calls_rate_limited",
            "Calls that were refused because they came too often.",
            by_class(&|class| throttle.refused(class)),
        )?;
        self.counter(
            "talko_data_rates_crowded",
            "Times that a newcomer shared the rates of all newcomers, because the table was full.",
            throttle.crowded(),
        )?;
        let failed = vec![
            ([("reason", "wrong")], throttle.guesses_wrong()),
            ([("reason", "too_many")], throttle.guesses_refused()),
        ];
        self.counters("talko_data_logins_failed", "Logins with a wrong password, or one too many.", failed)?;
        self.counter(
            "talko_data_registrations_refused",
            "Accounts that were not made, because too many came from the address.",
            throttle.registrations_refused(),
        )
    }

    fn queues(&mut self, figures: &Figures, store: &StoreFigures) -> Result<(), Error> {
        let queues: [(&str, &QueueFigures); 3] = [
            ("writes", &store.writes),
            ("short_reads", &store.light_reads),
            ("long_reads", &store.heavy_reads),
        ];
        let mut waiting: Vec<(Label, u64)> =
            queues.iter().map(|(queue, figures)| ([("queue", *queue)], figures.waiting as u64)).collect();
        waiting.push(([("queue", "passwords")], figures.passwords_waiting as u64));
        self.gauges("talko_data_queue_length", "Calls that wait in a queue.", waiting)?;
        let mut refused = Vec::new();
        for (queue, figures) in queues {
            let rows = figures.refused.iter();
            refused.extend(rows.map(|(class, count)| ([("queue", queue), ("class", *class)], *count)));
        }
        refused.push(([("queue", "passwords"), ("class", "login")], figures.passwords_refused));
        self.counters(
            "talko_data_queue_refusals",
            "Calls that a queue did not take because they would have waited too long.",
            refused,
        )?;
        self.counter(
            "talko_data_changes_late",
            "Changes that had waited more than 2 s when their turn came, and were refused.",
            store.changes_late,
        )
    }

    fn store(&mut self, store: &StoreFigures) -> Result<(), Error> {
        self.counts("talko_data_batch_changes", "Changes of one commit.", &store.batches)?;
        self.times("talko_data_commit_seconds", "Time of a commit, until the disk has it.", &store.commits)?;
        self.counter("talko_data_commits_failed", "Commits that failed.", store.commits_failed)?;
        self.times(
            "talko_data_batch_seconds",
            "Time of a batch: changes, commit, answers and forwarding.",
            &store.writes.rounds,
        )?;
        let reads = [("short", &store.light_reads), ("long", &store.heavy_reads)];
        let reads = reads.map(|(kind, figures)| ([("kind", kind)], &figures.rounds));
        let help = "Time of a question to the store, its answer included, without waiting.";
        let mut histogram = self.0.encode_descriptor("talko_data_read_seconds", help, None, TIMES)?;
        for (labels, buckets) in reads {
            let (sum, count, buckets) = in_units(buckets, SECOND);
            histogram.encode_family(&labels)?.encode_histogram::<Label>(sum, count, &buckets, None)?;
        }
        self.times(
            "talko_data_forward_seconds",
            "Time from a commit with log entries until the bus had them, its callers answered first.",
            &store.forwarding,
        )?;
        self.counter("talko_data_statements", "Statements that the database ran.", store.statements)?;
        let is_sound = u64::from(store.is_sound);
        self.gauge("talko_data_storage_sound", "1 while changes can be stored.", is_sound)
    }

    fn broadcast_server(&mut self, broadcast: &BroadcastSource) -> Result<(), Error> {
        let stats = broadcast.stats.read();
        let work = broadcast.stats.work();
        self.audience(&stats, &work)?;
        self.deliveries(&work)?;
        self.hints(&stats, &work)?;
        match &broadcast.links {
            Some(links) => {
                let links = links.count() as u64;
                self.gauge("talko_broadcast_links", "Data-servers that are linked and proven.", links)
            }
            None => Ok(()),
        }
    }

    fn audience(&mut self, stats: &Stats, work: &Work) -> Result<(), Error> {
        for (name, help, value) in [
            ("talko_broadcast_streams", "Streams that are live.", stats.streams),
            ("talko_broadcast_people", "People with a stream, once for each shard.", stats.users),
            ("talko_broadcast_topics", "Topics with a listener, once for each shard.", stats.topics),
            ("talko_broadcast_subscriptions", "Pairs of a live stream and a topic.", stats.subscriptions),
            (
                "talko_broadcast_outlet_waiting_bytes",
                "Bytes that wait for streams, each stream's counted.",
                stats.outlet_bytes,
            ),
            (
                "talko_broadcast_outlet_held_bytes",
                "Memory that outlets hold: what waits for several streams is held once.",
                stats.outlet_bytes_held,
            ),
        ] {
            self.gauge(name, help, value as u64)?;
        }
        self.counter("talko_broadcast_streams_opened", "Streams that were opened.", work.streams_opened)?;
        self.counter("talko_broadcast_slow_cuts", "Streams that were ended as slow.", stats.slow_cuts)?;
        self.counter(
            "talko_broadcast_tickets_refused",
            "Streams that were refused for want of a ticket that holds.",
            stats.tickets_refused,
        )
    }

    fn deliveries(&mut self, work: &Work) -> Result<(), Error> {
        self.counter("talko_broadcast_deliveries", "Events times streams.", work.deliveries)?;
        self.counter(
            "talko_broadcast_delivered_bytes",
            "Bytes of events that were handed to streams.",
            work.delivered_bytes,
        )?;
        self.counter("talko_broadcast_turns", "Turns of the shards.", work.turns)?;
        self.counts("talko_broadcast_fan_out_events", "Events of one fan-out.", &work.fan_out_events)?;
        self.times(
            "talko_broadcast_fan_out_seconds",
            "Time of one fan-out of a shard, from its first stream to its last.",
            &work.fan_out,
        )?;
        self.times(
            "talko_broadcast_lag_seconds",
            "Time of an event from its arrival until a shard begins to write it to sockets.",
            &work.lag,
        )
    }

    fn hints(&mut self, stats: &Stats, work: &Work) -> Result<(), Error> {
        self.counter("talko_broadcast_hints", "Hints that arrived over the bus.", work.hints)?;
        self.counter(
            "talko_broadcast_hints_lost",
            "Hints that found no place with a shard, once for each shard.",
            work.hints_lost,
        )?;
        self.counter(
            "talko_broadcast_resyncs",
            "Losses that were announced to streams, once for each shard.",
            stats.resyncs,
        )?;
        let batches = stats.batches_waiting as u64;
        self.gauge("talko_broadcast_batches_waiting", "Batches of hints that wait for shards.", batches)?;
        self.gauge(
            "talko_broadcast_hints_waiting_bytes",
            "Bytes of hints that wait for shards.",
            stats.hint_bytes_waiting as u64,
        )
    }

    // ---- One figure, or one for each set of labels

    fn gauge(&mut self, name: &str, help: &str, value: u64) -> Result<(), Error> {
        self.0.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> Result<(), Error> {
        self.0
            .encode_descriptor(name, help, None, MetricType::Counter)?
            .encode_counter::<Label, u64, f64>(&value, None)
    }

    fn gauges<S: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        rows: Vec<(S, u64)>,
    ) -> Result<(), Error> {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        rows.iter().try_for_each(|(labels, value)| family.encode_family(labels)?.encode_gauge(value))
    }

    fn counters<S: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        rows: Vec<(S, u64)>,
    ) -> Result<(), Error> {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        rows.iter().try_for_each(|(labels, value)| {
            family.encode_family(labels)?.encode_counter::<Label, u64, f64>(value, None)
        })
    }

    fn counts(&mut self, name: &str, help: &str, buckets: &Buckets) -> Result<(), Error> {
        self.histogram(name, help, in_units(buckets, 1.0))
    }

    fn times(&mut self, name: &str, help: &str, buckets: &Buckets) -> Result<(), Error> {
        self.histogram(name, help, in_units(buckets, SECOND))
    }

    fn histogram(&mut self, name: &str, help: &str, (sum, count, buckets): Shown) -> Result<(), Error> {
        self.0
            .encode_descriptor(name, help, None, MetricType::Histogram)?
            .encode_histogram::<Label>(sum, count, &buckets, None)
    }
}

const TIMES: MetricType = MetricType::Histogram;

/// The sum, the number of observations, and how many of them are in the bucket with each end.
type Shown = (f64, u64, Vec<(f64, u64)>);

fn in_units(buckets: &Buckets, unit: f64) -> Shown {
    let ends = buckets.ends.iter().map(|end| *end as f64 / unit).chain([f64::INFINITY]);
    let shown = ends.zip(buckets.counts.iter().copied()).collect();
    (buckets.sum as f64 / unit, buckets.count(), shown)
}

fn name_of(class: Class) -> &'static str {
    match class {
        Class::Login => "login",
        Class::Write => "write",
        Class::Read => "read",
        Class::Light => "light",
    }
}

/// `RateLimited` is `rate_limited`.
fn snake(code: ErrorCode) -> String {
    let mut name = String::new();
    for char in format!("{code:?}").chars() {
        if char.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(char.to_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_without_servers_has_figures_too() {
        let text = Exposition::new(Sources::default()).write().unwrap();
        assert!(text.contains("# TYPE process_cpu_seconds counter\nprocess_cpu_seconds_total "), "{text}");
        assert!(text.contains(concat!("talko_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1\n")));
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn times_are_shown_in_seconds_and_the_last_bucket_has_no_end() {
        let histogram = ttp::net::histogram::Histogram::of_times();
        histogram.observe_many(250_000, 4);
        histogram.observe(20_000_000_000);
        let (sum, count, buckets) = in_units(&histogram.read(), SECOND);
        assert_eq!((sum, count), (20.001, 5));
        assert_eq!((buckets[2], buckets[17]), ((0.000_25, 4), (f64::INFINITY, 1)));
    }

    #[test]
    fn codes_are_called_as_labels_are() {
        assert_eq!(snake(ErrorCode::RateLimited), "rate_limited");
        assert_eq!(snake(ErrorCode::Overloaded), "overloaded");
    }
}
