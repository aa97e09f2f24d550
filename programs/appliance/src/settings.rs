//! New settings that the installer left in the EFI partition, which is read without mounting it: takes the place of
//! `metadata/node.toml` before that is read, whole or not at all, and keeps the old one beside it.
//!
//! The partition is open to whoever has the disk, and what lies there is not measured. So encrypted data are told
//! nothing this way; of others, whoever can write to the partition can write to the data as well.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::Path;

use common::settings::{Meaning, SIZE, file, meaning};
use common::volumes::extent::{open, whole};
use common::volumes::{fat, partition_name};

use crate::config::{self, FILE};
use crate::data::DataState;
use common::problem::Problem;

/// What the old file is called.
const OLD: &str = "node.toml.old";

/// Takes the settings that were left on the disk of `data`, below `root`, if they are whole and made from those
/// that are there. Returns a sentence if they were taken; fails with what is wrong if they were not.
pub fn take(root: &Path, data: &DataState) -> Result<Option<String>, Problem> {
    let Some(disk) = data.disk.as_ref().filter(|_| data.is_plain()) else {
        return Ok(None);
    };
    let file = match left(root, disk) {
        Ok(file) => file,
        Err(error) => {
            tracing::warn!(disk, %error, "the settings stay: its EFI partition has no others");
            return Ok(None);
        }
    };
    let path = root.join(FILE);
    let present = match fs::read_to_string(&path) {
        // Those of an installation that has lost them are made anew.
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        // What is wrong with it is said by whoever needs it.
        Err(_) => return Ok(None),
        Ok(text) => text,
    };
    let wanted = match meaning(&file, &present) {
        Meaning::Nothing | Meaning::Taken => return Ok(None),
        Meaning::Torn => return Err(refused("they are damaged, or not whole")),
        Meaning::Foreign => return Err(refused(&format!("they were made for another /{FILE}"))),
        Meaning::Wanted(text) => text,
    };
    let before = config::parse(&present).map(|it| it.node_id);
    let refusal = match config::parse(&wanted) {
        Err(reason) => Some(reason),
        Ok(after) if before.as_ref().is_ok_and(|id| *id != after.node_id) => {
            Some("they are another node's".to_owned())
        }
        Ok(_) => replace(&path, &wanted).err().map(|it| it.to_string()),
    };
    match refusal {
        None if present.is_empty() => Ok(Some(format!("new settings are in /{FILE}"))),
        None => Ok(Some(format!(
            "new settings are in /{FILE}; the old ones are in {OLD}, beside it"
        ))),
        Some(reason) => Err(refused(&reason)),
    }
}

/// The file that the installer left on `disk`, whose EFI partition is the first one, as the installer makes it.
pub(crate) fn left(root: &Path, disk: &str) -> io::Result<Vec<u8>> {
    let partition = partition_name(disk, Some(1));
    let mut device = open(&root.join("dev").join(partition))?;
    let size = device.seek(SeekFrom::End(0))?;
    fat::read_file(&device, whole(size), &file(), SIZE)
}

fn refused(reason: &str) -> Problem {
    Problem::new(
        format!("The new settings are not taken: {reason}."),
        "Start the installer and choose \"Change settings\" again.",
    )
}

