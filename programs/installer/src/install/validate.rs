//! Looks at an installation without writing anything: what Validate shows.

use common::product::product;
use std::path::Path;
use std::rc::Rc;

use ext4_view::Ext4;

use super::boot_entry::Variables;
use super::data::{self, NODE};
use super::device::Device;
use super::layout::{Place, SYSTEM};
use super::payload::startable;
use super::receipt::Receipt;
use super::report::Finding;
use super::system::{self, FALLBACK};
use super::table::Table;
use crate::hardware::Disk;
use common::digest::sha256;

/// Looks at the installation on `disk` of the machine below `root`.
pub(super) fn validate(root: &Path, disk: &Disk) -> Vec<Finding> {
    let device = match Device::open_read_only(root, disk) {
        Ok(device) => Rc::new(device),
        Err(error) => return vec![bad(format!("{} cannot be opened: {error}.", disk.name))],
    };
    let table = match Table::read(&device) {
        Ok(Some(table)) => table,
        Ok(None) => return vec![bad("There is no partition table that can be read.")],
        Err(error) => return vec![bad(format!("{} cannot be read: {error}.", disk.name))],
    };
    let layout = table.layout();
    let mut findings = vec![if table.is_doubled() {
        good("Both partition tables are whole and say the same.")
    } else {
        bad("One of the two partition tables is damaged. Repair boot writes both again.")
    }];
    if !table.is_protected() {
        findings.push(bad(
            "The protective MBR is damaged, so the firmware finds no partition. Repair boot writes \
             it again.",
        ));
    }
    for place in layout
        .places
        .iter()
        .filter(|place| place.name == product().disk.unfinished)
    {
        findings.push(bad(format!(
            "Partition {} is unfinished: an installation was cut off. Install again to finish it.",
            place.number
        )));
    }
    match layout.places.iter().find(|place| place.name == SYSTEM) {
        Some(place) => findings.extend(system_findings(root, &device, place)),
        None => findings.push(bad("There is no partition called EFI.")),
    }
    let data: Vec<&Place> = layout
        .places
        .iter()
        .filter(|it| it.name.starts_with(&product().disk.data))
        .collect();
    if data.is_empty() {
        let name = &product().disk.data;
        findings.push(bad(format!("There is no partition called {name}.")));
    }
    findings.extend(data.iter().map(|place| data_finding(&device, place)));
    findings
}

pub(super) fn good(text: impl Into<String>) -> Finding {
    Finding {
        good: true,
        text: text.into(),
    }
}

pub(super) fn bad(text: impl Into<String>) -> Finding {
    Finding {
        good: false,
        text: text.into(),
    }
}

/// The files that the firmware reads, against the receipt, and its boot entry.
fn system_findings(root: &Path, device: &Rc<Device>, place: &Place) -> Vec<Finding> {
    let mut findings = Vec::new();
    let path = product().receipt();
    let receipt = system::read_file(device, place, &path)
        .ok()
        .and_then(|text| serde_json::from_slice::<Receipt>(&text).ok());
    let Some(receipt) = receipt else {
        findings.push(bad(format!(
            "/{path} cannot be read, so there is nothing to compare with."
        )));
        return findings;
    };
    if !receipt.verified {
        findings.push(bad(
            "The receipt says that the installation was never read back.",
        ));
    }
    for file in &receipt.files {
        let path = file
            .path
            .trim_start_matches(SYSTEM)
            .trim_start_matches(":/");
        findings.push(match system::read_file(device, place, path) {
            Ok(content) if sha256(&content) == file.sha256 => {
                let is_system = receipt.files.first().is_some_and(|it| it.sha256 == file.sha256);
                good(if is_system {
                    format!("/{path} is {} {}, byte for byte.", receipt.product, receipt.system)
                } else {
                    format!("/{path} is what was installed, byte for byte.")
                })
            }
            Ok(content) => bad(format!(
                "/{path} is not what was installed: its SHA-256 is {}. Repair boot writes it again.",
                sha256(&content)
            )),
            Err(error) => {
                bad(format!("/{path} cannot be read: {error}. Repair boot writes it again."))
            }
        });
    }
    findings.push(boot_entry_finding(root, device, place));
    findings
}

pub(super) fn boot_entry_finding(root: &Path, device: &Rc<Device>, place: &Place) -> Finding {
    let variables = Variables::of(root);
    let folder = product().systems();
    let names = system::list(device, place, &folder).unwrap_or_default();
    for name in startable(names) {
        let file = format!("\\{}\\{name}", folder.replace('/', "\\"));
        match variables.find(place.guid, &file) {
            Ok(Some((name, true))) => {
                return good(format!("The firmware starts it first, by {name}."));
            }
            Ok(Some((name, false))) => {
                return bad(format!("The firmware starts something else before {name}."));
            }
            Ok(None) => {}
            Err(error) => {
                return bad(format!(
                    "The firmware's boot entries cannot be read: {error}."
                ));
            }
        }
    }
    bad(format!(
        "The firmware has no boot entry for it and may start it by /{FALLBACK} only."
    ))
}

fn data_finding(device: &Rc<Device>, place: &Place) -> Finding {
    if data::is_encrypted(device, place) {
        return good(format!(
            "{} is encrypted, and its header can be read.",
            place.name
        ));
    }
    let volume: Ext4 = match data::open(device, place) {
        Ok(volume) => volume,
        Err(said) => return bad(format!("{} is damaged: {said}.", place.name)),
    };
    if place.name == product().disk.data
        && !volume.exists(format!("/{NODE}").as_str()).unwrap_or(false)
    {
        return bad(format!("{} has no {NODE}.", place.name));
    }
    good(format!(
        "{} is an ext4 file system that can be read.",
        place.name
    ))
}
