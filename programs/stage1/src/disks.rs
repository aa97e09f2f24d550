//! Block devices as sysfs lists them, and what is on them that a root can be told by.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use common::partition_table::{Partition, table};
use common::text::clean;
use uuid::Uuid;

use crate::superblock::{FileSystem, HEAD, file_system};

/// Devices that are made of others, or of memory: no root is looked for on them.
const OTHERS: [&str; 5] = ["dm-", "loop", "nbd", "ram", "zram"];
/// The unit of `size` in sysfs, in bytes.
const SECTOR: u64 = 512;

/// A partition, or a disk without any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// Its node.
    pub path: PathBuf,
    /// Its number, `MAJOR:MINOR`.
    pub number: String,
    /// Its size in bytes.
    pub size: u64,
    /// The UUID and the name that a GPT gives it.
    pub partition: Option<(Uuid, String)>,
    /// What is on it.
    pub file_system: Option<FileSystem>,
}

impl Display for Device {
    /// Its node, and in brackets what it can be told by, if there is anything.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut facts = Vec::new();
        if let Some(found) = &self.file_system {
            facts.push(found.kind.to_owned());
            let named = [("LABEL", &found.label), ("UUID", &found.uuid)];
            let named = named.iter().filter(|(_, it)| !it.is_empty());
            facts.extend(named.map(|(tag, it)| format!("{tag}={}", clean(it))));
        }
        if let Some((uuid, name)) = &self.partition {
            facts.extend((!name.is_empty()).then(|| format!("PARTLABEL={}", clean(name))));
            facts.push(format!("PARTUUID={uuid}"));
        }
        let path = self.path.display();
        if facts.is_empty() {
            return write!(out, "{path}");
        }
        write!(out, "{path} ({})", facts.join(" "))
    }
}

/// The devices that were looked at, by the names that the kernel gave them.
#[derive(Debug)]
pub struct Disks {
    root: PathBuf,
    known: BTreeMap<String, Device>,
}

impl Disks {
    /// Those of the system below `root`, which is `/` but in tests.
    pub fn below(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            known: BTreeMap::new(),
        }
    }

    /// Looks at what is new, and says whether that was anything. A device that cannot be read, as an empty drive, is
    /// looked at again the next time.
    pub fn look(&mut self) -> bool {
        let listed = self.root.join("sys/class/block");
        let names = fs::read_dir(listed).into_iter().flatten().flatten();
        let names: Vec<String> = names
            .filter_map(|it| it.file_name().into_string().ok())
            .collect();
        let before = self.known.len();
        self.known.retain(|name, _| names.contains(name));
        let is_same = self.known.len() == before;
        let mut is_new = false;
        for name in names {
            let is_other = OTHERS.iter().any(|other| name.starts_with(other));
            if !is_other
                && !self.known.contains_key(&name)
                && let Ok(device) = self.device(&name)
            {
                is_new = true;
                self.known.insert(name, device);
            }
        }
        is_new || !is_same
    }

    /// What there is, by name.
    pub fn found(&self) -> impl Iterator<Item = &Device> {
        self.known.values()
    }

    fn device(&self, name: &str) -> io::Result<Device> {
        let place = fs::canonicalize(self.root.join("sys/class/block").join(name))?;
        let said = |file: &str| fs::read_to_string(place.join(file)).map(|it| it.trim().to_owned());
        let number = |text: String| text.parse::<u64>().map_err(io::Error::other);
        // A `/` in the name of a node is a `!` in sysfs.
        let node = |name: &str| Path::new("/dev").join(name.replace('!', "/"));
        let open = |name: &str| {
            File::open(
                self.root
                    .join(node(name).strip_prefix("/").unwrap_or(Path::new(""))),
            )
        };
        let mut head = Vec::new();
        let opened = open(name)?;
        (&opened).take(HEAD as u64).read_to_end(&mut head)?;
        let mut device = Device {
            path: node(name),
            number: said("dev")?,
            size: number(said("size")?)?.saturating_mul(SECTOR),
            partition: None,
            file_system: file_system(&head),
        };
        if device.size == 0 {
            return Err(io::ErrorKind::NotFound.into());
        }
        let (Ok(part), Some(disk)) = (said("partition"), place.parent()) else {
            // A hybrid image looks like a file system from its first byte on: what counts are its partitions.
            let block = said("queue/logical_block_size")
                .and_then(number)
                .unwrap_or(SECTOR);
            if has_table(opened, block) {
                device.file_system = None;
            }
            return Ok(device);
        };
        let block = fs::read_to_string(disk.join("queue/logical_block_size"))?;
        let block = number(block.trim().to_owned())?;
        let part = u32::try_from(number(part)?).map_err(io::Error::other)?;
        let disk = disk.file_name().unwrap_or_default().to_string_lossy();
        let found = entry(open(&disk)?, block, part);
        device.partition = found.map(|it| (it.guid, it.name));
        Ok(device)
    }
}

fn has_table(mut disk: File, block: u64) -> bool {
    block > 0 && table(&mut disk, block).is_some()
}

fn entry(mut disk: File, block: u64, number: u32) -> Option<Partition> {
    let found = (block > 0).then(|| table(&mut disk, block))??;
    found.partitions.get(&number).cloned()
}

#[cfg(test)]
pub(crate) mod tests;
