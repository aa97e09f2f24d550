//! `appliance stop`: ends the supervisor before the machine does, and waits for it, so that
//! the service has time to finish. init itself gives a program no more than a second.
//!
//! The supervisor holds a lock on its pid file for as long as it lives, so there is no doubt whom
//! the number belongs to, nor when it is gone.

use common::product::product;
use std::fs::{File, TryLockError};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// The pid file, below the root.
fn file() -> String {
    product().run("supervisor.pid")
}

/// The service gets ten seconds, and what comes after it some more.
const PATIENCE: Duration = Duration::from_secs(15);

/// Takes the lock for the process that calls, as long as the file is kept. Fails if another
/// process has it.
pub fn hold(root: &Path) -> io::Result<File> {
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(root.join(file()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(io::Error::other("another supervisor is running"));
        }
        Err(TryLockError::Error(error)) => return Err(error),
    }
    file.set_len(0)?;
    write!(file, "{}", std::process::id())?;
    Ok(file)
}

/// Asks the supervisor below `root` to stop, and waits until it has. Fails if it does not.
pub fn run(root: &Path) -> io::Result<()> {
    let mut file = match File::open(root.join(file())) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let deadline = Instant::now() + PATIENCE;
    let mut asked = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {}
            Err(error) => return Err(error.into()),
        }
        if !asked {
            asked = ask(&mut file)?;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Sends the signal; `false` if the supervisor has not written its number yet.
fn ask(file: &mut File) -> io::Result<bool> {
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let Some(pid) = text.parse().ok().and_then(Pid::from_raw) else {
        return Ok(false);
    };
    match kill_process(pid, Signal::TERM) {
        // It ended by itself a moment ago.
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(true),
        Err(error) => Err(error.into()),
    }
}
