//! `run` and `stop` on a machine in a folder, with a service that is a script.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::fs;
use std::os::unix::fs::MetadataExt;

use rustix::process::geteuid;
use support::{Machine, NODE_TOML};
use uuid::Uuid;

const ESP: Uuid = Uuid::from_u128(1);

const SERVICE: &str = "#!/bin/sh\n\
    echo \"started with $*\"\n\
    trap 'echo bye; exit 0' TERM\n\
    while :; do sleep 0.02; done\n";

/// A machine on which everything is as it should be.
fn machine() -> Machine {
    let machine = Machine::new();
    machine.disk("sda", ESP, 512, &["EXAMPLE_DATA"]);
    machine.booted_from(ESP);
    machine.check();
    machine.mounted(&["data"]);
    machine.write("data/metadata/node.toml", NODE_TOML);
    machine.program("bin/service", SERVICE);
    machine.write("sys/class/net/test0/type", "1\n");
    machine.write("sys/class/net/test0/carrier", "1\n");
    machine.write("sys/class/net/test0/device/vendor", "0x1af4\n");
    machine
}

#[test]
fn everything_is_started_shown_and_stopped() {
    let machine = machine();
    let mut running = machine.run();
    let data = machine.path("data");
    let words = format!("started with --data {}", data.display());
    running.wait_for("run/example/service.log", &words);
    running.wait_for("dev/tty1", "running");
    running.wait_for("calls", "udhcpc -f -R -i test0");
    assert_eq!(machine.read("proc/sys/kernel/hostname"), "db-7");
    assert_eq!(
        machine.screen(),
        "\n  Example 1.2.0\n\n\
         \x20 Host name   db-7\n\
         \x20 Node        node-1 (8f3c0000000000000000000000000001)\n\
         \x20 Network     test0: asking for an address (DHCP)\n\
         \x20 Status      no address yet\n\
         \x20 Data        EXAMPLE_DATA (sda2): clean, on /data\n\
         \x20 Service     running\n"
    );
    assert!(running.program.try_wait().unwrap().is_none());
    assert_eq!(running.stop(), Some(0));
    let log = machine.read("run/example/service.log");
    assert!(log.ends_with("bye\n"), "{log}");
    let serial = machine.read("dev/ttyS0");
    for line in [
        "Host name: db-7",
        "Service: running",
        "service: bye",
        "stopped",
    ] {
        let line = format!("example: {line}\r\n");
        assert!(serial.contains(&line), "{line:?} in {serial}");
    }
}

