//! What an answer file must allow beyond erasing a blank disk. Until it does, the disk stays.

use super::{Answers, Refusal};
use crate::hardware::{Disk, Part, listed};
use common::product::product;

/// What may be erased that somebody might miss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Consent {
    /// An installation of this product, with its data.
    pub installation: bool,
    /// What is not of this product: other systems, their data, members of arrays and pools.
    pub foreign: bool,
}

/// Why `answers` do not allow to erase what is on `disk`; `None` if they do.
pub(super) fn refusal(answers: &Answers, disk: &Disk) -> Option<Refusal> {
    answers.erase.as_ref()?;
    let Consent {
        installation,
        foreign,
    } = answers.consent;
    let name = &disk.name;
    let Some(contents) = &disk.contents else {
        let message = format!("What is on {name} cannot be told, so it is taken for data.");
        return (!foreign).then(|| Refusal::new(message, allow("erase_foreign_data")));
    };
    if contents.has_installation() && !installation {
        let message = format!("{name} holds {} already, with data.", installed(disk));
        return Some(Refusal {
            installed: starts(disk).then(|| Box::new(disk.clone())),
            ..Refusal::new(message, allow("replace_installation"))
        });
    }
    let parts: Vec<&Part> = contents.foreign().collect();
    if parts.is_empty() || foreign {
        return None;
    }
    let message = format!("{name} holds data of others: {}.", listed(parts));
    Some(Refusal::new(message, allow("erase_foreign_data")))
}

/// Whether a disk holds an installation that is finished, and so can be started.
pub(super) fn starts(disk: &Disk) -> bool {
    let contents = disk.contents.as_ref();
    let earlier = contents.and_then(|it| it.earlier.as_ref());
    earlier.is_some_and(|it| it.has_data && !it.unfinished)
}

/// What was erased that somebody might miss: a sentence each, for the receipt.
pub(crate) fn erased(answers: &Answers, disk: &Disk) -> Vec<String> {
    let contents = disk.contents.as_ref().filter(|_| answers.erase.is_some());
    let Some(contents) = contents else {
        return Vec::new();
    };
    let mut said = Vec::new();
    if contents.has_installation() {
        said.push(format!(
            "It replaced {}, and erased its data.",
            installed(disk)
        ));
    }
    let parts: Vec<&Part> = contents.foreign().collect();
    if !parts.is_empty() {
        said.push(format!(
            "It erased what was on the disk: {}.",
            listed(parts)
        ));
    }
    said
}

fn allow(key: &str) -> String {
    format!("If all of that may be erased, add {key} = true to [disk] in the answer file.")
}

/// The installation on a disk, with its version.
fn installed(disk: &Disk) -> String {
    let earlier = disk.contents.as_ref().and_then(|it| it.earlier.as_ref());
    let version = earlier.and_then(|it| it.version.as_ref());
    let name = &product().name;
    let what = match earlier {
        Some(earlier) if earlier.unfinished => format!("an unfinished installation of {name}"),
        _ => name.clone(),
    };
    match version {
        Some(version) => format!("{what} {version}"),
        None => what,
    }
}
