//! What the loop waits for: devices that are ready, and points in time.

use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::App;
use crate::fatal::Fatal;

/// Something that is waited for.
#[derive(Clone, Copy)]
pub(super) enum Source {
    Wake,
    KeyboardWatch,
    Keyboard(usize),
    Line(usize),
}

impl App {
    /// Waits until something is ready or the next point in time is reached.
    pub(super) fn wait(&self) -> Result<Vec<(Source, PollFlags)>, Fatal> {
        let mut sources = vec![Source::Wake];
        let mut fds = vec![PollFd::new(&self.wake, PollFlags::IN)];
        if let Some(watch) = self.keyboards.watch() {
            sources.push(Source::KeyboardWatch);
            fds.push(PollFd::new(watch, PollFlags::IN));
        }
        for (index, keyboard) in self.keyboards.keyboards().iter().enumerate() {
            sources.push(Source::Keyboard(index));
            fds.push(PollFd::new(keyboard, PollFlags::IN));
        }
        for (index, line) in self.consoles.lines().iter().enumerate() {
            sources.push(Source::Line(index));
            fds.push(PollFd::new(line, line.interest()));
        }
        let timers = [self.settling, self.second, self.consoles.deadline()];
        let until = timers.into_iter().flatten().min();
        let until = until.map_or(self.next_tick, |it| it.min(self.next_tick));
        let timeout = timespec(until.saturating_duration_since(Instant::now()));
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(Fatal::System("cannot wait for events", error.into())),
        }
        let events = fds.iter().map(PollFd::revents);
        let ready = sources.into_iter().zip(events);
        Ok(ready.filter(|(_, events)| !events.is_empty()).collect())
    }
}

/// A duration as the kernel takes it, rounded up, so that waiting does not end early.
fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}
