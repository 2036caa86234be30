//! Pictures by the terminal's own means (the protocols of kitty, of iTerm2, and sixel), where it has some: feature `graphics`.
//! Without the feature there are none.

use image::DynamicImage;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

#[cfg(feature = "graphics")]
use {
    ratatui::widgets::Widget,
    ratatui_image::picker::{Picker, ProtocolType},
    ratatui_image::{Image, Resize},
    std::fmt,
    std::sync::Arc,
};

/// What this terminal can show.
#[derive(Clone, Default)]
pub(crate) struct Graphics {
    #[cfg(feature = "graphics")]
    picker: Option<Picker>,
}

/// A picture as this terminal takes it.
#[derive(Clone)]
pub(crate) struct Encoded {
    #[cfg(feature = "graphics")]
    protocol: Arc<ratatui_image::protocol::Protocol>,
    #[cfg(not(feature = "graphics"))]
    never: std::convert::Infallible,
}

#[cfg(feature = "graphics")]
impl Graphics {
    /// Asks the terminal, before anybody else reads what it says.
    pub(crate) async fn find() -> Self {
        let asked = tokio::task::spawn_blocking(Picker::from_query_stdio).await;
        let picker = asked.ok().and_then(Result::ok);
        Self { picker: picker.filter(|picker| picker.protocol_type() != ProtocolType::Halfblocks) }
    }

    /// A picture in so many cells.
    pub(crate) fn encode(&self, image: &DynamicImage, columns: u16, rows: u16) -> Option<Encoded> {
        let protocol =
            self.picker.as_ref()?.new_protocol(image.clone(), (columns, rows).into(), Resize::Fit(None));
        Some(Encoded { protocol: Arc::new(protocol.ok()?) })
    }
}

#[cfg(feature = "graphics")]
impl Encoded {
    /// Draws it. Says whether it did.
    pub(crate) fn draw(&self, area: Rect, buffer: &mut Buffer) -> bool {
        let fits = self.protocol.size().width <= area.width && self.protocol.size().height <= area.height;
        if fits {
            Image::new(&self.protocol).render(area, buffer);
        }
        fits
    }
}

#[cfg(feature = "graphics")]
impl fmt::Debug for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Encoded")
    }
}

#[cfg(not(feature = "graphics"))]
impl Graphics {
    /// There is nothing to ask for.
    pub(crate) async fn find() -> Self {
        Self {}
    }

    /// Nothing can be done.
    #[expect(clippy::unused_self, reason = "the feature has something there")]
    pub(crate) fn encode(&self, _: &DynamicImage, _: u16, _: u16) -> Option<Encoded> {
        None
    }
}

#[cfg(not(feature = "graphics"))]
impl Encoded {
    /// There is none.
    pub(crate) fn draw(&self, _: Rect, _: &mut Buffer) -> bool {
        match self.never {}
    }
}

#[cfg(not(feature = "graphics"))]
impl std::fmt::Debug for Encoded {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.never {}
    }
}

#[cfg(all(test, feature = "graphics"))]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_with_a_protocol_gets_the_picture_itself() {
        let mut picker = Picker::halfblocks();
        picker.set_protocol_type(ProtocolType::Sixel);
        let graphics = Graphics { picker: Some(picker) };
        let encoded = graphics.encode(&DynamicImage::new_rgb8(64, 64), 8, 4).unwrap();
        let area = Rect::new(0, 0, 20, 6);
        let mut buffer = Buffer::empty(area);
        assert!(encoded.draw(area, &mut buffer));
        assert!(buffer.content[0].symbol().contains("\u{1b}P"), "{:?}", buffer.content[0]);
        assert!(!encoded.draw(Rect::new(0, 0, 2, 1), &mut buffer));
    }
}
