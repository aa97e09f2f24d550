//! Puts a set of partitions on a disk: what a medium says in `partitions.json`, instead of one UKI beside data.
//!
//! | module | owns |
//! | --- | --- |
//! | `list`, `payload` | what the medium says, and its files by their digests |
//! | `target`, `places`, `plan` | where it goes; what is decided before anything is written |
//! | `work`, `writing`, `content`, `grow` | the order of the work; what is written, and how |
//! | `boot_code` | what a BIOS starts |
//! | `proof`, `check` | reading back; whether what is there would start |
//! | `complete` | whether all of it is there already |
//! | `validate`, `facts`, `outcome` | what is said of it, on screens, in the receipt and in the log |

mod boot_code;
mod check;
mod complete;
mod content;
mod facts;
mod grow;
mod list;
mod outcome;
mod payload;
mod places;
mod plan;
mod proof;
mod target;
mod validate;
mod work;
mod writing;

use std::path::Path;

use super::report::{Failure, Finding, Progress, Report};
use super::request::Request;
use crate::hardware::{Disk, Firmware};

/// See [`super::run`].
pub(super) fn run(
    root: &Path,
    request: &Request,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, Failure> {
    work::Work::new(root, request, progress).run()
}

/// See [`super::validate`].
pub(super) fn validate(root: &Path, disk: &Disk) -> Vec<Finding> {
    validate::validate(root, disk)
}

/// See [`super::about_firmware`].
pub(super) fn about_firmware(firmware: Firmware) -> Option<&'static str> {
    (firmware == Firmware::Bios).then_some(outcome::BY_BIOS)
}
