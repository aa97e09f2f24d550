//! The EFI system partition that another system starts from, too: our folder in it, and nothing else.
//!
//! Its file system is looked through before a byte of it is written, and so is the room for all that is to
//! be added. Every file is whole or absent, whenever the power is cut: see [`crate::fat`].
//!
//! UEFI specification 2.10, sections 13.3.1.3 (a folder for each vendor below `EFI`) and 3.5.1.1 (the path
//! that firmware looks for by itself).

use std::io::{self, ErrorKind};
use std::rc::Rc;

use super::device::Device;
use super::disk_error;
use super::layout::Place;
use super::system::{self, FALLBACK};
use crate::fat::{Change, MOST_READ, Stamp, Volume};
use crate::hardware::size_beside;
use common::problem::Problem;
use common::slice::Slice;

/// What to do where the file system is not as it should be.
const REPAIR: &str = "Have the system that uses it repair it, or choose a whole disk.";

/// What is to be in the partition.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// Our folder below `EFI`.
    pub(super) folder: &'a str,
    /// Paths and contents: in our folder, and [`FALLBACK`], which is put there only if there is none.
    pub(super) files: &'a [(String, Vec<u8>)],
    /// Whatever is in our folder is ours: an installation that was not finished, or that is repaired.
    pub(super) is_ours: bool,
}

/// Says what [`put`] would fail with before it writes anything; writes nothing.
pub(super) fn judge(
    device: &Rc<Device>,
    place: &Place,
    wanted: Wanted<'_>,
    disk: &str,
) -> Result<(), Problem> {
    prepare(device, place, wanted, disk).map(drop)
}

/// Puts the files there, reads them back, and removes what else is in our folder if that is ours. Writes
/// nothing if all is as it should be. Returns how many changes there were.
pub(super) fn put(
    device: &Rc<Device>,
    place: &Place,
    wanted: Wanted<'_>,
    disk: &str,
) -> Result<usize, Problem> {
    let (mut volume, changes) = prepare(device, place, wanted, disk)?;
    let writing = |error| disk_error::of_disk("Writing to", disk, error);
    for change in &changes {
        volume.change(change, Stamp::FIRST).map_err(writing)?;
    }
    volume.settle().map_err(writing)?;
    device.fresh().map_err(writing)?;
    let reading = |error| disk_error::of_disk("Reading from", disk, error);
    let own = format!("EFI/{}/", wanted.folder);
    for (path, content) in wanted.files.iter().filter(|it| it.0.starts_with(&own)) {
        let found = system::read_file(device, place, path).map_err(reading)?;
        if found != *content {
            return Err(Problem::new(
                format!("{disk} does not have what was written to it: /{path} is otherwise."),
                "The disk may be failing: check its cables, or choose another one.",
            ));
        }
    }
    Ok(changes.len())
}

/// The volume, and what is to be changed on it.
fn prepare<'a>(
    device: &Rc<Device>,
    place: &Place,
    wanted: Wanted<'a>,
    disk: &str,
) -> Result<(Volume<Slice>, Vec<Change<'a>>), Problem> {
    let what = format!(
        "The EFI system partition of {disk} (partition {})",
        place.number
    );
    let refuse = |error: io::Error| Problem::new(format!("{what}: {error}."), REPAIR);
    let handle = device.handle().map_err(refuse)?;
    let slice = Slice::new(handle, place.start, place.size, MOST_READ);
    let mut volume = Volume::open(slice, place.size)
        .map_err(refuse)?
        .ok_or_else(|| Problem::new(format!("{what} holds no FAT file system."), REPAIR))?;
    let files = files(&mut volume, wanted).map_err(refuse)?;
    let mut changes = volume.missing(&files).map_err(refuse)?;
    let folder = format!("EFI/{}", wanted.folder);
    let others = others(&mut volume, wanted).map_err(refuse)?;
    let is_other = |it: &Change<'_>| matches!(it, Change::Replace(..));
    if !wanted.is_ours && (!others.is_empty() || changes.iter().any(is_other)) {
        return Err(Problem::new(
            format!("{what} has a folder {folder} already, with other files than this medium's."),
            format!("If no system needs it any more, remove {folder} there, then retry."),
        ));
    }
    let (needed, free) = (volume.needs(&changes), volume.has_free());
    if needed > free {
        let has = size_beside(free, &[needed]);
        let needs = size_beside(needed, &[free]);
        return Err(Problem::new(
            format!("{what} is too small: it has {has} free, and {needs} are needed."),
            "Remove there what no system needs any more, or choose a whole disk.",
        ));
    }
    changes.extend(others.into_iter().map(Change::Remove));
    Ok((volume, changes))
}

/// Those of the files that this partition gets.
fn files<'a>(
    volume: &mut Volume<Slice>,
    wanted: Wanted<'a>,
) -> io::Result<Vec<(&'a str, &'a [u8])>> {
    let own = format!("EFI/{}/", wanted.folder);
    let (folder, fallback) = FALLBACK.rsplit_once('/').unwrap_or(("", FALLBACK));
    let names = volume.names(folder)?.unwrap_or_default();
    let has_fallback = names
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case(fallback));
    let mut files = Vec::new();
    for (path, content) in wanted.files {
        match path.as_str() {
            FALLBACK if has_fallback => {}
            path if path == FALLBACK || path.starts_with(&own) => files.push((path, &content[..])),
            path => {
                let message = format!("{path} of this medium lies outside of {own}");
                return Err(io::Error::new(ErrorKind::InvalidInput, message));
            }
        }
    }
    Ok(files)
}

/// The paths of what else is in our folder. A folder in it is nobody's of ours.
fn others(volume: &mut Volume<Slice>, wanted: Wanted<'_>) -> io::Result<Vec<String>> {
    let folder = format!("EFI/{}", wanted.folder);
    let names = volume.names(&folder)?.unwrap_or_default();
    let paths = names
        .into_iter()
        .filter(|(_, is_folder)| !is_folder || !wanted.is_ours)
        .map(|(name, _)| format!("{folder}/{name}"));
    let is_wanted = |path: &String| {
        let mut files = wanted.files.iter();
        files.any(|(wanted, _)| wanted.eq_ignore_ascii_case(path))
    };
    Ok(paths.filter(|path| !is_wanted(path)).collect())
}

#[cfg(test)]
mod tests;
