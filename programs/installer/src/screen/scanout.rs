//! From the canvas to the bytes of a framebuffer: pixel formats, and where the enlarged canvas
//! lies on the screen. Pure; the devices only copy what comes out of here.

use std::ops::Range;

use embedded_graphics::pixelcolor::{Rgb888, RgbColor};

use super::canvas::Canvas;

/// Where one colour lies in a pixel: lowest bit and number of bits.
pub type Channel = (u32, u32);

/// How a framebuffer stores a pixel: little-endian, in this many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PixelFormat {
    /// Bytes of a pixel, 2 to 4.
    pub bytes: usize,
    /// Where red lies.
    pub red: Channel,
    /// Where green lies.
    pub green: Channel,
    /// Where blue lies.
    pub blue: Channel,
}

impl PixelFormat {
    /// 32 bits, of which the uppermost 8 do not matter.
    pub const XRGB8888: Self = Self {
        bytes: 4,
        red: (16, 8),
        green: (8, 8),
        blue: (0, 8),
    };
    /// 24 bits.
    pub const RGB888: Self = Self {
        bytes: 3,
        ..Self::XRGB8888
    };
    /// 16 bits.
    pub const RGB565: Self = Self {
        bytes: 2,
        red: (11, 5),
        green: (5, 6),
        blue: (0, 5),
    };

    /// Whether this program can write it.
    pub fn is_supported(&self) -> bool {
        let bits = u32::try_from(self.bytes * 8).unwrap_or(0);
        (2..=4).contains(&self.bytes)
            && [self.red, self.green, self.blue]
                .iter()
                .all(|(offset, length)| (1..=16).contains(length) && offset + length <= bits)
    }

    fn encode(&self, color: Rgb888) -> [u8; 4] {
        let channel = |value: u8, (offset, length): Channel| {
            // The upper bits are what matters; 0xff becomes all ones at every length.
            let value = u32::from(value) * 0x0101;
            (value >> (16 - length)) << offset
        };
        let pixel = channel(color.r(), self.red)
            | channel(color.g(), self.green)
            | channel(color.b(), self.blue);
        pixel.to_le_bytes()
    }
}

/// A framebuffer's shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Visible pixels in a row.
    pub width: usize,
    /// Visible rows.
    pub height: usize,
    /// Bytes from one row to the next.
    pub stride: usize,
    /// How a pixel is stored.
    pub format: PixelFormat,
}

impl Geometry {
    /// Hands to `write` the bytes of every row that shows one of the canvas' rows `changed`, with
    /// the row's offset in bytes, and returns which rows of the framebuffer those are.
    ///
    /// Each pixel of the canvas becomes a square of `scale` pixels. The canvas is put into the
    /// middle, and its outermost pixels are repeated up to the edge of the screen.
    pub fn scan_out<E>(
        &self,
        canvas: &Canvas,
        scale: usize,
        changed: &Range<usize>,
        mut write: impl FnMut(usize, &[u8]) -> Result<(), E>,
    ) -> Result<Range<usize>, E> {
        let columns = Axis::new(self.width, canvas.width(), scale);
        let rows = Axis::new(self.height, canvas.height(), scale);
        let mut bytes = Vec::with_capacity(self.width * self.format.bytes);
        let mut encoded = None;
        let shown = rows.shown(changed);
        for row in shown.clone() {
            let source = rows.source(row);
            if encoded != Some(source) {
                encoded = Some(source);
                let pixels = canvas.row(source);
                bytes.clear();
                for column in 0..self.width {
                    let color = pixels.get(columns.source(column)).copied();
                    let pixel = self.format.encode(color.unwrap_or_default());
                    bytes.extend_from_slice(&pixel[..self.format.bytes]);
                }
            }
            write(row * self.stride, &bytes)?;
        }
        Ok(shown)
    }
}

/// One direction of the screen, and which part of it the enlarged canvas covers.
struct Axis {
    length: usize,
    canvas: usize,
    scale: usize,
    margin: usize,
}

