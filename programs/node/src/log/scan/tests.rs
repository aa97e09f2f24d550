//! What is torn, and what is damaged.

use super::super::format::{Kind, MAX_PAYLOAD, UNACKNOWLEDGED, VERSION, encode};
use super::*;

/// A log for tests, and how far it was when each record was acknowledged: before the first one, too.
fn sample(payloads: &[&[u8]]) -> (Vec<u8>, Vec<Acknowledged>) {
    sample_of(VERSION, payloads)
}

fn sample_of(version: u32, payloads: &[&[u8]]) -> (Vec<u8>, Vec<Acknowledged>) {
    let (header, checksum) = header(1, version);
    let mut bytes = header.to_vec();
    let mut states = vec![Acknowledged {
        segment: 1,
        sequence: 0,
        end: HEADER as u64,
        checksum,
    }];
    for (sequence, payload) in (1..).zip(payloads) {
        let event = Event {
            sequence,
            time: sequence,
            kind: Kind(16),
            payload: payload.to_vec(),
        };
        let checksum = encode(&event, states[states.len() - 1].checksum, &mut bytes);
        states.push(Acknowledged {
            segment: 1,
            sequence,
            end: bytes.len() as u64,
            checksum,
        });
    }
    (bytes, states)
}

fn end(state: &Acknowledged) -> usize {
    usize::try_from(state.end).unwrap()
}

fn read(bytes: &[u8], said: &Acknowledged) -> (Result<Found, Damage>, u64) {
    let mut seen = 0;
    let found = scan(bytes, 1, Some(said), |_| seen += 1).unwrap();
    (found, seen)
}

fn why(bytes: &[u8], said: Option<&Acknowledged>) -> String {
    scan(bytes, 1, said, |_| ())
        .unwrap()
        .unwrap_err()
        .to_string()
}

#[test]
fn reads_what_was_written() {
    let (bytes, states) = sample(&[b"one", b"", &[7; 3000], &vec![8; MAX_PAYLOAD]]);
    // The last one is whole, and the power went away before it was acknowledged.
    for said in &states[3..] {
        let (found, seen) = read(&bytes, said);
        let last = states[4];
        assert_eq!(found.unwrap(), Found { last, tail: 0 });
        assert_eq!(seen, 4);
        assert_eq!(bytes[bytes.len() - 8..], last.checksum.to_le_bytes());
    }
    let (found, seen) = read(&bytes[..HEADER], &states[0]);
    assert_eq!((found.unwrap().last.sequence, seen), (0, 0));
}

