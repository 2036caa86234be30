//! What was changed in a text, so that it can be taken back and done again. Holds differences, not copies.

use std::collections::VecDeque;

use ttp::limits::TEXT_BYTES_MAX;

/// Steps that are kept; the oldest go first.
pub(super) const STEPS_MAX: usize = 100;

/// Bytes that the steps hold together. A step that replaces one longest text with another fits.
const STEPS_BYTES_MAX: usize = 4 * TEXT_BYTES_MAX;

/// One replacement in a text.
#[derive(Debug, Clone)]
pub(super) struct Step {
    /// In bytes.
    pub(super) start: usize,
    pub(super) removed: String,
    pub(super) inserted: String,
    pub(super) cursor_before: usize,
    pub(super) cursor_after: usize,
}

impl Step {
    /// The one replacement that makes `after` of `before`.
    fn between(before: &str, after: &str, cursor_before: usize, cursor_after: usize) -> Self {
        let same = |(one, other): &(char, char)| one == other;
        let bytes = |(char, _): (char, char)| char.len_utf8();
        let start: usize = before.chars().zip(after.chars()).take_while(same).map(bytes).sum();
        let (before, after) = (&before[start..], &after[start..]);
        let end: usize = before.chars().rev().zip(after.chars().rev()).take_while(same).map(bytes).sum();
        Self {
            start,
            removed: before[..before.len() - end].to_owned(),
            inserted: after[..after.len() - end].to_owned(),
            cursor_before,
            cursor_after,
        }
    }

    fn bytes(&self) -> usize {
        self.removed.len() + self.inserted.len()
    }

    fn take_back(&self, text: &mut String) {
        text.replace_range(self.start..self.start + self.inserted.len(), &self.removed);
    }

    fn do_again(&self, text: &mut String) {
        text.replace_range(self.start..self.start + self.removed.len(), &self.inserted);
    }
}

/// The steps that led to a text, and those that were taken back.
#[derive(Debug, Clone, Default)]
pub(super) struct Steps {
    /// Oldest first.
    done: VecDeque<Step>,
    /// The one that was taken back last comes last.
    undone: Vec<Step>,
    /// What all of them hold.
    bytes: usize,
}

impl Steps {
    /// A step was made; what had been taken back can no more be done again.
    pub(super) fn push(&mut self, step: Step) {
        self.forget_undone();
        self.bytes += step.bytes();
        self.done.push_back(step);
        self.trim();
    }

    /// A character was typed right behind those of the last step, and belongs to it.
    pub(super) fn extend(&mut self, typed: &str, cursor_after: usize) {
        self.forget_undone();
        if let Some(step) = self.done.back_mut() {
            step.inserted.push_str(typed);
            step.cursor_after = cursor_after;
            self.bytes += typed.len();
            self.trim();
        }
    }

    /// What the last step inserted.
    pub(super) fn last_inserted(&self) -> Option<&str> {
        self.done.back().map(|step| step.inserted.as_str())
    }

    /// Takes the last step back, and says where the cursor goes.
    pub(super) fn undo(&mut self, text: &mut String) -> Option<usize> {
        let step = self.done.pop_back()?;
        step.take_back(text);
        let cursor = step.cursor_before;
        self.undone.push(step);
        Some(cursor)
    }

    /// Makes the step again that was taken back last, and says where the cursor goes.
    pub(super) fn redo(&mut self, text: &mut String) -> Option<usize> {
        let step = self.undone.pop()?;
        step.do_again(text);
        let cursor = step.cursor_after;
        self.done.push_back(step);
        Some(cursor)
    }

    /// Makes one step of all since the text was last `before`. Changes nothing if that is not remembered.
    pub(super) fn join_since(&mut self, before: &str, text: &str) {
        let mut earlier = text.to_owned();
        for first in (0..self.done.len()).rev() {
            self.done[first].take_back(&mut earlier);
            if earlier == before {
                let cursor_before = self.done[first].cursor_before;
                let cursor_after = self.done.back().map_or(0, |step| step.cursor_after);
                let joined: usize = self.done.drain(first..).map(|step| step.bytes()).sum();
                self.bytes -= joined;
                if before != text {
                    self.push(Step::between(before, text, cursor_before, cursor_after));
                }
                return;
            }
        }
    }

    fn forget_undone(&mut self) {
        let forgotten: usize = self.undone.drain(..).map(|step| step.bytes()).sum();
        self.bytes -= forgotten;
    }

    fn trim(&mut self) {
        while self.done.len() > STEPS_MAX || self.bytes > STEPS_BYTES_MAX {
            let Some(oldest) = self.done.pop_front() else { break };
            self.bytes -= oldest.bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_the_difference_alone() {
        for (before, after, removed, inserted) in [
            ("one two", "one three two", "", "hree t"),
            ("aaa", "aa", "a", ""),
            ("дом", "дым", "о", "ы"),
            ("", "new", "", "new"),
            ("same", "same", "", ""),
        ] {
            let step = Step::between(before, after, 0, 0);
            assert_eq!(
                (step.removed.as_str(), step.inserted.as_str()),
                (removed, inserted),
                "{before} → {after}"
            );
            let mut text = before.to_owned();
            step.do_again(&mut text);
            assert_eq!(text, after);
            step.take_back(&mut text);
            assert_eq!(text, before);
        }
    }

    #[test]
    fn steps_and_their_bytes_are_bounded() {
        let step = |inserted: String| Step {
            start: 0,
            removed: String::new(),
            inserted,
            cursor_before: 0,
            cursor_after: 0,
        };
        let mut steps = Steps::default();
        for _ in 0..2 * STEPS_MAX {
            steps.push(step("a".into()));
        }
        assert_eq!((steps.done.len(), steps.bytes), (STEPS_MAX, STEPS_MAX));
        for _ in 0..10 {
            steps.push(step("a".repeat(TEXT_BYTES_MAX)));
        }
        assert_eq!((steps.done.len(), steps.bytes), (4, STEPS_BYTES_MAX));
    }
}
