//! [`State::BootSplash`]: the name is shown until the hardware was looked at.

use super::{Cause, Event, Failure, Next, State, Welcome};

pub(super) fn next(event: Event) -> Next {
    match event {
        Event::Scanned(Ok(hardware)) => State::Welcome(Welcome {
            settled: false,
            ..Welcome::new(hardware, false)
        }),
        Event::Scanned(Err(problem)) => State::Error(Failure::new(Cause::Scan {
            problem,
            back: None,
        })),
        _ => State::BootSplash,
    }
    .alone()
}
