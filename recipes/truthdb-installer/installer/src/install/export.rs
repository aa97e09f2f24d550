//! Writes logs and receipts to a stick: the first removable FAT volume that takes them. Never to a
//! disk that is fixed in the machine or that it was started from, never over a file that is there, and
//! never to a volume that is damaged.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::device::is_device_of;
use crate::answers::extent;
use crate::fat::{MOST_READ, Node, Stamp, Volume};
use crate::hardware::{Bus, Disk, Hardware, Problem, read_volume};
use crate::medium::Running;
use crate::slice::Slice;

/// How many exports a stick takes before somebody has to tidy up.
const MOST_EXPORTS: u32 = 999;
/// How much of the kernel's log is taken, in bytes.
const MAX_KERNEL_LOG: usize = 4 << 20;

/// See [`super::export_logs`].
pub(super) fn export(
    root: &Path,
    log: &[String],
    receipts: &[String],
    except: Option<&Disk>,
) -> Result<String, Problem> {
    let hint = "Plug in a USB stick with a FAT file system (not exFAT), then press E again.";
    let hardware = Hardware::scan(root)?;
    let running = Running::read(root);
    let is_boot_medium = |disk: &Disk| {
        let volume = read_volume(&root.join("dev").join(&disk.name));
        let named = disk.clone();
        running.is_on(root, disk) || hardware.may_be_boot_medium(&Disk { volume, ..named })
    };
    let sticks = hardware
        .disks
        .iter()
        .filter(|disk| disk.removable || disk.bus == Bus::Usb)
        .filter(|disk| !disk.read_only && !disk.is_empty() && !disk.is_optical())
        .filter(|disk| except.is_none_or(|it| it.name != disk.name && !it.looks_like(disk)));
    let mut files = vec![
        ("installer.log".to_owned(), log.join("\n") + "\n"),
        ("kernel.log".to_owned(), kernel_log(root)),
    ];
    let receipts = (1..).zip(receipts);
    files.extend(receipts.map(|(number, text)| (receipt_name(number), text.clone())));
    let mut refused = Vec::new();
    for disk in sticks {
        let stick = open(root, disk);
        if is_boot_medium(disk) {
            continue;
        }
        // What is open is what was looked at only if it has not been exchanged up to now.
        let same = stick.and_then(|it| check_same(root, disk, &it).map(|()| it));
        match same.and_then(|it| write_to(&it, disk, &files)) {
            Ok(Some(folder)) => return Ok(format!("The logs are on {}, in {folder}.", disk.name)),
            Ok(None) => refused.push(format!("{} has no FAT file system", disk.name)),
            Err(error) => refused.push(format!("{}: {error}", disk.name)),
        }
    }
    let message = if refused.is_empty() {
        "There is no stick to export the logs to.".to_owned()
    } else {
        format!("No stick took the logs ({}).", refused.join("; "))
    };
    Err(Problem::new(message, hint))
}

/// What the receipt of the installation with this number, counted from 1 since the program
/// started, is called on a stick.
fn receipt_name(number: u32) -> String {
    format!("install-receipt-{number}.json")
}

fn open(root: &Path, disk: &Disk) -> io::Result<File> {
    let path = root.join("dev").join(&disk.name);
    File::options().read(true).write(true).open(path)
}

/// Fails if `stick` is not what was found under the name of `disk`.
fn check_same(root: &Path, disk: &Disk, stick: &File) -> io::Result<()> {
    if is_device_of(stick, disk)? && !disk.is_another_now(root) {
        return Ok(());
    }
    Err(Errno::NODEV.into())
}

/// Writes the files to the first FAT volume of `stick`, which is `disk`, that takes them, and returns in
/// which folder; `None` if there is no such volume.
fn write_to(stick: &File, disk: &Disk, files: &[(String, String)]) -> io::Result<Option<String>> {
    let mut outcome = Ok(None);
    for part in extent::in_use(stick, disk.size, disk.block_size)? {
        let slice = |file| Slice::new(file, part.start, part.length, MOST_READ);
        let volume = stick.try_clone().map(|file| (slice(file), part.length));
        match volume.and_then(|it| write_files(it, files)) {
            Ok(Some(folder)) => return Ok(Some(folder)),
            Ok(None) => {}
            Err(error) => outcome = Err(error),
        }
    }
    outcome
}

/// The kernel's messages: Linux, Documentation/ABI/testing/dev-kmsg. One read is one message.
fn kernel_log(root: &Path) -> String {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let Ok(mut file) = File::options()
        .read(true)
        .custom_flags(flags)
        .open(root.join("dev/kmsg"))
    else {
        return String::new();
    };
    let mut text = String::new();
    let mut message = [0; 8192];
    while text.len() < MAX_KERNEL_LOG {
        match file.read(&mut message) {
            Ok(0) => break,
            Ok(length) => text.push_str(&String::from_utf8_lossy(&message[..length])),
            // Older messages were overwritten while this was reading.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            Err(_) => break,
        }
    }
    text
}

/// Writes the files into a new folder and returns what it is called; `None` if this is no FAT volume.
fn write_files(
    (slice, size): (Slice, u64),
    files: &[(String, String)],
) -> io::Result<Option<String>> {
    let Some(mut volume) = Volume::open(slice, size)? else {
        return Ok(None);
    };
    let folder = (1..=MOST_EXPORTS)
        .map(|number| format!("truthdb-logs-{number}"))
        .find(|name| !volume.has(name))
        .ok_or_else(|| io::Error::from(ErrorKind::AlreadyExists))?;
    let files = files
        .iter()
        .map(|(name, text)| (name.clone(), Node::File(text.as_bytes())));
    let folders = [(folder.clone(), Node::Folder(files.collect()))];
    volume.add(&folders, Stamp::now())?;
    Ok(Some(folder))
}

#[cfg(test)]
mod tests {
    use super::super::bench;
    use super::*;

    #[test]
    fn another_stick_under_the_same_name_is_not_written_to() {
        let root = tempfile::tempdir().unwrap();
        let disk = Disk {
            sequence: 7,
            ..bench::disk(root.path(), 4096, 512)
        };
        let stick = open(root.path(), &disk).unwrap();
        let folder = root.path().join("sys/block/sda");
        std::fs::create_dir_all(&folder).unwrap();
        for (sequence, expected) in [("7\n", true), ("8\n", false)] {
            std::fs::write(folder.join("diskseq"), sequence).unwrap();
            let same = check_same(root.path(), &disk, &stick);
            assert_eq!(same.is_ok(), expected, "{sequence}");
        }
        let device = Disk {
            sequence: 8,
            device: Some((8, 0)),
            ..disk
        };
        assert!(check_same(root.path(), &device, &stick).is_err());
    }
}
