//! Opening, appending, and what a power cut leaves, with real files.

use std::fs;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn events(folder: &Path) -> Result<(Vec<Event>, Option<Cut>), Fatal> {
    let mut events = Vec::new();
    let (_, cut) = Log::open(folder, |event| events.push(event.clone()))?;
    Ok((events, cut))
}

fn filled(folder: &Path) -> Vec<u8> {
    let (mut log, _) = Log::open(folder, |_| ()).unwrap();
    for payload in [&b"one"[..], b"two", b"the last"] {
        log.append(Kind::START, payload).unwrap();
    }
    fs::read(log.path()).unwrap()
}

#[test]
fn what_was_acknowledged_is_there_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = filled(folder.path());
    let (mut log, cut) = Log::open(folder.path(), |_| ()).unwrap();
    assert_eq!((log.sequence(), cut), (3, None));
    assert_eq!(log.bytes(), bytes.len() as u64);
    assert_eq!(log.append(Kind::BOOT, b"four").unwrap(), 4);
    drop(log);
    let (events, _) = events(folder.path()).unwrap();
    let payloads: Vec<_> = events.iter().map(|it| it.payload.as_slice()).collect();
    assert_eq!(payloads, [&b"one"[..], b"two", b"the last", b"four"]);
    assert!(events.iter().zip(1..).all(|(it, at)| it.sequence == at));
}

/// The bytes of a log: its segment, and its file of acknowledgements.
fn bytes_of(folder: &Path) -> (Vec<u8>, Vec<u8>) {
    let read = |name| fs::read(folder.join(name)).unwrap();
    (read(SEGMENT), read(acknowledged::NAME))
}

fn put_back(folder: &Path, (segment, acknowledged): (&[u8], &[u8])) {
    fs::write(folder.join(SEGMENT), segment).unwrap();
    fs::write(folder.join(acknowledged::NAME), acknowledged).unwrap();
}

/// Every length of the last record, and every byte of it changed: what a power cut leaves in front
/// of the acknowledgement is kept in a file and cut off, and after it, it is damage.
#[test]
fn only_what_was_never_acknowledged_is_cut_off_and_it_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    filled(folder);
    let before = bytes_of(folder);
    let (mut log, _) = Log::open(folder, |_| ()).unwrap();
    log.append(Kind::START, b"in flight").unwrap();
    drop(log);
    let (whole, acknowledged) = bytes_of(folder);
    let start = before.0.len();
    let cuts = (start + 1..whole.len()).map(|end| whole[..end].to_vec());
    let flips = (start..whole.len()).map(|at| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        bytes
    });
    for torn in cuts.chain(flips) {
        put_back(folder, (&torn, &acknowledged));
        let error = events(folder).unwrap_err();
        assert_eq!(error.code(), 65);
        assert!(error.to_string().contains(&format!("at byte {start}")));
        assert_eq!(bytes_of(folder), (torn.clone(), acknowledged.clone()));

        put_back(folder, (&torn, &before.1));
        let (before_it, cut) = events(folder).unwrap();
        assert_eq!(before_it.len(), 3);
        let cut = cut.unwrap();
        let (offset, length) = (start as u64, (torn.len() - start) as u64);
        assert_eq!((cut.offset, cut.bytes), (offset, length));
        assert_eq!(fs::read(folder.join(cut.kept)).unwrap(), torn[start..]);
        assert_eq!(bytes_of(folder).0, whole[..start]);
        let (mut log, cut) = Log::open(folder, |_| ()).unwrap();
        assert_eq!(cut, None);
        assert_eq!(log.append(Kind::START, b"again").unwrap(), 4);
    }
}

/// A flipped bit in the file of acknowledgements loses nothing, in either slot.
#[test]
fn a_damaged_acknowledgement_costs_no_event() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    filled(folder);
    let (segment, acknowledged) = bytes_of(folder);
    let slots = (0..56 * 8).chain(4096 * 8..acknowledged.len() * 8);
    for bit in slots {
        let mut flipped = acknowledged.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        put_back(folder, (&segment, &flipped));
        let (mut log, cut) = Log::open(folder, |_| ()).unwrap();
        assert_eq!((log.sequence(), cut), (3, None), "{bit}");
        assert_eq!(log.append(Kind::START, b"four").unwrap(), 4);
        drop(log);
        assert_eq!(events(folder).unwrap().0.len(), 4, "{bit}");
    }
}

