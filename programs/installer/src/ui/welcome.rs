//! The machine: what it is, what it lacks, and where to go from here.

use common::product::{Product, product};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::text::Page;
use super::{Look, frame, machine};
use crate::hardware::{Hardware, Problem, decimal_size, least, least_memory};
use crate::state::Welcome;

/// Columns between text and picture, and the fewest for text beside one.
const GAP: u16 = 2;
const LEAST_TEXT: u16 = 48;

/// Draws [`crate::state::State::Welcome`].
pub(super) fn render(state: &Welcome, look: &Look, area: Rect, buffer: &mut Buffer) {
    let unmet = state.hardware.unmet();
    let install = if unmet.is_empty() {
        ("Enter", "Install")
    } else {
        ("I", "Install anyway")
    };
    let keys = [
        install,
        ("T", "Tools"),
        ("R", "Look again"),
        ("Q", "Leave and restart"),
    ];
    let product = Some(&state.hardware.product);
    let area = frame::render(product, &keys, look, area, buffer);
    let area = logo(look, area).map_or(area, |logo| Rect {
        width: logo.x - area.x - GAP,
        ..area
    });
    let mut page = Page::new(look, area);
    fill(state, look, &mut page);
    page.render_scrolled(state.scroll, area, buffer);
}

/// Where the picture is, in the upper right corner of the room for text; `None` where too little is left.
pub(super) fn logo(look: &Look, room: Rect) -> Option<Rect> {
    let (width, height) = look.logo?;
    let fits = room.width >= width + GAP + LEAST_TEXT && room.height > height;
    fits.then(|| Rect::new(room.right() - width, room.y + 1, width, height))
}

fn fill(state: &Welcome, look: &Look, page: &mut Page<'_>) {
    let hardware = &state.hardware;
    page.heading("Welcome");
    let Product { texts, .. } = product();
    let name = hardware.title();
    if let Some(welcome) = &texts.welcome {
        page.say(welcome, look.text);
    }
    page.say(
        &format!("This program puts {name} on a disk. Nothing is written before you confirm."),
        look.text,
    );
    page.heading("This computer");
    page.fact("Model", machine::model(&hardware.machine));
    page.fact("Processor", &machine::processor(&hardware.machine));
    page.fact("Memory", &machine::memory(hardware.machine.memory));
    page.fact("Firmware", &machine::firmware(&hardware.machine));
    page.fact("Started from", &machine::started_from(hardware));
    let looking = !state.settled && !hardware.has_target();
    let disks = machine::disks(hardware);
    page.fact(
        "Disks",
        if looking {
            "looking for them..."
        } else {
            &disks
        },
    );
    page.heading(&format!("What {name} needs"));
    let by_bios = hardware.set.as_ref().is_some_and(|it| it.starts_by_bios());
    let firmware = if by_bios {
        "BIOS or 64-bit UEFI firmware"
    } else {
        "64-bit UEFI firmware"
    };
    let beside = match &hardware.set {
        Some(set) => {
            let least = decimal_size(least(set.made_beside(true)));
            format!(", or {least} of free space on a GPT disk beside another system")
        }
        None => String::new(),
    };
    page.say(
        &format!(
            "{firmware}, {} of memory and a disk of {} or more{beside}.",
            least_memory(),
            decimal_size(hardware.minimum_disk())
        ),
        look.text,
    );
    let lacking = if looking {
        hardware.unmet()
    } else {
        hardware.lacking()
    };
    if lacking.is_empty() && !looking {
        page.say("This computer has all of that.", look.good);
    }
    for sentence in &lacking {
        page.item(sentence, look.alert);
    }
    if lacking.is_empty() {
        page.blank();
    }
    if let Some(source) = &state.passed_over {
        let text = format!(
            "An answer file was found, and is not followed since a key was pressed: {source}. \
             Restart this computer to follow it."
        );
        page.say(&text, look.note);
    }
    if let Some(Problem { message, hint, .. }) = &state.almost {
        page.say(&format!("{message} {hint}"), look.note);
    }
    if state.dismissed.is_some() {
        let text = "This may be out of date: the last look failed. Press R to look again.";
        page.say(text, look.note);
    } else if !looking {
        page.say(&next_step(hardware, &lacking), look.text);
    }
}

/// What to press, given what is missing.
fn next_step(hardware: &Hardware, lacking: &[String]) -> String {
    let name = hardware.title();
    if !hardware.unmet().is_empty() {
        format!(
            "Without that, {name} does not start on this computer. To install it all the same, for \
             another one, press I."
        )
    } else if lacking.is_empty() {
        "Press Enter to choose a disk to install to.".to_owned()
    } else {
        format!("Without that, {name} cannot be installed.")
    }
}