impl Axis {
    fn new(length: usize, canvas: usize, scale: usize) -> Self {
        Self {
            length,
            canvas,
            scale,
            margin: length.saturating_sub(canvas * scale) / 2,
        }
    }

    /// The pixel of the canvas that is shown at `position`.
    fn source(&self, position: usize) -> usize {
        let inside = position.saturating_sub(self.margin) / self.scale;
        inside.min(self.canvas.saturating_sub(1))
    }

    /// The positions at which the pixels `changed` of the canvas are shown.
    fn shown(&self, changed: &Range<usize>) -> Range<usize> {
        if changed.is_empty() {
            return 0..0;
        }
        let place = |pixel: usize| (self.margin + pixel * self.scale).min(self.length);
        let start = if changed.start == 0 {
            0
        } else {
            place(changed.start)
        };
        let end = if changed.end >= self.canvas {
            self.length
        } else {
            place(changed.end)
        };
        start..end
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use embedded_graphics::Pixel;
    use embedded_graphics::draw_target::DrawTarget;
    use embedded_graphics::geometry::Point;

    use super::*;

    #[test]
    fn colours_are_encoded_as_the_format_says() {
        let orange = Rgb888::new(0xff, 0x80, 0x01);
        assert_eq!(PixelFormat::XRGB8888.encode(orange), [0x01, 0x80, 0xff, 0]);
        assert_eq!(PixelFormat::RGB888.encode(orange)[..3], [0x01, 0x80, 0xff]);
        let packed = u16::from_le_bytes([
            PixelFormat::RGB565.encode(orange)[0],
            PixelFormat::RGB565.encode(orange)[1],
        ]);
        assert_eq!(packed, (0b11111 << 11) | (0b10_0000 << 5));
        let deep = PixelFormat {
            bytes: 4,
            red: (20, 10),
            green: (10, 10),
            blue: (0, 10),
        };
        assert!(deep.is_supported());
        let white = u32::from_le_bytes(deep.encode(Rgb888::WHITE));
        assert_eq!(white, 0x3fff_ffff);
    }

    #[test]
    fn odd_formats_are_refused() {
        let palette = PixelFormat {
            bytes: 1,
            red: (0, 8),
            green: (0, 8),
            blue: (0, 8),
        };
        assert!(!palette.is_supported());
        let outside = PixelFormat {
            red: (30, 8),
            ..PixelFormat::XRGB8888
        };
        assert!(!outside.is_supported());
    }

    #[test]
    fn the_canvas_is_enlarged_centred_and_its_edges_repeated() {
        let mut canvas = Canvas::new(2, 2);
        canvas
            .draw_iter([
                Pixel(Point::new(0, 0), Rgb888::new(1, 1, 1)),
                Pixel(Point::new(1, 0), Rgb888::new(2, 2, 2)),
                Pixel(Point::new(0, 1), Rgb888::new(3, 3, 3)),
                Pixel(Point::new(1, 1), Rgb888::new(4, 4, 4)),
            ])
            .unwrap();
        let geometry = Geometry {
            width: 6,
            height: 7,
            stride: 20,
            format: PixelFormat::RGB888,
        };
        let mut memory = [0; 7 * 20];
        let mut scan = |changed: Range<usize>| {
            geometry
                .scan_out(&canvas, 2, &changed, |offset, bytes| {
                    memory[offset..offset + bytes.len()].copy_from_slice(bytes);
                    Ok::<_, Infallible>(())
                })
                .unwrap()
        };
        assert_eq!(scan(0..0), 0..0);
        assert_eq!(scan(1..2), 3..7);
        assert_eq!(scan(0..1), 0..3);
        let rows: Vec<Vec<u8>> = memory
            .chunks(20)
            .map(|row| row.iter().step_by(3).take(6).copied().collect())
            .collect();
        let above = [1, 1, 1, 2, 2, 2];
        let below = [3, 3, 3, 4, 4, 4];
        assert_eq!(rows, [above, above, above, below, below, below, below]);
    }
}
