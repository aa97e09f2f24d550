//! Switching the computer off, which only init can do.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::fatal::Fatal;

/// How long init may take to end everything.
const PATIENCE: Duration = Duration::from_secs(30);

/// Makes `BusyBox` init switch the computer off that `root` is the root of: SIGUSR2 is its word for
/// that (`init/init.c`, `halt_reboot_pwoff`). Then waits to be killed, since returning would make
/// /etc/inittab restart the computer. Below another root there is no computer, and nothing happens.
pub(super) fn off(root: &Path) -> Result<(), Fatal> {
    if root != Path::new("/") {
        return Ok(());
    }
    tracing::info!("asking init to switch the computer off");
    kill_process(Pid::INIT, Signal::USR2)
        .map_err(|error| Fatal::System("cannot ask init to switch off", error.into()))?;
    sleep(PATIENCE);
    Err(Fatal::StillOn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_switched_off_in_a_test() {
        let root = tempfile::tempdir().unwrap();
        assert!(off(root.path()).is_ok());
    }
}
