//! The file of acknowledgements: how far the log had come when an event was last acknowledged. This
//! text is the specification; all numbers are little-endian.
//!
//! The end of a segment alone cannot tell an event that was never acknowledged, because the power
//! went away while it was written, from one that was, and that the disk damaged since. So an event
//! counts as acknowledged once its end stands in this file, which is written and synced after it.
//!
//! The file has two slots, at bytes 0 and 4,096, so that they share no sector. They are written in
//! turn, and the whole one with the greater generation holds: a power cut spoils at most the other.
//!
//! | slot: offset | size | field |
//! | --- | --- | --- |
//! | 0 | 8 | magic `TRUTHACK` |
//! | 8 | 8 | generation: 1 more for each write; odd ones are in the second slot |
//! | 16 | 8 | number of the segment |
//! | 24 | 8 | sequence number of the last acknowledged event, 0 without one |
//! | 32 | 8 | where in the segment it ends, in bytes |
//! | 40 | 8 | its checksum, that of the segment's header without one |
//! | 48 | 8 | xxhash64 of bytes 0 to 47, seed 0 |

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use twox_hash::XxHash64;

use super::format::u64_at;

/// What the file is called.
pub const NAME: &str = "acknowledged";
const MAGIC: &[u8; 8] = b"TRUTHACK";
/// Bytes of a slot that are used.
const SLOT: usize = 56;
/// Where the second slot begins: no disk has longer sectors.
const STRIDE: usize = 4096;

/// How far a log had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// Number of the segment.
    pub segment: u64,
    /// Sequence number of the last acknowledged event; 0 if there is none.
    pub sequence: u64,
    /// Where it ends in the segment, in bytes.
    pub end: u64,
    /// Its checksum; the header's if there is none.
    pub checksum: u64,
}

/// The file, open.
#[derive(Debug)]
pub(super) struct Acknowledgements {
    file: File,
    generation: u64,
}

impl Acknowledgements {
    /// Makes the file in `folder`, under another name first: there is never half of it.
    pub(super) fn create(folder: &Path, first: &Acknowledged) -> io::Result<Self> {
        let draft = folder.join(format!("{NAME}.new"));
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&draft)?;
        file.write_all_at(&slot(first, 0), 0)?;
        file.write_all_at(&slot(first, 1), STRIDE as u64)?;
        file.sync_all()?;
        std::fs::rename(&draft, folder.join(NAME))?;
        File::open(folder)?.sync_all()?;
        Ok(Self {
            file,
            generation: 1,
        })
    }

    /// Opens the file in `folder`; `None` if there is none. What it says is `None` if neither slot
    /// is whole.
    pub(super) fn open(folder: &Path) -> io::Result<Option<(Self, Option<Acknowledged>)>> {
        let opened = File::options()
            .read(true)
            .write(true)
            .open(folder.join(NAME));
        let file = match opened {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let mut bytes = Vec::new();
        (&file)
            .take((STRIDE + SLOT) as u64)
            .read_to_end(&mut bytes)?;
        let slots = [0, STRIDE].map(|at| bytes.get(at..).and_then(read_slot));
        let newest = slots.into_iter().flatten().max_by_key(|slot| slot.0);
        let generation = newest.map_or(0, |(generation, _)| generation);
        let said = newest.map(|(_, acknowledged)| acknowledged);
        Ok(Some((Self { file, generation }, said)))
    }

    /// Writes how far the log has come, into the slot that does not hold. If that fails, the other
    /// one still holds, and the next call tries the same slot again.
    pub(super) fn write(&mut self, acknowledged: &Acknowledged) -> io::Result<()> {
        let generation = self.generation + 1;
        let place = generation % 2 * STRIDE as u64;
        self.file
            .write_all_at(&slot(acknowledged, generation), place)?;
        self.file.sync_data()?;
        self.generation = generation;
        Ok(())
    }
}

#[cfg(test)]
impl Acknowledgements {
    /// From now on writes fail, as on a dying disk.
    pub(super) fn refuse_writes(&mut self, folder: &Path) {
        self.file = File::open(folder.join(NAME)).expect("the file is there");
    }
}

