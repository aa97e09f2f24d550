//! Writes logs and receipts to a stick: the first removable FAT volume that takes them. Never to a
//! disk that is fixed in the machine or that it was started from, never over a file that is there, and
//! never to a volume that is damaged.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use gpt::disk::LogicalBlockSize;
use rustix::fs::OFlags;

use crate::fat::{Node, Stamp, Volume};
use crate::guard;
use crate::hardware::{Bus, Disk, Hardware, Problem, read_volume};
use crate::medium::Running;
use crate::slice::Slice;

/// How many exports a stick takes before somebody has to tidy up.
const MOST_EXPORTS: u32 = 999;
/// How many bytes of a stick are read to find room for an export.
const MOST_READ: u64 = 256 << 20;
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
        .filter(|disk| except.is_none_or(|it| it.name != disk.name && !it.looks_like(disk)))
        .filter(|disk| !is_boot_medium(disk));
    let mut files = vec![
        ("installer.log".to_owned(), log.join("\n") + "\n"),
        ("kernel.log".to_owned(), kernel_log(root)),
    ];
    let receipts = (1..).zip(receipts);
    files.extend(receipts.map(|(number, text)| (receipt_name(number), text.clone())));
    let mut refused = Vec::new();
    for disk in sticks {
        match write_to(root, disk, &files) {
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

/// Writes the files to the first FAT volume of `disk` that takes them, and returns in which folder;
/// `None` if there is no such volume.
fn write_to(root: &Path, disk: &Disk, files: &[(String, String)]) -> io::Result<Option<String>> {
    let mut outcome = Ok(None);
    for volume in volumes(root, disk) {
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

/// The parts of `disk` that may be FAT volumes: all of it, or its partitions.
fn volumes(root: &Path, disk: &Disk) -> Vec<io::Result<(Slice, u64)>> {
    let path = root.join("dev").join(&disk.name);
    let open = || File::options().read(true).write(true).open(&path);
    let mut ranges = vec![(0, disk.size)];
    if let Ok(mut device) = open() {
        let size = if disk.block_size == 4096 {
            LogicalBlockSize::Lb4096
        } else {
            LogicalBlockSize::Lb512
        };
        if let Some(table) = guard::partitions(&mut device, size) {
            ranges.extend(table.values().map(|it| {
                let blocks = (it.last_lba.saturating_add(1)).saturating_sub(it.first_lba);
                let bytes = |blocks: u64| blocks.saturating_mul(disk.block_size);
                (bytes(it.first_lba), bytes(blocks))
            }));
        } else if let Ok(mbr) = gpt::mbr::ProtectiveMBR::from_disk(&mut device, size) {
            let records = (0..4).filter_map(|index| mbr.partition(index));
            ranges.extend(records.filter(|it| it.lb_size > 0).map(|it| {
                (
                    u64::from(it.lb_start) * disk.block_size,
                    u64::from(it.lb_size) * disk.block_size,
                )
            }));
        }
    }
    let slice = |(start, size)| open().map(|file| (Slice::new(file, start, size, MOST_READ), size));
    ranges.into_iter().map(slice).collect()
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
