//! Which partition the firmware started this system from.
//!
//! The stub that a UKI begins with says so in EFI variables: systemd, "The Boot Loader Interface" and
//! systemd-stub(7). They are the firmware's own words for where it read the program from.

use std::fs::File;
use std::io;
use std::path::Path;

use uuid::Uuid;

use crate::partition_table;

/// The device of the UKI, and, where no boot loader came before it, the same again.
const VARIABLES: [&str; 2] = ["StubDevicePartUUID", "LoaderDevicePartUUID"];
const FOLDER: &str = "sys/firmware/efi/efivars";
const VENDOR: &str = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";
/// In front of a variable's value, efivarfs has its attributes.
const ATTRIBUTES: usize = 4;

/// The unique GUID of the partition that this system was started from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootPartition(Uuid);

impl BootPartition {
    /// Reads it below `root`; `None` where neither firmware nor stub said anything, as on a disc.
    pub fn read(root: &Path) -> Option<Self> {
        VARIABLES.iter().find_map(|name| {
            let file = root.join(FOLDER).join(format!("{name}-{VENDOR}"));
            Self::parse(&std::fs::read(file).ok()?)
        })
    }

    /// The value is text in UTF-16, little-endian, that may end with a zero.
    fn parse(variable: &[u8]) -> Option<Self> {
        let (units, rest) = variable.get(ATTRIBUTES..)?.as_chunks();
        let units: Vec<_> = units.iter().map(|it| u16::from_le_bytes(*it)).collect();
        let text = String::from_utf16(&units)
            .ok()
            .filter(|_| rest.is_empty())?;
        Uuid::parse_str(text.trim_end_matches('\0')).ok().map(Self)
    }

