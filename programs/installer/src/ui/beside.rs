//! A set of partitions in words: on a whole disk, or in free space beside what is there.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::text::Page;
use super::{Look, details, text};
use crate::hardware::{
    Carried, Disk, FreeSpace, Hardware, Piece, Role, decimal_size, grouped, least,
};
use crate::state::{Choices, Confirm};

/// What the free space that the pointer is at is called, how large it is, and what choosing it would mean.
pub(super) fn verdict<'a>(
    state: &Choices,
    disk: &Disk,
    space: &FreeSpace,
    look: &Look,
    width: u16,
) -> Vec<Line<'a>> {
    let room = space.room;
    let size = match room.size() {
        0 => "none".to_owned(),
        size => format!(
            "{} bytes, from byte {} on",
            grouped(size),
            grouped(room.start)
        ),
    };
    let mut lines = vec![Line::from(vec![
        Span::styled(format!("Free space of {}", disk.name), look.heading),
        Span::raw(format!(": {size}")),
    ])];
    let mut say = |sentence: &str, style: Style| {
        let wrapped = text::wrap(sentence, width).into_iter();
        lines.extend(wrapped.map(|it| Line::styled(it, style)));
    };
    if state.notice.is_none() {
        match state.refusal() {
            Some(reason) => say(&format!("It cannot be chosen: {reason}."), look.note),
            None => say(
                "Enter goes on. Nothing is written yet, and nothing that is there is ever erased.",
                look.good,
            ),
        }
    }
    if let Some(sentence) = state.hardware.mismatch(disk) {
        say(&sentence, look.alert);
    }
    lines
}

/// Everything that happens, and that nothing else does.
pub(super) fn confirm(
    state: &Confirm,
    set: &Carried,
    space: &FreeSpace,
    look: &Look,
    page: &mut Page<'_>,
) {
    let (hardware, disk) = (&state.choices.hardware, &state.disk);
    if let Some(sentence) = hardware.mismatch(disk) {
        page.item(&sentence, look.alert);
    }
    page.heading("Of what is there, this changes and nothing else");
    for sentence in changes(hardware, set, disk) {
        page.item(&sentence, look.text);
    }
    let size = decimal_size(space.room.size());
    page.heading(&format!(
        "This will be made in {size} of free space, and entered in the table"
    ));
    let pieces: Vec<&Piece> = hardware.made_beside(set, disk).collect();
    for line in lines(&pieces, space.room.size()) {
        page.line(line);
    }
    page.heading("This stays as it is, byte for byte");
    for part in disk.contents.iter().flat_map(|it| &it.parts) {
        page.line(format!("  {}", details::part(part)));
    }
}

/// What is changed that others have, too, a sentence each.
fn changes(hardware: &Hardware, set: &Carried, disk: &Disk) -> Vec<String> {
    let (title, folder) = (&set.title, &set.folder);
    let mut changes = Vec::new();
    if let Some(esp) = hardware.esp(disk) {
        let number = esp.number;
        changes.push(format!(
            "Partition {number} (EFI) gets the folder EFI/{folder}, and EFI/BOOT/BOOTX64.EFI if it has none."
        ));
    }
    changes.push(if hardware.is_bios() {
        format!("The first sector, which has no boot code, gets some: BIOS starts {title}.")
    } else {
        format!("The firmware's list gets a last line, {title}, which it starts once, next time.")
    });
    changes
}

/// The partitions on a whole disk, a line each.
pub(super) fn whole_disk(set: &Carried, disk: &Disk) -> Vec<String> {
    let pieces: Vec<&Piece> = set.partitions.iter().collect();
    // The first MiB and the last one are the table's.
    lines(&pieces, disk.size.saturating_sub(2 << 20))
}

fn lines(pieces: &[&Piece], room: u64) -> Vec<String> {
    let spare = room.saturating_sub(least(pieces.iter().copied()));
    let line = |piece: &&Piece| {
        let more = if piece.grow { spare } else { 0 };
        let size = decimal_size(piece.size + more);
        let what = match piece.role {
            Role::Bios => "for the boot loader under BIOS",
            Role::Esp => "for the boot loader under UEFI",
            Role::Boot => "for kernels and the boot menu",
            Role::Root => "for the system",
            Role::Data => "for data",
        };
        format!("  {size:>9}  {:<16} {what}", piece.label)
    };
    pieces.iter().map(line).collect()
}
