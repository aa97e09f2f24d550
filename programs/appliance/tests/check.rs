//! `check` on machines with all kinds of disks.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use appliance::data::{CheckResult, DataState};
use support::Machine;
use uuid::Uuid;

const HERE: Uuid = Uuid::from_u128(1);
const OTHER: Uuid = Uuid::from_u128(2);

fn link(machine: &Machine, name: &str) -> Option<PathBuf> {
    fs::read_link(machine.path("run/example").join(name)).ok()
}

#[test]
fn the_data_of_the_disk_that_was_booted_is_checked_and_linked() {
    for block in [512, 4096] {
        let machine = Machine::new();
        machine.disk("sda", OTHER, block, &["EXAMPLE_DATA"]);
        machine.disk(
            "vda",
            HERE,
            block,
            &["EXAMPLE_DATA", "EXAMPLE_DATA2", "swap"],
        );
        machine.booted_from(HERE);
        machine.check();
        let state = DataState::read(machine.root());
        assert_eq!(state.disk.as_deref(), Some("vda"));
        assert_eq!(state.problem, None);
        let labels: Vec<_> = state
            .partitions
            .iter()
            .map(|it| it.label.as_str())
            .collect();
        assert_eq!(labels, ["EXAMPLE_DATA", "EXAMPLE_DATA2"]);
        assert!(
            state
                .partitions
                .iter()
                .all(|it| it.result == CheckResult::Clean)
        );
        assert_eq!(state.partitions[0].output, "vda2: clean, 14/65536 files");
        assert_eq!(link(&machine, "data-device"), Some("/dev/vda2".into()));
        assert_eq!(link(&machine, "data2-device"), Some("/dev/vda3".into()));
        assert!(machine.path("data").is_dir() && machine.path("data2").is_dir());
        let device = machine.path("dev/vda2");
        let call = format!("e2fsck -p {}\n", device.display());
        assert!(
            machine.read("calls").starts_with(&call),
            "{}",
            machine.read("calls")
        );
    }
}

#[test]
fn the_only_disk_is_taken_even_if_nothing_says_that_it_was_booted() {
    let machine = Machine::new();
    machine.disk("nvme0n1p", HERE, 512, &["EXAMPLE_DATA"]);
    machine.check();
    assert_eq!(link(&machine, "data-device"), Some("/dev/nvme0n1p2".into()));
    // Once more, as after a crash: the same again.
    machine.check();
    assert_eq!(link(&machine, "data-device"), Some("/dev/nvme0n1p2".into()));
}

#[test]
fn what_e2fsck_says_decides() {
    let rows = [
        (
            "echo repaired things; exit 1",
            CheckResult::Repaired,
            Some(1),
            "repaired things",
        ),
        (
            "echo out; echo 'RUN fsck MANUALLY' >&2; exit 4",
            CheckResult::Damaged,
            Some(4),
            "out RUN fsck MANUALLY",
        ),
        (
            "echo no device; exit 8",
            CheckResult::Unchecked,
            Some(8),
            "no device",
        ),
        // A damaged superblock: only the closer look goes by its copies.
        (
            "[ $1 = -nf ] || { echo bad magic; exit 8; }; echo trying backup; exit 12",
            CheckResult::Damaged,
            Some(12),
            "trying backup",
        ),
        // What could not be repaired is not good because a closer look, which repairs nothing, is content.
        (
            "[ $1 = -p ] || exit 0; echo no memory; exit 8",
            CheckResult::Unchecked,
            Some(8),
            "no memory",
        ),
        ("kill -9 $$", CheckResult::Unchecked, None, ""),
    ];
    for (script, result, exit_code, output) in rows {
        let machine = Machine::new();
        machine.disk("sda", HERE, 512, &["EXAMPLE_DATA", "EXAMPLE_DATA2"]);
        machine.booted_from(HERE);
        machine.write("e2fsck.sda2", script);
        machine.check();
        let state = DataState::read(machine.root());
        let first = &state.partitions[0];
        assert_eq!((first.result, first.exit_code), (result, exit_code));
        assert_eq!(first.output, output);
        assert_eq!(link(&machine, "data-device").is_some(), result.is_good());
        assert!(link(&machine, "data2-device").is_some());
    }
}

#[test]
fn of_many_words_the_first_and_the_last_are_kept() {
    let machine = Machine::new();
    machine.disk("sda", HERE, 512, &["EXAMPLE_DATA"]);
    machine.booted_from(HERE);
    let script =
        "echo first; for n in $(seq 20000); do echo inode $n is bad; done; echo last; exit 4";
    machine.write("e2fsck.sda2", script);
    machine.check();
    let output = &DataState::read(machine.root()).partitions[0].output;
    assert!(
        output.starts_with("first inode 1 is bad inode 2"),
        "{output}"
    );
    assert!(output.ends_with("inode 20000 is bad last"), "{output}");
    assert!(output.contains(" ... ") && output.len() < 600, "{output}");
    // Of a closer look, which does not stop at the first thing, the first ones.
    machine.write(
        "e2fsck.sda2",
        &script.replace("exit 4", "[ $1 = -nf ] && exit 4; exit 8"),
    );
    machine.check();
    let output = &DataState::read(machine.root()).partitions[0].output;
    assert!(
        output.starts_with("first inode 1 is bad inode 2"),
        "{output}"
    );
    assert!(output.ends_with(" ...") && output.len() < 400, "{output}");
}

