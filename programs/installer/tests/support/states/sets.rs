//! A medium that carries a set of partitions, and machines with room for it.

use std::sync::Arc;

use installer::answers;
use installer::hardware::{Beside, Carried, Esp, Firmware, Hardware, Piece, Role, Room};
use installer::install::{Failure, Report, Stage, Task};

use installer::state::{Event, Key, Plan, Purpose, State};

use super::super::set_earlier;
use super::{after, disk, failure, findings, hardware, press, report, typing, welcome};

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
        title: "Store System 2.1".to_owned(),
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
        named: Vec::new(),
        begun: Vec::new(),
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

/// The same machine with the set on its first disk.
pub fn set_machine_installed(unfinished: bool) -> Hardware {
    let mut hardware = set_machine();
    set_earlier(&mut hardware.disks[0], unfinished, !unfinished);
    let contents = hardware.disks[0].contents.as_mut().unwrap();
    let earlier = contents.earlier.as_mut().unwrap();
    earlier.version = (!unfinished).then(|| "2.1".to_owned());
    hardware
}

/// What verifying says where what starts a set is not right, or another stage where it failed.
pub fn failed_in(stage: Stage) -> Event {
    Event::Finished(Err(Failure {
        stage,
        message: "What is on nvme0n1 would not start as it should. STORE_BOOT: /grub/grub.cfg starts nothing."
            .to_owned(),
        hint: "Retry; if that does not help, the medium or the disk is damaged.".to_owned(),
        ..failure()
    }))
}

/// Every state that is otherwise with a set of partitions, by name.
pub fn of_a_set() -> Vec<(&'static str, State)> {
    let install = |hardware, down| disk(hardware, Purpose::Install, down);
    let chosen = |hardware, down| press(install(hardware, down), [Key::Enter]);
    let mut taken = set_machine_by_bios();
    let beside = &mut taken.disks[0].contents.as_mut().unwrap().beside;
    beside.has_boot_code = true;
    let installed = || set_machine_installed(false);
    let recover = press(disk(installed(), Purpose::RepairBoot, 0), [Key::Enter]);
    let validating = press(disk(installed(), Purpose::Validate, 0), [Key::Enter]);
    let validated = Event::Validated("nvme0n1".to_owned(), findings(true));
    let whole = press(chosen(set_machine(), 0), typing("321a"));
    let scanned = Event::Scanned(Ok(set_machine_installed(true)));
    let failed = [failed_in(Stage::Verify), scanned];
    let failed = after(press(whole, [Key::Enter]), failed);
    let free = press(chosen(set_machine(), 1), typing("321a"));
    let begun = press(free.clone(), [Key::Enter]);
    let report = Report {
        version: "2.1".to_owned(),
        ..report(Task::Install)
    };
    let done = after(begun.clone(), [Event::Finished(Ok(report))]);
    let text = "version = 1\ntask = \"install\"\n[disk]\nbus = \"NVMe\"\ninto = \"free-space\"\n";
    let plan = Plan {
        source: "install.toml on EXAMPLE_CFG".to_owned(),
        answers: answers::parse(text).unwrap(),
    };
    let unattended = after(welcome(set_machine()), [Event::Answers(Ok(plan))]);
    vec![
        ("welcome-set", welcome(set_machine_by_bios())),
        ("tools-set", press(welcome(set_machine()), typing("t"))),
        ("disk-set", install(set_machine(), 0)),
        ("disk-set-free", install(set_machine(), 1)),
        ("disk-set-free-bios", install(set_machine_by_bios(), 1)),
        ("disk-set-boot-code", chosen(taken, 1)),
        ("disk-set-no-gpt", chosen(set_machine(), 3)),
        ("disk-set-twin", chosen(set_machine_with_twin(), 1)),
        ("confirm-set", chosen(set_machine(), 0)),
        ("confirm-set-free", free),
        ("confirm-set-free-bios", chosen(set_machine_by_bios(), 1)),
        ("confirm-set-recover", recover),
        ("unattended-set-free", unattended),
        ("progress-set-free", begun),
        ("done-set-free", done),
        ("error-set", failed.clone()),
        ("confirm-set-repair", press(failed, typing("p"))),
        ("validate-set-bad", after(validating, [validated])),
    ]
}
