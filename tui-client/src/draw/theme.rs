//! Colours and weights. Without colours everything can still be told apart.

use ratatui::style::{Modifier, Style};
use ratatui::text::Span;
use ttp::call::PresenceState;
use ttp::model::UserId;

use crate::event::Connection;
use crate::markdown::Look;
use crate::palette::{Role, Shades};
use crate::paragraph::Part;

/// How things look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Theme(Shades);

impl Theme {
    pub(super) fn new(shades: Shades) -> Self {
        Self(shades)
    }

    pub(super) fn part(self, part: Part) -> Style {
        match part {
            Part::Time => self.faint(),
            Part::OwnName => self.colored(Role::Own).add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
            Part::Name(user_id) => self.author(user_id),
            Part::CallingName => self.unread(),
            Part::Text(look) => self.text(look),
            Part::Aside | Part::Day => self.faint(),
            Part::Sign => Style::new(),
            Part::OwnSign => self.colored(Role::Own).add_modifier(Modifier::BOLD),
            Part::File => self.colored(Role::Link).add_modifier(Modifier::UNDERLINED),
            Part::New => self.colored(Role::Wrong).add_modifier(Modifier::BOLD),
            Part::Note => self.faint().add_modifier(Modifier::ITALIC),
            Part::Failure => self.colored(Role::Wrong),
        }
    }

    /// Each person has a colour, so that one sees at once who speaks.
    pub(super) fn author(self, user_id: UserId) -> Style {
        self.colored(Role::Author(user_id.0.unsigned_abs() as usize)).add_modifier(Modifier::BOLD)
    }

    /// A dot that tells whether somebody is here; for whom nothing is known of, none.
    pub(super) fn presence(self, state: Option<PresenceState>) -> Span<'static> {
        match state {
            None => Span::raw(" "),
            Some(PresenceState::Online) => Span::styled("●", self.colored(Role::Here)),
            Some(PresenceState::Away) => Span::styled("◐", self.colored(Role::Unread)),
            Some(PresenceState::Offline) => Span::styled("○", self.faint()),
        }
    }

    fn text(self, look: Look) -> Style {
        let mut style = Style::new();
        let modifiers = [
            (look.is_bold, Modifier::BOLD),
            (look.is_italic, Modifier::ITALIC),
            (look.is_struck, Modifier::CROSSED_OUT),
            (look.is_link, Modifier::UNDERLINED),
            (look.is_quote, Modifier::DIM),
        ];
        for (_, modifier) in modifiers.into_iter().filter(|(is, _)| *is) {
            style = style.add_modifier(modifier);
        }
        let role = match look {
            Look { is_code: true, .. } => Some(Role::Code),
            Look { is_link: true, .. } => Some(Role::Link),
            _ => None,
        };
        style.patch(role.map_or(Style::new(), |role| self.colored(role)))
    }

    /// What was looked for.
    pub(super) fn found(self) -> Style {
        self.colored(Role::Unread).add_modifier(Modifier::BOLD | Modifier::UNDERLINED)
    }

    pub(super) fn faint(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub(super) fn unread(self) -> Style {
        self.colored(Role::Unread).add_modifier(Modifier::BOLD)
    }

    pub(super) fn chosen(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    pub(super) fn connection(self, connection: Connection) -> Style {
        match connection {
            Connection::Online => Style::new(),
            Connection::Connecting => self.colored(Role::Unread),
            Connection::Offline | Connection::Ended => self.colored(Role::Wrong).add_modifier(Modifier::BOLD),
        }
    }

    pub(super) fn notice(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    fn colored(self, role: Role) -> Style {
        self.0.color(role).map_or(Style::new(), |color| Style::new().fg(color))
    }
}
