//! What each state looks like, as plain text beside the tests: `tests/golden/*.txt`. Set
//! `UPDATE_GOLDEN=1` to rewrite a file that differs; the test that rewrote it then fails.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::collections::BTreeSet;

use installer::serial;
use installer::state::{Event, Key, State};
use installer::ui::{Look, View};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use support::states::{self, named};
use support::{compare_golden, golden_folder};

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

/// The same without QR codes, which no sentence is made of.
fn letters(buffer: &Buffer) -> String {
    text(buffer).replace('\u{2580}', " ")
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
        let letters = found.replace('\u{2580}', ""); // what QR codes are drawn with
        assert!(letters.is_ascii(), "a serial console shows ASCII: {found}");
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

/// What a state shows while somebody presses keys that only move what is shown, or time goes by, and
/// the error that an answer file may end in: the words of all screens, in the order in which they come.
fn shown_in_all(state: &State, draw: &dyn Fn(&State) -> String) -> String {
    let mut state = state.clone();
    let mut screens: Vec<String> = Vec::new();
    for _ in 0..250 {
        let screen = draw(&state);
        if screens.last() == Some(&screen) && !state.counts_seconds() {
            break;
        }
        screens.push(screen);
        let event = match state {
            State::Disk(_) => Event::Key(Key::PageDown),
            State::Settings(_) => Event::Key(Key::Tab),
            State::Unattended(_) | State::Progress(_) => Event::Second,
            _ => Event::Key(Key::Down),
        };
        let next = states::after(state.clone(), [event]);
        if next.name() != state.name() && !matches!(next, State::Error(_)) {
            break;
        }
        state = next;
    }
    screens.iter().map(|screen| words(screen)).collect()
}

/// What tells one text from another: not where the pointer is, nor how far the time is.
fn words(text: &str) -> String {
    let is_word = |c: &char| !c.is_whitespace() && !c.is_ascii_digit() && !"<>_▌›".contains(*c);
    text.chars().filter(is_word).collect()
}

/// Whatever a state says, with values of any length, is on the smallest screens in whole, or comes
/// there by scrolling.
#[test]
fn no_sentence_is_ever_cut_off() {
    let states = states::all().into_iter().chain(states::all_longest());
    for (name, state) in states {
        // Of an answer file any key is the end.
        let up = if matches!(state, State::Unattended(_)) {
            0
        } else {
            9
        };
        let state = states::press(state, vec![Key::PageUp; up]);
        for (look, (width, height)) in [(Look::serial(), serial::SIZE), (Look::screen(), SMALL)] {
            let small = |state: &State| letters(&draw(state, &look, width, height));
            let found = shown_in_all(&state, &small);
            let tall = letters(&draw(&state, &look, width, 1000));
            let is_listed = |row: &&str| is_in_list(&state, row);
            for row in tall.lines().filter(|row| !is_listed(row)) {
                assert!(
                    found.contains(&words(row)),
                    "{name}: {row:?} is out of reach"
                );
            }
            let all: String = tall.lines().map(words).collect();
            let is_drawn =
                |row: &&str| row.contains('%') || row.trim().chars().all(|c| "-─".contains(c));
            let wide = letters(&draw(&state, &look, 104, 1000));
            for row in wide.lines().filter(|row| !is_drawn(row) && !is_listed(row)) {
                assert!(
                    all.contains(&words(row)),
                    "{name}: {row:?} is cut off in\n{tall}"
                );
            }
        }
    }
}

/// Whether a row is one of the list of disks, which has a column of each: all of it stands below the
/// list, of the disk that the pointer is at.
fn is_in_list(state: &State, row: &str) -> bool {
    let State::Disk(choices) = state else {
        return false;
    };
    let first = row.trim_start_matches(['>', '▌', ' ']);
    let mut names = choices.hardware.disks.iter().map(|it| it.name.as_str());
    names.any(|name| first.starts_with(&format!("{name} ")))
}

#[test]
fn keys_are_shown_in_the_last_row() {
    for (name, state) in states::all() {
        let row = |text: String, from_below| text.lines().rev().nth(from_below).unwrap().to_owned();
        let serial = row(draw_serial(&state), 0);
        let keys = serial.matches('[').count();
        let expected = match state {
            State::BootSplash | State::Progress(_) | State::Exit(_) => 0..=0,
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
