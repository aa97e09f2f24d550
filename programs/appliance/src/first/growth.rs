//! The last data partition takes the rest of the disk, and its file system, which is mounted, the rest of the
//! partition: Linux's own ext4 makes it larger, step by step in its journal, so that a power cut leaves a file
//! system that is whole. What is left to do then, the next start does.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::Path;
use std::process::{Command, Stdio};

use common::text::attribute;
use common::volumes::partition_name;
use rustix::rand::{GetRandomFlags, getrandom};
use uuid::{Builder, Uuid};

use super::table;
use crate::disk::list;
use crate::sys::resize_partition;
use crate::text::clean;

/// How long the partition was and is, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Growth {
    pub(super) before: u64,
    pub(super) after: u64,
}

/// Grows the last data partition of the disk called `name` below `root`. Fails with the reason.
pub(super) fn grow(root: &Path, name: &str) -> Result<Growth, String> {
    let disks = list(root, None);
    let disk = disks.iter().find(|it| it.name == name);
    let data = disk.map(|it| it.data.as_slice()).unwrap_or_default();
    let numbers = data.iter().filter_map(|(_, part)| {
        let path = root.join("sys/class/block").join(part);
        let number: u32 = attribute(&path.join("partition"))?.parse().ok()?;
        Some(number)
    });
    let numbers: Vec<u32> = numbers.collect();
    let last = numbers.iter().max().ok_or("it has no data")?;
    let block = attribute(&root.join(format!("sys/class/block/{name}/queue/logical_block_size")));
    let block = block.and_then(|it| it.parse().ok()).unwrap_or(512);
    let path = root.join("dev").join(name);
    let grown = write(&path, block, *last, &numbers).map_err(|it| it.to_string())?;
    let part = partition_name(name, Some(*last));
    resize_file_system(root, &part)?;
    Ok(grown)
}

/// Writes the partition table of the disk at `path`, and tells the kernel.
fn write(path: &Path, block: u64, number: u32, renewed: &[u32]) -> io::Result<Growth> {
    let mut disk = File::options().read(true).write(true).open(path)?;
    let size = disk.seek(SeekFrom::End(0))?;
    let plan = table::plan(&disk, (size, block), number, renewed, &mut fresh)?;
    for step in &plan.steps {
        for (at, bytes) in step {
            disk.write_all_at(bytes, *at)?;
        }
        disk.sync_data()?;
    }
    if disk.metadata()?.file_type().is_block_device() {
        resize_partition(&disk, number, plan.start, plan.after)?;
    }
    tracing::info!(?path, number, plan.before, plan.after, "a partition grew");
    Ok(Growth {
        before: plan.before,
        after: plan.after,
    })
}

/// Makes the file system of a partition as large as that is: resize2fs(8), which has the kernel do so where it is
/// mounted.
fn resize_file_system(root: &Path, part: &str) -> Result<(), String> {
    let done = Command::new(root.join("usr/sbin/resize2fs"))
        .arg(root.join("dev").join(part))
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("resize2fs cannot be run: {error}"))?;
    let said = [done.stdout, done.stderr].concat();
    let said = clean(&String::from_utf8_lossy(&said));
    tracing::info!(part, said, "resize2fs");
    if done.status.success() {
        Ok(())
    } else {
        Err(format!("resize2fs says: {said}"))
    }
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
