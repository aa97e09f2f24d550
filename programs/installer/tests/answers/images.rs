//! Images of disks, made as the disks of other people are: with FAT volumes, GPTs and MBRs.
#![allow(missing_docs, clippy::unwrap_used)]

use std::io::{Cursor, Write};

use fatfs::{FatType, FileSystem, FormatVolumeOptions, FsOptions};
use gpt::disk::LogicalBlockSize;
use gpt::partition_types::Type;

use crate::support::MEDIUM;

pub const MIB: usize = 1 << 20;
pub const TEXT: &str = "version = 1\n";

/// A FAT volume with these files in its root.
pub fn fat(bytes: usize, kind: FatType, label: &str, files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut padded = [b' '; 11];
    padded[..label.len()].copy_from_slice(label.as_bytes());
    let options = FormatVolumeOptions::new()
        .volume_label(padded)
        .fat_type(kind);
    let mut image = Cursor::new(vec![0; bytes]);
    fatfs::format_volume(&mut image, options.bytes_per_cluster(512)).unwrap();
    let system = FileSystem::new(&mut image, FsOptions::new()).unwrap();
    for (name, content) in files {
        let mut file = system.root_dir().create_file(name).unwrap();
        file.write_all(content).unwrap();
    }
    drop(system);
    image.into_inner()
}

/// A small FAT volume that is labelled for an answer file, and has one.
pub fn config() -> Vec<u8> {
    fat(
        MIB,
        FatType::Fat12,
        "EXAMPLE_CFG",
        &[("install.toml", TEXT.as_bytes())],
    )
}

/// A disk with a GPT and these partitions, one MiB apart.
pub fn with_gpt(block: LogicalBlockSize, partitions: &[(Type, &[u8])]) -> Vec<u8> {
    with_named("x", block, partitions)
}

/// The same, with partitions of this name.
pub fn with_named(name: &str, block: LogicalBlockSize, partitions: &[(Type, &[u8])]) -> Vec<u8> {
    let room: usize = partitions.iter().map(|(_, content)| content.len()).sum();
    let size = room + (partitions.len() + 3) * MIB;
    let mut image = Cursor::new(vec![0; size]);
    let last = u32::try_from(size / block.as_usize() - 1).unwrap();
    let mbr = gpt::mbr::ProtectiveMBR::with_lb_size(last);
    mbr.overwrite_lba0(&mut image).unwrap();
    let config = gpt::GptConfig::new()
        .writable(true)
        .logical_block_size(block);
    let mut table = config.create_from_device(image, None).unwrap();
    let mut places = Vec::new();
    for (kind, content) in partitions {
        let blocks = u64::try_from(MIB / block.as_usize()).unwrap();
        let length = u64::try_from(content.len()).unwrap();
        let number = table
            .add_partition(name, length, kind.clone(), 0, Some(blocks))
            .unwrap();
        places.push(table.partitions()[&number].bytes_start(block).unwrap());
    }
    let mut bytes = table.write().unwrap().into_inner();
    for (place, (_, content)) in places.into_iter().zip(partitions) {
        let place = usize::try_from(place).unwrap();
        bytes[place..place + content.len()].copy_from_slice(content);
    }
    bytes
}

/// A disk with an MBR and one partition in blocks of `block` bytes.
pub fn with_mbr(block: usize, kind: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; MIB];
    bytes[446 + 16 + 4] = kind;
    let numbers = [MIB / block, content.len() / block].map(|it| u32::try_from(it).unwrap());
    bytes[446 + 16 + 8..446 + 16 + 12].copy_from_slice(&numbers[0].to_le_bytes());
    bytes[446 + 16 + 12..446 + 32].copy_from_slice(&numbers[1].to_le_bytes());
    bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
    bytes.extend_from_slice(content);
    bytes
}

/// Makes bytes those of an ISO 9660 file system of the medium, too.
pub fn as_medium(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes[32_768..32_775].copy_from_slice(b"\x01CD001\x01");
    bytes[32_808..32_840].fill(b' ');
    bytes[32_808..32_808 + MEDIUM.len()].copy_from_slice(MEDIUM.as_bytes());
    bytes
}
