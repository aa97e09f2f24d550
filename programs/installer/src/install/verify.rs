//! Reading back: what the disk has, past every cache, against what it was given.

use std::rc::Rc;

use ext4_view::Ext4;

use super::clear;
use super::data::{self, FOLDERS};
use super::device::{ALIGNMENT, Device};
use super::disk_error;
use super::layout::{Layout, Place, SYSTEM};
use super::receipt::Receipt;
use super::system;
use super::table::Table;
use common::digest::sha256;
use common::problem::Problem;

/// Writes a block that never was there, reads it back, and puts back what was there. It is the last
/// one of `system`, which holds no file and is ours alone: before the first partition, others may have
/// one of theirs.
pub(super) fn scratch_block(device: &Device, system: &Place, disk: &str) -> Result<(), Problem> {
    let at = system.start + system.size - ALIGNMENT as u64;
    let writing = |error| disk_error::of_disk("Writing to", disk, error);
    let reading = |error| disk_error::of_disk("Reading from", disk, error);
    let before = device.read_back(at, ALIGNMENT).map_err(reading)?;
    let pattern: Vec<u8> = before.iter().map(|byte| !byte).collect();
    for block in [&pattern, &before] {
        device.write_at(at, block).map_err(writing)?;
        device.flush().map_err(writing)?;
        let found = device.read_back(at, ALIGNMENT).map_err(reading)?;
        if found != **block {
            return Err(disk_error::unlike(disk, "a block written for a test", at));
        }
    }
    Ok(())
}

/// Both tables.
pub(super) fn table(table: &Table, device: &Device, disk: &str) -> Result<(), Problem> {
    let reading = |error| disk_error::of_disk("Reading from", disk, error);
    if let Some(offset) = table.differs_from(device).map_err(reading)? {
        return Err(disk_error::unlike(disk, "the partition table", offset));
    }
    Ok(())
}

/// That nobody takes the disk, or one of its partitions, for what was there before.
pub(super) fn nothing_is_left_over(
    device: &Device,
    layout: &Layout,
    is_encrypted: bool,
    disk: &str,
) -> Result<(), Problem> {
    let reading = |error| disk_error::of_disk("Reading from", disk, error);
    match clear::left_over(device, layout, is_encrypted).map_err(reading)? {
        None => Ok(()),
        Some(what) => Err(Problem::new(
            format!("{disk} does not have what was written to it: {what}."),
            "The disk may be failing: check its cables, or choose another one.",
        )),
    }
}

/// The installed files, read as any program would that knows FAT, by their SHA-256.
pub(super) fn system_files(
    device: &Rc<Device>,
    place: &Place,
    receipt: &Receipt,
    disk: &str,
) -> Result<(), Problem> {
    for file in &receipt.files {
        let Some(path) = file
            .path
            .strip_prefix(SYSTEM)
            .and_then(|it| it.strip_prefix(":/"))
        else {
            continue;
        };
        let content = system::read_file(device, place, path)
            .map_err(|error| disk_error::of_disk("Reading the files of", disk, error))?;
        if sha256(&content) != file.sha256 {
            return Err(disk_error::unlike(disk, path, place.start));
        }
    }
    Ok(())
}

/// A new data partition: its name, its folders and its files.
pub(super) fn data(
    device: &Rc<Device>,
    place: &Place,
    tree: &[(&'static str, Vec<u8>)],
    disk: &str,
) -> Result<(), Problem> {
    let wrong = |said: String| {
        Problem::new(
            format!("{} on {disk} is not as it was made: {said}.", place.name),
            "The disk may be failing: check its cables, or choose another one.",
        )
    };
    let volume = data::open(device, place).map_err(wrong)?;
    match unlike(&volume, place, tree) {
        Ok(None) => Ok(()),
        Ok(Some(said)) => Err(wrong(said)),
        Err(error) => Err(wrong(error.to_string())),
    }
}

fn unlike(
    volume: &Ext4,
    place: &Place,
    tree: &[(&'static str, Vec<u8>)],
) -> Result<Option<String>, ext4_view::Ext4Error> {
    if volume.label().as_bytes().split(|byte| *byte == 0).next() != Some(place.name.as_bytes()) {
        return Ok(Some("it has another label".to_owned()));
    }
    for (name, content) in tree {
        let path = format!("/{name}");
        if volume.read(path.as_str())? != *content {
            return Ok(Some(format!("{path} has another content")));
        }
    }
    if !tree.is_empty() {
        for name in FOLDERS {
            if !volume.metadata(format!("/{name}").as_str())?.is_dir() {
                return Ok(Some(format!("/{name} is no folder")));
            }
        }
    }
    Ok(None)
}
