//! Where a set goes: a whole disk, a stretch that nobody has, or where it is already.

use std::rc::Rc;

use common::problem::Problem;
use common::product::product;
use gpt::partition::Partition;
use gpt::partition_types::EFI;
use uuid::Uuid;

use super::super::device::Device;
use super::super::disk_error;
use super::super::layout::Place;
use super::super::request::Request;
use super::super::table::{Partitions, Table};
use super::list::{Role, Set};
use super::places::{self, Spot, of};
use super::plan::layout_of;
use crate::untrusted;

/// What was chosen.
pub(super) struct Chosen {
    pub(super) guid: Uuid,
    pub(super) spots: Vec<Spot>,
    pub(super) others: Partitions,
    pub(super) table: Table,
    pub(super) esp: Place,
    pub(super) has_own_esp: bool,
    /// An installation of this set that was begun, or finished, is there.
    pub(super) is_ours: bool,
}

/// The whole disk: nothing of what is there stays.
pub(super) fn whole_disk(
    device: &Device,
    set: &Set,
    seed: &str,
    request: &Request,
) -> Result<Chosen, Problem> {
    let reading = |error| disk_error::of_disk("Reading from", &request.disk.name, error);
    let mut spots = places::whole_disk(set, (device.size(), device.block_size()), seed)
        .map_err(|message| Problem::new(message, "Choose a larger disk."))?;
    let mut layout = layout_of(seed, &spots);
    let there = Table::read(device).map_err(reading)?;
    if let Some((there, table)) =
        there.and_then(|it| Some((in_place(set, &it, &spots, device.block_size())?, it)))
    {
        layout.guid = table.guid();
        layout.places = there.iter().map(|it| it.place.clone()).collect();
        spots = there;
    }
    let table = Table::empty(device, &layout).map_err(reading)?;
    let esp = own_esp(&spots).ok_or_else(|| no_esp(&request.disk.name))?;
    Ok(Chosen {
        guid: layout.guid,
        spots,
        others: Partitions::new(),
        table,
        esp,
        has_own_esp: true,
        is_ours: true,
    })
}

/// The set where it lies already just so as it is `planned`. It keeps its GUIDs: a computer that has no name of its
/// own would give others each time.
fn in_place(set: &Set, table: &Table, planned: &[Spot], block: u64) -> Option<Vec<Spot>> {
    let there = places::found(set, table.partitions(), block).ok()?;
    let lies = |it: &Spot| (it.place.number, it.place.start, it.place.size);
    there
        .iter()
        .map(lies)
        .eq(planned.iter().map(lies))
        .then_some(there)
}

/// The space from `start` to `end`, in which only what is left of an earlier try may lie.
pub(super) fn free_space(
    device: &Rc<Device>,
    set: &Set,
    seed: &str,
    (start, end): (u64, u64),
    request: &Request,
) -> Result<Chosen, Problem> {
    let disk = &request.disk.name;
    let table = read_table(device, disk)?;
    let block = device.block_size();
    let labels = set.partitions.iter().map(|it| it.label.as_str());
    let mut planned: Vec<Uuid> = labels.map(|it| places::guid(seed, it)).collect();
    let there = places::found(set, table.partitions(), block).unwrap_or_default();
    planned.extend(there.iter().map(|it| it.place.guid));
    let is_ours = |it: &Partition| {
        let (from, to) = extent(it, block);
        let is_inside = start <= from && to <= end;
        is_inside && (it.name == product().disk.unfinished || planned.contains(&it.part_guid))
    };
    let is_begun = table.partitions().values().any(is_ours);
    let mut others = table.partitions().clone();
    others.retain(|_, it| !is_ours(it));
    let overlaps = |it: &&Partition| {
        let (from, to) = extent(it, block);
        it.is_used() && from < end && start < to
    };
    if let Some((number, _)) = others.iter().find(|(_, it)| overlaps(it)) {
        return Err(Problem::new(
            format!(
                "The space that was chosen on {disk} is not free any more: partition {number} lies in it."
            ),
            "Go back and choose again.",
        ));
    }
    let foreign = others_esp(device, &others);
    let spots = places::free_space(set, (start, end, block), seed, &others, foreign.is_some())
        .map_err(|message| Problem::new(message, "Choose a larger space, or a whole disk."))?;
    let spots = in_place(set, &table, &spots, block).unwrap_or(spots);
    let has_own_esp = foreign.is_none();
    let esp = foreign
        .or_else(|| own_esp(&spots))
        .ok_or_else(|| no_esp(disk))?;
    Ok(Chosen {
        guid: table.guid(),
        spots,
        others,
        table,
        esp,
        has_own_esp,
        is_ours: is_begun,
    })
}

/// Where it is already, finished.
pub(super) fn present(
    device: &Rc<Device>,
    set: &Set,
    request: &Request,
) -> Result<Chosen, Problem> {
    let disk = &request.disk.name;
    let table = read_table(device, disk)?;
    let spots = places::found(set, table.partitions(), device.block_size()).map_err(|label| {
        Problem::new(
            format!(
                "{disk} holds no finished installation of {}: there is no partition {label} in its place.",
                set.title
            ),
            "Go back and choose another disk, or install to this one.",
        )
    })?;
    if let Some(spot) = spots.iter().find(|it| !table.is_alone(it.place.number)) {
        let number = spot.place.number;
        return Err(Problem::new(
            format!(
                "Partition {number} of {disk} reaches beyond the disk or into another partition."
            ),
            "Go back and choose another disk, or install to this one.",
        ));
    }
    let mut others = table.partitions().clone();
    others.retain(|number, _| spots.iter().all(|it| it.place.number != *number));
    let own = own_esp(&spots);
    let has_own_esp = own.is_some();
    let esp = own
        .or_else(|| others_esp(device, &others))
        .ok_or_else(|| no_esp(disk))?;
    Ok(Chosen {
        guid: table.guid(),
        spots,
        others,
        table,
        esp,
        has_own_esp,
        is_ours: true,
    })
}

fn read_table(device: &Device, disk: &str) -> Result<Table, Problem> {
    let found =
        Table::read(device).map_err(|error| disk_error::of_disk("Reading from", disk, error))?;
    found.filter(|it| !it.is_left_over()).ok_or_else(|| {
        Problem::new(
            format!("{disk} has no GPT, which is required to put a system beside another one."),
            "Choose another disk, or a whole one.",
        )
    })
}

fn no_esp(disk: &str) -> Problem {
    Problem::new(
        format!("{disk} has no EFI system partition that can be used."),
        "Choose a whole disk.",
    )
}

fn own_esp(spots: &[Spot]) -> Option<Place> {
    of(spots, Role::Esp).map(|it| it.place.clone())
}

/// The first EFI system partition of others that holds a FAT file system.
fn others_esp(device: &Rc<Device>, others: &Partitions) -> Option<Place> {
    let block = device.block_size();
    let esps = others
        .iter()
        .filter(|(_, it)| it.part_type_guid.guid == EFI.guid);
    let places = esps.map(|(number, it)| {
        let (start, end) = extent(it, block);
        Place {
            number: *number,
            name: it.name.clone(),
            guid: it.part_guid,
            start,
            size: end.saturating_sub(start),
        }
    });
    let mut found = places.filter(|place| {
        let mut window = device.window(place.start, place.size);
        untrusted::holds_fat(&mut window, place.size)
    });
    found.next()
}

/// First byte, and the first one behind it.
fn extent(entry: &Partition, block: u64) -> (u64, u64) {
    let end = entry.last_lba.saturating_add(1).saturating_mul(block);
    (entry.first_lba.saturating_mul(block), end)
}
