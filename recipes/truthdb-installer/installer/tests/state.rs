//! Every state meets every event.
#![allow(clippy::unwrap_used)]

mod common;

use common::{NVME, SATA, machine_with_disks};
use truthdb_installer::hardware::{Hardware, Problem};
use truthdb_installer::state::{Effect, Event, Failure, Key, Splash, State, Welcome, next};

const Q: Event = Event::Key(Key::Letter('q'));
const R: Event = Event::Key(Key::Letter('r'));
const B: Event = Event::Key(Key::Letter('b'));
const E: Event = Event::Key(Key::Letter('e'));
const X: Event = Event::Key(Key::Letter('x'));
const UP: Event = Event::Key(Key::Up);
const DOWN: Event = Event::Key(Key::Down);
const OTHER: Event = Event::Key(Key::Other);

fn hardware() -> Hardware {
    machine_with_disks().1
}

fn problem() -> Problem {
    Problem::new("It broke.", "Mend it.")
}

fn other_problem() -> Problem {
    Problem::new("It broke again.", "Mend it better.")
}

fn exported() -> Event {
    Event::LogExported {
        notice: "The log was written to /dev/ttyS0.".to_owned(),
        log: vec!["a line".to_owned()],
    }
}

fn welcome() -> Welcome {
    Welcome {
        hardware: hardware(),
        selected: 1,
        dismissed: None,
    }
}

fn failure() -> Failure {
    Failure {
        problem: problem(),
        back: None,
        notice: None,
        log: Vec::new(),
    }
}

fn check(state: &State, rows: Vec<(Event, State, Option<Effect>)>) {
    for (event, expected, effect) in rows {
        let found = next(state.clone(), event.clone());
        assert_eq!(found, (expected, effect), "{state:?} and {event:?}");
    }
}

#[test]
fn the_first_thing_is_to_look_at_the_hardware() {
    let splash = State::BootSplash(Splash::default());
    assert_eq!(State::start(), (splash, Some(Effect::Scan)));
}

#[test]
fn the_splash_ends_when_the_scan_is_done_and_it_was_shown_or_a_key_pressed() {
    let splash = |scanned, over| State::BootSplash(Splash { scanned, over });
    let shown = State::Welcome(Welcome {
        selected: 0,
        ..welcome()
    });
    let start = splash(None, false);
    let mut rows = vec![
        (
            Event::Scanned(Ok(hardware())),
            splash(Some(Ok(hardware())), false),
            None,
        ),
        (
            Event::Scanned(Err(problem())),
            splash(Some(Err(problem())), false),
            None,
        ),
        (Event::SplashOver, splash(None, true), None),
        (exported(), start.clone(), None),
    ];
    // Any key skips the splash, and does nothing else: nobody can know yet what it would do.
    for key in [Q, R, B, E, X, UP, DOWN, OTHER] {
        rows.push((key, splash(None, true), None));
    }
    check(&start, rows);
    check(
        &splash(None, true),
        vec![
            (Event::Scanned(Ok(hardware())), shown.clone(), None),
            (
                Event::Scanned(Err(problem())),
                State::Error(failure()),
                None,
            ),
        ],
    );
    check(
        &splash(Some(Ok(hardware())), false),
        vec![
            (Event::SplashOver, shown.clone(), None),
            (OTHER, shown, None),
        ],
    );
    check(
        &splash(Some(Err(problem())), false),
        vec![(Event::SplashOver, State::Error(failure()), None)],
    );
}

#[test]
fn welcome_answers_keys() {
    let state = State::Welcome(welcome());
    let selected = |selected| {
        State::Welcome(Welcome {
            selected,
            ..welcome()
        })
    };
    check(
        &state,
        vec![
            (Q, State::Exit, None),
            (UP, selected(0), None),
            (DOWN, selected(2), None),
            (R, state.clone(), Some(Effect::ScanAfresh)),
            (B, state.clone(), None),
            (E, state.clone(), None),
            (X, state.clone(), None),
            (OTHER, state.clone(), None),
            (Event::SplashOver, state.clone(), None),
            (exported(), state.clone(), None),
        ],
    );
    check(&selected(0), vec![(UP, selected(0), None)]);
    check(&selected(4), vec![(DOWN, selected(4), None)]);
    assert!(state.wants_rescans());
}

