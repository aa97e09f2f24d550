//! The picture in memory that text is drawn into, one colour a pixel, with a note of which rows
//! changed. Knows no device and no font.

use std::convert::Infallible;
use std::ops::Range;

use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Dimensions, OriginDimensions, Size};
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};
use embedded_graphics::primitives::Rectangle;

/// A picture, `width` times `height` pixels, first row first.
#[derive(Clone, Debug)]
pub struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<Rgb888>,
    changed: Range<usize>,
}

impl Canvas {
    /// A black picture, all of which counts as changed.
    pub fn new(width: usize, height: usize) -> Self {
        Self {
            width,
            height,
            pixels: vec![Rgb888::BLACK; width * height],
            changed: 0..height,
        }
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The pixels of a row; none if there is no such row.
    pub fn row(&self, row: usize) -> &[Rgb888] {
        let start = row * self.width;
        self.pixels.get(start..start + self.width).unwrap_or(&[])
    }

    /// The rows in which something may have changed since the last call.
    pub fn take_changed(&mut self) -> Range<usize> {
        std::mem::replace(&mut self.changed, 0..0)
    }

    fn note(&mut self, rows: &Range<usize>) {
        self.changed = if self.changed.is_empty() {
            rows.clone()
        } else {
            self.changed.start.min(rows.start)..self.changed.end.max(rows.end)
        };
    }
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        let cells = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        Size::new(cells(self.width), cells(self.height))
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Infallible>
    where
        I: IntoIterator<Item = Pixel<Rgb888>>,
    {
        for Pixel(point, color) in pixels {
            let (Ok(x), Ok(y)) = (usize::try_from(point.x), usize::try_from(point.y)) else {
                continue;
            };
            if x < self.width && y < self.height {
                self.pixels[y * self.width + x] = color;
                self.note(&(y..y + 1));
            }
        }
        Ok(())
    }

    fn fill_solid(&mut self, area: &Rectangle, color: Rgb888) -> Result<(), Infallible> {
        let area = area.intersection(&self.bounding_box());
        let (Ok(x), Ok(y)) = (
            usize::try_from(area.top_left.x),
            usize::try_from(area.top_left.y),
        ) else {
            return Ok(());
        };
        let rows = y..y + area.size.height as usize;
        for row in rows.clone() {
            let start = row * self.width + x;
            self.pixels[start..start + area.size.width as usize].fill(color);
        }
        if !rows.is_empty() {
            self.note(&rows);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use embedded_graphics::geometry::Point;

    use super::*;

    #[test]
    fn notes_the_rows_that_changed() {
        let mut canvas = Canvas::new(4, 10);
        assert_eq!(canvas.take_changed(), 0..10);
        assert!(canvas.take_changed().is_empty());
        let area = Rectangle::new(Point::new(2, 3), Size::new(9, 2));
        canvas.fill_solid(&area, Rgb888::RED).unwrap();
        let pixel = Pixel(Point::new(0, 7), Rgb888::BLUE);
        canvas.draw_iter([pixel]).unwrap();
        assert_eq!(canvas.take_changed(), 3..8);
        assert_eq!(canvas.row(4)[1], Rgb888::BLACK);
        assert_eq!(canvas.row(4)[3], Rgb888::RED);
        assert_eq!(canvas.row(7)[0], Rgb888::BLUE);
        assert!(canvas.row(10).is_empty());
    }

    #[test]
    fn clips_what_lies_outside() {
        let mut canvas = Canvas::new(4, 4);
        canvas.take_changed();
        for (x, y) in [(-1, 0), (0, -1), (4, 0), (0, 4)] {
            let pixel = Pixel(Point::new(x, y), Rgb888::RED);
            canvas.draw_iter([pixel]).unwrap();
        }
        let area = Rectangle::new(Point::new(5, 5), Size::new(2, 2));
        canvas.fill_solid(&area, Rgb888::RED).unwrap();
        assert!(canvas.take_changed().is_empty());
    }
}
