//! [`State::BootSplash`]: the name is shown while the hardware is looked at.

use super::{Cause, Event, Failure, Next, State, Welcome};
use crate::hardware::{Hardware, Problem};

/// Details of [`State::BootSplash`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Splash {
    /// What the scan found, once it is done.
    pub scanned: Option<Result<Hardware, Problem>>,
    /// It was shown for long enough, or a key was pressed.
    pub over: bool,
}

pub(super) fn next(mut splash: Splash, event: Event) -> Next {
    match event {
        Event::Scanned(result) => splash.scanned = Some(result),
        Event::SplashOver | Event::Key(_) => splash.over = true,
        _ => {}
    }
    let state = match splash.scanned {
        Some(Ok(hardware)) if splash.over => State::Welcome(Welcome::new(hardware, false)),
        Some(Err(problem)) if splash.over => State::Error(Failure::new(Cause::Scan {
            problem,
            back: None,
        })),
        scanned => State::BootSplash(Splash { scanned, ..splash }),
    };
    (state, None)
}
