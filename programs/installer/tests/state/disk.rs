//! The choice of a disk, the tools, and the ways back.

use installer::hardware::{Firmware, Hardware, Volume};
use installer::install::Task;
use installer::state::{Effect, Event, Key, Purpose, State, next};

use crate::support::states::{
    self, after, confirm, disk, hardware, named, press, settings, typing,
};
use crate::support::{FakeMachine, NVME, SATA, set_earlier};
use crate::{ENTER, ESC, key, scanned, step};

#[test]
fn tools_are_chosen_by_letter_or_by_arrow() {
    let tools = || press(named("welcome").unwrap(), [Key::Char('t')]);
    let rows = [
        (vec![Key::Char('k')], Some(Purpose::KeepData)),
        (vec![Key::Char('P')], Some(Purpose::RepairBoot)),
        (vec![Key::Char('c')], Some(Purpose::ChangeSettings)),
        (vec![Key::Char('v')], Some(Purpose::Validate)),
        (vec![Key::Enter], Some(Purpose::KeepData)),
        (vec![Key::Down, Key::Enter], Some(Purpose::RepairBoot)),
        (
            vec![Key::Down, Key::Down, Key::Up, Key::Up, Key::Up, Key::Enter],
            Some(Purpose::KeepData),
        ),
        (vec![Key::Char('x')], None),
    ];
    for (keys, expected) in rows {
        let found = match press(tools(), keys.clone()) {
            State::Disk(choices) => Some(choices.purpose),
            _ => None,
        };
        assert_eq!(found, expected, "{keys:?}");
    }
    let export = Some(Effect::ExportLog { except: None });
    assert_eq!(step(tools(), key('e')), ("Tools", export.clone()));
    let last = press(tools(), vec![Key::Down; 9]);
    assert_eq!(step(last, ENTER), ("Tools", export));
    assert_eq!(step(tools(), key('b')), ("Welcome", None));
    assert_eq!(step(tools(), ESC), ("Welcome", None));
}

#[test]
fn only_disks_without_an_obstacle_are_chosen() {
    // nvme0n1 with another system, sda with Example, sdb the boot medium, sdc and sr0 are empty.
    let rows = [
        (
            Purpose::Install,
            [Some("Settings"), Some("Settings"), None, None, None],
        ),
        (Purpose::KeepData, [None, Some("Confirm"), None, None, None]),
        (
            Purpose::RepairBoot,
            [None, Some("Confirm"), None, None, None],
        ),
        (
            Purpose::Validate,
            [None, Some("Validate"), None, None, None],
        ),
    ];
    for (purpose, expected) in rows {
        for (index, expected) in expected.into_iter().enumerate() {
            let state = press(disk(hardware(), purpose, 0), vec![Key::Up; 9]);
            let state = press(state, vec![Key::Down; index]);
            let state = press(state, [Key::Enter]);
            assert_eq!(
                state.name(),
                expected.unwrap_or("Disk"),
                "{purpose:?} {index}"
            );
            if let State::Disk(choices) = state {
                let notice = choices.notice.unwrap();
                assert!(notice.contains(" cannot be chosen: "), "{notice}");
            }
        }
    }
    let empty = disk(FakeMachine::new().scan(&[]), Purpose::Install, 3);
    let State::Disk(choices) = press(empty, [Key::Enter]) else {
        panic!("there is no disk to choose");
    };
    assert_eq!(
        choices.notice.as_deref(),
        Some("There is no disk to choose.")
    );
}

