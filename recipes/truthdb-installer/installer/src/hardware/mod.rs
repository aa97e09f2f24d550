//! Facts about the machine, read from `/proc`, `/sys` and `/etc/os-release` below a root that
//! tests replace by a fake tree. Reads only, opens no device, and knows nothing of the screen.

mod boot;
mod bus;
mod disk;
mod machine;
mod product;
mod text;

use std::fmt;
use std::path::Path;

pub use boot::{boot_volume, read_volume};
pub use bus::Bus;
pub use disk::{Disk, DiskKey, Volume};
pub use machine::{Firmware, Machine, SecureBoot};
pub use product::Product;
pub use text::{decimal_size, grouped};

/// Everything that the program shows about the machine it runs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hardware {
    /// What this image is.
    pub product: Product,
    /// Processor, memory and firmware.
    pub machine: Machine,
    /// The ISO 9660 volume identifier that the kernel command line says this system came from.
    pub boot_volume: Option<String>,
    /// Every disk, in the order of their names.
    pub disks: Vec<Disk>,
}

impl Hardware {
    /// Reads everything below `root`, which is `/` except in tests. What the disks hold is
    /// [`Volume::Unread`]: that takes opening them, which is [`crate::prober`]'s.
    pub fn scan(root: &Path) -> Result<Self, Problem> {
        let product = Product::read(root)?;
        let machine = Machine::read(root)?;
        if !root.join("sys/class").is_dir() {
            return Err(Problem::new(
                "/sys is not mounted, so the disks of this computer cannot be listed.",
                "A line of /etc/inittab mounts sysfs on /sys before this program starts.",
            ));
        }
        Ok(Self {
            product,
            machine,
            boot_volume: boot_volume(root),
            disks: disk::scan(root),
        })
    }

    /// Whether `disk` is what this system was started from.
    pub fn is_boot_medium(&self, disk: &Disk) -> bool {
        match (&self.boot_volume, &disk.volume) {
            (Some(wanted), Volume::Iso(found)) => wanted == found,
            _ => false,
        }
    }
}

/// Something that went wrong, as a sentence that says what, and one that says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What happened.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl Problem {
    /// A problem with `message` and `hint`, each a whole sentence.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: hint.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.message, self.hint)
    }
}
