//! The four entries of a master boot record: UEFI specification 2.10, section 5.2.1.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Where the four entries begin.
const ENTRIES: usize = 446;
/// Bytes in an entry.
const ENTRY: usize = 16;
/// What the record ends with.
const SIGNATURE: [u8; 2] = [0x55, 0xaa];
/// What the first byte of an entry may be: not the one to start from, or the one.
const INDICATORS: [u8; 2] = [0, 0x80];

/// An entry: kind, first block, blocks.
pub type Entry = (u8, u64, u64);

/// The entries of the record at `offset` of `device`; `None` if there is none.
pub fn record(device: &File, offset: u64) -> io::Result<Option<[Entry; 4]>> {
    let mut sector = [0; 512];
    device.read_exact_at(&mut sector, offset)?;
    let indicators = sector[ENTRIES..510].iter().step_by(ENTRY);
    if sector[510..] != SIGNATURE || indicators.into_iter().any(|it| !INDICATORS.contains(it)) {
        return Ok(None);
    }
    let number = |at: usize| {
        u64::from(
            sector[at..]
                .first_chunk()
                .map_or(0, |it| u32::from_le_bytes(*it)),
        )
    };
    Ok(Some([0, 1, 2, 3].map(|index| {
        let at = ENTRIES + index * ENTRY;
        (sector[at + 4], number(at + 8), number(at + 12))
    })))
}
