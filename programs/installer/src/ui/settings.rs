//! The settings, as a form.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::text::{Page, split};
use super::{Look, encryption, frame, machine};
use crate::state::{Choices, Field, Input};

/// How many columns a label takes, and how many the field behind it.
const LABEL: usize = 18;
const BOX: usize = 40;

/// Draws [`crate::state::State::Settings`].
pub(super) fn render(state: &Choices, look: &Look, area: Rect, buffer: &mut Buffer) {
    let form = &state.form;
    let advanced = if form.advanced { "Fewer" } else { "Advanced" };
    let mut keys = vec![("Up/Down", "Choose"), ("Enter", "Go on"), ("Esc", "Back")];
    if !form.is_change {
        keys.insert(1, ("F2", advanced));
    }
    let product = Some(&state.hardware.product);
    let area = frame::render(product, &keys, look, area, buffer);
    let mut page = Page::new(look, area);
    page.heading("Settings");
    if let Some(disk) = state.disk().filter(|_| form.is_change || !form.advanced) {
        page.say(&format!("For {}", machine::disk(disk)), look.quiet);
        page.blank();
    }
    let mut focused = (0, 0);
    for (index, field) in form.shown().iter().enumerate() {
        let is_focused = index == form.focus;
        let from = page.len();
        let input = &form.inputs[*field as usize];
        page.line(match field {
            Field::Encryption => {
                let choice = encryption::choice(form, BOX, is_focused, look);
                labelled(*field, is_focused, choice, look)
            }
            _ => line(*field, input, is_focused, look),
        });
        if let Some(message) = &form.messages[*field as usize] {
            page.marked(&format!("   {:LABEL$}", ""), message, look.alert);
        }
        if is_focused {
            focused = (from, page.len());
        }
    }
    let mut below = Page::new(look, area);
    match form.shown()[form.focus] {
        Field::Encryption => {
            let hint = encryption::hint(form.protection, state.hardware.sealing);
            below.say(&hint, look.quiet);
        }
        field => below.say(hint(field), look.quiet),
    }
    let [fields, hint] = split(&page, &below, area);
    page.render_around(focused.0, focused.1, fields, buffer);
    below.render(hint, buffer);
}

fn line<'a>(field: Field, input: &Input, focused: bool, look: &Look) -> Line<'a> {
    labelled(field, focused, field_box(input, BOX, focused, look), look)
}

fn labelled<'a>(field: Field, focused: bool, content: Vec<Span<'a>>, look: &Look) -> Line<'a> {
    let pointer = if focused { look.pointer } else { "  " };
    let mut spans = vec![
        Span::styled(pointer, look.heading),
        Span::styled(format!("{:<LABEL$}", label(field)), look.quiet),
    ];
    spans.extend(content);
    Line::from(spans)
}

/// A field of `width` columns, and its ends. Of a text that is too long, the part at the cursor is
/// shown.
pub(super) fn field_box<'a>(
    input: &Input,
    width: usize,
    focused: bool,
    look: &Look,
) -> Vec<Span<'a>> {
    let [left, right] = look.field_ends;
    let start = (input.cursor() + 1).saturating_sub(width);
    let text: String = input.shown().chars().skip(start).take(width).collect();
    let text = format!("{text:<width$}");
    let mut spans = vec![Span::styled(left, look.quiet)];
    if focused {
        let at = input.cursor() - start;
        let under = match &text[at..=at] {
            " " if at + start == input.text().len() => "_".to_owned(),
            under => under.to_owned(),
        };
        spans.push(Span::styled(text[..at].to_owned(), look.field));
        spans.push(Span::styled(under, look.cursor));
        spans.push(Span::styled(text[at + 1..].to_owned(), look.field));
    } else {
        spans.push(Span::styled(text, look.field));
    }
    spans.push(Span::styled(right, look.quiet));
    spans
}

fn label(field: Field) -> &'static str {
    match field {
        Field::HostName => "Host name",
        Field::NodeName => "Node name",
        Field::DataPartitions => "Data partitions",
        Field::Encryption => "Encryption",
        Field::Passphrase => "Passphrase",
        Field::PassphraseAgain => "Passphrase again",
        Field::Reserved => "Reserved space",
        Field::TimeServer => "Time server",
        Field::Address => "Address",
        Field::Gateway => "Gateway",
        Field::NameServers => "Name servers",
    }
}

fn hint(field: Field) -> &'static str {
    match field {
        Field::HostName => "What this computer is called in its network.",
        Field::NodeName => "What this node calls itself towards other nodes.",
        Field::DataPartitions => "How many partitions share the room for data: 1 to 8.",
        Field::Encryption => "What opens the data.",
        Field::Passphrase => {
            "At least 12 characters. It is typed at the start, on an English keyboard."
        }
        Field::PassphraseAgain => "The same again.",
        Field::Reserved => "Room at the end of the disk that nothing uses, such as 10 GiB.",
        Field::TimeServer => "Whom to ask for the time (NTP): a name, an address, or nothing.",
        Field::Address => "dhcp, or a fixed address with its prefix, such as 192.0.2.10/24.",
        Field::Gateway => "Where everything outside the network goes. Only with a fixed address.",
        Field::NameServers => "Up to 3 addresses, with blanks between them. Only with a fixed one.",
    }
}
