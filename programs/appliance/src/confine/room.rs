//! Mounts and a host name of its own: what a program changes there, others do not see, and it sees less.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use nix::sched::{CloneFlags, unshare};
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change, mount_remount};

use super::lacks;

const SAFE: MountFlags = MountFlags::NOSUID
    .union(MountFlags::NODEV)
    .union(MountFlags::NOEXEC);
/// The devices that are none: null(4), random(4).
const DEVICES: [(&str, u32); 5] = [
    ("null", 3),
    ("zero", 5),
    ("full", 7),
    ("random", 8),
    ("urandom", 9),
];
/// Where programs look for what is open.
const LINKS: [(&str, &str); 4] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
];

/// Enters it: all of the machine read-only, but the mounts that `write` is in; in /dev what is no device; /tmp and
/// /dev/shm empty; in /proc only processes of its own user.
pub fn enter(root: &Path, write: &[PathBuf]) -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    if unshare(CloneFlags::CLONE_NEWUTS).is_err() {
        lacks("UTS namespaces: it has the machine's host name");
    }
    mount_change(
        "/",
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    )?;
    let mountinfo = fs::read_to_string(root.join("proc/self/mountinfo"))?;
    for (place, flags) in mounts(&mountinfo) {
        let is_written = write.iter().any(|it| it.starts_with(&place)) && place != Path::new("/");
        if !is_written {
            mount_remount(&place, flags | MountFlags::BIND | MountFlags::RDONLY, "")?;
        }
    }
    let (proc, dev, tmp) = (root.join("proc"), root.join("dev"), root.join("tmp"));
    mount(
        "proc",
        &proc,
        "proc",
        SAFE | MountFlags::RDONLY,
        c"hidepid=invisible",
    )?;
    mount("tmpfs", &tmp, "tmpfs", SAFE, c"mode=1777")?;
    // Not nodev: they are made here.
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
    mount("tmpfs", &dev, "tmpfs", flags, c"mode=0755,size=64k")?;
    for (name, minor) in DEVICES {
        let path = dev.join(name);
        mknodat(
            CWD,
            &path,
            FileType::CharacterDevice,
            Mode::empty(),
            makedev(1, minor),
        )?;
        fs::set_permissions(path, Permissions::from_mode(0o666))?;
    }
    for (name, target) in LINKS {
        symlink(target, dev.join(name))?;
    }
    let shared = dev.join("shm");
    DirBuilder::new().mode(0o755).create(&shared)?;
    mount("tmpfs", &shared, "tmpfs", SAFE, c"mode=1777")?;
    Ok(mount_remount(
        &dev,
        flags | MountFlags::BIND | MountFlags::RDONLY,
        "",
    )?)
}

/// All mounts, and what they forbid already: `proc_pid_mountinfo(5)`.
fn mounts(mountinfo: &str) -> Vec<(PathBuf, MountFlags)> {
    let mount = |line: &str| {
        let mut words = line.split(' ').skip(4);
        let (place, options) = (words.next()?, words.next()?);
        let mut flags = MountFlags::NOSUID;
        for option in options.split(',') {
            flags |= match option {
                "nodev" => MountFlags::NODEV,
                "noexec" => MountFlags::NOEXEC,
                "noatime" => MountFlags::NOATIME,
                _ => MountFlags::empty(),
            };
        }
        Some((PathBuf::from(place), flags))
    };
    mountinfo.lines().filter_map(mount).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_mount_forbids_it_goes_on_to_forbid() {
        let text = "1 1 0:2 / / rw - rootfs rootfs rw\n\
            22 1 259:2 / /data rw,nosuid,nodev,noexec,noatime - ext4 /run/x rw\n\
            short\n";
        let expected = [
            (PathBuf::from("/"), MountFlags::NOSUID),
            (PathBuf::from("/data"), SAFE | MountFlags::NOATIME),
        ];
        assert_eq!(mounts(text), expected);
    }
}
