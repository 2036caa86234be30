//! `talko check`: whether a database is as it should be, as a table and an exit code.

use std::path::Path;

use anyhow::bail;
use data_server::store::sqlite;

use super::copying::time;
use crate::output::say;

/// Prints what is in the file and each rule with its faults; fails when there are any.
pub(crate) fn run(file: &Path) -> anyhow::Result<()> {
    let report = sqlite::check(file)?;
    say(format_args!("{:>10}  epoch", report.epoch))?;
    say(format_args!("{:>10}  newest", time(report.newest_ts)))?;
    for (table, rows) in &report.counts {
        say(format_args!("{rows:>10}  {table}"))?;
    }
    for rule in &report.rules {
        say(format_args!("{:>10}  {}", if rule.faults.is_empty() { "ok" } else { "WRONG" }, rule.name))?;
        for fault in &rule.faults {
            say(format_args!("            {}", tui_client::one_line(fault)))?;
        }
        if rule.more {
            say("            and more")?;
        }
    }
    match report.faults().count() {
        0 => Ok(()),
        faults => bail!("{} is not as it should be: {faults} faults", file.display()),
    }
}