#[test]
fn a_refusal_is_taken_back_once_the_disk_can_be_chosen() {
    let mut unread = hardware();
    let volume = std::mem::replace(&mut unread.disks[1].volume, Volume::Unread);
    let notice = |state: &State| match state {
        State::Disk(choices) => choices.notice.clone(),
        _ => panic!("{}", state.name()),
    };
    let state = press(disk(unread.clone(), Purpose::Install, 1), [Key::Enter]);
    let refused = "sda cannot be chosen: still being looked at.";
    assert_eq!(notice(&state).as_deref(), Some(refused));
    let state = next(state, Event::Scanned(Ok(unread.clone()))).0;
    assert_eq!(notice(&state).as_deref(), Some(refused));
    unread.disks[1].volume = volume;
    let state = next(state, Event::Scanned(Ok(unread))).0;
    assert_eq!(notice(&state), None);
    assert_eq!(press(state, [Key::Enter]).name(), "Settings");
}

#[test]
fn the_reason_says_what_a_tool_needs() {
    let mut hardware = hardware();
    let reason = |hardware: &Hardware, purpose: Purpose| {
        purpose
            .refusal(hardware, &hardware.disks[1])
            .unwrap_or_default()
    };
    set_earlier(&mut hardware.disks[1], true, true);
    for purpose in [Purpose::KeepData, Purpose::RepairBoot] {
        assert_eq!(reason(&hardware, purpose), "");
    }
    assert_eq!(
        reason(&hardware, Purpose::ChangeSettings),
        "unfinished installation"
    );
    set_earlier(&mut hardware.disks[1], true, false);
    assert_eq!(
        reason(&hardware, Purpose::RepairBoot),
        "unfinished installation"
    );
    assert_eq!(
        reason(&hardware, Purpose::KeepData),
        "no data that can be kept"
    );
    assert_eq!(reason(&hardware, Purpose::Validate), "");
    hardware.disks[1].contents = None;
    for purpose in [Purpose::KeepData, Purpose::RepairBoot, Purpose::Validate] {
        assert_eq!(reason(&hardware, purpose), "no Example on it");
    }
    hardware.disks[1].read_only = true;
    assert_ne!(reason(&hardware, Purpose::Install), "");
}

#[test]
fn an_unfinished_installation_is_finished() {
    for (has_data, expected) in [(true, "Confirm"), (false, "Settings")] {
        let mut hardware = hardware();
        set_earlier(&mut hardware.disks[1], true, has_data);
        let state = press(disk(hardware, Purpose::Install, 1), [Key::Enter]);
        assert_eq!(state.name(), expected, "{has_data}");
        if let State::Confirm(confirm) = &state {
            assert_eq!(confirm.task, Task::KeepData);
        }
        assert_eq!(step(state, ESC), ("Disk", None));
    }
}

#[test]
fn back_works_everywhere_before_progress_and_loses_nothing() {
    let mut state = press(settings(), typing("-7"));
    state = press(state, [Key::Enter]);
    let names = ["Confirm", "Settings", "Disk", "Welcome"];
    for (index, name) in names.into_iter().enumerate() {
        assert_eq!(state.name(), name);
        if index == 2 {
            // There and back again: what was written is still there.
            let State::Settings(choices) = press(state.clone(), [Key::Enter]) else {
                panic!("the same disk can be chosen again");
            };
            assert_eq!(choices.form.inputs[0].text(), "example-7");
        }
        state = press(state, [Key::Esc]);
    }
    let tool = disk(hardware(), Purpose::Validate, 0);
    let validating = press(tool.clone(), [Key::Enter]);
    assert_eq!(step(validating, ESC), ("Disk", None));
    assert_eq!(step(tool, ESC), ("Tools", None));
}

#[test]
fn the_chosen_disk_stays_chosen_when_another_appears_before_it() {
    let machine = FakeMachine::new();
    machine.plug(SATA);
    let state = disk(machine.scan(&[]), Purpose::Install, 0);
    machine.plug(NVME);
    let State::Disk(choices) = after(state, [scanned(&machine.scan(&[]))]) else {
        panic!("a scan that succeeds stays in Disk");
    };
    assert_eq!(choices.disk().unwrap().name, "sda");
}

