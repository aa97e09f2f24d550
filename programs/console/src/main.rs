//! `console`: see the library. `/etc/inittab` has it start a program, and start it again when it has ended:
//!
//! ```text
//! ::sysinit:/bin/mkdir -p /dev/pts
//! ::sysinit:/bin/mount -t devpts devpts /dev/pts
//! ::respawn:/bin/console --on-success reboot /bin/setup
//! ```

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use common::cmdline::serial_is_for;
use common::consoles::Consoles;
use common::text::program_name;
use console::ending::{Ending, follow, pause};
use console::session;
use rustix::process::Pid;

const USAGE: &str = "usage: console [--on-success reboot|poweroff|halt] PROGRAM [ARGUMENT...]\n\
    \n\
    Runs PROGRAM on all consoles of the kernel at once. When it ends with 0, init is asked to end the\n\
    machine so; else this ends after two seconds, so that init starts it again.\n";

fn main() -> ExitCode {
    let mut command: Vec<OsString> = std::env::args_os().skip(1).collect();
    let mut ending = None;
    if command.len() > 1 && command[0] == "--on-success" {
        ending = command[1].to_str().and_then(Ending::named);
        if ending.is_none() {
            return misused();
        }
        command.drain(..2);
    }
    match command.first().and_then(|word| word.to_str()) {
        None if command.is_empty() => return misused(),
        Some("--help") => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Some(option) if option.starts_with('-') => return misused(),
        _ => {}
    }
    // `console.serial=off` on the command line leaves serial ones to others.
    let root = Path::new("/");
    let mut consoles = Consoles::open(root, serial_is_for(root, "console"));
    let outcome = session::run(&command, &mut consoles)
        .and_then(|status| follow(status, ending, Pid::INIT, &mut consoles.terminals));
    if let Err(problem) = outcome {
        pause(
            &format!("\r\n{}: {problem}\r\n", program_name()),
            &mut consoles.terminals,
        );
    }
    ExitCode::FAILURE
}

fn misused() -> ExitCode {
    eprint!("{USAGE}");
    ExitCode::from(2)
}
