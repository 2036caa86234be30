//! The state of the screen: what each endpoint said lately, or why it says nothing.

use super::history::History;
use super::rows::{self, PANELS, Panel, Said};
use super::scrape::Scrape;

/// See the module.
pub(crate) struct Board {
    pub(crate) sources: Vec<Source>,
}

/// One endpoint.
pub(crate) struct Source {
    pub(crate) address: String,
    pub(crate) history: History,
    /// Why it did not answer the last time.
    pub(crate) silence: Option<String>,
}

/// One server, as it is shown.
pub(crate) struct Shown {
    pub(crate) title: String,
    pub(crate) is_silent: bool,
    pub(crate) rows: Vec<(&'static str, Said)>,
}

impl Board {
    /// Nothing is known of these yet.
    pub(crate) fn new(addresses: &[String]) -> Self {
        let source = |address: &String| Source {
            address: address.clone(),
            history: History::default(),
            silence: None,
        };
        Self { sources: addresses.iter().map(source).collect() }
    }

    /// Takes what an endpoint answered.
    pub(crate) fn take(&mut self, place: usize, answer: Result<Scrape, String>) {
        let Some(source) = self.sources.get_mut(place) else { return };
        match answer {
            Ok(scrape) => {
                source.history.push(scrape);
                source.silence = None;
            }
            Err(why) => source.silence = Some(why),
        }
    }

    /// The servers that were found, each on the endpoint that shows it; those of one endpoint stand together.
    pub(crate) fn servers(&self) -> Vec<Shown> {
        let several = self.sources.len() > 1;
        let found = self.sources.iter().flat_map(|source| PANELS.iter().map(move |panel| (source, panel)));
        found
            .filter(|(source, panel)| source.history.last().is_some_and(|scrape| scrape.has(panel.proof)))
            .map(|(source, panel)| source.show(panel, several))
            .collect()
    }

    /// The same for who reads text, line by line.
    pub(crate) fn table(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for source in &self.sources {
            let process = rows::process(&source.history).unwrap_or_default();
            lines.push(format!("{} {process}", source.address));
        }
        for server in self.servers() {
            lines.push(String::new());
            lines.push(server.title);
            let rows = server.rows.iter();
            lines.extend(rows.map(|(title, said)| format!("  {title:16} {}", said.value)));
        }
        lines
    }
}

impl Source {
    fn show(&self, panel: &Panel, with_address: bool) -> Shown {
        let title =
            if with_address { format!("{} {}", panel.title, self.address) } else { panel.title.into() };
        let rows = panel.rows.iter().filter_map(|row| Some((row.title, row.say(&self.history)?)));
        Shown { title, is_silent: self.silence.is_some(), rows: rows.collect() }
    }
}
