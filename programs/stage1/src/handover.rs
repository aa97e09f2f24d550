//! Mounts the root and hands the machine over to the init in there.

use std::ffi::{CString, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use common::problem::Problem;
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, open, openat2, statfs};
use rustix::mount::{MountFlags, mount, mount_move};
use rustix::process::{chdir, chroot};

use crate::cmdline::{Root, Wanted};
use crate::mapper;
use crate::search::Place;
use crate::superblock::{HEAD, file_system};
use crate::verity::{SUPERBLOCK, superblock};

/// Where the root is mounted before it is the root.
pub const NEW: &str = "/sysroot";
/// What is started where `init=` does not say it.
const INITS: [&str; 2] = ["/usr/lib/systemd/systemd", "/sbin/init"];
/// What is mounted from the beginning on, and goes along: type and place.
const MOUNTS: [(&str, &str); 3] = [("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev")];
/// What Linux unpacks an initramfs to: `RAMFS_MAGIC`, `TMPFS_MAGIC` (`linux/magic.h`).
const IN_MEMORY: [i64; 2] = [0x8584_58f6, 0x0102_1994];

/// Mounts what the kernel has to say, and its devices.
pub fn mount_kernels() -> Result<(), Problem> {
    for (kind, place) in MOUNTS {
        let made = fs::create_dir_all(place);
        made.and_then(|()| Ok(mount(kind, place, kind, MountFlags::NOSUID, None)?))
            .map_err(|error| {
                broken(format!("{kind} cannot be mounted on {place}: {error}")).because(error)
            })?;
    }
    Ok(())
}

/// Mounts the root on [`NEW`], by device mapper where it is verified.
pub fn mount_root(wanted: &Wanted, place: &Place) -> Result<(), Problem> {
    let device = match (&wanted.root, &place.tree) {
        (Root::Hash(hash), Some(tree)) => {
            let mut bytes = Vec::new();
            let read = File::open(&tree.path)
                .and_then(|it| it.take(SUPERBLOCK as u64).read_to_end(&mut bytes));
            read.map_err(|error| unreadable(&tree.path, &error))?;
            let block = superblock(&bytes)?;
            if block.size() > place.data.size {
                let (covered, path, has) =
                    (block.size(), place.data.path.display(), place.data.size);
                let message =
                    format!("The hash tree covers {covered} bytes, the partition {path} has {has}");
                return Err(Problem::new(
                    message,
                    "Write the whole root to a partition that is large enough.",
                ));
            }
            let table = block.table(&place.data.number, &tree.number, hash);
            let uuid = format!("CRYPT-VERITY-{}-root", block.uuid.simple());
            mapper::create("root", &uuid, "verity", block.sectors(), &table).map_err(|error| {
                let message = format!(
                    "The kernel does not verify the root by {}: {error}",
                    block.algorithm
                );
                Problem::new(
                    message,
                    "Take dm-verity and the hash's module into the initramfs.",
                )
                .because(error)
            })?
        }
        _ => place.data.path.clone(),
    };
    let kind = match &wanted.kind {
        Some(kind) => kind.clone(),
        None => kind_on(&device)?,
    };
    let access = if wanted.is_writable {
        MountFlags::empty()
    } else {
        MountFlags::RDONLY
    };
    let flags = CString::new(wanted.flags.as_str()).unwrap_or_default();
    let mounted = fs::create_dir_all(NEW).and_then(|()| {
        Ok(mount(
            &device,
            NEW,
            kind.as_str(),
            access,
            flags.as_c_str(),
        )?)
    });
    mounted.map_err(|error| {
        let flags = if wanted.flags.is_empty() {
            String::new()
        } else {
            format!(" with rootflags={}", wanted.flags)
        };
        let message = format!(
            "{} cannot be mounted as {kind}{flags}: {error}",
            device.display()
        );
        Problem::new(
            message,
            "Check the file system, and that the initramfs has its module.",
        )
        .because(error)
    })
}

fn kind_on(device: &Path) -> Result<String, Problem> {
    let mut head = Vec::new();
    let read = File::open(device).and_then(|it| it.take(HEAD as u64).read_to_end(&mut head));
    read.map_err(|error| unreadable(device, &error))?;
    file_system(&head)
        .map(|it| it.kind.to_owned())
        .ok_or_else(|| {
            let message = format!(
                "{} has no file system of those that are known",
                device.display()
            );
            Problem::new(
                message,
                "They are ext4, erofs, squashfs and vfat: name another one by rootfstype=.",
            )
        })
}

/// The path of the init below `root`, whatever links lead to it there.
pub fn init_in(root: &Path, wanted: Option<&str>) -> Result<String, Problem> {
    let candidates = wanted.map_or(INITS.to_vec(), |it| vec![it]);
    let found = candidates.iter().find(|path| is_program(root, path));
    found.map(|it| (*it).to_owned()).ok_or_else(|| {
        let message = format!("The root has no program {}", candidates.join(" or "));
        Problem::new(
            message,
            "Put one there, or name it by init= on the kernel command line.",
        )
    })
}

