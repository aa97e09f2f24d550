//! [`State::Done`]: what was done, and the ways to leave.

use super::{EXPORTING, Effect, Event, Exit, Key, Next, Origin, State};
use crate::answers::Ending;
use crate::install::{Report, Task};

/// For how many seconds the screen is shown before an answer file's ending comes.
const PAUSE: u8 = 5;

/// Details of [`State::Done`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// What was done.
    pub report: Report,
    /// Who asked for it.
    pub origin: Origin,
    /// How many lines are scrolled away.
    pub scroll: u16,
    /// What happens by itself, and in how many seconds.
    pub ending: Option<(Ending, u8)>,
    /// What came of the last export.
    pub notice: Option<String>,
}

impl Done {
    /// What `report` says is done.
    pub fn new(report: Report, origin: Origin) -> Self {
        let ending = match &origin {
            Origin::AnswerFile(unattended) => unattended.plan.answers.on_success,
            Origin::Person(_) => Ending::Wait,
        };
        Self {
            report,
            origin,
            scroll: 0,
            ending: Some((ending, PAUSE)).filter(|(ending, _)| *ending != Ending::Wait),
            notice: None,
        }
    }

    /// Asks for the logs, on any stick but the disk that was installed to.
    fn export(mut self) -> Next {
        self.notice = Some(EXPORTING.to_owned());
        let mut disks = self.origin.hardware().disks.iter();
        let except = disks.find(|disk| disk.name == self.report.disk).cloned();
        let except = except.map(Box::new);
        (State::Done(self), Some(Effect::ExportLog { except }))
    }

    fn last_words(&self) -> String {
        let Report {
            task,
            disk,
            version,
            ..
        } = &self.report;
        let name = self.origin.hardware().title();
        match task {
            Task::Install | Task::KeepData => format!("{name} {version} is on {disk}."),
            Task::RepairBoot => format!("The boot files on {disk} are repaired."),
            Task::ChangeSettings => format!("{disk} takes the new settings when it starts."),
        }
    }

    fn leave(&self, ending: Ending) -> Next {
        let words = Some(self.last_words());
        State::Exit(match ending {
            Ending::PowerOff => Exit::power_off(words),
            Ending::Reboot | Ending::StartInstalled | Ending::Wait => Exit::restart(words),
        })
        .alone()
    }
}

/// What happens in [`State::Done`].
pub(super) fn next(mut done: Done, event: Event) -> Next {
    match event {
        Event::Second => {
            if let Some((ending, left)) = done.ending {
                if left <= 1 {
                    return done.leave(ending);
                }
                done.ending = Some((ending, left - 1));
            }
        }
        Event::Key(key) => {
            if key != Key::Other {
                done.ending = None;
            }
            match key.command() {
                Key::Char('r') => return done.leave(Ending::Reboot),
                Key::Char('p') => return done.leave(Ending::PowerOff),
                Key::Char('e') => return done.export(),
                key => {
                    key.scrolls(&mut done.scroll);
                }
            }
        }
        Event::LogExported { notice, .. } => done.notice = Some(notice),
        _ => {}
    }
    State::Done(done).alone()
}