/// A cut at any length: a torn tail if it is in the record that was never acknowledged, else damage
/// with the place, and that is so for a cut between two records, too.
#[test]
fn a_log_that_is_too_short_is_torn_or_damaged_by_what_was_acknowledged() {
    let (bytes, states) = sample(&[b"one", b"two", b"a longer last one"]);
    for (acknowledged, said) in states.iter().enumerate() {
        for cut in HEADER..bytes.len() {
            let whole = states.iter().rfind(|it| end(it) <= cut).unwrap();
            let tail = cut as u64 - whole.end;
            let (found, seen) = read(&bytes[..cut], said);
            if cut >= end(said) {
                assert_eq!(found.unwrap(), Found { last: *whole, tail });
                assert_eq!(seen, whole.sequence);
                continue;
            }
            let damage = found.unwrap_err();
            let text = damage.to_string();
            match damage {
                Damage::Missing { end, sequence, .. } => {
                    assert_eq!((tail, end, sequence), (0, whole.end, seen + 1));
                    let said = format!("and {acknowledged} events were acknowledged");
                    assert!(text.ends_with(&said), "{text}");
                }
                Damage::Record {
                    offset, sequence, ..
                } => {
                    assert_eq!((offset, sequence), (whole.end, seen + 1));
                    assert!(text.ends_with("and it was acknowledged"), "{text}");
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Every bit of every record: damage with the record's place, unless it is the last one and was
/// never acknowledged.
#[test]
fn a_flipped_bit_is_torn_only_where_nothing_was_acknowledged() {
    let (bytes, states) = sample(&[b"one", b"two", b"a longer last one"]);
    for bit in HEADER * 8..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let before = states.iter().rfind(|it| end(it) <= bit / 8).unwrap();
        let Err(Damage::Record {
            offset, sequence, ..
        }) = read(&flipped, &states[3]).0
        else {
            panic!("{bit}");
        };
        assert_eq!((offset, sequence), (before.end, before.sequence + 1));
        let unacknowledged = read(&flipped, &states[2]).0;
        let shorter = length(&flipped[end(&states[2])..]).is_ok_and(|it| it < 64);
        if before.sequence == 2 && !shorter {
            let tail = bytes.len() as u64 - before.end;
            assert_eq!(
                unacknowledged.unwrap(),
                Found {
                    last: *before,
                    tail
                }
            );
        } else {
            assert!(unacknowledged.is_err(), "{bit}");
        }
    }
    for bit in 0..HEADER * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let damage = read(&flipped, &states[3]).0.unwrap_err();
        assert!(matches!(
            damage,
            Damage::Header | Damage::Version(_) | Damage::Foreign
        ));
    }
}

/// The file has its new length, and some of its sectors were not written.
#[test]
fn a_last_record_with_sectors_of_zeros_is_a_torn_tail() {
    let long: Vec<u8> = (0..3000_u32).map(|it| it.to_le_bytes()[0] | 1).collect();
    let (bytes, states) = sample(&[b"one", &long]);
    for missing in 1..0b100_0000_u32 {
        let mut torn = bytes.clone();
        let sectors = torn.chunks_mut(512).enumerate();
        for (_, sector) in sectors.filter(|(at, _)| missing >> at & 1 == 1) {
            let skip = sector.starts_with(b"TRUTHLOG").then_some(end(&states[1]));
            sector[skip.unwrap_or_default()..].fill(0);
        }
        let found = read(&torn, &states[1]).0.unwrap();
        assert_eq!(found.last, states[1], "{missing:b}");
        assert!(read(&torn, &states[2]).0.is_err(), "{missing:b}");
    }
}

#[test]
fn more_rubbish_than_one_write_leaves_is_damage() {
    let (mut bytes, states) = sample(&[b"one"]);
    bytes.resize(end(&states[1]) + MAX_RECORD, 0);
    let tail = read(&bytes, &states[1]).0.unwrap().tail;
    assert_eq!(tail, MAX_RECORD as u64);
    bytes.push(0);
    assert_eq!(
        why(&bytes, Some(&states[1])),
        "event 2 at byte 80 does not look like an event, and it is not just the end of the \
         last write"
    );
    let (mut bytes, states) = sample(&[b"one", b"a longer last one"]);
    bytes[end(&states[1]) + 4] = 3;
    assert_eq!(
        why(&bytes, Some(&states[1])),
        "event 2 at byte 80 has a wrong checksum, and it is not just the end of the last write"
    );
}

#[test]
fn records_that_are_missing_doubled_or_swapped_are_damage() {
    let (bytes, states) = sample(&[b"one", b"two", b"six"]);
    let [one, two, three] = [0, 1, 2].map(|at| end(&states[at])..end(&states[at + 1]));
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
        assert!(read(&other, &states[3]).0.is_err(), "{index}");
        // The first row ends in one record that is not chained. So does a torn write.
        assert_eq!(read(&other, &states[1]).0.is_err(), index > 0, "{index}");
    }
}

/// A segment of version 1 has no acknowledgements: it is read, but nothing of it is cut off.
#[test]
fn a_log_of_the_first_version_is_read_if_it_is_whole() {
    let (bytes, states) = sample_of(UNACKNOWLEDGED, &[b"one", b"two"]);
    let found = scan(&bytes[..], 1, None, |_| ()).unwrap().unwrap();
    assert_eq!((found.last, found.tail), (states[2], 0));
    assert_eq!(read(&bytes, &states[2]).0.unwrap(), found);
    assert_eq!(
        why(&bytes[..bytes.len() - 1], None),
        "event 2 at byte 80 says that it is longer than the file, and nothing says whether it was \
         acknowledged"
    );
}

#[test]
fn says_what_is_wrong_and_where() {
    let (mut bytes, states) = sample(&[b"one", b"two"]);
    let said = states[2];
    let other = Acknowledged {
        checksum: 0,
        ..said
    };
    for (said, expected) in [
        (None, "the file acknowledged beside it is gone"),
        (
            Some(&other),
            "the file acknowledged beside it is of another log",
        ),
    ] {
        assert_eq!(why(&bytes, said), expected);
    }
    bytes[end(&states[1]) - 10] ^= 1;
    assert_eq!(
        why(&bytes, Some(&said)),
        "event 1 at byte 32 has a wrong checksum, and a later one is whole at byte 80"
    );
    bytes[8] = 3;
    assert_eq!(
        why(&bytes, Some(&said)),
        "it has version 3 of the format, and this program knows up to 2"
    );
    assert_eq!(
        why(b"", Some(&said)),
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
    let (bytes, states) = sample(&[b"one"]);
    assert!(scan(Failing(&bytes), 1, Some(&states[1]), |_| ()).is_err());
}
