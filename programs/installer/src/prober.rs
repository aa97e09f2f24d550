//! Reads what each disk holds, once for each medium, in threads of their own: a drive that spins
//! up, or a bad one, must not stop the screen, nor anybody who waits for all of them. Never writes to
//! a device.

use std::collections::HashMap;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Instant;

use crate::hardware::{Contents, Disk, DiskKey, Hardware, Volume, read_volume};
use crate::medium::Running;
use common::patience::PATIENCE;

/// What is known about each disk's content, and the threads that find out.
#[derive(Debug)]
pub struct Prober {
    root: PathBuf,
    known: HashMap<DiskKey, Found>,
    /// Since when each disk is being looked at.
    asked: HashMap<DiskKey, Instant>,
    /// Since when each thing may become a disk.
    pending: HashMap<String, Instant>,
    sender: Sender<(DiskKey, Found)>,
    receiver: Receiver<(DiskKey, Found)>,
    wake: OwnedFd,
}

/// What was found on a disk.
#[derive(Clone, Debug)]
struct Found {
    volume: Volume,
    contents: Option<Contents>,
    /// What it says when it is asked.
    serial: Option<String>,
    /// This system was started from it.
    is_medium: bool,
}

impl Found {
    /// Nothing yet, or nothing at all.
    fn nothing(volume: Volume) -> Self {
        Self {
            volume,
            contents: None,
            serial: None,
            is_medium: false,
        }
    }

    /// Looks at `disk`. Lasts as long as the disk likes.
    fn look(root: &Path, disk: &Disk) -> Self {
        let path = root.join("dev").join(&disk.name);
        let contents = disk
            .read_contents(&path)
            .inspect_err(|error| tracing::info!(%error, disk = disk.name, "cannot look"));
        Self {
            volume: read_volume(&path),
            contents: contents.ok(),
            serial: disk.ask_serial(root),
            is_medium: Running::read(root).is_on(root, disk),
        }
    }
}

impl Prober {
    /// A prober of the devices in `dev` below `root` that writes to `wake` when it found something.
    pub fn new(root: &Path, wake: OwnedFd) -> Self {
        let (sender, receiver) = channel();
        Self {
            root: root.to_owned(),
            known: HashMap::new(),
            asked: HashMap::new(),
            pending: HashMap::new(),
            sender,
            receiver,
            wake,
        }
    }

    /// Writes into `hardware` what is known of its disks' content, and starts to look at new ones. What
    /// has not answered for long is [`Volume::Silent`], or in `silent` instead of `pending`; an answer
    /// that comes late counts all the same.
    pub fn fill(&mut self, hardware: &mut Hardware, now: Instant) {
        self.collect();
        let disks = &mut hardware.disks;
        let is_there = |key: &DiskKey| disks.iter().any(|disk| disk.key() == *key);
        self.known.retain(|key, _| is_there(key));
        self.asked.retain(|key, _| is_there(key));
        for disk in disks {
            let known = self.known.get(&disk.key()).cloned();
            let found = known.unwrap_or_else(|| self.start(disk, now));
            (disk.volume, disk.contents) = (found.volume, found.contents);
            disk.serial = disk.serial.take().or(found.serial);
            disk.is_medium = found.is_medium;
            let asked = self.asked.get(&disk.key());
            if disk.volume == Volume::Unread && asked.is_some_and(|it| is_over(*it, now)) {
                disk.volume = Volume::Silent;
            }
        }
        let pending = std::mem::take(&mut hardware.pending);
        self.pending.retain(|name, _| pending.contains(name));
        for name in pending {
            let since = *self.pending.entry(name.clone()).or_insert(now);
            let list = if is_over(since, now) {
                &mut hardware.silent
            } else {
                &mut hardware.pending
            };
            list.push(name);
        }
    }

    /// Forgets what it found, except what is being looked at, so that every disk is read again.
    pub fn forget(&mut self) {
        self.collect();
        self.known.retain(|_, found| found.volume == Volume::Unread);
    }

    fn collect(&mut self) {
        for (key, found) in self.receiver.try_iter() {
            tracing::info!(disk = key.0, ?found, "looked at disk");
            self.known.insert(key, found);
        }
    }

