//! Answer files, and people who come in between.

use installer::answers::Ending;
use installer::hardware::{Bus, Disk, Hardware, Volume};
use installer::install::{Address, Task};
use installer::state::{Cause, Effect, Event, Key, Origin, State, next};

use crate::support::states::{self, after, hardware, named, press};
use crate::{UP, key, scanned, step};

/// Seconds until the file is followed, and whether a disk fits.
fn left(state: &State) -> (bool, u8) {
    match state {
        State::Unattended(unattended) => (unattended.chosen.is_ok(), unattended.left),
        other => panic!("{}", other.name()),
    }
}

/// Welcome on a machine, when a file with these answers turns up.
fn found(hardware: &Hardware, text: &str) -> State {
    let found = Event::Answers(Ok(states::plan_of(text)));
    after(states::welcome(hardware.clone()), [found])
}

/// Answers that name no disk: any that is as fast and as large as the first.
const ANY: &str = "version = 1\ntask = \"install\"\n[disk]\nbus = \"NVMe\"\n\
                   erase_any_matching = true\nerase_foreign_data = true\n";

#[test]
fn an_answer_file_is_followed_after_ten_seconds() {
    let found = Event::Answers(Ok(states::plan()));
    let mut state = after(named("welcome").unwrap(), [found]);
    for seconds in (1..=10).rev() {
        assert_eq!(left(&state), (true, seconds));
        let (next, effect) = next(state, Event::Second);
        assert_eq!(effect.is_some(), seconds == 1);
        if let Some(effect) = effect {
            let Effect::Install(request) = effect else {
                panic!("{effect:?}");
            };
            assert_eq!(request.disk, hardware().disks[0]);
            assert_eq!(request.task, Task::Install);
        }
        state = next;
    }
    let State::Progress(work) = state else {
        panic!("{}", state.name());
    };
    assert!(matches!(work.origin, Origin::AnswerFile(_)));
}

#[test]
fn the_list_of_disks_is_still_for_longer_where_any_disk_may_be_erased() {
    let countdown = |text: &str, seconds| format!("countdown_seconds = {seconds}\n{text}");
    let rows = [
        (states::ANSWERS.to_owned(), 10),
        (countdown(states::ANSWERS, 5), 5),
        (countdown(states::ANSWERS, 60), 60),
        (ANY.to_owned(), 20),
        (countdown(ANY, 5), 20),
        (countdown(ANY, 60), 60),
        (
            ANY.replace("erase_any_matching = true", "erase = \"S6Z2NJ0TB04321A\""),
            10,
        ),
        (
            ANY.replace("bus = \"NVMe\"", "wwn = \"eui.0025385b21404321\""),
            10,
        ),
    ];
    for (text, seconds) in rows {
        assert_eq!(left(&found(&hardware(), &text)), (true, seconds), "{text}");
    }
}

#[test]
fn a_name_that_more_disks_may_have_names_none() {
    const SERIAL: &str = "serial = \"S6Z2NJ0TB04321A\"";
    const WWN: &str = "wwn = \"eui.0025385b21404321\"";
    const PLACEHOLDER: &str = "wwn = \"naa.5000000000000001\"";
    const LINUX: &str = "wwn = \"nvme.144d-1\"";
    let rows = [
        (Bus::Nvme, SERIAL, true),
        (Bus::Nvme, WWN, true),
        (Bus::Nvme, PLACEHOLDER, false),
        (Bus::Nvme, LINUX, false),
        (Bus::Usb, SERIAL, false),
        (Bus::Usb, WWN, false),
    ];
    for (bus, name, is_named) in rows {
        let mut machine = hardware();
        machine.disks[0].bus = bus;
        if let Some(wwn) = name.strip_prefix("wwn = ") {
            machine.disks[0].wwn = Some(wwn.trim_matches('"').to_owned());
        }
        let text = ANY.replace("bus = \"NVMe\"", name);
        let expected = if is_named { 10 } else { 20 };
        assert_eq!(
            left(&found(&machine, &text)),
            (true, expected),
            "{bus} {name}"
        );
        machine.silent = vec!["USB device 2-1:1.0".to_owned()];
        assert_eq!(left(&found(&machine, &text)).0, is_named, "{bus} {name}");
    }
    let mut bridge = hardware();
    bridge.disks[0].bus = Bus::Usb;
    let erase = ANY.replace(
        "bus = \"NVMe\"\nerase_any_matching = true",
        &SERIAL.replace(
            "serial",
            "bus = \"USB\"\nremovable = true\nmin_size = \"1 TB\"\nerase",
        ),
    );
    assert_eq!(left(&found(&bridge, &erase)), (true, 20));
}

