//! Colours and weights. Without colours everything can still be told apart.

use ratatui::style::{Color, Modifier, Style};

use crate::event::Connection;
use crate::paragraph::Part;

/// How things look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Theme {
    has_color: bool,
}

impl Theme {
    pub(super) fn new(has_color: bool) -> Self {
        Self { has_color }
    }

    pub(super) fn part(self, part: Part) -> Style {
        match part {
            Part::Time => self.faint(),
            Part::OwnName => self.colored(Color::Cyan).add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
            Part::Name => Style::new().add_modifier(Modifier::BOLD),
            Part::Text => Style::new(),
            Part::Note => self.faint().add_modifier(Modifier::ITALIC),
            Part::Failure => self.colored(Color::Red),
        }
    }

    pub(super) fn faint(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub(super) fn unread(self) -> Style {
        self.colored(Color::Yellow).add_modifier(Modifier::BOLD)
    }

    pub(super) fn chosen(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    pub(super) fn connection(self, connection: Connection) -> Style {
        match connection {
            Connection::Online => Style::new(),
            Connection::Connecting => self.colored(Color::Yellow),
            Connection::Offline | Connection::Ended => self.colored(Color::Red).add_modifier(Modifier::BOLD),
        }
    }

    pub(super) fn notice(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    fn colored(self, color: Color) -> Style {
        if self.has_color { Style::new().fg(color) } else { Style::new() }
    }
}
