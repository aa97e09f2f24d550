//! `appliance confine PROFILE [--write PATH]… PROGRAM…`: takes away from itself what a program does not need, and
//! becomes it. So it works alike for what init starts and for what this program does; nothing runs beside it.
//!
//! | module | what it takes, or gives |
//! | --- | --- |
//! | [`profiles`] | the table: who needs what |
//! | `share` | a part of memory and processes (cgroup v2), and limits (setrlimit(2)) |
//! | `room` | mounts and a host name of its own (`mount_namespaces(7)`, `uts_namespaces(7)`) |
//! | `rights` | user, group and capabilities (capabilities(7)) |
//! | `files` | files, ports and whom it may signal (landlock(7)) |
//! | `calls` | system calls (seccomp(2)) |
//!
//! What a kernel does not have is said in one line, and the rest holds: an appliance with another kernel still
//! starts. Where a kernel has it and it fails, the program is not started.

mod calls;
mod files;
pub mod profiles;
mod rights;
mod room;
pub mod share;

use std::ffi::OsString;
use std::io::{self, Error};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use rustix::thread::set_no_new_privs;

use profiles::{PROFILES, Profile};

/// The option before a path that only this start of a program may write to.
const WRITE: &str = "--write";

/// Whether `root` is this machine's own: below another one, as in tests, nothing is confined.
pub fn is_real(root: &Path) -> bool {
    root == Path::new("/")
}

/// Returns the command that runs `program` of the machine below `root` by a profile, where it may also write to
/// `write`.
pub fn command(root: &Path, profile: &str, write: &[PathBuf], program: &Path) -> Command {
    if !is_real(root) {
        return Command::new(program);
    }
    // This program again, whatever the image calls it.
    let mut command = Command::new(std::env::current_exe().unwrap_or_default());
    command.args(["confine", profile]);
    for path in write {
        command.arg(WRITE).arg(path);
    }
    command.arg(program);
    command
}

/// Confines this process by the profile and becomes the program that `words` name, paths being looked up below
/// `root`. Returns why that is not possible.
pub fn run(root: &Path, words: &[String]) -> io::Result<()> {
    let ([name, rest @ ..], parent) = (words, getppid()) else {
        return Err(Error::other("it needs a profile and a program"));
    };
    let found = PROFILES.iter().find(|it| it.name == name);
    let profile = found.ok_or_else(|| {
        let names: Vec<_> = PROFILES.iter().map(|it| it.name).collect();
        Error::other(format!("no such profile; there are {}", names.join(", ")))
    })?;
    let (mut write, mut words) = (Vec::new(), rest);
    while let [option, path, rest @ ..] = words
        && option == WRITE
    {
        write.push(PathBuf::from(path));
        words = rest;
    }
    let [program, arguments @ ..] = words else {
        return Err(Error::other("it needs a program"));
    };
    apply(profile, root, &write, Path::new(program))?;
    // A change of user has cleared what `child` set; and whoever was to be its end may have ended meanwhile.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if getppid() != parent {
        return Err(Error::other("who started it has ended"));
    }
    let arguments = arguments.iter().map(OsString::from);
    let error = Command::new(program).args(arguments).exec();
    Err(Error::new(
        error.kind(),
        format!("{program} cannot be started: {error}"),
    ))
}

/// Takes from this process, which has one thread, all that `profile` does not name. What is written to becomes
/// its own. Where it is not root, it keeps its user; there, and below another root, it has neither a share nor mounts
/// of its own.
fn apply(profile: &Profile, root: &Path, write: &[PathBuf], program: &Path) -> io::Result<()> {
    let is_root = rustix::process::geteuid().is_root();
    if is_root && is_real(root) && profile.is_apart {
        step("its share of the machine", share::take(root))?;
        step("mounts of its own", room::enter(root, write))?;
    }
    let files = step("files", files::rules(profile, root, write, program))?;
    if is_root {
        step("user and capabilities", rights::drop_to(profile))?;
    }
    set_no_new_privs(true)?;
    step("files", files::restrict(files))?;
    step("system calls", calls::restrict(profile.calls))
}

fn step<T>(what: &str, outcome: io::Result<T>) -> io::Result<T> {
    outcome.map_err(|error| Error::new(error.kind(), format!("{what}: {error}")))
}

/// Takes from the supervisor, if it is root, what neither it nor anything that it starts needs: capabilities, and
/// the calls that end a program. Mounts it needs itself, to give the service its own.
pub fn supervisor() -> io::Result<()> {
    // Nothing that is started from here gains rights by starting something.
    set_no_new_privs(true)?;
    if rustix::process::geteuid().is_root() {
        step("capabilities", rights::keep(profiles::SUPERVISOR))?;
        step("system calls", calls::forbid())?;
    }
    Ok(())
}

/// Says on standard error what this kernel cannot do.
fn lacks(what: &str) {
    eprintln!("confine: this kernel has no {what}");
}