fn is_program(root: &Path, path: &str) -> bool {
    let below = || {
        let folder = open(root, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?;
        let found = openat2(
            folder,
            path,
            OFlags::PATH,
            Mode::empty(),
            ResolveFlags::IN_ROOT,
        )?;
        fstat(found)
    };
    below().is_ok_and(|it| {
        FileType::from_raw_mode(it.st_mode) == FileType::RegularFile && it.st_mode & 0o111 != 0
    })
}

/// Makes [`NEW`] the root, deletes what was in the initramfs, and becomes `init`, which gets the `arguments` of this
/// program. Returns only what went wrong.
pub fn become_init(init: &str, arguments: &[OsString]) -> Problem {
    if let Err(problem) = switch() {
        return problem;
    }
    let error = Command::new(init).args(arguments).exec();
    let message = format!("{init} of the root cannot be started: {error}");
    Problem::new(
        message,
        "Is it a program for this machine, with its loader and libraries?",
    )
    .because(error)
}

fn switch() -> Result<(), Problem> {
    let kind = statfs("/").map(|it| it.f_type);
    if !kind.is_ok_and(|it| IN_MEMORY.contains(&it)) {
        return Err(broken(
            "/ is not an initramfs, so nothing is deleted there".to_owned(),
        ));
    }
    for (_, place) in MOUNTS {
        let target = format!("{NEW}{place}");
        mount_move(place, &target).map_err(|error| {
            let message = format!("{place} cannot be moved to the root: {error}");
            Problem::new(
                message,
                format!("Make the folder {place} in the root file system."),
            )
            .because(error)
        })?;
    }
    chdir(NEW).map_err(|error| broken(format!("{NEW}: {error}")))?;
    // What cannot be deleted stays in memory, and hinders nobody.
    drop(delete(Path::new("/")));
    let moved = mount_move(".", "/")
        .and_then(|()| chroot("."))
        .and_then(|()| chdir("/"));
    moved.map_err(|error| broken(format!("the root cannot become /: {error}")))
}

/// Deletes all below a folder that is on the same file system.
fn delete(folder: &Path) -> io::Result<()> {
    let device = fs::symlink_metadata(folder)?.dev();
    for entry in fs::read_dir(folder)?.flatten() {
        let (path, about) = (entry.path(), entry.metadata()?);
        if about.dev() != device {
            continue;
        }
        // A folder with a mount below it stays.
        let deleted = if about.is_dir() {
            delete(&path).and_then(|()| fs::remove_dir(&path))
        } else {
            fs::remove_file(&path)
        };
        drop(deleted);
    }
    Ok(())
}

fn unreadable(path: &Path, error: &io::Error) -> Problem {
    let message = format!("{} cannot be read: {error}", path.display());
    Problem::new(message, "Check the disk and its cables.")
}

fn broken(message: String) -> Problem {
    Problem::new(
        message,
        "Start this program as the init of an initramfs, by rdinit=.",
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn an_init_is_looked_for_inside_of_the_root() {
        let made = tempfile::tempdir().unwrap();
        let root = made.path();
        let none = "The root has no program /usr/lib/systemd/systemd or /sbin/init.";
        assert_eq!(init_in(root, None).unwrap_err().message, none);
        fs::create_dir_all(root.join("sbin")).unwrap();
        fs::create_dir_all(root.join("opt/init")).unwrap();
        fs::write(root.join("opt/real"), "#!").unwrap();
        symlink("/opt/real", root.join("sbin/init")).unwrap();
        symlink("/../../bin/sh", root.join("opt/out")).unwrap();
        assert_eq!(
            init_in(root, None).unwrap_err().message,
            none,
            "it may not be run"
        );
        fs::set_permissions(root.join("opt/real"), fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(init_in(root, None).unwrap(), "/sbin/init");
        assert_eq!(init_in(root, Some("/opt/real")).unwrap(), "/opt/real");
        for wrong in ["/opt/init", "/opt/out", "/none", "/bin/sh"] {
            let problem = init_in(root, Some(wrong)).unwrap_err();
            assert_eq!(problem.message, format!("The root has no program {wrong}."));
        }
    }

    #[test]
    fn nothing_is_left_of_an_initramfs_but_links_lead_nowhere() {
        let made = tempfile::tempdir().unwrap();
        let (inside, outside) = (made.path().join("in"), made.path().join("out"));
        fs::create_dir_all(inside.join("a/b")).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(inside.join("a/b/file"), "x").unwrap();
        fs::write(outside.join("file"), "x").unwrap();
        symlink(&outside, inside.join("link")).unwrap();
        delete(&inside).unwrap();
        assert_eq!(fs::read_dir(&inside).unwrap().count(), 0);
        assert!(outside.join("file").exists());
    }

    #[test]
    fn nothing_is_deleted_outside_of_an_initramfs() {
        let refused = statfs("/").is_ok_and(|it| !IN_MEMORY.contains(&it.f_type));
        if refused {
            let message = "/ is not an initramfs, so nothing is deleted there.";
            assert_eq!(switch().unwrap_err().message, message);
        }
    }
}
