//! Looks at an installation of a set without writing anything: what Validate shows.

use std::path::Path;
use std::rc::Rc;

use super::super::boot_entry::Variables;
use super::super::device::Device;
use super::super::enroll::Enrolment;
use super::super::layout::Place;
use super::super::report::Finding;
use super::super::request::{Request, Settings, Target, Task};
use super::super::system;
use super::super::table::Table;
use super::super::validate::{bad, boot_entry_finding, good};
use super::check::{self, Expected};
use super::facts::{Receipt, receipt_path};
use super::list::{Role, Set};
use super::places::of;
use super::{plan, target};
use crate::hardware::Disk;

/// Looks at the installation on `disk` of the machine below `root`, which the set on this medium tells the
/// partitions of.
pub(super) fn validate(root: &Path, disk: &Disk) -> Vec<Finding> {
    let set = match plan::read_set(root) {
        Ok((set, _)) => set,
        Err(problem) => return vec![bad(problem.message)],
    };
    let device = match Device::open_read_only(root, disk) {
        Ok(device) => Rc::new(device),
        Err(error) => return vec![bad(format!("{} cannot be opened: {error}.", disk.name))],
    };
    let mut found = table_findings(&device);
    let request = Request {
        task: Task::RepairBoot,
        disk: disk.clone(),
        target: Target::WholeDisk,
        settings: Settings::default(),
        encryption: None,
        secure_boot: Enrolment::Leave,
        warnings: Vec::new(),
    };
    let chosen = match target::present(&device, &set, &request) {
        Ok(chosen) => chosen,
        Err(problem) => {
            found.push(bad(problem.message));
            return found;
        }
    };
    let path = receipt_path(&set.folder);
    let receipt = system::read_file(&device, &chosen.esp, &path)
        .ok()
        .and_then(|text| serde_json::from_slice::<Receipt>(&text).ok());
    let Some(receipt) = receipt else {
        found.push(bad(format!(
            "/{path} cannot be read, so there is nothing to compare with. Repair boot writes it again."
        )));
        return found;
    };
    if !receipt.verified {
        found.push(bad(
            "The receipt says that the installation was never read back.",
        ));
    }
    let core = of(&chosen.spots, Role::Bios).map(|it| &it.place.name);
    let core = receipt
        .contents
        .iter()
        .find(|it| Some(&it.partition) == core);
    let files: Vec<(String, String)> = receipt
        .files
        .iter()
        .map(|it| (it.path.clone(), it.sha256.clone()))
        .collect();
    found.extend(check::findings(&Expected {
        root,
        disk,
        device: &device,
        set: &set,
        spots: &chosen.spots,
        esp: &chosen.esp,
        files: &files,
        chain: core
            .filter(|_| receipt.boot_code)
            .map(|it| (None, it.bytes, it.sha256.clone())),
        is_new: false,
    }));
    if plan::is_uefi(root) {
        found.push(if chosen.others.is_empty() {
            boot_entry_finding(root, &device, &chosen.esp)
        } else {
            entry_beside(root, &device, &set, &chosen.esp)
        });
    }
    found
}

/// The firmware's entry of a system that others come before.
fn entry_beside(root: &Path, device: &Rc<Device>, set: &Set, esp: &Place) -> Finding {
    let folder = format!("EFI/{}", set.folder);
    let names = system::list(device, esp, &folder).unwrap_or_default();
    let variables = Variables::of(root);
    let mut entries = names.iter().filter_map(|name| {
        let file = format!("\\{}\\{name}", folder.replace('/', "\\"));
        variables.find(esp.guid, &file).ok().flatten()
    });
    match entries.next() {
        Some((name, _)) => good(format!("The firmware can start it, by {name}.")),
        None => bad("The firmware has no boot entry for it. Repair boot makes one again."),
    }
}

fn table_findings(device: &Rc<Device>) -> Vec<Finding> {
    let Ok(Some(table)) = Table::read(device) else {
        return vec![bad("There is no partition table that can be read.")];
    };
    let mut found = vec![if table.is_doubled() {
        good("Both partition tables are whole and say the same.")
    } else {
        bad("One of the two partition tables is damaged. Repair boot writes both again.")
    }];
    if !table.is_protected() {
        found.push(bad(
            "The protective MBR is damaged, so the firmware finds no partition. Repair boot writes it again.",
        ));
    }
    found
}
