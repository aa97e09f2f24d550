//! The last question before a disk is written to.

use installer::install::Task;
use installer::state::{Effect, Input, Key, Purpose, State, next};

use crate::support::set_earlier;
use crate::support::states::{confirm, disk, hardware, press, settings, typing};
use crate::{ENTER, ESC, scanned, step};

#[test]
fn only_the_end_of_the_serial_number_starts() {
    let rows = [
        ("321A", "Progress"),
        ("321a", "Progress"),
        (" 321a ", "Progress"),
        ("", "Confirm"),
        ("1A", "Confirm"),
        ("321", "Confirm"),
        ("4321A", "Confirm"),
        ("321B", "Confirm"),
        ("nvme0n1", "Confirm"),
    ];
    for (typed, expected) in rows {
        let (state, effect) = step(press(confirm(), typing(typed)), ENTER);
        assert_eq!(state, expected, "{typed}");
        assert_eq!(effect.is_some(), expected == "Progress", "{typed}");
    }
    let corrected = press(confirm(), typing("321b"));
    let corrected = press(corrected, [Key::Backspace, Key::Char('a')]);
    assert_eq!(step(corrected, ENTER).0, "Progress");
}

#[test]
fn a_disk_without_a_serial_number_is_named() {
    let with_serial = |serial: Option<&str>, typed| {
        let mut hardware = hardware();
        hardware.disks[0].serial = serial.map(str::to_owned);
        let state = press(
            disk(hardware, Purpose::Install, 0),
            [Key::Enter, Key::Enter],
        );
        step(press(state, typing(typed)), ENTER).0
    };
    assert_eq!(with_serial(None, "nvme0n1"), "Progress");
    assert_eq!(with_serial(None, ""), "Confirm");
    assert_eq!(with_serial(Some(" "), ""), "Confirm");
    assert_eq!(with_serial(Some(" "), "NVME0N1"), "Progress");
    assert_eq!(with_serial(Some("A7"), "a7"), "Progress");
    assert_eq!(with_serial(Some("A7"), "nvme0n1"), "Confirm");
}

#[test]
fn every_task_that_writes_is_confirmed() {
    for (purpose, task) in [
        (Purpose::KeepData, Task::KeepData),
        (Purpose::RepairBoot, Task::RepairBoot),
    ] {
        let state = press(disk(hardware(), purpose, 0), [Key::Enter]);
        let (_, effect) = next(press(state, typing("yz7p")), ENTER);
        let Some(Effect::Install(request)) = effect else {
            panic!("{purpose:?} was confirmed");
        };
        assert_eq!((request.task, request.disk.name.as_str()), (task, "sda"));
    }
}

#[test]
fn a_disk_that_goes_away_takes_its_confirmation_with_it() {
    let mut gone = hardware();
    gone.disks.remove(0);
    let mut swapped = hardware();
    swapped.disks[0].sequence = 99;
    let mut read_only = hardware();
    read_only.disks[0].read_only = true;
    for (changed, word) in [(gone, "gone"), (swapped, "another"), (read_only, "cannot")] {
        for state in [settings(), press(confirm(), typing("321a"))] {
            let (state, effect) = next(state, scanned(&changed));
            let State::Disk(choices) = state else {
                panic!("{word}: {}", state.name());
            };
            assert_eq!(effect, None);
            let notice = choices.notice.unwrap();
            assert!(
                notice.starts_with("nvme0n1 ") && notice.contains(word),
                "{notice}"
            );
        }
    }
    // The same disk elsewhere in the list is still the same.
    let mut moved = hardware();
    moved.disks.rotate_left(1);
    for state in [settings(), press(confirm(), typing("321a"))] {
        let name = state.name();
        assert_eq!(step(state, scanned(&moved)), (name, None));
    }
}

#[test]
fn a_disk_that_turns_out_otherwise_is_asked_about_again() {
    let mut unfinished = hardware();
    set_earlier(&mut unfinished.disks[1], true, true);
    let state = press(
        disk(hardware(), Purpose::Install, 1),
        [Key::Enter, Key::Enter],
    );
    assert_eq!(state.name(), "Confirm");
    assert_eq!(step(state, scanned(&unfinished)), ("Disk", None));
}

#[test]
fn an_older_version_takes_a_word_of_its_own() {
    // A file system that firmware cannot read any more, which Repair boot is for, tells no version.
    let of_version = |version: &str| {
        let mut hardware = hardware();
        let contents = hardware.disks[1].contents.as_mut().unwrap();
        let version = Some(version.to_owned()).filter(|it| it != "unknown");
        contents.earlier.as_mut().unwrap().version = version;
        hardware
    };
    let rows = [
        ("0.0.9", "yz7p", "Progress"),
        ("0.1.0", "yz7p", "Progress"),
        ("0.1.1", "yz7p", "Confirm"),
        ("0.10.0", "downgrade", "Confirm"),
        ("0.10.0", "yz7pdowngrade", "Confirm"),
        ("0.10.0", "yz7p downgrad", "Confirm"),
        ("0.10.0", "yz7p Downgrade", "Progress"),
        ("unknown", "yz7p", "Confirm"),
        ("unknown", "yz7p downgrade", "Progress"),
    ];
    for purpose in [Purpose::KeepData, Purpose::RepairBoot] {
        for (version, typed, expected) in rows {
            let state = press(disk(of_version(version), purpose, 0), [Key::Enter]);
            let found = step(press(state, typing(typed)), ENTER).0;
            assert_eq!(found, expected, "{version} {typed}");
        }
    }
}

#[test]
fn settings_are_changed_from_what_they_are() {
    let list = disk(hardware(), Purpose::ChangeSettings, 0);
    let form = press(list, [Key::Enter]);
    let State::Settings(choices) = &form else {
        panic!("{}", form.name());
    };
    let texts = choices.form.inputs.iter().map(Input::text);
    let texts: Vec<&str> = texts.collect();
    let present = [
        "example",
        "node-1",
        "1",
        "",
        "",
        "",
        "0",
        "",
        "192.0.2.10/24",
        "192.0.2.1",
        "",
    ];
    assert_eq!(texts, present);
    // What cannot change is not even shown: the third field is the time server.
    let written = press(form.clone(), [Key::Down, Key::Down]);
    let question = press(press(written, typing("ntp.example.org")), [Key::Enter]);
    assert_eq!(step(question.clone(), ESC).0, "Settings");
    let (_, effect) = next(press(question, typing("yz7p")), ENTER);
    let Some(Effect::Install(request)) = effect else {
        panic!("{effect:?}");
    };
    assert_eq!(request.task, Task::ChangeSettings);
    assert_eq!(request.settings.host_name, "example");
    assert_eq!(
        request.settings.time_server.as_deref(),
        Some("ntp.example.org")
    );
    // Settings that cannot be read cannot be changed.
    let mut unknown = hardware();
    let contents = unknown.disks[1].contents.as_mut().unwrap();
    contents.earlier.as_mut().unwrap().node = None;
    let list = disk(unknown, Purpose::ChangeSettings, 1);
    assert_eq!(step(list, ENTER), ("Disk", None));
}
