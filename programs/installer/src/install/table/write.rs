//! How a table is drawn anew, and written so that a power cut at any moment leaves either the old one
//! or the new one.

use std::io;

use gpt::mbr::ProtectiveMBR;
use gpt::partition::Partition;

use super::super::device::Device;
use super::{ENTRY, Partitions, Table, bytes, edges};

impl Table {
    /// Writes the protective MBR if there is none; what else is in that block stays.
    fn protect(&mut self) -> io::Result<()> {
        if self.is_protected() {
            return Ok(());
        }
        let image = self.disk.device_ref();
        let blocks = image.size() / self.disk.logical_block_size().as_u64() - 1;
        ProtectiveMBR::with_lb_size(u32::try_from(blocks).unwrap_or(u32::MAX))
            .update_conservative(self.disk.device_mut())
            .map_err(io::Error::other)?;
        Ok(())
    }

    /// Makes it say `partitions`, each under its own number.
    pub(in super::super) fn set(&mut self, partitions: Partitions) -> io::Result<()> {
        self.protect()?;
        self.disk
            .update_partitions(partitions)
            .map_err(io::Error::other)?;
        self.disk.write_inplace().map_err(io::Error::other)?;
        self.write_lists()
    }

    /// Writes both lists again: the crate writes one entry behind the other, so that what lies behind
    /// a gap gets another number.
    fn write_lists(&mut self) -> io::Result<()> {
        let lost = || io::Error::other("a table has no header");
        let mut first = self.disk.primary_header().map_err(|_| lost())?.clone();
        let mut second = self.disk.backup_header().map_err(|_| lost())?.clone();
        let block = *self.disk.logical_block_size();
        let partitions = self.disk.partitions().clone();
        let image = self.disk.device_mut();
        for header in [&first, &second] {
            let (start, count) = (header.part_start, u64::from(header.num_parts));
            Partition::write_zero_entries_to_device(image, 0, count, start, block, ENTRY)?;
            for (number, entry) in &partitions {
                if *number == 0 || *number > header.num_parts {
                    let message = format!("there is no room for partition {number} in the table");
                    return Err(io::Error::other(message));
                }
                entry.write_to_device(image, u64::from(number - 1), start, block, ENTRY)?;
            }
        }
        second
            .write_backup(image, block)
            .map_err(io::Error::other)?;
        first
            .write_primary(image, block)
            .map_err(io::Error::other)?;
        Ok(())
    }

    /// Writes it, in steps of which each is on the disk before the next one begins: the second table,
    /// the first list, then what makes that list valid. So whoever reads the disk in between finds the
    /// old table valid, or the new one. Where the first table is damaged, the second one is all there
    /// is, and comes last. What a new table leaves empty around it is emptied when it is valid, so that
    /// nothing of the old partitions is touched while they are still to be found.
    pub(in super::super) fn write_to(&mut self, device: &Device) -> io::Result<()> {
        for step in self.steps(device)? {
            for range in step {
                device.write_at(range.0, &bytes(self.disk.device_ref(), range)?)?;
            }
            device.flush()?;
        }
        self.first_is_whole = true;
        Ok(())
    }

    /// The steps of writing it: offsets and lengths.
    pub(super) fn steps(&self, device: &Device) -> io::Result<Vec<Vec<(u64, usize)>>> {
        let no_header = |_| io::Error::other("a table has no header");
        let first = self.disk.primary_header().map_err(no_header)?;
        let second = self.disk.backup_header().map_err(no_header)?;
        let block = device.block_size();
        let list = first.part_start * block;
        let list_bytes = u64::from(first.num_parts) * u64::from(ENTRY);
        let list_end = list + list_bytes.next_multiple_of(block);
        let copy = second.part_start * block;
        let range = |from: u64, to: u64| {
            let length = usize::try_from(to.saturating_sub(from)).map_err(io::Error::other)?;
            Ok::<_, io::Error>((from, length))
        };
        let second = vec![range(copy, device.size() / block * block)?];
        // The protective MBR and the header are the first two blocks.
        let (first, header) = (vec![range(list, list_end)?], vec![range(0, 2 * block)?]);
        let mut steps = if self.first_is_whole {
            vec![second, first, header]
        } else {
            vec![first, header, second]
        };
        if self.is_new {
            let [start, end] = edges(device.size());
            steps.push(vec![range(list_end, start.1 as u64)?, range(end.0, copy)?]);
        }
        Ok(steps)
    }
}
