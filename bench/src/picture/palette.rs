//! Colours of a terminal as those of a picture.

use vt100::Color;

/// What has no colour of its own.
pub(super) const FOREGROUND: Rgb = Rgb(0xd6, 0xda, 0xe3);
pub(super) const BACKGROUND: Rgb = Rgb(0x16, 0x18, 0x1d);

/// The sixteen that every terminal has.
const NAMED: [Rgb; 16] = [
    Rgb(0x2a, 0x2e, 0x37),
    Rgb(0xf0, 0x71, 0x78),
    Rgb(0x9c, 0xcc, 0x7c),
    Rgb(0xff, 0xcb, 0x6b),
    Rgb(0x82, 0xaa, 0xff),
    Rgb(0xc7, 0x92, 0xea),
    Rgb(0x76, 0xcc, 0xe0),
    Rgb(0xd6, 0xda, 0xe3),
    Rgb(0x6b, 0x73, 0x85),
    Rgb(0xff, 0x8b, 0x92),
    Rgb(0xb5, 0xe0, 0x9a),
    Rgb(0xff, 0xe0, 0x9a),
    Rgb(0x9c, 0xc4, 0xff),
    Rgb(0xdd, 0xb0, 0xf5),
    Rgb(0x9a, 0xe2, 0xf0),
    Rgb(0xff, 0xff, 0xff),
];

/// Steps of the cube of 216 colours.
const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// Where the cube and the greys begin.
const CUBE: u8 = 16;
const GREYS: u8 = 232;

/// Red, green and blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rgb(pub(super) u8, pub(super) u8, pub(super) u8);

impl Rgb {
    /// A colour of a cell, or what stands for none.
    pub(super) fn of(color: Color, none: Self) -> Self {
        match color {
            Color::Default => none,
            Color::Rgb(red, green, blue) => Self(red, green, blue),
            Color::Idx(index @ 0..CUBE) => NAMED[usize::from(index)],
            Color::Idx(index @ CUBE..GREYS) => {
                let place = usize::from(index - CUBE);
                Self(STEPS[place / 36], STEPS[place / 6 % 6], STEPS[place % 6])
            }
            Color::Idx(index) => {
                let grey = 8 + 10 * (index - GREYS);
                Self(grey, grey, grey)
            }
        }
    }

    /// Halfway to another.
    pub(super) fn faint(self, other: Self) -> Self {
        let between = |own: u8, other: u8| own.midpoint(other);
        Self(between(self.0, other.0), between(self.1, other.1), between(self.2, other.2))
    }
}

impl std::fmt::Display for Rgb {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_colours_of_terminals_have_one() {
        let of = |color| Rgb::of(color, FOREGROUND).to_string();
        assert_eq!(of(Color::Default), FOREGROUND.to_string());
        assert_eq!(of(Color::Rgb(1, 2, 255)), "#0102ff");
        assert_eq!(of(Color::Idx(15)), "#ffffff");
        assert_eq!(of(Color::Idx(16)), "#000000");
        assert_eq!(of(Color::Idx(208)), "#ff8700");
        assert_eq!(of(Color::Idx(231)), "#ffffff");
        assert_eq!(of(Color::Idx(255)), "#eeeeee");
        assert_eq!(Rgb(0, 100, 255).faint(Rgb(0, 0, 0)), Rgb(0, 50, 127));
    }
}
