//! Settings that an installed disk takes at its next start: written by the installer into the EFI
//! partition, in the place of a file that is always there, and read there by the appliance. So nothing but
//! Linux's own ext4 writes to the data. Nothing measures the file: no register of a TPM changes with it.
//!
//! The file has [`SIZE`] bytes, which is a cluster: writing it changes no table of the file system. A
//! write that a power cut tore is told by its digest, and leaves the settings that are there.

use std::fmt::Write;

use crate::product::product;
use sha2::{Digest, Sha256};

/// Path of the file in the EFI partition.
pub fn file() -> String {
    format!("{}/settings", product().disk.folder)
}

/// Where the file may be: on disks that an earlier release installed it is a credential, which the UKI's stub hands
/// to the system, and measures into PCR 12 (systemd-stub(7)).
///
/// A disk has one of them. Whoever writes a system to it makes a new file system, with the file where that system
/// looks for it; so the one that is there is the one that is read.
pub fn places() -> [String; 2] {
    let former = format!("loader/credentials/{}.settings.cred", product().id);
    [file(), former]
}

/// Bytes of the file.
pub const SIZE: usize = 4096;

/// Its first line.
fn start() -> String {
    let name = &product().name;
    format!("# {name}: what metadata/node.toml is to be at the next start\n")
}

/// What the digest of all further lines stands behind.
const DIGEST: &str = "# SHA-256 of all below: ";
/// What the digest of the `node.toml` stands behind that it was made from.
const INSTEAD: &str = "# In place of: ";

/// The file that changes nothing.
pub fn nothing() -> Vec<u8> {
    vec![b'\n'; SIZE]
}

/// The file that makes a `node.toml` that reads `present` read `wanted`; `None` if it has no room.
pub fn compose(present: &str, wanted: &str) -> Option<Vec<u8>> {
    let mut rest = format!("{INSTEAD}{}\n{wanted}", sha256(present.as_bytes()));
    let start = start();
    let head = start.len() + DIGEST.len() + 64 + 1;
    let padding = (SIZE - head).checked_sub(rest.len())?;
    rest.push_str(&"\n".repeat(padding));
    Some(format!("{start}{DIGEST}{}\n{rest}", sha256(rest.as_bytes())).into_bytes())
}

/// What a file with settings means for a certain `node.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// It changes nothing.
    Nothing,
    /// It is damaged, or was torn by a power cut.
    Torn,
    /// What it wants is there already.
    Taken,
    /// It is whole, and was made from another `node.toml`.
    Foreign,
    /// What the `node.toml` is to read.
    Wanted(String),
}

/// What `file` means for a `node.toml` that reads `present`.
pub fn meaning(file: &[u8], present: &str) -> Meaning {
    if file == nothing() {
        return Meaning::Nothing;
    }
    match content(file) {
        None => Meaning::Torn,
        Some((_, wanted)) if wanted == present => Meaning::Taken,
        Some((instead, _)) if instead != sha256(present.as_bytes()) => Meaning::Foreign,
        Some((_, wanted)) => Meaning::Wanted(wanted),
    }
}

/// What a `node.toml` that reads `present` is to read, if `file` is whole and was made from just that.
pub fn wanted(file: &[u8], present: &str) -> Option<String> {
    match meaning(file, present) {
        Meaning::Wanted(text) => Some(text),
        _ => None,
    }
}

/// What a whole file was made from, as a digest, and what it wants.
fn content(file: &[u8]) -> Option<(&str, String)> {
    let text = str::from_utf8(file).ok().filter(|it| it.len() == SIZE)?;
    let (digest, rest) = text
        .strip_prefix(&start())?
        .strip_prefix(DIGEST)?
        .split_once('\n')?;
    let (instead, wanted) = rest.strip_prefix(INSTEAD)?.split_once('\n')?;
    let wanted = format!("{}\n", wanted.trim_end_matches('\n'));
    (digest == sha256(rest.as_bytes())).then_some((instead, wanted))
}

/// SHA-256 as 64 hex digits.
fn sha256(data: &[u8]) -> String {
    Sha256::digest(data)
        .iter()
        .fold(String::new(), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_is_composed_is_wanted_by_the_same_file_alone() {
        let file = compose("old\n", "new = 1\n\n[a]\nb = 2\n").unwrap();
        assert_eq!(file.len(), SIZE);
        assert_eq!(
            wanted(&file, "old\n").as_deref(),
            Some("new = 1\n\n[a]\nb = 2\n")
        );
        assert_eq!(
            wanted(&file, "new = 1\n\n[a]\nb = 2\n"),
            None,
            "it is there already"
        );
        assert_eq!(wanted(&nothing(), "old\n"), None);
        let rows = [
            (nothing(), "old\n", Meaning::Nothing),
            (file.clone(), "new = 1\n\n[a]\nb = 2\n", Meaning::Taken),
            (file.clone(), "older\n", Meaning::Foreign),
            (file[..SIZE - 1].to_vec(), "old\n", Meaning::Torn),
            (Vec::new(), "old\n", Meaning::Torn),
        ];
        for (file, present, expected) in rows {
            assert_eq!(meaning(&file, present), expected);
        }
        assert_eq!(compose("old", &"x".repeat(SIZE)), None);
    }

    /// A power cut leaves some sectors of the old file among those of the new one.
    #[test]
    fn a_torn_file_wants_nothing() {
        let text = |name: &str| format!("name = \"{name}\"\n{}", "# more\n".repeat(300));
        let (old, new) = (
            compose("a", &text("x")).unwrap(),
            compose("a", &text("y")).unwrap(),
        );
        for before in [&old, &nothing()] {
            for sectors in 1_u8..0xff {
                let mut torn = before.clone();
                for sector in (0..8).filter(|it| sectors >> it & 1 == 1) {
                    let part = sector * 512..(sector + 1) * 512;
                    torn[part.clone()].copy_from_slice(&new[part]);
                }
                let found = wanted(&torn, "a");
                let expected = [&old, &new].into_iter().find(|it| ***it == torn);
                assert_eq!(found.is_some(), expected.is_some(), "{sectors:b}");
            }
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let file = compose("a", "b = 1\n").unwrap();
        for bit in 0..8 * SIZE {
            let mut spoilt = file.clone();
            spoilt[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(wanted(&spoilt, "a"), None, "{bit}");
        }
    }
}
