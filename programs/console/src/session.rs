//! The program between its start and its end, on a terminal of its own.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use common::problem::Problem;
use pty_process::Size;
use pty_process::blocking::{Command, Pts, Pty, open};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::termios::{InputModes, OptionalActions, tcgetattr, tcsetattr};

use crate::terminal::Terminal;

/// How often it is looked whether a screen has another size, and a slow console has room again.
const TICK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 200_000_000,
};
/// How long slow consoles may take for the program's last words.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// What both a serial terminal and a Linux screen understand; `BusyBox` init says it of serial lines, too.
const TERM: &str = "vt102";

/// Runs the program `command` on `terminals` until it ends. Fails where it cannot be started.
pub fn run(command: &[OsString], terminals: &mut [Terminal]) -> Result<ExitStatus, Problem> {
    let (mut pty, pts) = open().map_err(|error| {
        Problem::new(
            format!("there is no terminal to run a program on: {error}"),
            "Mount devpts on /dev/pts in /etc/inittab.",
        )
    })?;
    prepare(&pty, &pts);
    let mut size = resize(&pty, terminals, (0, 0));
    let mut child = Command::new(&command[0])
        .args(&command[1..])
        .env("TERM", TERM)
        .spawn(pts)
        .map_err(|error| {
            Problem::new(
                format!("{} cannot be started: {error}", command[0].display()),
                "Correct its line in /etc/inittab.",
            )
        })?;
    let mut is_open = true;
    loop {
        let has_room = terminals.iter().all(Terminal::has_room);
        if wait((is_open && has_room).then_some(&pty), terminals) {
            is_open = show(&mut pty, terminals);
        } else if has_room && let Ok(Some(status)) = child.try_wait() {
            finish(terminals);
            return Ok(status);
        }
        for terminal in &mut *terminals {
            terminal.flush();
            // What a program that does not read has no room for is lost, as on any terminal.
            let _ = pty.write(&terminal.typed());
        }
        size = resize(&pty, terminals, size);
    }
}

/// Has backspace erase a whole character of UTF-8, and nothing wait for the program to read.
fn prepare(pty: &Pty, pts: &Pts) {
    if let Ok(mut modes) = tcgetattr(pts) {
        modes.input_modes |= InputModes::IUTF8;
        let _ = tcsetattr(pts, OptionalActions::Now, &modes);
    }
    if let Ok(flags) = fcntl_getfl(pty) {
        let _ = fcntl_setfl(pty, flags | OFlags::NONBLOCK);
    }
}

/// Gives the program a terminal that fits on every console, if it has not that `size`; returns its size.
fn resize(pty: &Pty, terminals: &[Terminal], size: (u16, u16)) -> (u16, u16) {
    let smaller = |one: (u16, u16), other: (u16, u16)| (one.0.min(other.0), one.1.min(other.1));
    let now = terminals.iter().map(Terminal::size).reduce(smaller);
    match now {
        Some((columns, rows)) if (columns, rows) != size => {
            let _ = pty.resize(Size::new(rows, columns));
            (columns, rows)
        }
        _ => size,
    }
}

/// Waits a moment for something to do; tells whether the program has printed something, or ended.
fn wait(pty: Option<&Pty>, terminals: &[Terminal]) -> bool {
    let watched = terminals.iter().filter_map(|terminal| {
        let mut events = PollFlags::empty();
        events.set(PollFlags::IN, terminal.is_heard());
        events.set(PollFlags::OUT, terminal.is_behind());
        (!events.is_empty()).then(|| PollFd::new(terminal, events))
    });
    let program = pty.map(|pty| PollFd::new(pty, PollFlags::IN));
    let mut all: Vec<_> = program.into_iter().chain(watched).collect();
    // Where it fails, as by a signal, nothing is ready.
    let _ = poll(&mut all, Some(&TICK));
    pty.is_some() && !all[0].revents().is_empty()
}

/// Copies what the program printed to all terminals; `false` when it has closed its own.
fn show(pty: &mut Pty, terminals: &mut [Terminal]) -> bool {
    let mut bytes = [0; 4096];
    let Ok(read) = pty.read(&mut bytes) else {
        return false;
    };
    for terminal in terminals {
        terminal.say(&bytes[..read]);
    }
    true
}

/// Writes what is left to consoles that are slow, as long as there is hope.
fn finish(terminals: &mut [Terminal]) {
    let give_up = Instant::now() + LAST_WORDS;
    while terminals.iter().any(Terminal::is_behind) && Instant::now() < give_up {
        wait(None, terminals);
        terminals.iter_mut().for_each(Terminal::flush);
    }
}
