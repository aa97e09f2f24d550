//! Every state meets every event that means something there, and nothing is written before
//! Confirm.
#![allow(clippy::unwrap_used, clippy::panic)]

mod confirm;
mod disk;
mod encryption;
mod repair;
mod secure_boot;
mod sets;
mod settings;
#[path = "../support/mod.rs"]
mod support;
mod unattended;
mod work;

use installer::hardware::{Hardware, Problem};
use installer::install::{Stage, Task};
use installer::state::{Cause, Effect, Event, Failure, Key, State, next};
use support::states::{self, after, begun, hardware, named};

const ENTER: Event = Event::Key(Key::Enter);
const ESC: Event = Event::Key(Key::Esc);
const UP: Event = Event::Key(Key::Up);
const DOWN: Event = Event::Key(Key::Down);
const OTHER: Event = Event::Key(Key::Other);

/// A key with a letter on it.
fn key(letter: char) -> Event {
    Event::Key(Key::Char(letter))
}

fn scanned(hardware: &Hardware) -> Event {
    Event::Scanned(Ok(hardware.clone()))
}

fn other_problem() -> Problem {
    Problem::new("It broke again.", "Mend it better.")
}

/// What stands on top of a state in the log, and what is to be done outside.
fn step(state: State, event: Event) -> (&'static str, Option<Effect>) {
    let (state, effect) = next(state, event);
    (state.name(), effect)
}

/// Every event, each with details that no state waits for in particular.
fn every_event() -> Vec<Event> {
    let mut events = vec![
        Event::Settled,
        Event::Second,
        scanned(&hardware()),
        Event::Scanned(Err(states::problem())),
        Event::Answers(Ok(states::plan())),
        Event::Answers(Err(states::refused())),
        Event::NoAnswers(None),
        Event::NoAnswers(Some(states::problem())),
        states::progress(Stage::Data, 200, 9),
        Event::Finished(Ok(states::report(Task::Install))),
        Event::Finished(Err(states::failure())),
        Event::Validated("sda".to_owned(), states::findings(true)),
        Event::Starting(Ok("Example is started from sda.".to_owned())),
        Event::Starting(Err(states::not_started())),
        states::exported(),
    ];
    events.extend((' '..='~').map(key));
    let keys = [
        Key::Enter,
        Key::Esc,
        Key::Tab,
        Key::BackTab,
        Key::Backspace,
        Key::Left,
        Key::Right,
        Key::Up,
        Key::Down,
        Key::Function(1),
        Key::Function(2),
        Key::Other,
    ];
    events.extend(keys.map(Event::Key));
    events
}

#[test]
fn disks_are_written_to_from_three_states_only() {
    for (name, state) in states::all() {
        for event in every_event() {
            let (after, effect) = next(state.clone(), event.clone());
            let Some(Effect::Install(request)) = effect else {
                continue;
            };
            let allowed = match (&state, &event) {
                (State::Confirm(confirm), Event::Key(Key::Enter)) => {
                    confirm.is_proven() && request.disk == confirm.disk
                }
                (State::Unattended(unattended), Event::Second) => {
                    unattended.left == 1 && unattended.chosen.as_ref() == Ok(&request.disk)
                }
                (State::Error(failure), Event::Key(Key::Char('r' | 'R'))) => {
                    matches!(&failure.cause, Cause::Install { request: before, .. }
                        if before.disk.is_same_device(&request.disk) && before.settings == request.settings)
                }
                _ => false,
            };
            assert!(allowed, "{name} and {event:?} write to a disk");
            assert_eq!(after.name(), "Progress");
        }
    }
}

#[test]
fn nothing_but_its_own_end_leads_out_of_progress_and_nothing_out_of_exit() {
    let (begun, exit) = (begun(), named("exit").unwrap());
    for event in every_event() {
        let is_end = matches!(event, Event::Finished(_));
        let (state, effect) = step(begun.clone(), event.clone());
        assert_eq!(
            state == "Progress" && effect.is_none(),
            !is_end,
            "{event:?}"
        );
        assert_eq!(next(exit.clone(), event), (exit.clone(), None));
    }
}

