//! The table of disks, and what is known about the one that the pointer is at.

use common::product::product;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Row, StatefulWidget, Table, TableState, Widget};

use super::{Look, details, frame, text};
use crate::hardware::{Disk, Earlier, decimal_size};
use crate::state::{Choices, Purpose};

/// The most columns that a note in the table takes.
const WIDEST_NOTE: usize = 26;

/// Draws [`crate::state::State::Disk`].
pub(super) fn render(state: &Choices, look: &Look, area: Rect, buffer: &mut Buffer) {
    let mut keys = vec![
        ("Up/Down", "Choose"),
        ("Enter", "Go on"),
        ("R", "Look again"),
        ("B", "Back"),
    ];
    if state.disk().is_some_and(|disk| state.finishes(disk)) {
        keys.insert(2, ("E", "Erase"));
    }
    let product = Some(&state.hardware.product);
    let area = frame::render(product, &keys, look, area, buffer);
    let count = state.hardware.disks.len();
    let details = details::lines(state, look, area.width);
    // Above the table are a blank line, the title and the headings; below it is a blank line.
    let rows = usize::from(area.height).saturating_sub(4 + details.len());
    let rows = u16::try_from(rows.max(4).min(count.max(1))).unwrap_or(u16::MAX);
    let [_, title, table, _, below] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(rows + 1),
        Constraint::Length(1),
        Constraint::Fill(1),
    ])
    .areas(area);
    frame::heading(look, &self::title(state, usize::from(rows))).render(title, buffer);
    if count == 0 {
        let hint = "  No disk was found. One that is plugged in now appears here.";
        Line::styled(hint, look.note).render(table, buffer);
    } else {
        render_table(state, look, table, buffer);
    }
    text::scrolled(details, "PgUp and PgDn", state.scroll, look, below, buffer);
}

fn title(state: &Choices, rows: usize) -> String {
    let what = match state.purpose {
        Purpose::Install => "Disk to install to",
        Purpose::KeepData => "Disk to reinstall on, keeping its data",
        Purpose::RepairBoot => "Disk to repair the boot files of",
        Purpose::ChangeSettings => "Disk to change the settings of",
        Purpose::Validate => "Disk to validate",
    };
    match state.hardware.disks.len() {
        count if count > rows => format!("{what} ({count} disks; Up and Down show more)"),
        _ => what.to_owned(),
    }
}

fn render_table(state: &Choices, look: &Look, area: Rect, buffer: &mut Buffer) {
    let notes: Vec<(String, bool)> = state
        .hardware
        .disks
        .iter()
        .map(|disk| note(state, disk))
        .collect();
    let widest = notes.iter().map(|(note, _)| note.len()).max().unwrap_or(0);
    let widest = u16::try_from(widest.min(WIDEST_NOTE)).unwrap_or(0);
    let widths = [
        Constraint::Length(9),
        Constraint::Length(8),
        Constraint::Length(7),
        Constraint::Fill(1),
        Constraint::Length(widest),
    ];
    let size = Line::raw("Size").right_aligned();
    let header = ["Name".into(), size, "Bus".into(), "Model".into()];
    let header = Row::new(header).style(look.quiet);
    let disks = state.hardware.disks.iter().zip(notes);
    let rows = disks.map(|(disk, (note, fits))| row(disk, note, fits, look));
    let table = Table::new(rows, widths)
        .header(header)
        .column_spacing(2)
        .row_highlight_style(look.chosen)
        .highlight_symbol(Span::styled(look.pointer, look.heading));
    let mut position = TableState::new().with_selected(state.selected);
    StatefulWidget::render(table, area, buffer, &mut position);
}

fn row<'a>(disk: &'a Disk, note: String, fits: bool, look: &Look) -> Row<'a> {
    let size = if disk.is_empty() {
        "-".to_owned()
    } else {
        decimal_size(disk.size)
    };
    let row = Row::new([
        Line::raw(disk.name.as_str()),
        Line::raw(size).right_aligned(),
        Line::raw(disk.bus.to_string()),
        Line::raw(disk.model.as_str()),
        Line::styled(note, if fits { look.note } else { look.dim }),
    ]);
    if fits { row } else { row.style(look.dim) }
}

/// What stands behind a disk in the table, and whether it can be chosen.
fn note(state: &Choices, disk: &Disk) -> (String, bool) {
    if let Some(reason) = state.purpose.refusal(&state.hardware, disk) {
        // Below the table stands the rest of it.
        let reason = reason.split(',').next().unwrap_or_default();
        return (reason.to_owned(), false);
    }
    let earlier = disk.contents.as_ref().and_then(|it| it.earlier.as_ref());
    let note = match earlier {
        Some(Earlier {
            unfinished: true, ..
        }) => "unfinished installation".to_owned(),
        Some(Earlier {
            version: Some(version),
            ..
        }) => format!("{} {version}", product().name),
        Some(_) => product().name.clone(),
        None => String::new(),
    };
    (note, true)
}
