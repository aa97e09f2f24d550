//! The menu of everything but a new installation.

use common::product::product;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::text::Page;
use super::{Look, frame};
use crate::state::{Purpose, Tool, Tools};

/// Draws [`crate::state::State::Tools`].
pub(super) fn render(state: &Tools, look: &Look, area: Rect, buffer: &mut Buffer) {
    let keys = [("Up/Down", "Choose"), ("Enter", "Go on"), ("B", "Back")];
    let product = Some(&state.hardware.product);
    let area = frame::render(product, &keys, look, area, buffer);
    let mut page = Page::new(look, area);
    page.heading("Tools");
    let is_set = state.hardware.set.is_some();
    for (index, tool) in state.all().iter().copied().enumerate() {
        let (name, meaning) = words(tool, is_set);
        let chosen = index == state.selected;
        let pointer = if chosen { look.pointer } else { "  " };
        let key = tool.key().to_ascii_uppercase();
        let [left, right] = look.key_ends;
        // What came of an export takes their place.
        if state.notice.is_none() {
            page.blank();
        }
        let line = Line::from(vec![
            Span::styled(pointer, look.heading),
            Span::styled(format!("{left}{key}{right}"), look.key),
            Span::raw(format!(" {name}")),
        ]);
        page.line(if chosen {
            line.style(look.chosen)
        } else {
            line
        });
        page.line(Line::styled(format!("      {meaning}"), look.quiet));
    }
    if let Some(notice) = &state.notice {
        page.blank();
        page.say(notice, look.note);
    }
    page.render(area, buffer);
}

/// The name of a tool, and what it does.
fn words(tool: Tool, is_set: bool) -> (&'static str, String) {
    let (name, meaning) = match tool {
        Tool::Disk(Purpose::KeepData) => (
            "Reinstall, keep data",
            "Writes the system again, beside the data that are there.",
        ),
        Tool::Disk(Purpose::RepairBoot) if is_set => (
            "Recover",
            "Writes what starts an installation again. System and data stay.",
        ),
        Tool::Disk(Purpose::RepairBoot) => (
            "Repair boot",
            "Writes the boot files and the firmware's boot entry again.",
        ),
        Tool::Disk(Purpose::ChangeSettings) => (
            "Change settings",
            "Names, address and time server of an installation. Its data stay.",
        ),
        Tool::Disk(Purpose::Validate) => (
            "Validate",
            "Reads an installation and reports on it. Writes nothing.",
        ),
        Tool::Disk(Purpose::Install) => {
            return ("Install", format!("Puts {} on a disk.", product().name));
        }
        Tool::ExportLogs => (
            "Export logs",
            "Writes the logs to a FAT stick and to the serial consoles.",
        ),
    };
    (name, meaning.to_owned())
}
