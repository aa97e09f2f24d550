//! A medium that carries a set of partitions, and machines with room for it.

use std::sync::Arc;

use installer::hardware::{Beside, Carried, Esp, Firmware, Hardware, Piece, Role, Room};

use super::hardware;

/// The set, with so many MiB of its partitions.
pub fn carried(mib: [u64; 5]) -> Arc<Carried> {
    let parts = [
        (Role::Bios, "BIOSBOOT"),
        (Role::Esp, "EFI"),
        (Role::Boot, "STORE_BOOT"),
        (Role::Root, "STORE_ROOT"),
        (Role::Data, "STORE_DATA"),
    ];
    let pieces = parts
        .into_iter()
        .zip(mib)
        .map(|((role, label), mib)| Piece {
            role,
            label: label.to_owned(),
            size: mib << 20,
            grow: role == Role::Data,
        });
    Arc::new(Carried {
        title: "Store System".to_owned(),
        version: "2.1".to_owned(),
        folder: "Store".to_owned(),
        partitions: pieces.collect(),
    })
}

/// The machine that most states are on, from such a medium. On its first disk are another system and room
/// behind it; the second one has no GPT.
pub fn set_machine() -> Hardware {
    let mut hardware = hardware();
    hardware.set = Some(carried([1, 128, 256, 3072, 1024]));
    let gib = |it: u64| it << 30;
    let contents = hardware.disks[0].contents.as_mut().unwrap();
    contents.parts[2].size = gib(1400);
    contents.beside = Beside {
        labels: vec![(Some(2), "boot".to_owned())],
        free: Some(vec![
            Room {
                start: gib(1404),
                end: gib(1862),
            },
            Room {
                start: gib(3),
                end: gib(4),
            },
        ]),
        has_boot_code: false,
        bios_boot: None,
        esp: Some(Esp {
            number: 1,
            systems: vec!["debian".to_owned()],
        }),
    };
    let contents = hardware.disks[1].contents.as_mut().unwrap();
    (contents.table, contents.earlier) = (Some("MBR"), None);
    for part in &mut contents.parts {
        part.label.clear();
    }
    hardware
}

/// The same machine, started by BIOS.
pub fn set_machine_by_bios() -> Hardware {
    let mut hardware = set_machine();
    hardware.machine.firmware = Firmware::Bios;
    hardware
}

/// The same machine with a label of the set on another disk.
pub fn set_machine_with_twin() -> Hardware {
    let mut hardware = set_machine();
    let contents = hardware.disks[1].contents.as_mut().unwrap();
    contents.beside.labels = vec![(Some(2), "STORE_ROOT".to_owned())];
    hardware
}
