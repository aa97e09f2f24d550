//! Colours, symbols and spacing of each kind of screen.

use common::product::{Colour, product};
use ratatui::style::{Color, Modifier, Style};

/// What ratatui calls a colour.
fn colour(Colour([red, green, blue]): Colour) -> Color {
    Color::Rgb(red, green, blue)
}

/// How one kind of screen looks.
#[derive(Clone, Debug)]
pub struct Look {
    /// Everything that is not said otherwise.
    pub text: Style,
    /// Labels and whatever matters less.
    pub quiet: Style,
    /// The product's name.
    pub brand: Style,
    /// Headings.
    pub heading: Style,
    /// The bands at the top and at the bottom.
    pub band: Style,
    /// Labels in the bands.
    pub band_quiet: Style,
    /// A key to press.
    pub key: Style,
    /// The chosen row of a list.
    pub chosen: Style,
    /// Something to take note of.
    pub note: Style,
    /// Something that went wrong.
    pub alert: Style,
    /// Something that is as it should be.
    pub good: Style,
    /// What cannot be chosen.
    pub dim: Style,
    /// A field to write in.
    pub field: Style,
    /// The character that the next one is written in front of.
    pub cursor: Style,
    /// What is done, and what is left, of a bar.
    pub gauge: [Style; 2],
    /// The symbols that a bar is made of.
    pub gauge_symbols: [&'static str; 2],
    /// What stands to the left and to the right of a field.
    pub field_ends: [&'static str; 2],
    /// What stands to the left and to the right of a key.
    pub key_ends: [&'static str; 2],
    /// What stands to the left of the brand.
    pub bar: &'static str,
    /// What stands to the left of the chosen row of a list.
    pub pointer: &'static str,
    /// The line that separates a band where colours do not; empty where they do.
    pub rule: &'static str,
    /// Columns and rows of the picture on the first screen, if there is one.
    pub logo: Option<(u16, u16)>,
}

impl Look {
    /// A serial console: ASCII, eight colours and no more room than 80 by 24 cells.
    pub fn serial() -> Self {
        let plain = Style::new();
        let bold = plain.add_modifier(Modifier::BOLD);
        Self {
            text: plain,
            quiet: plain,
            brand: bold.fg(Color::Cyan),
            heading: bold.fg(Color::Cyan),
            band: plain,
            band_quiet: plain,
            key: bold,
            chosen: bold,
            note: bold.fg(Color::Green),
            alert: bold.fg(Color::Red),
            good: plain.fg(Color::Green),
            dim: plain,
            field: plain,
            cursor: plain.bg(Color::White).fg(Color::Black),
            gauge: [bold, plain],
            gauge_symbols: ["#", "."],
            field_ends: ["[", "]"],
            key_ends: ["[", "]"],
            bar: "",
            pointer: "> ",
            rule: "-",
            logo: None,
        }
    }

    /// A monitor: light text on a dark ground, bands and bars of colour. Besides Latin-1 only
    /// block elements, which are drawn as rectangles, so the font need not have them.
    pub fn screen() -> Self {
        let of = &product().colours;
        let [ground, band, raised, key] = [of.ground, of.band, of.raised, of.key].map(colour);
        let [text, quiet, dim] = [of.text, of.quiet, of.dim].map(colour);
        let [accent, amber, red] = [of.accent, of.amber, of.red].map(colour);
        let on = |ground: Color, text: Color| Style::new().bg(ground).fg(text);
        Self {
            text: on(ground, text),
            quiet: Style::new().fg(quiet),
            brand: Style::new().fg(text),
            heading: Style::new().fg(accent),
            band: on(band, text),
            band_quiet: on(band, quiet),
            key: on(key, text),
            chosen: Style::new().bg(raised),
            note: Style::new().fg(amber),
            alert: Style::new().fg(red),
            good: Style::new().fg(accent),
            dim: Style::new().fg(dim),
            field: on(raised, text),
            cursor: on(accent, ground),
            gauge: [on(accent, accent), on(raised, raised)],
            gauge_symbols: [" ", " "],
            field_ends: [" ", " "],
            key_ends: [" ", " "],
            bar: "▌ ",
            pointer: "▌ ",
            rule: "",
            logo: None,
        }
    }
}
