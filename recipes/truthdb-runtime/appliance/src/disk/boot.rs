//! Which partition the firmware started this system from.
//!
//! The stub that the UKI begins with says so in the EFI variable `LoaderDevicePartUUID`: systemd,
//! "The Boot Loader Interface".

use std::path::Path;

use gpt::GptConfig;
use gpt::disk::LogicalBlockSize;

use super::block_size;

const VARIABLE: &str =
    "sys/firmware/efi/efivars/LoaderDevicePartUUID-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";
/// In front of a variable's value, efivarfs has its attributes.
const ATTRIBUTES: usize = 4;

/// The unique GUID of a partition, in small letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootPartition(String);

impl BootPartition {
    /// Reads it below `root`; `None` where neither firmware nor stub said anything.
    pub fn read(root: &Path) -> Option<Self> {
        Self::parse(&std::fs::read(root.join(VARIABLE)).ok()?)
    }

    /// The value is text in UTF-16, little-endian, that may end with a zero.
    fn parse(variable: &[u8]) -> Option<Self> {
        let units = variable.get(ATTRIBUTES..)?.chunks_exact(2);
        let units: Vec<_> = units.map(|it| u16::from_le_bytes([it[0], it[1]])).collect();
        let text = String::from_utf16(&units).ok()?;
        let guid = text.trim_end_matches('\0').to_ascii_lowercase();
        (guid.len() == 36).then_some(Self(guid))
    }

    /// Whether this is the first partition of the disk called `name` below `root`. A disk that
    /// cannot be read is not the one.
    pub(super) fn is_on(&self, root: &Path, name: &str) -> bool {
        let size = match block_size(root, name) {
            Some(4096) => LogicalBlockSize::Lb4096,
            _ => LogicalBlockSize::Lb512,
        };
        let table = GptConfig::new()
            .writable(false)
            .logical_block_size(size)
            .open(root.join("dev").join(name));
        table.is_ok_and(|table| {
            let first = table.partitions().get(&1);
            first.is_some_and(|it| it.part_guid.hyphenated().to_string() == self.0)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_stub_writes() {
        let guid = "0FC63DAF-8483-4772-8E79-3D69D8477DE4";
        let mut variable = vec![6, 0, 0, 0];
        variable.extend(guid.encode_utf16().flat_map(u16::to_le_bytes));
        let expected = Some(BootPartition(guid.to_ascii_lowercase()));
        assert_eq!(BootPartition::parse(&variable), expected);
        variable.extend([0, 0]);
        assert_eq!(BootPartition::parse(&variable), expected);
        for bad in [
            &variable[..3],
            &variable[..4],
            &variable[..20],
            &[6, 0, 0, 0, 0, 0xd8],
        ] {
            assert_eq!(BootPartition::parse(bad), None);
        }
    }
}
