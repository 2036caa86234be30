//! Which colours mean what, for dark and for light windows, for those who need more contrast, and for terminals of sixteen
//! colours and of sixteen million. Without colours everything can still be told apart.

use ratatui::style::Color;
use serde::{Deserialize, Serialize};

use crate::taste::{Colors, Tints};

/// A choice of colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Palette {
    /// For dark windows.
    #[default]
    Dark,
    /// For light windows.
    Light,
    /// Only what stands out most on both.
    Contrast,
    /// No colours.
    Plain,
}

/// What a colour is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// One's own name and signs.
    Own,
    /// What waits to be read.
    Unread,
    /// What went wrong.
    Wrong,
    /// Who is here, and that it was done.
    Here,
    /// Code in a text.
    Code,
    /// A link, a file.
    Link,
    /// The name of a person, by the person's number.
    Author(usize),
}

/// Colours of authors of each palette. The hexadecimal ones are of equal lightness (CIE L* of about 72 on dark, 40 on light), so
/// that nobody speaks louder than others.
const AUTHORS_16: [Color; 6] =
    [Color::Green, Color::Magenta, Color::Blue, Color::LightRed, Color::LightMagenta, Color::LightBlue];
const AUTHORS_DARK: [u32; 8] =
    [0x7fc8a9, 0xd7a1e0, 0x8fb8ff, 0xffa08a, 0xc6bc62, 0x6ec9d6, 0xf29cbf, 0xa9c878];
const AUTHORS_LIGHT: [u32; 8] =
    [0x1f6b4d, 0x803a92, 0x2b55b5, 0xa3381f, 0x6b5f00, 0x00687a, 0x9b2b62, 0x486a12];

impl Palette {
    /// From what is typed.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "dark" => Some(Self::Dark),
            "light" => Some(Self::Light),
            "contrast" => Some(Self::Contrast),
            "plain" => Some(Self::Plain),
            _ => None,
        }
    }

    /// The colours of all roles; none where there are no colours.
    pub(crate) fn shades(self, has_true_color: bool, colors: &Colors) -> Shades {
        let (own, wanted): (fn(Role, bool) -> Color, _) = match self {
            Self::Plain => {
                return Shades { roles: [None; ROLES.len()], authors: [None; AUTHORS_MAX], authors_count: 1 };
            }
            Self::Dark => (dark, &colors.dark),
            Self::Light => (light, &colors.light),
            Self::Contrast => (contrast, &colors.contrast),
        };
        // What only better terminals show is no wish for this one.
        let can = |color: &Color| has_true_color || !matches!(color, Color::Rgb(..));
        let roles =
            ROLES.map(|role| Some(wanted.of(role).filter(can).unwrap_or_else(|| own(role, has_true_color))));
        let wished: Vec<Color> = wanted.authors().filter(can).take(AUTHORS_MAX).collect();
        let count = if has_true_color { AUTHORS_DARK.len() } else { AUTHORS_16.len() };
        let of_palette = || (0..count).map(|number| own(Role::Author(number), has_true_color)).collect();
        let wished = if wished.is_empty() { of_palette() } else { wished };
        let mut authors = [None; AUTHORS_MAX];
        authors.iter_mut().zip(&wished).for_each(|(author, color)| *author = Some(*color));
        Shades { roles, authors, authors_count: wished.len() }
    }

    /// The colours that the person's file can change, by their roles, for terminals of all colours.
    pub(crate) fn tints(self) -> Option<Tints> {
        let shades = self.shades(true, &Colors::default());
        let authors = shades.authors.iter().flatten().take(shades.authors_count).copied();
        Tints::new(|role| shades.color(role), authors)
    }
}

/// Roles of one colour each.
pub(crate) const ROLES: [Role; 6] =
    [Role::Own, Role::Unread, Role::Wrong, Role::Here, Role::Code, Role::Link];

/// Colours that authors may have.
pub(crate) const AUTHORS_MAX: usize = 16;

/// Which colours mean what, on this terminal and for this person.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shades {
    roles: [Option<Color>; ROLES.len()],
    authors: [Option<Color>; AUTHORS_MAX],
    authors_count: usize,
}

impl Shades {
    /// The colour of a role; nothing where there are no colours.
    pub(crate) fn color(&self, role: Role) -> Option<Color> {
        match role {
            Role::Author(number) => self.authors[number % self.authors_count],
            role => ROLES.iter().position(|known| *known == role).and_then(|place| self.roles[place]),
        }
    }
}

fn dark(role: Role, has_true_color: bool) -> Color {
    let hexadecimal = match role {
        Role::Author(number) => AUTHORS_DARK[number % AUTHORS_DARK.len()],
        Role::Own => 0x7fd7ff,
        Role::Unread | Role::Code => 0xffd75f,
        Role::Wrong => 0xff7b72,
        Role::Here => 0x5fd787,
        Role::Link => 0x82aaff,
    };
    if has_true_color { Color::from_u32(hexadecimal) } else { of_sixteen(role, Color::Yellow) }
}

fn light(role: Role, has_true_color: bool) -> Color {
    let hexadecimal = match role {
        Role::Author(number) => AUTHORS_LIGHT[number % AUTHORS_LIGHT.len()],
        Role::Own => 0x005f87,
        Role::Unread | Role::Code => 0x875f00,
        Role::Wrong => 0xb3261e,
        Role::Here => 0x1a7f37,
        Role::Link => 0x0550ae,
    };
    if has_true_color { Color::from_u32(hexadecimal) } else { of_sixteen(role, Color::Magenta) }
}

/// The same for terminals of sixteen colours; yellow cannot be read on light ones.
fn of_sixteen(role: Role, unread: Color) -> Color {
    match role {
        Role::Author(number) => AUTHORS_16[number % AUTHORS_16.len()],
        Role::Own => Color::Cyan,
        Role::Unread | Role::Code => unread,
        Role::Wrong => Color::Red,
        Role::Here => Color::Green,
        Role::Link => Color::Blue,
    }
}

/// The colours of the terminal itself, and one for what matters. Names are told apart by their letters.
fn contrast(role: Role, _: bool) -> Color {
    match role {
        Role::Unread | Role::Wrong => Color::LightRed,
        Role::Own | Role::Here | Role::Code | Role::Link | Role::Author(_) => Color::Reset,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_and_plain_has_no_colour() {
        for (name, palette) in [
            ("dark", Palette::Dark),
            ("light", Palette::Light),
            ("contrast", Palette::Contrast),
            ("plain", Palette::Plain),
        ] {
            assert_eq!(Palette::from_name(name), Some(palette));
            for has_true_color in [true, false] {
                let shades = palette.shades(has_true_color, &Colors::default());
                for role in ROLES.into_iter().chain([Role::Author(7), Role::Author(usize::MAX)]) {
                    assert_eq!(shades.color(role).is_some(), palette != Palette::Plain);
                }
            }
        }
        assert_eq!(Palette::from_name("pink"), None);
        let own = |has_true_color| Palette::Dark.shades(has_true_color, &Colors::default()).color(Role::Own);
        assert!(matches!(own(true), Some(Color::Rgb(..))));
        assert!(!matches!(own(false), Some(Color::Rgb(..))));
    }
}