#[test]
fn any_change_of_the_list_makes_time_start_again() {
    let begun = || after(found(&hardware(), ANY), vec![Event::Second; 15]);
    assert_eq!(left(&begun()), (true, 5));
    assert_eq!(left(&after(begun(), [scanned(&hardware())])), (true, 5));
    let changes: [fn(&mut Hardware); 6] = [
        // One that the rule is not about, and that somebody has looked at.
        |it| {
            it.disks.push(Disk {
                name: "sdx".to_owned(),
                ..it.disks[1].clone()
            });
        },
        |it| drop(it.disks.remove(1)),
        |it| it.disks[1].volume = Volume::Silent,
        |it| it.disks[1].contents = None,
        |it| it.silent.clear(),
        |it| it.events += 1,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut other = hardware();
        change(&mut other);
        let expected = if number == 4 { 5 } else { 20 };
        assert_eq!(
            left(&after(begun(), [scanned(&other)])),
            (true, expected),
            "{number}"
        );
    }
    // What would make the rule ambiguous is waited for, however long it takes to be known.
    let changes: [fn(&mut Hardware); 2] = [
        |it| it.pending = vec!["NVMe controller nvme1".to_owned()],
        |it| it.disks[1].volume = Volume::Unread,
    ];
    for change in changes {
        let mut busy = hardware();
        change(&mut busy);
        let state = after(begun(), [scanned(&busy)]);
        let state = after(state, vec![Event::Second; 100]);
        assert_eq!(left(&state), (true, 20));
        let state = after(state, [scanned(&hardware())]);
        assert_eq!(left(&after(state, vec![Event::Second; 19])), (true, 1));
    }
}

#[test]
fn a_disk_that_turns_up_late_counts() {
    let state = after(found(&hardware(), ANY), vec![Event::Second; 19]);
    let mut more = hardware();
    let late = Disk {
        name: "nvme1n1".to_owned(),
        ..more.disks[0].clone()
    };
    more.disks.insert(
        1,
        Disk {
            serial: None,
            wwn: None,
            ..late
        },
    );
    let state = after(state, [scanned(&more)]);
    assert_eq!(left(&state), (false, 13));
    let (refused, effect) = next(after(state, vec![Event::Second; 12]), Event::Second);
    assert_eq!((refused.name(), effect), ("Error", None));
}

#[test]
fn what_does_not_answer_makes_a_rule_ambiguous_that_names_no_disk() {
    let mut silent = hardware();
    silent.silent = vec!["USB device 2-1:1.0".to_owned()];
    let state = found(&silent, ANY);
    let State::Unattended(unattended) = &state else {
        panic!("{}", state.name());
    };
    assert_eq!(
        unattended.chosen.clone().unwrap_err().message,
        "nvme0n1 fits the answer file, but so may what does not answer: USB device 2-1:1.0."
    );
    assert_eq!(left(&found(&silent, states::ANSWERS)), (true, 10));
}

