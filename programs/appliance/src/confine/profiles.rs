//! The profiles: what each program needs, and nothing else does it get. docs/hardening.md has the same as a table,
//! with reasons; a test compares them.

use common::product::product;
use rustix::thread::CapabilitySet as Caps;

/// What a program may do. Paths are absolute; what is missing is passed over. A path that ends in `/*` stands for
/// what its folder holds now.
#[derive(Debug)]
pub struct Profile {
    /// What it is called on the command line.
    pub name: &'static str,
    /// User and group; nobody else has them.
    pub user: u32,
    /// Capabilities, which what it starts has, too.
    pub capabilities: Caps,
    /// Below these it reads.
    pub read: &'static [&'static str],
    /// Below these it reads and writes.
    pub write: &'static [&'static str],
    /// Below these, too, and they become its own. Those in /run are folders, and made.
    pub owns: &'static [&'static str],
    /// Below these it reads, and starts programs, besides the one that it is.
    pub execute: &'static [&'static str],
    /// System calls that others may not make.
    pub calls: &'static [i64],
    /// The one port of TCP that it may listen at.
    pub listens: Option<fn() -> u16>,
    /// It may signal others.
    pub signals: bool,
    /// It has mounts and a host name of its own, and its share of memory and of processes.
    pub is_apart: bool,
}

const BUSYBOX: &str = "/bin/busybox";
/// Where libraries are, and the loader, which is started.
const LIBRARIES: [&str; 3] = ["/lib", "/lib64", "/usr/lib"];

const NOTHING: Profile = Profile {
    name: "",
    user: 0,
    capabilities: Caps::empty(),
    read: &[],
    write: &[],
    owns: &[],
    execute: &[],
    calls: &[],
    listens: None,
    signals: false,
    is_apart: false,
};

/// All profiles.
pub const PROFILES: &[Profile] = &[
    Profile {
        name: "service",
        user: 1000,
        read: &[
            "/data",
            "/etc",
            "/proc",
            "/run",
            "/sys/devices/system",
            "/sys/fs/cgroup",
            "/sys/kernel/mm",
            "/usr/share",
        ],
        write: &["/dev", "/tmp"], // in its own room
        execute: &LIBRARIES,
        listens: Some(|| product().service.port),
        is_apart: true,
        ..NOTHING
    },
    Profile {
        name: "dhcp",
        user: 101,
        capabilities: Caps::NET_ADMIN
            .union(Caps::NET_RAW)
            .union(Caps::NET_BIND_SERVICE),
        read: &[
            "/etc",
            "/proc",
            "/sys/class/net",
            "/sys/devices",
            "/dev/urandom",
        ],
        write: &["/dev/null"],
        owns: &["/run/network"],
        execute: &[BUSYBOX, "/etc/udhcpc.script"],
        ..NOTHING
    },
    Profile {
        name: "clock",
        user: 102,
        capabilities: Caps::SYS_TIME,
        read: &[
            "/etc",
            "/proc/cmdline",
            "/run/network",
            "/sys/class/tty",
            "/sys/devices",
        ],
        write: &["/dev/null"],
        execute: &[BUSYBOX],
        calls: &[
            libc::SYS_adjtimex,
            libc::SYS_clock_adjtime,
            libc::SYS_clock_settime,
        ],
        ..NOTHING
    },
    Profile {
        name: "watchdog",
        user: 103,
        owns: &["/dev/watchdog"],
        ..NOTHING
    },
    Profile {
        name: "acpid",
        user: 104,
        capabilities: Caps::KILL,
        read: &["/etc", "/proc"],
        write: &["/dev/null"],
        owns: &["/dev/input/*", "/run/acpid"],
        execute: &[BUSYBOX, "/etc/acpi"],
        signals: true,
        ..NOTHING
    },
    Profile {
        name: "attest",
        user: 106,
        capabilities: Caps::DAC_READ_SEARCH, // the log is root's, and so is what the node says of itself
        read: &[
            "/data/metadata",
            "/etc",
            "/proc/cmdline",
            "/sys/class",
            "/sys/devices",
            "/sys/kernel/security",
        ],
        write: &["/dev/null"],
        owns: &["/dev/tpmrm0"],
        listens: Some(|| product().service.attestation_port),
        ..NOTHING
    },
    Profile {
        name: "fsck",
        user: 105,
        read: &["/etc", "/proc", "/sys/devices", "/dev/urandom"],
        write: &["/dev/null"],
        execute: &LIBRARIES,
        ..NOTHING
    },
];

/// What the supervisor keeps: what it does itself, and what those need that it starts.
pub const SUPERVISOR: Caps = Caps::CHOWN // gives the service its folders
    .union(Caps::DAC_OVERRIDE) // and writes to them, when it takes new settings
    .union(Caps::DAC_READ_SEARCH) // of what proves what runs
    .union(Caps::FOWNER)
    .union(Caps::KILL) // others' users
    .union(Caps::SETGID)
    .union(Caps::SETUID)
    .union(Caps::SETPCAP)
    .union(Caps::SYS_ADMIN) // mounts, for the service's room, and the host name
    .union(Caps::MKNOD)
    .union(Caps::NET_ADMIN)
    .union(Caps::NET_RAW)
    .union(Caps::NET_BIND_SERVICE)
    .union(Caps::SYS_RESOURCE) // more open files than init has
    .union(Caps::SYS_TIME);
