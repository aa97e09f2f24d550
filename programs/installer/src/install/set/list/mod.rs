//! `partitions.json`: what a medium says of the set of partitions that it installs.
//!
//! It is as strict as what made it: an unknown key, a size that no disk has or a path that leads elsewhere is
//! a medium that is damaged, or of another time, and nothing is written.

use std::collections::BTreeSet;

use common::problem::Problem;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use uuid::Uuid;

#[cfg(test)]
mod tests;

/// Layout of the file that is understood here.
const FORMAT: u32 = 1;
/// The most partitions of a set, and the most bytes that one is believed to need.
const MOST_PARTITIONS: usize = 16;
const MOST_BYTES: u64 = 1 << 50;
/// The most characters of a label: those of ext4 (16 bytes), also in the GPT (36).
const LONGEST_LABEL: usize = 16;
/// Bytes of `boot.img`: one sector.
const BOOT_CODE: u64 = 512;
/// What the partitions of these roles are for: GRUB manual, "BIOS installation"; UEFI specification 2.10,
/// table 5.7.
const BIOS_BOOT: Uuid = Uuid::from_u128(0x2168_6148_6449_6e6f_744e_6565_6445_4649);
const EFI_SYSTEM: Uuid = Uuid::from_u128(0xc12a_7328_f81f_11d2_ba4b_00a0_c93e_c93b);

/// A set of partitions.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Set {
    format: u32,
    /// Name of its recipe.
    pub(super) name: String,
    /// What people call it.
    pub(super) title: String,
    pub(super) version: String,
    /// Its folder below `EFI`.
    pub(super) folder: String,
    /// What a BIOS starts, for the first sector.
    pub(super) boot_code: File,
    /// In the order in which they lie on a disk.
    pub(super) partitions: Vec<Partition>,
    /// What its menus offer, the current system first.
    pub(super) entries: Vec<Entry>,
}

/// A file of the medium, in `/payload`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(rename = "file")]
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// What a partition is for.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Role {
    /// GRUB's `core.img`, which the first sector leads to.
    Bios,
    /// The EFI system partition.
    Esp,
    /// Kernels, initramfs and menus.
    Boot,
    /// The root file system.
    Root,
    /// Anything else.
    Data,
}

/// A partition of a set.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Partition {
    pub(super) role: Role,
    /// Name in the table, and label of its file system.
    pub(super) label: String,
    #[serde(rename = "type", deserialize_with = "guid")]
    pub(super) kind: Uuid,
    /// The fewest bytes that it has.
    pub(super) size: u64,
    /// It has all the room behind it, and so has its file system.
    pub(super) grow: bool,
    /// What is written to it, of any role but that of the EFI system partition.
    pub(super) content: Option<Content>,
    /// What lies in the EFI system partition.
    #[serde(default)]
    pub(super) files: Vec<EspFile>,
}

/// What is written to a partition from its start on.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Content {
    pub(super) file: String,
    pub(super) packed: Packing,
    /// Bytes and SHA-256 of what is unpacked.
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// How a file of the medium is packed.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub(super) enum Packing {
    #[serde(rename = "")]
    Plain,
    #[serde(rename = "zstd")]
    Zstd,
}

/// A file in the EFI system partition.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EspFile {
    pub(super) path: String,
    pub(super) file: String,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// An entry of the menus, as `boot-tree.json` on the boot partition has it, too. Paths count from the top of
/// that partition.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) title: String,
    /// Where the system lies in the root.
    pub(super) system: String,
    pub(super) kernel: String,
    pub(super) kernel_sha256: String,
    pub(super) initrd: String,
    pub(super) initrd_sha256: String,
    pub(super) cmdline: String,
}

impl Set {
    /// Reads the text of the file at `path` of this medium.
    pub(super) fn read(path: &str, text: &[u8]) -> Result<Self, Problem> {
        let wrong = |what: String| {
            Problem::new(
                format!("/{path} of this medium is wrong: {what}."),
                "The medium is damaged: write it again, or build it again.",
            )
        };
        let set: Self = serde_json::from_slice(text)
            .map_err(|error| wrong(error.to_string()).because(error))?;
        match set.fault() {
            Some(what) => Err(wrong(what)),
            None => Ok(set),
        }
    }

    /// What people call this version of it; a title may say that itself.
    pub(super) fn full_name(&self) -> String {
        if self.title.ends_with(&self.version) {
            self.title.clone()
        } else {
            format!("{} {}", self.title, self.version)
        }
    }

    /// The first one of this role; each set has one of every role but [`Role::Data`].
    pub(super) fn of(&self, role: Role) -> Option<&Partition> {
        self.partitions.iter().find(|it| it.role == role)
    }

