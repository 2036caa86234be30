//! What the person wants otherwise than it is from the start: the file `screen.toml` of keys, colours and habits.

use std::collections::BTreeMap;
use std::fmt::Write;

use ratatui::style::Color;
use serde::Deserialize;
use toml::Spanned;

use crate::chord::Chord;
use crate::keys::{Action, Keys, Mode};
use crate::palette::{AUTHORS_MAX, Palette, ROLES, Role};
use crate::run::Error;
use crate::words;

/// A person's taste. The default is that of somebody who has no file.
#[derive(Debug, Clone)]
pub struct Taste {
    /// The colours to begin with; those that were chosen last, when there are none.
    pub(crate) theme: Option<Palette>,
    /// Whether the input has the keys of vi; as it was last, when nothing is said.
    pub(crate) vim: Option<bool>,
    /// Whether the mouse is for this program, and not for selecting text.
    pub(crate) mouse: bool,
    /// Whether pictures of messages are shown.
    pub(crate) images: bool,
    pub(crate) colors: Colors,
    pub(crate) keys: Keys,
}

impl Default for Taste {
    fn default() -> Self {
        Self {
            theme: None,
            vim: None,
            mouse: true,
            images: true,
            colors: Colors::default(),
            keys: Keys::default(),
        }
    }
}

/// Colours of the person's own, for each choice of colours that has some.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Colors {
    pub(crate) dark: Tints,
    pub(crate) light: Tints,
    pub(crate) contrast: Tints,
}

/// Some of the colours of one choice.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Tints {
    own: Option<Tint>,
    unread: Option<Tint>,
    wrong: Option<Tint>,
    here: Option<Tint>,
    code: Option<Tint>,
    link: Option<Tint>,
    authors: Vec<Tint>,
}

/// A colour: `#rrggbb`, a number of the terminal's 256, or one of its sixteen by name.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Tint(Color);

impl TryFrom<String> for Tint {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let unknown = || format!("there is no colour {text:?}; write #ff8800, 208 or light-red");
        text.parse().map(Self).map_err(|_| unknown())
    }
}

impl Tints {
    /// Colours of these roles and authors; nothing where a role has none.
    pub(crate) fn new(
        color: impl Fn(Role) -> Option<Color>,
        authors: impl Iterator<Item = Color>,
    ) -> Option<Self> {
        let [own, unread, wrong, here, code, link] = ROLES.map(|role| color(role).map(Tint));
        own?;
        Some(Self { own, unread, wrong, here, code, link, authors: authors.map(Tint).collect() })
    }

    /// The colour of a role that is not an author.
    pub(crate) fn of(&self, role: Role) -> Option<Color> {
        let tint = match role {
            Role::Own => self.own,
            Role::Unread => self.unread,
            Role::Wrong => self.wrong,
            Role::Here => self.here,
            Role::Code => self.code,
            Role::Link => self.link,
            Role::Author(_) => None,
        };
        tint.map(|tint| tint.0)
    }

    pub(crate) fn authors(&self) -> impl Iterator<Item = Color> {
        self.authors.iter().map(|tint| tint.0)
    }
}

/// The file. What is not listed here is refused.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    theme: Option<Palette>,
    vim: Option<bool>,
    mouse: Option<bool>,
    images: Option<bool>,
    #[serde(default)]
    colors: Colors,
    keys: Option<Spanned<Wishes>>,
    message_keys: Option<Spanned<Wishes>>,
}

type Wishes = BTreeMap<Action, Vec<Chord>>;

impl Taste {
    /// Reads what stands in a file.
    ///
    /// # Errors
    /// [`Error::Taste`] with the line and what is wrong there.
    pub fn read(text: &str) -> Result<Self, Error> {
        let fault = |start: usize, what: &str| Error::Taste {
            line: text.as_bytes().iter().take(start).filter(|byte| **byte == b'\n').count() + 1,
            what: what.replace('\n', " "),
        };
        let file: File = toml::from_str(text)
            .map_err(|error| fault(error.span().map_or(0, |span| span.start), error.message()))?;
        let mut keys = Keys::default();
        for (mode, wishes) in [(Mode::Input, file.keys), (Mode::Message, file.message_keys)] {
            if let Some(wishes) = wishes {
                keys.rebind(mode, wishes.get_ref()).map_err(|what| fault(wishes.span().start, &what))?;
            }
        }
        let [dark, light, contrast] = [&file.colors.dark, &file.colors.light, &file.colors.contrast];
        if [dark, light, contrast].iter().any(|tints| tints.authors.len() > AUTHORS_MAX) {
            return Err(fault(0, &format!("authors have at most {AUTHORS_MAX} colours")));
        }
        let [mouse, images] = [file.mouse, file.images].map(|wish| wish.unwrap_or(true));
        Ok(Self { theme: file.theme, vim: file.vim, mouse, images, colors: file.colors, keys })
    }

