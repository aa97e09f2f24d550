//! What follows from being started by init's `respawn`: after whatever ended it this program is started again
//! at once, so it waits before it does what may fail again. The next start does so, not the one that fails:
//! thus nothing has to run after a panic or a signal.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

/// What says that it was started before, below the root.
const STARTED: &str = "run/installer.started";
/// How long somebody gets to read why it ended.
const PAUSE: Duration = Duration::from_secs(2);

/// Waits, if this is not the first start on the machine below `root`.
pub fn pause(root: &Path) {
    if !is_first(root) {
        std::thread::sleep(PAUSE);
    }
}

/// Whether it is; notes that the next one is not. Where no note can be left, no start is taken to be the first.
fn is_first(root: &Path) -> bool {
    File::create_new(root.join(STARTED)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_start_is_the_first() {
        let root = tempfile::tempdir().unwrap();
        assert!(!is_first(root.path()), "there is no /run");
        std::fs::create_dir(root.path().join("run")).unwrap();
        let starts = [(); 3].map(|()| is_first(root.path()));
        assert_eq!(starts, [true, false, false]);
    }
}