#[test]
fn keys_that_mean_nothing_change_nothing() {
    for (name, state) in states::all() {
        if name == "splash" {
            continue;
        }
        let (after, effect) = next(state.clone(), OTHER);
        assert_eq!((after, effect), (state, None), "{name}");
    }
}

#[test]
fn the_first_thing_is_to_look_at_the_hardware() {
    assert_eq!(State::start(), (State::BootSplash, Some(Effect::Scan)));
}

#[test]
fn the_splash_ends_when_the_scan_is_done() {
    let rows = [
        // Nobody can know yet what a key would do.
        (key('q'), "BootSplash"),
        (Event::Settled, "BootSplash"),
        (scanned(&hardware()), "Welcome"),
        (Event::Scanned(Err(states::problem())), "Error"),
    ];
    for (event, expected) in rows {
        let start = State::start().0;
        assert_eq!(step(start, event.clone()), (expected, None), "{event:?}");
    }
}

#[test]
fn welcome_leads_everywhere() {
    let welcome = || named("welcome").unwrap();
    let rows = [
        (ENTER, "Disk", None),
        (key('t'), "Tools", None),
        (key('T'), "Tools", None),
        (key('r'), "Welcome", Some(Effect::ScanAfresh)),
        (key('q'), "Exit", None),
        (ESC, "Welcome", None),
        (DOWN, "Welcome", None),
        (Event::Settled, "Welcome", None),
        (states::exported(), "Welcome", None),
    ];
    for (event, state, effect) in rows {
        assert_eq!(step(welcome(), event.clone()), (state, effect), "{event:?}");
    }
    assert!(welcome().wants_rescans());
}

#[test]
fn a_problem_that_was_dismissed_does_not_come_back_by_itself() {
    let failed = |problem| Event::Scanned(Err(problem));
    // Linux had its time meanwhile.
    let events = [failed(states::problem()), Event::Settled];
    let shown = after(named("welcome-looking").unwrap(), events);
    assert_eq!(shown.name(), "Error");
    let back = after(shown, [key('b')]);
    let State::Welcome(welcome) = &back else {
        panic!("Back leads to {}", back.name());
    };
    assert_eq!(welcome.dismissed, Some(states::problem()));
    assert!(welcome.settled);
    let rows = [
        (failed(states::problem()), "Welcome", None),
        (failed(other_problem()), "Error", None),
        (key('r'), "Welcome", Some(Effect::ScanAfresh)),
        (scanned(&hardware()), "Welcome", None),
    ];
    for (event, state, effect) in rows {
        assert_eq!(
            step(back.clone(), event.clone()),
            (state, effect),
            "{event:?}"
        );
    }
    let State::Welcome(welcome) = after(back, [scanned(&hardware())]) else {
        panic!("a scan that succeeds stays in Welcome");
    };
    assert_eq!(welcome.dismissed, None);
}

#[test]
fn an_error_of_a_scan_stays_until_the_user_asks_for_something() {
    let error = || named("error").unwrap();
    let rows = [
        (key('q'), "Exit", None),
        (key('r'), "Error", Some(Effect::ScanAfresh)),
        (key('e'), "Error", Some(Effect::ExportLog { except: None })),
        // There is nothing to go back to.
        (key('b'), "Error", None),
        (ESC, "Error", None),
        (ENTER, "Error", None),
        (scanned(&hardware()), "Welcome", None),
    ];
    for (event, state, effect) in rows {
        assert_eq!(step(error(), event.clone()), (state, effect), "{event:?}");
    }
    assert!(!error().wants_rescans());
    let notice = |state| match state {
        State::Error(Failure { notice, .. }) => notice,
        other => panic!("{}", other.name()),
    };
    let again = after(error(), [Event::Scanned(Err(states::problem()))]);
    let unchanged = Some("Tried again: nothing has changed.".to_owned());
    assert_eq!(notice(again.clone()), unchanged);
    let other = after(again, [Event::Scanned(Err(other_problem()))]);
    assert_eq!(notice(other), None);
}
