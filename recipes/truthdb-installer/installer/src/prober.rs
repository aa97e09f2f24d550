//! Reads what each disk holds, once for each medium, in threads of their own: a drive that spins
//! up, or a bad one, must not stop the screen. Never writes to a device.

use std::collections::HashMap;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use crate::hardware::{Disk, DiskKey, Volume, read_volume};

/// What is known about each disk's content, and the threads that find out.
#[derive(Debug)]
pub struct Prober {
    devices: PathBuf,
    known: HashMap<DiskKey, Volume>,
    sender: Sender<(DiskKey, Volume)>,
    receiver: Receiver<(DiskKey, Volume)>,
    wake: OwnedFd,
}

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
            if let Some(volume) = self.known.get(&disk.key()) {
                disk.volume = volume.clone();
            } else {
                disk.volume = self.start(disk);
            }
        }
    }

    /// Forgets what it found, except what is being looked at, so that every disk is read again.
    pub fn forget(&mut self) {
        self.collect();
        self.known.retain(|_, volume| *volume == Volume::Unread);
    }

    fn collect(&mut self) {
        for (key, volume) in self.receiver.try_iter() {
            tracing::info!(disk = key.0, ?volume, "looked at disk");
            self.known.insert(key, volume);
        }
    }

    fn start(&mut self, disk: &Disk) -> Volume {
        let key = disk.key();
        let path = self.devices.join(&disk.name);
        let sender = self.sender.clone();
        let thread = self.wake.try_clone().and_then(|wake| {
            let key = key.clone();
            thread::Builder::new()
                .name(format!("probe {}", disk.name))
                .spawn(move || {
                    // Both fail only when the program is leaving, and nobody wants to know.
                    drop(sender.send((key, read_volume(&path))));
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
        self.known.insert(key, volume.clone());
        volume
    }
}

fn notify(wake: OwnedFd) -> io::Result<()> {
    std::fs::File::from(wake).write_all(&[0])
}
