//! [`State::Recovery`]: the recovery key is shown once, and three of its words are asked for: who has not written it
//! down may look again, and nobody gets past it otherwise.

use super::{Done, Event, Input, Key, Next, State};
use crate::install::Shown;

/// Details of [`State::Recovery`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// The key, and what is asked of it.
    pub shown: Shown,
    /// What is on the screen.
    pub page: Page,
    /// What comes after it.
    done: Done,
}

/// What is on the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// The words, and their QR code.
    Words,
    /// The question for some of them.
    Question {
        /// What was typed for each that is asked for.
        typed: [Input; 3],
        /// Which of these is being typed.
        focus: usize,
        /// Which of these are not what was shown.
        wrong: Vec<usize>,
    },
}

impl Page {
    fn question() -> Self {
        Self::Question {
            typed: [(); 3].map(|()| Input::default()),
            focus: 0,
            wrong: Vec::new(),
        }
    }
}

impl Recovery {
    /// Shows the key before `done`.
    pub(super) fn new(shown: Shown, done: Done) -> Self {
        Self {
            shown,
            page: Page::Words,
            done,
        }
    }

    /// What comes after it, and says which machine this is.
    pub fn done(&self) -> &Done {
        &self.done
    }

    /// The state that shows this.
    pub(super) fn ask(self) -> Next {
        State::Recovery(Box::new(self)).alone()
    }

    /// Which of the words that were typed are not those of the key.
    fn wrong(&self, typed: &[Input; 3]) -> Vec<usize> {
        let asked = self.shown.asked.iter().zip(typed).enumerate();
        asked
            .filter(|(_, (index, input))| !self.shown.key.is_word(**index, input.text()))
            .map(|(place, _)| place)
            .collect()
    }
}

/// What happens in [`State::Recovery`].
pub(super) fn next(mut recovery: Recovery, event: &Event) -> Next {
    let Event::Key(key) = *event else {
        return recovery.ask();
    };
    match (&mut recovery.page, key) {
        (Page::Words, Key::Enter) => recovery.page = Page::question(),
        (Page::Words, _) => {}
        (Page::Question { .. }, Key::Esc) => recovery.page = Page::Words,
        (Page::Question { typed, focus, .. }, Key::Enter) => {
            if *focus + 1 < typed.len() && typed[*focus + 1].text().is_empty() {
                *focus += 1;
                return recovery.ask();
            }
            let typed = typed.clone();
            let found = recovery.wrong(&typed);
            let Some(first) = found.first().copied() else {
                return State::Done(recovery.done).alone();
            };
            recovery.page = Page::Question {
                typed,
                focus: first,
                wrong: found,
            };
        }
        (Page::Question { typed, focus, .. }, Key::Down | Key::Tab) => {
            *focus = (*focus + 1) % typed.len();
        }
        (Page::Question { typed, focus, .. }, Key::Up | Key::BackTab) => {
            *focus = focus.checked_sub(1).unwrap_or(typed.len() - 1);
        }
        (
            Page::Question {
                typed,
                focus,
                wrong,
            },
            key,
        ) => {
            if typed[*focus].press(key) {
                wrong.retain(|it| it != focus);
            }
        }
    }
    recovery.ask()
}
