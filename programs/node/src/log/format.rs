//! The bytes of a segment. This text is the specification; all numbers are little-endian.
//!
//! A segment is a header, then records without gaps. Everything begins at a multiple of 8 bytes.
//!
//! | header: offset | size | field |
//! | --- | --- | --- |
//! | 0 | 8 | magic `TRUTHLOG` |
//! | 8 | 4 | version, 2 |
//! | 12 | 4 | zero |
//! | 16 | 8 | number of the segment, from 1 |
//! | 24 | 8 | xxhash64 of bytes 0 to 23, seed 0 |
//!
//! | record: offset | size | field |
//! | --- | --- | --- |
//! | 0 | 4 | magic `EVNT` |
//! | 4 | 4 | length of the payload, at most 65,536 |
//! | 8 | 8 | sequence number: 1, and 1 more for each record |
//! | 16 | 8 | time: nanoseconds since 1970-01-01 00:00 UTC, by the clock of the machine |
//! | 24 | 2 | kind, see [`Kind`] |
//! | 26 | 6 | zero |
//! | 32 | n | payload |
//! | 32 + n | p | zeros up to a multiple of 8 |
//! | 32 + n + p | 8 | xxhash64 of everything before it in the record |
//!
//! The seed of a record's checksum is the checksum of the record before it, of the header for the
//! first one. So the last checksum stands for the whole log, records cannot change places, and
//! the seed of any record lies in the 8 bytes in front of it.
//!
//! Version 1 has the same bytes; nothing beside it says which of its events were acknowledged, see
//! [`super::acknowledged`].
//!
//! Reference: xxHash, `doc/xxhash_spec.md`, XXH64.

use twox_hash::XxHash64;

/// Bytes of the header.
pub const HEADER: usize = 32;
/// Bytes of a record in front of its payload.
const PREFIX: usize = 32;
/// Bytes of a checksum.
const CHECKSUM: usize = 8;
/// The longest payload.
pub const MAX_PAYLOAD: usize = 65_536;
/// The shortest record.
pub const MIN_RECORD: usize = PREFIX + CHECKSUM;
/// The longest record.
pub const MAX_RECORD: usize = PREFIX + MAX_PAYLOAD + CHECKSUM;

const HEADER_MAGIC: &[u8; 8] = b"TRUTHLOG";
/// The version of a segment that is made now.
pub const VERSION: u32 = 2;
/// The version that came without a file of acknowledgements.
pub const UNACKNOWLEDGED: u32 = 1;
const RECORD_MAGIC: &[u8; 4] = b"EVNT";

/// What an event is about. Numbers that are not here belong to later versions and are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind(pub u16);

impl Kind {
    /// The machine was started. Payload: JSON with `boot_id`, `version`, `node`.
    pub const BOOT: Self = Self(1);
    /// The service was started again on a machine that kept running. Payload as of [`Self::BOOT`].
    pub const START: Self = Self(2);
    /// An incomplete record was cut off. Payload: JSON with `offset`, `bytes` and `kept`, the file
    /// that has them now.
    pub const TAIL_CUT: Self = Self(3);
    /// From here on a log of version 1 has a file of acknowledgements. No payload.
    pub const ACKNOWLEDGED: Self = Self(4);
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its place in the log, from 1.
    pub sequence: u64,
    /// Nanoseconds since 1970-01-01 00:00 UTC.
    pub time: u64,
    /// What it is about.
    pub kind: Kind,
    /// What it says, at most [`MAX_PAYLOAD`] bytes.
    pub payload: Vec<u8>,
}

/// Why bytes are not a record that continues the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// There are fewer bytes than the record takes.
    Incomplete,
    /// It does not begin as a record does, or a length or a field that is zero is not right.
    NoRecord,
    /// The checksum is not that of the bytes, or not chained to the record before.
    Checksum,
    /// The checksum is right, but the sequence number is another than the next.
    Sequence,
}

