//! Whole installations of a set of partitions, onto files that stand for disks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/set/mod.rs"]
mod support;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

use installer::install::{self, Stage, Target, Task};
use serde_json::{Value, json};

use support::{BIOS, BOOT, DATA, ESP, MIB, Machine, ROOT, SIZE};

const BY_BIOS: &str = "This computer was started by BIOS: it starts the disk by the code in its first sector, and \
                       keeps no boot entry.";

/// What ends a run in the middle.
const CUT: &str = "the power is cut";

#[test]
fn a_set_is_installed_whole_and_a_second_run_writes_nothing() {
    for (block_size, is_uefi) in [(512, true), (512, false), (4096, true)] {
        let machine = Machine::new(block_size, is_uefi);
        let report = machine.run(Task::Install).unwrap();
        assert_eq!(report.warnings, Vec::<String>::new());
        let stages: Vec<Stage> = report.stages.iter().map(|(stage, _)| *stage).collect();
        assert_eq!(stages, Stage::ALL);
        let notes: &[&str] = if is_uefi { &[] } else { &[BY_BIOS] };
        assert_eq!(report.notes, notes);
        assert_eq!(
            report.layout,
            [
                "1  T_BIOS            1.0 MB  boot code for BIOS",
                "2  EFI             276.8 MB  boot loader for UEFI",
                "3  T_BOOT            4.2 MB  kernels and menus",
                "4  T_ROOT            4.2 MB  Toy 1.0",
                "5  T_DATA            6.3 MB  new, for data",
            ]
        );
        assert_eq!(machine.wrong(), Vec::<String>::new());
        let receipt: Value = serde_json::from_str(&report.receipt).unwrap();
        assert_eq!(receipt["verified"], json!(true));
        assert_eq!(
            receipt["firmware"],
            json!(if is_uefi { "uefi" } else { "bios" })
        );
        for line in report.log.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            assert!(
                line["stage"].is_string()
                    && line["message"].is_string()
                    && line["seconds"].is_f64()
            );
        }
        let before = machine.whole();
        machine.is_called_otherwise();
        let again = machine.run(Task::Install).unwrap();
        assert_eq!(
            again.notes[0],
            "All of it was on sda already, byte for byte: nothing was written."
        );
        assert_eq!(again.receipt, report.receipt);
        assert_eq!(machine.whole(), before);
        let variables = fs::read_dir(machine.variables()).map_or(0, Iterator::count);
        assert_eq!(variables, if is_uefi { 3 } else { 0 }, "entry, order, next");
    }
}

/// UEFI specification 2.10, table 5.4, and GRUB's own installer.
#[test]
fn the_first_sector_is_protective_and_leads_to_core_img() {
    for (block_size, is_uefi, has_code) in
        [(512, false, true), (512, true, true), (4096, true, false)]
    {
        let machine = Machine::new(block_size, is_uefi);
        machine.run(Task::Install).unwrap();
        let first = machine.read(0, 512);
        let last = u32::try_from(SIZE / block_size - 1).unwrap().to_le_bytes();
        let entry = [&[0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff, 1, 0, 0, 0][..], &last].concat();
        assert_eq!(first[446..462], entry);
        assert_eq!(
            (&first[462..510], &first[510..]),
            (&[0; 48][..], &[0x55, 0xaa][..])
        );
        let core = machine.read(BIOS, 512);
        if has_code {
            assert_eq!(first[0x5c..0x64], 2048_u64.to_le_bytes());
            assert_eq!(
                (first[0x64], &first[0x66..0x68], first[0]),
                (0xff, &[0x90, 0x90][..], 0xb0)
            );
        } else {
            assert_eq!(first[..440], [0; 440]);
        }
        assert_eq!(
            core[0x1f4..0x1fe],
            [&2049_u64.to_le_bytes()[..], &[4, 0]].concat()
        );
    }
}

