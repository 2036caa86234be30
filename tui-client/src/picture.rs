//! Pictures in messages, small enough to stand between texts: two pixels in each cell, one above the other, as an upper half
//! block does it that has two colours.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageReader, Limits};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;

use crate::graphics::{Encoded, Graphics};

/// Cells of a picture.
const COLUMNS_MAX: u16 = 40;
const ROWS_MAX: u16 = 10;

/// Longer files are not fetched to be shown.
pub(crate) const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// What reading a file may take: pixels on a side, and memory in bytes.
const SIDE_MAX: u32 = 16_384;
const MEMORY_BYTES_MAX: u64 = 96 * 1024 * 1024;

/// What is less opaque shows what is behind it.
const OPAQUE_MIN: u8 = 128;

/// A picture in the size in which it is shown.
#[derive(Debug, Clone)]
pub struct Picture {
    columns: u16,
    /// Row by row, two rows for each of the screen. Nothing where it is transparent.
    pixels: Vec<Option<[u8; 3]>>,
    encoded: Option<Encoded>,
}

/// The columns and rows that a picture of so many pixels takes; nothing when it has none. Pixels are about as wide as high
/// when two of them share a cell. Small pictures stay small.
pub(crate) fn size(width: u32, height: u32) -> Option<(u16, u16)> {
    size_in(width, height, (COLUMNS_MAX, ROWS_MAX))
}

/// The same where there are so many columns and rows.
fn size_in(width: u32, height: u32, (columns_max, rows_max): (u16, u16)) -> Option<(u16, u16)> {
    let [columns_max, pixels_max] = [u32::from(columns_max), 2 * u32::from(rows_max)];
    if width == 0 || height == 0 {
        return None;
    }
    let scale = [f64::from(columns_max) / f64::from(width), f64::from(pixels_max) / f64::from(height)];
    let scale = scale.into_iter().fold(1.0, f64::min);
    let scaled = |side: u32, max: u32| ((f64::from(side) * scale).round() as u32).clamp(1, max);
    let (columns, pixels) = (scaled(width, columns_max), scaled(height, pixels_max));
    Some((u16::try_from(columns).ok()?, u16::try_from(pixels.div_ceil(2)).ok()?))
}

