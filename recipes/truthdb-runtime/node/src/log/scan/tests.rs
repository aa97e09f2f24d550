//! What is torn, and what is damaged.

use super::super::format::{Kind, MAX_PAYLOAD, encode};
use super::*;

/// A log of `events` for tests, and where each record ends.
fn sample(payloads: &[&[u8]]) -> (Vec<u8>, Vec<usize>) {
    let (header, mut checksum) = header(1);
    let mut bytes = header.to_vec();
    let mut ends = Vec::new();
    for (sequence, payload) in (1..).zip(payloads) {
        let event = Event {
            sequence,
            time: sequence,
            kind: Kind(16),
            payload: payload.to_vec(),
        };
        checksum = encode(&event, checksum, &mut bytes);
        ends.push(bytes.len());
    }
    (bytes, ends)
}

fn read(bytes: &[u8]) -> (Result<Found, Damage>, u64) {
    let mut seen = 0;
    let found = scan(bytes, 1, |_| seen += 1).unwrap();
    (found, seen)
}

#[test]
fn reads_what_was_written() {
    let (bytes, ends) = sample(&[b"one", b"", &[7; 3000], &vec![8; MAX_PAYLOAD]]);
    let (found, seen) = read(&bytes);
    let found = found.unwrap();
    assert_eq!((found.end, found.tail), (ends[3] as u64, 0));
    assert_eq!((found.sequence, seen), (4, 4));
    assert_eq!(bytes[bytes.len() - 8..], found.checksum.to_le_bytes());
    let (found, seen) = read(&bytes[..HEADER]);
    assert_eq!((found.unwrap().sequence, seen), (0, 0));
}

/// Every length that a power cut can leave keeps all records that were whole.
#[test]
fn a_cut_anywhere_in_the_last_record_is_a_torn_tail() {
    let (bytes, ends) = sample(&[b"one", b"two", b"a longer last one"]);
    for cut in ends[1] + 1..ends[2] {
        let (found, seen) = read(&bytes[..cut]);
        let found = found.unwrap();
        assert_eq!(found.end, ends[1] as u64);
        assert_eq!(found.tail, (cut - ends[1]) as u64);
        assert_eq!((found.sequence, seen), (2, 2));
    }
}

#[test]
fn a_last_record_with_any_byte_changed_is_a_torn_tail() {
    let (bytes, ends) = sample(&[b"one", b"two", b"a longer last one"]);
    for offset in ends[1]..ends[2] {
        let mut flipped = bytes.clone();
        flipped[offset] ^= 0x40;
        let found = read(&flipped).0.unwrap();
        assert_eq!(found.end, ends[1] as u64, "{offset}");
        assert_eq!(found.tail, (ends[2] - ends[1]) as u64);
    }
}

/// The file has its new length, and some of its sectors were not written.
#[test]
fn a_last_record_with_sectors_of_zeros_is_a_torn_tail() {
    let long: Vec<u8> = (0..3000_u32).map(|it| it.to_le_bytes()[0] | 1).collect();
    let (bytes, ends) = sample(&[b"one", &long]);
    for missing in 1..0b100_0000_u32 {
        let mut torn = bytes.clone();
        let sectors = torn.chunks_mut(512).enumerate();
        for (_, sector) in sectors.filter(|(at, _)| missing >> at & 1 == 1) {
            let skip = sector.starts_with(b"TRUTHLOG").then_some(ends[0]);
            sector[skip.unwrap_or_default()..].fill(0);
        }
        let found = read(&torn).0.unwrap();
        assert_eq!(found.end, ends[0] as u64, "{missing:b}");
    }
}

#[test]
fn any_byte_changed_before_the_last_record_is_damage() {
    let (bytes, ends) = sample(&[b"one", b"two", b"three"]);
    let starts = [HEADER, ends[0]];
    for (index, start) in starts.into_iter().enumerate() {
        for offset in start..ends[index] {
            let mut flipped = bytes.clone();
            flipped[offset] ^= 0x01;
            let damage = read(&flipped).0.unwrap_err();
            let Damage::Record {
                offset: at,
                sequence,
                later,
                ..
            } = damage
            else {
                panic!("{damage:?}");
            };
            assert_eq!((at, sequence), (start as u64, index as u64 + 1));
            assert!(later.is_some(), "{offset}");
        }
    }
    for offset in 0..HEADER {
        let mut flipped = bytes.clone();
        flipped[offset] ^= 0x01;
        let damage = read(&flipped).0.unwrap_err();
        assert!(matches!(damage, Damage::Header | Damage::Version(_)));
    }
}

#[test]
fn more_bytes_than_the_last_record_claims_are_damage() {
    let (mut bytes, ends) = sample(&[b"one", b"a longer last one"]);
    bytes[ends[0] + 4] = 3;
    assert_eq!(
        read(&bytes).0.unwrap_err().to_string(),
        "event 2 at byte 80 has a wrong checksum, and it is not just the end of the last write"
    );
}

#[test]
fn more_rubbish_than_one_write_leaves_is_damage() {
    let (mut bytes, ends) = sample(&[b"one"]);
    bytes.resize(ends[0] + MAX_RECORD, 0);
    assert_eq!(read(&bytes).0.unwrap().tail, MAX_RECORD as u64);
    bytes.push(0);
    assert_eq!(
        read(&bytes).0.unwrap_err().to_string(),
        "event 2 at byte 80 does not look like an event, and it is not just the end of the \
         last write"
    );
}

#[test]
fn records_that_are_missing_doubled_or_swapped_are_damage() {
    let (bytes, ends) = sample(&[b"one", b"two", b"six"]);
    let [one, two, three] = [HEADER..ends[0], ends[0]..ends[1], ends[1]..ends[2]];
    let rows = [
        vec![one.clone(), three.clone()],
        vec![one.clone(), one.clone(), two.clone()],
        vec![two.clone(), one.clone(), three.clone()],
    ];
    for (index, row) in rows.into_iter().enumerate() {
        let mut other = bytes[..HEADER].to_vec();
        for part in row {
            other.extend_from_slice(&bytes[part]);
        }
        // The first row ends in one record that is not chained. So does a torn write.
        assert_eq!(read(&other).0.is_err(), index > 0, "{index}");
    }
}

#[test]
fn says_what_is_wrong_and_where() {
    let (mut bytes, ends) = sample(&[b"one", b"two"]);
    bytes[ends[0] - 10] ^= 1;
    assert_eq!(
        read(&bytes).0.unwrap_err().to_string(),
        "event 1 at byte 32 has a wrong checksum, and a later one is whole at byte 80"
    );
    bytes[8] = 2;
    assert_eq!(
        read(&bytes).0.unwrap_err().to_string(),
        "it has version 2 of the format, and this program knows version 1"
    );
    assert_eq!(
        read(b"").0.unwrap_err().to_string(),
        "its first 32 bytes are not the header of a log"
    );
}

#[test]
fn a_read_that_fails_is_not_taken_for_the_end() {
    struct Failing<'a>(&'a [u8]);
    impl Read for Failing<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.read(buffer)? {
                0 => Err(io::Error::other("bad sector")),
                count => Ok(count),
            }
        }
    }
    let (bytes, _) = sample(&[b"one"]);
    assert!(scan(Failing(&bytes), 1, |_| ()).is_err());
}
