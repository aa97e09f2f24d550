//! `confine` by this machine's own kernel, with the probe for a service.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use support::Machine;

/// What the probe says in the service's place, by what it tried, and what is said on standard error.
fn tried() -> (BTreeMap<String, String>, String) {
    let machine = Machine::new();
    for folder in ["data/wal", "data/metadata", "proc", "tmp", "run"] {
        fs::create_dir_all(machine.path(folder)).unwrap();
        fs::set_permissions(machine.path(folder), Permissions::from_mode(0o777)).unwrap();
    }
    let probe = machine.path("bin/probe");
    for folder in ["bin", "usr"] {
        fs::create_dir_all(machine.path(folder)).unwrap();
    }
    // Tests may be linked with libraries.
    for folder in ["lib", "lib64", "usr/lib"] {
        symlink(Path::new("/").join(folder), machine.path(folder)).unwrap();
    }
    fs::copy(env!("CARGO_BIN_EXE_probe"), &probe).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_appliance"))
        .arg("--root")
        .arg(machine.root())
        .args(["confine", "service", "--write"])
        .args([&machine.path("data/wal"), &probe])
        .arg("--once")
        .arg(machine.path("data"))
        .output()
        .unwrap();
    let (said, problems) = (output.stdout, output.stderr);
    let problems = String::from_utf8(problems).unwrap();
    let said = String::from_utf8(said).unwrap();
    let lines = said.lines().filter_map(|it| it.split_once(": "));
    let found: BTreeMap<_, _> = lines
        .map(|(what, how)| (what.to_owned(), how.to_owned()))
        .collect();
    assert!(found.len() > 20, "{said}{problems}");
    (found, problems)
}

#[test]
fn a_service_gets_what_it_needs_and_no_more() {
    // What a user of its own has is another matter: tests have the one that runs them.
    let (found, problems) = tried();
    if problems.contains("no Landlock") {
        eprintln!("skipped: {problems}");
        return;
    }
    for (what, how) in [
        ("write own", "ok"),
        ("write /etc", "EACCES"),
        ("write metadata", "EACCES"),
        ("read /bin/busybox", "EACCES"),
        ("read firmware", "EACCES"),
        ("start shell", "EACCES"),
        ("listen elsewhere", "EACCES"),
        ("mount", "EPERM"),
        ("unshare", "EPERM"),
        ("trace", "EPERM"),
        ("load bpf", "EPERM"),
        ("watch others", "EPERM"),
        ("keys", "EPERM"),
        ("set clock", "EPERM"),
        ("unknown call", "ENOSYS"),
    ] {
        // A machine that runs tests may lack what is read, and have a root that nobody can write to.
        let is_missing = found[what] == "ENOENT" && what.starts_with("read");
        let is_read_only = found[what] == "EROFS" && what.starts_with("write /");
        let is_stopped = found[what] == how || is_missing || is_read_only;
        assert!(is_stopped, "{what}: {}", found[what]);
    }
}

#[test]
fn what_is_wrong_is_said() {
    for (words, said) in [
        (&[][..], "it needs a profile and a program"),
        (
            &["cook", "x"],
            "no such profile; there are service, dhcp, clock",
        ),
        (&["service"], "it needs a program"),
        (&["service", "--write"], "--write cannot be started"),
    ] {
        let machine = Machine::new();
        let output = Command::new(env!("CARGO_BIN_EXE_appliance"))
            .arg("--root")
            .arg(machine.root())
            .arg("confine")
            .args(words)
            .output()
            .unwrap();
        let problems = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.code() == Some(126) && problems.contains(said),
            "{words:?}: {problems}"
        );
    }
}
