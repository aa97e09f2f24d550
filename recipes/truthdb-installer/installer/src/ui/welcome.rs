//! The machine: processor, memory, firmware, what it was started from, and every disk.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Row, StatefulWidget, Table, TableState, Widget};

use super::{Look, frame};
use crate::hardware::{
    Disk, Firmware, Hardware, Machine, SecureBoot, Volume, decimal_size, grouped,
};
use crate::state::Welcome;

/// Draws [`crate::state::State::Welcome`].
pub(super) fn render(state: &Welcome, look: &Look, area: Rect, buffer: &mut Buffer) {
    let keys = [
        ("Q", "Leave and restart"),
        ("Up/Down", "Choose a disk"),
        ("R", "Look again"),
    ];
    let hardware = &state.hardware;
    let area = frame::render(Some(&hardware.product), &keys, look, area, buffer);
    let facts = facts(hardware, look);
    let above = facts.len();
    // Headings, one row for each disk, a blank line if there is room, details of the chosen one;
    // and below them how to leave, with blank lines around it.
    let disks = hardware.disks.len().max(1) + 3;
    let has_air = usize::from(area.height) >= above + disks + 4;
    let length = |lines: usize| u16::try_from(lines).unwrap_or(u16::MAX);
    let [above, disks, _, leave, _] = Layout::vertical([
        Constraint::Length(length(above)),
        Constraint::Max(length(disks) + u16::from(has_air)),
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Fill(1),
    ])
    .areas(area);
    Paragraph::new(facts).render(above, buffer);
    render_disks(state, look, disks, buffer);
    leave_line(state, look).render(leave, buffer);
}

/// Everything above the disks.
fn facts<'a>(hardware: &'a Hardware, look: &Look) -> Vec<Line<'a>> {
    let fact = |label: &'static str, value: String| {
        Line::from(vec![
            Span::styled(format!("  {label:<14}"), look.quiet),
            Span::raw(value),
        ])
    };
    vec![
        Line::default(),
        frame::heading(look, "Welcome"),
        Line::raw("This version shows what it finds on this computer. It changes nothing."),
        Line::default(),
        frame::heading(look, "This computer"),
        fact("Processor", processor(&hardware.machine)),
        fact("Memory", memory(hardware.machine.memory)),
        fact("Firmware", firmware(hardware.machine.firmware)),
        fact("Started from", started_from(hardware)),
        Line::default(),
    ]
}

fn processor(machine: &Machine) -> String {
    match machine.processors {
        0 => machine.processor.clone(),
        1 => format!("{}, 1 CPU", machine.processor),
        count => format!("{}, {count} CPUs", machine.processor),
    }
}

fn memory(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    const GIB: u64 = 1 << 30;
    match bytes {
        0 => "unknown".to_owned(),
        1..GIB => format!("{} MiB", bytes / MIB),
        _ => {
            let tenths = (bytes + GIB / 20) / (GIB / 10);
            format!("{}.{} GiB", tenths / 10, tenths % 10)
        }
    }
}

fn firmware(firmware: Firmware) -> String {
    let Firmware::Uefi { bits, secure_boot } = firmware else {
        return "BIOS (not UEFI)".to_owned();
    };
    let bits = bits.map_or_else(String::new, |bits| format!(", {bits}-bit"));
    let secure_boot = match secure_boot {
        SecureBoot::On => ", Secure Boot on",
        SecureBoot::Off => ", Secure Boot off",
        SecureBoot::Unknown => "",
    };
    format!("UEFI{bits}{secure_boot}")
}

fn started_from(hardware: &Hardware) -> String {
    let Some(volume) = &hardware.boot_volume else {
        return "unknown".to_owned();
    };
    let found: Vec<&str> = hardware
        .disks
        .iter()
        .filter(|disk| hardware.is_boot_medium(disk))
        .map(|disk| disk.name.as_str())
        .collect();
    let unread = |disk: &Disk| disk.volume == Volume::Unread;
    match found.as_slice() {
        [] if hardware.disks.iter().any(unread) => format!("{volume}, looking for it..."),
        [] => format!("{volume}, on none of these disks"),
        names => format!("{volume} on {}", names.join(" and ")),
    }
}

