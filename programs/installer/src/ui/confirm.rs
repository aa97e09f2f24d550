//! The last question: the disk again, what will be lost, what will be made, and the proof.

use common::product::product;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::settings::field_box;
use super::text::{Page, split};
use super::{Look, beside, details, encryption, frame, machine, secure_boot};
use crate::hardware::{Disk, decimal_size};
use crate::install::{Address, Settings, Task, about_firmware};
use crate::state::{Confirm, DOWNGRADE, Proof};

/// Bytes of the partition that the firmware reads.
const EFI: u64 = 512 << 20;

/// Draws [`crate::state::State::Confirm`].
pub(super) fn render(state: &Confirm, look: &Look, area: Rect, buffer: &mut Buffer) {
    let space = state.choices.free_space();
    let (enter, title) = match state.task {
        Task::Install if space.is_some() => ("Install", "Confirm: install beside what is there"),
        Task::Install => ("Erase and install", "Confirm: install"),
        Task::KeepData => ("Reinstall", "Confirm: reinstall, keep data"),
        Task::RepairBoot if state.choices.hardware.set.is_some() => ("Recover", "Confirm: recover"),
        Task::RepairBoot => ("Repair", "Confirm: repair boot"),
        Task::ChangeSettings => ("Change", "Confirm: change settings"),
    };
    let mut keys = vec![("Esc", "Back")];
    if state.is_proven() {
        keys.insert(0, ("Enter", enter));
    }
    let product = Some(&state.choices.hardware.product);
    let area = frame::render(product, &keys, look, area, buffer);
    let mut question = Page::new(look, area);
    proof(state, look, &mut question);
    let mut page = Page::new(look, area);
    page.heading(title);
    if let Some(notice) = &state.choices.notice {
        page.say(notice, look.alert);
    }
    page.say(&machine::disk(&state.disk), look.text);
    let serial = format!("Serial number {}", machine::serial(&state.disk));
    page.say(&serial, look.text);
    if state.choices.hardware.has_twin(&state.disk) {
        let place = format!(
            "Another disk has the same. This one is at {}.",
            state.disk.place
        );
        page.say(&place, look.alert);
    }
    for sentence in state.choices.hardware.unmet() {
        page.item(&sentence, look.alert);
    }
    match state.task {
        Task::Install => {
            if let (Some(set), Some(space)) = (&state.choices.hardware.set, space) {
                beside::confirm(state, set, &space, look, &mut page);
            } else {
                will_be_lost(state, look, &mut page);
                will_be_made(state, look, &mut page);
            }
        }
        Task::ChangeSettings => change_settings(state, look, &mut page),
        Task::KeepData => {
            version(state, look, &mut page);
            keep_data(look, &mut page);
            encryption::kept(&state.disk, look, &mut page);
        }
        Task::RepairBoot => {
            version(state, look, &mut page);
            if state.choices.hardware.set.is_some() {
                recover(look, &mut page);
            } else {
                repair_boot(look, &mut page);
                encryption::kept(&state.disk, look, &mut page);
            }
        }
    }
    if let Some(sentence) = secure_boot::consequence(state) {
        page.item(sentence, look.note);
    }
    // Whatever has no room, the question has.
    let [above, below] = split(&page, &question, area);
    page.render_scrolled(state.scroll, above, buffer);
    question.render(below, buffer);
}

/// What is on the disk now.
fn will_be_lost(state: &Confirm, look: &Look, page: &mut Page<'_>) {
    page.blank();
    let parts = state.disk.contents.iter().flat_map(|it| &it.parts);
    let parts: Vec<String> = parts.map(details::part).collect();
    if parts.is_empty() {
        let found = details::summary(&state.disk);
        page.line(Line::styled(
            "All of this disk will be overwritten",
            look.alert,
        ));
        page.line(format!("  On it: {found}."));
    } else {
        page.line(Line::styled("All of this will be lost", look.alert));
    }
    for part in parts {
        page.line(format!("  {part}"));
    }
}

fn will_be_made(state: &Confirm, look: &Look, page: &mut Page<'_>) {
    page.heading("This will be made");
    if let Some(set) = &state.choices.hardware.set {
        for line in beside::whole_disk(set, &state.disk) {
            page.line(line);
        }
        if let Some(said) = about_firmware(state.choices.hardware.machine.firmware) {
            page.say(said, look.text);
        }
        return;
    }
    for line in layout(&state.disk, &state.settings) {
        page.line(line);
    }
    page.say(&network(&state.settings), look.text);
    encryption::will_be(state.encryption.as_ref(), look, page);
}