#[test]
fn a_file_that_is_gone_is_damage_and_nothing_is_made_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let whole = filled(folder);
    let acknowledged = bytes_of(folder).1;
    let path = |name: &str| folder.join(name);
    for (gone, left, expected) in [
        (
            SEGMENT,
            acknowledged::NAME,
            "is gone, and 3 events in it were acknowledged",
        ),
        (
            acknowledged::NAME,
            SEGMENT,
            "the file acknowledged beside it is gone",
        ),
    ] {
        fs::remove_file(path(gone)).unwrap();
        let error = events(folder).unwrap_err();
        assert_eq!(error.code(), 65);
        assert!(error.to_string().contains(expected), "{error}");
        let found = fs::read_dir(folder).unwrap();
        let names: Vec<_> = found.map(|it| it.unwrap().file_name()).collect();
        assert_eq!(names, [left]);
        put_back(folder, (&whole, &acknowledged));
    }
    fs::write(path(acknowledged::NAME), b"").unwrap();
    let error = events(folder).unwrap_err().to_string();
    assert!(error.contains("beside it says nothing whole"), "{error}");
}

#[test]
fn a_log_of_the_first_version_gets_its_acknowledgements_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (header, seed) = header(NUMBER, format::UNACKNOWLEDGED);
    let mut bytes = header.to_vec();
    let event = Event {
        sequence: 1,
        time: 1,
        kind: Kind::BOOT,
        payload: b"old".to_vec(),
    };
    encode(&event, seed, &mut bytes);
    fs::write(folder.join(SEGMENT), &bytes).unwrap();
    let (mut log, _) = Log::open(folder, |_| ()).unwrap();
    assert_eq!(log.append(Kind::START, b"new").unwrap(), 3);
    drop(log);
    let (mut segment, acknowledged) = bytes_of(folder);
    let kinds: Vec<_> = events(folder).unwrap().0.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [Kind::BOOT, Kind::ACKNOWLEDGED, Kind::START]);
    fs::remove_file(folder.join(acknowledged::NAME)).unwrap();
    assert_eq!(events(folder).unwrap_err().code(), 65);
    segment.pop();
    put_back(folder, (&segment, &acknowledged));
    assert_eq!(events(folder).unwrap_err().code(), 65);
}

/// How far a write came when the power went away. Each step is synced before the next begins.
#[derive(Clone, Debug)]
enum Reached {
    /// These sectors of the record, of as many bytes as the file had got.
    Record { sectors: u64, length: usize },
    /// The record, and so many bytes of its acknowledgement.
    Acknowledgement(usize),
}

fn reached() -> impl Strategy<Value = Reached> {
    prop_oneof![
        (any::<u64>(), 0..9000_usize)
            .prop_map(|(sectors, length)| Reached::Record { sectors, length }),
        (0..=56_usize).prop_map(Reached::Acknowledgement),
    ]
}

/// Appends `payload`, and makes of the files what a power cut at that moment leaves.
fn cut_while_appending(folder: &Path, payload: &[u8], reached: &Reached) {
    let (mut log, _) = Log::open(folder, |_| ()).unwrap();
    let before = bytes_of(folder);
    log.append(Kind(16), payload).unwrap();
    drop(log);
    let (mut segment, mut acknowledged) = bytes_of(folder);
    let start = before.0.len();
    match reached {
        Reached::Record { sectors, length } => {
            segment.truncate(start + length.min(&(segment.len() - start)));
            for (at, byte) in segment.iter_mut().enumerate().skip(start) {
                if sectors >> (at / 512 % 64) & 1 == 0 {
                    *byte = 0;
                }
            }
            acknowledged = before.1;
        }
        Reached::Acknowledgement(written) => {
            let changed = (0..acknowledged.len()).filter(|at| acknowledged[*at] != before.1[*at]);
            let changed: Vec<_> = changed.collect();
            for at in changed.into_iter().skip(*written) {
                acknowledged[at] = before.1[at];
            }
        }
    }
    put_back(folder, (&segment, &acknowledged));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..Default::default() })]

    /// The model is a list of payloads: whatever power cuts do, every acknowledged event is there
    /// afterwards, the one in flight is there as it was or not at all, and what was cut off is kept.
    /// Then one bit of what was acknowledged flips, or the file ends in it: that is damage.
    #[test]
    fn the_log_is_what_was_acknowledged(
        happened in vec((0..9000_usize, proptest::option::of(reached())), 1..12),
        place in any::<prop::sample::Index>(),
        bit in proptest::option::of(0..8_u8),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let mut model: Vec<Vec<u8>> = vec![];
        for (number, (length, power_cut)) in happened.into_iter().enumerate() {
            let payload = vec![u8::try_from(number + 1).unwrap(); length];
            let acknowledged = power_cut.is_none();
            if let Some(reached) = power_cut {
                cut_while_appending(folder, &payload, &reached);
            } else {
                let (mut log, _) = Log::open(folder, |_| ()).unwrap();
                let sequence = log.append(Kind(16), &payload).unwrap();
                prop_assert_eq!(sequence, model.len() as u64 + 1);
            }
            let found_bytes = bytes_of(folder).0;
            let (found, cut) = events(folder).unwrap();
            let found: Vec<_> = found.into_iter().map(|it| it.payload).collect();
            if acknowledged || found.len() > model.len() {
                model.push(payload);
            }
            prop_assert_eq!(&found, &model);
            if let Some(cut) = cut {
                let kept = fs::read(folder.join(cut.kept)).unwrap();
                prop_assert_eq!(&found_bytes[usize::try_from(cut.offset).unwrap()..], kept);
            }
        }
        if model.is_empty() {
            return Ok(());
        }
        let (mut segment, acknowledged) = bytes_of(folder);
        let at = HEADER + place.index(segment.len() - HEADER);
        match bit {
            Some(bit) => segment[at] ^= 1 << bit,
            None => segment.truncate(at),
        }
        put_back(folder, (&segment, &acknowledged));
        prop_assert_eq!(events(folder).unwrap_err().code(), 65);
        prop_assert_eq!(bytes_of(folder), (segment, acknowledged));
    }
}

