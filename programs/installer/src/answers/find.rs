//! Where an answer file lies: in the firmware's SMBIOS table, on a FAT volume that is labelled for
//! it, or on the medium that this system was started from. There must be no more than one.

use common::answer_file::{NAMES, firmware, label};
use common::patience::within;
use common::volumes::{extent, fat, partition_name};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;

use super::almost::{of_other_kind, of_other_label};
use super::rule::is_removable;
use super::{FILE, Found, LARGEST, Refusal};
use crate::hardware::{Disk, Hardware, Volume};

/// How long a disk is searched at most. It has answered before, so that this is a disk that fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// How much of the beginning of a disk has to be legible to tell its partitions: a GPT in blocks of 4096.
const TABLE: u64 = 24 << 10;

/// What came of looking for an answer file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sought {
    /// There is none.
    Nothing,
    /// There is none, but a volume that might have been meant for one: why it is not followed.
    Almost(Refusal),
    /// There is one.
    File(Found),
}

/// What came of the search of a disk.
#[derive(Debug, Default)]
struct Searched {
    /// The answer files on it.
    found: Vec<Found>,
    /// Why a volume that is labelled for one has none.
    missed: Vec<Refusal>,
    /// Why one with another label is not followed.
    almost: Vec<Refusal>,
    /// Some of it could not be read.
    is_unread: bool,
}

/// Looks for an answer file on the machine below `root`, whose disks have been probed. Opens
/// devices for reading only; takes seconds.
///
/// Refuses where there are several, where a disk that may have another one cannot be searched, and where
/// somebody prepared a volume for one but there is none.
pub fn find(root: &Path, hardware: &Hardware) -> Result<Sought, Refusal> {
    let mut found = firmware::read(root).map_err(|it| not_base64(&it))?;
    let (mut missed, mut almost, mut unread) = (Vec::new(), Vec::new(), Vec::new());
    let mut came_along = !found.is_empty();
    for disk in hardware.disks.iter().filter(|it| !it.is_empty()) {
        let is_medium = hardware.is_boot_medium(disk);
        let answers = ![Volume::Unreadable, Volume::Silent].contains(&disk.volume);
        let (root, copy) = (root.to_owned(), disk.clone());
        let searched = answers
            .then(|| within(PATIENCE, "search", move || search(&root, &copy, is_medium)))
            .flatten()
            .unwrap_or_else(|| Searched {
                is_unread: true,
                ..Searched::default()
            });
        came_along |= is_medium && !searched.found.is_empty();
        found.extend(searched.found);
        missed.extend(searched.missed);
        almost.extend(searched.almost);
        if searched.is_unread {
            tracing::warn!(disk = disk.name, "cannot be searched for an answer file");
            unread.push(disk);
        }
    }
    if found.len() > 1 {
        let sources: Vec<String> = found.into_iter().map(|it| it.source).collect();
        return Err(Refusal::new(
            format!(
                "There are {} answer files, and none says that it counts: {}.",
                sources.len(),
                sources.join("; ")
            ),
            "Leave one of them, and restart this computer.",
        ));
    }
    match (found.pop(), missed.pop()) {
        (None, Some(refusal)) => Err(refusal),
        (None, None) => Ok(almost.pop().map_or(Sought::Nothing, Sought::Almost)),
        (Some(found), _) => {
            // One who hands over a file with the start of a machine need not open the machine for a disk
            // that is broken, but can take away what somebody has put in.
            unread.retain(|it| !came_along || is_removable(it));
            unread.retain(|it| !it.turns_out_gone(root));
            match unread.first() {
                None => Ok(Sought::File(found)),
                Some(disk) => Err(unsearched(&found, disk)),
            }
        }
    }
}

/// Why the firmware's answer file at `source` is not followed.
fn not_base64(source: &str) -> Refusal {
    Refusal::new(
        format!("The answer file is not base64: {source}."),
        "Make it with: base64 -w0 install.toml",
    )
}

/// Why `found` is not followed while `disk` may have another file.
fn unsearched(found: &Found, disk: &Disk) -> Refusal {
    let (name, bus, source) = (&disk.name, disk.bus, &found.source);
    let hint = if is_removable(disk) {
        "Take it away or mend it, and press R."
    } else {
        "Take it out or mend it, or put the file on the boot medium itself."
    };
    Refusal::new(
        format!("{name} ({bus}) could not be searched for another answer file beside {source}."),
        hint,
    )
}

/// Searches a disk; of the boot medium, also its EFI system partition.
fn search(root: &Path, disk: &Disk, is_medium: bool) -> Searched {
    let mut searched = Searched::default();
    let ours = label();
    searched.missed.extend(of_other_kind(disk));
    if matches!(&disk.volume, Volume::Iso(label) if label.eq_ignore_ascii_case(ours)) {
        searched.missed.push(Refusal::new(
            format!("{ours} on {} is an ISO 9660 file system.", disk.name),
            format!("Put {FILE} on a FAT file system with this label."),
        ));
        return searched;
    }
    let device = extent::open(&root.join("dev").join(&disk.name));
    let extents = device.and_then(|device| {
        read_table(&device, disk.size)?;
        let extents = extent::extents(&device, disk.size, disk.block_size)?;
        Ok((device, extents))
    });
    let (device, extents) = match extents {
        Ok(opened) => opened,
        Err(error) => {
            searched.fail(&error, &disk.name);
            return searched;
        }
    };
    for extent in extents {
        let name = partition_name(&disk.name, extent.number);
        let read = match fat::read(&device, extent, &NAMES, LARGEST) {
            Ok(Some(read)) => read,
            Ok(None) => continue,
            Err(error) => {
                searched.fail(&error, &name);
                continue;
            }
        };
        let is_labelled = read.label.trim().eq_ignore_ascii_case(ours);
        let place = match (is_labelled, is_medium && extent.is_esp) {
            (true, _) => ours,
            (false, true) => "boot medium",
            (false, false) => {
                let why = of_other_label(disk, extent.number, &read);
                searched.almost.extend(why);
                continue;
            }
        };
        match read.file {
            Some((file, bytes)) => searched.found.push(Found {
                source: format!("/{file} on {name} ({place})"),
                bytes,
            }),
            None if is_labelled => searched.missed.push(Refusal::new(
                format!("{ours} on {name} has no /{FILE}."),
                format!("Put the answer file there, under just this name, or take {ours} away."),
            )),
            None => {}
        }
    }
    searched
}

impl Searched {
    /// Something on `name` cannot be read. What is damaged has been searched for good; of what the device
    /// does not give, nobody knows. A drive that turns out to have no medium has no file.
    fn fail(&mut self, error: &io::Error, name: &str) {
        tracing::warn!(%error, name, "cannot look for an answer file");
        let code = error.raw_os_error();
        self.is_unread |= code.is_some_and(|code| code != Errno::NOMEDIUM.raw_os_error());
    }
}

/// Reads where the partition table lies, as whoever looks for one takes what is illegible for none.
fn read_table(device: &File, size: u64) -> io::Result<()> {
    let mut table = vec![0; usize::try_from(TABLE.min(size)).map_err(io::Error::other)?];
    match device.read_exact_at(&mut table, 0) {
        Err(error) if error.raw_os_error().is_some() => Err(error),
        _ => Ok(()),
    }
}
