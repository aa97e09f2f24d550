//! The whole program on a serial console, which is a pseudo-terminal here.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use installer::log::Log;
use installer::serial::Consoles;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};
use support::states::named;
use support::{FakeMachine, MEDIUM, NVME, USB};

/// How long the program may say nothing before a test gives up on it.
const PATIENCE: Timespec = Timespec {
    tv_sec: 20,
    tv_nsec: 0,
};

/// Gives `machine` a serial console; returns its other end. `None` where there are no pseudo-terminals.
fn plug_line(machine: &FakeMachine) -> Option<File> {
    let Ok(terminal) = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY) else {
        assert!(std::env::var_os("CI").is_none(), "no pseudo-terminals here");
        eprintln!("skipped: no pseudo-terminals here");
        return None;
    };
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    symlink(name.to_str().unwrap(), machine.root().join("dev/ttyS0")).unwrap();
    machine.write("sys/class/tty/console/active", "tty0 ttyS0\n");
    Some(File::from(terminal))
}

struct Console {
    program: Child,
    terminal: File,
    seen: Vec<u8>,
}

impl Console {
    /// Starts the program on `machine`; `None` where there are no pseudo-terminals.
    fn start(machine: &FakeMachine) -> Option<Self> {
        Self::start_told(machine, "example.log=off")
    }

    /// The same, with more on the kernel's command line.
    fn start_told(machine: &FakeMachine, more: &str) -> Option<Self> {
        let terminal = plug_line(machine)?;
        machine.write("run/.keep", "");
        let cmdline = format!("quiet example.medium={MEDIUM} {more}\n");
        machine.write("proc/cmdline", &cmdline);
        let program = Command::new(env!("CARGO_BIN_EXE_installer"))
            .arg("--root")
            .arg(machine.root())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Some(Self {
            program,
            terminal,
            seen: Vec::new(),
        })
    }

    /// Reads until `text` appears after what earlier calls waited for.
    fn wait_for(&mut self, text: &str) {
        loop {
            let found = self
                .seen
                .windows(text.len())
                .position(|it| it == text.as_bytes());
            if let Some(start) = found {
                self.seen.drain(..start + text.len());
                return;
            }
            let seen = String::from_utf8_lossy(&self.seen);
            let mut fds = [PollFd::new(&self.terminal, PollFlags::IN)];
            let ready = poll(&mut fds, Some(&PATIENCE)).unwrap();
            assert!(ready > 0, "waited in vain for {text:?}; saw {seen:?}");
            let mut bytes = [0; 4096];
            match self.terminal.read(&mut bytes) {
                Ok(count) => self.seen.extend_from_slice(&bytes[..count]),
                Err(error) => panic!("waited for {text:?}: {error}; saw {seen:?}"),
            }
        }
    }

    fn press(&mut self, keys: &[u8]) {
        self.terminal.write_all(keys).unwrap();
    }

