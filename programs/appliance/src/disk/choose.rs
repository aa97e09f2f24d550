//! Decides whose data is used, of the disks that are there so far.

use std::time::Duration;

use super::{Disk, first_label};
use common::problem::Problem;

/// How long to wait for another disk, if one was found and nothing says which one was booted.
const SETTLE: Duration = Duration::from_secs(10);
/// How long to wait for the disk that was booted, or for any if nothing says which one was.
const PATIENCE: Duration = Duration::from_secs(30);

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Use this disk.
    Take(Disk),
    /// Look again.
    Wait,
    /// Use none.
    Refuse(Problem),
}

/// Chooses among `disks`, of which one is to be that which was booted, if `boot_known`, `waited`
/// after the search began. The disk that was booted is taken at once, and no other instead of it,
/// however late it is: its data are another node's. Where nothing says which disk was booted, the
/// only one is taken after some time, in which slower disks may come.
pub fn choose(disks: &[Disk], boot_known: bool, waited: Duration) -> Choice {
    let booted: Vec<_> = disks.iter().filter(|disk| disk.booted).collect();
    match booted.as_slice() {
        [disk] if has_first(disk) => return take(disk),
        [] | [_] if boot_known && waited < PATIENCE => return Choice::Wait,
        [disk] => return Choice::Refuse(incomplete(disk)),
        [] if boot_known => return Choice::Refuse(not_there(disks)),
        _ => {}
    }
    let with_data: Vec<_> = disks.iter().filter(|disk| has_first(disk)).collect();
    match with_data.as_slice() {
        [] if waited < PATIENCE => Choice::Wait,
        [] => Choice::Refuse(not_found(disks)),
        _ if waited < SETTLE => Choice::Wait,
        [only] => take(only),
        several => Choice::Refuse(Problem::new(
            format!(
                "{} all have a partition {}, and nothing says which one is meant.",
                names(several),
                first_label()
            ),
            "Remove all but one of them, and start the machine again.",
        )),
    }
}

fn names(disks: &[&Disk]) -> String {
    let names: Vec<_> = disks.iter().map(|disk| disk.name.as_str()).collect();
    names.join(" and ")
}

/// That the disk that was booted is none of those that are there.
fn not_there(disks: &[Disk]) -> Problem {
    let others: Vec<_> = disks.iter().filter(|disk| has_first(disk)).collect();
    let label = first_label();
    let message = match others.as_slice() {
        [] => return not_found(disks),
        [_] => format!(
            "The disk that this system was started from is not there. {} has a partition {label}, but is \
             another disk.",
            names(&others)
        ),
        _ => format!(
            "The disk that this system was started from is not there. {} have a partition {label}, but \
             are other disks.",
            names(&others)
        ),
    };
    Problem::new(
        message,
        "Look whether that disk works, or let the firmware start the disk whose data are meant.",
    )
}

/// Takes a disk, unless its names say twice which partition is which.
fn take(disk: &Disk) -> Choice {
    if disk.data.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Choice::Refuse(Problem::new(
            format!("{} has two partitions of the same name.", disk.name),
            "Rename the one that is not wanted, and start the machine again.",
        ));
    }
    Choice::Take(disk.clone())
}

fn has_first(disk: &Disk) -> bool {
    disk.data.iter().any(|(number, _)| *number == 1)
}

/// Why the disk that was booted cannot be used.
fn incomplete(disk: &Disk) -> Problem {
    let name = &disk.name;
    if disk.unfinished {
        return Problem::new(
            format!("The installation on {name} was not finished."),
            "Start the installer and install again.",
        );
    }
    Problem::new(
        format!(
            "{name}, which this system was started from, has no partition {}.",
            first_label()
        ),
        "Look whether somebody changed the partitions of the disk.",
    )
}