#[test]
fn what_cannot_be_is_said_and_nothing_is_written() {
    let machine = Machine::new(4096, false);
    let failure = machine.run(Task::Install).unwrap_err();
    assert_eq!(
        failure.message,
        "This computer was started by BIOS, and GRUB starts no disk with blocks of 4096 bytes, such as sda, from \
         there."
    );
    let machine = Machine::new(512, true);
    let file = fs::File::options()
        .write(true)
        .open(machine.disk_path())
        .unwrap();
    file.set_len(278 * MIB).unwrap();
    let failure = machine.run(Task::Install).unwrap_err();
    assert_eq!(failure.message, "The disk has 278 MiB; Toy needs 279 MiB.");
    file.set_len(SIZE).unwrap();
    let before = machine.whole();
    let target = Target::FreeSpace {
        start: MIB,
        end: SIZE - MIB,
    };
    let failure = machine.run_at(Task::Install, target).unwrap_err();
    let no_gpt = "sda has no GPT, which is required to put a system beside another one.";
    assert_eq!(failure.message, no_gpt);
    for (task, said) in [
        (Task::RepairBoot, no_gpt),
        (
            Task::KeepData,
            "Toy has no such task: it keeps its settings itself.",
        ),
        (
            Task::ChangeSettings,
            "Toy has no such task: it keeps its settings itself.",
        ),
    ] {
        let failure = machine.run(task).unwrap_err();
        assert_eq!(
            (failure.message.as_str(), failure.stage),
            (said, Stage::Prepare)
        );
        assert_eq!(failure.disk, "Nothing was written to sda.");
    }
    assert_eq!(machine.whole(), before);
}

/// A damaged medium is said before anything is written where its file is small, else before the table says that the
/// disk is finished; and a whole medium finishes it.
#[test]
fn a_damaged_medium_never_makes_a_finished_disk() {
    let machine = Machine::new(512, true);
    for (name, is_early) in [
        ("partitions.json", true),
        ("boot.img", true),
        ("core.img", true),
        ("grubx64.efi", true),
        ("grub-esp.cfg", true),
        ("boot.ext4.zst", false),
        ("root.ext4.zst", false),
        ("data.ext4.zst", false),
    ] {
        let path = machine.payload(name);
        let whole = fs::read(&path).unwrap();
        let mut flipped = whole.clone();
        let middle = whole.len() / 2;
        for byte in &mut flipped[middle..middle + 8] {
            *byte = !*byte;
        }
        for damaged in [&flipped[..], &whole[..middle]] {
            fs::write(&path, damaged).unwrap();
            let before = is_early.then(|| machine.whole());
            let failure = machine.run(Task::Install).unwrap_err();
            assert!(
                failure
                    .message
                    .contains(&format!("/payload/{name} of this medium ")),
                "{failure}"
            );
            assert_eq!(failure.stage == Stage::Prepare, is_early, "{failure}");
            assert!(before.is_none_or(|it| it == machine.whole()));
            assert_ne!(machine.wrong(), Vec::<String>::new());
        }
        fs::write(&path, &whole).unwrap();
    }
    machine.run(Task::Install).unwrap();
    assert_eq!(machine.wrong(), Vec::<String>::new());
}

/// The medium is whole, and what it carries would not start.
#[test]
fn what_would_not_start_is_never_called_finished() {
    let rows: [(support::Extra<'_>, support::Extra<'_>, &str); 9] = [
        (
            &[("run/lock", "x")],
            &[],
            "T_ROOT: /run is not empty: it has lock.",
        ),
        (
            &[("var/run", "-> /tmp")],
            &[],
            "T_ROOT: /var/run leads to /tmp, not /run.",
        ),
        (
            &[("etc/machine-id", "0123456789abcdef0123456789abcdef\n")],
            &[],
            "T_ROOT: /etc/machine-id is that of another machine.",
        ),
        (
            &[("etc/passwd", "live:x:1000:1000::/home/live:/bin/sh\n")],
            &[],
            "T_ROOT: /etc/passwd has live, a user of a live system.",
        ),
        (
            &[("store/abc-system/kernel", "-> /store/gone")],
            &[],
            "T_ROOT: /store/abc-system/kernel leads to nothing.",
        ),
        (
            &[("store/abc-system/initrd", "-> /etc/passwd")],
            &[],
            "T_ROOT: /store/abc-system/initrd is not what the menu starts.",
        ),
        (
            &[],
            &[("grub/grub.cfg", "menuentry x {\n linux /boot/vmlinuz\n}\n")],
            "T_BOOT: /grub/grub.cfg names /boot/vmlinuz, which is not there.",
        ),
        (
            &[],
            &[("grub/grub.cfg", "set default=0\n")],
            "T_BOOT: /grub/grub.cfg starts nothing.",
        ),
        (
            &[],
            &[("loader/entries/b.conf", "linux /boot-tree.json\n")],
            "T_BOOT: /loader/entries/b.conf names /boot-tree.json, of which /boot-tree.json says nothing.",
        ),
    ];
    for (in_root, menus, said) in rows {
        let machine = Machine::with(512, true, in_root, menus);
        let failure = machine.run(Task::Install).unwrap_err();
        assert_eq!(failure.stage, Stage::Verify, "{failure}");
        let message = format!("What is on sda would not start as it should. {said}");
        assert_eq!(failure.message, message);
        assert!(
            failure
                .log
                .lines()
                .last()
                .unwrap()
                .contains("would not start")
        );
        assert_ne!(machine.wrong(), Vec::<String>::new());
    }
}

