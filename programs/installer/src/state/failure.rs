//! [`State::Error`]: what went wrong stays on the screen until somebody decides what to do.

use super::{
    Choices, Confirm, EXPORTING, Effect, Event, Exit, Key, Next, Origin, Refused, State, Welcome,
    Work, repair,
};
use crate::answers::Ending;
use crate::hardware::{Disk, Hardware, Problem};
use crate::install::{self, Request, Stage};

/// For how many seconds a problem is shown before an answer file's ending comes.
const PAUSE: u8 = 10;

/// Details of [`State::Error`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub cause: Cause,
    /// What came of the last thing the user asked for.
    pub notice: Option<String>,
    /// The newest lines of the log, once the user asked for it.
    pub log: Vec<String>,
    /// How many lines are scrolled away.
    pub scroll: u16,
    /// What happens by itself, and in how many seconds.
    pub ending: Option<(Ending, u8)>,
}

/// What went wrong, and where Back leads.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant)] // there is one at a time
pub enum Cause {
    /// The machine cannot be looked at.
    Scan {
        /// Why.
        problem: Problem,
        /// Where Back leads.
        back: Option<Box<Welcome>>,
    },
    /// An installation did not come to its end.
    Install {
        /// Why.
        failure: install::Failure,
        /// What was asked for.
        request: Box<Request>,
        /// By whom.
        origin: Origin,
    },
    /// An answer file is not followed.
    Answers {
        /// Why.
        refused: Refused,
        /// The machine.
        hardware: Hardware,
    },
}

impl Failure {
    /// Something went wrong just now.
    pub fn new(cause: Cause) -> Self {
        let ending = match &cause {
            Cause::Scan { .. } => Ending::Wait,
            Cause::Install { origin, .. } => match origin {
                Origin::AnswerFile(unattended) => unattended.plan.answers.on_error,
                Origin::Person(_) => Ending::Wait,
            },
            Cause::Answers { refused, .. } if refused.installed.is_some() => Ending::StartInstalled,
            Cause::Answers { refused, .. } => refused.on_error,
        };
        Self {
            cause,
            notice: None,
            log: Vec::new(),
            scroll: 0,
            ending: soon(ending),
        }
    }

    /// The disk that holds an installation which stays, and can be started.
    pub fn installed(&self) -> Option<&Disk> {
        match &self.cause {
            Cause::Answers { refused, .. } => refused.installed.as_deref(),
            Cause::Scan { .. } | Cause::Install { .. } => None,
        }
    }

    /// Has the firmware start the installation that is on the disk.
    fn start_installed(mut self) -> Next {
        self.ending = None;
        let Some(disk) = self.installed().cloned() else {
            return State::Error(self).alone();
        };
        self.notice = Some(format!("The firmware is told to start {}...", disk.name));
        let effect = Effect::StartInstalled(Box::new(disk));
        (State::Error(self), Some(effect))
    }

    /// The firmware cannot be told so: what the file says of errors holds.
    fn cannot_start(&mut self, Problem { message, hint, .. }: &Problem) {
        self.notice = Some(format!("{message} {hint}"));
        if let Cause::Answers { refused, .. } = &self.cause {
            self.ending = soon(refused.on_error);
        }
    }

    /// Whether there is a way back.
    pub fn has_back(&self) -> bool {
        !matches!(self.cause, Cause::Scan { back: None, .. })
    }

    /// Whether what starts an installed set of partitions was looked at, and is not right.
    pub fn has_repair(&self) -> bool {
        self.is_of_a_set_from(Stage::Verify)
    }

    /// Whether starting the computer again is offered: not where a set of partitions was being written, and may not
    /// start.
    pub fn has_restart(&self) -> bool {
        !self.is_of_a_set_from(Stage::Partition)
    }

    fn is_of_a_set_from(&self, first: Stage) -> bool {
        match &self.cause {
            Cause::Install {
                failure, origin, ..
            } => origin.hardware().set.is_some() && failure.stage >= first,
            Cause::Scan { .. } | Cause::Answers { .. } => false,
        }
    }