#[test]
fn a_damaged_log_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = filled(folder.path());
    let path = folder.path().join(SEGMENT);
    bytes[70] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let text = events(folder.path()).unwrap_err().to_string();
    let expected = "is damaged: event 1 at byte 32 has a wrong checksum, and a later one is \
        whole at byte 80. Nothing was changed. Copy ";
    assert!(text.contains(expected), "{text}");
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn two_programs_cannot_have_it_open() {
    let folder = tempfile::tempdir().unwrap();
    let _log = Log::open(folder.path(), |_| ()).unwrap();
    let error = events(folder.path()).unwrap_err();
    assert_eq!(error.code(), 74);
    assert!(
        error
            .to_string()
            .contains("another truthdb-node is running")
    );
}

#[test]
fn not_even_an_empty_one_is_made_beside_another_program() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(folder.path(), |_| ()).unwrap();
    for name in [SEGMENT, acknowledged::NAME] {
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    assert_eq!(events(folder.path()).unwrap_err().code(), 74);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    drop(log);
    assert_eq!(events(folder.path()).unwrap(), (vec![], None));
}

#[test]
fn a_draft_of_an_interrupted_first_start_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("segment-00000001.log.new"), b"TRUTH").unwrap();
    assert_eq!(events(folder.path()).unwrap(), (vec![], None));
    assert_eq!(events(folder.path()).unwrap(), (vec![], None));
}

/// The record fails, or its acknowledgement; and the end of an earlier start cannot be cut off yet.
#[test]
fn after_a_failed_write_no_event_is_taken_until_its_remains_are_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (mut log, _) = Log::open(folder, |_| ()).unwrap();
    // A file that is only open for reading refuses writes as a dying disk does.
    let refuses = |name: &str| File::open(folder.join(name)).unwrap();
    let takes = |name: &str| {
        File::options()
            .read(true)
            .write(true)
            .open(folder.join(name))
    };
    log.file = refuses(SEGMENT);
    assert_eq!(log.append(Kind::START, b"lost").unwrap_err().code(), 74);
    log.file = takes(SEGMENT).unwrap();
    assert_eq!(log.append(Kind::START, b"late").unwrap_err().code(), 74);
    assert!(log.broken().unwrap().contains("cannot write to"));
    assert_eq!(log.sequence(), 0);
    log.file.write_all_at(b"EVNT half", log.last.end).unwrap();
    log.recover().unwrap();
    assert_eq!(fs::metadata(log.path()).unwrap().len(), log.bytes());
    assert_eq!(log.append(Kind::START, b"late").unwrap(), 1);

    log.acknowledgements.refuse_writes(folder);
    assert_eq!(log.append(Kind::START, b"lost").unwrap_err().code(), 74);
    assert!(log.recover().is_err());
    assert!(log.broken().is_some());
    drop(log);
    // Its record is whole, so it stays: nobody was told that it is not there.
    assert_eq!(events(folder).unwrap().0.len(), 2);

    let (segment, acknowledged) = bytes_of(folder);
    put_back(folder, (&[&segment[..], b"EVNT"].concat(), &acknowledged));
    let mut torn = Log::open(folder, |_| ()).unwrap().1.unwrap();
    torn.kept = "not/there".to_owned();
    let (mut log, _) = Log::open(folder, |_| ()).unwrap();
    (log.torn, log.broken) = (Some(torn.clone()), Some("full".to_owned()));
    assert!(
        log.recover()
            .unwrap_err()
            .to_string()
            .contains("cannot keep")
    );
    assert_eq!(log.append(Kind::START, b"more").unwrap_err().code(), 74);
}

#[test]
fn an_event_that_is_too_long_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, _) = Log::open(folder.path(), |_| ()).unwrap();
    assert!(log.append(Kind(16), &vec![0; MAX_PAYLOAD + 1]).is_err());
    assert_eq!(log.append(Kind(16), &vec![0; MAX_PAYLOAD]).unwrap(), 1);
}