fn slot(acknowledged: &Acknowledged, generation: u64) -> [u8; SLOT] {
    let mut bytes = [0; SLOT];
    bytes[..8].copy_from_slice(MAGIC);
    let numbers = [
        generation,
        acknowledged.segment,
        acknowledged.sequence,
        acknowledged.end,
        acknowledged.checksum,
    ];
    for (place, number) in bytes[8..].chunks_exact_mut(8).zip(numbers) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    let checksum = XxHash64::oneshot(0, &bytes[..SLOT - 8]);
    bytes[SLOT - 8..].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

/// Returns the generation of a slot and what it says, if it is whole.
fn read_slot(bytes: &[u8]) -> Option<(u64, Acknowledged)> {
    let bytes = bytes.get(..SLOT)?;
    let whole = XxHash64::oneshot(0, &bytes[..SLOT - 8]) == u64_at(bytes, SLOT - 8);
    (whole && bytes.starts_with(MAGIC)).then(|| {
        let acknowledged = Acknowledged {
            segment: u64_at(bytes, 16),
            sequence: u64_at(bytes, 24),
            end: u64_at(bytes, 32),
            checksum: u64_at(bytes, 40),
        };
        (u64_at(bytes, 8), acknowledged)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Acknowledged = Acknowledged {
        segment: 1,
        sequence: 3,
        end: 176,
        checksum: 0x0102_0304_0506_0708,
    };

    /// A change of these bytes makes every log in the field unreadable.
    #[test]
    fn the_bytes_are_those_of_the_specification() {
        let bytes = slot(&FIRST, 5);
        let expected = [
            &b"TRUTHACK"[..],
            b"\x05\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0",
            b"\xb0\0\0\0\0\0\0\0\x08\x07\x06\x05\x04\x03\x02\x01",
        ];
        assert_eq!(bytes[..48], expected.concat());
        assert_eq!(u64_at(&bytes, 48), 0x9e84_a201_9cf6_8814);
        assert_eq!(read_slot(&bytes), Some((5, FIRST)));
    }

    /// Whatever a power cut leaves of a write, the one before it holds.
    #[test]
    fn a_write_that_was_cut_off_leaves_what_was_said_before() {
        let folder = tempfile::tempdir().unwrap();
        let said = || Acknowledgements::open(folder.path()).unwrap().unwrap().1;
        let mut file = Acknowledgements::create(folder.path(), &FIRST).unwrap();
        for sequence in 4..8 {
            let before = said();
            let next = Acknowledged { sequence, ..FIRST };
            let old = std::fs::read(folder.path().join(NAME)).unwrap();
            file.write(&next).unwrap();
            let new = std::fs::read(folder.path().join(NAME)).unwrap();
            let start = (0..old.len()).find(|at| old[*at] != new[*at]).unwrap();
            let last = (0..old.len()).rfind(|at| old[*at] != new[*at]).unwrap();
            for cut in start + 1..=last {
                let torn = [&new[..cut], &old[cut..]].concat();
                std::fs::write(folder.path().join(NAME), torn).unwrap();
                assert_eq!(said(), before, "{sequence} {cut}");
            }
            std::fs::write(folder.path().join(NAME), &new).unwrap();
            assert_eq!(said(), Some(next));
        }
    }

    #[test]
    fn two_spoiled_slots_say_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Acknowledgements::open(folder.path()).unwrap().is_none());
        Acknowledgements::create(folder.path(), &FIRST).unwrap();
        let path = folder.path().join(NAME);
        let whole = std::fs::read(&path).unwrap();
        let mut spoiled = whole.clone();
        spoiled[STRIDE + 20] ^= 1;
        for (bytes, expected) in [
            (&spoiled, Some(FIRST)),
            (&whole[..STRIDE].to_vec(), Some(FIRST)),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let said = Acknowledgements::open(folder.path()).unwrap().unwrap().1;
            assert_eq!(said, expected);
        }
        spoiled[30] ^= 1;
        for bytes in [&spoiled[..], b"", b"TRUTHACK"] {
            std::fs::write(&path, bytes).unwrap();
            let said = Acknowledgements::open(folder.path()).unwrap().unwrap().1;
            assert_eq!(said, None);
        }
    }
}