/// Makes the file at `path` hold `text`, and what it held be in [`OLD`]. Whenever the power fails, there
/// is one whole file at `path`.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let (draft, old) = (
        path.with_file_name("node.toml.new"),
        path.with_file_name(OLD),
    );
    let folder = path.parent().unwrap_or(path);
    let owner = fs::metadata(folder)?;
    // The folder is the service's: what it may have put there is not followed.
    let _ = fs::remove_file(&draft);
    let mut file = File::create_new(&draft)?;
    file.write_all(text.as_bytes())?;
    fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
    file.sync_all()?;
    let copy = path.with_file_name("node.toml.copy");
    let _ = fs::remove_file(&copy);
    if path.exists() {
        fs::hard_link(path, &copy)?;
        fs::rename(copy, old)?;
    }
    fs::rename(draft, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
pub(crate) mod tests {
    use common::settings::{compose, nothing};
    use fatfs::{FileSystem, FormatVolumeOptions, FsOptions};

    use super::*;
    use crate::config::tests::DHCP;
    use crate::data::{CheckResult, Encryption, Partition};

    /// Makes an EFI partition with this file, in place of any that is there.
    pub(crate) fn leave(root: &Path, partition: &str, content: &[u8]) {
        let path = root.join("dev").join(partition);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut options = File::options();
        let options = options.read(true).write(true).create(true).truncate(true);
        let mut device = options.open(path).unwrap();
        device.set_len(1 << 20).unwrap();
        fatfs::format_volume(&mut device, FormatVolumeOptions::new()).unwrap();
        let volume = FileSystem::new(device, FsOptions::new()).unwrap();
        let path = file();
        let (folder, _) = path.split_once('/').unwrap();
        volume.root_dir().create_dir(folder).unwrap();
        let mut made = volume.root_dir().create_file(&path).unwrap();
        made.write_all(content).unwrap();
    }

    /// Data on this disk.
    fn data(disk: &str, encrypted: Encryption) -> DataState {
        let partition = Partition {
            label: "EXAMPLE_DATA".to_owned(),
            device: partition_name(disk, Some(2)),
            encrypted,
            mapping: None,
            result: CheckResult::Clean,
            exit_code: Some(0),
            output: String::new(),
        };
        DataState {
            disk: Some(disk.to_owned()),
            partitions: vec![partition],
            ..DataState::default()
        }
    }

    /// Takes what was left on `sda`.
    fn take(root: &tempfile::TempDir) -> Result<Option<String>, Problem> {
        super::take(root.path(), &data("sda", Encryption::No))
    }

    /// A root with these settings, and with this file in the EFI partition.
    fn root(present: &str, left: &[u8]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(FILE);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, present).unwrap();
        leave(root.path(), "sda1", left);
        root
    }

    fn read(root: &tempfile::TempDir, name: &str) -> Option<String> {
        fs::read_to_string(root.path().join("data/metadata").join(name)).ok()
    }

    #[test]
    fn new_settings_are_taken_once_and_the_old_ones_are_kept() {
        let wanted = DHCP
            .replace("\"example\"", "\"db-7\"")
            .trim_start()
            .to_owned();
        let root = root(DHCP, &compose(DHCP, &wanted).unwrap());
        assert!(
            take(&root)
                .unwrap()
                .unwrap()
                .starts_with("new settings are in")
        );
        assert_eq!(read(&root, "node.toml"), Some(wanted.clone()));
        assert_eq!(read(&root, "node.toml.old").as_deref(), Some(DHCP));
        assert_eq!(config::read(root.path()).unwrap().host_name, "db-7");
        // The file stays in the EFI partition, and is for what was there before.
        assert_eq!(take(&root), Ok(None));
        // Once more, over an older file that was kept, and over what a power cut left.
        let again = wanted.replace("db-7", "db-8");
        leave(root.path(), "sda1", &compose(&wanted, &again).unwrap());
        for left in ["node.toml.new", "node.toml.copy"] {
            fs::write(root.path().join("data/metadata").join(left), "half").unwrap();
        }
        assert!(
            take(&root)
                .unwrap()
                .unwrap()
                .starts_with("new settings are in")
        );
        assert_eq!(read(&root, "node.toml.old"), Some(wanted));
        assert_eq!(read(&root, "node.toml"), Some(again));
        assert_eq!(read(&root, "node.toml.new"), None);
    }

    #[test]
    fn what_is_wrong_changes_nothing() {
        let other = DHCP.replace("8f3c", "9f3c");
        let broken = DHCP.replace("dhcp", "192.0.2.1");
        let rows = [
            (nothing(), None),
            (compose("another", DHCP.trim_start()).unwrap(), None),
            (
                b"half a file".to_vec(),
                Some("they are damaged, or not whole"),
            ),
            (
                compose("another", &DHCP.replace("\"example\"", "\"db-7\"")).unwrap(),
                Some("they were made for another /data/metadata/node.toml"),
            ),
            (
                compose(DHCP.trim_start(), &other).unwrap(),
                Some("they are another node's"),
            ),
            (
                compose(DHCP.trim_start(), &broken).unwrap(),
                Some("network.address is '192.0.2.1'"),
            ),
        ];
        for (file, expected) in rows {
            let present = DHCP.trim_start();
            let root = root(present, &file);
            let said = match take(&root) {
                Ok(said) => {
                    assert_eq!(said, None);
                    None
                }
                Err(problem) => Some(problem.message),
            };
            assert_eq!(said.is_some(), expected.is_some(), "{said:?}");
            assert!(
                said.unwrap_or_default()
                    .contains(expected.unwrap_or_default())
            );
            assert_eq!(read(&root, "node.toml").as_deref(), Some(present));
            assert_eq!(read(&root, "node.toml.old"), None);
        }
        let nowhere = tempfile::tempdir().unwrap();
        assert_eq!(take(&nowhere), Ok(None));
    }

    #[test]
    fn settings_that_are_wrong_or_lost_are_made_anew() {
        let wrong = "version = 9\n";
        let root = root(wrong, &compose(wrong, DHCP.trim_start()).unwrap());
        assert!(
            take(&root)
                .unwrap()
                .unwrap()
                .starts_with("new settings are in")
        );
        assert_eq!(read(&root, "node.toml").as_deref(), Some(DHCP.trim_start()));
        assert_eq!(read(&root, "node.toml.old").as_deref(), Some(wrong));
        fs::remove_file(root.path().join(FILE)).unwrap();
        let lost = compose("", DHCP.trim_start()).unwrap();
        leave(root.path(), "sda1", &lost);
        assert_eq!(
            take(&root),
            Ok(Some(format!("new settings are in /{FILE}")))
        );
        assert_eq!(read(&root, "node.toml").as_deref(), Some(DHCP.trim_start()));
    }

    #[test]
    fn the_file_is_read_on_any_kind_of_disk_unless_the_data_are_encrypted() {
        let wanted = DHCP.replace("\"example\"", "\"db-7\"");
        let file = compose(DHCP, &wanted).unwrap();
        for (disk, partition) in [("vda", "vda1"), ("sdb", "sdb1"), ("nvme0n1", "nvme0n1p1")] {
            for encrypted in [Encryption::Tpm, Encryption::Passphrase, Encryption::No] {
                let root = root(DHCP, &nothing());
                leave(root.path(), partition, &file);
                let said = super::take(root.path(), &data(disk, encrypted)).unwrap();
                assert_eq!(said.is_some(), encrypted == Encryption::No, "{disk}");
            }
        }
        let root = root(DHCP, &file);
        let none = DataState::default();
        assert_eq!(super::take(root.path(), &none), Ok(None));
    }

    #[test]
    fn a_partition_that_cannot_be_read_leaves_the_settings_that_are_there() {
        let wanted = DHCP.replace("\"example\"", "\"db-7\"");
        let root = root(DHCP, &compose(DHCP, &wanted).unwrap());
        let path = root.path().join("dev/sda1");
        let good = fs::read(&path).unwrap();
        let folder = file().split('/').next().unwrap().to_uppercase();
        let at = good
            .windows(folder.len())
            .position(|it| it == folder.as_bytes());
        let mut other = good.clone();
        other[at.unwrap()] = b'_';
        for (content, reason) in [
            (&good[..512], "it is no FAT file system"),
            (&[0; 4096], "it is no FAT file system"),
            (&[], "it is no FAT file system"),
            (&other, "No such file or directory"),
        ] {
            fs::write(&path, content).unwrap();
            assert_eq!(left(root.path(), "sda").unwrap_err().to_string(), reason);
            assert_eq!(take(&root), Ok(None));
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(take(&root), Ok(None));
        assert_eq!(read(&root, "node.toml").as_deref(), Some(DHCP));
    }
}
