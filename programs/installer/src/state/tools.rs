//! [`State::Tools`]: everything else that this medium is good for.

use super::{Choices, Effect, Event, Key, Next, Purpose, State, Welcome};
use crate::hardware::Hardware;

/// Details of [`State::Tools`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tools {
    /// The machine.
    pub hardware: Hardware,
    /// Index in [`Tools::all`] of the one that Enter takes.
    pub selected: usize,
    /// What came of the last export.
    pub notice: Option<String>,
}

/// A line of the menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// Something to do to, or to read from, a disk.
    Disk(Purpose),
    /// Write the logs to a stick and to the serial consoles.
    ExportLogs,
}

impl Tool {
    /// Every tool, in the order of the menu.
    const ALL: [Self; 5] = [
        Self::Disk(Purpose::KeepData),
        Self::Disk(Purpose::RepairBoot),
        Self::Disk(Purpose::ChangeSettings),
        Self::Disk(Purpose::Validate),
        Self::ExportLogs,
    ];

    /// Those for a set of partitions, which has no settings and keeps nothing of its former system.
    const OF_A_SET: [Self; 3] = [
        Self::Disk(Purpose::RepairBoot),
        Self::Disk(Purpose::Validate),
        Self::ExportLogs,
    ];

    /// The key that takes it at once; always a small letter.
    pub fn key(self) -> char {
        match self {
            Self::Disk(Purpose::KeepData) => 'k',
            Self::Disk(Purpose::RepairBoot) => 'p',
            Self::Disk(Purpose::ChangeSettings) => 'c',
            Self::Disk(Purpose::Validate) => 'v',
            Self::Disk(Purpose::Install) => 'i',
            Self::ExportLogs => 'e',
        }
    }
}

impl Tools {
    pub(super) fn new(hardware: Hardware) -> Self {
        Self {
            hardware,
            selected: 0,
            notice: None,
        }
    }

    /// The lines of the menu.
    pub fn all(&self) -> &'static [Tool] {
        match self.hardware.set {
            Some(_) => &Tool::OF_A_SET,
            None => &Tool::ALL,
        }
    }
}

pub(super) fn next(mut tools: Tools, event: Event) -> Next {
    match event {
        Event::Key(key) => return on_key(tools, key.command()),
        Event::Scanned(Ok(hardware)) => tools.hardware = hardware,
        Event::LogExported { notice, .. } => tools.notice = Some(notice),
        _ => {}
    }
    State::Tools(tools).alone()
}

fn on_key(mut tools: Tools, key: Key) -> Next {
    match key {
        Key::Up => tools.selected = tools.selected.saturating_sub(1),
        Key::Down => tools.selected = (tools.selected + 1).min(tools.all().len() - 1),
        Key::Enter => {
            let tool = tools.all()[tools.selected];
            return take(tools, tool);
        }
        Key::Esc | Key::Char('b') => {
            return State::Welcome(Welcome::new(tools.hardware, true)).alone();
        }
        Key::Char(c) => {
            if let Some(index) = tools.all().iter().position(|tool| tool.key() == c) {
                let tool = tools.all()[index];
                tools.selected = index;
                return take(tools, tool);
            }
        }
        _ => {}
    }
    State::Tools(tools).alone()
}

fn take(mut tools: Tools, tool: Tool) -> Next {
    match tool {
        Tool::Disk(purpose) => State::Disk(Choices::new(tools.hardware, purpose)).alone(),
        Tool::ExportLogs => {
            tools.notice = Some(super::EXPORTING.to_owned());
            (
                State::Tools(tools),
                Some(Effect::ExportLog { except: None }),
            )
        }
    }
}
