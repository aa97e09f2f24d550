//! What a product brings along for monitors: a picture, and a font. One that is not as it should be is left out.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;

use common::product::product;
use embedded_graphics::geometry::{OriginDimensions, Size};
use embedded_graphics::image::ImageRaw;
use embedded_graphics::mono_font::mapping::GlyphMapping;
use embedded_graphics::mono_font::{DecorationDimensions, MonoFont};
use embedded_graphics::pixelcolor::Rgb888;
use tinybmp::{Bmp, Bpp, RawBmp};

/// Pixels of the largest picture.
const MOST_LOGO: Size = Size::new(320, 120);
/// Where a picture's header has the length of its rows: `biSizeImage`.
const LENGTH: std::ops::Range<usize> = 34..38;
/// Pixels of the smallest and of the largest glyphs.
const CELLS: [Size; 2] = [Size::new(6, 10), Size::new(16, 32)];
/// The first two words of a PSF2 font, in the order of its bytes: its magic number, and version 0.
const PSF2: [u8; 8] = [0x72, 0xb5, 0x4a, 0x86, 0, 0, 0, 0];

/// A picture and a font, both for as long as the program runs.
#[derive(Clone, Debug, Default)]
pub struct Own {
    /// For the first screen.
    pub logo: Option<Bmp<'static, Rgb888>>,
    /// For all screens.
    pub font: Option<MonoFont<'static>>,
}

impl Own {
    /// Reads what `/etc/product.toml` names, beside it below `root`.
    pub fn read(root: &Path) -> Self {
        let look = &product().look;
        Self {
            logo: file(root, look.logo.as_deref(), logo),
            font: file(root, look.font.as_deref(), font),
        }
    }

    /// Columns and rows of cells of this size that the picture takes.
    pub fn logo_cells(&self, (width, height): (u32, u32)) -> Option<(u16, u16)> {
        let size = self.logo.as_ref()?.size();
        let columns = u16::try_from(size.width.div_ceil(width)).ok()?;
        Some((columns, u16::try_from(size.height.div_ceil(height)).ok()?))
    }
}

/// Makes something of a file, or says why not in the log.
fn file<T>(root: &Path, name: Option<&str>, made: fn(Vec<u8>) -> Result<T, String>) -> Option<T> {
    let name = name?;
    let bytes = std::fs::read(root.join("etc").join(name)).map_err(|error| error.to_string());
    let made = bytes.and_then(made);
    made.inspect_err(|error| tracing::warn!(name, error, "cannot be shown"))
        .ok()
}

/// A BMP picture of 24 bits a pixel.
fn logo(mut bytes: Vec<u8>) -> Result<Bmp<'static, Rgb888>, String> {
    let said = |error| format!("{error:?}");
    // The crate goes by that length, which a header may leave out or have wrong. It follows from the size.
    if let Some(length) = bytes.get_mut(LENGTH) {
        length.fill(0);
    }
    let header = *RawBmp::from_slice(&bytes).map_err(said)?.header();
    let size = header.image_size;
    if size.width > MOST_LOGO.width || size.height > MOST_LOGO.height || header.bpp != Bpp::Bits24 {
        return Err(format!(
            "it is too large, or of too few colours: {header:?}"
        ));
    }
    let length = (size.width * 3).next_multiple_of(4) * size.height;
    bytes[LENGTH].copy_from_slice(&length.to_le_bytes());
    Bmp::from_slice(bytes.leak()).map_err(said)
}

/// A PC Screen Font 2, whose glyphs lie in memory as one picture of a single column:
/// <https://www.win.tue.nl/~aeb/linux/kbd/font-formats-1.html>.
fn font(bytes: Vec<u8>) -> Result<MonoFont<'static>, String> {
    let bytes: &'static [u8] = bytes.leak();
    let word = |index: usize| {
        let word = bytes.get(index * 4..index * 4 + 4)?.try_into().ok()?;
        Some(u32::from_le_bytes(word))
    };
    let head = || Some([word(2)?, word(3)?, word(4)?, word(5)?, word(6)?, word(7)?]);
    let head = head().filter(|_| bytes.starts_with(&PSF2));
    let [start, flags, count, size, height, width] = head.ok_or("it is not a PSF2 font")?;
    let cell = Size::new(width, height);
    let fits = |least: Size, most: Size| cell == cell.component_max(least).component_min(most);
    if !fits(CELLS[0], CELLS[1]) || size != width.div_ceil(8) * height {
        return Err(format!(
            "its glyphs cannot be used: {cell}, {size} bytes each"
        ));
    }
    let (start, end) = (
        start as usize,
        u64::from(start) + u64::from(count) * u64::from(size),
    );
    let glyphs = usize::try_from(end)
        .ok()
        .and_then(|end| bytes.get(start..end));
    let glyphs = glyphs.ok_or("it ends before its last glyph")?;
    let indices = if flags & 1 == 0 {
        (0..count).filter_map(char::from_u32).zip(0..).collect()
    } else {
        characters(&bytes[start + glyphs.len()..], count as usize)
    };
    let lacking = (' '..='~').find(|it| !indices.contains_key(it));
    if let Some(lacking) = lacking {
        return Err(format!("it has no glyph for {lacking:?}"));
    }
    Ok(MonoFont {
        image: ImageRaw::new(glyphs, width),
        character_size: cell,
        character_spacing: 0,
        baseline: height - height.div_ceil(4),
        underline: DecorationDimensions::default_underline(height),
        strikethrough: DecorationDimensions::default_strikethrough(height),
        glyph_mapping: Box::leak(Box::new(Indices(indices))),
    })
}

