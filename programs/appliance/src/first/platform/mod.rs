//! What a platform says to a machine that starts from an image for the first time. Volumes are read from raw
//! devices, never mounted and never written to.
//!
//! | module | owns |
//! | --- | --- |
//! | `user_data` | whether what somebody handed over is an answer file |
//! | `no_cloud` | cloud-init's volume for machines without a cloud |
//! | `azure` | the disc that Azure and Hyper-V's managers give a new machine |

mod azure;
mod no_cloud;
mod user_data;

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant};

use common::answer_file::firmware::{self, Found};
use common::answer_file::{FILE, LARGEST, NAMES, label};
use common::disks::{Device, names};
use common::patience::within;
use common::problem::Problem;
use common::volumes::extent::{self, Extent};
use common::volumes::{fat, iso9660, partition_name, udf};

/// How long no disk has to turn up before all are taken to be there …
const SETTLE: Duration = Duration::from_secs(2);
/// … and how long that is waited for at most.
const MOST: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(100);
/// How long a disk is searched at most.
const PATIENCE: Duration = Duration::from_secs(20);

/// What somebody says to this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// Who says it, in words for people: the end of a sentence, without full stop.
    pub(super) name: String,
    /// An answer file.
    pub(super) file: Option<Vec<u8>>,
    /// What the machine is called, where that file does not say so.
    pub(super) host_name: Option<String>,
}

/// What was found, in the order in which it counts.
#[derive(Debug, Default)]
pub(super) struct Sources {
    firmware: Vec<Source>,
    volumes: Vec<Source>,
    no_cloud: Vec<Source>,
    azure: Vec<Source>,
    /// What somebody has to do something about.
    pub(super) problems: Vec<Problem>,
}

impl Sources {
    /// Looks for them on the machine below `root`, once its disks are there. Takes seconds.
    pub(super) fn find(root: &Path) -> Self {
        settle(root);
        let mut found = Self::default();
        match firmware::read(root) {
            Ok(files) => found.firmware.extend(files.into_iter().map(of_file)),
            Err(source) => found.problems.push(Problem::new(
                format!("The answer file is not base64: {source}."),
                "Make it with: base64 -w0 install.toml",
            )),
        }
        for name in names(root) {
            let Some(disk) = Device::read(root, &name) else {
                continue;
            };
            let path = root.join("dev").join(&name);
            let searched = within(PATIENCE, "search", move || {
                let mut found = Self::default();
                found.search(&path, &disk).map(|()| found)
            });
            match searched {
                Some(Ok(more)) => found.add(more),
                Some(Err(error)) => tracing::info!(name, %error, "cannot be searched for settings"),
                None => tracing::warn!(name, "took too long to be searched for settings"),
            }
        }
        found
    }

    /// All of them, the one that counts first.
    pub(super) fn in_order(&self) -> impl Iterator<Item = &Source> {
        let kinds = [&self.firmware, &self.volumes, &self.no_cloud, &self.azure];
        kinds.into_iter().flatten()
    }

    fn add(&mut self, more: Self) {
        self.volumes.extend(more.volumes);
        self.no_cloud.extend(more.no_cloud);
        self.azure.extend(more.azure);
        self.problems.extend(more.problems);
    }

    /// Searches the disk at `path`, all of it and each of its partitions.
    fn search(&mut self, path: &Path, disk: &Device) -> io::Result<()> {
        let mut device = extent::open(path)?;
        // Of a drive, sysfs says how large a disc is only once somebody has opened it.
        let size = device.seek(SeekFrom::End(0))?;
        if size == 0 {
            return Ok(());
        }
        for extent in extent::extents(&device, size, disk.block_size)? {
            let name = partition_name(&disk.name, extent.number);
            if let Err(error) = self.look_at(&device, extent, &name) {
                tracing::warn!(name, %error, "cannot be searched for settings");
            }
        }
        Ok(())
    }

    fn look_at(&mut self, device: &File, extent: Extent, name: &str) -> io::Result<()> {
        if let Some(volume) = fat::read(device, extent, &NAMES, LARGEST)? {
            let called = volume.label.trim().to_owned();
            if called.eq_ignore_ascii_case(label()) {
                if let Some((file, bytes)) = volume.file {
                    let source = format!("/{file} on {name} ({called})");
                    self.volumes.push(of_file(Found { source, bytes }));
                } else {
                    tracing::warn!(name, called, "has no /{FILE}");
                }
            } else if no_cloud::is_label(&called) {
                let mut file = |file: &'static str| {
                    let volume = fat::read(device, extent, &[file], LARGEST)?;
                    Ok(volume.and_then(|it| it.file).map(|(_, bytes)| bytes))
                };
                self.no_cloud.extend(no_cloud::read(name, &mut file)?);
            }
            return Ok(());
        }
        let mut disc = iso9660::open(device, extent)?;
        if let Some(disc) = disc.as_mut().filter(|it| no_cloud::is_label(&it.label)) {
            let mut file = |file: &str| disc.file(file, LARGEST);
            self.no_cloud.extend(no_cloud::read(name, &mut file)?);
            return Ok(());
        }
        // Either may lie beside the other, or alone.
        let mut found = match disc {
            Some(mut disc) => disc.file(azure::FILE, azure::LARGEST)?,
            None => None,
        };
        if found.is_none()
            && let Some(mut disc) = udf::open(device, extent)?
        {
            found = disc.file(azure::FILE, azure::LARGEST)?;
        }
        match found.map(|bytes| azure::read(name, &bytes)) {
            None => {}
            Some(Ok(source)) => self.azure.extend(source),
            Some(Err(problem)) => self.problems.push(problem),
        }
        Ok(())
    }
}

fn of_file(found: Found) -> Source {
    Source {
        name: found.source,
        file: Some(found.bytes),
        host_name: None,
    }
}

/// Waits until no disk turns up any more.
fn settle(root: &Path) {
    let started = Instant::now();
    let (mut before, mut since) = (names(root), started);
    while since.elapsed() < SETTLE && started.elapsed() < MOST {
        std::thread::sleep(POLL);
        let now = names(root);
        if now != before {
            (before, since) = (now, Instant::now());
        }
    }
}

#[cfg(test)]
mod tests;
