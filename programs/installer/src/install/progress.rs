//! How far an installation is: the stage it is in, how long each took, and how many bytes are done.

use std::time::{Duration, Instant};

use super::report::{Progress, Stage};

/// The course of an installation, which tells whoever asked for it how far it is.
pub(super) struct Course<'a> {
    tell: &'a mut dyn FnMut(Progress),
    stage: Stage,
    since: Instant,
    stages: Vec<(Stage, Duration)>,
    done: u64,
    total: u64,
}

impl<'a> Course<'a> {
    /// That of an installation that has not begun.
    pub(super) fn new(tell: &'a mut dyn FnMut(Progress)) -> Self {
        Self {
            tell,
            stage: Stage::Prepare,
            since: Instant::now(),
            stages: Vec::new(),
            done: 0,
            total: 0,
        }
    }

    /// The stage that it is in.
    pub(super) fn stage(&self) -> Stage {
        self.stage
    }

    /// The stages that are over, and how long each took.
    pub(super) fn stages(&self) -> &[(Stage, Duration)] {
        &self.stages
    }

    /// Says how many bytes there are to write and read in all.
    pub(super) fn expect(&mut self, total: u64) {
        self.total = total;
    }

    /// Goes on to the next stage.
    pub(super) fn enter(&mut self, stage: Stage) {
        self.leave();
        tracing::info!(stage = stage.name(), "installing");
        self.stage = stage;
        self.advance(0);
    }

    /// The stage is over.
    pub(super) fn leave(&mut self) {
        self.stages.push((self.stage, self.since.elapsed()));
        self.since = Instant::now();
    }

    /// So many more bytes are done.
    pub(super) fn advance(&mut self, bytes: u64) {
        self.done = (self.done + bytes).min(self.total);
        (self.tell)(Progress {
            stage: self.stage,
            done: self.done,
            total: self.total,
        });
    }
}
