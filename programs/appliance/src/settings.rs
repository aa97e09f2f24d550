//! New settings that the installer left in the EFI partition: takes the place of `metadata/node.toml`
//! before that is read, whole or not at all, and keeps the old one beside it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::Path;

use common::settings::{Meaning, handed_over, meaning};

use crate::config::{self, FILE};
use common::problem::Problem;

/// What the old file is called.
const OLD: &str = "node.toml.old";

/// Takes the settings that were handed over below `root`, if they are whole and made from those that
/// are there. Returns a sentence if they were taken; fails with what is wrong if they were not.
pub fn take(root: &Path) -> Result<Option<String>, Problem> {
    let Ok(file) = fs::read(root.join(handed_over())) else {
        return Ok(None);
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
mod tests {
    use common::settings::{compose, nothing};

    use super::*;
    use crate::config::tests::DHCP;

    /// A root with these settings, and with this file from the EFI partition.
    fn root(present: &str, handed: &[u8]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, content) in [(FILE, present.as_bytes()), (&*handed_over(), handed)] {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
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
            take(root.path())
                .unwrap()
                .unwrap()
                .starts_with("new settings are in")
        );
        assert_eq!(read(&root, "node.toml"), Some(wanted.clone()));
        assert_eq!(read(&root, "node.toml.old").as_deref(), Some(DHCP));
        assert_eq!(config::read(root.path()).unwrap().host_name, "db-7");
        // The file stays in the EFI partition, and is for what was there before.
        assert_eq!(take(root.path()), Ok(None));
        // Once more, over an older file that was kept, and over what a power cut left.
        let again = wanted.replace("db-7", "db-8");
        fs::write(
            root.path().join(handed_over()),
            compose(&wanted, &again).unwrap(),
        )
        .unwrap();
        for left in ["node.toml.new", "node.toml.copy"] {
            fs::write(root.path().join("data/metadata").join(left), "half").unwrap();
        }
        assert!(
            take(root.path())
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
            let said = match take(root.path()) {
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
        assert_eq!(take(nowhere.path()), Ok(None));
    }

    #[test]
    fn settings_that_are_wrong_or_lost_are_made_anew() {
        let wrong = "version = 9\n";
        let root = root(wrong, &compose(wrong, DHCP.trim_start()).unwrap());
        assert!(
            take(root.path())
                .unwrap()
                .unwrap()
                .starts_with("new settings are in")
        );
        assert_eq!(read(&root, "node.toml").as_deref(), Some(DHCP.trim_start()));
        assert_eq!(read(&root, "node.toml.old").as_deref(), Some(wrong));
        fs::remove_file(root.path().join(FILE)).unwrap();
        fs::write(
            root.path().join(handed_over()),
            compose("", DHCP.trim_start()).unwrap(),
        )
        .unwrap();
        assert_eq!(
            take(root.path()),
            Ok(Some(format!("new settings are in /{FILE}")))
        );
        assert_eq!(read(&root, "node.toml").as_deref(), Some(DHCP.trim_start()));
    }
}