/// The glyph of each character: for each of `count` glyphs UTF-8 up to 0xff, in which 0xfe begins sequences of
/// several.
fn characters(table: &[u8], count: usize) -> BTreeMap<char, usize> {
    let mut indices = BTreeMap::new();
    for (index, entry) in table.split(|it| *it == 0xff).take(count).enumerate() {
        let single = entry.split(|it| *it == 0xfe).next().unwrap_or_default();
        for character in String::from_utf8_lossy(single).chars() {
            indices.entry(character).or_insert(index);
        }
    }
    indices
}

#[derive(Debug)]
struct Indices(BTreeMap<char, usize>);

impl GlyphMapping for Indices {
    fn index(&self, character: char) -> usize {
        let found = self.0.get(&character).or_else(|| self.0.get(&'?'));
        found.copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A font of empty glyphs, and the characters that it is said to have.
    fn psf2(width: u32, height: u32, characters: &str) -> Vec<u8> {
        let size = width.div_ceil(8) * height;
        let count = u32::try_from(characters.chars().count()).unwrap();
        let mut bytes = PSF2.to_vec();
        for word in [32, 1, count, size, height, width] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(vec![0; (size * count) as usize]);
        for character in characters.chars() {
            bytes.extend(character.to_string().bytes());
            bytes.push(0xff);
        }
        bytes
    }

    #[test]
    fn a_font_is_one_picture_of_its_glyphs() {
        let ascii: String = (' '..='~').collect();
        let made = font(psf2(9, 16, &format!("\u{e9}{ascii}"))).unwrap();
        assert_eq!(made.character_size, Size::new(9, 16));
        assert_eq!(made.image.size(), Size::new(9, 96 * 16));
        let index = |character| made.glyph_mapping.index(character);
        assert_eq!((index('\u{e9}'), index(' '), index('~')), (0, 1, 95));
        assert_eq!(index('\u{df}'), index('?'));
    }

    #[test]
    fn what_is_no_font_is_left_out() {
        let ascii: String = (' '..='~').collect();
        let good = psf2(8, 16, &ascii);
        let cut = good[..good.len() - 100].to_vec();
        let mut beyond = psf2(8, 16, "abc");
        beyond.extend(ascii.bytes().flat_map(|byte| [byte, 0xff]));
        let short = psf2(8, 16, &ascii)[..40].to_vec();
        let mut endless = good.clone();
        endless[16..20].fill(0xff);
        for (bytes, expected) in [
            (Vec::new(), "it is not a PSF2 font"),
            (b"\x36\x04".repeat(99), "it is not a PSF2 font"),
            (
                psf2(17, 16, &ascii),
                "its glyphs cannot be used: 17 x 16, 48 bytes each",
            ),
            (
                psf2(8, 0, &ascii),
                "its glyphs cannot be used: 8 x 0, 0 bytes each",
            ),
            (short, "it ends before its last glyph"),
            (endless, "it ends before its last glyph"),
            (cut, "it has no glyph for '"),
            (psf2(8, 16, "abc"), "it has no glyph for ' '"),
            (beyond, "it has no glyph for ' '"),
        ] {
            let error = font(bytes).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn a_logo_is_a_picture_of_bounded_size() {
        let bmp = |width: u32, height: u32| {
            let row = (width * 3).next_multiple_of(4);
            let mut bytes = b"BM".to_vec();
            for word in [54 + row * height, 0, 54, 40, width, height, 0x0018_0001] {
                bytes.extend(word.to_le_bytes());
            }
            bytes.resize(54 + (row * height) as usize, 0);
            bytes
        };
        let mut lying = bmp(320, 33);
        lying[LENGTH].fill(0xff);
        assert_eq!(logo(lying).unwrap().pixels().count(), 320 * 33);
        let picture = logo(bmp(320, 33)).unwrap();
        assert_eq!(picture.pixels().count(), 320 * 33);
        let own = Own {
            logo: Some(picture),
            font: None,
        };
        assert_eq!(own.logo_cells((16, 32)), Some((20, 2)));
        assert_eq!(Own::default().logo_cells((16, 32)), None);
        for bytes in [
            bmp(321, 1),
            bmp(1, 121),
            bmp(9, 9)[..99].to_vec(),
            Vec::new(),
        ] {
            assert!(logo(bytes).is_err());
        }
    }
}
