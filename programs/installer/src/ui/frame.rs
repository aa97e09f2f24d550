//! What every screen after the splash has in common: the band at the top with the product's name
//! and version, the band at the bottom with the keys, and the room between them.

use common::product::Product;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Margin, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Widget};

use super::Look;
use crate::hardware::Release;

/// Wider lines than this are hard to read, so the content of a wide screen stays in its middle.
const WIDEST: u16 = 104;
/// Columns between name and version, at least.
const GAP: usize = 2;

/// Draws both bands and returns the room between them.
pub(super) fn render(
    product: Option<&Release>,
    keys: &[(&str, &str)],
    look: &Look,
    area: Rect,
    buffer: &mut Buffer,
) -> Rect {
    let ruled = !look.rule.is_empty();
    let [top, middle, bottom] = parts(look, area);
    for band in [top, bottom] {
        Block::new().style(look.band).render(band, buffer);
    }
    let (title, hints) = if ruled {
        rule(look, row(top, 1), buffer);
        rule(look, row(bottom, 0), buffer);
        (row(top, 0), row(bottom, 1))
    } else {
        (row(top, 1), row(bottom, 1))
    };
    title_line(product, look, column(title), buffer);
    keys_line(keys, look).render(column(hints), buffer);
    column(middle)
}

/// The room between the bands of `area`.
pub(super) fn room(look: &Look, area: Rect) -> Rect {
    let [_, middle, _] = parts(look, area);
    column(middle)
}

/// The band at the top, what is between, and the band at the bottom.
fn parts(look: &Look, area: Rect) -> [Rect; 3] {
    let band = if look.rule.is_empty() { 3 } else { 2 };
    let band = Constraint::Length(band);
    Layout::vertical([band, Constraint::Fill(1), band]).areas(area)
}

/// The part of `area` that text is put in: not to the edge, and not wider than is good to read.
pub(super) fn column(area: Rect) -> Rect {
    let area = area.inner(Margin::new(2, 0));
    let width = area.width.min(WIDEST);
    Rect {
        x: area.x + (area.width - width) / 2,
        width,
        ..area
    }
}

/// The row with this index in `area`, or an empty one if there is none.
pub(super) fn row(area: Rect, index: u16) -> Rect {
    Rect {
        y: area.y.saturating_add(index),
        height: 1,
        ..area
    }
    .intersection(area)
}

/// A heading line.
pub(super) fn heading<'a>(look: &Look, text: &'a str) -> Line<'a> {
    Line::styled(text, look.heading)
}

fn rule(look: &Look, area: Rect, buffer: &mut Buffer) {
    let line = look.rule.repeat(usize::from(area.width));
    Line::styled(line, look.band_quiet).render(area, buffer);
}

/// The name, and to the right as much of version and vendor as there is room for.
fn title_line(release: Option<&Release>, look: &Look, area: Rect, buffer: &mut Buffer) {
    let Product { name, vendor, .. } = common::product::product();
    let name = brand(release.map_or(name, |it| &it.name), look);
    if let Some(Release { version, .. }) = release {
        let room = usize::from(area.width).saturating_sub(name.width() + GAP);
        let whole = format!("Version {version} from {vendor}");
        let version = format!("Version {version}");
        let lines = [whole, version].map(|it| Line::styled(it, look.band_quiet).right_aligned());
        if let Some(line) = lines.into_iter().find(|it| it.width() <= room) {
            line.render(area, buffer);
        }
    }
    name.render(area, buffer);
}

/// The product's name, with the bar of colour that is its mark.
pub(super) fn brand<'a>(name: &'a str, look: &Look) -> Line<'a> {
    Line::from(vec![
        Span::styled(look.bar, look.heading),
        Span::styled(name, look.brand),
    ])
}

fn keys_line<'a>(keys: &[(&'a str, &'a str)], look: &Look) -> Line<'a> {
    let [left, right] = look.key_ends;
    let mut spans = Vec::new();
    for (key, meaning) in keys {
        spans.push(Span::styled(format!("{left}{key}{right}"), look.key));
        spans.push(Span::styled(format!(" {meaning}   "), look.band_quiet));
    }
    Line::from(spans)
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::Cell;

    use super::*;

    #[test]
    fn the_title_says_no_more_than_there_is_room_for() {
        let area = Rect::new(0, 0, 58, 1);
        for (name, version, expected) in [
            ("Store", "1.2", "Version 1.2 from Example Makers"),
            (
                "Store",
                "1.2+of-today-and-20-more",
                "Version 1.2+of-today-and-20-more",
            ),
            (
                "A store of all that people want to have",
                "1.2",
                "Version 1.2",
            ),
            (
                "A store of all that people want to have",
                "1.2-and-more",
                "",
            ),
        ] {
            let [name, version] = [name, version].map(str::to_owned);
            let release = Release { name, version };
            let mut buffer = Buffer::empty(area);
            title_line(Some(&release), &Look::serial(), area, &mut buffer);
            let found: String = buffer.content().iter().map(Cell::symbol).collect();
            let rest = found.strip_prefix(&release.name).unwrap();
            assert_eq!(rest.trim_start(), expected);
        }
    }
}
