//! Model, processor, memory and firmware of the machine.

use std::path::Path;

use super::Problem;
use super::secure_boot::is_setup;
use super::text::{attribute, clean, reason};
use common::machine::{firmware_version, model};

/// The EFI variable that says whether Secure Boot is on (UEFI specification, section 3.3).
const SECURE_BOOT: &str =
    "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";

/// What Linux says of a TPM.
const TPM: &str = "sys/class/tpm/tpm0/tpm_version_major";

/// Model, processor, memory and firmware.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Maker and model, if its firmware says them.
    pub model: Option<String>,
    /// Model name of the first processor.
    pub processor: String,
    /// Number of processors that Linux uses, which counts threads.
    pub processors: usize,
    /// Memory that Linux can use, in bytes.
    pub memory: u64,
    /// How the machine was started.
    pub firmware: Firmware,
    /// Maker and version of its firmware, if it says them.
    pub firmware_version: Option<String>,
    /// The version of TPM that it has, if it has one that works.
    pub tpm: Option<u8>,
}

/// How the machine was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firmware {
    /// By UEFI firmware.
    Uefi {
        /// 64 or 32, if known.
        bits: Option<u8>,
        /// Whether it checks signatures.
        secure_boot: SecureBoot,
    },
    /// Without UEFI.
    Bios,
}

/// State of Secure Boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecureBoot {
    /// Signatures are checked.
    On,
    /// Signatures are not checked.
    Off,
    /// Nor are they here, and the firmware takes the keys of whoever comes first.
    Setup,
    /// The EFI variables are not mounted, or the firmware has no such variable.
    Unknown,
}

impl Machine {
    /// Reads `/proc` and `/sys` below `root`.
    pub(super) fn read(root: &Path) -> Result<Self, Problem> {
        let read = |name: &str| {
            std::fs::read_to_string(root.join(name)).map_err(|error| {
                Problem::new(
                    format!("/{name} cannot be read: {}.", reason(&error)),
                    "Is /proc mounted? A line of /etc/inittab mounts it before this program starts.",
                )
            })
        };
        let cpuinfo = read("proc/cpuinfo")?;
        let meminfo = read("proc/meminfo")?;
        let (processor, processors) = processors(&cpuinfo);
        Ok(Self {
            model: model(root),
            processor,
            processors,
            memory: memory(&meminfo),
            firmware: Firmware::read(root),
            firmware_version: firmware_version(root),
            tpm: attribute(&root.join(TPM)).and_then(|version| version.parse().ok()),
        })
    }
}

/// Model name and number of the processors in `/proc/cpuinfo`.
fn processors(cpuinfo: &str) -> (String, usize) {
    let field = |line: &str, key: &str| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == key).then(|| clean(value))
    };
    let model = cpuinfo
        .lines()
        .find_map(|line| field(line, "model name"))
        .filter(|model| !model.is_empty())
        .unwrap_or_else(|| "unknown model".to_owned());
    let count = cpuinfo
        .lines()
        .filter(|line| field(line, "processor").is_some())
        .count();
    (model, count)
}

/// `MemTotal` of `/proc/meminfo` in bytes; 0 if it is not there.
fn memory(meminfo: &str) -> u64 {
    meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.strip_suffix("kB"))
        .and_then(|kibibytes| kibibytes.trim().parse::<u64>().ok())
        .map_or(0, |kibibytes| kibibytes.saturating_mul(1024))
}

impl Firmware {
    fn read(root: &Path) -> Self {
        let efi = root.join("sys/firmware/efi");
        if !efi.is_dir() {
            return Self::Bios;
        }
        // Four bytes of attributes, then one byte of value.
        let secure_boot = match std::fs::read(root.join(SECURE_BOOT)).as_deref() {
            Ok([_, _, _, _, 0]) if is_setup(root) => SecureBoot::Setup,
            Ok([_, _, _, _, 0]) => SecureBoot::Off,
            Ok([_, _, _, _, 1]) => SecureBoot::On,
            _ => SecureBoot::Unknown,
        };
        Self::Uefi {
            bits: attribute(&efi.join("fw_platform_size")).and_then(|bits| bits.parse().ok()),
            secure_boot,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn counts_processors_and_names_the_first() {
        let cpuinfo = "processor\t: 0\nmodel name\t: Some(R)  CPU @ 2GHz\n\nprocessor\t: 1\n\
                       model name\t: Some(R)  CPU @ 2GHz\n";
        assert_eq!(processors(cpuinfo), ("Some(R) CPU @ 2GHz".to_owned(), 2));
        assert_eq!(processors(""), ("unknown model".to_owned(), 0));
    }

    #[test]
    fn memory_is_in_bytes() {
        let meminfo = "MemTotal:       16384000 kB\nMemFree:        1 kB\n";
        assert_eq!(memory(meminfo), 16_777_216_000);
        assert_eq!(memory("MemFree: 1 kB\n"), 0);
    }

    #[test]
    fn firmware_is_uefi_only_where_sys_says_so() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(Firmware::read(root.path()), Firmware::Bios);
        let vars = root.path().join("sys/firmware/efi/efivars");
        fs::create_dir_all(&vars).unwrap();
        let uefi = |bits, secure_boot| Firmware::Uefi { bits, secure_boot };
        assert_eq!(Firmware::read(root.path()), uefi(None, SecureBoot::Unknown));
        fs::write(
            root.path().join("sys/firmware/efi/fw_platform_size"),
            "64\n",
        )
        .unwrap();
        let variable = root.path().join(SECURE_BOOT);
        for (bytes, state) in [
            (&[6, 0, 0, 0, 0][..], SecureBoot::Off),
            (&[6, 0, 0, 0, 1], SecureBoot::On),
            (&[6, 0, 0, 0, 7], SecureBoot::Unknown),
            (&[1], SecureBoot::Unknown),
        ] {
            fs::write(&variable, bytes).unwrap();
            assert_eq!(Firmware::read(root.path()), uefi(Some(64), state));
        }
        let setup = SECURE_BOOT.replace("SecureBoot-", "SetupMode-");
        fs::write(&variable, [6, 0, 0, 0, 0]).unwrap();
        for (bytes, state) in [
            ([6, 0, 0, 0, 1], SecureBoot::Setup),
            ([6, 0, 0, 0, 0], SecureBoot::Off),
        ] {
            fs::write(root.path().join(&setup), bytes).unwrap();
            assert_eq!(Firmware::read(root.path()), uefi(Some(64), state));
        }
    }
}
