//! The set of partitions that this medium carries, as far as screens and the choice of a disk need it.

use std::path::Path;

use common::problem::Problem;
use common::product::product;
use serde::Deserialize;

use super::text::reason;

/// What partitions are a multiple of, in bytes.
const MIB: u64 = 1 << 20;

/// A set of partitions: what `payload/partitions.json` says of it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Carried {
    /// What people call this version of it.
    pub title: String,
    /// Its version.
    pub version: String,
    /// Its folder below `EFI`.
    pub folder: String,
    /// Its partitions, in the order in which they lie on a disk.
    pub partitions: Vec<Piece>,
}

/// One of these partitions.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Piece {
    /// What it is for.
    pub role: Role,
    /// Its name, and the label of its file system.
    pub label: String,
    /// The least bytes that it has.
    pub size: u64,
    /// It gets what is left.
    pub grow: bool,
}

/// What a partition of a set is for.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A boot loader under BIOS.
    Bios,
    /// What UEFI firmware reads.
    Esp,
    /// Kernels, and the menu of a boot loader.
    Boot,
    /// The system.
    Root,
    /// Data.
    Data,
}

impl Carried {
    /// Reads it below `root`; `None` if this medium carries an appliance.
    pub(super) fn read(root: &Path) -> Result<Option<Self>, Problem> {
        if !product().is_set() {
            return Ok(None);
        }
        let path = format!("payload/{}", product().medium.payload);
        let broken = |why: String| {
            Problem::new(
                format!("/{path} of this medium cannot be read: {why}."),
                "The medium is damaged: write it again, or build it again.",
            )
        };
        let text = std::fs::read(root.join(&path)).map_err(|it| broken(reason(&it)))?;
        Self::parse(&text).map(Some).map_err(broken)
    }

    fn parse(text: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(text).map_err(|error| error.to_string())
    }

    /// What people call it, whichever version it is: its title, without the version at its end.
    pub fn name(&self) -> &str {
        let name = self.title.strip_suffix(&*self.version);
        let name = name.and_then(|it| it.strip_suffix(' ')).map(str::trim_end);
        name.filter(|it| !it.is_empty()).unwrap_or(&self.title)
    }

    /// The partitions that are made in free space of a disk: all, but for one that the disk has.
    pub fn made_beside(&self, has_esp: bool) -> impl Iterator<Item = &Piece> {
        let partitions = self.partitions.iter();
        partitions.filter(move |it| !(has_esp && it.role == Role::Esp))
    }

    /// Whether a computer can start it without UEFI.
    pub fn starts_by_bios(&self) -> bool {
        self.partitions.iter().any(|it| it.role == Role::Bios)
    }

    /// The labels by which it finds its own file systems.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        let own = |it: &&Piece| !matches!(it.role, Role::Bios | Role::Esp);
        self.partitions.iter().filter(own).map(|it| &*it.label)
    }
}

/// How many bytes such partitions have at least.
pub fn least<'a>(pieces: impl Iterator<Item = &'a Piece>) -> u64 {
    pieces.map(|it| it.size.next_multiple_of(MIB)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"format": 1, "name": "example", "title": "Example", "version": "1.0",
        "folder": "example", "boot_code": {"file": "boot.img", "bytes": 512, "sha256": ""},
        "partitions": [
        {"role": "bios", "label": "BIOSBOOT", "type": "x", "size": 1048576, "grow": false},
        {"role": "esp", "label": "EFI", "type": "x", "size": 300, "grow": false, "files": []},
        {"role": "boot", "label": "BOOT", "type": "x", "size": 1048577, "grow": false},
        {"role": "root", "label": "ROOT", "type": "x", "size": 1048576, "grow": false},
        {"role": "data", "label": "DATA", "type": "x", "size": 1048576, "grow": true}],
        "entries": []}"#;

    #[test]
    fn what_is_made_depends_on_what_is_there() {
        let set = Carried::parse(TEXT.as_bytes()).unwrap();
        let rows = [
            (true, &["BIOSBOOT", "BOOT", "ROOT", "DATA"][..], 5),
            (false, &["BIOSBOOT", "EFI", "BOOT", "ROOT", "DATA"], 6),
        ];
        for (has_esp, labels, mib) in rows {
            let made = || set.made_beside(has_esp);
            let found: Vec<_> = made().map(|it| it.label.as_str()).collect();
            assert_eq!((found.as_slice(), least(made())), (labels, mib * MIB));
        }
        assert!(set.starts_by_bios());
        assert_eq!(set.labels().collect::<Vec<_>>(), ["BOOT", "ROOT", "DATA"]);
    }

    #[test]
    fn a_name_has_no_version_behind_it() {
        let rows = [
            ("Example", "1.0", "Example"),
            ("Example 1.0", "1.0", "Example"),
            ("Example 1.0", "1.1", "Example 1.0"),
            ("Example-1.0", "1.0", "Example-1.0"),
            ("Example 11.0", "1.0", "Example 11.0"),
            ("1.0", "1.0", "1.0"),
            (" 1.0", "1.0", " 1.0"),
        ];
        for (title, version, expected) in rows {
            let mut set = Carried::parse(TEXT.as_bytes()).unwrap();
            (set.title, set.version) = (title.to_owned(), version.to_owned());
            assert_eq!(set.name(), expected, "{title}");
        }
    }

    #[test]
    fn what_it_cannot_be_is_told() {
        let rows = [
            ("\"folder\"", "\"f\"", "missing field `folder`"),
            (
                "\"role\": \"root\"",
                "\"role\": \"swap\"",
                "unknown variant `swap`",
            ),
        ];
        for (from, to, expected) in rows {
            let said = Carried::parse(TEXT.replace(from, to).as_bytes()).unwrap_err();
            assert!(said.starts_with(expected), "{said}");
        }
    }
}