#[test]
fn events_that_bring_no_disk_are_not_waited_for_for_ever_and_a_list_that_never_rests_neither() {
    let mut noisy = hardware();
    let mut state = found(&hardware(), ANY);
    let mut seconds = 0;
    while state.name() == "Unattended" {
        noisy.events += 1;
        state = after(state, [scanned(&noisy), Event::Second]);
        seconds += 1;
    }
    assert_eq!((state.name(), seconds), ("Progress", 139));
    let mut state = found(&hardware(), ANY);
    let mut seconds = 0;
    while state.name() == "Unattended" {
        let mut restless = hardware();
        restless.disks[1].sequence = seconds;
        state = after(state, [scanned(&restless), Event::Second]);
        seconds += 1;
    }
    let State::Error(failure) = &state else {
        panic!("{}", state.name());
    };
    let Cause::Answers { refused, .. } = &failure.cause else {
        panic!("{failure:?}");
    };
    assert_eq!(seconds, 900);
    assert_eq!(
        refused.problems[0].message,
        "The disks of this computer did not come to rest in 900 seconds."
    );
}

#[test]
fn a_second_file_that_turns_up_late_counts_too() {
    let state = after(found(&hardware(), ANY), vec![Event::Second; 15]);
    let same = Event::Answers(Ok(states::plan_of(ANY)));
    assert_eq!(left(&after(state.clone(), [same])), (true, 5));
    let other = Event::Answers(Ok(states::plan()));
    assert_eq!(left(&after(state.clone(), [other])), (true, 10));
    let two = Event::Answers(Err(states::refused()));
    assert_eq!(step(state, two), ("Error", None));
}

#[test]
fn the_receipt_is_told_what_the_wizard_shows() {
    let mut poor = hardware();
    poor.machine.memory = 512 << 20;
    let again = format!("{}replace_installation = true\n", states::AGAIN);
    let rows = [
        (
            states::ANSWERS,
            "It erased what was on the disk: EFI (FAT32) (EFI System Partition), ext4 (boot), LVM member.",
        ),
        (&again, "It replaced Example 0.1.0, and erased its data."),
    ];
    for (text, erased) in rows {
        let text = format!("ignore_requirements = true\n{text}");
        let state = after(found(&poor, &text), vec![Event::Second; 10]);
        let State::Progress(work) = &state else {
            panic!("{}", state.name());
        };
        let memory = "It has less than 1 GiB of memory.";
        assert_eq!(work.request.warnings, [memory, erased]);
    }
}

#[test]
fn a_finished_installation_is_started_instead_of_erased() {
    let refused = after(found(&hardware(), states::AGAIN), vec![Event::Second; 13]);
    let State::Error(failure) = &refused else {
        panic!("{}", refused.name());
    };
    assert_eq!(failure.ending, Some((Ending::StartInstalled, 10)));
    let waited = after(refused.clone(), vec![Event::Second; 9]);
    let start = Some(Effect::StartInstalled(Box::new(
        hardware().disks[1].clone(),
    )));
    for (state, event) in [(waited, Event::Second), (refused.clone(), key('s'))] {
        let (asked, effect) = next(state, event);
        assert_eq!(effect, start);
        assert!(!asked.counts_seconds(), "it is asked once");
        let words = "Example is started from sda.".to_owned();
        let State::Exit(exit) = after(asked.clone(), [Event::Starting(Ok(words.clone()))]) else {
            panic!("it is not left");
        };
        assert_eq!((exit.power_off, exit.last_words), (false, Some(words)));
        // A firmware that does not take part is no reason to restart, and meet the same again.
        let stays = after(asked, [Event::Starting(Err(states::not_started()))]);
        let State::Error(failure) = &stays else {
            panic!("{}", stays.name());
        };
        assert_eq!(failure.ending, Some((Ending::PowerOff, 10)));
    }
    let stopped = after(refused, [UP]);
    assert!(!stopped.counts_seconds());
    assert_eq!(next(named("error-answers").unwrap(), key('s')).1, None);
}

