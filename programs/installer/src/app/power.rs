//! Ending the computer's work, which only init can do.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::fatal::Fatal;

/// How long init may take to end everything.
const PATIENCE: Duration = Duration::from_secs(30);

/// Has `BusyBox` init restart the computer that `root` is the root of, or switch it off: SIGTERM and
/// SIGUSR2 are its words for that (`init/init.c`, `check_delayed_sigs`). Then waits to be killed, since
/// init would start again what returns. Below another root there is no computer, and nothing happens.
pub(super) fn end(root: &Path, power_off: bool) -> Result<(), Fatal> {
    if root != Path::new("/") {
        return Ok(());
    }
    tracing::info!(power_off, "asking init to end everything");
    kill_process(Pid::INIT, signal(power_off))
        .map_err(|error| Fatal::System("cannot ask init to end everything", error.into()))?;
    sleep(PATIENCE);
    Err(Fatal::StillOn)
}

fn signal(power_off: bool) -> Signal {
    if power_off {
        Signal::USR2
    } else {
        Signal::TERM
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn init_is_told_by_the_signals_that_it_knows() {
        assert_eq!((signal(false), signal(true)), (Signal::TERM, Signal::USR2));
    }

    #[test]
    fn nothing_is_switched_off_in_a_test() {
        let root = tempfile::tempdir().unwrap();
        assert!(end(root.path(), true).is_ok());
    }
}
