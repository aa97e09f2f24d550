//! The last data partition takes the rest of the disk, and its file system, which is mounted, the rest of the
//! partition: Linux's own ext4 makes it larger, step by step in its journal, so that a power cut leaves a file
//! system that is whole. What is left to do then, the next start does.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::Path;

use common::text::attribute;
use rustix::fs::fstatvfs;
use rustix::rand::{GetRandomFlags, getrandom};
use uuid::{Builder, Uuid};

use super::table;
use crate::check::mount_point;
use crate::disk::{label, list};
use crate::sys::{resize_ext4, resize_partition};

/// How long the partition was and is, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Growth {
    pub(super) before: u64,
    pub(super) after: u64,
}

/// Grows the last data partition of the disk called `name` below `root`.
pub(super) fn grow(root: &Path, name: &str) -> io::Result<Growth> {
    let disks = list(root, None);
    let disk = disks.iter().find(|it| it.name == name);
    let data = disk.map(|it| it.data.as_slice()).unwrap_or_default();
    let places = data.iter().filter_map(|(index, part)| {
        let path = root.join("sys/class/block").join(part);
        let number: u32 = attribute(&path.join("partition"))?.parse().ok()?;
        Some((number, *index, part))
    });
    let places: Vec<_> = places.collect();
    let last = places.iter().max();
    let (number, index, part) = last.ok_or_else(|| io::Error::other("it has no data"))?;
    let numbers: Vec<u32> = places.iter().map(|(number, ..)| *number).collect();
    let block = attribute(&root.join(format!("sys/class/block/{name}/queue/logical_block_size")));
    let block = block.and_then(|it| it.parse().ok()).unwrap_or(512);
    let mut disk = File::options()
        .read(true)
        .write(true)
        .open(root.join("dev").join(name))?;
    let size = disk.seek(SeekFrom::End(0))?;
    let plan = table::plan(&disk, (size, block), *number, &numbers, &mut fresh)?;
    write(&disk, &plan)?;
    // In tests it is a file.
    if disk.metadata()?.file_type().is_block_device() {
        resize_partition(&disk, *number, plan.start, plan.after)?;
        let folder = File::open(root.join(mount_point(&label(*index))))?;
        let device = root.join("dev").join(part).metadata()?;
        if folder.metadata()?.dev() != device.rdev() {
            return Err(io::Error::other(format!("{part} is not mounted")));
        }
        resize_ext4(&folder, plan.after / fstatvfs(&folder)?.f_frsize)?;
    }
    tracing::info!(part, plan.before, plan.after, "a partition grew");
    Ok(Growth {
        before: plan.before,
        after: plan.after,
    })
}

/// Writes a table, each step after the one before is on the disk.
fn write(disk: &File, plan: &table::Growth) -> io::Result<()> {
    for step in &plan.steps {
        for (at, bytes) in step {
            disk.write_all_at(bytes, *at)?;
        }
        disk.sync_data()?;
    }
    Ok(())
}

/// A GUID that nobody else has: RFC 9562, section 5.4.
fn fresh() -> io::Result<Uuid> {
    let mut bytes = [0; 16];
    random(&mut bytes)?;
    Ok(Builder::from_random_bytes(bytes).into_uuid())
}

/// Fills `bytes` by the kernel, which waits until it knows enough: getrandom(2).
pub(super) fn random(bytes: &mut [u8; 16]) -> io::Result<()> {
    let count = getrandom(&mut bytes[..], GetRandomFlags::empty())?;
    if count == bytes.len() {
        Ok(())
    } else {
        Err(io::Error::other("getrandom gave too little"))
    }
}