#[test]
fn a_volume_that_may_have_been_meant_is_told_while_it_is_there() {
    let why = || Some(states::of_other_label());
    let almost = |state: &State| match state {
        State::Welcome(welcome) => welcome.almost.clone(),
        other => panic!("{}", other.name()),
    };
    let told = after(named("welcome").unwrap(), [Event::NoAnswers(why())]);
    assert_eq!(almost(&told), why());
    assert_eq!(almost(&after(told.clone(), [Event::NoAnswers(None)])), None);
    // A file that is right is followed all the same, or told in its place.
    let found = || Event::Answers(Ok(states::plan()));
    assert_eq!(step(told.clone(), found()), ("Unattended", None));
    let attended = after(told, [UP, found()]);
    assert_eq!(almost(&attended), None);
}

#[test]
fn somebody_who_is_there_comes_before_an_answer_file() {
    let found = || Event::Answers(Ok(states::plan()));
    let welcome = || named("welcome").unwrap();
    let passed_over = |state: &State| match state {
        State::Welcome(welcome) => welcome.passed_over.clone(),
        other => panic!("{}", other.name()),
    };
    assert_eq!(passed_over(&welcome()), None);
    let source = Some(states::plan().source);
    let unattended = after(welcome(), [found()]);
    for key in [Key::Esc, Key::Enter, Key::Char(' '), Key::Up] {
        let taken_over = press(unattended.clone(), [key]);
        assert_eq!(passed_over(&taken_over), source);
        // And it does not start again.
        assert_eq!(step(taken_over, found()), ("Welcome", None));
    }
    for keys in [
        vec![Key::Up],
        vec![Key::Char('r')],
        vec![Key::Char('t'), Key::Esc],
    ] {
        let attended = press(welcome(), keys);
        // It is looked for, to say that it is there.
        assert!(attended.wants_answers().is_some());
        for found in [found(), Event::Answers(Err(states::refused()))] {
            assert_eq!(passed_over(&after(attended.clone(), [found])), source);
        }
    }
    for (name, state) in states::all() {
        if !name.starts_with("welcome") && !name.starts_with("unattended") {
            assert_eq!(next(state.clone(), found()), (state, None), "{name}");
        }
    }
}

#[test]
fn an_answer_file_waits_for_its_disk() {
    let mut without = hardware();
    without.disks.remove(0);
    let found = Event::Answers(Ok(states::plan()));
    let waiting = after(states::welcome(without.clone()), [found, Event::Second]);
    assert_eq!(left(&waiting), (false, 12));
    assert_eq!(
        left(&after(waiting.clone(), [scanned(&without)])),
        (false, 12)
    );
    let here = after(waiting.clone(), [scanned(&hardware())]);
    assert_eq!(left(&here), (true, 10));
    let gone = after(here, [Event::Second, scanned(&without)]);
    assert_eq!(left(&gone), (false, 13));
    let refused = after(waiting, vec![Event::Second; 12]);
    let State::Error(failure) = refused else {
        panic!("{}", refused.name());
    };
    assert!(matches!(failure.cause, Cause::Answers { .. }));
    assert_eq!(failure.ending, Some((Ending::PowerOff, 10)));
}

#[test]
fn endings_come_by_themselves_unless_somebody_is_there() {
    let rows = [("unattended-done", 5, false), ("error-answers", 10, true)];
    for (name, seconds, power_off) in rows {
        let state = named(name).unwrap();
        assert!(state.counts_seconds(), "{name}");
        let before = after(state.clone(), vec![Event::Second; seconds - 1]);
        assert_eq!(before.name(), state.name());
        let State::Exit(exit) = after(before, [Event::Second]) else {
            panic!("{name} does not end");
        };
        assert_eq!(exit.power_off, power_off);
        let stopped = after(state.clone(), [UP]);
        assert!(!stopped.counts_seconds(), "{name}");
        let later = after(stopped, vec![Event::Second; 60]);
        assert_eq!(later.name(), state.name());
    }
}

