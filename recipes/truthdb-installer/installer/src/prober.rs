//! Reads what each disk holds, once for each medium, in threads of their own: a drive that spins
//! up, or a bad one, must not stop the screen. Never writes to a device.

use std::collections::HashMap;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use crate::hardware::{Contents, Disk, DiskKey, Volume, read_volume};

/// What is known about each disk's content, and the threads that find out.
#[derive(Debug)]
pub struct Prober {
    devices: PathBuf,
    known: HashMap<DiskKey, Found>,
    sender: Sender<(DiskKey, Found)>,
    receiver: Receiver<(DiskKey, Found)>,
    wake: OwnedFd,
}

/// What was found on a disk.
type Found = (Volume, Option<Contents>);

impl Prober {
    /// A prober of the devices in `dev` below `root` that writes to `wake` when it found something.
    pub fn new(root: &Path, wake: OwnedFd) -> Self {
        let (sender, receiver) = channel();
        Self {
            devices: root.join("dev"),
            known: HashMap::new(),
            sender,
            receiver,
            wake,
        }
    }

    /// Writes into `disks` what is known of their content, and starts to look at new ones.
    pub fn fill(&mut self, disks: &mut [Disk]) {
        self.collect();
        self.known
            .retain(|key, _| disks.iter().any(|disk| disk.key() == *key));
        for disk in disks {
            let known = self.known.get(&disk.key()).cloned();
            (disk.volume, disk.contents) = known.unwrap_or_else(|| self.start(disk));
        }
    }

    /// Forgets what it found, except what is being looked at, so that every disk is read again.
    pub fn forget(&mut self) {
        self.collect();
        self.known
            .retain(|_, (volume, _)| *volume == Volume::Unread);
    }

    fn collect(&mut self) {
        for (key, found) in self.receiver.try_iter() {
            tracing::info!(disk = key.0, ?found, "looked at disk");
            self.known.insert(key, found);
        }
    }

    fn start(&mut self, disk: &Disk) -> Found {
        let key = disk.key();
        let path = self.devices.join(&disk.name);
        let looked_at = disk.clone();
        let sender = self.sender.clone();
        let thread = self.wake.try_clone().and_then(|wake| {
            let key = key.clone();
            thread::Builder::new()
                .name(format!("probe {}", disk.name))
                .spawn(move || {
                    // Both fail only when the program is leaving, and nobody wants to know.
                    let volume = read_volume(&path);
                    let contents = Contents::read(&path, &looked_at)
                        .inspect_err(|error| tracing::info!(%error, disk = key.0, "cannot look"));
                    drop(sender.send((key, (volume, contents.ok()))));
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
        let found = (volume, None);
        self.known.insert(key, found.clone());
        found
    }
}

fn notify(wake: OwnedFd) -> io::Result<()> {
    std::fs::File::from(wake).write_all(&[0])
}
