//! Whether what is installed starts: everything that firmware, boot loaders and the first program look for is
//! followed from one to the next, as it lies on the disk now. Reads only.

mod boot;
mod chain;
mod labels;
mod root;

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::rc::Rc;

use common::digest::{hex, sha256};
use ext4_view::Ext4;
use sha2::{Digest, Sha256};

pub(super) use boot::entries_on;
pub(super) use labels::elsewhere;
pub(super) use root::lacking;

use super::super::data;
use super::super::device::Device;
use super::super::layout::Place;
use super::super::report::Finding;
use super::super::system;
use super::super::validate::{bad, good};
use super::list::{Role, Set};
use super::places::{Spot, of};
use crate::hardware::{Disk, marks};

/// What is looked at, and what it is expected to be.
pub(super) struct Expected<'a> {
    pub(super) root: &'a Path,
    pub(super) disk: &'a Disk,
    pub(super) device: &'a Rc<Device>,
    pub(super) set: &'a Set,
    pub(super) spots: &'a [Spot],
    /// The EFI system partition that its files are in.
    pub(super) esp: &'a Place,
    /// Paths and digests of these files.
    pub(super) files: &'a [(String, String)],
    /// What a BIOS starts: the code of the first sector, if it is known, and bytes and digest of `core.img`.
    pub(super) chain: Option<(Option<[u8; 440]>, u64, String)>,
    /// Nobody has started it yet.
    pub(super) is_new: bool,
}

/// What is found; no reboot is offered unless all of it is good.
pub(super) fn findings(expected: &Expected<'_>) -> Vec<Finding> {
    let mut found = chain::findings(expected);
    found.extend(esp_findings(expected));
    match volume(expected, Role::Boot) {
        Ok((boot, label)) => found.extend(boot::findings(&boot, label)),
        Err(finding) => found.push(finding),
    }
    match volume(expected, Role::Root) {
        Ok((root, label)) => {
            let entries = volume(expected, Role::Boot);
            let entries = entries.ok().and_then(|(boot, _)| entries_on(&boot).ok());
            found.extend(root::findings(&root, label, &entries.unwrap_or_default()));
            if expected.is_new {
                found.extend(root::invariants(&root, label));
            }
        }
        Err(finding) => found.push(finding),
    }
    for spot in expected.spots.iter().filter(|it| it.role == Role::Data) {
        found.push(match labelled(expected.device, &spot.place) {
            Ok(_) => good(format!(
                "{} is an ext4 file system that can be read.",
                spot.place.name
            )),
            Err(said) => bad(format!("{} is damaged: {said}.", spot.place.name)),
        });
    }
    found.extend(mark_findings(expected));
    found.extend(label_findings(expected));
    found
}

/// The file system of the partition of this role, and its label.
fn volume<'a>(expected: &Expected<'a>, role: Role) -> Result<(Ext4, &'a str), Finding> {
    let place = match of(expected.spots, role) {
        Some(spot) => &spot.place,
        None => return Err(bad(format!("There is no partition of the role {role:?}."))),
    };
    let name = place.name.as_str();
    match labelled(expected.device, place) {
        Ok(volume) => Ok((volume, name)),
        Err(said) => Err(bad(format!("{name} is damaged: {said}."))),
    }
}

/// The file system of `place`, which has its label: it is mounted by that.
fn labelled(device: &Rc<Device>, place: &Place) -> Result<Ext4, String> {
    let volume = data::open(device, place)?;
    let label = volume.label().as_bytes().split(|it| *it == 0).next();
    let label = String::from_utf8_lossy(label.unwrap_or_default()).into_owned();
    if label == place.name {
        Ok(volume)
    } else {
        Err(format!("its file system is labelled {label:?}"))
    }
}

fn esp_findings(expected: &Expected<'_>) -> Vec<Finding> {
    let (device, place) = (expected.device, expected.esp);
    let what = format!("The EFI system partition ({})", place.number);
    let mut window = device.window(place.start, place.size);
    if !crate::untrusted::holds_fat(&mut window, place.size) {
        return vec![bad(format!("{what} holds no FAT file system."))];
    }
    let mut wrong = expected.files.iter().filter_map(|(path, digest)| {
        let what = format!("/{path} of the EFI system partition");
        match system::read_file(device, place, path) {
            Err(error) => Some(bad(format!("{what} cannot be read: {error}."))),
            Ok(content) if sha256(&content) != *digest => {
                Some(bad(format!("{what} is not what was installed.")))
            }
            Ok(_) => None,
        }
    });
    match wrong.next() {
        None => vec![good(format!(
            "{what} has the {} files of {}.",
            expected.files.len(),
            expected.set.title
        ))],
        Some(first) => [first].into_iter().chain(wrong).collect(),
    }
}

/// Whether anybody takes a partition for what it was before.
fn mark_findings(expected: &Expected<'_>) -> Option<Finding> {
    let file = expected.device.fresh().ok()?;
    expected.spots.iter().find_map(|spot| {
        let place = &spot.place;
        let wanted: &[&str] = match spot.role {
            Role::Bios => &[],
            Role::Esp => &["FAT32"],
            Role::Boot | Role::Root | Role::Data => &["ext4"],
        };
        let found = marks(file, (place.start, place.size), &[]);
        match found {
            Ok(found) if found == wanted => None,
            Ok(found) if found.is_empty() => Some(bad(format!(
                "{} looks like nothing that is known.",
                place.name
            ))),
            Ok(found) => Some(bad(format!(
                "{} looks like {}.",
                place.name,
                found.join(" and ")
            ))),
            Err(error) => Some(bad(format!("{} cannot be read: {error}.", place.name))),
        }
    })
}

fn label_findings(expected: &Expected<'_>) -> Vec<Finding> {
    let numbers: Vec<u32> = expected.spots.iter().map(|it| it.place.number).collect();
    let found = elsewhere(expected.root, expected.set, expected.disk, Some(&numbers));
    if found.is_empty() {
        return vec![good("No other disk or partition has one of its labels.")];
    }
    found.into_iter().map(bad).collect()
}

/// SHA-256 of the file at `path`, in hex digits, and how many bytes it has.
fn digest_of(volume: &Ext4, path: &str) -> Result<(String, u64), String> {
    let mut file = volume.open(path).map_err(|error| error.to_string())?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    file.seek(SeekFrom::Start(0))
        .map_err(|error| error.to_string())?;
    loop {
        let length = file.read(&mut buffer).map_err(|error| error.to_string())?;
        if length == 0 {
            return Ok((hex(&digest.finalize()), bytes));
        }
        digest.update(&buffer[..length]);
        bytes += length as u64;
    }
}
