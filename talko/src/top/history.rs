//! The last scrapes of one endpoint, and what they say together.

use std::collections::VecDeque;

use super::scrape::Scrape;

/// Scrapes that are remembered: as many as a broad screen has columns for.
const SCRAPES_MAX: usize = 120;

/// Times and troubles are those of so many scrapes.
const RECENT: usize = 10;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct History(VecDeque<Scrape>);

impl History {
    /// Adds the newest. Of a server that was started anew what was before says nothing.
    pub(crate) fn push(&mut self, scrape: Scrape) {
        let calls = |scrape: &Scrape| scrape.sum("process_cpu_seconds_total", "");
        if self.0.back().is_some_and(|last| calls(&scrape) < calls(last)) {
            self.0.clear();
        }
        if self.0.len() == SCRAPES_MAX {
            self.0.pop_front();
        }
        self.0.push_back(scrape);
    }

    /// The newest.
    pub(crate) fn last(&self) -> Option<&Scrape> {
        self.0.back()
    }

    /// How fast a counter grows, per second.
    pub(crate) fn rate(&self, name: &str, label: &str) -> Option<f64> {
        self.rates(name, label).last().copied()
    }

    /// The same between each two scrapes, the newest last.
    pub(crate) fn rates(&self, name: &str, label: &str) -> Vec<f64> {
        let pairs = self.0.iter().zip(self.0.iter().skip(1));
        pairs
            .filter_map(|(before, after)| {
                let seconds = after.at.saturating_duration_since(before.at).as_secs_f64();
                let grown = after.sum(name, label)? - before.sum(name, label).unwrap_or(0.0);
                (seconds > 0.0).then(|| (grown / seconds).max(0.0))
            })
            .collect()
    }

    /// A gauge at each scrape, the newest last.
    pub(crate) fn values(&self, name: &str, label: &str) -> Vec<f64> {
        self.0.iter().filter_map(|scrape| scrape.sum(name, label)).collect()
    }

    /// By how much a counter has grown lately.
    pub(crate) fn growth(&self, name: &str, label: &str) -> f64 {
        let sum = |scrape: Option<&Scrape>| scrape.and_then(|scrape| scrape.sum(name, label)).unwrap_or(0.0);
        sum(self.last()) - sum(self.recent())
    }

    /// The end of the bucket in which this part of the observations of lately lies; of those since the server's start,
    /// when there were none. Nothing without any.
    pub(crate) fn quantile(&self, name: &str, label: &str, part: f64) -> Option<f64> {
        let all = self.last()?.buckets(name, label);
        let before = self.recent().map_or(Vec::new(), |scrape| scrape.buckets(name, label));
        let lately: Vec<(f64, f64)> = all
            .iter()
            .map(|(end, count)| {
                let known = before.iter().find(|(known, _)| known == end);
                (*end, count - known.map_or(0.0, |(_, count)| *count))
            })
            .collect();
        let has_some = lately.last().is_some_and(|(_, count)| *count > 0.0);
        end_reaching(if has_some { &lately } else { &all }, part)
    }

    /// The mean of a histogram's observations, likewise.
    pub(crate) fn mean(&self, name: &str) -> Option<f64> {
        let (sum, count) = (format!("{name}_sum"), format!("{name}_count"));
        let lately = (self.growth(&sum, ""), self.growth(&count, ""));
        let last = self.last()?;
        let (sum, count) = if lately.1 > 0.0 { lately } else { (last.sum(&sum, "")?, last.sum(&count, "")?) };
        (count > 0.0).then(|| sum / count)
    }

    /// The scrape that begins what is called lately.
    fn recent(&self) -> Option<&Scrape> {
        self.0.iter().rev().nth(RECENT).or(self.0.front())
    }
}

fn end_reaching(buckets: &[(f64, f64)], part: f64) -> Option<f64> {
    let (_, all) = buckets.last()?;
    let wanted = all * part;
    buckets.iter().find(|(_, count)| *all > 0.0 && *count >= wanted).map(|(end, _)| *end)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ttp::net::clock;

    use super::*;

    fn history(texts: &[&str]) -> History {
        let (mut history, begin) = (History::default(), clock::now());
        for (second, text) in texts.iter().enumerate() {
            history.push(Scrape::read(text, begin + Duration::from_secs(second as u64)));
        }
        history
    }

    #[test]
    fn a_rate_is_of_the_last_second() {
        let history = history(&["a_total 5\n", "a_total 7\n", "a_total 17\n"]);
        assert_eq!(history.rate("a_total", ""), Some(10.0));
        assert_eq!(history.rates("a_total", ""), [2.0, 10.0]);
        assert_eq!(history.growth("a_total", ""), 12.0);
        assert_eq!(history.rate("b_total", ""), None);
    }

    #[test]
    fn a_quantile_is_of_what_came_lately_and_else_of_all() {
        let first = "t_bucket{le=\"1\"} 98\nt_bucket{le=\"2\"} 99\nt_bucket{le=\"+Inf\"} 100\n";
        let second = "t_bucket{le=\"1\"} 98\nt_bucket{le=\"2\"} 101\nt_bucket{le=\"+Inf\"} 102\n";
        let quiet = history(&[first, first]);
        assert_eq!(
            [0.5, 0.99, 1.0].map(|part| quiet.quantile("t", "", part)),
            [1.0, 2.0, f64::INFINITY].map(Some)
        );
        assert_eq!(history(&[first, second]).quantile("t", "", 0.5), Some(2.0));
        assert_eq!(history(&["t_bucket{le=\"+Inf\"} 0\n"]).quantile("t", "", 0.5), None);
    }

    #[test]
    fn a_mean_is_too() {
        let (first, second) = ("t_sum 10\nt_count 10\n", "t_sum 16\nt_count 12\n");
        assert_eq!(history(&[first, second]).mean("t"), Some(3.0));
        assert_eq!(history(&[first, first]).mean("t"), Some(1.0));
        assert_eq!(history(&["t_sum 0\nt_count 0\n"]).mean("t"), None);
    }

    #[test]
    fn a_server_that_began_anew_has_no_past() {
        let history = history(&[
            "process_cpu_seconds_total 9\na_total 5\n",
            "process_cpu_seconds_total 0.1\na_total 1\n",
            "process_cpu_seconds_total 0.2\na_total 2\n",
        ]);
        assert_eq!(history.rates("a_total", ""), [1.0]);
    }
}