#[test]
fn the_service_has_folders_and_a_user_of_its_own() {
    if !geteuid().is_root() {
        eprintln!("skipped: only root can start programs as another user");
        return;
    }
    let machine = machine();
    let script = SERVICE.replace("started with $*", "I am $(id -u) $(id -g) $(id -G) $PWD");
    machine.program("bin/service", &script);
    let mut running = machine.run();
    let words = format!("I am 1000 1000 1000 {}", machine.path("data").display());
    running.wait_for("run/example/service.log", &words);
    for folder in ["data/wal", "data/snapshots"] {
        assert_eq!(fs::metadata(machine.path(folder)).unwrap().uid(), 1000);
    }
    assert_eq!(
        fs::metadata(machine.path("data/metadata")).unwrap().uid(),
        0
    );
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn a_service_that_ends_is_started_again() {
    let machine = machine();
    machine.program("bin/service", "#!/bin/sh\necho no luck\nexit 74\n");
    let mut running = machine.run();
    running.wait_for("dev/ttyS0", "Service: ended with 74, again in 1 s: no luck");
    running.wait_for("dev/ttyS0", "Service: ended with 74, again in 2 s: no luck");
    machine.program("bin/service", SERVICE);
    running.wait_for("dev/ttyS0", "service: started with");
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn a_service_whose_log_is_damaged_is_not_started_again() {
    let machine = machine();
    machine.program(
        "bin/service",
        "#!/bin/sh\necho it is damaged >&2\nexit 65\n",
    );
    let mut running = machine.run();
    let words = "Service: stopped, ended with 65, and needs somebody: it is damaged";
    running.wait_for("dev/ttyS0", words);
    std::thread::sleep(std::time::Duration::from_millis(1300));
    assert_eq!(machine.read("run/example/service.log"), "it is damaged\n");
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn on_damaged_data_no_service_is_started_and_the_reason_is_shown() {
    let machine = machine();
    machine.write(
        "e2fsck.sda2",
        "echo 'UNEXPECTED INCONSISTENCY; RUN fsck MANUALLY.'; exit 4",
    );
    machine.check();
    machine.write("proc/self/mountinfo", "");
    fs::remove_dir_all(machine.path("data/metadata")).unwrap();
    let mut running = machine.run();
    running.wait_for("dev/tty1", "not started");
    let screen = machine.screen();
    let screen = screen.split_whitespace().collect::<Vec<_>>().join(" ");
    for text in [
        "Data EXAMPLE_DATA (sda2): damaged, not mounted",
        "EXAMPLE_DATA on sda2 is damaged, and repairing it by itself could lose data.",
        "e2fsck says: UNEXPECTED INCONSISTENCY; RUN fsck MANUALLY.",
        "Start a rescue system, copy the partition, then repair it with e2fsck.",
    ] {
        assert!(screen.contains(text), "{text} in {screen}");
    }
    running.wait_for("dev/ttyS0", "UNEXPECTED INCONSISTENCY");
    running.wait_for("calls", "udhcpc -f -R -i test0");
    assert_eq!(machine.read("run/example/service.log"), "");
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn a_mount_that_failed_is_shown_with_its_reason() {
    let machine = machine();
    machine.write("proc/self/mountinfo", "");
    let log = "mount: mounting /run/example/data2-device on /data2 failed: No such file\n\
        mount: mounting /run/example/data-device on /data failed: Structure needs cleaning\n";
    machine.write("run/example/mount.log", log);
    let mut running = machine.run();
    let words = "EXAMPLE_DATA on sda2 was not mounted, although e2fsck finds nothing wrong with it. \
        mount: mounting /run/example/data-device on /data failed: Structure needs cleaning. Start the machine";
    running.wait_for("dev/ttyS0", words);
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn a_disk_that_turns_read_only_is_shown() {
    let machine = machine();
    let mut running = machine.run();
    running.wait_for("dev/tty1", "clean, on /data");
    let mounted = machine.read("proc/self/mountinfo");
    machine.write(
        "proc/self/mountinfo",
        &mounted.replace("device rw", "device ro"),
    );
    running.wait_for("dev/tty1", "clean, on /data, read-only");
    running.wait_for(
        "dev/ttyS0",
        "takes no more writes: the disk reported errors. Save the",
    );
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn without_node_toml_it_says_so_and_runs() {
    let machine = machine();
    fs::remove_file(machine.path("data/metadata/node.toml")).unwrap();
    let mut running = machine.run();
    running.wait_for("dev/ttyS0", "node.toml cannot be read: No such file");
    running.wait_for("dev/ttyS0", "service: started with");
    running.wait_for("calls", "hostname:example");
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn there_is_one_supervisor_and_its_children_end_with_it() {
    let machine = machine();
    machine.program("bin/service", "#!/bin/sh\necho $$\nexec sleep 600\n");
    let mut running = machine.run();
    running.wait_for("run/example/service.log", "\n");
    let second = machine.appliance("run").output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8(second.stderr).unwrap();
    assert_eq!(said, "appliance: run: another supervisor is running\n");
    running.program.kill().unwrap();
    running.program.wait().unwrap();
    let service = machine.read("run/example/service.log");
    let state = || fs::read_to_string(format!("/proc/{}/stat", service.trim()));
    for _ in 0..500 {
        // proc_pid_stat(5): Z is one that ended, and that whoever inherited it does not ask about.
        if state().map_or(true, |it| it.contains(") Z ")) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("{:?} is still there", state());
}

#[test]
fn stop_without_a_supervisor_has_nothing_to_do() {
    let machine = Machine::new();
    assert!(machine.appliance("stop").status().unwrap().success());
    machine.write("run/example/supervisor.pid", "1");
    assert!(machine.appliance("stop").status().unwrap().success());
}

#[test]
fn the_time_is_kept_only_where_a_server_is_named() {
    let machine = machine();
    let text = format!("{NODE_TOML}time_server = \"time.example.org\"\n");
    machine.write("data/metadata/node.toml", &text);
    machine.program(
        "bin/appliance",
        "#!/bin/sh\necho \"asked for $*\"\nexec sleep 600\n",
    );
    let mut running = machine.run();
    running.wait_for(
        "run/example/network.log",
        "time: asked for time time.example.org",
    );
    assert_eq!(running.stop(), Some(0));
}
