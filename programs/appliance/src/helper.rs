//! What the kernel may start: it asks to end the machine in order, as when a hypervisor is told to
//! shut its guest down, and for nothing else.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

const ALLOWED: [&str; 2] = ["/sbin/poweroff", "/sbin/reboot"];

/// Becomes the program that the kernel wants, if this one was `called` by the name of one that it may
/// have; returns why that failed, or `None` for any other name.
pub fn run(called: &OsStr) -> Option<io::Error> {
    program(called).map(|program| Command::new(program).exec())
}

fn program(called: &OsStr) -> Option<&'static str> {
    ALLOWED.into_iter().find(|program| called == *program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_gets_what_ends_the_machine_and_nothing_else() {
        for (called, gets) in [
            ("/sbin/poweroff", Some("/sbin/poweroff")),
            ("/sbin/reboot", Some("/sbin/reboot")),
            ("/sbin/modprobe", None),
            ("/bin/sh", None),
            ("/tmp/sbin/poweroff", None),
            ("poweroff", None),
            ("/bin/appliance", None),
            ("", None),
        ] {
            assert_eq!(program(OsStr::new(called)), gets, "{called}");
        }
    }
}
