//! An image in memory of which only the touched blocks exist. What is to be written to a disk is
//! drawn here first, by crates that know the format; so the same blocks can be written in an order
//! of our own, and compared with what the disk has afterwards.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom, Write};

use super::device::{ALIGNMENT, CHUNK, Device};
use common::slice::sought;

/// An image of `size` bytes; whatever was never written reads as zeros.
#[derive(Clone, Debug)]
pub(super) struct Sparse {
    size: u64,
    position: u64,
    /// By number; every block has [`ALIGNMENT`] bytes.
    blocks: BTreeMap<u64, Box<[u8; ALIGNMENT]>>,
}

impl Sparse {
    /// An image of zeros.
    pub(super) fn new(size: u64) -> Self {
        Self {
            size,
            position: 0,
            blocks: BTreeMap::new(),
        }
    }

    /// Bytes, touched or not.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Bytes in touched blocks.
    pub(super) fn touched(&self) -> u64 {
        (self.blocks.len() * ALIGNMENT) as u64
    }

    /// The touched parts in order: offset and content, each at most [`CHUNK`] bytes.
    pub(super) fn parts(&self) -> impl Iterator<Item = (u64, Vec<u8>)> {
        let mut blocks = self.blocks.iter().peekable();
        std::iter::from_fn(move || {
            let (&first, block) = blocks.next()?;
            let mut data = block.to_vec();
            let mut next = first + 1;
            while data.len() < CHUNK
                && let Some((_, block)) = blocks.next_if(|(number, _)| **number == next)
            {
                data.extend_from_slice(&block[..]);
                next += 1;
            }
            let offset = first * ALIGNMENT as u64;
            let left = usize::try_from(self.size - offset).unwrap_or(usize::MAX);
            data.truncate(left);
            Some((offset, data))
        })
    }

    /// Writes the touched parts to `device`, from `offset` on, and says after each how many bytes.
    pub(super) fn write_to(
        &self,
        device: &Device,
        offset: u64,
        done: &mut dyn FnMut(u64),
    ) -> io::Result<()> {
        for (at, data) in self.parts() {
            device.write_at(offset + at, &data)?;
            done(data.len() as u64);
        }
        Ok(())
    }

    /// The blocks that `older` has otherwise, or has not.
    pub(super) fn changes_since(&self, older: &Self) -> Self {
        let changed = self
            .blocks
            .iter()
            .filter(|(number, block)| older.blocks.get(number).is_none_or(|old| old != *block));
        let blocks = changed
            .map(|(number, block)| (*number, block.clone()))
            .collect();
        Self {
            size: self.size,
            position: 0,
            blocks,
        }
    }

    /// Compares the touched parts with what `device` has from `offset` on: the first byte, counted
    /// from the disk's, that differs.
    pub(super) fn differs_from(
        &self,
        device: &Device,
        offset: u64,
        done: &mut dyn FnMut(u64),
    ) -> io::Result<Option<u64>> {
        for (at, data) in self.parts() {
            let found = device.read_back(offset + at, data.len())?;
            if let Some(index) = found
                .iter()
                .zip(&data)
                .position(|(one, other)| one != other)
            {
                return Ok(Some(offset + at + index as u64));
            }
            done(data.len() as u64);
        }
        Ok(None)
    }

    /// The block that holds the byte at `position`, its index in there, and how many of `length`
    /// bytes lie in the same block.
    fn place(&self, length: usize) -> (u64, usize, usize) {
        let align = ALIGNMENT as u64;
        let left = usize::try_from(self.size.saturating_sub(self.position)).unwrap_or(usize::MAX);
        let index = usize::try_from(self.position % align).unwrap_or(0);
        (
            self.position / align,
            index,
            length.min(ALIGNMENT - index).min(left),
        )
    }
}

impl Read for Sparse {
    fn read(&mut self, data: &mut [u8]) -> io::Result<usize> {
        let (number, index, length) = self.place(data.len());
        match self.blocks.get(&number) {
            Some(block) => data[..length].copy_from_slice(&block[index..index + length]),
            None => data[..length].fill(0),
        }
        self.position += length as u64;
        Ok(length)
    }
}

impl Write for Sparse {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let (number, index, length) = self.place(data.len());
        let block = self
            .blocks
            .entry(number)
            .or_insert_with(|| Box::new([0; ALIGNMENT]));
        block[index..index + length].copy_from_slice(&data[..length]);
        self.position += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Sparse {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = sought(to, self.position, self.size)?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_touched_blocks_exist_and_neighbours_are_one_part() {
        let mut image = Sparse::new(3 * ALIGNMENT as u64 + 100);
        image.seek(SeekFrom::Start(ALIGNMENT as u64 - 2)).unwrap();
        image.write_all(b"abcd").unwrap();
        image.seek(SeekFrom::End(-3)).unwrap();
        image.write_all(b"end").unwrap();
        assert_eq!(image.write(b"x").unwrap(), 0, "nothing fits behind the end");
        let parts: Vec<_> = image.parts().collect();
        let shape: Vec<_> = parts.iter().map(|(at, data)| (*at, data.len())).collect();
        assert_eq!(shape, [(0, 2 * ALIGNMENT), (3 * ALIGNMENT as u64, 100)]);
        let mut text = [0; 6];
        image.seek(SeekFrom::Start(ALIGNMENT as u64 - 3)).unwrap();
        image.read_exact(&mut text).unwrap();
        assert_eq!(&text, b"\0abcd\0");
        assert!(image.seek(SeekFrom::Current(i64::MIN)).is_err());
    }

    #[test]
    fn parts_are_cut_so_that_memory_stays_small() {
        let mut image = Sparse::new(4 * CHUNK as u64);
        image.write_all(&vec![1; 2 * CHUNK + 1]).unwrap();
        let lengths: Vec<_> = image.parts().map(|(_, data)| data.len()).collect();
        assert_eq!(lengths, [CHUNK, CHUNK, ALIGNMENT]);
    }
}
