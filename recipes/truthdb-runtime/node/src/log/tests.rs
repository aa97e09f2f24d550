//! Opening, appending, and what a power cut leaves, with real files.

use std::fs;

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

/// What a power cut leaves: every length, and every byte of the last record changed.
#[test]
fn a_torn_tail_is_cut_off_once_and_the_log_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let whole = filled(folder.path());
    let path = folder.path().join(SEGMENT);
    let start = whole.len() - 48;
    let cuts = (start + 1..whole.len()).map(|end| whole[..end].to_vec());
    let flips = (start..whole.len()).map(|at| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        bytes
    });
    for torn in cuts.chain(flips) {
        fs::write(&path, &torn).unwrap();
        let (before, cut) = events(folder.path()).unwrap();
        assert_eq!(before.len(), 2);
        let bytes = (torn.len() - start) as u64;
        let offset = start as u64;
        assert_eq!(cut, Some(Cut { offset, bytes }));
        assert_eq!(fs::read(&path).unwrap(), whole[..start]);
        let (mut log, cut) = Log::open(folder.path(), |_| ()).unwrap();
        assert_eq!(cut, None);
        assert_eq!(log.append(Kind::START, b"again").unwrap(), 3);
    }
}

#[test]
fn a_damaged_log_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = filled(folder.path());
    let path = folder.path().join(SEGMENT);
    bytes[70] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let error = events(folder.path()).unwrap_err();
    assert_eq!(error.code(), 65);
    let text = error.to_string();
    let expected = "is damaged: event 1 at byte 32 has a wrong checksum, and a later one is \
        whole at byte 80. Nothing was changed.";
    assert!(text.contains(expected), "{text}");
    assert_eq!(fs::read(&path).unwrap(), bytes);
    fs::write(&path, b"").unwrap();
    assert_eq!(events(folder.path()).unwrap_err().code(), 65);
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
    fs::remove_file(folder.path().join(SEGMENT)).unwrap();
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

#[test]
fn after_a_failed_write_no_event_is_taken_until_its_remains_are_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, _) = Log::open(folder.path(), |_| ()).unwrap();
    // A file that is only open for reading refuses writes as a dying disk does.
    log.file = File::open(log.path()).unwrap();
    assert_eq!(log.append(Kind::START, b"lost").unwrap_err().code(), 74);
    log.file = File::options().write(true).open(log.path()).unwrap();
    assert_eq!(log.append(Kind::START, b"late").unwrap_err().code(), 74);
    assert!(log.broken().unwrap().contains("cannot write to"));
    assert_eq!(log.sequence(), 0);
    log.file.write_all_at(b"EVNT half", log.end).unwrap();
    log.recover().unwrap();
    assert_eq!(fs::metadata(log.path()).unwrap().len(), log.bytes());
    assert_eq!(log.append(Kind::START, b"late").unwrap(), 1);
    log.file = File::open(log.path()).unwrap();
    assert!(log.append(Kind::START, b"lost").is_err());
    assert!(log.recover().is_err());
    assert!(log.broken().is_some());
}

#[test]
fn an_event_that_is_too_long_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, _) = Log::open(folder.path(), |_| ()).unwrap();
    assert!(log.append(Kind(16), &vec![0; MAX_PAYLOAD + 1]).is_err());
    assert_eq!(log.append(Kind(16), &vec![0; MAX_PAYLOAD]).unwrap(), 1);
}
