//! Which partition tables a disk has, and what they say together.

use std::fs::File;

use super::signatures::Found;
use super::{Range, guid, mbr};

/// The partition tables of a disk.
#[derive(Debug)]
pub(super) struct Tables {
    /// What people call them; `None` if there are none.
    pub(super) name: Option<&'static str>,
    /// Their partitions, in the order in which they lie there.
    pub(super) ranges: Vec<Range>,
    /// There is a GPT, written for the disk's own block size, and nothing that is put over it.
    pub(super) is_gpt_alone: bool,
}

impl Tables {
    /// Reads the tables of a disk, on which `marked` was found where nothing of a table is needed for
    /// that.
    ///
    /// A GPT is in effect only beside a protective MBR (UEFI specification 2.10, section 5.2.3). Beside
    /// any other it is left over, or that other one was written by mistake: so all partitions are told.
    pub(super) fn read(device: &File, block_size: u64, marked: Option<&Found>) -> Self {
        let gpt = guid::read(device, block_size);
        let is_own = gpt.is_some();
        let gpt = gpt
            .map(|it| ("GPT", it))
            .or_else(|| foreign(device, block_size));
        // What is marked in the first sector may have boot code there that looks like a table.
        let is_taken = marked.is_some_and(|it| it.is_first);
        let mbr = (!is_taken)
            .then(|| mbr::read(device, block_size).ok().flatten())
            .flatten();
        let is_protective =
            |ranges: &[Range]| ranges.iter().any(|it| it.purpose == mbr::PROTECTIVE);
        let (name, mut ranges, is_alone) = match (gpt, mbr) {
            (Some((_, gpt)), Some(mbr)) if !mbr.is_empty() && !is_protective(&mbr) => {
                (Some("MBR and GPT"), [mbr, gpt].concat(), false)
            }
            (Some((name, gpt)), _) => (Some(name), gpt, is_own && !is_taken),
            // File systems leave room for boot code, which ends as a table does.
            (None, Some(mbr)) if !mbr.is_empty() || marked.is_none() => (Some("MBR"), mbr, false),
            (None, _) => (None, Vec::new(), false),
        };
        ranges.sort_by_key(|it| it.start);
        Self {
            name,
            ranges,
            is_gpt_alone: is_alone,
        }
    }
}

/// Name and partitions of a GPT that was written while the disk had blocks of another size: behind
/// another adapter, or before it was formatted anew.
fn foreign(device: &File, block_size: u64) -> Option<(&'static str, Vec<Range>)> {
    let (name, block_size) = match block_size {
        4096 => ("GPT for blocks of 512", 512),
        _ => ("GPT for blocks of 4096", 4096),
    };
    Some((name, guid::read(device, block_size)?))
}
