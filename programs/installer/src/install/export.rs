//! Writes logs and receipts to a stick: the first removable FAT volume that takes them. Never to a
//! disk that is fixed in the machine or that it was started from, never over a file that is there, and
//! never to a volume that is damaged.

use common::product::product;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::device::is_device_of;
use super::measured;
use super::report::Account;
use crate::fat::{MOST_READ, Node, Stamp, Volume};
use crate::hardware::{Bus, Disk, Hardware, Problem, read_volume};
use crate::medium::Running;
use common::patience::{PATIENCE, within};
use common::slice::Slice;
use common::volumes::extent;

/// How many exports a stick takes before somebody has to tidy up.
const MOST_EXPORTS: u32 = 999;
/// How much of the kernel's log is taken, in bytes.
const MAX_KERNEL_LOG: usize = 4 << 20;

/// See [`super::export_logs`].
pub(super) fn export(
    root: &Path,
    log: &[String],
    accounts: &[Account],
    except: Option<&Disk>,
) -> Result<String, Problem> {
    let hint = "Plug in a USB stick with a FAT file system (not exFAT), then press E again.";
    let hardware = Hardware::scan(root)?;
    let sticks = hardware
        .disks
        .iter()
        .filter(|disk| disk.removable || disk.bus == Bus::Usb)
        .filter(|disk| !disk.read_only && !disk.is_empty() && !disk.is_optical())
        .filter(|disk| except.is_none_or(|it| it.name != disk.name && !it.looks_like(disk)));
    let sticks: Vec<Disk> = sticks.cloned().collect();
    let mut files = vec![
        (
            "installer.log".to_owned(),
            (log.join("\n") + "\n").into_bytes(),
        ),
        ("kernel.log".to_owned(), kernel_log(root).into_bytes()),
    ];
    files.extend(measured::files(root));
    for (number, account) in (1..).zip(accounts) {
        let both = [
            (receipt_name(number), &account.receipt),
            (log_name(number), &account.log),
        ];
        let told = both.into_iter().filter(|(_, text)| !text.is_empty());
        files.extend(told.map(|(name, text)| (name, text.clone().into_bytes())));
    }
    let (root, running) = (root.to_owned(), Running::read(root));
    let offer = move |disk: &Disk, deadline| {
        let stick = open(&root, disk);
        let volume = read_volume(&root.join("dev").join(&disk.name));
        let named = disk.clone();
        if running.is_on(&root, disk) || hardware.may_be_boot_medium(&Disk { volume, ..named }) {
            return Offer::BootMedium;
        }
        // What is open is what was looked at only if it has not been exchanged up to now.
        let same = stick.and_then(|it| check_same(&root, disk, &it).map(|()| it));
        match same.and_then(|it| write_to(&it, disk, &files, deadline)) {
            Ok(Some(folder)) => Offer::Taken(folder),
            Ok(None) => Offer::Refused(" has no FAT file system".to_owned()),
            Err(error) => Offer::Refused(format!(": {error}")),
        }
    };
    first_to_take(sticks, PATIENCE, offer).map_err(|refused| {
        let message = if refused.is_empty() {
            "There is no stick to export the logs to.".to_owned()
        } else {
            format!("No stick took the logs ({}).", refused.join("; "))
        };
        Problem::new(message, hint)
    })
}

/// What comes of offering the files to a disk.
enum Offer {
    /// The disk is none that is asked.
    BootMedium,
    /// They are in this folder.
    Taken(String),
    /// Why they are not: what follows the name of the disk.
    Refused(String),
}

/// Offers the files to one disk after another, each of which has `patience` to answer and is not
/// written to afterwards. Returns where they are, as a sentence, or why each disk did not take them.
fn first_to_take(
    disks: Vec<Disk>,
    patience: Duration,
    offer: impl Fn(&Disk, Instant) -> Offer + Send + Sync + 'static,
) -> Result<String, Vec<String>> {
    let offer = Arc::new(offer);
    let mut refused = Vec::new();
    for disk in disks {
        let (name, offer) = (disk.name.clone(), Arc::clone(&offer));
        let deadline = Instant::now() + patience;
        match within(patience, "offer", move || offer(&disk, deadline)) {
            Some(Offer::Taken(folder)) => {
                return Ok(format!("The logs are on {name}, in {folder}."));
            }
            Some(Offer::BootMedium) => {}
            Some(Offer::Refused(why)) => refused.push(format!("{name}{why}")),
            None => refused.push(format!("{name} does not answer")),
        }
    }
    Err(refused)
}

/// What the receipt of the installation with this number, counted from 1 since the program
/// started, is called on a stick.
fn receipt_name(number: u32) -> String {
    format!("install-receipt-{number}.json")
}

/// What the log of that installation is called there.
fn log_name(number: u32) -> String {
    format!("install-log-{number}.jsonl")
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
/// which folder; `None` if there is no such volume. Begins no write at `deadline`.
fn write_to(
    stick: &File,
    disk: &Disk,
    files: &[(String, Vec<u8>)],
    deadline: Instant,
) -> io::Result<Option<String>> {
    let mut outcome = Ok(None);
    for part in extent::in_use(stick, disk.size, disk.block_size)? {
        let slice = |file| Slice::new(file, part.start, part.length, MOST_READ).until(deadline);
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
    files: &[(String, Vec<u8>)],
) -> io::Result<Option<String>> {
    let Some(mut volume) = Volume::open(slice, size)? else {
        return Ok(None);
    };
    let folder = (1..=MOST_EXPORTS)
        .map(|number| format!("{}-logs-{number}", product().id))
        .find(|name| !volume.has(name))
        .ok_or_else(|| io::Error::from(ErrorKind::AlreadyExists))?;
    let files = files
        .iter()
        .map(|(name, contents)| (name.clone(), Node::File(contents)));
    let folders = [(folder.clone(), Node::Folder(files.collect()))];
    volume.add(&folders, Stamp::now())?;
    Ok(Some(folder))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::channel;

    use super::super::test_disk;
    use super::*;

    #[test]
    fn a_disk_that_hangs_is_left_and_the_next_one_is_asked() {
        let root = tempfile::tempdir().unwrap();
        let disks = ["sda", "sdb"].map(|name| Disk {
            name: name.to_owned(),
            ..test_disk::disk(root.path(), 4096, 512)
        });
        let with_one_that_hangs = || {
            let (open, nothing) = channel::<()>();
            let nothing = Mutex::new(nothing);
            let offer = move |disk: &Disk, _: Instant| {
                if disk.name == "sda" {
                    assert!(nothing.lock().unwrap().recv().is_err());
                    return Offer::BootMedium;
                }
                Offer::Taken("a-folder".to_owned())
            };
            (open, offer)
        };
        // Time enough for the one that does not hang.
        let patience = Duration::from_secs(2);
        let (_open, offer) = with_one_that_hangs();
        let taken = Ok("The logs are on sdb, in a-folder.".to_owned());
        assert_eq!(first_to_take(disks.to_vec(), patience, offer), taken);
        let (_open, offer) = with_one_that_hangs();
        let refused = Err(vec!["sda does not answer".to_owned()]);
        let patience = Duration::from_millis(20);
        assert_eq!(first_to_take(disks[..1].to_vec(), patience, offer), refused);
    }

    #[test]
    fn another_stick_under_the_same_name_is_not_written_to() {
        let root = tempfile::tempdir().unwrap();
        let disk = Disk {
            sequence: 7,
            ..test_disk::disk(root.path(), 4096, 512)
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
