//! `appliance first`: the first start of a disk that was not installed to, but holds an image: the data grow to the
//! end of the disk, and the machine gets what no image can have, an identity and its settings.
//!
//! An image has all that the installer makes, but for `metadata/node.toml`. That is written last of all, and
//! whole or not at all: a start that is cut off before begins again at the next, and any later one changes nothing.
//!
//! | module | owns |
//! | --- | --- |
//! | `growth`, `table` | the last partition and its file system, which is mounted; the GPT |
//! | `platform` | what the platform says: firmware, volumes, discs |
//! | `told` | which of that becomes the machine's settings |
//! | `outcome` | what people are told of all that |

mod growth;
mod outcome;
mod platform;
mod table;
mod told;

use std::fs;
use std::io;
use std::path::Path;

use common::disks::{Device, ask_serial};
use common::machine;
use common::node_toml::{Disk, NodeToml};
use common::problem::Problem;
use common::settings::wanted;
use common::text::decimal_size;

pub use outcome::Outcome;

use crate::config;
use crate::console::Console;
use crate::data::DataState;
use crate::mounts::{Mount, mount};
use crate::os_release;
use crate::page::Page;
use crate::settings::{left, replace};
use growth::Growth;
use platform::Sources;

/// What is there of a system that has been started: a node that has written something, or had another
/// configuration.
const TRACES: [&str; 3] = ["data/wal", "data/snapshots", "data/metadata/node.toml.old"];

/// Does what the first start of an image needs on the machine below `root`, whose data are mounted. Does nothing
/// at any later start. Fails if it cannot write below `/run`.
pub fn run(root: &Path) -> io::Result<()> {
    let state = DataState::read(root);
    // No image is encrypted: such data were installed.
    let Some(disk) = state.disk.as_ref().filter(|_| state.is_plain()) else {
        return Ok(());
    };
    if !is_first(root, disk) {
        return Ok(());
    }
    let mut console = Console::open(root);
    console.show(&Page {
        title: os_release::name(root),
        rows: vec![("Data", format!("first start on {disk}"))],
        problems: Vec::new(),
    });
    let outcome = start(root, &state, disk);
    outcome.log();
    outcome.write(root)
}

/// Whether the data of `disk`, mounted below `root`, are those of an image that nobody has started. Data whose
/// `node.toml` is lost are a node's, and are not taken for new.
fn is_first(root: &Path, disk: &str) -> bool {
    let is_new = |trace: &&str| match fs::read_dir(root.join(trace)) {
        Ok(mut folder) => folder.next().is_none(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    };
    let is_missing = |path: &str| {
        let found = fs::symlink_metadata(root.join(path));
        found.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    };
    // The installer has a configuration for this disk: it is taken, and no other one made.
    let is_configured = || left(root, disk).is_ok_and(|file| wanted(&file, "").is_some());
    is_missing(config::FILE)
        && mount(root, "data") == Mount::Writable
        && TRACES.iter().all(is_new)
        && !is_configured()
}

/// Grows the data, and makes the configuration.
fn start(root: &Path, state: &DataState, disk: &str) -> Outcome {
    let grown = match growth::grow(root, disk) {
        Ok(grown) => grown,
        Err(reason) => {
            return Outcome {
                problems: vec![Problem::new(
                    format!("The data cannot grow to the end of {disk}: {reason}."),
                    "Start the machine again. If that does not help, write the image to another disk.",
                )],
                ..Outcome::default()
            };
        }
    };
    let sources = Sources::find(root);
    let told = told::choose(sources);
    match make(root, state, disk, &told) {
        Ok(()) => Outcome {
            said: Some(format!("{}, {}", size(grown), told.said)),
            passed_over: told.passed_over,
            problems: told.problems,
        },
        Err(error) => Outcome {
            problems: vec![Problem::new(
                format!("/{} cannot be made: {error}.", config::FILE),
                "Start the machine again. If that does not help, write the image to another disk.",
            )],
            ..Outcome::default()
        },
    }
}

fn size(grown: Growth) -> String {
    let Growth { before, after } = grown;
    if before == after {
        return format!("data have all of the disk, {}", decimal_size(after));
    }
    let (before, after) = (decimal_size(before), decimal_size(after));
    format!("data grown from {before} to {after}")
}

/// Writes `metadata/node.toml`, durably.
fn make(root: &Path, state: &DataState, disk: &str, told: &told::Told) -> io::Result<()> {
    let mut id = [0; 16];
    growth::random(&mut id)?;
    let id = id
        .iter()
        .fold(String::new(), |id, byte| format!("{id}{byte:02x}"));
    let device = Device::read(root, disk);
    let serial = device.as_ref().and_then(|it| it.serial.clone());
    let labels = state.partitions.iter().map(|it| it.label.clone());
    let node = NodeToml::new(
        &id,
        &machine::identity(root)?,
        &told.settings,
        Disk {
            model: device.map(|it| it.model).unwrap_or_default(),
            serial: serial.or_else(|| ask_serial(root, disk)),
            data: labels.collect(),
        },
    );
    let text = toml::to_string(&node).map_err(io::Error::other)?;
    replace(&root.join(config::FILE), &text)
}

#[cfg(test)]
mod tests;
