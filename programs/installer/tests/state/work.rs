//! An installation while it runs, when it is done, and when it failed.

use installer::hardware::{Bus, Disk};
use installer::install::{Stage, Task};
use installer::state::{Effect, Event, Exit, Key, Proof, Purpose, State, next};

use crate::support::states::{self, after, begun, hardware, named, press};
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
    let last_words = Some("Example 0.1.0 is on nvme0n1.".to_owned());
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

/// What Retry leads to after an installation to the first disk, which `shape` made what it is, failed,
/// and `change` came over the machine.
fn retry(shape: fn(&mut Disk), change: fn(&mut Vec<Disk>)) -> String {
    let mut before = hardware();
    shape(&mut before.disks[0]);
    let proof = Proof::of(&before.disks[0]).text().to_owned();
    let mut state = press(
        states::disk(before.clone(), Purpose::Install, 0),
        [Key::Enter; 2],
    );
    state = press(press(state, states::typing(&proof)), [Key::Enter]);
    let mut now = before;
    "sdz".clone_into(&mut now.disks[0].name);
    now.disks[0].sequence = 99;
    change(&mut now.disks);
    let failed = Event::Finished(Err(states::failure()));
    match next(after(state, [failed, scanned(&now)]), key('r')) {
        (State::Progress(_), Some(Effect::Install(request))) => request.disk.name,
        (State::Error(failure), Some(Effect::ScanAfresh)) => failure.notice.unwrap(),
        (State::Confirm(confirm), None) => {
            assert!(!confirm.is_proven());
            confirm.choices.notice.unwrap()
        }
        (State::Disk(choices), None) => format!("listed: {}", choices.notice.unwrap()),
        (state, effect) => panic!("{} {effect:?}", state.name()),
    }
}

/// What it is about, the disk, what comes over the machine, and what Retry leads to.
type Row<'a> = (&'a str, fn(&mut Disk), fn(&mut Vec<Disk>), &'a str);

#[test]
fn retry_writes_to_the_same_disk_or_asks_again() {
    let as_it_is: fn(&mut Disk) = |_| {};
    // What is in a USB bridge has the serial number of the bridge, which is that of all its kind.
    let bridge: fn(&mut Disk) = |disk| {
        (disk.bus, disk.wwn) = (Bus::Usb, None);
        disk.place = "pci0000:00/usb2/2-1".to_owned();
    };
    let fixed: fn(&mut Disk) = |disk| (disk.bus, disk.wwn) = (Bus::Sata, None);
    let nameless: fn(&mut Disk) = |disk| (disk.wwn, disk.serial) = (None, None);
    let elsewhere: fn(&mut Vec<Disk>) = |disks| disks[0].place = "pci0000:00/usb2/2-2".to_owned();
    let twins: fn(&mut Vec<Disk>) = |disks| {
        let mut twin = disks[0].clone();
        twin.name = "sdy".to_owned();
        twin.place = "pci0000:00/usb2/2-3".to_owned();
        disks.insert(0, twin);
    };
    let gone = "nvme0n1 is not there. Attach it again, or press B to choose another disk.";
    let alike = "sdz looks like nvme0n1, which was confirmed, and may still be another disk.";
    let listed =
        "listed: sdy looks like nvme0n1, which was confirmed, and may still be another disk.";
    let rows: [Row<'_>; 13] = [
        ("out and in again", as_it_is, |_| {}, "sdz"),
        ("in again elsewhere, by its WWN", as_it_is, elsewhere, "sdz"),
        ("two paths", as_it_is, twins, "sdy"),
        ("a fixed disk, in again", fixed, |_| {}, "sdz"),
        ("a fixed disk elsewhere", fixed, elsewhere, alike),
        ("a bridge, in again", bridge, |_| {}, alike),
        ("a bridge elsewhere", bridge, elsewhere, alike),
        ("a bridge and its like", bridge, twins, listed),
        (
            "two of a bridge's like",
            bridge,
            |disks| {
                disks[0].place = "pci0000:00/usb2/2-2".to_owned();
                let mut twin = disks[0].clone();
                twin.name = "sdy".to_owned();
                disks.insert(0, twin);
            },
            listed,
        ),
        ("no marks", nameless, |_| {}, alike),
        (
            "another disk with its name",
            as_it_is,
            |disks| {
                disks[0].name = "nvme0n1".to_owned();
                disks[0].serial = Some("ANOTHER".to_owned());
            },
            gone,
        ),
        (
            "another WWN",
            as_it_is,
            |disks| disks[0].wwn = Some("eui.0025385b21404322".to_owned()),
            gone,
        ),
        ("gone", as_it_is, |disks| drop(disks.remove(0)), gone),
    ];
    for (what, shape, change, expected) in rows {
        assert_eq!(retry(shape, change), expected, "{what}");
    }
}
