//! Answer files, `install.toml`: what is the same whoever reads one, the installer or an appliance that starts
//! from an image for the first time. docs/unattended.md is for the people who write one.
//!
//! | module | owns |
//! | --- | --- |
//! | [`document`] | from bytes to tables |
//! | [`keys`], [`settings_keys`] | the keys, and the rules of `[settings]` |
//! | [`for_image`] | what of it counts for an image |
//! | [`table`], [`mistakes`] | how a TOML table is read to its end, and what is wrong with it |
//! | [`unseen`] | other encodings, and characters that are not what they look like |
//! | [`firmware`], [`base64`] | strings in the firmware's SMBIOS table, and how a file fits into one |

pub mod base64;
pub mod document;
pub mod firmware;
pub mod for_image;
pub mod keys;
pub mod mistakes;
mod oem;
pub mod settings_keys;
pub mod table;
pub mod unseen;

use std::fmt;

use crate::product::product;

/// Name of the file, in the root of a file system.
pub const FILE: &str = "install.toml";

/// Names of the file, of which the first counts that is there: an editor that hides what a name ends in
/// adds an end of its own.
pub const NAMES: [&str; 2] = [FILE, "install.toml.txt"];

/// Label of a FAT volume that holds an answer file; small letters are as good.
pub fn label() -> &'static str {
    &product().medium.answers
}

/// The most bytes that an answer file may have.
pub const LARGEST: usize = 64 * 1024;

/// A mistake in an answer file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Line, counted from 1.
    pub line: usize,
    /// The key with its table, such as `disk.serial`; empty where the file is no TOML.
    pub key: String,
    /// What is wrong: a sentence.
    pub message: String,
    /// What to do about it: a sentence.
    pub hint: String,
}

impl fmt::Display for Mistake {
    /// `LINE: KEY: MESSAGE`, without the hint.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            line, key, message, ..
        } = self;
        if key.is_empty() {
            write!(formatter, "{line}: {message}")
        } else {
            write!(formatter, "{line}: {key}: {message}")
        }
    }
}
