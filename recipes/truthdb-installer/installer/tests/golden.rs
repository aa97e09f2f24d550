//! What each state looks like, as plain text beside the tests: `tests/golden/*.txt`. Set
//! `UPDATE_GOLDEN=1` to rewrite a file that differs; the test that rewrote it then fails.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::collections::BTreeSet;

use common::states::{self, named};
use common::{compare_golden, golden_folder};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use truthdb_installer::serial;
use truthdb_installer::state::State;
use truthdb_installer::ui::{Look, View};

/// Columns and rows of the smallest screen on which everything has to fit.
const SMALL: (u16, u16) = (80, 25);

fn draw(state: &State, look: &Look, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal
        .draw(|frame| frame.render_widget(View { state, look }, frame.area()))
        .unwrap();
    terminal.backend().buffer().clone()
}

fn text(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width);
    let mut text = String::new();
    for row in buffer.content().chunks(width) {
        let row: String = row.iter().map(Cell::symbol).collect();
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

fn draw_serial(state: &State) -> String {
    let (width, height) = serial::SIZE;
    text(&draw(state, &Look::serial(), width, height))
}

fn draw_screen(state: &State) -> String {
    text(&draw(state, &Look::screen(), SMALL.0, SMALL.1))
}

/// Fails with everything that failed.
fn check_all(results: impl IntoIterator<Item = Result<(), String>>) {
    let failures: Vec<String> = results.into_iter().filter_map(Result::err).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_state_on_a_serial_console() {
    let states = states::all().into_iter();
    check_all(states.map(|(name, state)| {
        let found = draw_serial(&state);
        assert!(found.is_ascii(), "a serial console shows ASCII: {found}");
        compare_golden(&format!("serial-{name}.txt"), &found)
    }));
}

#[test]
fn every_state_on_a_small_screen() {
    let states = states::all().into_iter();
    check_all(
        states.map(|(name, state)| {
            compare_golden(&format!("screen-{name}.txt"), &draw_screen(&state))
        }),
    );
}

/// Whatever is above it: the end of the serial number, the question, and the box to write in.
#[test]
fn the_last_question_is_always_there() {
    let state = named("confirm-long").unwrap();
    for shown in [draw_serial(&state), draw_screen(&state)] {
        let expected = [
            "6789WXYZ",
            "All of this will be lost",
            "If you are sure, type the last 4 characters",
            "wxyz",
            "Enter starts.",
        ];
        for words in expected {
            assert!(shown.contains(words), "{words} is missing:\n{shown}");
        }
    }
}

#[test]
fn a_wide_screen() {
    let states = ["disk", "confirm", "progress"];
    check_all(states.map(|name| {
        let wide = text(&draw(&named(name).unwrap(), &Look::screen(), 128, 40));
        compare_golden(&format!("wide-{name}.txt"), &wide)
    }));
}

#[test]
fn states_are_called_what_they_are() {
    for (name, state) in states::all() {
        let kind = state.name().to_lowercase();
        let kind = kind.trim_start_matches("boot");
        assert!(
            name.starts_with(kind) || name.starts_with("unattended"),
            "{name} is {kind}"
        );
    }
}

#[test]
fn no_golden_file_is_left_over() {
    let names: BTreeSet<&str> = states::all().into_iter().map(|(name, _)| name).collect();
    for entry in std::fs::read_dir(golden_folder()).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let known = file
            .strip_suffix(".txt")
            .and_then(|name| name.split_once('-'))
            .is_none_or(|(_, name)| names.contains(name));
        assert!(known, "no state is called as {file} says");
    }
}

#[test]
fn everything_fits_but_what_can_be_scrolled_or_says_how_much_more_there_is() {
    let long = [
        "confirm-crowded",
        "confirm-long",
        "disk-crowded",
        "disk-many",
        "done-with-warnings",
        "done-with-warnings-scrolled",
        "error-answers-many",
        "error-exported",
        "error-install-exported",
    ];
    for (name, state) in states::all() {
        if long.contains(&name) {
            continue;
        }
        for (look, (width, height)) in [(Look::serial(), serial::SIZE), (Look::screen(), SMALL)] {
            let small = text(&draw(&state, &look, width, height));
            let shown: BTreeSet<&str> = small.lines().collect();
            let tall = text(&draw(&state, &look, width, 100));
            for line in tall.lines() {
                assert!(shown.contains(line), "{name}: no {line:?} in\n{small}");
            }
        }
    }
}

#[test]
fn keys_are_shown_in_the_last_row() {
    for (name, state) in states::all() {
        let row = |text: String, from_below| text.lines().rev().nth(from_below).unwrap().to_owned();
        let serial = row(draw_serial(&state), 0);
        let keys = serial.matches('[').count();
        let expected = match state {
            State::BootSplash(_) | State::Progress(_) | State::Exit(_) => 0..=0,
            _ => 1..=5,
        };
        assert!(expected.contains(&keys), "{name}: {serial}");
    }
}

#[test]
fn very_small_screens_are_drawn_somehow() {
    for (_, state) in states::all() {
        for look in [Look::serial(), Look::screen()] {
            for (width, height) in [(1, 1), (10, 3), (45, 13), (80, 6)] {
                draw(&state, &look, width, height);
            }
        }
    }
}

#[test]
fn the_word_that_scripts_wait_for_is_in_one_piece_and_only_in_its_state() {
    let bytes = |state: &State| {
        let buffer = draw(state, &Look::serial(), serial::SIZE.0, serial::SIZE.1);
        String::from_utf8(serial::encode(&buffer)).unwrap()
    };
    let shown = bytes(&named("welcome").unwrap());
    assert!(
        shown.starts_with("\x1b[?25l\x1b[?7l\x1b[0m\x1b[2J\x1b[H"),
        "{shown:?}"
    );
    for (name, state) in states::all() {
        let expected = usize::from(matches!(state, State::Welcome(_)));
        assert_eq!(bytes(&state).matches("Welcome").count(), expected, "{name}");
    }
}
