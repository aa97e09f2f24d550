//! Enrolling the keys that this medium carries: the firmware then starts nothing but what their owner has signed.
//! It is done only in setup mode, when somebody has said so, and after what is installed was read back.
//!
//! The key that ends setup mode is written last. Whatever stops it before leaves a machine that checks nothing, as it
//! was, and that takes all of them the next time.
//!
//! UEFI specification 2.10, sections 8.2.2 (authenticated variables) and 32.3 (setup mode); Linux,
//! Documentation/filesystems/efivarfs.rst (the first four bytes of a file are the attributes, and a file that is
//! there must be made mutable).

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use common::problem::Problem;
use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};

use super::payload::Payload;
use crate::hardware::{KeyVariable, Signed, certificates, is_setup};

/// Which keys the firmware is to get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Enrolment {
    /// None: it stays as it is.
    #[default]
    Leave,
    /// Those of this medium, and no others.
    Enroll,
    /// Those of this medium, and those that came with the machine.
    EnrollWithFirmware,
}

impl Enrolment {
    /// All, as answer files call them.
    pub const WORDS: [(&str, Self); 3] = [
        ("leave", Self::Leave),
        ("enroll", Self::Enroll),
        ("enroll-with-firmware", Self::EnrollWithFirmware),
    ];
}

/// Non-volatile, for boot services and at run time, and authenticated by time.
const ATTRIBUTES: [u8; 4] = [0x27, 0, 0, 0];
/// The order in which they are written.
const ORDER: [KeyVariable; 4] = [
    KeyVariable::Dbx,
    KeyVariable::Db,
    KeyVariable::Kek,
    KeyVariable::Pk,
];
/// What to do instead.
const HINT: &str = "Choose Repair boot to try again, or enrol the keys in the firmware's own menu, from the folder \
                    keys of this medium.";

/// Enrols the keys, and those of others where `which` says so, in the firmware of the machine below `root`; returns
/// what comes of it, as a sentence.
pub(super) fn enroll(root: &Path, which: Enrolment) -> Result<String, Problem> {
    let others = which == Enrolment::EnrollWithFirmware;
    let carried = |it: KeyVariable| {
        Signed::read(root, it).ok_or_else(|| {
            let name = it.name();
            Problem::new(
                format!("This medium carries no {name} for the firmware, so no keys were enrolled."),
                "Build the medium with the keys of its vendor, or enrol keys in the firmware's own menu.",
            )
        })
    };
    let [db, kek, pk] = [
        carried(KeyVariable::Db)?,
        carried(KeyVariable::Kek)?,
        carried(KeyVariable::Pk)?,
    ];
    if KeyVariable::Pk.read(root) == pk.lists() {
        return Ok("The firmware had the keys of this medium already.".to_owned());
    }
    if !is_signed(root, db.lists())? {
        return Err(Problem::new(
            "What is installed is not signed by this medium's db key, so no keys were enrolled: the firmware would \
             not have started it.",
            "Build the medium again, with the signatures that its keys have made.",
        ));
    }
    for variable in ORDER {
        let signed = match variable {
            KeyVariable::Db | KeyVariable::Dbx => &db,
            KeyVariable::Kek => &kek,
            KeyVariable::Pk => &pk,
        };
        let ours = match variable {
            KeyVariable::Dbx => &[][..],
            _ => signed.lists(),
        };
        let kept = match variable {
            KeyVariable::Pk => Vec::new(),
            _ if others => variable.of_others(root, ours),
            _ => Vec::new(),
        };
        let content = [ours, &kept].concat();
        if content.is_empty() || variable.read(root) == content {
            continue;
        }
        if !is_setup(root) {
            return Err(Problem::new(
                "The firmware is not in setup mode, so it was given no keys.",
                "Put it in setup mode in its own menu, then choose Repair boot.",
            ));
        }
        let bytes = if kept.is_empty() {
            signed.whole.clone()
        } else {
            signed.unsigned(&content)
        };
        write(root, variable, &bytes, &content).map_err(|error| refused(variable, &error))?;
        tracing::info!(
            variable = variable.name(),
            bytes = content.len(),
            "enrolled"
        );
    }
    let trusted = if others {
        "what they or the keys that came with this computer have signed"
    } else {
        "what they have signed"
    };
    Ok(format!(
        "The firmware has the keys of this medium now: from the next start on, Secure Boot is on and lets nothing start \
         but {trusted}."
    ))
}

fn refused(variable: KeyVariable, error: &io::Error) -> Problem {
    let name = variable.name();
    let why = match error.kind() {
        ErrorKind::InvalidInput => "it calls the value invalid".to_owned(),
        ErrorKind::PermissionDenied => {
            "it does not accept the signature, or lets nobody write".to_owned()
        }
        ErrorKind::StorageFull => "it has no room left for variables".to_owned(),
        ErrorKind::ReadOnlyFilesystem => "its variables are read-only".to_owned(),
        _ => error.to_string(),
    };
    Problem::new(
        format!(
            "The firmware did not take the key {name}: {why}. It stays in setup mode, and Secure Boot stays off."
        ),
        HINT,
    )
}

/// Whether all that the firmware is to start carries a signature by one of the certificates in these lists.
fn is_signed(root: &Path, lists: &[u8]) -> Result<bool, Problem> {
    let payload = Payload::read(root)?;
    let trusted = certificates(lists);
    let is_signed = |program: &[u8]| {
        let signatures = signatures(program).unwrap_or_default();
        let has = |it: &&[u8]| signatures.windows(it.len()).any(|part| part == *it);
        trusted.iter().any(has)
    };
    Ok(payload.programs().all(is_signed))
}

/// The signatures of a program: Microsoft, "PE Format", "The Attribute Certificate Table".
fn signatures(program: &[u8]) -> Option<&[u8]> {
    /// From the signature of the file on: where its optional header begins, and where that of PE32+ tells the table.
    const OPTIONAL: usize = 24;
    const TABLE: usize = OPTIONAL + 112 + 4 * 8;
    let number = |at: usize| {
        let bytes = program.get(at..)?.first_chunk()?;
        usize::try_from(u32::from_le_bytes(*bytes)).ok()
    };
    let at = number(60)?.checked_add(TABLE)?;
    let (start, length) = (number(at)?, number(at + 4)?);
    program.get(start..start.checked_add(length)?)
}

/// Writes a variable by one call, and reads it back.
fn write(root: &Path, variable: KeyVariable, bytes: &[u8], content: &[u8]) -> io::Result<()> {
    let path = variable.file(root);
    if let Ok(file) = File::open(&path) {
        // Elsewhere than in efivarfs there may be no such flags.
        if let Ok(flags) = ioctl_getflags(&file)
            && flags.contains(IFlags::IMMUTABLE)
        {
            ioctl_setflags(&file, flags.difference(IFlags::IMMUTABLE))?;
        }
    }
    let bytes = [&ATTRIBUTES, bytes].concat();
    let mut file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)?;
    let written = file.write(&bytes)?;
    drop(file);
    if written != bytes.len() {
        return Err(ErrorKind::WriteZero.into());
    }
    // The firmware keeps the content without what proves it.
    if fs::read(&path)?.ends_with(content) {
        Ok(())
    } else {
        Err(io::Error::other("it kept another value than it was given"))
    }
}

#[cfg(test)]
mod tests;
