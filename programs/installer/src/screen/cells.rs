//! A grid of character cells on a canvas: which font and scale suit a resolution, and drawing a
//! ratatui buffer, of which only the cells that changed are drawn.

use std::fmt;

use embedded_graphics::Drawable;
use embedded_graphics::geometry::Point;
use embedded_graphics::image::Image;
use embedded_graphics::mono_font::MonoFont;
use embedded_graphics::pixelcolor::Rgb888;
use mousefood::{EmbeddedBackend, EmbeddedBackendConfig};
use profont::{PROFONT_12_POINT, PROFONT_14_POINT, PROFONT_18_POINT, PROFONT_24_POINT};
use ratatui::backend::Backend;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use tinybmp::Bmp;

use super::canvas::Canvas;

/// How often a font's pixels are repeated at most, in both directions.
const LARGEST_SCALE: usize = 8;

/// A grid of cells, and the canvas it is drawn on.
pub struct Cells {
    font: MonoFont<'static>,
    scale: usize,
    canvas: Canvas,
    shown: Buffer,
    /// The cells that a picture is drawn over.
    pictured: Option<Rect>,
}

impl Cells {
    /// The grid of a font of the product's own, where `fewest` columns and rows of that fit; else one of
    /// those that are built in.
    pub fn of(
        own: Option<MonoFont<'static>>,
        width: usize,
        height: usize,
        fewest: (usize, usize),
    ) -> Self {
        own.and_then(|font| largest(&[font], width, height, fewest))
            .map_or_else(
                || Self::fitting(width, height, fewest),
                |(font, scale)| Self::new(font, scale, width, height),
            )
    }

    /// The grid with the largest cells that still has `fewest` columns and rows on a screen of
    /// `width` by `height` pixels; on a very small screen, the grid with the smallest cells.
    pub fn fitting(width: usize, height: usize, fewest: (usize, usize)) -> Self {
        let fonts = [
            PROFONT_12_POINT,
            PROFONT_14_POINT,
            PROFONT_18_POINT,
            PROFONT_24_POINT,
        ];
        let best = largest(&fonts, width, height, fewest);
        let (font, scale) = best.unwrap_or((PROFONT_12_POINT, 1));
        Self::new(font, scale, width, height)
    }

    fn new(font: MonoFont<'static>, scale: usize, width: usize, height: usize) -> Self {
        let (columns, rows) = grid(&font, scale, width, height);
        let size = font.character_size;
        let cells = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
        Self {
            font,
            scale,
            canvas: Canvas::new(columns * size.width as usize, rows * size.height as usize),
            shown: Buffer::empty(Rect::new(0, 0, cells(columns), cells(rows))),
            pictured: None,
        }
    }

    /// Number of columns and rows.
    pub fn size(&self) -> (u16, u16) {
        (self.shown.area.width, self.shown.area.height)
    }

    /// How often each pixel of the canvas is to be repeated on the screen, in both directions.
    pub fn scale(&self) -> usize {
        self.scale
    }

    /// Width and height of a cell on the canvas, in pixels.
    pub fn cell_size(&self) -> (u32, u32) {
        let size = self.font.character_size;
        (size.width, size.height)
    }

    /// What is drawn so far.
    pub fn canvas(&mut self) -> &mut Canvas {
        &mut self.canvas
    }

    /// Draws `buffer`, and a picture over the cells in an area of it, which have no text.
    pub fn draw_with(&mut self, buffer: Buffer, picture: Option<(Bmp<'static, Rgb888>, Rect)>) {
        let area = picture.map(|(_, area)| area);
        let is_new = area != self.pictured;
        if let Some(before) = self.pictured.filter(|_| is_new) {
            for position in before.positions() {
                // So that it is another symbol, and drawn.
                self.shown[position].set_symbol("#");
            }
        }
        self.draw(buffer);
        if let Some((picture, area)) = picture.filter(|_| is_new) {
            let (width, height) = self.cell_size();
            let pixels =
                |cells: u16, size: u32| i32::try_from(u32::from(cells) * size).unwrap_or(0);
            let corner = Point::new(pixels(area.x, width), pixels(area.y, height));
            let Ok(()) = Image::new(&picture, corner).draw(&mut self.canvas);
        }
        self.pictured = area;
    }

    /// Draws `buffer`, which must have this grid's size.
    pub fn draw(&mut self, buffer: Buffer) {
        if buffer.area != self.shown.area {
            tracing::error!(area = ?buffer.area, "drawing of another size ignored");
            return;
        }
        let config = EmbeddedBackendConfig::<Canvas, Rgb888> {
            font_regular: self.font,
            ..EmbeddedBackendConfig::default()
        };
        let changes = self.shown.diff(&buffer);
        let mut backend = EmbeddedBackend::new(&mut self.canvas, config);
        if let Err(error) = backend.draw(changes.into_iter()) {
            tracing::error!(%error, "drawing failed");
        }
        self.shown = buffer;
    }
}

impl fmt::Debug for Cells {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Cells")
            .field("size", &self.size())
            .field("cell_size", &self.cell_size())
            .field("scale", &self.scale)
            .finish_non_exhaustive()
    }
}

/// The font and the scale with the largest cells of which there are `fewest` on a screen, if there are any.
fn largest(
    fonts: &[MonoFont<'static>],
    width: usize,
    height: usize,
    fewest: (usize, usize),
) -> Option<(MonoFont<'static>, usize)> {
    let of_scale = |scale| fonts.iter().map(move |font| (*font, scale));
    let fits = |(font, scale): &(MonoFont<'_>, usize)| {
        let (columns, rows) = grid(font, *scale, width, height);
        columns >= fewest.0 && rows >= fewest.1
    };
    let choices = (1..=LARGEST_SCALE).flat_map(of_scale);
    choices.filter(fits).max_by_key(|(font, scale)| {
        let size = font.character_size;
        size.width * size.height * u32::try_from(scale * scale).unwrap_or(1)
    })
}

/// Columns and rows that cells of `font`, `scale` times as large, have on a screen.
fn grid(font: &MonoFont<'_>, scale: usize, width: usize, height: usize) -> (usize, usize) {
    let size = font.character_size;
    (
        width / (size.width as usize * scale),
        height / (size.height as usize * scale),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_grow_with_the_screen_and_leave_room_for_everything() {
        let rows = [
            ((640, 480), (91, 32), (7, 15), 1),
            ((800, 600), (80, 35), (10, 17), 1),
            ((1024, 768), (85, 34), (12, 22), 1),
            ((1280, 800), (80, 27), (16, 29), 1),
            ((1366, 768), (85, 26), (16, 29), 1),
            ((1920, 1080), (96, 31), (10, 17), 2),
            ((2560, 1440), (85, 28), (10, 17), 3),
            ((3840, 2160), (96, 31), (10, 17), 4),
            ((320, 200), (45, 13), (7, 15), 1),
        ];
        for ((width, height), size, cell, scale) in rows {
            let cells = Cells::fitting(width, height, (80, 25));
            let found = (cells.size(), cells.cell_size(), cells.scale());
            assert_eq!(found, (size, cell, scale), "{width}x{height}");
        }
    }
}
