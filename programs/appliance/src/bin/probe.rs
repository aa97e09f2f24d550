//! Stands in for the service, and tries what none may: it prints a line `NAME: ` with how each attempt ended. Test
//! equipment; no product has it.
//!
//! `probe --data DIR` counts its starts in `DIR/wal/starts`: at the first it makes all attempts, and then takes all
//! memory; at the second it makes a call that ends it; at the third it starts threads until it gets no more,
//! and stays. `probe --once DIR` makes the attempts that change nothing of the machine, and ends.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Error, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use libc::c_long;

/// How much memory is taken at a time, in bytes.
const PIECE: usize = 8 << 20;
/// More threads than anybody may have.
const MANY: usize = 20_000;

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [option, data] = arguments.as_slice() else {
        eprintln!("usage: probe --data|--once DIR");
        std::process::exit(2);
    };
    let own = Path::new(data).join("wal");
    if option == "--once" {
        return attempts(&own);
    }
    let counter = own.join("starts");
    let starts = fs::read(&counter).map_or(0, |it| it.len()) + 1;
    say("starts", fs::write(&counter, vec![b'x'; starts]));
    match starts {
        1 => {
            attempts(&own);
            take_memory();
        }
        2 => say("reboot", call(libc::SYS_reboot, [0, 0, 0, 0])),
        _ => {
            println!("threads: {}", threads());
            std::thread::sleep(Duration::MAX);
        }
    }
}

fn attempts(own: &Path) {
    let write = |path: &str| fs::write(path, "x");
    let read = |path: &str| fs::read(path).map(drop);
    say("write own", fs::write(own.join("probe"), "x"));
    say("write /tmp", write("/tmp/probe"));
    say("write /etc", write("/etc/probe"));
    say("write /run", write("/run/probe"));
    say(
        "write metadata",
        fs::write(own.with_file_name("metadata").join("probe"), "x"),
    );
    say("read /bin/busybox", read("/bin/busybox"));
    say("read firmware", fs::read_dir("/sys/firmware").map(drop));
    say("read init", read("/proc/1/environ"));
    say("open memory", File::open("/dev/mem").map(drop));
    say("open disks", read("/dev/vda"));
    say("tune kernel", write("/proc/sys/kernel/printk"));
    say("start shell", Command::new("/bin/sh").spawn().map(drop));
    say(
        "start busybox",
        Command::new("/bin/busybox").spawn().map(drop),
    );
    say("start from memory", start_from_memory());
    say(
        "listen elsewhere",
        TcpListener::bind(("0.0.0.0", 8081)).map(drop),
    );
    say("signal init", call(libc::SYS_kill, [1, 0, 0, 0]));
    say("become root", call(libc::SYS_setuid, [0, 0, 0, 0]));
    say("mount", call(libc::SYS_mount, [0, 0, 0, 0]));
    say(
        "unshare",
        call(libc::SYS_unshare, [libc::CLONE_NEWNS.into(), 0, 0, 0]),
    );
    say(
        "trace",
        call(libc::SYS_ptrace, [libc::PTRACE_ATTACH.into(), 1, 0, 0]),
    );
    say("load bpf", call(libc::SYS_bpf, [0, 0, 0, 0]));
    say(
        "watch others",
        call(libc::SYS_perf_event_open, [0, 0, 0, 0]),
    );
    say("keys", call(libc::SYS_keyctl, [0, 0, 0, 0]));
    say("set clock", call(libc::SYS_clock_settime, [0, 0, 0, 0]));
    let raw = [libc::AF_PACKET.into(), libc::SOCK_RAW.into(), 0, 0];
    say("raw socket", call(libc::SYS_socket, raw));
    say("unknown call", call(1000, [0, 0, 0, 0]));
}

/// Prints how an attempt ended: `ok`, or the name of what was wrong.
#[allow(clippy::needless_pass_by_value)] // an attempt is made where it is said
fn say(what: &str, outcome: io::Result<()>) {
    let how = match outcome.as_ref().map_err(Error::raw_os_error) {
        Ok(()) => "ok".to_owned(),
        Err(Some(libc::EPERM)) => "EPERM".to_owned(),
        Err(Some(libc::EACCES)) => "EACCES".to_owned(),
        Err(Some(libc::ENOENT)) => "ENOENT".to_owned(),
        Err(Some(libc::EROFS)) => "EROFS".to_owned(),
        Err(Some(libc::ENOSYS)) => "ENOSYS".to_owned(),
        Err(other) => format!("error {}", other.unwrap_or(0)),
    };
    println!("{what}: {how}");
}

fn call(number: c_long, [one, two, three, four]: [c_long; 4]) -> io::Result<()> {
    // SAFETY: of the calls that are made here those that take addresses are given none.
    match unsafe { libc::syscall(number, one, two, three, four) } {
        -1 => Err(Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Copies itself into memory that has no file, and starts that.
fn start_from_memory() -> io::Result<()> {
    let name = CString::default();
    // SAFETY: the name lives until the call returns.
    let number = unsafe { libc::memfd_create(name.as_ptr(), 0) };
    if number < 0 {
        return Err(Error::last_os_error());
    }
    let path = format!("/proc/self/fd/{number}");
    let program = fs::read(std::env::current_exe()?)?;
    File::options()
        .write(true)
        .open(&path)?
        .write_all(&program)?;
    Command::new(path).spawn().map(drop)
}

fn take_memory() {
    println!("memory: taking all");
    let mut pieces = Vec::new();
    loop {
        pieces.push(vec![1_u8; PIECE]);
        std::hint::black_box(&pieces);
    }
}

/// How many threads it gets.
fn threads() -> usize {
    let sleep = || std::thread::sleep(Duration::MAX);
    let start = || {
        std::thread::Builder::new()
            .stack_size(16 << 10)
            .spawn(sleep)
    };
    (0..MANY).take_while(|_| start().is_ok()).count()
}
