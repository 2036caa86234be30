//! A list over the messages: what is typed to narrow it, then its rows around the chosen one.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::theme::Theme;
use super::write_row;
use crate::app::sheet::{Sheet, SheetRow};
use crate::words;
use crate::wrap;

pub(super) fn draw(sheet: &Sheet, theme: Theme, whole: Rect, buffer: &mut Buffer) {
    let (height, below) = sheet.heights(whole.height);
    draw_context(sheet, theme, Rect { y: whole.y + height, height: below, ..whole }, buffer);
    let area = Rect { height, ..whole };
    let mut first_row = 0;
    if let Some(filter) = &sheet.filter {
        write_row(buffer, area, 0, 0, wrap::fit(&format!("› {}", filter.text()), area.width));
        first_row = 1;
    }
    let room = usize::from(area.height).saturating_sub(first_row);
    if sheet.shown().len() == 0 {
        let words = if sheet.is_loading { words::SEARCHING } else { words::NOTHING_HERE };
        write_row(buffer, area, first_row, 0, Span::styled(wrap::fit(words, area.width), theme.faint()));
        return;
    }
    let first = (sheet.chosen + 1).saturating_sub(room);
    for (index, row) in sheet.shown().enumerate().skip(first).take(room) {
        let style = if index == sheet.chosen { theme.chosen() } else { Style::new() };
        write_row(buffer, area, first_row + index - first, 0, line(row, style, theme, area.width));
    }
}

/// What stands around the chosen row.
fn draw_context(sheet: &Sheet, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let Some(row) = sheet.chosen_row().filter(|_| area.height > 0) else { return };
    let line = "─".repeat(usize::from(area.width));
    write_row(buffer, area, 0, 0, Span::styled(line, theme.faint()));
    for (index, text) in row.context.iter().enumerate() {
        write_row(buffer, area, index + 1, 0, Span::styled(wrap::fit(text, area.width), theme.faint()));
    }
}

/// A row in one line: what was looked for is seen, also when the text is longer than the row.
fn line(row: &SheetRow, style: Style, theme: Theme, width: u16) -> Line<'static> {
    let lead = wrap::fit(&row.lead, width);
    let room = width - wrap::width_of(&lead);
    let mut spans = vec![Span::styled(lead, style.patch(theme.faint()))];
    let chars: Vec<char> = row.text.chars().collect();
    // What is found far behind in the text is shown with some of what stands before it.
    let first_hit = row.highlights.first().map_or(0, |[from, _]| *from);
    let skipped =
        if first_hit + BEHIND_CHARS > usize::from(room) { first_hit.saturating_sub(BEFORE_CHARS) } else { 0 };
    let mut at = skipped;
    let mut left = room;
    if skipped > 0 {
        spans.push(Span::styled("…", style));
        left = left.saturating_sub(1);
    }
    for [from, to] in row.highlights.iter().copied().filter(|[from, _]| *from >= skipped) {
        let from = from.min(chars.len());
        let to = to.clamp(from, chars.len());
        push(&mut spans, &chars[at.min(from)..from], style, &mut left);
        push(&mut spans, &chars[from..to], style.patch(theme.found()), &mut left);
        at = to;
    }
    push(&mut spans, &chars[at.min(chars.len())..], style, &mut left);
    Line::from(spans)
}

/// Characters that are shown before and behind what was found.
const BEFORE_CHARS: usize = 12;
const BEHIND_CHARS: usize = 8;

fn push(spans: &mut Vec<Span<'static>>, chars: &[char], style: Style, left: &mut u16) {
    if *left == 0 || chars.is_empty() {
        return;
    }
    // A row has no more signs than cells, but for those that take none.
    let text: String = chars.iter().take(usize::from(*left) * 4).collect();
    let shown = wrap::fit(&text, *left);
    *left = left.saturating_sub(wrap::width_of(&shown));
    spans.push(Span::styled(shown, style));
}