/// Returns the header of segment `number`, and its checksum: the seed of the first record.
pub fn header(number: u64, version: u32) -> ([u8; HEADER], u64) {
    let mut bytes = [0; HEADER];
    bytes[..8].copy_from_slice(HEADER_MAGIC);
    bytes[8..12].copy_from_slice(&version.to_le_bytes());
    bytes[16..24].copy_from_slice(&number.to_le_bytes());
    let checksum = XxHash64::oneshot(0, &bytes[..24]);
    bytes[24..].copy_from_slice(&checksum.to_le_bytes());
    (bytes, checksum)
}

/// The version that a header names if it begins as one, whether this program knows it or not.
pub fn version_of(header: &[u8]) -> Option<u32> {
    let whole = header.len() >= HEADER && header.starts_with(HEADER_MAGIC);
    whole.then(|| u32_at(header, 8))
}

/// How many bytes a record with a payload of `payload` bytes takes.
const fn size(payload: usize) -> usize {
    PREFIX + payload.next_multiple_of(8) + CHECKSUM
}

/// Appends the record of `event` to `out`, chained to `previous`, and returns its checksum. The
/// payload is at most [`MAX_PAYLOAD`] bytes.
pub fn encode(event: &Event, previous: u64, out: &mut Vec<u8>) -> u64 {
    debug_assert!(event.payload.len() <= MAX_PAYLOAD);
    let start = out.len();
    let length = u32::try_from(event.payload.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(RECORD_MAGIC);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&event.sequence.to_le_bytes());
    out.extend_from_slice(&event.time.to_le_bytes());
    out.extend_from_slice(&event.kind.0.to_le_bytes());
    out.extend_from_slice(&[0; 6]);
    out.extend_from_slice(&event.payload);
    out.resize(start + size(event.payload.len()) - CHECKSUM, 0);
    let checksum = XxHash64::oneshot(previous, &out[start..]);
    out.extend_from_slice(&checksum.to_le_bytes());
    checksum
}

/// Returns how long the record is that `bytes` begin with, by its first 8 bytes alone.
pub fn length(bytes: &[u8]) -> Result<usize, Flaw> {
    let magic = &RECORD_MAGIC[..bytes.len().min(4)];
    if !bytes.starts_with(magic) {
        return Err(Flaw::NoRecord);
    }
    if bytes.len() < 8 {
        return Err(Flaw::Incomplete);
    }
    match u32_at(bytes, 4) as usize {
        payload if payload <= MAX_PAYLOAD => Ok(size(payload)),
        _ => Err(Flaw::NoRecord),
    }
}

/// Reads the record that `bytes` begin with, chained to `previous`; returns it and its checksum.
pub fn decode(bytes: &[u8], previous: u64) -> Result<(Event, u64), Flaw> {
    let record = bytes.get(..length(bytes)?).ok_or(Flaw::Incomplete)?;
    let (covered, stored) = record.split_at(record.len() - CHECKSUM);
    let checksum = XxHash64::oneshot(previous, covered);
    if checksum != u64_at(stored, 0) {
        return Err(Flaw::Checksum);
    }
    let (payload, padding) = covered[PREFIX..].split_at(u32_at(record, 4) as usize);
    if covered[26..PREFIX].iter().chain(padding).any(|it| *it != 0) {
        return Err(Flaw::NoRecord);
    }
    let event = Event {
        sequence: u64_at(record, 8),
        time: u64_at(record, 16),
        kind: Kind(u16::from_le_bytes([record[24], record[25]])),
        payload: payload.to_vec(),
    };
    Ok((event, checksum))
}

/// Returns where in `bytes` a whole record begins, if there is one. `bytes` begin with what is not
/// right and follows a log that ends in `previous`; a record at their very beginning does not count.
///
/// A later record is chained to the one before it: to the checksum that is stored there, or, where
/// just that checksum was hit, to the one that the bytes ought to have.
pub fn find_later(bytes: &[u8], previous: u64) -> Option<usize> {
    let first = length(bytes).ok().filter(|end| *end <= bytes.len());
    let expected = first.map(|end| (end, XxHash64::oneshot(previous, &bytes[..end - CHECKSUM])));
    (CHECKSUM..bytes.len()).step_by(8).find(|start| {
        let stored = u64_at(bytes, start - CHECKSUM);
        let computed = expected.filter(|(end, _)| end == start);
        let seeds = [Some(stored), computed.map(|(_, checksum)| checksum)];
        let mut seeds = seeds.into_iter().flatten();
        seeds.any(|seed| decode(&bytes[*start..], seed).is_ok())
    })
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[offset..offset + 4]);
    u32::from_le_bytes(number)
}