impl Picture {
    /// Reads a file, of whatever kind it says it is, for a place of so many columns and rows: a photo that lies on its side in
    /// the file is smaller than its place. A picture that would take too much memory is refused.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub(crate) fn read(bytes: &[u8], place: (u16, u16), graphics: &Graphics) -> image::ImageResult<Self> {
        let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
        let mut limits = Limits::default();
        (limits.max_image_width, limits.max_image_height) = (Some(SIDE_MAX), Some(SIDE_MAX));
        limits.max_alloc = Some(MEMORY_BYTES_MAX);
        reader.limits(limits.clone());
        let mut decoder = reader.into_decoder()?;
        // What the picture itself takes is not counted by all decoders.
        limits.reserve(decoder.total_bytes())?;
        let orientation = decoder.orientation()?;
        let mut image = DynamicImage::from_decoder(decoder)?;
        image.apply_orientation(orientation);
        let (columns, rows) = size_in(image.width(), image.height(), place).unwrap_or((1, 1));
        let encoded = graphics.encode(&image, columns, rows);
        let small = image.thumbnail_exact(columns.into(), 2 * u32::from(rows)).into_rgba8();
        let shown = |pixel: &image::Rgba<u8>| {
            let [red, green, blue, opaque] = pixel.0;
            (opaque >= OPAQUE_MIN).then_some([red, green, blue])
        };
        Ok(Self { columns, pixels: small.pixels().map(shown).collect(), encoded })
    }

    /// Draws all of it by the terminal's own means. Says whether there are some.
    pub(crate) fn draw_whole(&self, area: Rect, buffer: &mut Buffer) -> bool {
        self.encoded.as_ref().is_some_and(|encoded| encoded.draw(area, buffer))
    }

    /// Draws one of its rows.
    pub(crate) fn draw_row(&self, row: u16, area: Rect, buffer: &mut Buffer) {
        let width = usize::from(self.columns);
        let line = |row: usize| self.pixels.get(row * width..(row + 1) * width).unwrap_or_default();
        let [upper, lower] = [2 * usize::from(row), 2 * usize::from(row) + 1].map(line);
        let color = |[red, green, blue]: [u8; 3]| Color::Rgb(red, green, blue);
        for (x, (upper, lower)) in (area.x..area.right()).zip(upper.iter().zip(lower)) {
            let Some(cell) = buffer.cell_mut((x, area.y)) else { return };
            match (upper.map(color), lower.map(color)) {
                (Some(upper), Some(lower)) => cell.set_char('▀').set_fg(upper).set_bg(lower),
                (Some(upper), None) => cell.set_char('▀').set_fg(upper),
                (None, Some(lower)) => cell.set_char('▄').set_fg(lower),
                (None, None) => cell.set_char(' '),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_keep_their_form_and_small_ones_their_size() {
        assert_eq!(size(400, 200), Some((40, 10)));
        assert_eq!(size(4_000, 500), Some((40, 3)));
        assert_eq!(size(500, 4_000), Some((3, 10)));
        assert_eq!(size(16, 16), Some((16, 8)));
        assert_eq!(size(1, 1), Some((1, 1)));
        assert_eq!(size(u32::MAX, 1), Some((40, 1)));
        assert_eq!(size(0, 7), None);
    }

    fn png(width: u32, height: u32, color: impl Fn(u32, u32) -> [u8; 4]) -> Vec<u8> {
        let image = image::RgbaImage::from_fn(width, height, |x, y| image::Rgba(color(x, y)));
        let mut file = Cursor::new(Vec::new());
        image.write_to(&mut file, image::ImageFormat::Png).unwrap();
        file.into_inner()
    }

    #[test]
    fn a_row_shows_two_rows_of_pixels_and_what_is_behind_them() {
        let file = png(2, 4, |x, y| [200, 10, 20, if (x, y) == (1, 0) { 0 } else { 255 }]);
        let picture = Picture::read(&file, (4, 2), &Graphics::default()).unwrap();
        let area = Rect::new(0, 0, 4, 1);
        let mut buffer = Buffer::empty(area);
        picture.draw_row(0, area, &mut buffer);
        let symbols: Vec<&str> = buffer.content.iter().map(|cell| cell.symbol()).collect();
        assert_eq!(symbols, ["▀", "▄", " ", " "]);
        let red = Color::Rgb(200, 10, 20);
        assert_eq!((buffer.content[0].fg, buffer.content[0].bg), (red, red));
        assert_eq!((buffer.content[1].fg, buffer.content[1].bg), (red, Color::Reset));
        // A row that is not there draws nothing.
        picture.draw_row(7, area, &mut buffer);
        let turned = Picture::read(&file, (4, 1), &Graphics::default()).unwrap();
        assert_eq!((turned.columns, turned.pixels.len()), (1, 2), "it fits its place");
    }

    #[test]
    fn what_is_no_picture_or_too_large_is_refused() {
        let graphics = Graphics::default();
        assert!(Picture::read(b"nothing of the kind", (40, 10), &graphics).is_err());
        let whole = png(64, 64, |_, _| [1, 2, 3, 255]);
        assert!(Picture::read(&whole[..whole.len() / 2], (40, 10), &graphics).is_err());
        // A header that promises 16 000 × 16 000 pixels, in a file of some bytes.
        let mut bomb = png(1, 1, |_, _| [0; 4]);
        for place in [16, 20] {
            bomb[place..place + 4].copy_from_slice(&16_000_u32.to_be_bytes());
        }
        let checksum = crc32(&bomb[12..29]);
        bomb[29..33].copy_from_slice(&checksum.to_be_bytes());
        let refused = Picture::read(&bomb, (40, 10), &graphics).unwrap_err();
        assert!(matches!(refused, image::ImageError::Limits(_)), "{refused}");
    }

    /// The checksum of PNG's chunks (ISO 3309), bit by bit.
    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 }
            })
        })
    }
}