fn render_disks(state: &Welcome, look: &Look, area: Rect, buffer: &mut Buffer) {
    let hardware = &state.hardware;
    let count = hardware.disks.len();
    let has_air = usize::from(area.height) > count + 3;
    let [heading, table, _, details] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(has_air.into()),
        Constraint::Length(1),
    ])
    .areas(area);
    let title = match count {
        0 => "Disks".to_owned(),
        1 => "1 disk".to_owned(),
        // Above the rows are their headings.
        count if count + 1 > table.height.into() => {
            format!("{count} disks, of which Up and Down show more")
        }
        count => format!("{count} disks"),
    };
    frame::heading(look, &title).render(heading, buffer);
    let Some(chosen) = hardware.disks.get(state.selected) else {
        let hint = "  No disk was found. One that is plugged in now appears here.";
        Line::styled(hint, look.note).render(table, buffer);
        return;
    };
    let widths = [
        Constraint::Length(9),
        Constraint::Length(8),
        Constraint::Length(7),
        Constraint::Fill(1),
        Constraint::Length(11),
    ];
    let size = Line::raw("Size").right_aligned();
    let header = [
        "Name".into(),
        size,
        "Bus".into(),
        "Model".into(),
        Line::default(),
    ];
    let header = Row::new(header).style(look.quiet);
    let rows = hardware
        .disks
        .iter()
        .map(|disk| disk_row(hardware, disk, look));
    let table_widget = Table::new(rows, widths)
        .header(header)
        .column_spacing(2)
        .row_highlight_style(look.chosen)
        .highlight_symbol(Span::styled(look.pointer, look.heading));
    let mut position = TableState::new().with_selected(state.selected);
    StatefulWidget::render(table_widget, table, buffer, &mut position);
    details_line(chosen, hardware.is_boot_medium(chosen), look).render(details, buffer);
}

fn disk_row<'a>(hardware: &Hardware, disk: &'a Disk, look: &Look) -> Row<'a> {
    let size = if disk.is_empty() {
        "-".to_owned()
    } else {
        decimal_size(disk.size)
    };
    let note = if hardware.is_boot_medium(disk) {
        Line::styled("boot medium", look.note)
    } else if disk.is_empty() {
        Line::styled("no medium", look.quiet)
    } else if disk.read_only {
        Line::styled("read-only", look.quiet)
    } else if disk.removable {
        Line::styled("removable", look.quiet)
    } else {
        Line::default()
    };
    Row::new([
        Line::raw(disk.name.as_str()),
        Line::raw(size).right_aligned(),
        Line::raw(disk.bus.to_string()),
        Line::raw(disk.model.as_str()),
        note,
    ])
}

/// Exact facts about the chosen disk, for which the table has no room.
fn details_line<'a>(disk: &'a Disk, is_boot_medium: bool, look: &Look) -> Line<'a> {
    let mut parts = Vec::new();
    if disk.is_empty() {
        parts.push("no medium".to_owned());
    } else {
        parts.push(format!("{} bytes", grouped(disk.size)));
        parts.push(format!("blocks of {}", grouped(disk.block_size)));
    }
    if disk.removable {
        parts.push("removable".to_owned());
    }
    if disk.read_only {
        parts.push("read-only".to_owned());
    }
    match &disk.volume {
        // What the boot medium is called stands further up.
        Volume::Iso(name) if !is_boot_medium => parts.push(format!("volume {name}")),
        Volume::Unreadable if !disk.is_empty() => parts.push("cannot be read".to_owned()),
        _ => {}
    }
    Line::from(vec![
        Span::raw(format!("  {}: ", disk.name)),
        Span::styled(parts.join(", "), look.quiet),
    ])
}

/// How to leave; or that what is shown may be out of date.
fn leave_line<'a>(state: &Welcome, look: &Look) -> Line<'a> {
    if state.dismissed.is_some() {
        let text = "This may be out of date: the last look failed. Press R to look again.";
        return Line::styled(text, look.note);
    }
    Line::raw("Press Q to leave. The computer then restarts.")
}