    /// Waits for the end; returns exit status and standard error.
    fn end(mut self) -> (ExitStatus, String) {
        // While the program lives it may still want to write to the terminal.
        let status = loop {
            if let Some(status) = self.program.try_wait().unwrap() {
                break status;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let mut errors = String::new();
        let mut stderr = self.program.stderr.take().unwrap();
        stderr.read_to_string(&mut errors).unwrap();
        (status, errors)
    }
}

impl Drop for Console {
    /// A test that failed leaves no program behind.
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// A machine started from a USB stick, with an empty `NVMe` disk that has a serial number.
fn machine() -> FakeMachine {
    let machine = FakeMachine::new();
    machine.plug(USB);
    machine.write_iso("sdb", MEDIUM);
    machine.plug(NVME);
    let serial = format!("sys/devices/{}/device/serial", NVME.1);
    machine.write(&serial, "S6Z2NJ0TB04321A     \n");
    let disk = File::create(machine.root().join("dev/nvme0n1")).unwrap();
    disk.set_len(64 << 20).unwrap();
    machine
}

#[test]
fn shows_the_machine_follows_its_disks_and_leaves() {
    let machine = FakeMachine::new();
    machine.plug(USB);
    machine.write_iso("sdb", MEDIUM);
    let Some(mut console) = Console::start(&machine) else {
        return;
    };
    console.wait_for("Example");
    console.wait_for("Welcome");
    console.wait_for(&format!("{MEDIUM} on sdb"));
    console.wait_for("Leave and restart");
    machine.plug(NVME);
    console.wait_for("2 disks");
    // Whoever attaches late presses any key, and sees everything.
    for key in [&b"\x0c"[..], b"z", b"\x1b[5~", b" "] {
        console.press(key);
        console.wait_for("\x1b[2J");
        console.wait_for("Welcome");
        console.wait_for("Leave and restart");
    }
    console.press(b"\r");
    console.wait_for("Disk to install to");
    console.press(b"\x1b[A\x1b[A");
    console.wait_for("Samsung SSD 990 PRO 2TB");
    console.press(b"\x1b");
    console.wait_for("Welcome");
    console.press(b"Q");
    console.wait_for("This computer restarts now.");
    let (status, errors) = console.end();
    assert_eq!((status.code(), errors.as_str()), (Some(0), ""));
}

#[test]
fn what_is_logged_stands_above_the_keys_and_on_standard_error() {
    let machine = FakeMachine::new();
    let Some(mut console) = Console::start_told(&machine, "example.log=info") else {
        return;
    };
    // Nobody had a terminal yet, so these are lines of their own.
    console.wait_for("] INFO installer: starting version=");
    console.wait_for("] INFO installer::app: changed state state=\"welcome\"");
    console.wait_for("\r\n");
    console.wait_for("Leave and restart");
    machine.remove("sys");
    console.wait_for("\x1b[23;1H\x1b[0m\x1b[2K[");
    console
        .wait_for("] ERROR installer::app: cannot look at the machine problem=/sys is not mounted");
    console.wait_for("/sys is not mounted");
    console.press(b"q");
    let (status, errors) = console.end();
    assert_eq!(status.code(), Some(0));
    let lines: Vec<_> = errors.lines().collect();
    let is_whole =
        |it: &&str| it.starts_with('[') && (it.contains(" INFO ") || it.contains(" ERROR "));
    assert!(lines.len() > 4 && lines.iter().all(is_whole), "{errors}");
}

#[test]
fn to_be_stopped_is_no_error_in_the_log() {
    let machine = FakeMachine::new();
    let Some(mut console) = Console::start(&machine) else {
        return;
    };
    console.wait_for("Leave and restart");
    kill_process(Pid::from_child(&console.program), Signal::TERM).unwrap();
    console.wait_for("\x1b[?25h");
    let (status, errors) = console.end();
    let said = "installer: stopped by a signal\n";
    assert_eq!((status.code(), errors.as_str()), (Some(1), said));
    let log = std::fs::read_to_string(machine.root().join("run/example-installer.log")).unwrap();
    let last = log.lines().last().unwrap();
    assert!(
        last.ends_with("] INFO installer::app: stopped by a signal"),
        "{last}"
    );
}

#[test]
fn a_line_that_is_given_back_echoes_and_shows_its_cursor() {
    let machine = FakeMachine::new();
    let Some(mut line) = plug_line(&machine) else {
        return;
    };
    let is_echoing = |line: &File| {
        tcgetattr(line)
            .unwrap()
            .local_modes
            .contains(LocalModes::ECHO)
    };
    let mut consoles = Consoles::new(machine.root(), &Log::open(machine.root()));
    consoles.refresh(true);
    consoles.draw(&named("exit").unwrap());
    assert!(consoles.flush() && !is_echoing(&line));
    consoles.close();
    assert!(is_echoing(&line));
    let mut seen = [0; 4096];
    let count = line.read(&mut seen).unwrap();
    let seen = String::from_utf8_lossy(&seen[..count]);
    assert!(seen.ends_with("\x1b[?25h\r\n"), "{seen:?}");
}

#[test]
fn serial_consoles_can_be_left_to_others() {
    let machine = FakeMachine::new();
    let Some(mut console) = Console::start_told(&machine, "example.log=info example.serial=off")
    else {
        return;
    };
    let log = machine.root().join("run/example-installer.log");
    let is_welcome = || std::fs::read_to_string(&log).is_ok_and(|it| it.contains("welcome"));
    while !is_welcome() {
        assert!(console.program.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut fds = [PollFd::new(&console.terminal, PollFlags::IN)];
    let soon = Timespec {
        tv_sec: 0,
        tv_nsec: 300_000_000,
    };
    assert_eq!(
        poll(&mut fds, Some(&soon)).unwrap(),
        0,
        "it wrote something"
    );
}

#[test]
fn leads_to_an_installation_and_back() {
    let machine = machine();
    let Some(mut console) = Console::start(&machine) else {
        return;
    };
    console.wait_for("1 can be installed to");
    console.press(b"\r\n");
    console.wait_for("Disk to install to");
    console.wait_for("S6Z2NJ0TB04321A");
    console.press(b"\r");
    console.wait_for("Settings");
    console.press(b"-9");
    console.wait_for("example-9");
    console.press(b"\x1bOQ");
    console.wait_for("Name servers");
    console.press(b"\r");
    console.wait_for("Confirm: install");
    console.wait_for("Host name example-9");
    console.press(b"\x1b");
    console.wait_for("Settings");
    console.press(b"\r");
    console.wait_for("Confirm: install");
    console.press(b"9999\r");
    console.wait_for("That is not it.");
    console.press(b"\x7f\x7f\x7f\x7f321a");
    console.wait_for("Erase and install");
    console.press(b"\r");
    // There is no system on this machine that could be installed.
    console.wait_for("Something went wrong");
    console.wait_for("The disk now");
    console.press(b"b");
    console.wait_for("Disk to install to");
    console.press(b"b");
    console.wait_for("Welcome");
    console.press(b"q");
    let (status, errors) = console.end();
    assert_eq!((status.code(), errors.as_str()), (Some(0), ""));
}

#[test]
fn a_problem_stays_on_the_screen_until_it_is_mended() {
    let machine = FakeMachine::new();
    machine.remove("proc/meminfo");
    let Some(mut console) = Console::start(&machine) else {
        return;
    };
    console.wait_for("Something went wrong");
    console.wait_for("/proc/meminfo cannot be read: it does not exist.");
    console.press(b"r");
    console.wait_for("Tried again: nothing has changed.");
    console.press(b"e");
    console.wait_for("begin of the log of example-installer");
    console.wait_for("/proc/meminfo cannot be read");
    console.wait_for("end of the log of example-installer");
    console.wait_for("Press any key to go back.");
    // This key only ends the log, whatever it is.
    console.press(b"q");
    console.wait_for("The log was written to");
    machine.write("proc/meminfo", "MemTotal: 1048576 kB\n");
    console.press(b"r");
    console.wait_for("Welcome");
    console.wait_for("1.0 GiB");
    machine.remove("sys");
    console.wait_for("/sys is not mounted");
    console.press(b"b");
    console.wait_for("This may be out of date");
    console.press(b"q");
    let (status, errors) = console.end();
    assert_eq!((status.code(), errors.as_str()), (Some(0), ""));
}
