//! What people get to read, and what follows when all is lost.

use std::fs::OpenOptions;
use std::io::{Write, stderr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use common::problem::Problem;
use common::terminals::consoles;
use rustix::system::{RebootCommand, reboot};

use crate::cmdline::{Failing, Panic};

const SHELL: &str = "/bin/sh";

/// Writes a line to the kernel's log, of the importance that `quiet` hides.
pub fn note(text: &str) {
    if let Ok(mut log) = OpenOptions::new().write(true).open("/dev/kmsg") {
        // Nobody can be told that nothing can be told.
        drop(log.write_all(format!("<6>stage1: {text}\n").as_bytes()));
    }
}

/// Says on all consoles why the machine does not start; then a shell, where one is wanted and there, and the end that
/// `panic=` names. Does not return.
pub fn fail(problem: &Problem, failing: Failing) -> ! {
    say(&format!("This system cannot start: {problem}"));
    if failing.has_shell {
        if Path::new(SHELL).exists() {
            shell();
        } else {
            say(&format!("rd.shell: there is no {SHELL} in this initramfs."));
        }
    }
    match failing.panic {
        Panic::Stays => {}
        Panic::Reboots(seconds) => {
            say(&format!("It starts again in {seconds} seconds."));
            sleep(Duration::from_secs(seconds));
            // Where that is refused, waiting is what is left.
            let _ = reboot(RebootCommand::Restart);
        }
    }
    loop {
        sleep(Duration::from_hours(1));
    }
}

/// Writes a line to every console of the kernel, or to standard error where none is known.
fn say(text: &str) {
    let line = format!("\r\n{text}\r\n");
    let names = consoles(Path::new("/"));
    let written = names.iter().filter(|name| {
        let opened = OpenOptions::new()
            .write(true)
            .open(Path::new("/dev").join(name));
        opened.is_ok_and(|mut console| console.write_all(line.as_bytes()).is_ok())
    });
    if written.count() == 0 {
        drop(stderr().write_all(line.as_bytes()));
    }
}

/// Runs a shell on `/dev/console` until it ends.
fn shell() {
    let console = || {
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/console");
        opened.map_or(Stdio::inherit(), Stdio::from)
    };
    let mut command = Command::new(SHELL);
    let command = command.stdin(console()).stdout(console()).stderr(console());
    if let Err(error) = command.status() {
        say(&format!("rd.shell: {SHELL}: {error}"));
    }
}