/// What becomes of the system's version.
fn version(state: &Confirm, look: &Look, page: &mut Page<'_>) {
    let change = machine::version_change(&state.choices.hardware, &state.disk);
    let title = state.choices.hardware.title();
    page.say(&format!("{title} on it: {change}."), look.note);
    if state.is_downgrade() {
        let is = match state.disk.version() {
            Some(_) => "has an older version than the disk",
            None => "may have an older version than the disk, as nothing there tells its version",
        };
        let text =
            format!("This medium {is}. It may not be able to read what the newer one has written.");
        page.say(&text, look.alert);
    }
}

fn keep_data(look: &Look, page: &mut Page<'_>) {
    page.heading("What happens");
    page.item(
        "The partition EFI is made again, and the system is written to it.",
        look.text,
    );
    page.item(
        "The data partitions and the settings on them stay as they are.",
        look.text,
    );
    page.item("The firmware's boot entry is written again.", look.text);
}

fn repair_boot(look: &Look, page: &mut Page<'_>) {
    page.heading("What happens");
    page.item(
        "The boot files on the partition EFI are written again.",
        look.text,
    );
    page.item("The firmware's boot entry is written again.", look.text);
    page.item("Data and settings stay as they are.", look.text);
}

fn recover(look: &Look, page: &mut Page<'_>) {
    page.heading("What happens");
    for sentence in [
        "The kernels, the boot menu and the boot loader are written again.",
        "The firmware's boot entry is written again.",
        "The system and the data stay as they are, and so does all that is not its own.",
    ] {
        page.item(sentence, look.text);
    }
}

fn change_settings(state: &Confirm, look: &Look, page: &mut Page<'_>) {
    page.heading("What changes");
    for change in machine::settings_change(&state.disk, &state.settings) {
        page.item(&change, look.text);
    }
    page.heading("What happens");
    page.item(
        "The new settings are left in the partition EFI. The appliance takes them when it starts next, and \
         keeps the old ones beside them.",
        look.text,
    );
    page.item("The data are not touched.", look.text);
}

/// The partitions, one line each kind.
fn layout(disk: &Disk, settings: &Settings) -> Vec<String> {
    let count = settings.data_partitions.max(1);
    let room = disk.size.saturating_sub(settings.reserved + EFI);
    let each = decimal_size(room / u64::from(count));
    let name = &product().disk.data;
    let data = match count {
        1 => format!("    2  {each:>9}  {name}, for data"),
        _ => format!(
            "  2-{}  {each:>9}  each, {name} to {name}{count}, for data",
            count + 1
        ),
    };
    let efi = decimal_size(EFI);
    let mut lines = vec![format!("    1  {efi:>9}  EFI, for the system"), data];
    if settings.reserved > 0 {
        let reserved = decimal_size(settings.reserved);
        lines.push(format!("       {reserved:>9}  reserved"));
    }
    lines
}

/// The names and the network, in a sentence.
fn network(settings: &Settings) -> String {
    let mut parts = vec![
        format!("Host name {}", settings.host_name),
        format!("node name {}", settings.node_name),
    ];
    match &settings.address {
        Address::Dhcp => parts.push("address by DHCP".to_owned()),
        Address::Static {
            address,
            prefix,
            gateway,
            name_servers,
        } => {
            parts.push(format!("address {address}/{prefix}"));
            parts.extend(gateway.map(|it| format!("gateway {it}")));
            parts.extend(name_servers.iter().map(|it| format!("name server {it}")));
        }
    }
    let server = settings.time_server.as_ref();
    parts.extend(server.map(|it| format!("time from {it}")));
    parts.join(", ") + "."
}

fn proof(state: &Confirm, look: &Look, page: &mut Page<'_>) {
    let proof = Proof::of(&state.disk);
    let word = if state.is_downgrade() { DOWNGRADE } else { "" };
    let gap = usize::from(!word.is_empty());
    let width = proof.text().len().max(4) + gap + word.len() + 2;
    let what = match &proof {
        Proof::Serial(end) if end.len() < 4 => "its serial number".to_owned(),
        Proof::Serial(end) => format!("the last {} characters of its serial number", end.len()),
        Proof::Name(name) => format!("{name}, since this disk has no serial number"),
    };
    let what = if word.is_empty() {
        what
    } else {
        format!("{what}, and behind it the word {word}")
    };
    let erases = state.task == Task::Install;
    let first = match state.choices.space {
        1.. if erases => "Nothing is erased. ",
        _ => "",
    };
    page.say(&format!("{first}If you are sure, type {what}."), look.text);
    let typed = state.typed.text().trim();
    let least = proof.text().len() + gap + word.len();
    let mut spans = vec![Span::raw("  ")];
    spans.extend(field_box(&state.typed, width, true, look));
    if state.is_proven() {
        spans.push(Span::styled("  Enter starts.", look.note));
    } else if typed.len() >= least {
        spans.push(Span::styled("  That is not it.", look.alert));
    }
    page.line(Line::from(spans));
}
