//! Where an answer file lies: in the firmware's SMBIOS table, on a FAT volume that is labelled for
//! it, or on the medium that this system was started from. There must be no more than one.

use std::path::Path;

use super::{FILE, LARGEST, Refusal, base64, extent, oem, volume};
use crate::hardware::{Disk, Hardware, Volume};

/// Label of a FAT volume that holds an answer file.
const LABEL: &str = "TRUTHDB_CFG";

/// What an OEM string begins with whose rest is an answer file.
const PLAIN: &str = "truthdb.install.toml=";
/// The same, for a file that a shell or a hypervisor would spoil.
const ENCODED: &str = "truthdb.install.toml.base64=";

/// An answer file that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where, in words for people: the end of a sentence, without full stop.
    pub source: String,
    /// What is in it.
    pub text: String,
}

/// An answer file as it was found, before anybody looked at its bytes.
struct Raw {
    source: String,
    bytes: Vec<u8>,
}

/// Looks for an answer file on the machine below `root`, whose disks have been probed. Opens
/// devices for reading only, and passes over those that cannot be read; takes seconds.
///
/// Refuses where there are several, and where one is no text.
pub fn find(root: &Path, hardware: &Hardware) -> Result<Option<Found>, Refusal> {
    let mut found = from_firmware(root)?;
    for disk in &hardware.disks {
        if !disk.is_empty() && disk.volume != Volume::Unreadable {
            found.extend(from_disk(root, disk, hardware.is_boot_medium(disk)));
        }
    }
    if found.len() > 1 {
        let sources: Vec<String> = found.into_iter().map(|raw| raw.source).collect();
        return Err(Refusal::new(
            format!(
                "There are {} answer files, and none says that it counts: {}.",
                sources.len(),
                sources.join("; ")
            ),
            "Leave one of them, and restart this computer.",
        ));
    }
    found.pop().map(checked).transpose()
}

fn checked(raw: Raw) -> Result<Found, Refusal> {
    let Raw { source, bytes } = raw;
    if bytes.len() > LARGEST {
        return Err(Refusal::new(
            format!("The answer file has more than {LARGEST} bytes: {source}."),
            "An answer file is some lines of text; is this one?",
        ));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Found { source, text }),
        Err(_) => Err(Refusal::new(
            format!("The answer file is not UTF-8 text: {source}."),
            "Save it as UTF-8.",
        )),
    }
}

fn from_firmware(root: &Path) -> Result<Vec<Raw>, Refusal> {
    let mut found = Vec::new();
    for string in oem::strings(root) {
        if let Some(text) = string.strip_prefix(PLAIN.as_bytes()) {
            found.push(Raw {
                source: "SMBIOS OEM string truthdb.install.toml".to_owned(),
                bytes: text.to_vec(),
            });
        } else if let Some(text) = string.strip_prefix(ENCODED.as_bytes()) {
            let source = "SMBIOS OEM string truthdb.install.toml.base64".to_owned();
            let decoded = str::from_utf8(text).ok().and_then(base64::decode);
            let Some(bytes) = decoded else {
                return Err(Refusal::new(
                    format!("The answer file is not base64: {source}."),
                    "Make it with: base64 -w0 install.toml",
                ));
            };
            found.push(Raw { source, bytes });
        }
    }
    Ok(found)
}

/// The answer files on a disk. From the boot medium, also the one in its EFI system partition.
fn from_disk(root: &Path, disk: &Disk, is_medium: bool) -> Vec<Raw> {
    let warn = |error: &std::io::Error, what: &str| {
        tracing::warn!(%error, disk = disk.name, "cannot look for an answer file {what}");
    };
    let mut found = Vec::new();
    let device = extent::open(&root.join("dev").join(&disk.name));
    let extents = device.and_then(|device| {
        let extents = extent::extents(&device, disk.size, disk.block_size)?;
        Ok((device, extents))
    });
    let (device, extents) = match extents {
        Ok(opened) => opened,
        Err(error) => {
            warn(&error, "on this disk");
            return found;
        }
    };
    for extent in extents {
        let name = extent.number.map_or_else(
            || disk.name.clone(),
            |number| partition_name(&disk.name, number),
        );
        let read = match volume::read(&device, extent, FILE, LARGEST) {
            Ok(Some(read)) => read,
            Ok(None) => continue,
            Err(error) => {
                warn(&error, &format!("on {name}"));
                continue;
            }
        };
        let is_labelled = read.label == LABEL;
        let place = match (is_labelled, is_medium && extent.is_esp) {
            (true, _) => LABEL,
            (false, true) => "boot medium",
            (false, false) => continue,
        };
        match read.file {
            Some(bytes) => found.push(Raw {
                source: format!("/{FILE} on {name} ({place})"),
                bytes,
            }),
            None if is_labelled => tracing::warn!(volume = name, "{LABEL} has no /{FILE}"),
            None => {}
        }
    }
    found
}

/// What Linux calls a partition: with a `p` where the disk's name ends in a digit.
fn partition_name(disk: &str, number: u32) -> String {
    let separator = if disk.ends_with(|c: char| c.is_ascii_digit()) {
        "p"
    } else {
        ""
    };
    format!("{disk}{separator}{number}")
}
