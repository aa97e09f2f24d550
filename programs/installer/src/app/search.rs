//! When to look for an answer file: not before the machine has settled, then again whenever disks came,
//! went or answered at last: a second file makes none count, until the very moment of following it.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::hardware::{Disk, DiskKey, Hardware, Volume};
use crate::state::State;
use crate::worker::Worker;

/// How long after the start disks still appear one by one.
const SETTLING: Duration = Duration::from_secs(2);

/// The search for an answer file.
#[derive(Debug)]
pub(super) struct Search {
    not_before: Instant,
    /// The disks that were searched last.
    searched: Option<Vec<Searched>>,
    running: Option<JoinHandle<()>>,
}

/// A disk, and whether it could be searched.
type Searched = (DiskKey, bool);

impl Search {
    /// A search on a machine that the program was started on just now.
    pub(super) fn new(started: Instant) -> Self {
        Self {
            not_before: started + SETTLING,
            searched: None,
            running: None,
        }
    }

    /// Searches again even if no disk came or went.
    pub(super) fn forget(&mut self) {
        self.searched = None;
    }

    /// Whether a search has begun, and has not ended.
    pub(super) fn is_running(&self) -> bool {
        self.running.as_ref().is_some_and(|it| !it.is_finished())
    }

    /// Starts to search if it is time.
    pub(super) fn advance(&mut self, state: &State, worker: &Worker) {
        let Some(hardware) = self.due(state, Instant::now()) else {
            return;
        };
        match worker.find_answers(hardware.clone()) {
            Ok(thread) => {
                self.running = Some(thread);
                self.searched = Some(keys(hardware));
            }
            // The next tick tries again.
            Err(error) => tracing::warn!(%error, "cannot look for an answer file"),
        }
    }

    /// The machine to search, if that is due.
    fn due<'a>(&self, state: &'a State, now: Instant) -> Option<&'a Hardware> {
        let hardware = state.wants_answers()?;
        let is_due = now >= self.not_before
            && !self.is_running()
            && hardware.is_settled()
            && self.searched.as_ref() != Some(&keys(hardware));
        is_due.then_some(hardware)
    }
}

fn keys(hardware: &Hardware) -> Vec<Searched> {
    let answered = |disk: &Disk| disk.volume != Volume::Silent;
    let disks = hardware.disks.iter();
    disks.map(|disk| (disk.key(), answered(disk))).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::state::{Event, Key, next};

    /// Welcome on a machine with one disk.
    fn welcome() -> State {
        let root = tempfile::tempdir().unwrap();
        let files = [
            ("etc/os-release", "NAME=Example\nVERSION_ID=1\n"),
            ("proc/cpuinfo", ""),
            ("proc/meminfo", "MemTotal: 1048576 kB\n"),
            ("sys/class/.keep", ""),
            ("sys/block/sda/size", "16777216\n"),
            ("sys/block/sda/device/model", "Disk\n"),
        ];
        for (path, content) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let scanned = Event::Scanned(Hardware::scan(root.path()));
        next(State::start().0, scanned).0
    }

    fn with(state: &State, change: impl FnOnce(&mut Hardware)) -> State {
        let mut hardware = state.wants_answers().unwrap().clone();
        change(&mut hardware);
        next(state.clone(), Event::Scanned(Ok(hardware))).0
    }

    fn with_volume(state: &State, volume: &Volume) -> State {
        with(state, |hardware| hardware.disks[0].volume = volume.clone())
    }

    #[test]
    fn searches_once_for_each_set_of_disks_when_all_of_them_were_looked_at() {
        let started = Instant::now();
        let mut search = Search::new(started);
        let later = started + SETTLING;
        let unread = welcome();
        assert!(search.due(&unread, later).is_none());
        let read = with_volume(&unread, &Volume::Other);
        assert!(search.due(&read, started).is_none());
        let hardware = search.due(&read, later).unwrap();
        search.searched = Some(keys(hardware));
        assert!(search.due(&read, later).is_none());
        search.forget();
        assert!(search.due(&read, later).is_some());
        let pending =
            |hardware: &mut Hardware| hardware.pending = vec!["NVMe controller nvme0".into()];
        assert!(search.due(&with(&read, pending), later).is_none());
        // A disk that has not answered is searched when it does.
        let silent = with_volume(&read, &Volume::Silent);
        search.searched = Some(keys(search.due(&silent, later).unwrap()));
        assert!(search.due(&silent, later).is_none());
        assert!(search.due(&read, later).is_some());
        let elsewhere = next(read, Event::Key(Key::Char('t'))).0;
        assert!(search.due(&elsewhere, later).is_none());
    }
}
