//! An installation while it runs, when it is done, and when it failed.

use truthdb_installer::hardware::Hardware;
use truthdb_installer::install::{Stage, Task};
use truthdb_installer::state::{Effect, Event, Exit, State, next};

use crate::common::states::{self, after, begun, hardware, named};
use crate::{ENTER, ESC, key, scanned, step};

#[test]
fn progress_knows_its_rate() {
    let State::Progress(work) = named("progress").unwrap() else {
        panic!("work goes on");
    };
    assert_eq!(work.rate(), Some(62_333_333));
    assert_eq!(work.left().map(|left| left.as_secs()), Some(3));
    let State::Progress(work) = named("progress-silent").unwrap() else {
        panic!("work goes on");
    };
    assert_eq!(
        (work.rate(), work.left(), work.silence()),
        (None, None, Some(12))
    );
    let State::Progress(work) = begun() else {
        panic!("work goes on");
    };
    assert_eq!(
        (work.rate(), work.left(), work.silence()),
        (None, None, None)
    );
}

#[test]
fn the_rate_forgets_what_is_long_ago() {
    let events = [(0, 0), (100, 1), (101, 8), (106, 12)];
    let events = events.map(|(megabytes, at)| states::progress(Stage::Data, megabytes, at));
    let State::Progress(work) = after(begun(), events) else {
        panic!("work goes on");
    };
    assert_eq!(work.rate(), Some(1_250_000));
}

#[test]
fn done_waits_for_somebody_to_leave() {
    let done = || named("done").unwrap();
    let last_words = Some("TruthDB 0.1.0 is on nvme0n1.".to_owned());
    for (letter, power_off) in [('r', false), ('R', false), ('p', true)] {
        let last_words = last_words.clone();
        let exit = State::Exit(Exit {
            power_off,
            last_words,
        });
        assert_eq!(next(done(), key(letter)), (exit, None));
    }
    for event in [ENTER, ESC, key('q'), Event::Second] {
        assert_eq!(step(done(), event), ("Done", None));
    }
    assert!(!done().counts_seconds() && !done().wants_rescans());
}

#[test]
fn logs_are_exported_from_done_but_not_to_the_disk_that_was_installed_to() {
    let except = Some(Box::new(hardware().disks[0].clone()));
    let (state, effect) = next(named("done").unwrap(), key('e'));
    assert_eq!(effect, Some(Effect::ExportLog { except }));
    let State::Done(done) = after(state, [states::exported()]) else {
        panic!("an export leads nowhere");
    };
    assert!(done.notice.unwrap().starts_with("There is no stick"));
    // Somebody is there who wants to see what comes of it.
    let unattended = after(named("unattended-done").unwrap(), [key('e')]);
    assert!(!unattended.counts_seconds());
}

#[test]
fn a_failed_installation_can_be_tried_again() {
    let failed = next(begun(), Event::Finished(Err(states::failure())));
    assert_eq!(
        (failed.0.name(), failed.1),
        ("Error", Some(Effect::ScanAfresh))
    );
    let error = failed.0;
    assert!(error.wants_rescans());
    let (state, effect) = next(error.clone(), key('r'));
    let Some(Effect::Install(request)) = effect else {
        panic!("Retry does the same again");
    };
    assert_eq!(
        (request.task, &request.disk),
        (Task::Install, &hardware().disks[0])
    );
    assert_eq!(state, begun());
    let except = Some(Box::new(request.disk));
    assert_eq!(
        step(error.clone(), key('e')),
        ("Error", Some(Effect::ExportLog { except }))
    );
    assert_eq!(
        step(error.clone(), key('b')),
        ("Disk", Some(Effect::ScanAfresh))
    );
    let State::Exit(exit) = after(error.clone(), [key('q')]) else {
        panic!("Q leaves");
    };
    assert_eq!(exit.last_words, Some(states::failure().disk));
    let failed = Event::Scanned(Err(states::problem()));
    assert_eq!(step(error, failed), ("Error", None));
}

#[test]
fn retry_writes_to_the_same_device_or_to_none() {
    let error = named("error-install").unwrap();
    let retry = |hardware: &Hardware| {
        let state = after(error.clone(), [scanned(hardware)]);
        match next(state, key('r')) {
            (_, Some(Effect::Install(request))) => Some(request.disk.name),
            (State::Error(failure), Some(Effect::ScanAfresh)) => {
                let notice = failure.notice.unwrap();
                assert!(notice.starts_with("nvme0n1 is not there."), "{notice}");
                None
            }
            (state, effect) => panic!("{} {effect:?}", state.name()),
        }
    };
    assert_eq!(retry(&hardware()).as_deref(), Some("nvme0n1"));
    // Out and in again, it got another name.
    let mut renamed = hardware();
    renamed.disks[0].name = "nvme1n1".to_owned();
    renamed.disks[0].sequence = 99;
    assert_eq!(retry(&renamed).as_deref(), Some("nvme1n1"));
    // Another disk got its name.
    let mut replaced = hardware();
    replaced.disks[0].serial = Some("ANOTHER".to_owned());
    replaced.disks[0].sequence = 99;
    assert_eq!(retry(&replaced), None);
    // Two that cannot be told apart.
    let mut twins = renamed.clone();
    twins.disks.push(renamed.disks[0].clone());
    assert_eq!(retry(&twins), None);
    let mut gone = hardware();
    gone.disks.remove(0);
    assert_eq!(retry(&gone), None);
}