    /// A file that changes nothing, with all that it can hold.
    pub fn example() -> String {
        let mut text = words::TASTE_HEAD.to_owned();
        for (palette, name) in
            [(Palette::Dark, "dark"), (Palette::Light, "light"), (Palette::Contrast, "contrast")]
        {
            let Some(tints) = palette.tints() else { continue };
            let _ = writeln!(text, "\n[colors.{name}]");
            for role in ROLES {
                let Some(color) = tints.of(role) else { continue };
                let _ =
                    writeln!(text, "# {} = \"{}\"  # {}", role_name(role), shown(color), words::role(role));
            }
            let authors: Vec<String> = tints.authors().map(|color| format!("\"{}\"", shown(color))).collect();
            let _ =
                writeln!(text, "# authors = [{}]  # {}", authors.join(", "), words::role(Role::Author(0)));
        }
        for (mode, table) in [(Mode::Input, "keys"), (Mode::Message, "message_keys")] {
            let _ = writeln!(text, "\n{}[{table}]", words::taste_keys(mode));
            let keys = Keys::default();
            for binding in keys.bindings().iter().filter(|binding| binding.mode == mode) {
                let chords: Vec<String> = binding.chords.iter().map(|chord| format!("\"{chord}\"")).collect();
                let (name, meaning) = (binding.action.name(), words::action(binding.action));
                let _ = writeln!(text, "# {name} = [{}]  # {meaning}", chords.join(", "));
            }
        }
        text
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Own => "own",
        Role::Unread => "unread",
        Role::Wrong => "wrong",
        Role::Here => "here",
        Role::Code => "code",
        Role::Link => "link",
        Role::Author(_) => "authors",
    }
}

fn shown(color: Color) -> String {
    color.to_string().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> (usize, String) {
        match Taste::read(text) {
            Err(Error::Taste { line, what }) => (line, what),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn the_example_changes_nothing_also_when_all_of_it_is_taken() {
        let example = Taste::example();
        let uncommented: String = example
            .lines()
            .map(|line| line.strip_prefix("# ").filter(|line| line.contains(" = ")).unwrap_or(line))
            .map(|line| format!("{line}\n"))
            .collect();
        assert_ne!(example, uncommented);
        for text in [&example, &uncommented] {
            let taste = Taste::read(text).unwrap();
            let chords = |keys: &Keys| {
                let rows = keys.bindings().iter();
                rows.map(|row| (row.action, row.label.to_string(), row.chords.clone())).collect::<Vec<_>>()
            };
            assert_eq!(chords(&taste.keys), chords(&Keys::default()));
            assert!(taste.mouse && taste.images);
            for palette in [Palette::Dark, Palette::Light, Palette::Contrast] {
                let shades = [&taste.colors, &Colors::default()].map(|colors| palette.shades(true, colors));
                for role in ROLES.into_iter().chain((0..9).map(Role::Author)) {
                    assert_eq!(shades[0].color(role), shades[1].color(role), "{palette:?} {role:?}");
                }
            }
        }
    }

    #[test]
    fn what_a_file_says_is_taken() {
        let text = "theme = \"light\"\nvim = true\nmouse = false\n[colors.light]\nown = \"208\"\n\
                    wrong = \"#ff0000\"\nauthors = [\"red\", \"light-blue\"]\n[keys]\nswitch = [\"Ctrl-G\"]\n";
        let taste = Taste::read(text).unwrap();
        assert_eq!((taste.theme, taste.vim, taste.mouse), (Some(Palette::Light), Some(true), false));
        let shades = Palette::Light.shades(false, &taste.colors);
        assert_eq!(shades.color(Role::Own), Some(Color::Indexed(208)));
        // A terminal of sixteen colours cannot show it.
        assert_eq!(shades.color(Role::Wrong), Some(Color::Red));
        let authors = [0, 1, 2].map(|number| shades.color(Role::Author(number)));
        assert_eq!(authors, [Color::Red, Color::LightBlue, Color::Red].map(Some));
        assert_eq!(
            Palette::Light.shades(true, &taste.colors).color(Role::Wrong),
            Some(Color::Rgb(255, 0, 0))
        );
        assert_eq!(taste.keys.first(Mode::Input, Action::Switch), Some("Ctrl-G".into()));
        assert!(Taste::read("").unwrap().mouse);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, line, said) in [
            ("thema = \"dark\"", 1, "unknown field `thema`"),
            ("\ntheme = \"pink\"", 2, "unknown variant `pink`"),
            ("[colors.plain]", 1, "unknown field `plain`"),
            ("[colors.dark]\nown = \"pinkish\"", 2, "there is no colour \"pinkish\""),
            ("[keys]\nswitch = [\"Hyper-K\"]", 2, "there is no key \"Hyper-K\""),
            ("[keys]\ndance = [\"Ctrl-G\"]", 2, "unknown variant `dance`"),
            ("vim = true\n[keys]\nswitch = [\"g\"]", 2, "g is needed for typing"),
            ("vim = [", 1, ""),
        ] {
            let (at, what) = fault(text);
            assert_eq!(at, line, "{what}");
            assert!(what.contains(said), "{what}");
        }
        let authors = format!("[colors.dark]\nauthors = [{}]", "\"red\", ".repeat(17));
        assert!(fault(&authors).1.contains("at most 16"));
    }
}
