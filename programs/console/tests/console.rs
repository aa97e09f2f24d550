//! A program on the consoles of a machine in a folder: a screen and a serial line, whose other ends are here.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use common::cmdline::serial_is_for;
use common::consoles::Consoles;
use common::terminal::Terminal;
use console::ending::{Ending, follow};
use console::session;
use rustix::process::{Pid, Signal};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{ControlModes, LocalModes, Winsize, tcgetattr, tcsetwinsize};

/// Seconds that a program may take here.
const PATIENCE: Duration = Duration::from_secs(20);

fn open(root: &Path) -> Consoles {
    Consoles::open(root, serial_is_for(root, "console"))
}

/// A person at a console.
struct Person {
    end: File,
    device: File,
}

impl Person {
    /// Has the console `name` below `root`, with a window of so many columns and rows.
    fn at(root: &Path, name: &str, columns: u16, rows: u16) -> Self {
        let end = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&end).unwrap();
        unlockpt(&end).unwrap();
        let path = ptsname(&end, Vec::new()).unwrap();
        symlink(path.to_str().unwrap(), root.join("dev").join(name)).unwrap();
        let size = Winsize {
            ws_col: columns,
            ws_row: rows,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&end, size).unwrap();
        let device = File::options()
            .read(true)
            .write(true)
            .open(path.to_str().unwrap())
            .unwrap();
        Self {
            end: end.into(),
            device,
        }
    }

    fn types(&mut self, text: &str) {
        self.end.write_all(text.as_bytes()).unwrap();
    }

    /// Reads until `text` was seen; returns all that was.
    fn sees(&mut self, text: &str) -> String {
        let mut seen = Vec::new();
        let mut byte = [0];
        while !seen.ends_with(text.as_bytes()) {
            self.end.read_exact(&mut byte).unwrap();
            seen.push(byte[0]);
        }
        String::from_utf8(seen).unwrap()
    }
}

struct Machine {
    root: tempfile::TempDir,
    screen: Person,
    line: Person,
}

impl Machine {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for folder in ["dev", "sys/class/tty/console"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        // The kernel's log has no reader, and nobody has a ttyS7 yet.
        let active = root.path().join("sys/class/tty/console/active");
        fs::write(active, "tty0 ttyS0 ttyS7 ttynull\n").unwrap();
        let screen = Person::at(root.path(), "tty1", 100, 37);
        let line = Person::at(root.path(), "ttyS0", 0, 0);
        symlink("/dev/null", root.path().join("dev/ttynull")).unwrap();
        Self { root, screen, line }
    }

    /// Starts a shell script on the consoles; how it ended comes from the receiver.
    fn run(&self, script: &str) -> Receiver<ExitStatus> {
        let command: Vec<OsString> = ["/bin/sh", "-c", script].map(Into::into).into();
        let mut consoles = open(self.root.path());
        assert_eq!(consoles.terminals.len(), 2);
        let (sender, receiver) = channel();
        thread::spawn(move || sender.send(session::run(&command, &mut consoles).unwrap()));
        receiver
    }
}

#[test]
fn both_are_asked_and_either_answers_in_sight_of_the_other() {
    for by_line in [false, true] {
        let mut machine = Machine::new();
        let ended = machine.run("printf 'Erase? '; read answer; echo \"$TERM: <$answer>\"; exit 3");
        machine.screen.sees("Erase? ");
        machine.line.sees("Erase? ");
        let person = if by_line {
            &mut machine.line
        } else {
            &mut machine.screen
        };
        person.types("nö\x7f\x7fyes\r");
        for other in [&mut machine.screen, &mut machine.line] {
            let seen = other.sees("<yes>\r\n");
            assert!(seen.starts_with("nö\x08 \x08\x08 \x08yes\r\n"), "{seen:?}");
            assert!(seen.ends_with("vt102: <yes>\r\n"), "{seen:?}");
        }
        assert_eq!(ended.recv_timeout(PATIENCE).unwrap().code(), Some(3));
    }
}

