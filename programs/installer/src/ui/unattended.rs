//! What an answer file is about to make happen, and what it leaves alone.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::text::{Page, split};
use super::{Look, details, ending, frame, machine, secure_boot};
use crate::hardware::{Contents, Disk, Volume};
use crate::install::Task;
use crate::state::Unattended;

/// Draws [`crate::state::State::Unattended`].
pub(super) fn render(state: &Unattended, look: &Look, area: Rect, buffer: &mut Buffer) {
    let keys = [("Any key", "Stop and take over")];
    let product = Some(&state.hardware.product);
    let area = frame::render(product, &keys, look, area, buffer);
    let mut foot = Page::new(look, area);
    decision(state, look, &mut foot);
    let mut page = Page::new(look, area);
    page.heading("Unattended installation");
    page.say(&format!("It follows {}.", state.plan.source), look.text);
    page.heading("What it asks for");
    let task = match state.plan.answers.task {
        Task::Install if state.plan.answers.beside => "Install into free space",
        Task::Install => "Install",
        Task::KeepData => "Reinstall, keep data",
        Task::RepairBoot => "Repair boot",
        Task::ChangeSettings => "Change settings",
    };
    page.fact("Task", task);
    match &state.chosen {
        Ok(disk) => target(state, disk, &mut page),
        Err(refusal) => {
            page.blank();
            page.say(&refusal.message, look.note);
        }
    }
    for sentence in state.hardware.lacking().into_iter().chain(state.mismatch()) {
        page.item(&sentence, look.alert);
    }
    let [above, below] = split(&page, &foot, area);
    page.render_in_turns(state.left.into(), above, buffer);
    foot.render(below, buffer);
}

/// The disk with what is on it, the names that it gets, and all other disks.
fn target(state: &Unattended, disk: &Disk, page: &mut Page<'_>) {
    page.fact("Disk", &machine::disk(disk));
    page.fact("Serial number", machine::serial(disk));
    page.fact("On it", &details::on_it(disk));
    let answers = &state.plan.answers;
    if answers.task == Task::ChangeSettings {
        let changes = machine::settings_change(disk, &state.settings(disk));
        page.fact("Changes", &changes.join("; "));
    }
    if matches!(answers.task, Task::KeepData | Task::RepairBoot) {
        page.fact("Version", &machine::version_change(&state.hardware, disk));
    }
    if answers.task == Task::Install && state.hardware.set.is_none() {
        page.fact("Host name", &answers.settings.host_name);
        page.fact("Node name", &answers.settings.node_name);
        if let Some(encryption) = &answers.encryption {
            let by = format!("encrypted, opened by {}", encryption.protection());
            page.fact("Data", &by);
        }
    }
    if let Some(value) = secure_boot::answered(answers.secure_boot) {
        page.fact("Secure Boot", value);
    }
    page.fact("Untouched", &machine::others(&state.hardware, disk));
}

/// What happens when the time is over.
fn decision(state: &Unattended, look: &Look, page: &mut Page<'_>) {
    let seconds = ending::seconds(state.left);
    match &state.chosen {
        Ok(disk) => {
            page.say(&loss(state, disk), look.alert);
            let busy = waiting(state);
            if busy.is_empty() {
                page.say(&format!("It starts in {seconds}."), look.note);
            } else {
                let text = format!("It starts {seconds} after these are known: {busy}.");
                page.say(&text, look.note);
            }
        }
        Err(_) => {
            page.say(&format!("Waiting {seconds} for that to change."), look.text);
        }
    }
}

fn loss(state: &Unattended, disk: &Disk) -> String {
    let task = state.plan.answers.task;
    let contents = disk.contents.as_ref();
    let has_installation = contents.is_some_and(Contents::has_installation);
    match task {
        Task::Install if state.plan.answers.beside => {
            "Nothing on this disk is lost: free space is installed to.".to_owned()
        }
        Task::Install if has_installation => format!(
            "Everything on this disk will be lost: {} with its data, too.",
            state.hardware.title()
        ),
        Task::Install => "Everything on this disk will be lost.".to_owned(),
        Task::KeepData | Task::ChangeSettings => "The data on this disk are kept.".to_owned(),
        Task::RepairBoot => "Data and settings stay as they are.".to_owned(),
    }
}

/// What is not known yet.
fn waiting(state: &Unattended) -> String {
    let disks = state.hardware.disks.iter();
    let unread = disks.filter(|disk| disk.volume == Volume::Unread);
    let unread = unread.map(|disk| disk.name.clone());
    let all: Vec<String> = state
        .hardware
        .pending
        .iter()
        .cloned()
        .chain(unread)
        .collect();
    all.join(", ")
}
