//! The machine in words.

use crate::hardware::{Disk, Firmware, Hardware, Machine, SecureBoot, Volume, decimal_size};
use crate::install::{Settings, settings_on};

/// The processor, and how many there are.
pub(super) fn processor(machine: &Machine) -> String {
    match machine.processors {
        0 => machine.processor.clone(),
        1 => format!("{}, 1 CPU", machine.processor),
        count => format!("{}, {count} CPUs", machine.processor),
    }
}

/// The memory, in powers of two, as it is sold.
pub(super) fn memory(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    const GIB: u64 = 1 << 30;
    match bytes {
        0 => "unknown".to_owned(),
        1..GIB => format!("{} MiB", bytes / MIB),
        _ => {
            let tenths = (bytes + GIB / 20) / (GIB / 10);
            format!("{}.{} GiB", tenths / 10, tenths % 10)
        }
    }
}

/// Maker and model.
pub(super) fn model(machine: &Machine) -> &str {
    machine.model.as_deref().unwrap_or("unknown")
}

/// How the machine was started, and which firmware it has.
pub(super) fn firmware(machine: &Machine) -> String {
    let mut kind = kind(machine.firmware);
    if let Some(version) = machine.tpm {
        kind = format!("{kind}, TPM {version}");
    }
    match &machine.firmware_version {
        Some(version) => format!("{kind}; {version}"),
        None => kind,
    }
}

fn kind(firmware: Firmware) -> String {
    let Firmware::Uefi { bits, secure_boot } = firmware else {
        return "BIOS (not UEFI)".to_owned();
    };
    let bits = bits.map_or_else(String::new, |bits| format!(", {bits}-bit"));
    let secure_boot = match secure_boot {
        SecureBoot::On => ", Secure Boot on",
        SecureBoot::Off => ", Secure Boot off",
        SecureBoot::Setup => ", Secure Boot off, in setup mode",
        SecureBoot::Unknown => "",
    };
    format!("UEFI{bits}{secure_boot}")
}

/// What the machine was started from.
pub(super) fn started_from(hardware: &Hardware) -> String {
    let Some(volume) = &hardware.boot_volume else {
        return "unknown".to_owned();
    };
    let found: Vec<&str> = hardware
        .disks
        .iter()
        .filter(|disk| hardware.is_boot_medium(disk))
        .map(|disk| disk.name.as_str())
        .collect();
    let unread = |disk: &Disk| disk.volume == Volume::Unread;
    match found.as_slice() {
        [] if hardware.disks.iter().any(unread) => format!("{volume}, looking for it..."),
        [] => format!("{volume}, on none of these disks"),
        names => format!("{volume} on {}", names.join(" and ")),
    }
}

/// How many disks there are, and how many of them can be installed to.
pub(super) fn disks(hardware: &Hardware) -> String {
    let fit = |disk: &&Disk| hardware.obstacle(disk).is_none();
    let fit = hardware.disks.iter().filter(fit).count();
    let fit = match fit {
        0 => "none of which can be installed to".to_owned(),
        1 => "1 can be installed to".to_owned(),
        fit => format!("{fit} can be installed to"),
    };
    match hardware.disks.len() {
        0 => "none was found".to_owned(),
        1 => format!("1 disk, {fit}"),
        count => format!("{count} disks, {fit}"),
    }
}

/// A disk in one line: its name, size, bus and model.
pub(super) fn disk(disk: &Disk) -> String {
    format!(
        "{}: {}, {}, {}",
        disk.name,
        disk.model,
        decimal_size(disk.size),
        disk.bus
    )
}

/// The other disks of a machine, in one line; drives without a medium do not count.
pub(super) fn others(hardware: &Hardware, disk: &Disk) -> String {
    const LISTED: usize = 6;
    let others = hardware.disks.iter();
    let others = others.filter(|it| it.name != disk.name && !it.is_empty());
    let mut texts: Vec<String> = others
        .map(|it| format!("{} ({} {})", it.name, decimal_size(it.size), it.bus))
        .collect();
    if texts.len() > LISTED {
        let more = format!("{} more", texts.len() - LISTED);
        texts.truncate(LISTED);
        texts.push(more);
    }
    match texts.as_slice() {
        [] => "there is no other disk".to_owned(),
        texts => texts.join(", "),
    }
}

/// The serial number of a disk.
pub(super) fn serial(disk: &Disk) -> &str {
    disk.serial.as_deref().unwrap_or("none")
}

/// Which version is on a disk, and which one this medium writes in its place.
pub(super) fn version_change(hardware: &Hardware, disk: &Disk) -> String {
    let written = hardware.version();
    match disk.version() {
        Some(version) if version == written => format!("{version}, as it is now"),
        Some(version) => format!("{version} -> {written}"),
        None => format!("unknown version -> {written}"),
    }
}

/// What changes when a disk gets `settings`, a line each.
pub(super) fn settings_change(disk: &Disk, settings: &Settings) -> Vec<String> {
    let rows = |settings: &Settings| {
        let written = settings.address.written();
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
        [
            ("Host name", settings.host_name.clone()),
            ("Node name", settings.node_name.clone()),
            ("Time server", or_none(settings.time_server.clone())),
            ("Address", written.address),
            ("Gateway", or_none(written.gateway)),
            (
                "Name servers",
                or_none(Some(written.name_servers.join(" ")).filter(|it| !it.is_empty())),
            ),
        ]
    };
    let before = rows(&settings_on(disk).unwrap_or_default());
    let changes = before.into_iter().zip(rows(settings));
    let changes = changes.filter(|(before, after)| before != after);
    let lines: Vec<String> = changes
        .map(|((label, before), (_, after))| format!("{label}: {before} -> {after}"))
        .collect();
    if lines.is_empty() {
        vec!["Nothing.".to_owned()]
    } else {
        lines
    }
}
