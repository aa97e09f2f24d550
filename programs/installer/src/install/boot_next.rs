//! Starting what is installed, although the medium comes first in the firmware's order: its boot entry is
//! what the firmware starts next, once. A firmware that has lost the entry gets it again, as by Repair boot.

use common::product::product;
use std::path::Path;
use std::rc::Rc;

use super::boot_entry::{Refusal, Variables};
use super::device::Device;
use super::layout::Place;
use super::load_option::LoadOption;
use super::payload::startable;
use super::system::{self, FALLBACK};
use super::table::Table;
use crate::hardware::{Disk, Problem, Release, natural};

/// What to do where the firmware does not take part.
const HINT: &str = "Take the installation medium away, or choose the disk in the firmware's menu.";

/// Has the firmware start the installation on `disk` next; returns what will happen, as a sentence.
pub(super) fn start_installed(root: &Path, disk: &Disk) -> Result<String, Problem> {
    let name = &disk.name;
    let problem = |why: String| Problem::new(why, HINT);
    let unreadable = |error| problem(format!("{name} cannot be read: {error}."));
    let device = Rc::new(Device::open_read_only(root, disk).map_err(unreadable)?);
    let table = Table::read(&device).map_err(unreadable)?;
    let place = table
        .and_then(|table| place_of(&device, &table))
        .ok_or_else(|| {
            problem(format!(
                "{name} has no partition that firmware starts from."
            ))
        })?;
    let variables = Variables::of(root);
    let files = systems(&device, &place);
    let known = files.iter().find_map(|file| {
        let found = variables.find(place.guid, file).ok()?;
        found.map(|(entry, _)| entry)
    });
    let entry = match known {
        Some(entry) => entry,
        None => make_entry(root, &device, &place, &files).map_err(|it| problem(it.to_string()))?,
    };
    variables.start_next(&entry).map_err(|error| {
        problem(format!(
            "The firmware cannot be told to start {entry} next ({error})."
        ))
    })?;
    tracing::info!(disk = name, entry, "starting what is installed");
    Ok(format!("{} is started from {name}.", product().name))
}

/// The partition that the firmware starts the installation from: the first one of an appliance; of a set of
/// partitions, the one that has its folder, which may be another system's.
fn place_of(device: &Rc<Device>, table: &Table) -> Option<Place> {
    if !product().is_set() {
        let places = table.layout().places.into_iter();
        return places.take(1).find(Place::is_system);
    }
    let mut places = table.efi_places().into_iter();
    places.find(|it| system::list(device, it, &product().systems()).is_ok_and(|it| !it.is_empty()))
}

/// What starts the systems in a partition, the newest first, as a boot entry names it.
fn systems(device: &Rc<Device>, place: &Place) -> Vec<String> {
    let folder = product().systems();
    let mut names = system::list(device, place, &folder).unwrap_or_default();
    names.sort_by_cached_key(|name| natural(name));
    let newest_first = names.into_iter().rev().collect();
    startable(newest_first)
        .into_iter()
        .map(|name| format!("{folder}/{name}"))
        .chain([FALLBACK.to_owned()])
        .map(|path| format!("\\{}", path.replace('/', "\\")))
        .collect()
}

/// Gives the firmware the entry that it has lost.
fn make_entry(
    root: &Path,
    device: &Device,
    place: &Place,
    files: &[String],
) -> Result<String, Refusal> {
    let block = device.block_size();
    let description = Release::read(root).map_or_else(|_| product().name.clone(), |it| it.name);
    let variables = Variables::of(root);
    let option = LoadOption {
        description,
        partition: place.number,
        start: place.start / block,
        blocks: place.size / block,
        guid: place.guid,
        file: files.first().cloned().unwrap_or_default(),
    };
    if product().is_set() {
        variables.append(&option)
    } else {
        variables.install(&option)
    }
}