#[test]
fn validate_names_what_was_damaged_and_recover_makes_it_again() {
    let machine = Machine::new(512, false);
    machine.run(Task::Install).unwrap();
    let root_and_data = machine.digest(ROOT, SIZE - MIB);
    let flip = |at: u64| machine.overwrite(at, &[!machine.read(at, 1)[0]]);
    let rows: [(&dyn Fn(), &str); 7] = [
        (
            &|| flip(0x5d),
            "The boot code leads to sector 63232, and core.img lies at 2048.",
        ),
        (
            &|| flip(BIOS + 0x1f4),
            "core.img goes on at sector 2302 by its blocklist, and lies at 2049.",
        ),
        (
            &|| flip(BIOS + 1024),
            "core.img in T_BIOS is not what was installed.",
        ),
        (
            &|| machine.replace(BOOT, "linux /vmlinuz-", "linux /vmlinux-"),
            "T_BOOT: /grub/grub.cfg names /vmlinux-",
        ),
        (&|| flip(BOOT + 1024 + 120), "T_BOOT is damaged: "),
        (
            &|| machine.replace(ESP, "search --label", "search --lavel"),
            "/EFI/Example/grub.cfg of the EFI",
        ),
        (
            &|| machine.overwrite(ESP, &[0; 4096]),
            "/EFI/Example/install-receipt.json cannot be read",
        ),
    ];
    for (damage, said) in rows {
        damage();
        let wrong = machine.wrong();
        assert!(
            wrong.iter().any(|it| it.starts_with(said)),
            "{said}: {wrong:?}"
        );
        machine.run(Task::RepairBoot).unwrap();
        assert_eq!(machine.wrong(), Vec::<String>::new(), "{said}");
        assert_eq!(machine.digest(ROOT, SIZE - MIB), root_and_data);
        // The receipt tells of root and data, too, as long as there is one.
        if !said.contains("install-receipt.json") {
            let before = machine.whole();
            let again = machine.run(Task::Install).unwrap();
            assert!(again.notes[0].ends_with("nothing was written."), "{said}");
            assert_eq!(machine.whole(), before, "{said}");
        }
    }
    // What the medium does not know is not made again.
    machine.say("/entries/0/system", json!("/store/other"));
    let failure = machine.run(Task::RepairBoot).unwrap_err();
    assert_eq!(
        failure.message,
        "The boot files of sda cannot be made again by this medium: T_ROOT has not its system /store/other."
    );
    assert_eq!(failure.stage, Stage::Prepare);
    flip(DATA + 1024);
    let wrong = machine.wrong();
    assert!(
        wrong.iter().any(|it| it.starts_with("T_DATA is damaged: ")),
        "{wrong:?}"
    );
}

/// A cut at each write: what is left never says that it is finished before it is, and the next run finishes it.
#[test]
fn after_a_power_cut_the_next_run_finishes_with_the_same_bytes() {
    let machine = Machine::new(512, false);
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |it| {
        let is_cut = it.payload().downcast_ref::<&str>() == Some(&CUT);
        if !is_cut {
            hook(it);
        }
    }));
    let mut moments = Vec::new();
    let request = machine.request(Task::Install, Target::WholeDisk);
    install::run(machine.path(), &request, &mut |it| moments.push(it.stage)).unwrap();
    let parts = [(0, ESP), (BOOT, SIZE)].map(|(from, to)| machine.digest(from, to));
    for (index, stage) in moments.iter().enumerate() {
        let is_first = index == 0 || moments[index - 1] != *stage;
        if !is_first && index % 9 != 0 {
            continue;
        }
        for at in [0, ESP, BOOT - 4 * MIB, BOOT, ROOT, DATA, SIZE - 4 * MIB] {
            machine.overwrite(at, &vec![0xdd; 4 << 20]);
        }
        let mut count = 0;
        let cut = catch_unwind(AssertUnwindSafe(|| {
            install::run(
                machine.path(),
                &machine.request(Task::Install, Target::WholeDisk),
                &mut |_| {
                    if count == index {
                        std::panic::panic_any(CUT);
                    }
                    count += 1;
                },
            )
        }));
        assert!(cut.is_err());
        assert_ne!(machine.wrong(), Vec::<String>::new(), "{index}: {stage:?}");
        machine.run(Task::Install).unwrap();
        assert_eq!(machine.wrong(), Vec::<String>::new(), "{index}: {stage:?}");
        let found = [(0, ESP), (BOOT, SIZE)].map(|(from, to)| machine.digest(from, to));
        assert_eq!(found, parts, "{index}: {stage:?}");
    }
}
