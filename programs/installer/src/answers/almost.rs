//! Volumes that somebody seems to have prepared for an answer file, and that are not followed: why not, and
//! what to change.

use common::answer_file::label;
use common::volumes::fat::Volume;
use common::volumes::partition_name;

use super::{FILE, Refusal};
use crate::hardware::{Disk, Part, clean};

/// What on a disk is called as a volume for an answer file, and is no FAT file system.
pub(super) fn of_other_kind(disk: &Disk) -> Option<Refusal> {
    let mut parts = disk.contents.iter().flat_map(|it| &it.parts);
    let part = parts.find(|it| is_called_so(it) && !is_fat(it))?;
    let name = partition_name(&disk.name, part.number);
    let kind = if part.kind.is_empty() {
        "no FAT file system"
    } else {
        &part.kind
    };
    Some(Refusal::new(
        format!("{} on {name} is not FAT but {kind}.", label()),
        format!("Format it as FAT32 with this label, and put {FILE} on it."),
    ))
}

/// Why a FAT volume on `disk` is not followed that has another label, though it has an answer file, or
/// though the partition is called so.
pub(super) fn of_other_label(disk: &Disk, number: Option<u32>, volume: &Volume) -> Option<Refusal> {
    let mut parts = disk.contents.iter().flat_map(|it| &it.parts);
    let is_named = parts.any(|it| it.number == number && is_called_so(it));
    let name = partition_name(&disk.name, number);
    let what = match &volume.file {
        Some((file, _)) => format!("/{file} on {name} is not followed"),
        None if is_named => format!("{name} is not searched for an answer file"),
        None => return None,
    };
    let ours = label();
    let theirs = match clean(&volume.label).as_str() {
        "" | "NO NAME" => "no label".to_owned(),
        label => format!("the label {label}"),
    };
    let why = if is_named {
        format!("{ours} is only the name of the partition; its file system has {theirs}")
    } else {
        format!("its file system has {theirs}")
    };
    Some(Refusal::new(
        format!("{what}: {why}."),
        format!("To have it followed, label the file system {ours}."),
    ))
}

/// Whether the partition table or the file system gives a part the name of a volume for an answer file.
fn is_called_so(part: &Part) -> bool {
    let mut names = part.label.split(", ");
    names.any(|it| it.trim().eq_ignore_ascii_case(label()))
}

fn is_fat(part: &Part) -> bool {
    part.kind.contains("FAT") && !part.kind.contains("exFAT")
}