    /// The machine, as far as it is known.
    pub fn hardware(&self) -> Option<&Hardware> {
        match &self.cause {
            Cause::Scan { back, .. } => back.as_ref().map(|welcome| &welcome.hardware),
            Cause::Install { origin, .. } => Some(origin.hardware()),
            Cause::Answers { hardware, .. } => Some(hardware),
        }
    }

    fn leave(&self, ending: Ending) -> State {
        let words = match &self.cause {
            Cause::Install { failure, .. } => Some(failure.disk.clone()),
            Cause::Scan { .. } | Cause::Answers { .. } => None,
        };
        State::Exit(match ending {
            Ending::PowerOff => Exit::power_off(words),
            Ending::Reboot | Ending::StartInstalled | Ending::Wait => Exit::restart(words),
        })
    }

    fn back(self) -> Next {
        match self.cause {
            Cause::Scan { back: None, .. } => State::Error(self).alone(),
            Cause::Scan {
                problem,
                back: Some(welcome),
            } => {
                let dismissed = Some(problem);
                State::Welcome(Welcome {
                    dismissed,
                    attended: true,
                    // It may have happened meanwhile.
                    settled: true,
                    ..*welcome
                })
                .alone()
            }
            Cause::Install {
                origin: Origin::Person(choices),
                ..
            } => (State::Disk(*choices), Some(Effect::ScanAfresh)),
            Cause::Install {
                origin: Origin::AnswerFile(unattended),
                ..
            } => State::Welcome(Welcome::new(unattended.hardware, true)).alone(),
            Cause::Answers { hardware, .. } => State::Welcome(Welcome::new(hardware, true)).alone(),
        }
    }

    /// Does the same again. What is written to is the disk that was confirmed, or nothing: it may
    /// have another name by now, and another disk may have its name.
    fn retry(mut self) -> Next {
        self.notice = None;
        match &mut self.cause {
            Cause::Scan { .. } => (State::Error(self), Some(Effect::ScanAfresh)),
            Cause::Answers { hardware, .. } => {
                let welcome = Welcome::new(hardware.clone(), false);
                (State::Welcome(welcome), Some(Effect::FindAnswers))
            }
            Cause::Install {
                request, origin, ..
            } => {
                let Some(disk) = same_disk(origin.hardware(), &request.disk) else {
                    if let Some(asked) = ask_again(request, origin) {
                        return asked;
                    }
                    self.notice = Some(is_away(request));
                    return (State::Error(self), Some(Effect::ScanAfresh));
                };
                request.disk = disk.clone();
                let work = Work::new(request.clone(), origin.clone());
                let effect = Effect::Install(request.clone());
                (State::Progress(work), Some(effect))
            }
        }
    }

    /// Asks about the same disk whether it shall be made to start.
    fn repair(mut self) -> Next {
        let Cause::Install {
            request, origin, ..
        } = &self.cause
        else {
            return State::Error(self).alone();
        };
        let hardware = origin.hardware();
        let place = same_disk(hardware, &request.disk)
            .and_then(|disk| hardware.disks.iter().position(|it| it.name == disk.name));
        if let Some(index) = place {
            return repair::ask(request, origin, index);
        }
        self.notice = Some(is_away(request));
        (State::Error(self), Some(Effect::ScanAfresh))
    }
}

fn is_away(request: &Request) -> String {
    let name = &request.disk.name;
    format!("{name} is not there. Attach it again, or press B to choose another disk.")
}

/// An ending that comes by itself, after some seconds.
fn soon(ending: Ending) -> Option<(Ending, u8)> {
    Some((ending, PAUSE)).filter(|(ending, _)| *ending != Ending::Wait)
}

/// The disk on this machine that is the same device as `disk`, if there is exactly one; of several paths
/// to it, the first.
fn same_disk<'a>(hardware: &'a Hardware, disk: &Disk) -> Option<&'a Disk> {
    let same = |other: &&Disk| other.is_same_device(disk);
    let found: Vec<&Disk> = hardware.disks.iter().filter(same).collect();
    let (first, more) = found.split_first()?;
    let is_one = more.iter().all(|it| it.is_another_path_to(first));
    is_one.then_some(*first)
}

