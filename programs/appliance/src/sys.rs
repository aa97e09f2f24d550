//! The one thing for which no crate offers a safe call. The only unsafe code of this crate.
#![allow(unsafe_code)]

use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Signal, set_parent_process_death_signal};

/// Makes the program end with the one that starts it, however that ends: `PR_SET_PDEATHSIG`,
/// prctl(2). So a supervisor that is started again never meets children of the one before.
pub fn end_with_parent(command: &mut Command) {
    let set = || Ok(set_parent_process_death_signal(Some(Signal::KILL))?);
    // SAFETY: between fork and exec the closure makes one system call, allocates nothing, and
    // touches no memory that another thread could hold locked.
    unsafe { command.pre_exec(set) };
}
