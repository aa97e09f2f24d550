//! A medium that carries a set of partitions: free space as a row of its own, and no settings.

use installer::answers;
use installer::hardware::{Firmware, Hardware, Room};
use installer::install::{Target, Task};
use installer::state::{Effect, Event, Key, Plan, Purpose, State, Tool, next};

use crate::support::set_earlier;
use crate::support::states::sets::{set_machine, set_machine_by_bios, set_machine_with_twin};
use crate::support::states::{after, disk, press, typing, welcome};
use crate::{ENTER, ESC, key, scanned, step};

const FREE: Target = Target::FreeSpace {
    start: 1404 << 30,
    end: 1862 << 30,
};

fn chosen(hardware: Hardware, down: usize) -> State {
    press(disk(hardware, Purpose::Install, down), [Key::Enter])
}

#[test]
fn rows_of_free_space_stand_below_their_disk() {
    // The second free space of the first disk is too small; the second disk has no GPT.
    let rows = [
        (0, "Confirm", "nvme0n1", 0),
        (1, "Confirm", "nvme0n1", 1),
        (2, "Confirm", "sda", 0),
        (3, "Disk", "sda", 1),
        (4, "Disk", "sdb", 0),
        (99, "Disk", "sr0", 0),
    ];
    for (down, expected, name, space) in rows {
        let state = chosen(set_machine(), down);
        let choices = match &state {
            State::Confirm(confirm) => &confirm.choices,
            State::Disk(choices) => choices,
            other => panic!("{down}: {}", other.name()),
        };
        let found = (choices.disk().unwrap().name.as_str(), choices.space);
        assert_eq!((state.name(), found), (expected, (name, space)), "{down}");
    }
    let state = press(disk(set_machine(), Purpose::Install, 3), vec![Key::Up; 2]);
    let State::Disk(choices) = state else {
        panic!("it is the choice of a disk");
    };
    assert_eq!((choices.selected, choices.space), (0, 1));
    // For everything else, disks are what is chosen.
    let State::Disk(choices) = disk(set_machine(), Purpose::Validate, 1) else {
        panic!("it is the choice of a disk");
    };
    assert_eq!((choices.selected, choices.space), (1, 0));
}

#[test]
fn what_was_chosen_is_what_is_installed_to() {
    for (down, target, warnings) in [(0, Target::WholeDisk, 0), (1, FREE, 0)] {
        let proven = press(chosen(set_machine(), down), typing("321a"));
        let (state, effect) = next(proven, ENTER);
        let Some(Effect::Install(request)) = effect else {
            panic!("{} installs nothing", state.name());
        };
        assert_eq!((request.task, request.target), (Task::Install, target));
        assert_eq!(request.warnings.len(), warnings, "{:?}", request.warnings);
    }
    let proven = press(chosen(set_machine_by_bios(), 1), typing("321a"));
    let Some(Effect::Install(request)) = next(proven, ENTER).1 else {
        panic!("it installs nothing");
    };
    assert!(request.warnings[0].starts_with("This computer was started by BIOS, and debian"));
    assert_eq!(step(chosen(set_machine(), 1), ESC), ("Disk", None));
}

#[test]
fn free_space_that_became_another_is_not_installed_to() {
    let mut changed = set_machine();
    let beside = &mut changed.disks[0].contents.as_mut().unwrap().beside;
    let free = beside.free.as_mut().unwrap();
    free[0].end -= 1 << 20;
    let mut gone = set_machine();
    let contents = gone.disks[0].contents.as_mut().unwrap();
    contents.beside.free = Some(vec![Room { start: 0, end: 0 }]);
    let mut coded = set_machine_by_bios();
    let contents = coded.disks[0].contents.as_mut().unwrap();
    contents.beside.has_boot_code = true;
    let is_gone = "The free space of nvme0n1 is not there any more.";
    let has_code =
        "The free space of nvme0n1 cannot be chosen now: boot code of others, which BIOS starts.";
    for (hardware, expected) in [(changed, is_gone), (gone, is_gone), (coded, has_code)] {
        let proven = press(chosen(set_machine(), 1), typing("321a"));
        let State::Disk(choices) = after(proven, [scanned(&hardware)]) else {
            panic!("it is still to be confirmed");
        };
        assert_eq!(choices.notice.as_deref(), Some(expected));
    }
    let proven = press(chosen(set_machine(), 1), typing("321a"));
    let same = after(proven, [scanned(&set_machine())]);
    assert_eq!(step(same, ENTER).0, "Progress");
}

