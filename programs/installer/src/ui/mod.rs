//! What each state looks like, as one ratatui widget tree for every kind of screen. A [`Look`]
//! holds all that differs between them: colours, symbols and how much air there is.

mod beside;
mod confirm;
mod details;
mod disk;
mod done;
mod encryption;
mod ending;
mod error;
mod frame;
mod look;
mod machine;
mod progress;
mod recovery;
mod secure_boot;
mod settings;
mod splash;
mod text;
mod tools;
mod unattended;
mod validate;
mod welcome;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;

use crate::state::State;

pub use look::Look;

/// Everything that is drawn: a state, in one look.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// What to draw.
    pub state: &'a State,
    /// How.
    pub look: &'a Look,
}

impl View<'_> {
    /// The fewest columns and rows that everything fits in. The larger the cells of a screen are,
    /// the better.
    pub fn fewest_cells(&self) -> (usize, usize) {
        match self.state {
            State::BootSplash | State::Exit(_) => (40, 12),
            _ => (80, 25),
        }
    }

    /// The cells of a screen of `width` by `height` that are left free for the picture.
    pub fn logo_area(&self, width: u16, height: u16) -> Option<Rect> {
        let is_first = matches!(self.state, State::Welcome(_));
        let room = frame::room(self.look, Rect::new(0, 0, width, height));
        welcome::logo(self.look, room).filter(|_| is_first)
    }

    /// Draws a whole screen of `width` by `height` cells.
    pub fn draw(&self, width: u16, height: u16) -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
        self.render(buffer.area, &mut buffer);
        buffer
    }
}

impl Widget for View<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        buffer.set_style(area, self.look.text);
        match self.state {
            State::BootSplash => splash::starting(self.look, area, buffer),
            State::Welcome(state) => welcome::render(state, self.look, area, buffer),
            State::Tools(state) => tools::render(state, self.look, area, buffer),
            State::Disk(state) => disk::render(state, self.look, area, buffer),
            State::Settings(state) => settings::render(state, self.look, area, buffer),
            State::SecureBoot(state) => secure_boot::render(state, self.look, area, buffer),
            State::Confirm(state) => confirm::render(state, self.look, area, buffer),
            State::Progress(state) => progress::render(state, self.look, area, buffer),
            State::Recovery(state) => recovery::render(state, self.look, area, buffer),
            State::Done(state) => done::render(state, self.look, area, buffer),
            State::Validate(state) => validate::render(state, self.look, area, buffer),
            State::Unattended(state) => unattended::render(state, self.look, area, buffer),
            State::Error(state) => error::render(state, self.look, area, buffer),
            State::Exit(state) => splash::leaving(state, self.look, area, buffer),
        }
    }
}