fn not_found(disks: &[Disk]) -> Problem {
    match disks.iter().find(|disk| disk.unfinished) {
        Some(disk) => incomplete(disk),
        None => Problem::new(
            format!("No disk has a partition {}.", first_label()),
            "Look whether all disks are connected, and start the machine again.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(name: &str, booted: bool) -> Disk {
        Disk {
            name: name.to_owned(),
            data: vec![(1, format!("{name}2")), (2, format!("{name}3"))],
            unfinished: false,
            booted,
            device: None,
        }
    }

    fn message(choice: Choice) -> String {
        match choice {
            Choice::Refuse(problem) => problem.message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_disk_that_was_booted_is_taken_at_once() {
        let disks = [disk("sda", false), disk("sdb", true), disk("sdc", false)];
        let choice = choose(&disks, true, Duration::ZERO);
        assert_eq!(choice, Choice::Take(disks[1].clone()));
    }

    #[test]
    fn the_only_disk_is_taken_after_a_while_if_nothing_says_which_was_booted() {
        let disks = [disk("sda", false)];
        let just_before = SETTLE.saturating_sub(Duration::from_millis(1));
        assert_eq!(choose(&disks, false, just_before), Choice::Wait);
        assert_eq!(
            choose(&disks, false, SETTLE),
            Choice::Take(disks[0].clone())
        );
    }

    #[test]
    fn the_data_of_another_disk_than_that_which_was_booted_are_never_taken() {
        let early = PATIENCE.saturating_sub(Duration::from_millis(1));
        let is_not_there = "The disk that this system was started from is not there.";
        let rows = [
            (
                vec![disk("sda", false)],
                "sda has a partition EXAMPLE_DATA, but is another disk.",
            ),
            (
                vec![disk("sda", false), disk("sdc", false)],
                "sda and sdc have a partition EXAMPLE_DATA, but are other disks.",
            ),
        ];
        for (mut disks, others) in rows {
            assert_eq!(choose(&disks, true, early), Choice::Wait);
            assert_eq!(
                message(choose(&disks, true, PATIENCE)),
                format!("{is_not_there} {others}")
            );
            // However late it comes.
            disks.push(disk("sdb", true));
            let late = PATIENCE * 2;
            assert_eq!(choose(&disks, true, late), Choice::Take(disk("sdb", true)));
        }
    }

    #[test]
    fn of_several_none_is_taken_unless_it_was_booted() {
        let disks = [disk("sda", false), disk("sdb", false)];
        assert_eq!(choose(&disks, false, Duration::ZERO), Choice::Wait);
        let twins = [disk("sda", true), disk("sdb", true)];
        for (disks, boot_known) in [(disks, false), (twins, true)] {
            assert_eq!(
                message(choose(&disks, boot_known, PATIENCE)),
                "sda and sdb all have a partition EXAMPLE_DATA, and nothing says which one is \
                 meant."
            );
        }
    }

    #[test]
    fn without_any_the_search_ends_with_what_was_seen() {
        assert_eq!(
            choose(
                &[],
                false,
                PATIENCE.saturating_sub(Duration::from_millis(1))
            ),
            Choice::Wait
        );
        assert_eq!(
            message(choose(&[], true, PATIENCE)),
            "No disk has a partition EXAMPLE_DATA."
        );
        let cut_off = Disk {
            name: "vda".to_owned(),
            unfinished: true,
            booted: true,
            ..Disk::default()
        };
        assert_eq!(
            message(choose(&[cut_off], true, PATIENCE)),
            "The installation on vda was not finished."
        );
        let second_only = Disk {
            data: vec![(2, "vda3".to_owned())],
            ..Disk::default()
        };
        assert_eq!(choose(&[second_only], false, Duration::ZERO), Choice::Wait);
    }

    #[test]
    fn no_other_disk_stands_in_for_the_one_that_was_booted() {
        let mut booted = Disk {
            data: vec![(2, "sdb3".to_owned())],
            ..disk("sdb", true)
        };
        let early = PATIENCE.saturating_sub(Duration::from_millis(1));
        let look =
            |booted: &Disk, waited| choose(&[disk("sda", false), booted.clone()], true, waited);
        assert_eq!(look(&booted, early), Choice::Wait);
        assert_eq!(
            message(look(&booted, PATIENCE)),
            "sdb, which this system was started from, has no partition EXAMPLE_DATA."
        );
        booted.unfinished = true;
        assert_eq!(
            message(look(&booted, PATIENCE)),
            "The installation on sdb was not finished."
        );
    }

    #[test]
    fn a_disk_that_is_not_used_may_have_whatever_names() {
        let mut odd = disk("sda", false);
        odd.data.insert(0, (1, "sda9".to_owned()));
        let booted = disk("sdb", true);
        let choice = choose(&[odd.clone(), booted.clone()], true, Duration::ZERO);
        assert_eq!(choice, Choice::Take(booted));
        assert!(message(choose(&[odd], false, SETTLE)).starts_with("sda has two"));
    }

    #[test]
    fn a_name_that_is_there_twice_is_refused() {
        let mut twice = disk("sda", true);
        twice.data.insert(0, (1, "sda9".to_owned()));
        assert_eq!(
            message(choose(&[twice], true, Duration::ZERO)),
            "sda has two partitions of the same name."
        );
    }
}
