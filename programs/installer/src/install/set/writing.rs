//! What is written to the partitions, and how: each in the way that its contents can be compared afterwards.

use std::path::Path;

use common::digest::sha256;
use common::problem::Problem;

use super::super::boot_entry::{Refusal, Variables};
use super::super::disk_error;
use super::super::esp::{self, Wanted};
use super::super::load_option::LoadOption;
use super::super::sparse::Sparse;
use super::super::system::{self, FALLBACK};
use super::list::Role;
use super::places::of;
use super::plan::Plan;
use super::{grow as ext4, proof};
use crate::hardware::Disk;

/// Bytes that receipt and log take at most: room for them is looked for beforehand.
const MOST_FACTS: usize = 32 << 10;

/// The EFI system partition: drawn anew where it is our own, or our files among those of others.
pub(super) struct Esp {
    image: Option<Sparse>,
}

impl Esp {
    /// Draws it, or looks whether our files can be put into the one that is there. Writes nothing.
    pub(super) fn draw(plan: &Plan, is_install: bool, disk: &Disk) -> Result<Self, Problem> {
        if plan.has_own_esp && (is_install || is_beyond_repair(plan)) {
            let image = Some(drawn(plan, &plan.files)?);
            return Ok(Self { image });
        }
        let facts = "x".repeat(MOST_FACTS / 2);
        let files = plan.files_with(&facts, &facts);
        let wanted = wanted(plan, &files, plan.is_folder_ours);
        // An old receipt, which stays for now, is not what this one will be.
        let wanted = if plan.is_folder_ours {
            wanted
        } else {
            Wanted {
                files: &plan.files,
                ..wanted
            }
        };
        esp::judge(&plan.device, &plan.esp, wanted, &disk.name)?;
        Ok(Self { image: None })
    }

    /// Bytes that are drawn.
    pub(super) fn touched(&self) -> u64 {
        self.image.as_ref().map_or(0, Sparse::touched)
    }

    /// Writes it.
    pub(super) fn write(
        &self,
        plan: &Plan,
        disk: &str,
        done: &mut dyn FnMut(u64),
    ) -> Result<(), Problem> {
        let Some(image) = &self.image else {
            let wanted = wanted(plan, &plan.files, plan.is_folder_ours);
            return esp::put(&plan.device, &plan.esp, wanted, disk).map(drop);
        };
        image
            .write_to(&plan.device, plan.esp.start, done)
            .and_then(|()| plan.device.flush())
            .map_err(|error| disk_error::of_disk("Writing to", disk, error))
    }

    /// Compares what was drawn with what the disk has; files among those of others were compared as they were put.
    pub(super) fn compare(
        &self,
        plan: &Plan,
        disk: &str,
        done: &mut dyn FnMut(u64),
    ) -> Result<(), Problem> {
        let Some(image) = &self.image else {
            return Ok(());
        };
        let differs = image
            .differs_from(&plan.device, plan.esp.start, done)
            .map_err(|error| disk_error::of_disk("Reading from", disk, error))?;
        match differs {
            None => Ok(()),
            Some(offset) => Err(disk_error::unlike(disk, &plan.esp.name, offset)),
        }
    }

    /// Has these files in it: only what differs is written.
    pub(super) fn rewrite(
        &mut self,
        plan: &Plan,
        disk: &str,
        files: &[(String, Vec<u8>)],
    ) -> Result<(), Problem> {
        let Some(before) = &self.image else {
            return esp::put(&plan.device, &plan.esp, wanted(plan, files, true), disk).map(drop);
        };
        let image = drawn(plan, files)?;
        let changes = Self {
            image: Some(image.changes_since(before)),
        };
        changes.write(plan, disk, &mut |_| {})?;
        changes.compare(plan, disk, &mut |_| {})?;
        self.image = Some(image);
        Ok(())
    }
}

fn wanted<'a>(plan: &'a Plan, files: &'a [(String, Vec<u8>)], is_ours: bool) -> Wanted<'a> {
    Wanted {
        folder: &plan.set.folder,
        files,
        is_ours,
    }
}

fn drawn(plan: &Plan, files: &[(String, Vec<u8>)]) -> Result<Sparse, Problem> {
    let files: Vec<_> = files
        .iter()
        .map(|(path, content)| (path.clone(), content.as_slice()))
        .collect();
    system::draw(&plan.esp, plan.device.block_size(), &files).map_err(|error| {
        Problem::new(
            format!("The boot loader does not fit its partition: {error}."),
            "The medium is damaged: write it again, or build it again.",
        )
    })
}

/// Whether our own EFI system partition holds no file system, or another fallback, which is never replaced among
/// files of others.
fn is_beyond_repair(plan: &Plan) -> bool {
    let mut window = plan.device.window(plan.esp.start, plan.esp.size);
    if !crate::untrusted::holds_fat(&mut window, plan.esp.size) {
        return true;
    }
    let fallback = plan.files.iter().find(|(path, _)| path == FALLBACK);
    fallback.is_some_and(|(path, content)| {
        let found = system::read_file(&plan.device, &plan.esp, path);
        !found.is_ok_and(|it| it == *content)
    })
}

/// Writes `core.img`, which its partition holds from its start on.
pub(super) fn core(plan: &Plan, disk: &str) -> Result<(), Problem> {
    let Some(bios) = of(&plan.spots, Role::Bios) else {
        return Ok(());
    };
    let (device, start) = (&plan.device, bios.place.start);
    let same = device.read_back(start, plan.core.len());
    if same.is_ok_and(|it| it == plan.core) {
        return Ok(());
    }
    device
        .write_at(start, &plan.core)
        .and_then(|()| device.flush())
        .map_err(|error| disk_error::of_disk("Writing to", disk, error))
}

/// Gives the last file system all the room of its partition, once what was written is known to be right.
pub(super) fn grow(root: &Path, plan: &Plan, disk: &str) -> Result<(), Problem> {
    let growing = plan.set.growing();
    let spot = plan.spots.last().map(|it| &it.place);
    let (Some(place), Some(content)) = (spot, growing.and_then(|it| it.content.as_ref())) else {
        return Ok(());
    };
    let found = proof::content(plan, disk, place, content.bytes, &mut |_| {})?;
    if found.sha256 != content.sha256 {
        return Err(disk_error::unlike(disk, &place.name, place.start));
    }
    ext4::grow(root, (&plan.device, disk), place)
}

/// Tells the firmware of what is installed: beside other systems, as the last of all. Returns the entry's name.
pub(super) fn boot_entry(root: &Path, plan: &Plan, option: &LoadOption) -> Result<String, Refusal> {
    let variables = Variables::of(root);
    if plan.others.is_empty() {
        variables.install(option)
    } else {
        variables.append(option)
    }
}

/// SHA-256 of `core.img` as it is written.
pub(super) fn core_digest(plan: &Plan) -> String {
    sha256(&plan.core)
}
