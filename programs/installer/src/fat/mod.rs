//! Adds files to a FAT volume, and changes those that are its own: on one that was just made, on
//! somebody's stick, which may be hostile or damaged, and on the partition that other systems start from.
//! None of these must be worse afterwards.
//!
//! A volume on which anything is not as it should be is refused before a byte of it is written.
//! Clusters that nobody has are filled first, then the tables say whose they are, and what makes them
//! visible comes last: a stick that is pulled out in between has lost nothing that was on it.
//!
//! Microsoft FAT Specification (2005), whose sections are named here. What is written here is read
//! by the `fatfs` crate.

mod check;
mod draft;
mod folder;
mod record;
mod shape;
mod space;
mod stamp;
mod table;
mod update;
mod volume;

pub(crate) use draft::{Node, tree};
pub(crate) use shape::MOST_READ;
pub(crate) use stamp::Stamp;
pub(crate) use update::Change;
pub(crate) use volume::Volume;

#[cfg(test)]
pub(crate) mod tests;

use std::io;

/// The error of a volume that is not as it should be; `what` is a part of a sentence.
fn damaged(what: &str) -> io::Error {
    io::Error::other(format!(
        "its file system is damaged, {what}: let a computer repair it"
    ))
}
