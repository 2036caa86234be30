//! Characters that draw frames, as lines from the middle of a cell to its sides. Fonts leave gaps between them where rows are
//! a little higher than their glyphs; lines meet.

/// Sides of a cell that a line goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sides {
    pub(super) left: bool,
    pub(super) right: bool,
    pub(super) up: bool,
    pub(super) down: bool,
    /// Whether it bends there instead of having a corner.
    pub(super) is_round: bool,
}

/// Each character, and its sides.
const CHARACTERS: [(&str, &str); 15] = [
    ("─", "lr"),
    ("│", "ud"),
    ("┌", "rd"),
    ("┐", "ld"),
    ("└", "ru"),
    ("┘", "lu"),
    ("├", "udr"),
    ("┤", "udl"),
    ("┬", "lrd"),
    ("┴", "lru"),
    ("┼", "lrud"),
    ("╭", "rd~"),
    ("╮", "ld~"),
    ("╰", "ru~"),
    ("╯", "lu~"),
];

impl Sides {
    /// Of a cell that holds nothing but such a character.
    pub(super) fn of(contents: &str) -> Option<Self> {
        let (_, sides) = CHARACTERS.iter().find(|(character, _)| *character == contents)?;
        let has = |side| sides.contains(side);
        Some(Self { left: has('l'), right: has('r'), up: has('u'), down: has('d'), is_round: has('~') })
    }

    /// The path of a cell with its left upper corner here.
    pub(super) fn path(self, (x, y): (f64, f64), (width, height): (f64, f64)) -> String {
        let (middle_x, middle_y) = (x + width / 2.0, y + height / 2.0);
        let side_x = if self.left { x } else { x + width };
        let side_y = if self.up { y } else { y + height };
        if self.is_round {
            return format!("M{side_x} {middle_y}Q{middle_x} {middle_y} {middle_x} {side_y}");
        }
        let ends = [
            (self.left, x, middle_y),
            (self.right, x + width, middle_y),
            (self.up, middle_x, y),
            (self.down, middle_x, y + height),
        ];
        let to = |(_, end_x, end_y)| format!("M{middle_x} {middle_y}L{end_x} {end_y}");
        ends.into_iter().filter(|(is_drawn, ..)| *is_drawn).map(to).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners_reach_the_sides_that_they_show() {
        let path = |character| Sides::of(character).unwrap().path((10.0, 20.0), (8.0, 16.0));
        assert_eq!(path("─"), "M14 28L10 28M14 28L18 28");
        assert_eq!(path("┘"), "M14 28L10 28M14 28L14 20");
        assert_eq!(path("╭"), "M18 28Q14 28 14 36");
        assert_eq!(Sides::of("-"), None);
    }
}
