//! [`State::Progress`]: a disk is being written to. No key does anything.

use std::time::Duration;

use super::{Cause, Done, Effect, Event, Failure, Next, Origin, Recovery, State};
use crate::install::{Progress, Request};

/// How far back the rate looks.
const WINDOW: Duration = Duration::from_secs(5);
/// After how many seconds without news the screen says so.
const SILENCE: u32 = 10;

/// Details of [`State::Progress`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// What is being done.
    pub request: Box<Request>,
    /// Who asked for it.
    pub origin: Origin,
    /// How far it is, once that is known.
    pub progress: Option<Progress>,
    /// How long it takes so far.
    pub elapsed: Duration,
    /// Points in time of the last [`WINDOW`], and the bytes that were done then; oldest first.
    samples: Vec<(Duration, u64)>,
    /// Seconds since the last news.
    silence: u32,
}

impl Work {
    /// Work that was just begun.
    pub fn new(request: Box<Request>, origin: Origin) -> Self {
        Self {
            request,
            origin,
            progress: None,
            elapsed: Duration::ZERO,
            samples: Vec::new(),
            silence: 0,
        }
    }

    /// Bytes in a second, on average over the last few; none if nothing was heard for long.
    pub fn rate(&self) -> Option<u64> {
        if self.silence >= SILENCE {
            return None;
        }
        let (first, last) = (self.samples.first()?, self.samples.last()?);
        let millis = u64::try_from((last.0.checked_sub(first.0)?).as_millis()).ok()?;
        last.1
            .saturating_sub(first.1)
            .saturating_mul(1000)
            .checked_div(millis)
    }

    /// How long the rest takes at this rate.
    pub fn left(&self) -> Option<Duration> {
        let progress = self.progress?;
        let rest = progress.total.saturating_sub(progress.done);
        rest.checked_div(self.rate()?).map(Duration::from_secs)
    }

    /// For how many seconds nothing was heard, if that is worth a word.
    pub fn silence(&self) -> Option<u32> {
        Some(self.silence).filter(|seconds| *seconds >= SILENCE)
    }

    fn hear(&mut self, progress: Progress, elapsed: Duration) {
        self.progress = Some(progress);
        self.elapsed = elapsed;
        self.silence = 0;
        self.samples.push((elapsed, progress.done));
        let oldest = elapsed.saturating_sub(WINDOW);
        self.samples.retain(|(at, _)| *at >= oldest);
    }
}

/// What happens in [`State::Progress`].
pub(super) fn next(mut work: Work, event: Event) -> Next {
    match event {
        Event::Progress { progress, elapsed } => work.hear(progress, elapsed),
        Event::Second => {
            work.silence += 1;
            work.elapsed += Duration::from_secs(u64::from(work.silence > 1));
        }
        Event::Finished(Ok(mut report)) => {
            let shown = report.recovery.take();
            let done = Done::new(report, work.origin);
            return match shown {
                Some(shown) => Recovery::new(shown, done).ask(),
                None => State::Done(done).alone(),
            };
        }
        Event::Finished(Err(failure)) => {
            let Work {
                request, origin, ..
            } = work;
            let failure = Failure::new(Cause::Install {
                failure,
                request,
                origin,
            });
            return (State::Error(failure), Some(Effect::ScanAfresh));
        }
        _ => {}
    }
    State::Progress(work).alone()
}
