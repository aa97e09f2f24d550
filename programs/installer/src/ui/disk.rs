//! The table of disks, and what is known about the one that the pointer is at.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Row, StatefulWidget, Table, TableState, Widget};

use super::{Look, details, frame, text};
use crate::hardware::{Disk, Earlier, FreeSpace, decimal_size};
use crate::state::{Choices, Purpose};

/// The most columns that a note in the table takes.
const WIDEST_NOTE: usize = 26;

/// What stands in the place of a model.
const BESIDE: &str = "Beside what is there";

/// Draws [`crate::state::State::Disk`].
pub(super) fn render(state: &Choices, look: &Look, area: Rect, buffer: &mut Buffer) {
    let mut keys = vec![
        ("Up/Down", "Choose"),
        ("Enter", "Go on"),
        ("R", "Look again"),
        ("B", "Back"),
    ];
    if state.can_erase() {
        keys.insert(2, ("E", "Erase"));
    }
    let product = Some(&state.hardware.product);
    let area = frame::render(product, &keys, look, area, buffer);
    let count = state.rows().len();
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
    let (count, disks) = (state.rows().len(), state.hardware.disks.len());
    if count <= rows {
        return what.to_owned();
    }
    let of = if count == disks { "disks" } else { "lines" };
    format!("{what} ({count} {of}; Up and Down show more)")
}

fn render_table(state: &Choices, look: &Look, area: Rect, buffer: &mut Buffer) {
    let rows: Vec<Found<'_>> = state
        .hardware
        .disks
        .iter()
        .flat_map(|it| found(state, it))
        .collect();
    let notes = rows.iter().map(|it| it.note.len());
    let widest = notes.max().unwrap_or(0);
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
    let rows = rows.into_iter().map(|it| row(it, look));
    let table = Table::new(rows, widths)
        .header(header)
        .column_spacing(2)
        .row_highlight_style(look.chosen)
        .highlight_symbol(Span::styled(look.pointer, look.heading));
    let mut position = TableState::new().with_selected(state.row());
    StatefulWidget::render(table, area, buffer, &mut position);
}

/// A disk, or free space of it, as a row shows it.
struct Found<'a> {
    disk: &'a Disk,
    space: Option<FreeSpace>,
    note: String,
    /// It can be chosen.
    fits: bool,
}

/// The rows of `disk`.
fn found<'a>(state: &Choices, disk: &'a Disk) -> Vec<Found<'a>> {
    let (note, fits) = note(state, disk);
    let mut rows = vec![Found {
        disk,
        space: None,
        note,
        fits,
    }];
    for space in state.spaces(disk) {
        let refusal = state.purpose.refusal_beside(&state.hardware, disk, &space);
        rows.push(Found {
            disk,
            fits: refusal.is_none(),
            note: refusal.map_or_else(String::new, |it| in_short(&it)),
            space: Some(space),
        });
    }
    rows
}

/// The beginning of a refusal. Below the table stands the rest of it.
fn in_short(reason: &str) -> String {
    reason.split(',').next().unwrap_or_default().to_owned()
}

fn row<'a>(found: Found<'a>, look: &Look) -> Row<'a> {
    let Found {
        disk, note, fits, ..
    } = found;
    let size = match &found.space {
        Some(space) => space.room.size(),
        None if disk.is_empty() => 0,
        None => disk.size,
    };
    let size = match size {
        0 => "-".to_owned(),
        size => decimal_size(size),
    };
    let [name, bus, model] = match found.space {
        Some(_) => ["  free".to_owned(), String::new(), BESIDE.to_owned()],
        None => [disk.name.clone(), disk.bus.to_string(), disk.model.clone()],
    };
    let row = Row::new([
        Line::raw(name),
        Line::raw(size).right_aligned(),
        Line::raw(bus),
        Line::raw(model),
        Line::styled(note, if fits { look.note } else { look.dim }),
    ]);
    if fits { row } else { row.style(look.dim) }
}

/// What stands behind a disk in the table, and whether it can be chosen.
fn note(state: &Choices, disk: &Disk) -> (String, bool) {
    if let Some(reason) = state.purpose.refusal(&state.hardware, disk) {
        return (in_short(&reason), false);
    }
    let earlier = disk.contents.as_ref().and_then(|it| it.earlier.as_ref());
    let note = match earlier {
        Some(Earlier {
            unfinished: true, ..
        }) => "unfinished installation".to_owned(),
        Some(Earlier {
            version: Some(version),
            ..
        }) => format!("{} {version}", state.hardware.title()),
        Some(_) => state.hardware.title().to_owned(),
        None => String::new(),
    };
    (note, true)
}