#[test]
fn the_smallest_window_is_the_programs_and_changes_with_it() {
    let mut machine = Machine::new();
    let ended =
        machine.run("stty size; trap 'stty size; exit' WINCH; while :; do sleep 0.05; done");
    machine.line.sees("24 80\r\n");
    tcsetwinsize(
        &machine.screen.end,
        Winsize {
            ws_col: 40,
            ws_row: 30,
            ws_xpixel: 0,
            ws_ypixel: 0,
        },
    )
    .unwrap();
    machine.line.sees("24 40\r\n");
    ended.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn control_c_of_either_interrupts_the_program() {
    let mut machine = Machine::new();
    let ended =
        machine.run("trap 'echo stopped; exit 7' INT; echo ready; while :; do sleep 0.05; done");
    machine.screen.sees("ready\r\n");
    machine.screen.types("\x03");
    machine.line.sees("^Cstopped\r\n");
    assert_eq!(ended.recv_timeout(PATIENCE).unwrap().code(), Some(7));
}

#[test]
fn a_line_that_takes_nothing_holds_up_nobody() {
    let mut machine = Machine::new();
    // Nobody reads the line: its buffer is full soon. The screen gets all of it, though it is slow.
    let ended =
        machine.run("head -c 300000 /dev/zero | tr '\\0' x; echo; echo all of it; read end");
    let seen = machine.screen.sees("all of it\r\n");
    assert_eq!(seen.matches('x').count(), 300_000);
    machine.screen.types("\r");
    assert!(ended.recv_timeout(PATIENCE).unwrap().success());
}

#[test]
fn control_s_of_a_line_holds_up_that_line_alone() {
    let mut machine = Machine::new();
    let ended = machine.run("read a; echo \"<$a>\"");
    machine.line.types("\x13");
    machine.screen.types("yes\r");
    assert_eq!(machine.screen.sees(">\r\n"), "yes\r\n<yes>\r\n");
    machine.line.types("\x11");
    machine.line.sees("<yes>\r\n");
    assert!(ended.recv_timeout(PATIENCE).unwrap().success());
}

#[test]
fn a_console_that_hung_up_or_comes_late_is_opened() {
    let mut machine = Machine::new();
    let ended = machine.run("while read a; do echo \"<$a>\"; done");
    machine.screen.types("one\r");
    machine.line.sees("<one>\r\n");
    fs::remove_file(machine.root.path().join("dev/ttyS0")).unwrap();
    machine.line = Person::at(machine.root.path(), "ttyS0", 0, 0); // the other one's end is closed
    machine.line.types("two\r");
    machine.screen.sees("<two>\r\n");
    let mut late = Person::at(machine.root.path(), "ttyS7", 0, 0);
    late.types("three\r");
    machine.screen.sees("<three>\r\n");
    machine.screen.types("four\r");
    machine.line.sees("<four>\r\n");
    late.sees("<four>\r\n");
    late.types("\x04");
    assert!(ended.recv_timeout(PATIENCE).unwrap().success());
}

#[test]
fn a_program_has_ended_though_others_print() {
    let mut machine = Machine::new();
    let script = "trap '' HUP; while echo noise; do sleep 0.02; done & echo last words; exit 5";
    let ended = machine.run(script);
    machine.screen.sees("last words");
    let drain = |mut person: Person| {
        thread::spawn(move || std::io::copy(&mut person.end, &mut std::io::sink()))
    };
    let _readers = [machine.screen, machine.line].map(drain);
    assert_eq!(ended.recv_timeout(PATIENCE).unwrap().code(), Some(5));
}

#[test]
fn serial_consoles_can_be_left_to_others() {
    let machine = Machine::new();
    let root = machine.root.path();
    fs::create_dir(root.join("proc")).unwrap();
    for (cmdline, active, expected) in [
        ("quiet", "tty0 ttyS0", &["tty1", "ttyS0"][..]),
        ("console.serial=on", "ttyS0", &["ttyS0"]),
        ("console.serial=off", "tty0 ttyS0", &["tty1"]),
        ("console.serial=off", "ttyS0", &[]),
    ] {
        fs::write(root.join("proc/cmdline"), cmdline).unwrap();
        fs::write(root.join("sys/class/tty/console/active"), active).unwrap();
        let consoles = open(root);
        let paths: Vec<_> = consoles.terminals.iter().map(Terminal::path).collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|it| root.join("dev").join(it))
            .collect();
        assert_eq!(paths, expected, "{cmdline} {active}");
    }
}

#[test]
fn consoles_are_raw_for_as_long_as_they_are_used() {
    let machine = Machine::new();
    let is_echoing = |person: &Person| {
        let modes = tcgetattr(&person.device).unwrap();
        modes.local_modes.contains(LocalModes::ECHO)
    };
    let consoles = open(machine.root.path());
    assert!(!is_echoing(&machine.screen) && !is_echoing(&machine.line));
    let modes = tcgetattr(&machine.line.device).unwrap().control_modes;
    assert!(modes.contains(ControlModes::CLOCAL | ControlModes::CREAD));
    drop(consoles);
    assert!(is_echoing(&machine.screen) && is_echoing(&machine.line));
}

#[test]
fn where_the_kernel_lists_none_it_is_the_console() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("dev")).unwrap();
    assert!(open(root.path()).terminals.is_empty());
    let _person = Person::at(root.path(), "console", 80, 25);
    assert_eq!(open(root.path()).terminals.len(), 1);
}

#[test]
fn a_program_that_cannot_be_started_is_told() {
    let command = ["/nowhere/setup".into()];
    let mut consoles = open(Path::new("/nowhere"));
    let problem = session::run(&command, &mut consoles).unwrap_err();
    let said = "/nowhere/setup cannot be started: No such file or directory (os error 2).";
    assert_eq!(problem.message, said);
}

#[test]
fn success_asks_init_and_nothing_else_does() {
    let rows = [
        ("reboot", Signal::TERM),
        ("poweroff", Signal::USR2),
        ("halt", Signal::USR1),
    ];
    for (name, signal) in rows {
        assert_eq!(Ending::named(name).map(Ending::signal), Some(signal));
    }
    assert_eq!(Ending::named("restart"), None);

    let mut init = Command::new("sleep").arg("60").spawn().unwrap();
    let pid = Pid::from_child(&init);
    let status = |code: &str| Command::new("sh").args(["-c", code]).status().unwrap();
    follow(status("exit 1"), Some(Ending::Reboot), pid, &mut []).unwrap();
    follow(status("exit 0"), None, pid, &mut []).unwrap();
    assert!(init.try_wait().unwrap().is_none());
    let succeeded = status("exit 0");
    thread::spawn(move || follow(succeeded, Some(Ending::Reboot), pid, &mut []));
    assert!(!init.wait().unwrap().success());
}

#[test]
fn how_it_ended_stands_on_every_console() {
    let mut machine = Machine::new();
    let status = Command::new("sh").args(["-c", "exit 4"]).status().unwrap();
    let mut terminals = open(machine.root.path()).terminals;
    follow(status, Some(Ending::Halt), Pid::INIT, &mut terminals).unwrap();
    machine
        .line
        .sees("The program has ended (exit status: 4). It is started again.\r\n");
    machine.screen.sees("It is started again.\r\n");
}
