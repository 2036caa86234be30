//! What was found of the full screen, as tables and against its targets.

use super::{Effort, LIVE, MESSAGES_PER_S, Run, SPEAKERS, VILLAGE};
use crate::machine::{GENERATOR_CORE, SERVER_CORE};
use crate::report::{Cell, Report, Table, Verdict};
use crate::spread::Spread;
use crate::terminal::Size;

/// Milliseconds until a known chat is seen, until it is live, and at p99 until a key is seen.
const SEEN_MS_MAX: f64 = 50.0;
const LIVE_MS_MAX: f64 = 150.0;
const KEY_MS_MAX: f64 = 16.0;

/// Per cent of a core that are told as 0.0: a step of the system's count in 20 s.
const IDLE_PER_CENT_MAX: f64 = 0.05;

/// One of many numbers of a run.
type Value = fn(&Run) -> f64;

/// The report of these runs.
pub(super) fn report(effort: &Effort, runs: u32, found: &[(Size, Vec<Run>)]) -> Report {
    let mut report = Report::new(
        "terminal",
        "How long does a person before the full screen wait, and what does the program take meanwhile?",
        &format!(
            "{runs} runs of the program `talko` in pseudo terminals, logged in on this device before. It has core {SERVER_CORE}; servers, \
             speakers and the terminal share core {GENERATOR_CORE}. All that it writes goes through an emulator, and a moment is that \
             at which the last byte was read that was needed to see something. {} starts of somebody with {} chats, who was here \
             before: from the making of the process until the name of a known chat is on the screen, and until the status says \
             `{LIVE}`. {} letters typed, 15 to 34 ms after each other, while {SPEAKERS} people say {MESSAGES_PER_S} messages a second in the open room: \
             from the key until the letter stands in the input; after that the very last message must be seen. \
             In a chat of {} messages where nothing happens: {} letters and all bytes that follow each; the processor's time \
             of {} s in which nobody does anything; memory after the start, and after PageUp to the first \
             message or until nothing older comes.",
            effort.starts,
            VILLAGE.chats_of_person,
            effort.keys_in_crowd,
            effort.depth,
            effort.keys_alone,
            effort.idle.as_secs(),
        ),
    );
    report.versions.push(format!("Talko {}", env!("CARGO_PKG_VERSION")));
    report.tables = tables(found);
    report.verdicts = found.iter().flat_map(|(size, runs)| verdicts(*size, runs)).collect();
    report.caveats = vec![
        "A terminal that people have draws glyphs, and takes time for it that is not in these figures.".into(),
        "Resident memory counts the pages of the program itself that were touched; what is not shared stands beside.".into(),
    ];
    report
}

fn tables(found: &[(Size, Vec<Run>)]) -> Vec<Table> {
    vec![
        table(
            found,
            "Milliseconds from the start",
            &[
                ("a known chat is seen, p50", |run| run.seen.ms(0.5)),
                ("p99", |run| run.seen.ms(0.99)),
                ("it is live, p50", |run| run.live.ms(0.5)),
                ("p99", |run| run.live.ms(0.99)),
            ],
        ),
        table(
            found,
            "Milliseconds from a key until it is seen, in a room in which many speak",
            &[
                ("p50", |run| run.keys.ms(0.5)),
                ("p99", |run| run.keys.ms(0.99)),
                ("max", |run| run.keys.ms(1.0)),
                ("messages a second", |run| run.rate),
                ("until the last message is seen", |run| run.behind_ms),
            ],
        ),
        table(
            found,
            "What nothing and a single letter cost",
            &[
                ("idle, per cent of a core", |run| run.rest.idle_per_cent),
                ("idle, bytes written", |run| run.rest.idle_bytes as f64),
                ("bytes for a letter, mean", |run| mean(&run.rest.key_bytes)),
                ("max", |run| run.rest.key_bytes.iter().copied().max().unwrap_or(0) as f64),
            ],
        ),
        table(
            found,
            "Memory, MiB",
            &[
                ("resident, after the start", |run| run.rest.memory[0].resident),
                ("of it not shared", |run| run.rest.memory[0].own),
                ("messages scrolled through", |run| run.rest.scrolled as f64),
                ("resident, behind them", |run| run.rest.memory[1].resident),
                ("of it not shared", |run| run.rest.memory[1].own),
            ],
        ),
    ]
}

fn table(found: &[(Size, Vec<Run>)], title: &str, columns: &[(&str, Value)]) -> Table {
    let names: Vec<&str> = std::iter::once("terminal").chain(columns.iter().map(|(name, _)| *name)).collect();
    let mut table = Table::new(title, &names);
    for (size, runs) in found {
        let cells = columns.iter().map(|(_, value)| Cell::from(spread(runs, *value)));
        table.push(std::iter::once(Cell::from(size.to_string())).chain(cells));
    }
    table
}

fn verdicts(size: Size, runs: &[Run]) -> Vec<Verdict> {
    let wanted: [(&str, Value, String, f64); 4] = [
        (
            "ms until a known chat is seen, p50",
            |run| run.seen.ms(0.5),
            format!("≤ {SEEN_MS_MAX}"),
            SEEN_MS_MAX,
        ),
        ("ms until it is live, p50", |run| run.live.ms(0.5), format!("≤ {LIVE_MS_MAX}"), LIVE_MS_MAX),
        (
            "ms from key to sight at 1 000 messages a second, p99",
            |run| run.keys.ms(0.99),
            format!("≤ {KEY_MS_MAX}"),
            KEY_MS_MAX,
        ),
        ("idle, per cent of a core", |run| run.rest.idle_per_cent, "0.0".into(), IDLE_PER_CENT_MAX),
    ];
    let verdict = |(what, value, target, most): (&str, Value, String, f64)| {
        let figure = spread(runs, value);
        Verdict {
            row: "terminal".into(),
            what: format!("{size}: {what}"),
            figure,
            peer: None,
            target,
            is_met: figure.median <= most,
            stretch: None,
            reason: None,
        }
    };
    wanted.into_iter().map(verdict).collect()
}

fn spread(runs: &[Run], value: Value) -> Spread {
    Spread::of(&runs.iter().map(value).collect::<Vec<_>>())
}

#[allow(clippy::cast_precision_loss, reason = "these are bytes of a screen")]
fn mean(values: &[u64]) -> f64 {
    values.iter().sum::<u64>() as f64 / values.len().max(1) as f64
}