#[test]
fn welcome_follows_the_hardware() {
    let mut without = hardware();
    without.disks.remove(0);
    let mut empty = hardware();
    empty.disks.clear();
    let shown = |hardware: &Hardware, selected| {
        State::Welcome(Welcome {
            hardware: hardware.clone(),
            selected,
            dismissed: None,
        })
    };
    let scanned = |hardware: &Hardware| Event::Scanned(Ok(hardware.clone()));
    check(
        &State::Welcome(welcome()),
        vec![
            // The chosen disk stays chosen, wherever it is now.
            (scanned(&without), shown(&without, 0), None),
            (scanned(&empty), shown(&empty, 0), None),
        ],
    );
    // The chosen disk is gone: another close to it is chosen.
    check(
        &shown(&hardware(), 0),
        vec![(scanned(&without), shown(&without, 0), None)],
    );
    check(
        &shown(&empty, 0),
        vec![
            (UP, shown(&empty, 0), None),
            (DOWN, shown(&empty, 0), None),
            (scanned(&without), shown(&without, 0), None),
        ],
    );
}

#[test]
fn a_problem_that_was_dismissed_does_not_come_back_by_itself() {
    let back = |dismissed| {
        State::Welcome(Welcome {
            dismissed,
            ..welcome()
        })
    };
    let shown = |problem: Problem, behind: Option<Problem>| {
        State::Error(Failure {
            problem,
            back: Some(Box::new(Welcome {
                dismissed: behind,
                ..welcome()
            })),
            ..failure()
        })
    };
    let failed = |problem| Event::Scanned(Err(problem));
    check(
        &back(None),
        vec![(failed(problem()), shown(problem(), None), None)],
    );
    check(
        &shown(problem(), None),
        vec![(B, back(Some(problem())), None)],
    );
    check(
        &back(Some(problem())),
        vec![
            (failed(problem()), back(Some(problem())), None),
            (
                failed(other_problem()),
                shown(other_problem(), Some(problem())),
                None,
            ),
            (R, back(None), Some(Effect::ScanAfresh)),
            (Event::Scanned(Ok(hardware())), back(None), None),
        ],
    );
}

#[test]
fn an_error_stays_until_the_user_asks_for_something() {
    let state = State::Error(failure());
    let tried = State::Error(Failure {
        notice: Some("Tried again: nothing has changed.".to_owned()),
        ..failure()
    });
    let with_log = State::Error(Failure {
        notice: Some("The log was written to /dev/ttyS0.".to_owned()),
        log: vec!["a line".to_owned()],
        ..failure()
    });
    let other = State::Error(Failure {
        problem: other_problem(),
        ..failure()
    });
    let shown = State::Welcome(Welcome {
        selected: 0,
        ..welcome()
    });
    check(
        &state,
        vec![
            (Q, State::Exit, None),
            (R, state.clone(), Some(Effect::ScanAfresh)),
            (E, state.clone(), Some(Effect::ExportLog)),
            (B, state.clone(), None),
            (X, state.clone(), None),
            (UP, state.clone(), None),
            (DOWN, state.clone(), None),
            (OTHER, state.clone(), None),
            (Event::SplashOver, state.clone(), None),
            (exported(), with_log, None),
            (Event::Scanned(Err(problem())), tried, None),
            (Event::Scanned(Err(other_problem())), other, None),
            (Event::Scanned(Ok(hardware())), shown, None),
        ],
    );
    assert!(!state.wants_rescans());
}

#[test]
fn leaving_is_final() {
    let mut rows = Vec::new();
    for event in [
        Q,
        R,
        B,
        E,
        X,
        UP,
        DOWN,
        OTHER,
        Event::SplashOver,
        exported(),
        Event::Scanned(Ok(hardware())),
        Event::Scanned(Err(problem())),
    ] {
        rows.push((event, State::Exit, None));
    }
    check(&State::Exit, rows);
}

#[test]
fn the_chosen_disk_stays_chosen_when_another_appears_before_it() {
    let machine = common::FakeMachine::new();
    machine.plug(SATA);
    let before = State::Welcome(Welcome {
        hardware: machine.scan(&[]),
        selected: 0,
        dismissed: None,
    });
    machine.plug(NVME);
    let after = machine.scan(&[]);
    let (State::Welcome(found), None) = next(before, Event::Scanned(Ok(after))) else {
        unreachable!("a scan that succeeds stays in Welcome");
    };
    assert_eq!(found.hardware.disks[found.selected].name, "sda");
}