#[test]
fn a_look_that_fails_is_mentioned_where_disks_are_chosen() {
    let state = disk(hardware(), Purpose::Install, 0);
    assert_eq!(
        step(state.clone(), key('r')),
        ("Disk", Some(Effect::ScanAfresh))
    );
    let State::Disk(choices) = after(state, [Event::Scanned(Err(states::problem()))]) else {
        panic!("what was chosen is not lost");
    };
    assert_eq!(choices.notice, Some(states::problem().message));
    let typed = press(confirm(), typing("32"));
    let failed = Event::Scanned(Err(states::problem()));
    assert_eq!(next(typed.clone(), failed), (typed, None));
}

#[test]
fn validate_reads_and_reports() {
    let state = disk(hardware(), Purpose::Validate, 0);
    let (reading, effect) = next(state, ENTER);
    let sda = Box::new(hardware().disks[1].clone());
    assert_eq!(effect, Some(Effect::Validate(sda)));
    assert_eq!(step(reading.clone(), key('r')), ("Validate", None));
    let report = |name: &str| Event::Validated(name.to_owned(), states::findings(false));
    assert_eq!(after(reading.clone(), [report("sdz")]), reading);
    let read = after(reading, [report("sda")]);
    let scroll = |keys: Vec<Key>| match press(read.clone(), keys) {
        State::Validate(validation) => validation.scroll,
        other => panic!("{}", other.name()),
    };
    assert_eq!(scroll(vec![Key::Down, Key::PageDown]), 11);
    assert_eq!(scroll(vec![Key::Down, Key::Up, Key::Up]), 0);
    let (again, effect) = next(read.clone(), key('r'));
    assert!(matches!(effect, Some(Effect::Validate(_))));
    assert!(matches!(again, State::Validate(it) if it.findings.is_none()));
    assert_eq!(step(read, key('b')), ("Disk", None));
}

#[test]
fn an_unfinished_installation_with_data_can_be_erased_too() {
    let mut unfinished = hardware();
    set_earlier(&mut unfinished.disks[1], true, true);
    let list = disk(unfinished, Purpose::Install, 1);
    let anew = press(list.clone(), typing("e"));
    assert_eq!(anew.name(), "Settings");
    let confirm = press(anew.clone(), [Key::Enter]);
    let proven = press(confirm.clone(), typing("yz7p"));
    let (_, effect) = next(proven, ENTER);
    assert!(matches!(effect, Some(Effect::Install(request)) if request.task == Task::Install));
    // A new look at the machine does not change what was asked for, and going back does.
    let State::Confirm(question) = &confirm else {
        panic!("{}", confirm.name());
    };
    let again = after(confirm.clone(), [scanned(&question.choices.hardware)]);
    assert_eq!(again.name(), "Confirm");
    let kept = press(anew, [Key::Esc, Key::Enter]);
    assert!(matches!(kept, State::Confirm(it) if it.task == Task::KeepData));
    // Nowhere else.
    assert_eq!(press(press(list, [Key::Up]), typing("e")).name(), "Disk");
    let tool = disk(hardware(), Purpose::KeepData, 0);
    assert_eq!(press(tool, typing("e")).name(), "Disk");
}

#[test]
fn a_computer_that_lacks_what_is_needed_takes_a_key_of_its_own() {
    let welcome = |change: &dyn Fn(&mut Hardware)| {
        let mut hardware = hardware();
        change(&mut hardware);
        states::welcome(hardware)
    };
    let little = welcome(&|it| it.machine.memory = 512 << 20);
    let bios = welcome(&|it| it.machine.firmware = Firmware::Bios);
    for state in [little, bios] {
        assert_eq!(step(state.clone(), ENTER), ("Welcome", None));
        assert_eq!(step(state, key('i')), ("Disk", None));
    }
    let unknown = welcome(&|it| it.machine.memory = 0);
    assert_eq!(step(unknown, ENTER), ("Disk", None));
}
