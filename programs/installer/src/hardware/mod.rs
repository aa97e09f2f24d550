//! Facts about the machine, read from `/proc`, `/sys` and `/etc/os-release` below a root that
//! tests replace by a fake tree. Reads only, opens no device, and knows nothing of the screen.

mod boot;
mod carried;
mod contents;
mod discovery;
mod disk;
mod machine;
mod release;
mod room;
mod sealing;
mod secure_boot;
mod text;

pub use common::problem::Problem;
use common::product::product;
use std::path::Path;
use std::sync::Arc;

pub use boot::read_volume;
pub use carried::{Carried, Piece, Role, least};
pub use common::disks::Bus;
pub use common::machine::machine_identity;
pub(crate) use common::text::natural;
pub use common::text::{decimal_size, grouped, quoted, size_beside};
pub(crate) use contents::marks;
pub use contents::{Beside, Contents, Earlier, Esp, Part, Room, listed};
pub use disk::{Disk, DiskKey, Volume};
pub use machine::{Firmware, Machine, SecureBoot};
pub use release::{Release, is_older};
pub use room::FreeSpace;
pub use sealing::{PUBLIC_KEY, Sealing};
#[cfg(test)]
pub(crate) use secure_boot::tests as secure_boot_tests;
pub use secure_boot::{FirmwareKeys, KeyVariable, Standing};
pub(crate) use secure_boot::{Signed, certificates, is_setup};
pub(crate) use text::{clean, reason};

/// Everything that the program shows about the machine it runs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hardware {
    /// What this image is.
    pub product: Release,
    /// The set of partitions that it carries, instead of an appliance.
    pub set: Option<Arc<Carried>>,
    /// Processor, memory and firmware.
    pub machine: Machine,
    /// Whether its TPM can keep a key for what is installed.
    pub sealing: Sealing,
    /// The keys that this medium carries for the firmware, if it does.
    pub keys: Option<FirmwareKeys>,
    /// The ISO 9660 volume identifier that the kernel command line says this system came from.
    pub boot_volume: Option<String>,
    /// Every disk, in the order of their names.
    pub disks: Vec<Disk>,
    /// What may still become a disk, in words for people.
    pub pending: Vec<String>,
    /// What might have become a disk, but did not in a long time.
    pub silent: Vec<String>,
    /// How many events the kernel has told of devices so far.
    pub events: u64,
}

impl Hardware {
    /// Reads everything below `root`, which is `/` except in tests. What the disks hold is
    /// [`Volume::Unread`]: that takes opening them, which is [`crate::prober`]'s.
    pub fn scan(root: &Path) -> Result<Self, Problem> {
        let product = Release::read(root)?;
        let set = Carried::read(root)?.map(Arc::new);
        let machine = Machine::read(root)?;
        if !root.join("sys/class").is_dir() {
            return Err(Problem::new(
                "/sys is not mounted, so the disks of this computer cannot be listed.",
                "A line of /etc/inittab mounts sysfs on /sys before this program starts.",
            ));
        }
        let disks = disk::scan(root);
        Ok(Self {
            product,
            set,
            machine,
            sealing: Sealing::read(root),
            keys: FirmwareKeys::read(root),
            boot_volume: common::cmdline::parameter(root, "medium"),
            pending: discovery::pending(root, &disks),
            disks,
            silent: Vec::new(),
            events: discovery::events(root),
        })
    }

    /// Whether all disks that Linux has found are known: nothing may become one any more, and somebody has
    /// looked at each, or given up.
    pub fn is_settled(&self) -> bool {
        let mut disks = self.disks.iter();
        self.pending.is_empty() && disks.all(|disk| disk.volume != Volume::Unread)
    }

    /// What is installed, as people call it, whichever version it is.
    pub fn title(&self) -> &str {
        let set = self.set.as_ref();
        set.map_or(product().name.as_str(), |it| it.name())
    }

    /// The version of what is installed.
    pub fn version(&self) -> &str {
        let set = self.set.as_ref();
        set.map_or(self.product.version.as_str(), |it| it.version.as_str())
    }

    /// Whether `disk` is what this system was started from: firmware or contents say so, or, where they say
    /// it of no disk, its name.
    pub fn is_boot_medium(&self, disk: &Disk) -> bool {
        let is_known = self.disks.iter().any(|disk| disk.is_medium);
        disk.is_medium || (!is_known && self.has_its_name(disk))
    }

    /// Whether `disk` is what this system was started from, as far as anything says so: nothing is written
    /// to it.
    pub fn may_be_boot_medium(&self, disk: &Disk) -> bool {
        disk.is_medium || self.has_its_name(disk)
    }

    fn has_its_name(&self, disk: &Disk) -> bool {
        match (&self.boot_volume, &disk.volume) {
            (Some(wanted), Volume::Iso(found)) => wanted == found,
            _ => false,
        }
    }

