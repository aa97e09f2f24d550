//! Answer files, and people who come in between.

use truthdb_installer::answers::Ending;
use truthdb_installer::install::Task;
use truthdb_installer::state::{Cause, Effect, Event, Key, Origin, State, next};

use crate::common::states::{self, after, hardware, named, press};
use crate::{UP, key, scanned, step};

#[test]
fn an_answer_file_is_followed_after_three_seconds() {
    let found = Event::Answers(Ok(states::plan()));
    let mut state = after(named("welcome").unwrap(), [found]);
    for left in [3, 2, 1] {
        let State::Unattended(unattended) = &state else {
            panic!("{}", state.name());
        };
        assert_eq!(unattended.left, left);
        let (next, effect) = next(state, Event::Second);
        assert_eq!(effect.is_some(), left == 1);
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
fn somebody_who_is_there_comes_before_an_answer_file() {
    let found = || Event::Answers(Ok(states::plan()));
    let welcome = || named("welcome").unwrap();
    assert!(welcome().wants_answers().is_some());
    let unattended = after(welcome(), [found()]);
    for key in [Key::Esc, Key::Enter, Key::Char(' '), Key::Up] {
        let taken_over = press(unattended.clone(), [key]);
        assert_eq!(taken_over.name(), "Welcome");
        // And it does not start again.
        assert!(taken_over.wants_answers().is_none());
        assert_eq!(step(taken_over, found()), ("Welcome", None));
    }
    for keys in [
        vec![Key::Up],
        vec![Key::Char('r')],
        vec![Key::Char('t'), Key::Esc],
    ] {
        let attended = press(welcome(), keys);
        assert!(attended.wants_answers().is_none());
        assert_eq!(step(attended, found()), ("Welcome", None));
    }
    for (name, state) in states::all() {
        if !name.starts_with("welcome") {
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
    let left = |state: &State| match state {
        State::Unattended(unattended) => (unattended.chosen.is_ok(), unattended.left),
        other => panic!("{}", other.name()),
    };
    assert_eq!(left(&waiting), (false, 12));
    assert_eq!(
        left(&after(waiting.clone(), [scanned(&without)])),
        (false, 12)
    );
    let here = after(waiting.clone(), [scanned(&hardware())]);
    assert_eq!(left(&here), (true, 3));
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
    let back = after(refused, [key('b')]);
    assert_eq!(back.name(), "Welcome");
    assert!(back.wants_answers().is_none());
}

#[test]
fn a_failed_unattended_installation_ends_as_the_file_says() {
    let found = Event::Answers(Ok(states::plan()));
    let state = after(named("welcome").unwrap(), [found]);
    let state = after(state, vec![Event::Second; 3]);
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
