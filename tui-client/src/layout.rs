//! Where the panes stand in a window of any size. The core scrolls by it, and the screen is drawn by it.

use ratatui::layout::{Margin, Rect};

/// Narrower windows show no list of chats beside the messages.
const LIST_WINDOW_WIDTH_MIN: u16 = 60;
/// Lower windows have no frames.
const FRAME_WINDOW_HEIGHT_MIN: u16 = 9;
const LEFT_PERCENT: u32 = 70;
const INPUT_PERCENT: u32 = 20;
const INPUT_PERCENT_MAX: u32 = 50;
const INPUT_HEIGHT_MIN: u16 = 3;
/// An input of few rows needs no more, however high the window is; nor do chats and people need more columns.
const INPUT_SHARE_MAX: u16 = 12;
const RIGHT_WIDTH_MAX: u16 = 60;
const STATUS_WINDOW_HEIGHT_MIN: u16 = 3;
/// Lower windows show no people.
const PEOPLE_WINDOW_HEIGHT_MIN: u16 = 20;
const PEOPLE_PERCENT: u32 = 30;

/// Outer rectangles of the panes. They never overlap, and may be empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Panes {
    pub(crate) messages: Rect,
    pub(crate) input: Rect,
    pub(crate) chats: Rect,
    /// People of the open chat, below the chats.
    pub(crate) people: Rect,
    pub(crate) status: Rect,
    /// Whether there is room for frames around the first three.
    pub(crate) framed: bool,
}

impl Panes {
    /// T57: messages above the input on the left, chats and below them people on the right, and the status line below all. An input of
    /// many rows gets more than its share, at the cost of the messages.
    pub(crate) fn of(width: u16, height: u16, input_rows: usize, shows_people: bool) -> Self {
        let status_height = u16::from(height >= STATUS_WINDOW_HEIGHT_MIN);
        let body_height = height - status_height;
        let framed = height >= FRAME_WINDOW_HEIGHT_MIN && width > 4;
        let left_width = match width {
            ..LIST_WINDOW_WIDTH_MIN => width,
            _ => percent(width, LEFT_PERCENT).max(width.saturating_sub(RIGHT_WIDTH_MAX)),
        };
        let (frame_height, input_height_min) = if framed { (2, INPUT_HEIGHT_MIN) } else { (0, 1) };
        let wanted = u16::try_from(input_rows).unwrap_or(u16::MAX).saturating_add(frame_height);
        let input_height = wanted
            .min(percent(body_height, INPUT_PERCENT_MAX))
            .max(percent(body_height, INPUT_PERCENT).min(INPUT_SHARE_MAX))
            .max(input_height_min)
            .min(body_height);
        let messages_height = body_height - input_height;
        let right_width = width - left_width;
        let has_people = shows_people && right_width > 0 && body_height >= PEOPLE_WINDOW_HEIGHT_MIN;
        let people_height = if has_people { percent(body_height, PEOPLE_PERCENT) } else { 0 };
        Self {
            messages: Rect::new(0, 0, left_width, messages_height),
            input: Rect::new(0, messages_height, left_width, input_height),
            chats: Rect::new(left_width, 0, right_width, body_height - people_height),
            people: Rect::new(left_width, body_height - people_height, right_width, people_height),
            status: Rect::new(0, body_height, width, status_height),
            framed,
        }
    }

    /// What a frame leaves of a pane.
    pub(crate) fn inner(&self, pane: Rect) -> Rect {
        if self.framed { pane.inner(Margin::new(1, 1)) } else { pane }
    }
}

fn percent(whole: u16, part: u32) -> u16 {
    u16::try_from(u32::from(whole) * part / 100).unwrap_or(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t57_panes_have_their_shares() {
        let panes = Panes::of(200, 61, 1, false);
        assert_eq!(panes.messages, Rect::new(0, 0, 140, 48));
        assert_eq!(panes.input, Rect::new(0, 48, 140, 12));
        assert_eq!(panes.chats, Rect::new(140, 0, 60, 60));
        assert_eq!(panes.status, Rect::new(0, 60, 200, 1));
        assert_eq!(Panes::of(200, 61, 15, false).input.height, 17);
        let large = Panes::of(300, 101, 1, true);
        assert_eq!((large.messages.width, large.chats.width, large.input.height), (240, 60, 12));
        assert_eq!(Panes::of(200, 61, 9_000, false).input.height, 30);
    }

    #[test]
    fn t57_panes_fill_windows_of_any_size_without_overlap() {
        for width in 0..130 {
            for height in 0..70 {
                let panes = Panes::of(width, height, usize::from(width), width % 2 == 0);
                let areas =
                    [panes.messages, panes.input, panes.chats, panes.people, panes.status].map(Rect::area);
                assert_eq!(areas.iter().sum::<u32>(), u32::from(width) * u32::from(height));
                assert!(height == 0 || panes.inner(panes.input).height > 0);
            }
        }
    }
}