/// Asks a person again about a disk that looks like the one that was confirmed, and may be another one: cheap
/// disks and USB bridges share their serial numbers. `None` if there is none, or nobody to ask.
fn ask_again(request: &Request, origin: &Origin) -> Option<Next> {
    let Origin::Person(choices) = origin else {
        return None;
    };
    let mut choices = (**choices).clone();
    let wanted = &request.disk;
    let mut disks = choices.hardware.disks.iter();
    choices.selected = disks.position(|it| it.looks_like(wanted))?;
    let is_alone = !disks.any(|it| it.looks_like(wanted));
    let disk = choices.disk()?.clone();
    choices.notice = Some(format!(
        "{} looks like {}, which was confirmed, and may still be another disk.",
        disk.name, wanted.name
    ));
    let is_same_place = choices.target() == request.target;
    let can_be_chosen = choices.refusal().is_none() && is_same_place;
    if is_alone && can_be_chosen && choices.task(&disk) == Some(request.task) {
        return Some(Confirm::new(choices, request.task, disk, request.settings.clone()).ask());
    }
    Some(State::Disk(choices).alone())
}

/// What happens in [`State::Error`].
pub(super) fn next(mut failure: Failure, event: Event) -> Next {
    match event {
        Event::Key(key) => return on_key(failure, key),
        Event::Scanned(result) => return on_scan(failure, result),
        Event::Starting(Ok(words)) => return State::Exit(Exit::restart(Some(words))).alone(),
        Event::Starting(Err(problem)) => failure.cannot_start(&problem),
        Event::LogExported { notice, log } => {
            failure.notice = Some(notice);
            failure.log = log;
        }
        Event::Second => {
            if let Some((ending, left)) = failure.ending {
                if left <= 1 && ending == Ending::StartInstalled {
                    return failure.start_installed();
                }
                if left <= 1 {
                    return failure.leave(ending).alone();
                }
                failure.ending = Some((ending, left - 1));
            }
        }
        _ => {}
    }
    State::Error(failure).alone()
}

fn on_key(mut failure: Failure, key: Key) -> Next {
    if key != Key::Other {
        failure.ending = None;
    }
    match key.command() {
        Key::Char('q') if failure.has_restart() => failure.leave(Ending::Reboot).alone(),
        Key::Char('q') => failure.leave(Ending::PowerOff).alone(),
        Key::Char('p') if failure.has_repair() => failure.repair(),
        Key::Char('r') => failure.retry(),
        Key::Char('s') => failure.start_installed(),
        Key::Char('b') | Key::Esc => failure.back(),
        Key::Char('e') => {
            failure.notice = Some(EXPORTING.to_owned());
            let except = match &failure.cause {
                Cause::Install { request, .. } => Some(Box::new(request.disk.clone())),
                Cause::Scan { .. } | Cause::Answers { .. } => None,
            };
            (State::Error(failure), Some(Effect::ExportLog { except }))
        }
        key => {
            key.scrolls(&mut failure.scroll);
            State::Error(failure).alone()
        }
    }
}

fn on_scan(mut failure: Failure, result: Result<Hardware, Problem>) -> Next {
    match (&mut failure.cause, result) {
        (Cause::Scan { problem, .. }, Err(now)) if now == *problem => {
            failure.notice = Some("Tried again: nothing has changed.".to_owned());
        }
        (Cause::Scan { problem, .. }, Err(now)) => {
            *problem = now;
            failure.notice = None;
            failure.log.clear();
        }
        (Cause::Scan { back, .. }, Ok(hardware)) => {
            let attended = back.is_some();
            return State::Welcome(Welcome::new(hardware, attended)).alone();
        }
        (Cause::Install { origin, .. }, Ok(hardware)) => match origin {
            Origin::Person(choices) => {
                // Where Back leads shows what changed.
                let _ = Choices::follow(choices, hardware);
            }
            Origin::AnswerFile(unattended) => unattended.hardware = hardware,
        },
        (Cause::Answers { hardware, .. }, Ok(now)) => *hardware = now,
        (Cause::Install { .. } | Cause::Answers { .. }, Err(_)) => {}
    }
    State::Error(failure).alone()
}