/// What the quick check takes for clean, and the kernel does not.
#[test]
fn what_did_not_mount_is_looked_at_again_and_nothing_else() {
    let machine = Machine::new();
    machine.disk("sda", HERE, 512, &["EXAMPLE_DATA", "EXAMPLE_DATA2"]);
    machine.booted_from(HERE);
    machine.check();
    machine.mounted(&["data", "data2"]);
    let calls = machine.read("calls");
    machine.recheck();
    assert_eq!(machine.read("calls"), calls);

    machine.mounted(&["data"]);
    machine.recheck();
    let device = machine.path("dev/sda3");
    let again = format!("e2fsck -nf {}\n", device.display());
    assert_eq!(machine.read("calls"), calls + &again);
    let state = DataState::read(machine.root());
    assert_eq!(state.partitions[1].result, CheckResult::Clean);

    machine.write("e2fsck.sda3", "echo no root folder; exit 12");
    machine.recheck();
    let state = DataState::read(machine.root());
    let results: Vec<_> = state.partitions.iter().map(|it| it.result).collect();
    assert_eq!(results, [CheckResult::Clean, CheckResult::Damaged]);
    assert_eq!(
        state.problem(&[]).unwrap().message,
        "EXAMPLE_DATA2 on sda3 is damaged, and repairing it by itself could lose data. e2fsck \
         says: no root folder."
    );
    let serial = machine.read("dev/ttyS0");
    let doing = "example: Data: checking all of EXAMPLE_DATA2 on sda3\r\n";
    assert!(serial.contains(doing), "{serial}");
}

#[test]
fn without_a_check_there_is_nothing_to_look_at_again() {
    let machine = Machine::new();
    machine.recheck();
    assert_eq!(machine.read("calls"), "");
    assert!(!machine.path("run/example/data.state").exists());
}

#[test]
fn a_link_of_an_earlier_check_does_not_outlive_the_damage() {
    let machine = Machine::new();
    machine.disk("sda", HERE, 512, &["EXAMPLE_DATA"]);
    machine.booted_from(HERE);
    machine.check();
    machine.write("e2fsck.sda2", "exit 4");
    machine.check();
    assert_eq!(link(&machine, "data-device"), None);
}

#[test]
fn without_e2fsck_nothing_is_linked() {
    let machine = Machine::new();
    machine.disk("sda", HERE, 512, &["EXAMPLE_DATA"]);
    machine.booted_from(HERE);
    fs::remove_file(machine.path("usr/sbin/e2fsck")).unwrap();
    machine.check();
    let state = DataState::read(machine.root());
    assert_eq!(state.partitions[0].result, CheckResult::Unchecked);
    let output = &state.partitions[0].output;
    assert!(
        output.starts_with("e2fsck cannot be run: No such file"),
        "{output}"
    );
    assert_eq!(link(&machine, "data-device"), None);
}

#[test]
fn two_disks_that_could_be_meant_are_refused() {
    let machine = Machine::new();
    machine.disk("sda", HERE, 512, &["EXAMPLE_DATA"]);
    machine.disk("sdb", OTHER, 512, &["EXAMPLE_DATA"]);
    machine.check();
    let problem = DataState::read(machine.root()).problem.unwrap();
    assert!(
        problem.message.starts_with("sda and sdb all have"),
        "{}",
        problem.message
    );
    assert_eq!(link(&machine, "data-device"), None);
    assert_eq!(machine.read("calls"), "");
}

#[test]
fn two_paths_to_the_disk_that_was_booted_are_one_disk() {
    let machine = Machine::new();
    for name in ["sda", "sdb"] {
        machine.disk(name, HERE, 512, &["EXAMPLE_DATA"]);
        let folder = format!("sys/devices/pci/{name}");
        for (file, text) in [
            ("wwid", "naa.600a0980383034\n"),
            ("serial", "80304C\n"),
            ("size", "32768\n"),
        ] {
            machine.write(&format!("{folder}/{file}"), text);
        }
        let link = machine.path("sys/block").join(name);
        fs::remove_file(&link).unwrap();
        // As it is attached: through a port of a storage network.
        let port = format!("sys/devices/pci/rport-{name}");
        fs::create_dir_all(machine.path(&port)).unwrap();
        std::os::unix::fs::symlink(machine.path(&folder), machine.path(&port).join(name)).unwrap();
        std::os::unix::fs::symlink(format!("../devices/pci/rport-{name}/{name}"), link).unwrap();
    }
    machine.booted_from(HERE);
    machine.check();
    let state = DataState::read(machine.root());
    assert_eq!(state.problem, None);
    assert_eq!(state.disk.as_deref(), Some("sda"));
    assert_eq!(link(&machine, "data-device"), Some("/dev/sda2".into()));
}

#[test]
fn a_disk_that_comes_late_is_waited_for() {
    let machine = Machine::new();
    machine.booted_from(HERE);
    let mut check = machine.appliance("check").spawn().unwrap();
    std::thread::sleep(Duration::from_millis(400));
    assert!(check.try_wait().unwrap().is_none());
    machine.disk("sda", HERE, 512, &["EXAMPLE_DATA"]);
    assert!(check.wait().unwrap().success());
    assert_eq!(DataState::read(machine.root()).disk.as_deref(), Some("sda"));
    let serial = machine.read("dev/ttyS0");
    let expected = "example: Example 1.2.0\r\nexample: Data: looking for the disk\r\n\
        example: Data: checking EXAMPLE_DATA on sda2\r\n";
    assert_eq!(serial, expected);
}
