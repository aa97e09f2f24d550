//! What an answer file is about to make happen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Look, ending, machine, text};
use crate::install::Task;
use crate::state::Unattended;

/// Draws [`crate::state::State::Unattended`].
pub(super) fn render(state: &Unattended, look: &Look, area: Rect, buffer: &mut Buffer) {
    let keys = [("Any key", "Stop and take over")];
    let product = Some(&state.hardware.product);
    text::on_screen(product, &keys, look, area, buffer, |page| {
        page.heading("Unattended installation");
        let answers = &state.plan.answers;
        page.say(&format!("It follows {}.", state.plan.source), look.text);
        page.heading("What it asks for");
        let (task, loss) = match answers.task {
            Task::Install => ("Install", "Everything on this disk will be lost."),
            Task::KeepData => ("Reinstall, keep data", "The data on this disk are kept."),
            Task::RepairBoot => ("Repair boot", "Data and settings stay as they are."),
        };
        page.fact("Task", task);
        let seconds = ending::seconds(state.left);
        match &state.chosen {
            Ok(disk) => {
                page.fact("Disk", &machine::disk(disk));
                page.fact("Serial number", machine::serial(disk));
                if answers.task == Task::Install {
                    page.fact("Host name", &answers.settings.host_name);
                    page.fact("Node name", &answers.settings.node_name);
                }
                page.blank();
                page.say(loss, look.alert);
                page.say(&format!("It starts in {seconds}."), look.note);
            }
            Err(refusal) => {
                page.blank();
                page.say(&refusal.message, look.note);
                page.say(&format!("Waiting {seconds} for that to change."), look.text);
            }
        }
    });
}
