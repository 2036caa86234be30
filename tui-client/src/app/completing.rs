//! Tab completes the word before the cursor: `@` names of people, `#` names of chats, `:` names of signs, and commands. Tab again
//! takes the next of those that fit.

use super::App;
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
    candidates: Vec<String>,
    taken: usize,
}

impl App {
    pub(super) fn complete(&mut self) {
        let mut completing = match self.completing.take() {
            Some(completing) => Completing { taken: completing.taken + 1, ..completing },
            None => match self.begin_completing() {
                Some(completing) => completing,
                None => {
                    self.notice = Some(words::NOTHING_TO_COMPLETE.into());
                    return;
                }
            },
        };
        completing.taken %= completing.candidates.len();
        let candidate = completing.candidates[completing.taken].clone();
        let input = self.input_mut();
        let place = completing.start..input.cursor();
        if input.replace(place, &format!("{candidate} ")).is_err() {
            self.notice = Some(words::input_full());
            return;
        }
        // What a command does is worth more than the names of the others.
        let usage = usages().find(|(form, _)| form.split(' ').next() == Some(candidate.as_str()));
        if let Some((form, meaning)) = usage {
            let place = words::place_among(completing.taken + 1, completing.candidates.len());
            self.notice = Some(format!("{form} · {meaning}{place}"));
        } else if completing.candidates.len() > 1 {
            self.notice = Some(wrap::one_line(&completing.candidates.join("  ")));
        }
        self.completing = Some(completing);
    }

    fn begin_completing(&self) -> Option<Completing> {
        let before = &self.input().text()[..self.input().cursor()];
        let start = before
            .rfind(char::is_whitespace)
            .map_or(0, |space| space + before[space..].chars().next().map_or(1, char::len_utf8));
        let word = &before[start..];
        let begun = word.to_lowercase();
        let fits = |candidate: &String| candidate.to_lowercase().starts_with(&begun) && *candidate != word;
        let candidates: Vec<String> = match word.chars().next()? {
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
        let mut candidates = candidates;
        candidates.dedup();
        (!candidates.is_empty()).then_some(Completing { start, candidates, taken: 0 })
    }
}

/// All commands and what they do.
fn usages() -> impl Iterator<Item = (&'static str, &'static str)> {
    let commands = COMMANDS.iter().map(|usage| (usage.form, usage.meaning));
    commands.chain(ACTS.iter().map(|usage| (usage.form, usage.meaning)))
}