    fn start(&mut self, disk: &Disk, now: Instant) -> Found {
        let key = disk.key();
        let (root, looked_at) = (self.root.clone(), disk.clone());
        let sender = self.sender.clone();
        let thread = self.wake.try_clone().and_then(|wake| {
            let key = key.clone();
            thread::Builder::new()
                .name(format!("probe {}", disk.name))
                .spawn(move || {
                    // Both fail only when the program is leaving, and nobody wants to know.
                    drop(sender.send((key, Found::look(&root, &looked_at))));
                    drop(notify(wake));
                })
        });
        let volume = match thread {
            Ok(_) => Volume::Unread,
            Err(error) => {
                tracing::warn!(disk = disk.name, %error, "cannot look at disk");
                Volume::Unreadable
            }
        };
        let found = Found::nothing(volume);
        self.asked.insert(key.clone(), now);
        self.known.insert(key, found.clone());
        found
    }
}

fn is_over(since: Instant, now: Instant) -> bool {
    now.saturating_duration_since(since) >= PATIENCE
}

fn notify(wake: OwnedFd) -> io::Result<()> {
    std::fs::File::from(wake).write_all(&[0])
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use rustix::pipe::pipe;

    use super::*;

    /// A machine with three disks and a controller that does not get ready.
    fn machine() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let files = [
            ("etc/os-release", "NAME=Example\nVERSION_ID=1\n"),
            ("proc/cpuinfo", ""),
            ("proc/meminfo", "MemTotal: 1048576 kB\n"),
            ("sys/class/nvme/nvme0/state", "connecting\n"),
            ("sys/block/sda/size", "16777216\n"),
            ("sys/block/sda/device/model", "Disk\n"),
            ("sys/block/sdb/size", "16777216\n"),
            ("sys/block/sdb/device/model", "Disk\n"),
            ("dev/sda", "no ISO"),
            ("sys/block/vda/size", "16777216\n"),
            ("sys/block/vda/device/vendor", "0x1af4\n"),
            ("sys/block/vda/serial", "S1\n"),
            ("dev/vda", ""),
        ];
        for (path, content) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        root
    }

    #[test]
    fn what_does_not_answer_in_time_is_told_and_may_still_answer() {
        let root = machine();
        let (_wake, waker) = pipe().unwrap();
        let mut prober = Prober::new(root.path(), waker);
        let start = Instant::now();
        let look = |prober: &mut Prober, now| {
            let mut hardware = Hardware::scan(root.path()).unwrap();
            prober.fill(&mut hardware, now);
            hardware
        };
        let first = look(&mut prober, start);
        assert_eq!(first.pending, ["NVMe controller nvme0"]);
        while prober.known.values().any(|it| it.volume == Volume::Unread) {
            prober.collect();
        }
        // As if its thread hung.
        let silent = first.disks[1].key();
        let unread = Found::nothing(Volume::Unread);
        prober.known.insert(silent.clone(), unread);
        let volumes = |hardware: &Hardware| [0, 1].map(|at| hardware.disks[at].volume.clone());
        let almost = look(
            &mut prober,
            start + PATIENCE.saturating_sub(Duration::from_millis(1)),
        );
        assert_eq!(volumes(&almost), [Volume::Other, Volume::Unread]);
        assert!(!almost.is_settled());
        assert_eq!(first.disks[2].serial, None, "it has to be asked");
        assert_eq!(almost.disks[2].serial.as_deref(), Some("S1"));
        let over = look(&mut prober, start + PATIENCE);
        assert_eq!(volumes(&over), [Volume::Other, Volume::Silent]);
        assert_eq!(
            over.obstacle(&over.disks[1]).as_deref(),
            Some("does not answer")
        );
        assert_eq!(
            (over.pending.len(), &*over.silent),
            (0, &["NVMe controller nvme0".to_owned()][..])
        );
        assert!(over.is_settled());
        let other = Found::nothing(Volume::Other);
        prober.sender.send((silent, other)).unwrap();
        let late = look(&mut prober, start + PATIENCE);
        assert_eq!(volumes(&late), [Volume::Other, Volume::Other]);
    }
}
