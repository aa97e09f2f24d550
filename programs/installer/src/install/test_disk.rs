//! A disk for tests: a file in the place of its device node.

use std::fs::{self, File};
use std::path::Path;

use crate::hardware::{Bus, Disk, Volume};

/// Makes `dev/sda` below `root`, of `size` zeros, and says what sysfs would say of it.
pub(super) fn disk(root: &Path, size: u64, block_size: u64) -> Disk {
    fs::create_dir_all(root.join("dev")).unwrap();
    let file = File::create(root.join("dev/sda")).unwrap();
    file.set_len(size).unwrap();
    Disk {
        name: "sda".to_owned(),
        model: "ACME Disk".to_owned(),
        serial: None,
        wwn: None,
        bus: Bus::Other,
        place: "pci0000:00/0000:00:04.0".to_owned(),
        device: None,
        size,
        block_size,
        removable: false,
        read_only: false,
        sequence: 0,
        volume: Volume::Other,
        contents: None,
        is_medium: false,
    }
}