    /// Which partition of the device (or image) it is, as its table numbers them from 1; `None` if it is
    /// none of them. Goes by the first table, and by the second where that is damaged or has not got it; an
    /// image of a disk keeps its blocks of 512 bytes when it is copied to a medium with larger ones.
    pub fn number_on(self, mut device: &File, block_size: u64) -> io::Result<Option<u32>> {
        for block in [block_size, 512] {
            let tables = partition_table::tables(&mut device, block)?;
            let mut entries = tables.iter().flat_map(|it| &it.partitions);
            if let Some((number, _)) = entries.find(|(_, it)| it.guid == self.0) {
                return Ok(Some(*number));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use std::os::unix::fs::FileExt;

    use super::*;
    use crate::partition_table::{CHECKSUM, HEADER, checksum, checksum_of_header};

    const GUID: &str = "0FC63DAF-8483-4772-8E79-3D69D8477DE4";
    const SIZE: u64 = 1 << 20;

    fn variable(text: &str) -> Vec<u8> {
        let mut bytes = vec![6, 0, 0, 0];
        bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
        bytes
    }

    fn boot() -> BootPartition {
        BootPartition(Uuid::parse_str(GUID).unwrap())
    }

    #[test]
    fn reads_what_the_stub_writes_that_of_the_system_itself_first() {
        assert_eq!(BootPartition::parse(&variable(GUID)), Some(boot()));
        let ended = variable(&format!("{GUID}\0"));
        assert_eq!(BootPartition::parse(&ended), Some(boot()));
        for bad in [
            &ended[..3],
            &ended[..4],
            &ended[..20],
            &ended[..ended.len() - 1],
            &[6, 0, 0, 0, 0, 0xd8],
        ] {
            assert_eq!(BootPartition::parse(bad), None);
        }
        let root = tempfile::tempdir().unwrap();
        assert_eq!(BootPartition::read(root.path()), None);
        let folder = root.path().join(FOLDER);
        fs::create_dir_all(&folder).unwrap();
        let write = |name: &str, text: &str| {
            fs::write(folder.join(format!("{name}-{VENDOR}")), variable(text)).unwrap();
        };
        let loader = "11111111-8483-4772-8e79-3d69d8477de4";
        write("LoaderDevicePartUUID", loader);
        let found = BootPartition::read(root.path()).unwrap();
        assert_eq!(found.0.to_string(), loader);
        write("StubDevicePartUUID", GUID);
        assert_eq!(BootPartition::read(root.path()), Some(boot()));
    }

    /// A disk with a table at `header`, which says that it has `count` entries of `entry` bytes; the third
    /// is the partition.
    fn disk(block: u64, header: u64, count: u32, entry: u32) -> File {
        let file = tempfile::tempfile().unwrap();
        file.set_len(SIZE).unwrap();
        file.write_all_at(b"EFI PART", header).unwrap();
        file.write_all_at(&2_u64.to_le_bytes(), header + 72)
            .unwrap();
        file.write_all_at(&count.to_le_bytes(), header + 80)
            .unwrap();
        file.write_all_at(&entry.to_le_bytes(), header + 84)
            .unwrap();
        let at = 2 * block + 2 * u64::from(entry.min(4096)) + 16;
        file.write_all_at(&boot().0.to_bytes_le(), at).unwrap();
        seal(&file, block, header, count, entry);
        file
    }

    /// Gives a table its checksums.
    fn seal(file: &File, block: u64, header: u64, count: u32, entry: u32) {
        let length = u64::from(count) * u64::from(entry);
        let mut list = vec![0; usize::try_from(length.min(SIZE / 2)).unwrap()];
        file.read_exact_at(&mut list, 2 * block).unwrap();
        let write = |at: u64, bytes: &[u8]| file.write_all_at(bytes, header + at).unwrap();
        write(12, &92_u32.to_le_bytes());
        write(24, &(header / block).to_le_bytes());
        write(88, &checksum(&list).to_le_bytes());
        let mut bytes = [0; HEADER];
        file.read_exact_at(&mut bytes, header).unwrap();
        let sum = u32::try_from(checksum_of_header(&bytes)).unwrap();
        write(16, &sum.to_le_bytes());
    }

    #[test]
    fn a_damaged_first_table_gives_way_to_the_second() {
        // Both have the partition as their third; the second list lies behind the first.
        let list = SIZE - 512 - 128 * 128;
        let both = || {
            let file = disk(512, 512, 128, 128);
            let mut first = [0; 128 * 128];
            file.read_exact_at(&mut first, 1024).unwrap();
            file.write_all_at(&first, list).unwrap();
            let mut header = [0; HEADER];
            file.read_exact_at(&mut header, 512).unwrap();
            header[24..32].copy_from_slice(&(SIZE / 512 - 1).to_le_bytes());
            header[72..80].copy_from_slice(&(list / 512).to_le_bytes());
            let sum = u32::try_from(checksum_of_header(&header)).unwrap();
            header[CHECKSUM].copy_from_slice(&sum.to_le_bytes());
            file.write_all_at(&header, SIZE - 512).unwrap();
            file
        };
        let number = |file: &File| boot().number_on(file, 512).unwrap();
        assert_eq!(checksum(b"123456789"), 0xcbf4_3926);
        let third = 1024 + 2 * 128 + 16;
        for (what, at) in [
            ("header", 512 + 56),
            ("its list", third),
            ("other list", 1024),
        ] {
            let file = both();
            file.write_all_at(b"X", at).unwrap();
            assert_eq!(number(&file), Some(3), "{what}");
            file.write_all_at(b"X", SIZE - 512 + 56).unwrap();
            assert_eq!(number(&file), None, "{what}, and the second header");
        }
        // A whole table that has it not, as the older one of two.
        let file = both();
        file.write_all_at(&[0; 16], third).unwrap();
        seal(&file, 512, 512, 128, 128);
        assert_eq!(number(&file), Some(3));
    }

    #[test]
    fn a_partition_is_found_in_either_table_of_any_block_size() {
        let rows = [
            ("first table", 512, disk(512, 512, 128, 128), Some(3)),
            (
                "second table",
                512,
                disk(512, SIZE - 512, 128, 128),
                Some(3),
            ),
            ("blocks of 4096", 4096, disk(4096, 4096, 128, 128), Some(3)),
            (
                "copied to larger blocks",
                4096,
                disk(512, 512, 128, 128),
                Some(3),
            ),
            ("larger entries", 512, disk(512, 512, 128, 256), Some(3)),
            ("too short a list", 512, disk(512, 512, 2, 128), None),
            ("too long a list", 512, disk(512, 512, u32::MAX, 128), None),
            ("beyond the end", 512, disk(512, 512, 1 << 13, 128), None),
            ("odd entries", 512, disk(512, 512, 128, 100), None),
            ("no entries", 512, disk(512, 512, 128, 0), None),
        ];
        for (what, block, file, expected) in rows {
            let found = boot().number_on(&file, block).unwrap();
            assert_eq!(found, expected, "{what}");
        }
        let empty = tempfile::tempfile().unwrap();
        assert_eq!(boot().number_on(&empty, 512).unwrap(), None);
    }
}
