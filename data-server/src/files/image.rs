//! What the first bytes of a file say: whether it is an image of a kind that every browser shows, and how large it is. What
//! the sender says is not asked.

use std::path::Path;

use imagesize::ImageType;

use crate::store::Image;

/// No screen is so wide: what says so is no image that anybody shows.
const SIDE_MAX: usize = 1 << 24;

/// What kind of image a file is; `None` when it is none, or one that is damaged where its size stands.
pub(super) fn of(path: &Path) -> Option<Image> {
    let header = first_bytes(path)?;
    let media_type = match imagesize::image_type(&header).ok()? {
        ImageType::Png => "image/png",
        ImageType::Gif => "image/gif",
        ImageType::Jpeg => "image/jpeg",
        ImageType::Webp => "image/webp",
        _ => return None,
    };
    let size = imagesize::size(path).ok()?;
    let side = |pixels: usize| u32::try_from(pixels).ok().filter(|_| (1..=SIDE_MAX).contains(&pixels));
    Some(Image { media_type, width: side(size.width)?, height: side(size.height)? })
}

/// As many as any kind is told by.
fn first_bytes(path: &Path) -> Option<Vec<u8>> {
    use std::io::Read;
    let mut header = Vec::with_capacity(32);
    std::fs::File::open(path).ok()?.take(32).read_to_end(&mut header).ok()?;
    Some(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(bytes: &[u8]) -> Option<(&'static str, u32, u32)> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        of(file.path()).map(|image| (image.media_type, image.width, image.height))
    }

    #[test]
    fn four_kinds_are_known_by_their_first_bytes() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\x40\0\0\0\xf0\x08\x06\0\0\0";
        assert_eq!(image(png), Some(("image/png", 320, 240)));
        assert_eq!(image(b"GIF89a\x40\x01\xf0\0\xf0\0\0;"), Some(("image/gif", 320, 240)));
        let jpeg = b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xc0\0\x11\x08\0\xf0\x01\x40\x03\x01\x11\0\x02\x11\x01\x03\x11\x01";
        assert_eq!(image(jpeg), Some(("image/jpeg", 320, 240)));
        let webp = b"RIFF\x1a\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x3f\x01\0\xef\0\0\0\0\0\0\0\0";
        assert_eq!(image(webp), Some(("image/webp", 320, 240)));
    }

    #[test]
    fn what_is_no_image_is_none() {
        for bytes in [
            &b""[..],
            b"hello",
            b"\x89PNG\r\n\x1a\n",
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\0\0\0\0\xf0",
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\xff\xff\xff\xff\0\0\0\xf0",
            b"GIF89a",
            b"\xff\xd8\xff",
            b"\xff\xd8\xff\xe0\0\0",
            b"RIFF\x1a\0\0\0WEBP",
            b"<svg width='3' height='4'/>",
            b"BM\x1e\0\0\0\0\0\0\0\x1a\0\0\0\x0c\0\0\0\x40\x01\xf0\0\x01\0\x18\0",
        ] {
            assert_eq!(image(bytes), None, "{bytes:?}");
        }
    }
}
