//! Puts the appliance on a disk. Knows no screen and no keyboard: a [`Request`] goes in, progress
//! comes out while it works, and a [`Report`] or a [`Failure`] at the end.
//!
//! | module | owns |
//! | --- | --- |
//! | `request`, `report` | what is asked for, and what is said about it |
//! | `enroll` | giving the firmware the keys of this medium, after all that |
//! | `payload` | what firmware starts: the system, and shim before it |
//! | `plan`, `work`, `outcome` | what will be written, the order in which it is, what is said of it |
//! | `progress` | how far the work is |
//! | `layout`, `table` | where everything lies; the GPT |
//! | `clear` | what lay there before |
//! | `system`, `data` | the FAT32 that firmware reads; the ext4 of the data |
//! | `encryption`, `encrypt`, `tools` | what opens encrypted data; how they are made, and by which programs |
//! | `esp` | our folder in the partition that others start from, too |
//! | `boot_entry`, `load_option` | the firmware's variables and what is in them |
//! | `boot_next` | starting what is installed, although the medium comes first |
//! | `node`, `receipt` | the appliance's configuration; what was installed |
//! | `change` | other settings for an installation that stays |
//! | `set` | a set of partitions instead of one UKI beside data |
//! | `verify`, `validate` | reading back what was just written, or long ago |
//! | `device`, `sparse` | a disk, past its caches; an image in memory |
//! | `measured` | what firmware measured into the TPM |
//! | `export` | logs, receipts and that to a stick |

mod boot_entry;
mod boot_next;
mod change;
mod clear;
mod data;
mod device;
mod disk_error;
mod encrypt;
mod encryption;
mod enroll;
mod esp;
mod export;
mod layout;
mod load_option;
mod measured;
mod node;
mod outcome;
mod payload;
mod plan;
mod progress;
mod receipt;
mod report;
mod request;
mod set;
mod sparse;
mod system;
mod table;
#[cfg(test)]
mod test_disk;
mod tools;
mod validate;
mod verify;
mod work;

use std::path::Path;

use common::product::product;
pub use common::setting_rules as settings;
pub use encryption::{Encryption, Protection, Shown};
pub use enroll::Enrolment;
pub use node::settings_on;
pub use report::{Account, Failure, Finding, Progress, Report, Stage};
pub use request::{Address, Changes, Request, Settings, Target, Task};

use crate::hardware::{Disk, Firmware, Problem};

/// Does what `request` asks for on the machine below `root`, and says how far it is. Takes minutes;
/// what starts the machine is read back before it returns, and new data are looked through. Whatever stops it in between leaves
/// what was there before, or a disk that says that it is unfinished; then the same request, or
/// another one, may be made again.
pub fn run(
    root: &Path,
    request: &Request,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, Failure> {
    let done = if product().is_set() {
        set::run(root, request, progress)
    } else {
        work::Work::new(root, request, progress).run()
    };
    let mut report = done?;
    if request.secure_boot != Enrolment::Leave {
        match enroll::enroll(root, request.secure_boot) {
            Ok(note) => report.notes.push(note),
            // What is installed starts all the same.
            Err(Problem { message, hint, .. }) => report.warnings.push(format!("{message} {hint}")),
        }
    }
    Ok(report)
}

/// How many data partitions `disk` has room for at most, beside `reserved` bytes.
pub fn most_data_partitions(disk: &Disk, reserved: u64) -> u8 {
    let fits = |count: &u8| {
        let settings = Settings {
            data_partitions: *count,
            reserved,
            ..Settings::default()
        };
        layout::Layout::new(disk.size, &settings, "").is_ok()
    };
    let mut counts = (1..=Settings::MOST_DATA_PARTITIONS).rev();
    counts.find(fits).unwrap_or(0)
}

/// Looks at the installation on `disk` without writing anything. Takes seconds.
pub fn validate(root: &Path, disk: &Disk) -> Vec<Finding> {
    if product().is_set() {
        return set::validate(root, disk);
    }
    validate::validate(root, disk)
}

/// What it means for an installation that this firmware started the installer; `None` if there is nothing to say.
pub fn about_firmware(firmware: Firmware) -> Option<&'static str> {
    if product().is_set() {
        return set::about_firmware(firmware);
    }
    None
}

/// Has the firmware start the installation on `disk` once, whatever comes first in its order. Writes to no
/// disk. Returns what will happen at the next start, as a sentence.
pub fn start_installed(root: &Path, disk: &Disk) -> Result<String, Problem> {
    boot_next::start_installed(root, disk)
}

/// Writes `log`, the kernel's log and `accounts` of installations to the first FAT stick that takes them, which is
/// never `except` (the disk being installed to), nor the boot medium. Returns where to, as a
/// sentence.
pub fn export_logs(
    root: &Path,
    log: &[String],
    accounts: &[Account],
    except: Option<&Disk>,
) -> Result<String, Problem> {
    export::export(root, log, accounts, except)
}
