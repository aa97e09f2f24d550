//! The program between its start and its end, on a terminal of its own.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use common::consoles::Consoles;
use common::problem::Problem;
use common::terminal::{Terminal, is_passing};
use pty_process::Size;
use pty_process::blocking::{Command, Pts, Pty, open};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::termios::{InputModes, OptionalActions, tcgetattr, tcsetattr};

/// How often it is looked whether a screen has another size, and a slow console has room again.
const TICK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 200_000_000,
};
/// How long slow consoles may take for the program's last words.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// What both a serial terminal and a Linux screen understand; `BusyBox` init says it of serial lines, too.
const TERM: &str = "vt102";

/// Runs the program `command` on `consoles` until it ends, whatever it leaves running. Fails where it cannot be
/// started.
pub fn run(command: &[OsString], consoles: &mut Consoles) -> Result<ExitStatus, Problem> {
    let (mut pty, pts) = open().map_err(|error| {
        Problem::new(
            format!("there is no terminal to run a program on: {error}"),
            "Mount devpts on /dev/pts in /etc/inittab.",
        )
    })?;
    prepare(&pty, &pts);
    let mut size = resize(&pty, &consoles.terminals, (0, 0));
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
    let mut ended: Option<(ExitStatus, Instant)> = None;
    loop {
        let terminals = &mut consoles.terminals;
        let has_room = terminals.iter().all(Terminal::has_room);
        let is_ready = wait((is_open && has_room).then_some(&pty), terminals);
        if is_ready {
            is_open = show(&mut pty, terminals);
        }
        if let Some((status, give_up)) = ended {
            let all_is_shown = !is_ready && !terminals.iter().any(Terminal::is_behind);
            if all_is_shown || Instant::now() > give_up {
                return Ok(status);
            }
        } else if let Ok(Some(status)) = child.try_wait() {
            // What it printed before is still to be shown.
            ended = Some((status, Instant::now() + LAST_WORDS));
        }
        for terminal in &mut *terminals {
            terminal.flush();
            // What a program that does not read has no room for is lost, as on any terminal.
            let _ = pty.write(&terminal.typed());
        }
        consoles.refresh();
        size = resize(&pty, &consoles.terminals, size);
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
    let watched = terminals.iter().map(|terminal| {
        let mut events = PollFlags::IN;
        events.set(PollFlags::OUT, terminal.is_behind());
        PollFd::new(terminal, events)
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
    match pty.read(&mut bytes) {
        Ok(read) => {
            for terminal in terminals {
                terminal.say(&bytes[..read]);
            }
            true
        }
        Err(error) => is_passing(error.kind()),
    }
}