pub(super) fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[offset..offset + 8]);
    u64::from_le_bytes(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(sequence: u64, payload: &[u8]) -> Event {
        Event {
            sequence,
            time: 1_700_000_000_000_000_000,
            kind: Kind::BOOT,
            payload: payload.to_vec(),
        }
    }

    /// A change of these bytes makes every log in the field unreadable.
    #[test]
    fn the_bytes_are_those_of_the_specification() {
        let (bytes, seed) = header(1, VERSION);
        assert_eq!(
            &bytes[..24],
            b"TRUTHLOG\x02\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0"
        );
        assert_eq!(u64_at(&bytes, 24), seed);
        let mut record = Vec::new();
        let checksum = encode(&event(1, b"hello"), seed, &mut record);
        let expected = [
            &b"EVNT\x05\0\0\0"[..],
            b"\x01\0\0\0\0\0\0\0",
            &1_700_000_000_000_000_000_u64.to_le_bytes(),
            b"\x01\0\0\0\0\0\0\0",
            b"hello\0\0\0",
            &checksum.to_le_bytes(),
        ]
        .concat();
        assert_eq!(record, expected);
        assert_eq!(seed, 0xbcc6_771f_cb48_7a66);
        assert_eq!(checksum, 0x8ce2_4156_bd0d_f085);
    }

    #[test]
    fn what_is_written_is_read() {
        for payload in [0, 1, 7, 8, 9, 1000, MAX_PAYLOAD] {
            let event = event(7, &vec![0xa5; payload]);
            let mut bytes = Vec::new();
            let checksum = encode(&event, 42, &mut bytes);
            assert_eq!(bytes.len() % 8, 0);
            assert_eq!(length(&bytes), Ok(bytes.len()));
            assert!((MIN_RECORD..=MAX_RECORD).contains(&bytes.len()));
            assert_eq!(decode(&bytes, 42), Ok((event, checksum)));
            assert_eq!(decode(&bytes, 43), Err(Flaw::Checksum));
        }
    }

    #[test]
    fn no_part_of_a_record_and_no_flipped_bit_passes() {
        let mut bytes = Vec::new();
        encode(&event(7, b"0123456789"), 42, &mut bytes);
        for end in 0..bytes.len() {
            assert_eq!(decode(&bytes[..end], 42), Err(Flaw::Incomplete), "{end}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&flipped, 42).is_err(), "{bit}");
        }
    }

    #[test]
    fn fields_that_must_be_zero_are_looked_at() {
        let mut bytes = Vec::new();
        encode(&event(1, b"x"), 0, &mut bytes);
        for offset in [26, 31, 33, 39] {
            let mut odd = bytes.clone();
            odd[offset] = 1;
            let checksum = XxHash64::oneshot(0, &odd[..40]);
            odd[40..].copy_from_slice(&checksum.to_le_bytes());
            assert_eq!(decode(&odd, 0), Err(Flaw::NoRecord), "{offset}");
        }
    }

    #[test]
    fn a_later_record_is_found_wherever_the_earlier_one_was_hit() {
        let mut bytes = Vec::new();
        let first = encode(&event(1, b"first"), 42, &mut bytes);
        let second = bytes.len();
        encode(&event(2, b"second"), first, &mut bytes);
        for offset in 0..second {
            let mut hit = bytes.clone();
            hit[offset] ^= 0xff;
            assert_eq!(find_later(&hit, 42), Some(second), "{offset}");
            assert_eq!(find_later(&hit[..second], 42), None, "{offset}");
            assert_eq!(find_later(&hit[..hit.len() - 1], 42), None, "{offset}");
        }
    }
}
