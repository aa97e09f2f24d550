//! How far the work is.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{LineGauge, Widget};

use super::text::{Page, duration, split};
use super::{Look, frame, machine};
use crate::hardware::decimal_size;
use crate::install::{Progress, Stage, Target, Task};
use crate::state::Work;

/// Draws [`crate::state::State::Progress`].
pub(super) fn render(state: &Work, look: &Look, area: Rect, buffer: &mut Buffer) {
    let product = Some(&state.origin.hardware().product);
    let keys = [];
    let area = frame::render(product, &keys, look, area, buffer);
    let mut page = Page::new(look, area);
    page.heading(match state.request.task {
        Task::Install => "Installing",
        Task::KeepData => "Reinstalling, keeping data",
        Task::RepairBoot if state.origin.hardware().set.is_some() => "Recovering",
        Task::RepairBoot => "Repairing boot",
        Task::ChangeSettings => "Changing settings",
    });
    page.line(machine::disk(&state.request.disk));
    if matches!(state.request.target, Target::FreeSpace { .. }) {
        page.line("Into its free space. What is there stays.");
    }
    page.blank();
    for line in stages(state, look) {
        page.line(line);
    }
    let mut below = Page::new(look, area);
    let bar = u16::try_from(below.len()).unwrap_or(u16::MAX);
    below.blank();
    below.say(&numbers(state), look.text);
    below.blank();
    below.say("Do not switch this computer off.", look.note);
    if let Some(seconds) = state.silence() {
        let text = format!("No news from the disk for {seconds} seconds. Still waiting.");
        below.say(&text, look.alert);
    }
    let [above, area] = split(&page, &below, area);
    page.render_in_turns(state.elapsed.as_secs(), above, buffer);
    below.render(area, buffer);
    gauge(state.progress, look, frame::row(area, bar), buffer);
}

fn stages<'a>(state: &Work, look: &Look) -> Vec<Line<'a>> {
    let now = state.progress.map(|progress| progress.stage);
    let belongs = |stage: &Stage| match state.request.task {
        Task::Install | Task::KeepData => true,
        Task::ChangeSettings => {
            matches!(stage, Stage::Prepare | Stage::System | Stage::Verify)
        }
        Task::RepairBoot => {
            Some(*stage) == now || !matches!(stage, Stage::Partition | Stage::Data | Stage::Finish)
        }
    };
    let stages = Stage::ALL.into_iter().filter(belongs);
    stages
        .map(|stage| match now {
            Some(now) if stage < now => Line::styled(format!("  done  {stage}"), look.quiet),
            Some(now) if stage == now => Line::styled(format!("  now   {stage}"), look.note),
            _ => Line::styled(format!("        {stage}"), look.dim),
        })
        .collect()
}

/// Bytes, rate and time.
fn numbers(state: &Work) -> String {
    let mut parts = Vec::new();
    if let Some(Progress { done, total, .. }) = state.progress {
        parts.push(format!("{} of {}", decimal_size(done), decimal_size(total)));
    }
    if let Some(rate) = state.rate() {
        parts.push(format!("{}/s", decimal_size(rate)));
    }
    if let Some(left) = state.left() {
        parts.push(format!("about {} left", whole(left)));
    }
    parts.push(format!("{} so far", whole(state.elapsed)));
    parts.join(", ")
}

/// A duration that changes while it is read, so without tenths.
fn whole(time: Duration) -> String {
    match time.as_secs() {
        seconds @ ..10 => format!("{seconds} s"),
        seconds => duration(Duration::from_secs(seconds)),
    }
}

fn gauge(progress: Option<Progress>, look: &Look, area: Rect, buffer: &mut Buffer) {
    let ratio = progress.map_or(0.0, |progress| ratio(progress.done, progress.total));
    LineGauge::default()
        .ratio(ratio)
        .label(format!("{:>3.0} %", (ratio * 100.0).floor()))
        .filled_symbol(look.gauge_symbols[0])
        .unfilled_symbol(look.gauge_symbols[1])
        .filled_style(look.gauge[0])
        .unfilled_style(look.gauge[1])
        .render(area, buffer);
}

/// `done / total`, from 0 to 1.
fn ratio(done: u64, total: u64) -> f64 {
    if total == 0 {
        return 0.0;
    }
    let thousandths = u128::from(done.min(total)) * 1000 / u128::from(total);
    f64::from(u16::try_from(thousandths).unwrap_or(1000)) / 1000.0
}
