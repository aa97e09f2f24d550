//! What lay on the disk before: gone from every place where anybody looks for it, and told to the disk
//! as unused where it can be told.
//!
//! libblkid, which says what mount(8) and the initramfs of other systems take a disk for, looks into the
//! first 2 MiB of a disk or a partition and the last 1.6 MiB of it (util-linux, `libblkid/src/superblocks`);
//! old labels of ZFS, md or Btrfs there make a new file system ambiguous, or the disk a member.

use std::io::{self, ErrorKind};

use super::device::{ALIGNMENT, CHUNK, Device};
use super::layout::{Layout, MIB, Place};

/// How much of each end of a partition, and of the disk's own end, is emptied, in bytes.
const END: u64 = 4 * MIB;
/// How much a disk is told to be unused at once, in bytes.
const STRETCH: u64 = 64 << 30;

/// Tells the disk that nothing between its tables is in use, reserved space too. Returns whether it
/// is one that can be told so; nothing depends on it.
pub(super) fn discard(device: &Device) -> bool {
    let end = device.size().saturating_sub(MIB) / MIB * MIB;
    let mut at = MIB;
    while at < end {
        let length = STRETCH.min(end - at);
        match device.discard(at, length) {
            Ok(()) => at += length,
            Err(error) => {
                let cannot = [ErrorKind::Unsupported, ErrorKind::InvalidInput];
                if !cannot.contains(&error.kind()) {
                    tracing::warn!(%error, at, "the disk does not let go of what is unused");
                }
                return false;
            }
        }
    }
    true
}

/// Writes zeros to both ends of `places`, and with `whole` to the end of the disk before its table.
pub(super) fn clear(device: &Device, places: &[Place], whole: bool) -> io::Result<()> {
    for (start, end) in ranges(device.size(), places, whole) {
        let mut at = start;
        while at < end {
            let length = usize::try_from(end - at).map_err(io::Error::other)?;
            let zeros = vec![0; length.min(CHUNK)];
            device.write_at(at, &zeros)?;
            at += zeros.len() as u64;
        }
    }
    device.flush()
}

/// Where it starts and where it ends.
fn ranges(size: u64, places: &[Place], whole: bool) -> Vec<(u64, u64)> {
    let ends = |start: u64, end: u64| {
        let length = END.min(end - start);
        [(start, start + length), (end - length, end)]
    };
    let mut found: Vec<_> = places
        .iter()
        .flat_map(|place| ends(place.start, place.start + place.size))
        .collect();
    if whole {
        let align = ALIGNMENT as u64;
        let before_table = size.saturating_sub(MIB) / align * align;
        let last = places.iter().map(|it| it.start + it.size).max();
        let start = (size.saturating_sub(END) / align * align).max(last.unwrap_or(0));
        found.push((start.min(before_table), before_table));
    }
    found
}

/// What anybody would take the disk, or one of its partitions, for beside what was put there: a part
/// of a sentence. `is_encrypted` says what the data partitions are.
pub(super) fn left_over(
    device: &Device,
    layout: &Layout,
    is_encrypted: bool,
) -> io::Result<Option<String>> {
    let file = device.fresh()?;
    let places: Vec<_> = layout
        .places
        .iter()
        .map(|place| (place.start, place.size))
        .collect();
    let whole = crate::hardware::marks(file, (0, device.size()), &places)?;
    if let Some(kind) = whole.first() {
        return Ok(Some(format!("the disk still looks like {kind}")));
    }
    for place in &layout.places {
        let expected = match (place.is_system(), is_encrypted) {
            (true, _) => "FAT32",
            (false, true) => "LUKS (encrypted)",
            (false, false) => "ext4",
        };
        let found = crate::hardware::marks(file, (place.start, place.size), &[])?;
        if found != [expected] {
            let found = found.join(" and ");
            return Ok(Some(format!("{} looks like {found}", place.name)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::super::request::Settings;
    use super::super::test_disk;
    use super::*;

    #[test]
    fn both_ends_of_everything_are_empty_and_nothing_between_is_touched() {
        let root = tempfile::tempdir().unwrap();
        let settings = Settings {
            reserved: 100 * MIB,
            ..Settings::default()
        };
        for size in [1700 * MIB, 1700 * MIB + 512] {
            let disk = test_disk::disk(root.path(), size, 512);
            let device = Device::open(root.path(), &disk).unwrap();
            let layout = Layout::new(size, &settings, "").unwrap();
            let [system, data] = [layout.system(), &layout.data()[0]];
            let ends = |place: &Place| (place.start, place.start + place.size - 1);
            let empty = [
                ends(system).0,
                ends(system).1,
                ends(data).0,
                ends(data).1,
                size - 2 * MIB,
                size - 3 * MIB,
            ];
            let kept = [
                0,
                MIB - 1,
                ends(system).0 + END,
                ends(data).0 + END,
                ends(data).1 + 1,
                ends(data).1 + 50 * MIB,
                size - MIB,
                size - 1,
            ];
            for at in empty.iter().chain(&kept) {
                device.write_at(*at, &[7]).unwrap();
            }
            clear(&device, &layout.places, true).unwrap();
            let byte = |at: u64| device.read_back(at, 1).unwrap()[0];
            assert!(empty.iter().all(|at| byte(*at) == 0), "{size}");
            assert!(kept.iter().all(|at| byte(*at) == 7), "{size}");
            assert!(!discard(&device), "a file is no disk");
        }
    }
}
