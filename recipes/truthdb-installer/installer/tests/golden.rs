//! What each state looks like, as plain text beside the tests: `tests/golden/*.txt`. Set
//! `UPDATE_GOLDEN=1` to rewrite a file that differs; the test that rewrote it then fails.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{FakeMachine, MEDIUM, VIRTIO, check_golden, machine_with_disks};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use truthdb_installer::hardware::{Problem, Volume};
use truthdb_installer::serial;
use truthdb_installer::state::{Failure, Splash, State, Welcome};
use truthdb_installer::ui::{Look, View};

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

fn check_serial(name: &str, state: &State) {
    let found = text(&draw(
        state,
        &Look::serial(),
        serial::SIZE.0,
        serial::SIZE.1,
    ));
    assert!(
        found.is_ascii(),
        "a serial console shows ASCII only: {found}"
    );
    check_golden(name, &found);
}

fn welcome() -> Welcome {
    Welcome {
        hardware: machine_with_disks().1,
        selected: 0,
        dismissed: None,
    }
}

fn failure() -> Failure {
    Failure {
        problem: Problem::new(
            "/proc/meminfo cannot be read: it does not exist.",
            "Is /proc mounted? A line of /etc/inittab mounts it before this program starts.",
        ),
        back: None,
        notice: None,
        log: Vec::new(),
    }
}

#[test]
fn splash() {
    check_serial("serial-splash.txt", &State::BootSplash(Splash::default()));
    let state = State::BootSplash(Splash::default());
    check_golden(
        "screen-splash.txt",
        &text(&draw(&state, &Look::screen(), 40, 13)),
    );
}

#[test]
fn exit() {
    check_serial("serial-exit.txt", &State::Exit);
}

#[test]
fn welcome_with_disks() {
    check_serial("serial-welcome.txt", &State::Welcome(welcome()));
    let state = State::Welcome(Welcome {
        selected: 2,
        ..welcome()
    });
    check_golden(
        "screen-welcome-80x27.txt",
        &text(&draw(&state, &Look::screen(), 80, 27)),
    );
    check_golden(
        "screen-welcome-128x40.txt",
        &text(&draw(&state, &Look::screen(), 128, 40)),
    );
}

#[test]
fn welcome_with_more_disks_than_rows() {
    let mut state = welcome();
    let disk = state.hardware.disks[1].clone();
    for letter in 'd'..='o' {
        let mut disk = disk.clone();
        disk.name = format!("sd{letter}");
        state.hardware.disks.push(disk);
    }
    state.selected = 9;
    check_serial("serial-welcome-many-disks.txt", &State::Welcome(state));
}

#[test]
fn welcome_without_disks() {
    let hardware = FakeMachine::new().scan(&[]);
    let state = Welcome {
        hardware,
        selected: 0,
        dismissed: None,
    };
    check_serial("serial-welcome-no-disk.txt", &State::Welcome(state));
}

#[test]
fn welcome_on_a_virtual_machine_with_bios_that_is_out_of_date() {
    let machine = FakeMachine::new();
    machine.plug(VIRTIO);
    machine.remove("sys/firmware");
    machine.write("proc/cpuinfo", "processor : 0\n");
    machine.write("proc/meminfo", "MemTotal: 495616 kB\n");
    let state = Welcome {
        hardware: machine.scan(&[("vda", Volume::Iso(MEDIUM.to_owned()))]),
        selected: 0,
        dismissed: Some(failure().problem),
    };
    check_serial("serial-welcome-virtual.txt", &State::Welcome(state));
}

#[test]
fn error() {
    check_serial("serial-error.txt", &State::Error(failure()));
    let exported = Failure {
        back: Some(Box::new(welcome())),
        notice: Some("The log was written to /dev/ttyS0.".to_owned()),
        log: (1..=30)
            .map(|line| format!("line {line} of the log"))
            .collect(),
        ..failure()
    };
    check_serial("serial-error-exported.txt", &State::Error(exported));
    check_golden(
        "screen-error.txt",
        &text(&draw(&State::Error(failure()), &Look::screen(), 80, 27)),
    );
}

#[test]
fn very_small_screens_are_drawn_somehow() {
    for state in [
        State::Welcome(welcome()),
        State::Error(failure()),
        State::Exit,
    ] {
        for look in [Look::serial(), Look::screen()] {
            for (width, height) in [(1, 1), (10, 3), (45, 13)] {
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
    let shown = bytes(&State::Welcome(welcome()));
    assert!(
        shown.starts_with("\x1b[?25l\x1b[?7l\x1b[0m\x1b[2J\x1b[H"),
        "{shown:?}"
    );
    assert_eq!(shown.matches("Welcome").count(), 1, "{shown:?}");
    for state in [
        State::BootSplash(Splash::default()),
        State::Error(failure()),
        State::Exit,
    ] {
        assert!(!bytes(&state).contains("Welcome"));
    }
}