    /// The one that has all the room behind it.
    pub(super) fn growing(&self) -> Option<&Partition> {
        self.partitions.last().filter(|it| it.grow)
    }

    /// What is not as it may be.
    fn fault(&self) -> Option<String> {
        let (format, count) = (self.format, self.partitions.len());
        if format != FORMAT {
            return Some(format!("its format is {format}, not {FORMAT}"));
        }
        if !is_name(&self.folder) {
            return Some(format!("{:?} is no name of a folder", self.folder));
        }
        if count > MOST_PARTITIONS {
            return Some(format!("{count} partitions are too many"));
        }
        for role in [Role::Bios, Role::Esp, Role::Boot, Role::Root] {
            let found = self.partitions.iter().filter(|it| it.role == role).count();
            if found != 1 {
                return Some(format!("it has {found} partitions of the role {role:?}"));
            }
        }
        let labels: BTreeSet<&str> = self.partitions.iter().map(|it| it.label.as_str()).collect();
        if labels.len() < count {
            return Some("two partitions have the same label".to_owned());
        }
        let growing = self.partitions.iter().position(|it| it.grow);
        if growing != count.checked_sub(1) {
            return Some("the last partition, and no other one, has to grow".to_owned());
        }
        if self.boot_code.bytes != BOOT_CODE {
            return Some(format!("boot code has {BOOT_CODE} bytes"));
        }
        if self.entries.is_empty() {
            return Some("it has no entry that could be started".to_owned());
        }
        let code = &self.boot_code;
        let code = fault_of_file(&code.name, code.bytes, &code.sha256);
        code.or_else(|| self.partitions.iter().find_map(Partition::fault))
    }
}

impl Partition {
    fn fault(&self) -> Option<String> {
        let (label, role) = (&self.label, self.role);
        let say = |what: String| Some(format!("{label:?}: {what}"));
        if label.is_empty() || label.len() > LONGEST_LABEL || !label.bytes().all(is_plain) {
            return say(format!("no label of at most {LONGEST_LABEL} characters"));
        }
        let kind = match role {
            Role::Bios => Some(BIOS_BOOT),
            Role::Esp => Some(EFI_SYSTEM),
            Role::Boot | Role::Root | Role::Data => None,
        };
        let is_special = [BIOS_BOOT, EFI_SYSTEM].contains(&self.kind);
        if kind.map_or(is_special, |it| it != self.kind) {
            return say(format!("{} is not the type of this role", self.kind));
        }
        if self.size == 0 || self.size > MOST_BYTES {
            return say(format!("{} bytes are no size", self.size));
        }
        if self.grow && matches!(role, Role::Bios | Role::Esp) {
            return say("it cannot grow".to_owned());
        }
        let fault = match (&self.content, role) {
            (None, Role::Esp) => self.files.iter().find_map(EspFile::fault),
            (Some(_), Role::Esp) | (None, _) => {
                Some("its content is missing, or its files".to_owned())
            }
            (Some(_), _) if !self.files.is_empty() => {
                Some("it has files beside its content".to_owned())
            }
            (Some(content), _) if content.bytes > self.size => {
                Some(format!("{} bytes do not fit", content.bytes))
            }
            (Some(content), Role::Bios) if content.bytes <= BOOT_CODE => {
                Some("its content is no core.img".to_owned())
            }
            (Some(content), _) => fault_of_file(&content.file, content.bytes, &content.sha256),
        };
        fault.and_then(say)
    }
}

impl EspFile {
    fn fault(&self) -> Option<String> {
        let parts: Vec<&str> = self.path.split('/').collect();
        if parts.len() < 3 || parts[0] != "EFI" || !parts.iter().all(|it| is_name(it)) {
            return Some(format!("{:?} is no path below EFI", self.path));
        }
        fault_of_file(&self.file, self.bytes, &self.sha256)
    }
}

/// A GUID as text.
fn guid<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uuid, D::Error> {
    let text = String::deserialize(deserializer)?;
    let guid = Uuid::try_parse(&text);
    guid.map_err(|_| D::Error::custom(format!("{text:?} is no GUID")))
}

fn fault_of_file(name: &str, bytes: u64, sha256: &str) -> Option<String> {
    let is_digit = |it: u8| matches!(it, b'0'..=b'9' | b'a'..=b'f');
    if !is_name(name) {
        Some(format!("{name:?} is no name of a file"))
    } else if bytes == 0 || bytes > MOST_BYTES {
        Some(format!("{name}: {bytes} bytes are no size"))
    } else if sha256.len() != 64 || !sha256.bytes().all(is_digit) {
        Some(format!("{name}: {sha256:?} is no SHA-256"))
    } else {
        None
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._-".contains(&byte)
}

/// Whether this is one part of a path, and leads nowhere else.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_plain) && !text.starts_with('.')
}
