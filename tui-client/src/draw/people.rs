//! Who is in the open chat, and who of them is here.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::theme::Theme;
use super::write_row;
use crate::app::App;
use crate::words;
use crate::wrap;

pub(super) fn draw(app: &App, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let Some(conversation) = app.opened() else { return };
    if area.is_empty() {
        return;
    }
    let mut people: Vec<_> = conversation.people.values().collect();
    // Who is here comes first.
    people.sort_by_key(|user| {
        let is_me = user.user_id == app.me().user_id;
        (app.company().state(user.user_id).map_or(u8::from(!is_me), theme_order), user.user_id)
    });
    let (room, count) = (usize::from(area.height), conversation.people_count());
    let shown = if count > room { people.len().min(room.saturating_sub(1)) } else { people.len() };
    for (row, user) in people.iter().take(shown).enumerate() {
        let state = app.company().state(user.user_id);
        let name = wrap::fit(&user.user_name, area.width.saturating_sub(2));
        let dot = theme.presence(state.filter(|_| user.user_id != app.me().user_id));
        let line = Line::from(vec![dot, Span::raw(" "), Span::styled(name, theme.author(user.user_id))]);
        write_row(buffer, area, row, 0, line);
    }
    if shown < count {
        let more = words::more_people(count - shown);
        write_row(buffer, area, shown, 0, Span::styled(wrap::fit(&more, area.width), theme.faint()));
    }
}

fn theme_order(state: ttp::call::PresenceState) -> u8 {
    match state {
        ttp::call::PresenceState::Online => 0,
        ttp::call::PresenceState::Away => 1,
        ttp::call::PresenceState::Offline => 2,
    }
}
