//! How long is waited for disks, which may never answer.

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// How long a disk, or what may become one, has to answer. Disks take up to half a minute to spin up.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// What `work` comes to in a thread with this name, if it does in time; else it goes on there, and nobody
/// waits for it.
pub fn within<T: Send + 'static>(
    time: Duration,
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (sender, receiver) = channel();
    // Sending fails when nobody waits any more.
    let work = move || drop(sender.send(work()));
    let started = thread::Builder::new().name(name.to_owned()).spawn(work);
    started.ok().and_then(|_| receiver.recv_timeout(time).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hangs_is_not_waited_for() {
        let (_open, nothing) = channel::<()>();
        let time = Duration::from_millis(20);
        let hung = within(time, "hangs", move || nothing.recv().is_ok());
        assert_eq!(hung, None);
        assert_eq!(within(PATIENCE, "answers", || 1), Some(1));
    }
}
