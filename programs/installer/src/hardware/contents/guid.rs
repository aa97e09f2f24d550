//! Partitions of a GUID partition table (GPT).

use std::fs::File;
use std::io::{Seek, SeekFrom};

use common::partition_table;

use super::super::text::clean;
use super::{EFI, Range};
use crate::grown;

/// The partitions of a GPT, also one of which only the second table is whole, or that of an installation
/// whose disk has grown since. UEFI specification
/// 2.10, section 5.3.
pub(super) fn read(device: &File, block_size: u64) -> Option<Vec<Range>> {
    let mut device = device;
    let size = device.seek(SeekFrom::End(0)).ok()?;
    let table = partition_table::table(&mut device, block_size).or_else(|| {
        let mut former = grown::former(device, size, block_size)?;
        partition_table::table(&mut former, block_size)
    })?;
    let ranges = table.partitions.iter().map(|(number, entry)| Range {
        number: *number,
        start: entry.first.saturating_mul(block_size),
        size: (entry.last.saturating_add(1))
            .saturating_sub(entry.first)
            .saturating_mul(block_size),
        name: clean(&entry.name),
        purpose: purpose(entry.kind),
    });
    let mut ranges: Vec<Range> = ranges.filter(|range| range.size > 0).collect();
    ranges.sort_by_key(|range| range.start);
    Some(ranges)
}

/// What a partition type of a GPT is for: UEFI specification, table 5.7; the Discoverable Partitions
/// Specification; Microsoft's, Apple's and `VMware`'s documentation. Named are those that a
/// server's disk may have, above all those of what no signature tells.
fn purpose(guid: uuid::Uuid) -> &'static str {
    const PURPOSES: [(&str, &str); 27] = [
        ("c12a7328-f81f-11d2-ba4b-00a0c93ec93b", EFI),
        ("21686148-6449-6e6f-744e-656564454649", "BIOS boot"),
        ("0fc63daf-8483-4772-8e79-3d69d8477de4", LINUX),
        ("4f68bce3-e8cd-4db1-96e7-fbcaf984b709", LINUX),
        ("933ac7e1-2eb4-4f13-b844-0e14e2aef915", LINUX),
        ("3b8f8425-20e0-4f3b-907f-1a25a76f98e8", LINUX),
        ("4d21b016-b534-45c2-a9fb-5c16e091fd2d", LINUX),
        ("bc13c2ff-59e6-4262-a352-b275fd6f7172", "Linux boot"),
        ("a19d880f-05fc-4d3b-a006-743f0f84911e", "RAID member"),
        ("e6d6d379-f507-44c2-a23c-238f2a3df928", "LVM member"),
        ("ca7d7ccb-63ed-4c53-861c-1742536059cc", "LUKS (encrypted)"),
        ("4fbd7e29-9d25-41b8-afd0-062c0ceff05d", "Ceph"),
        ("0657fd6d-a4ab-43c4-84e5-0933c84b4f4f", "swap"),
        ("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7", "Windows data"),
        ("e3c9e316-0b5c-4db8-817d-f92df00215ae", "Windows reserved"),
        ("de94bba4-06d1-4d40-a16a-bfd50179d6ac", "Windows recovery"),
        ("5808c8aa-7e8f-42e0-85d2-e1e90434cfb3", DYNAMIC),
        ("af9b60a0-1431-4f62-bc68-3311714a69ad", DYNAMIC),
        ("e75caf8f-f680-4cee-afa3-b001e56efc2d", "Storage Spaces"),
        ("aa31e02a-400f-11db-9590-000c2911d1b8", "VMware data"),
        ("9d275380-40ad-11db-bf97-000c2911d1b8", "VMware dump"),
        ("9198effc-31c0-11db-8f78-000c2911d1b8", "VMware reserved"),
        ("6a898cc3-1dd2-11b2-99a6-080020736631", "ZFS member"),
        ("516e7cba-6ecf-11d6-8ff8-00022d09712b", "ZFS member"),
        ("516e7cb6-6ecf-11d6-8ff8-00022d09712b", "BSD"),
        ("48465300-0000-11aa-aa11-00306543ecac", "HFS+"),
        ("7c3457ef-0000-11aa-aa11-00306543ecac", "APFS"),
    ];
    const LINUX: &str = "Linux data";
    const DYNAMIC: &str = "Windows dynamic";
    let text = guid.to_string();
    let found = PURPOSES.iter().find(|(known, _)| *known == text);
    found.map_or("unknown", |(_, purpose)| purpose)
}
