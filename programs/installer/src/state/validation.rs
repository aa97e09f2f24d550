//! [`State::Validate`]: a read-only look at an installation, and what it found.

use super::{Choices, Effect, Event, Key, Next, State, repair};
use crate::install::Finding;

/// Details of [`State::Validate`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validation {
    /// The disk, and the way back.
    pub choices: Choices,
    /// What was found, once everything was looked at.
    pub findings: Option<Vec<Finding>>,
    /// How many lines are scrolled away.
    pub scroll: u16,
}

impl Validation {
    /// A look that was just begun.
    pub(super) fn new(choices: Choices) -> Self {
        Self {
            choices,
            findings: None,
            scroll: 0,
        }
    }

    /// Whether something was found that writing again what starts an installed set of partitions may mend.
    pub fn has_repair(&self) -> bool {
        let hardware = &self.choices.hardware;
        let disk = self.choices.disk();
        let mut findings = self.findings.iter().flatten();
        findings.any(|it| !it.good) && disk.is_some_and(|it| repair::is_recoverable(hardware, it))
    }
}

/// What happens in [`State::Validate`].
pub(super) fn next(mut validation: Validation, event: Event) -> Next {
    match event {
        Event::Validated(disk, findings) => {
            let is_this = validation.choices.disk().map(|it| it.name.as_str());
            if is_this == Some(disk.as_str()) {
                validation.findings = Some(findings);
            }
        }
        Event::Key(key) => match key.command() {
            Key::Esc | Key::Char('b') => return State::Disk(validation.choices).alone(),
            Key::Char('r') if validation.findings.is_some() => {
                let disk = validation.choices.disk().cloned();
                let effect = disk.map(|disk| Effect::Validate(Box::new(disk)));
                let validation = Validation::new(validation.choices);
                return (State::Validate(validation), effect);
            }
            Key::Char('p') if validation.has_repair() => {
                if let Some(asked) = repair::recover(&validation.choices) {
                    return asked;
                }
            }
            key => {
                key.scrolls(&mut validation.scroll);
            }
        },
        _ => {}
    }
    State::Validate(validation).alone()
}
