//! [`State::Tools`]: everything else that this medium is good for.

use super::{Choices, Effect, Event, Key, Next, Purpose, State, Welcome};
use crate::hardware::Hardware;

/// Details of [`State::Tools`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tools {
    /// The machine.
    pub hardware: Hardware,
    /// Index in [`Tool::ALL`] of the one that Enter takes.
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
    pub const ALL: [Self; 5] = [
        Self::Disk(Purpose::KeepData),
        Self::Disk(Purpose::RepairBoot),
        Self::Disk(Purpose::ChangeSettings),
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
        Key::Down => tools.selected = (tools.selected + 1).min(Tool::ALL.len() - 1),
        Key::Enter => {
            let tool = Tool::ALL[tools.selected];
            return take(tools, tool);
        }
        Key::Esc | Key::Char('b') => {
            return State::Welcome(Welcome::new(tools.hardware, true)).alone();
        }
        Key::Char(c) => {
            if let Some(index) = Tool::ALL.iter().position(|tool| tool.key() == c) {
                tools.selected = index;
                return take(tools, Tool::ALL[index]);
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