#[test]
fn an_answer_file_that_was_refused_can_be_mended() {
    let refused = named("error-answers").unwrap();
    let (again, effect) = next(refused.clone(), key('r'));
    assert_eq!(
        (again.name(), effect),
        ("Welcome", Some(Effect::FindAnswers))
    );
    assert!(again.wants_answers().is_some());
    assert_eq!(step(refused, key('b')), ("Welcome", None));
}

#[test]
fn a_failed_unattended_installation_ends_as_the_file_says() {
    let found = Event::Answers(Ok(states::plan()));
    let state = after(named("welcome").unwrap(), [found]);
    let state = after(state, vec![Event::Second; 10]);
    let state = after(state, [Event::Finished(Err(states::failure()))]);
    let State::Error(failure) = &state else {
        panic!("{}", state.name());
    };
    assert_eq!(failure.ending, Some((Ending::PowerOff, 10)));
    let (retried, effect) = next(state.clone(), key('r'));
    assert!(matches!(effect, Some(Effect::Install(_))));
    assert_eq!(retried.name(), "Progress");
    assert_eq!(step(state, key('b')), ("Welcome", None));
}

#[test]
fn a_disk_without_room_for_what_is_asked_for_is_refused_before_anything_is_written() {
    let mut small = hardware();
    small.disks[0].size = 8_000_000_000;
    let mut plan = states::plan();
    plan.answers.settings.data_partitions = 8;
    let state = after(states::welcome(small), [Event::Answers(Ok(plan))]);
    let State::Unattended(unattended) = &state else {
        panic!("{}", state.name());
    };
    let refusal = unattended.chosen.clone().unwrap_err();
    let reason =
        "it cannot be used: it has room for 6 data partitions beside what is reserved, not 8.";
    assert!(refusal.message.ends_with(reason), "{}", refusal.message);
}

#[test]
fn what_nobody_may_have_meant_is_refused_until_the_file_says_it() {
    let mut poor = hardware();
    poor.machine.memory = 512 << 20;
    let mut newer = hardware();
    let contents = newer.disks[1].contents.as_mut().unwrap();
    contents.earlier.as_mut().unwrap().version = Some("0.2.0".to_owned());
    let mut unknown = hardware();
    let contents = unknown.disks[1].contents.as_mut().unwrap();
    contents.earlier.as_mut().unwrap().version = None;
    let keep = |task| format!("version = 1\ntask = \"{task}\"\n[disk]\nbus = \"SATA\"\n");
    let rows = [
        (
            &poor,
            states::ANSWERS.to_owned(),
            "ignore_requirements = true",
        ),
        (&newer, keep("keep-data"), "allow_downgrade = true"),
        (&newer, keep("repair-boot"), "allow_downgrade = true"),
        (&unknown, keep("repair-boot"), "allow_downgrade = true"),
    ];
    for (hardware, text, key) in rows {
        let State::Unattended(refused) = found(hardware, &text) else {
            panic!("it waits for a while");
        };
        let refusal = refused.chosen.unwrap_err();
        assert!(refusal.hint.contains(key), "{refusal}");
        let State::Unattended(allowed) = found(hardware, &format!("{key}\n{text}")) else {
            panic!("it counts down");
        };
        assert!(allowed.chosen.is_ok(), "{key}");
    }
    let State::Unattended(same) = found(&hardware(), &keep("keep-data")) else {
        panic!("it counts down");
    };
    assert!(same.chosen.is_ok());
}

#[test]
fn settings_that_a_file_does_not_name_stay() {
    let state = after(found(&hardware(), states::CHANGE), vec![Event::Second; 20]);
    let State::Progress(work) = &state else {
        panic!("{}", state.name());
    };
    let settings = &work.request.settings;
    assert_eq!(work.request.task, Task::ChangeSettings);
    assert_eq!(
        (&*settings.host_name, &*settings.node_name),
        ("example", "node-7")
    );
    assert_eq!(settings.address, Address::Dhcp);
}
