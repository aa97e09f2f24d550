//! Whether the firmware gets keys: never unless somebody says so.

use installer::hardware::{Hardware, Standing};
use installer::install::Enrolment;
use installer::state::{Cause, Effect, Event, Key, Purpose, State, next};

use crate::support::states::{
    after, disk, hardware, in_setup_mode, plan_of, press, typing, welcome,
};
use crate::{ENTER, ESC, scanned, step};

/// The state after the settings for the first disk.
fn asked(hardware: Hardware) -> State {
    press(disk(hardware, Purpose::Install, 0), [Key::Enter; 2])
}

/// What is enrolled by whoever presses these keys and confirms.
fn enrolled(state: State, keys: &[Key]) -> Enrolment {
    let state = press(state, keys.to_vec());
    let state = press(state, [vec![Key::Enter], typing("321a")].concat());
    let (_, effect) = next(state, ENTER);
    let Some(Effect::Install(request)) = effect else {
        panic!("it was confirmed");
    };
    request.secure_boot
}

#[test]
fn only_whom_somebody_chooses_is_trusted() {
    use Enrolment::{Enroll, EnrollWithFirmware, Leave};
    let rows = [
        (true, &[][..], Leave),
        (true, &[Key::Down], Enroll),
        (true, &[Key::Down, Key::Down], EnrollWithFirmware),
        (true, &[Key::Down; 9], EnrollWithFirmware),
        (true, &[Key::Down, Key::Up, Key::Up], Leave),
        (false, &[Key::Down; 9], Enroll),
    ];
    for (has_others, keys, expected) in rows {
        let state = asked(in_setup_mode(Standing::Wanted, has_others));
        assert_eq!(state.name(), "SecureBoot");
        assert_eq!(enrolled(state, keys), expected, "{keys:?}");
    }
}

#[test]
fn nobody_is_asked_where_the_firmware_takes_no_keys() {
    for standing in [Standing::Enrolled, Standing::Refused] {
        assert_eq!(asked(in_setup_mode(standing, true)).name(), "Confirm");
    }
    assert_eq!(asked(hardware()).name(), "Confirm");
    let hardware = in_setup_mode(Standing::Wanted, true);
    let change = press(
        disk(hardware.clone(), Purpose::ChangeSettings, 0),
        [Key::Enter; 2],
    );
    assert_eq!(change.name(), "Confirm");
    for purpose in [Purpose::KeepData, Purpose::RepairBoot] {
        let state = press(disk(hardware.clone(), purpose, 0), [Key::Enter]);
        assert_eq!(state.name(), "SecureBoot");
        assert_eq!(step(state, ESC).0, "Disk");
    }
}

#[test]
fn the_way_back_leads_past_the_choice_and_keeps_it() {
    let chosen = press(asked(in_setup_mode(Standing::Begun, false)), [Key::Down]);
    let back = press(chosen, [Key::Enter, Key::Esc]);
    let State::SecureBoot(choice) = &back else {
        panic!("{}", back.name());
    };
    assert_eq!(choice.enrolment(), Enrolment::Enroll);
    assert_eq!(step(back, ESC).0, "Settings");
}

/// A choice is worth nothing once the firmware does not take keys any more.
#[test]
fn a_newer_look_at_the_firmware_counts() {
    let chosen = press(asked(in_setup_mode(Standing::Wanted, true)), [Key::Down; 2]);
    let gone = |state: State| after(state, [scanned(&hardware())]);
    assert_eq!(gone(chosen.clone()).name(), "Confirm");
    let question = gone(press(chosen.clone(), [Key::Enter]));
    let (_, effect) = next(press(question, typing("321a")), ENTER);
    let Some(Effect::Install(request)) = effect else {
        panic!("it was confirmed");
    };
    assert_eq!(request.secure_boot, Enrolment::Leave);
    let fewer = in_setup_mode(Standing::Wanted, false);
    let state = after(chosen, [scanned(&fewer)]);
    assert_eq!(
        enrolled(state, &[]),
        Enrolment::Leave,
        "nothing else is chosen instead"
    );
    let mut without = in_setup_mode(Standing::Wanted, true);
    without.disks.remove(0);
    let asked = asked(in_setup_mode(Standing::Wanted, true));
    let state = after(asked, [scanned(&without)]);
    assert_eq!(state.name(), "Disk");
}

#[test]
fn an_answer_file_that_asks_for_keys_is_refused_where_there_are_none_to_enroll() {
    let answers = |word: &str| {
        format!(
            "version = 1\ntask = \"install\"\nsecure_boot = \"{word}\"\n[disk]\nserial = \"S6Z2NJ0TB04321A\"\n\
                 erase = \"S6Z2NJ0TB04321A\"\nerase_foreign_data = true\n"
        )
    };
    let outcome = |hardware: Hardware, word: &str| {
        let found = Event::Answers(Ok(plan_of(&answers(word))));
        let state = after(welcome(hardware), [found]);
        let state = after(state, vec![Event::Second; 12]);
        let (state, effect) = next(state, Event::Second);
        match (state, effect) {
            (State::Progress(work), _) => Ok(work.request.secure_boot),
            (State::Error(failure), _) => match failure.cause {
                Cause::Answers { refused, .. } => Err(refused.problems[0].message.clone()),
                other => panic!("{other:?}"),
            },
            (other, _) => panic!("{}", other.name()),
        }
    };
    let setup = |standing, others| in_setup_mode(standing, others);
    let rows = [
        (hardware(), "leave", Ok(Enrolment::Leave)),
        (
            setup(Standing::Wanted, false),
            "enroll",
            Ok(Enrolment::Enroll),
        ),
        (
            setup(Standing::Begun, false),
            "enroll",
            Ok(Enrolment::Enroll),
        ),
        (
            setup(Standing::Enrolled, false),
            "enroll",
            Ok(Enrolment::Enroll),
        ),
        (
            setup(Standing::Wanted, true),
            "enroll-with-firmware",
            Ok(Enrolment::EnrollWithFirmware),
        ),
        (
            setup(Standing::Wanted, false),
            "enroll-with-firmware",
            Err("The firmware has no keys of its maker that could be kept."),
        ),
        (
            setup(Standing::Refused, true),
            "enroll",
            Err("The firmware is not in setup mode, so it takes no keys."),
        ),
        (
            hardware(),
            "enroll",
            Err("This medium carries no keys that the firmware could get."),
        ),
    ];
    for (hardware, word, expected) in rows {
        assert_eq!(
            outcome(hardware, word),
            expected.map_err(str::to_owned),
            "{word}"
        );
    }
}
