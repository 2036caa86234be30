//! Tab completes the word before the cursor: `@` names of people, `#` names of chats, `:` names of signs, commands, and paths of
//! files to send. Tab again takes the next of those that fit.

use super::App;
use crate::command::Command;
use crate::emoji;
use crate::slash::{ACTS, COMMANDS};
use crate::words;
use crate::wrap;

/// Words that are tried.
const CANDIDATES_MAX: usize = 64;

/// What fits, and which of it stands in the input now.
#[derive(Debug)]
pub(crate) struct Completing {
    /// Where the word begins, in bytes.
    start: usize,
    candidates: Vec<Candidate>,
    taken: usize,
}

#[derive(Debug, PartialEq, Eq)]
struct Candidate {
    /// As it is shown among others.
    name: String,
    /// What comes into the input.
    typed: String,
}

impl Candidate {
    fn word(word: String) -> Self {
        Self { typed: format!("{word} "), name: word }
    }

    /// A path, in quotes when it has spaces. What is in a folder is typed on.
    fn path(path: &str) -> Self {
        let (quote, end) = if path.contains(char::is_whitespace) { ("\"", "\" ") } else { ("", " ") };
        let end = if path.ends_with('/') { "" } else { end };
        let parent = path.trim_end_matches('/').rfind('/').map_or(0, |slash| slash + 1);
        Self { name: path[parent..].to_owned(), typed: format!("{quote}{path}{end}") }
    }
}

impl App {
    pub(super) fn complete(&mut self, commands: &mut Vec<Command>) {
        if let Some(completing) = self.completing.take() {
            return self.take_candidate(Completing { taken: completing.taken + 1, ..completing });
        }
        if let Some((_, begun)) = self.begun_path() {
            return commands.push(Command::FindPaths(begun.to_owned()));
        }
        match self.begin_completing() {
            Some(completing) => self.take_candidate(completing),
            None => self.notice = Some(words::NOTHING_TO_COMPLETE.into()),
        }
    }

    /// Paths that begin as this one; folders end with a slash.
    pub(super) fn hear_paths(&mut self, begun: &str, paths: &[String]) {
        // Something else may stand there by now.
        let Some((start, _)) = self.begun_path().filter(|(_, now)| *now == begun) else { return };
        if paths.is_empty() {
            self.notice = Some(words::NOTHING_TO_COMPLETE.into());
            return;
        }
        let candidates = paths.iter().take(CANDIDATES_MAX).map(|path| Candidate::path(path)).collect();
        self.take_candidate(Completing { start, candidates, taken: 0 });
        // Another Tab looks into the only folder.
        self.completing.take_if(|_| matches!(paths, [only] if only.ends_with('/')));
    }

    fn take_candidate(&mut self, mut completing: Completing) {
        completing.taken %= completing.candidates.len();
        let Candidate { name, typed } = &completing.candidates[completing.taken];
        let input = self.input_mut();
        let place = completing.start..input.cursor();
        if input.replace(place, typed).is_err() {
            self.notice = Some(words::input_full());
            return;
        }
        // What a command does is worth more than the names of the others.
        let usage = usages().find(|(form, _)| form.split(' ').next() == Some(name.as_str()));
        if let Some((form, meaning)) = usage {
            let place = words::place_among(completing.taken + 1, completing.candidates.len());
            self.notice = Some(format!("{form} · {meaning}{place}"));
        } else if completing.candidates.len() > 1 {
            let names: Vec<&str> =
                completing.candidates.iter().map(|candidate| candidate.name.as_str()).collect();
            // A notice of one row does not lie over what is typed.
            self.notice = Some(wrap::fit(&names.join("  "), self.notice_width()));
        }
        self.completing = Some(completing);
    }

    /// The path that is being typed behind `/attach`, and where it begins, with its quote.
    fn begun_path(&self) -> Option<(usize, &str)> {
        let before = &self.input().text()[..self.input().cursor()];
        let path = before.strip_prefix("/attach ")?.trim_start();
        let start = before.len() - path.len();
        match path.strip_prefix('"') {
            Some(quoted) => (!quoted.contains('"')).then_some((start, quoted)),
            None => (!path.contains(char::is_whitespace)).then_some((start, path)),
        }
    }

    fn begin_completing(&self) -> Option<Completing> {
        let before = &self.input().text()[..self.input().cursor()];
        let start = before
            .rfind(char::is_whitespace)
            .map_or(0, |space| space + before[space..].chars().next().map_or(1, char::len_utf8));
        let word = &before[start..];
        let begun = word.to_lowercase();
        let fits = |candidate: &String| candidate.to_lowercase().starts_with(&begun) && *candidate != word;
        let words: Vec<String> = match word.chars().next()? {
            '/' if start == 0 => {
                let names = usages().map(|(form, _)| form.split(' ').next().unwrap_or(form).to_owned());
                names.filter(fits).take(CANDIDATES_MAX).collect()
            }
            '@' => {
                let people = self.opened()?.people.values();
                let others = people.filter(|user| user.user_id != self.me().user_id);
                others.map(|user| format!("@{}", user.user_name)).filter(fits).take(CANDIDATES_MAX).collect()
            }
            '#' => {
                let names = self.conversations().iter().map(|conversation| format!("#{}", conversation.name));
                names.filter(fits).take(CANDIDATES_MAX).collect()
            }
            ':' => {
                let named = emoji::NAMED.iter().filter(|(name, _)| format!(":{name}:").starts_with(&begun));
                named.map(|(_, sign)| (*sign).to_owned()).take(CANDIDATES_MAX).collect()
            }
            _ => Vec::new(),
        };
        let mut candidates: Vec<Candidate> = words.into_iter().map(Candidate::word).collect();
        candidates.dedup();
        (!candidates.is_empty()).then_some(Completing { start, candidates, taken: 0 })
    }
}

/// All commands and what they do.
fn usages() -> impl Iterator<Item = (&'static str, &'static str)> {
    let commands = COMMANDS.iter().map(|usage| (usage.form, usage.meaning));
    commands.chain(ACTS.iter().map(|usage| (usage.form, usage.meaning)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_spaces_are_quoted_and_folders_typed_on() {
        for (path, name, typed) in [
            ("a.png", "a.png", "a.png "),
            ("~/b/a.png", "a.png", "~/b/a.png "),
            ("my cat.png", "my cat.png", "\"my cat.png\" "),
            ("b/", "b/", "b/"),
            ("/x/my cats/", "my cats/", "\"/x/my cats/"),
        ] {
            let candidate = Candidate { name: name.into(), typed: typed.into() };
            assert_eq!(Candidate::path(path), candidate);
        }
    }
}