    /// Whether another disk has the model and the serial number of `disk`, or like it none: what tells them
    /// apart is then where they are attached.
    pub fn has_twin(&self, disk: &Disk) -> bool {
        let said = |it: &Disk| (it.model.clone(), it.serial.clone(), it.size);
        let mut others = self.disks.iter().filter(|it| it.name != disk.name);
        others.any(|it| !it.is_empty() && said(it) == said(disk))
    }

    /// Why nothing can be installed to `disk`, in few words; `None` if something can.
    pub fn obstacle(&self, disk: &Disk) -> Option<String> {
        self.obstacle_of_device(disk).or_else(|| {
            let minimum = self.minimum_disk();
            if disk.size < minimum {
                let has = size_beside(disk.size, &[minimum]);
                let needs = decimal_size(minimum);
                return Some(format!("too small, it has {has} and {needs} are needed"));
            }
            self.path_before(disk)
                .map(|it| format!("same as {}", it.name))
        })
    }

    /// Why nothing can be written to `disk`, however little that is.
    fn obstacle_of_device(&self, disk: &Disk) -> Option<String> {
        let reason = if disk.is_empty() {
            "no medium".to_owned()
        } else if disk.volume == Volume::Unread {
            "still being looked at".to_owned()
        } else if self.may_be_boot_medium(disk) {
            "boot medium".to_owned()
        } else if disk.volume == Volume::Silent {
            "does not answer".to_owned()
        } else if disk.volume == Volume::Unreadable {
            "cannot be read".to_owned()
        } else if disk.is_optical() {
            "optical drive".to_owned()
        } else if disk.read_only {
            "read-only".to_owned()
        } else if ![512, 4096].contains(&disk.block_size) {
            format!("blocks of {} bytes", disk.block_size)
        } else {
            return None;
        };
        Some(reason)
    }

    /// The smallest disk that can be installed to, in bytes.
    pub fn minimum_disk(&self) -> u64 {
        let needed = |set: &Arc<Carried>| least(set.partitions.iter()) + 2 * MIB;
        let set = self.set.as_ref().map_or(0, needed);
        set.max(minimum_disk())
    }

    /// The disk that `disk` is but another path to, if one before it can be installed to.
    fn path_before(&self, disk: &Disk) -> Option<&Disk> {
        let mut before = self.disks.iter().take_while(|it| it.name != disk.name);
        before.find(|it| it.is_another_path_to(disk) && self.obstacle(it).is_none())
    }

    /// Whether the installation on `disk` is newer than what this medium carries, or may be, as nothing tells
    /// its version.
    pub fn is_downgrade(&self, disk: &Disk) -> bool {
        let version = disk.version();
        version.is_none_or(|version| is_older(self.version(), version))
    }

    /// What this computer lacks without which an installation does not start: a sentence each. Nothing is
    /// installed then unless somebody insists.
    pub fn unmet(&self) -> Vec<String> {
        let mut unmet = Vec::new();
        let is_32_bit = matches!(self.machine.firmware, Firmware::Uefi { bits: Some(32), .. });
        let by_bios = self.set.as_ref().is_some_and(|it| it.starts_by_bios());
        if (self.is_bios() && !by_bios) || is_32_bit {
            unmet.push("It was not started by 64-bit UEFI firmware.".to_owned());
        }
        let least = product().needs.memory_mib.saturating_sub(KEPT_MEMORY) << 20;
        // Nothing at all is said of memory that is not known.
        if (1..least).contains(&self.machine.memory) {
            unmet.push(format!("It has less than {} of memory.", least_memory()));
        }
        unmet
    }

    /// What this computer lacks of what is needed, a sentence each.
    pub fn lacking(&self) -> Vec<String> {
        let mut lacking = self.unmet();
        if !self.has_target() {
            lacking.push("It has no disk that can be installed to.".to_owned());
        }
        lacking
    }

    /// Whether there is a disk that can be installed to.
    pub fn has_target(&self) -> bool {
        self.disks.iter().any(|disk| self.obstacle(disk).is_none())
    }
}

/// What the tables at both ends of a disk have beside the partitions, each, in bytes.
const MIB: u64 = 1 << 20;

/// The smallest disk that the product says it can be installed to, in bytes.
pub(crate) fn minimum_disk() -> u64 {
    product().needs.disk
}

/// MiB of the least memory that Linux cannot use: firmware and kernel keep them.
const KEPT_MEMORY: u64 = 124;

/// The least memory, as people say it.
pub(crate) fn least_memory() -> String {
    match product().needs.memory_mib {
        mib if mib % 1024 == 0 => format!("{} GiB", mib / 1024),
        mib => format!("{mib} MiB"),
    }
}
