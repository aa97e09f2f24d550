//! Repair, where verifying or validating a set of partitions found something wrong.

use installer::hardware::Hardware;
use installer::install::{Stage, Target, Task};
use installer::state::{Effect, Event, Exit, Key, Purpose, State, next};

use crate::support::states::sets::{failed_in, set_machine, set_machine_installed};
use crate::support::states::{self, after, disk, findings, hardware, press, typing};
use crate::{ENTER, key, scanned, step};

const FREE: Target = Target::FreeSpace {
    start: 1404 << 30,
    end: 1862 << 30,
};

/// What is asked for on a machine, which fails in this stage, and what the disks then hold.
fn failed(before: Hardware, purpose: Purpose, down: usize, stage: Stage, now: &Hardware) -> State {
    let asked = press(disk(before, purpose, down), [Key::Enter]);
    let begun = press(press(asked, typing("321a")), [Key::Enter]);
    assert_eq!(begun.name(), "Progress");
    after(begun, [failed_in(stage), scanned(now)])
}

#[test]
fn repair_asks_what_the_disk_needs_and_writes_nothing_before() {
    let (finished, unfinished) = (set_machine_installed(false), set_machine_installed(true));
    let (recover, install) = (Task::RepairBoot, Task::Install);
    let whole = Target::WholeDisk;
    // What was asked for, at which row, where it failed, what is there then, and what Repair asks for.
    let rows = [
        (install, 0, Stage::Verify, &unfinished, (install, whole)),
        (install, 1, Stage::Verify, &unfinished, (install, FREE)),
        (install, 0, Stage::Finish, &finished, (recover, whole)),
        (install, 1, Stage::Finish, &finished, (recover, whole)),
        (recover, 0, Stage::Verify, &finished, (recover, whole)),
        (recover, 0, Stage::BootEntry, &finished, (recover, whole)),
    ];
    for (task, down, stage, now, expected) in rows {
        let before = match task {
            Task::Install => set_machine(),
            _ => finished.clone(),
        };
        let error = failed(before, Purpose::of(task), down, stage, now);
        let (asked, effect) = next(error, key('p'));
        let State::Confirm(confirm) = &asked else {
            panic!("{task:?} {down} {stage:?}: {}", asked.name());
        };
        assert!(!confirm.is_proven() && effect.is_none());
        assert_eq!(step(asked.clone(), ENTER), ("Confirm", None));
        // Another look changes nothing.
        let asked = after(asked, [scanned(now)]);
        let Some(Effect::Install(request)) = next(press(asked, typing("321a")), ENTER).1 else {
            panic!("{task:?} {down} {stage:?}: nothing is asked for");
        };
        assert_eq!((request.task, request.target), expected, "{down} {stage:?}");
        assert_eq!(request.disk.name, "nvme0n1");
    }
}

#[test]
fn a_disk_that_cannot_be_repaired_is_told_and_not_asked_about() {
    let verify = |down, now: &Hardware| {
        let error = failed(set_machine(), Purpose::Install, down, Stage::Verify, now);
        match next(error, key('p')) {
            (State::Disk(choices), None) => choices.notice.unwrap(),
            (State::Error(failure), Some(Effect::ScanAfresh)) => failure.notice.unwrap(),
            (other, effect) => panic!("{} {effect:?}", other.name()),
        }
    };
    let mut gone = set_machine();
    gone.disks.remove(0);
    assert_eq!(
        verify(0, &gone),
        "nvme0n1 is not there. Attach it again, or press B to choose another disk."
    );
    let mut stopped = set_machine_installed(true);
    stopped.disks[0].read_only = true;
    assert_eq!(
        verify(0, &stopped),
        "nvme0n1 cannot be repaired: read-only."
    );
    let mut smaller = set_machine_installed(true);
    let contents = smaller.disks[0].contents.as_mut().unwrap();
    contents.beside.free.as_mut().unwrap()[0].end -= 1 << 20;
    assert_eq!(
        verify(1, &smaller),
        "The space on nvme0n1 is not what it was."
    );
}

#[test]
fn a_set_that_does_not_start_is_not_restarted() {
    // Stage, whether Repair is there, and whether the computer is switched off instead of started again.
    for (stage, has_repair, power_off) in [
        (Stage::Prepare, false, false),
        (Stage::Partition, false, true),
        (Stage::System, false, true),
        (Stage::Verify, true, true),
        (Stage::Finish, true, true),
    ] {
        let now = set_machine_installed(true);
        let error = failed(set_machine(), Purpose::Install, 0, stage, &now);
        let asked = step(error.clone(), key('p'));
        assert_eq!(asked.0 != "Error", has_repair, "{stage:?}");
        let State::Exit(Exit { power_off: off, .. }) = next(error.clone(), key('q')).0 else {
            panic!("Q leaves");
        };
        assert_eq!(off, power_off, "{stage:?}");
        assert_eq!(
            step(error, key('b')),
            ("Disk", Some(Effect::ScanAfresh)),
            "{stage:?}"
        );
    }
    // An appliance is started again, and is repaired by Tools.
    let error = after(states::begun(), [failed_in(Stage::Verify)]);
    assert_eq!(step(error.clone(), key('p')).0, "Error");
    let State::Exit(exit) = next(error, key('q')).0 else {
        panic!("Q leaves");
    };
    assert!(!exit.power_off);
}

#[test]
fn validate_offers_repair_where_something_is_wrong_and_can_be_written() {
    let mut stopped = set_machine_installed(false);
    stopped.disks[0].read_only = true;
    let rows = [
        (set_machine_installed(false), 0, true, "Confirm"),
        (set_machine_installed(false), 0, false, "Validate"),
        (set_machine_installed(true), 0, true, "Validate"),
        (stopped, 0, true, "Validate"),
        (hardware(), 0, true, "Validate"),
    ];
    for (index, (hardware, down, is_bad, expected)) in rows.into_iter().enumerate() {
        let reading = press(disk(hardware, Purpose::Validate, down), [Key::Enter]);
        let State::Validate(validation) = &reading else {
            panic!("{index}: {}", reading.name());
        };
        let name = validation.choices.disk().unwrap().name.clone();
        assert_eq!(step(reading.clone(), key('p')), ("Validate", None));
        let read = after(reading, [Event::Validated(name, findings(is_bad))]);
        let (asked, effect) = next(read, key('p'));
        assert_eq!((asked.name(), effect), (expected, None), "{index}");
        if let State::Confirm(confirm) = &asked {
            assert_eq!(confirm.task, Task::RepairBoot);
            assert_eq!(step(asked.clone(), crate::ESC).0, "Disk");
        }
    }
}
