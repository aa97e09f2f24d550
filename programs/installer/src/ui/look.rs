//! Colours, symbols and spacing of each kind of screen.

use ratatui::style::{Color, Modifier, Style};

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
        }
    }

    /// A monitor: light text on a dark ground, bands and bars of colour. Besides Latin-1 only
    /// block elements, which are drawn as rectangles, so the font need not have them.
    pub fn screen() -> Self {
        const GROUND: Color = Color::Rgb(0x0f, 0x15, 0x1d);
        const BAND: Color = Color::Rgb(0x18, 0x23, 0x31);
        const RAISED: Color = Color::Rgb(0x20, 0x33, 0x48);
        const KEY: Color = Color::Rgb(0x2f, 0x48, 0x63);
        const TEXT: Color = Color::Rgb(0xee, 0xf2, 0xf6);
        const QUIET: Color = Color::Rgb(0xa9, 0xb8, 0xc8);
        const ACCENT: Color = Color::Rgb(0x5e, 0xd3, 0xc0);
        const AMBER: Color = Color::Rgb(0xff, 0xc8, 0x6b);
        const RED: Color = Color::Rgb(0xff, 0x8f, 0x85);
        const DIM: Color = Color::Rgb(0x7d, 0x8b, 0x9a);
        let on = |ground: Color, text: Color| Style::new().bg(ground).fg(text);
        Self {
            text: on(GROUND, TEXT),
            quiet: Style::new().fg(QUIET),
            brand: Style::new().fg(TEXT),
            heading: Style::new().fg(ACCENT),
            band: on(BAND, TEXT),
            band_quiet: on(BAND, QUIET),
            key: on(KEY, TEXT),
            chosen: Style::new().bg(RAISED),
            note: Style::new().fg(AMBER),
            alert: Style::new().fg(RED),
            good: Style::new().fg(ACCENT),
            dim: Style::new().fg(DIM),
            field: on(RAISED, TEXT),
            cursor: on(ACCENT, GROUND),
            gauge: [on(ACCENT, ACCENT), on(RAISED, RAISED)],
            gauge_symbols: [" ", " "],
            field_ends: [" ", " "],
            key_ends: [" ", " "],
            bar: "▌ ",
            pointer: "▌ ",
            rule: "",
        }
    }
}
