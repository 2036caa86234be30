//! Asks an endpoint for its figures, and reads them.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use client_lib::Error as ClientError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use ttp::net::{address, clock, socket};

use crate::failure::{Misuse, Said};

/// Time for connecting, and for the answer.
const TIMEOUT: Duration = Duration::from_secs(2);

/// A longer answer is none of a Talko server.
const ANSWER_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What every endpoint of a Talko server shows.
const PROOF: &str = "talko_build_info";

/// All figures of an endpoint at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Scrape {
    pub(crate) at: Instant,
    samples: Vec<Sample>,
}

#[derive(Debug, Clone)]
struct Sample {
    name: String,
    /// As they were written, between their braces.
    labels: String,
    value: f64,
}

/// Asks once.
///
/// # Errors
/// One sentence that says what to do.
pub(crate) async fn fetch(text: &str) -> anyhow::Result<Scrape> {
    let wanted = address::resolve(text)
        .await
        .map_err(|error| Misuse(format!("--metrics-address {text} is not an address: {error}")))?;
    let answer = match tokio::time::timeout(TIMEOUT, ask(wanted, text)).await {
        Ok(answer) => answer,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    };
    let answer = answer.map_err(|error| Said {
        sentence: format!(
            "no server shows its figures at {text} ({error}): start it with --metrics-address {text}, \
             as in `talko up --metrics-address {text}`"
        ),
        error: ClientError::Connect { address: text.into(), source: Arc::new(error) },
    })?;
    let is_answer = answer
        .split_once("\r\n\r\n")
        .filter(|(head, body)| head.split(' ').nth(1) == Some("200") && body.contains(PROOF));
    match is_answer {
        Some((_, body)) => Ok(Scrape::read(body, clock::now())),
        None => Err(Misuse(format!(
            "what listens at {text} is not the metrics of a Talko server in plaintext; `talko config` names its \
             metrics_address"
        ))
        .into()),
    }
}

async fn ask(address: std::net::SocketAddr, host: &str) -> io::Result<String> {
    let mut stream = socket::connect(address, TIMEOUT).await?;
    let request = format!("GET /metrics HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

impl Scrape {
    /// Reads the text of an endpoint. Lines that are no figures are passed over.
    pub(crate) fn read(text: &str, at: Instant) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#')).filter_map(sample).collect();
        Self { at, samples }
    }

    /// Whether there is such a figure.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.samples.iter().any(|sample| sample.name == name)
    }

    /// All samples of a name that have this among their labels, added up.
    pub(crate) fn sum(&self, name: &str, label: &str) -> Option<f64> {
        let mut found = self.matching(name, label).peekable();
        found.peek()?;
        Some(found.map(|sample| sample.value).sum())
    }

    /// A histogram's ends with how many observations lie up to each, all of those added up that have this label.
    pub(crate) fn buckets(&self, name: &str, label: &str) -> Vec<(f64, f64)> {
        let mut buckets: Vec<(f64, f64)> = Vec::new();
        for sample in self.matching(&format!("{name}_bucket"), label) {
            let Some(end) = end_of(&sample.labels) else { continue };
            match buckets.iter_mut().find(|(known, _)| *known == end) {
                Some((_, count)) => *count += sample.value,
                None => buckets.push((end, sample.value)),
            }
        }
        buckets
    }

    fn matching<'a>(&'a self, name: &'a str, label: &'a str) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |sample| sample.name == name && sample.labels.contains(label))
    }
}

fn sample(line: &str) -> Option<Sample> {
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = match series.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}')?),
        None => (series, ""),
    };
    Some(Sample { name: name.into(), labels: labels.into(), value: value.parse().ok()? })
}

fn end_of(labels: &str) -> Option<f64> {
    let (_, rest) = labels.split_once("le=\"")?;
    rest.split('"').next()?.replace("+Inf", "inf").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_with_their_labels() {
        let text = "# HELP a b\n# TYPE a counter\na_total{server=\"data\",reason=\"full\"} 3\n\
                    a_total{server=\"data\",reason=\"busy\"} 4\na_total{server=\"http\"} 9\nb 2.5\nnothing\n\
                    t_bucket{kind=\"x\",le=\"0.5\"} 1\nt_bucket{kind=\"y\",le=\"0.5\"} 2\n\
                    t_bucket{kind=\"y\",le=\"+Inf\"} 7\n# EOF\n";
        let scrape = Scrape::read(text, clock::now());
        assert_eq!(scrape.sum("a_total", "server=\"data\""), Some(7.0));
        assert_eq!(scrape.sum("a_total", ""), Some(16.0));
        assert_eq!((scrape.sum("b", ""), scrape.sum("c", "")), (Some(2.5), None));
        assert_eq!(scrape.buckets("t", ""), [(0.5, 3.0), (f64::INFINITY, 7.0)]);
        assert!(scrape.has("b") && !scrape.has("nothing"));
    }
}
