//! Where a disk is attached.

use std::path::Path;

/// Where the disk called `name` is attached whose folder in `/sys/block` is `folder`: the path of buses
/// and ports that leads to it, without the numbers that Linux gives in the order in which it finds
/// things, so that it is the same at the next start. Of a disk with several paths, the first of them;
/// of a namespace of `NVMe`, its number is the end.
pub(crate) fn place(name: &str, folder: &Path, namespace: Option<&str>) -> String {
    let target = std::fs::read_link(folder).unwrap_or_default();
    let target = target.to_string_lossy();
    let place = match first_controller(name, folder) {
        Some(controller) => steps(name, &controller),
        None => steps(name, &target),
    };
    match namespace {
        Some(number) if !place.is_empty() => format!("{place}/namespace {number}"),
        _ => place,
    }
}

/// Where the first controller lies that an `NVMe` disk with several paths is reached through.
fn first_controller(name: &str, folder: &Path) -> Option<String> {
    let disk = std::fs::canonicalize(folder).ok()?;
    let subsystem = disk.parent()?;
    let is_subsystem = subsystem.file_name()?.to_str()?.starts_with("nvme-subsys");
    if !(is_subsystem && name.starts_with("nvme")) {
        return None;
    }
    let entries = std::fs::read_dir(subsystem).ok()?.flatten();
    let links = entries.filter(|it| is_counted(&it.file_name().to_string_lossy()));
    let paths = links.filter_map(|it| std::fs::canonicalize(it.path()).ok());
    let paths = paths.map(|it| it.to_string_lossy().into_owned());
    let devices = paths.filter_map(|it| Some(it.split_once("/sys/devices/")?.1.to_owned()));
    devices.min()
}

/// Whether Linux made up this part of a path by counting.
fn is_counted(part: &str) -> bool {
    let kind = part.trim_end_matches(|c: char| c.is_ascii_digit());
    ["host", "nvme", "virtio"].contains(&kind) && kind != part
}

fn steps(name: &str, target: &str) -> String {
    let parts = target.split('/').filter(|part| {
        let is_step = ["", "..", "devices", "block", name].contains(part);
        !(is_counted(part) || is_step || part.starts_with("target"))
    });
    // Host, channel, target and unit of a SCSI device: hosts are counted, too.
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    let parts = parts.map(|part| match part.split_once(':') {
        Some((host, rest)) if is_number(host) && rest.split(':').all(is_number) => rest,
        _ => part,
    });
    parts.collect::<Vec<_>>().join("/")
}