#[test]
fn labels_that_are_taken_are_told_before_anything_is_written() {
    let said = "label is taken, partition 2 of sda is called STORE_ROOT, too; take it away, or give it another \
                label";
    for (down, name) in [(0, "nvme0n1"), (1, "The free space of nvme0n1")] {
        let mut state = disk(set_machine_with_twin(), Purpose::Install, 0);
        state = press(state, vec![Key::Up; 9]);
        state = press(state, vec![Key::Down; down]);
        let State::Disk(choices) = press(state, [Key::Enter]) else {
            panic!("it can be chosen");
        };
        assert_eq!(
            choices.notice.unwrap(),
            format!("{name} cannot be chosen: {said}.")
        );
    }
    // What is erased takes nothing.
    let state = press(
        disk(set_machine_with_twin(), Purpose::Install, 0),
        [Key::Enter],
    );
    assert_eq!(state.name(), "Confirm");
}

#[test]
fn bios_is_no_want_and_tools_are_fewer() {
    let hardware = set_machine_by_bios();
    assert_eq!(hardware.machine.firmware, Firmware::Bios);
    assert_eq!(hardware.unmet(), Vec::<String>::new());
    let State::Tools(tools) = press(welcome(hardware), [Key::Char('t')]) else {
        panic!("there are no tools");
    };
    assert_eq!(
        tools.all(),
        [
            Tool::Disk(Purpose::RepairBoot),
            Tool::Disk(Purpose::Validate),
            Tool::ExportLogs
        ]
    );
    let state = State::Tools(tools);
    assert_eq!(step(state.clone(), key('c')).0, "Tools");
    assert_eq!(step(press(state, [Key::Down]), ENTER).0, "Disk");
}

fn plan(text: &str) -> Event {
    let text = format!("version = 1\ntask = \"install\"\n[disk]\n{text}");
    Event::Answers(Ok(Plan {
        source: "a file".to_owned(),
        answers: answers::parse(&text).unwrap(),
    }))
}

#[test]
fn an_answer_file_installs_into_free_space() {
    let beside = "serial = \"S6Z2NJ0TB04321A\"\ninto = \"free-space\"";
    let run = |hardware: Hardware, text: &str| {
        let mut state = after(welcome(hardware), [plan(text)]);
        for _ in 0..400 {
            let (now, effect) = next(state, Event::Second);
            if let Some(Effect::Install(request)) = effect {
                return Ok((request.target, request.warnings));
            }
            state = now;
            if let State::Error(failure) = &state {
                let installer::state::Cause::Answers { refused, .. } = &failure.cause else {
                    panic!("it failed otherwise");
                };
                return Err(refused.problems[0].message.clone());
            }
        }
        panic!("nothing happens");
    };
    assert_eq!(run(set_machine(), beside), Ok((FREE, Vec::new())));
    let (target, warnings) = run(set_machine_by_bios(), beside).unwrap();
    assert_eq!((target, warnings.len()), (FREE, 1));
    let whole =
        "serial = \"S6Z2NJ0TB04321A\"\nerase_any_matching = true\nerase_foreign_data = true";
    let (target, _) = run(set_machine(), whole).unwrap();
    assert_eq!(target, Target::WholeDisk);
    let refused = |hardware, text, expected: &str| {
        let said = run(hardware, text).unwrap_err();
        assert!(said.contains(expected), "{said}");
    };
    // Where it is installed already: the engine looks whether that is the same, and overwrites nothing.
    let mut installed = set_machine();
    set_earlier(&mut installed.disks[0], false, true);
    let is_there = "it cannot be used: Store System is on it.";
    refused(installed.clone(), beside, is_there);
    let contents = installed.disks[0].contents.as_mut().unwrap();
    let labels = ["BIOSBOOT", "STORE_BOOT", "STORE_ROOT", "STORE_DATA"];
    let named = (1404..).step_by(100).zip(labels).map(|(at, label)| {
        let (start, end) = (at << 30, (at + 100) << 30);
        (label.to_owned(), Room { start, end })
    });
    contents.beside.named = named.collect();
    let there = Target::FreeSpace {
        start: 1404 << 30,
        end: 1804 << 30,
    };
    assert_eq!(run(installed, beside), Ok((there, Vec::new())));
    let other = "serial = \"2CKXYZ7P\"\ninto = \"free-space\"";
    refused(
        set_machine(),
        other,
        "it cannot be used: no GPT, its partition table is MBR.",
    );
    refused(set_machine_with_twin(), beside, "is called STORE_ROOT, too");
    let mut appliance = set_machine();
    appliance.set = None;
    refused(
        appliance,
        beside,
        "Example is installed to whole disks only.",
    );
}
