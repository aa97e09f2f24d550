//! What the program is doing, and what each event makes of that. Pure: [`next`] touches nothing,
//! and whatever has to happen outside is returned as an [`Effect`].

use crate::hardware::{Hardware, Problem};

/// What the program is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Showing the name while the hardware is looked at.
    BootSplash(Splash),
    /// Showing the machine.
    Welcome(Welcome),
    /// Showing what went wrong.
    Error(Failure),
    /// Leaving.
    Exit,
}

/// Details of [`State::BootSplash`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Splash {
    /// What the scan found, once it is done.
    pub scanned: Option<Result<Hardware, Problem>>,
    /// It was shown for long enough, or a key was pressed.
    pub over: bool,
}

/// Details of [`State::Welcome`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// What is shown.
    pub hardware: Hardware,
    /// Index of the disk whose details are shown.
    pub selected: usize,
    /// Why `hardware` may be out of date: a problem that the user went back from.
    pub dismissed: Option<Problem>,
}

/// Details of [`State::Error`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub problem: Problem,
    /// Where Back leads.
    pub back: Option<Box<Welcome>>,
    /// What came of the last thing the user asked for.
    pub notice: Option<String>,
    /// The newest lines of the log, once the user asked for it.
    pub log: Vec<String>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The splash was shown for long enough.
    SplashOver,
    /// The hardware was looked at.
    Scanned(Result<Hardware, Problem>),
    /// The log was exported.
    LogExported {
        /// Where to, as a sentence.
        notice: String,
        /// Its newest lines.
        log: Vec<String>,
    },
    /// A key was pressed.
    Key(Key),
}

/// A key, wherever it was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A letter; always lower case.
    Letter(char),
    /// Arrow up.
    Up,
    /// Arrow down.
    Down,
    /// Any other key.
    Other,
}

/// Something to do outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Look at the hardware, then report [`Event::Scanned`].
    Scan,
    /// Forget what is known about the disks' content, then as [`Effect::Scan`].
    ScanAfresh,
    /// Export the log, then report [`Event::LogExported`].
    ExportLog,
}

impl State {
    /// The state to start in, and what to do first.
    pub fn start() -> (Self, Option<Effect>) {
        (Self::BootSplash(Splash::default()), Some(Effect::Scan))
    }

    /// Whether the hardware is to be looked at again every now and then.
    pub fn wants_rescans(&self) -> bool {
        matches!(self, Self::Welcome(_))
    }
}

/// What `event` makes of `state`, and what to do outside.
pub fn next(state: State, event: Event) -> (State, Option<Effect>) {
    match (state, event) {
        (State::BootSplash(splash), event) => (after_splash(splash, event), None),
        (State::Exit, _) | (State::Welcome(_) | State::Error(_), Event::Key(Key::Letter('q'))) => {
            (State::Exit, None)
        }
        (State::Welcome(welcome), event) => in_welcome(welcome, event),
        (State::Error(failure), event) => in_error(failure, event),
    }
}

fn after_splash(mut splash: Splash, event: Event) -> State {
    match event {
        Event::Scanned(result) => splash.scanned = Some(result),
        Event::SplashOver | Event::Key(_) => splash.over = true,
        Event::LogExported { .. } => {}
    }
    match splash.scanned {
        Some(result) if splash.over => after_scan(result, None),
        scanned => State::BootSplash(Splash { scanned, ..splash }),
    }
}

/// Where a scan leads whose outcome is awaited.
fn after_scan(result: Result<Hardware, Problem>, back: Option<Box<Welcome>>) -> State {
    match result {
        Ok(hardware) => State::Welcome(Welcome {
            hardware,
            selected: 0,
            dismissed: None,
        }),
        Err(problem) => State::Error(Failure {
            problem,
            back,
            notice: None,
            log: Vec::new(),
        }),
    }
}

fn in_welcome(mut welcome: Welcome, event: Event) -> (State, Option<Effect>) {
    let last = welcome.hardware.disks.len().saturating_sub(1);
    let effect = match event {
        Event::Key(Key::Up) => {
            welcome.selected = welcome.selected.saturating_sub(1);
            None
        }
        Event::Key(Key::Down) => {
            welcome.selected = (welcome.selected + 1).min(last);
            None
        }
        Event::Key(Key::Letter('r')) => {
            welcome.dismissed = None;
            Some(Effect::ScanAfresh)
        }
        Event::Scanned(Ok(hardware)) => {
            welcome.selected = same_disk(&welcome, &hardware);
            welcome.hardware = hardware;
            welcome.dismissed = None;
            None
        }
        Event::Scanned(Err(problem)) if welcome.dismissed.as_ref() != Some(&problem) => {
            return (after_scan(Err(problem), Some(Box::new(welcome))), None);
        }
        _ => None,
    };
    (State::Welcome(welcome), effect)
}

/// Index in `hardware` of the disk that is selected in `welcome`, or of one close to where it was.
fn same_disk(welcome: &Welcome, hardware: &Hardware) -> usize {
    let selected = welcome.hardware.disks.get(welcome.selected);
    selected
        .and_then(|selected| {
            let same_name = |disk: &crate::hardware::Disk| disk.name == selected.name;
            hardware.disks.iter().position(same_name)
        })
        .unwrap_or_else(|| welcome.selected.min(hardware.disks.len().saturating_sub(1)))
}

fn in_error(mut failure: Failure, event: Event) -> (State, Option<Effect>) {
    let effect = match event {
        Event::Key(Key::Letter('r')) => Some(Effect::ScanAfresh),
        Event::Key(Key::Letter('e')) => Some(Effect::ExportLog),
        Event::Key(Key::Letter('b')) => {
            if let Some(welcome) = failure.back {
                let welcome = Welcome {
                    dismissed: Some(failure.problem),
                    ..*welcome
                };
                return (State::Welcome(welcome), None);
            }
            None
        }
        Event::Scanned(Err(problem)) if problem == failure.problem => {
            failure.notice = Some("Tried again: nothing has changed.".to_owned());
            None
        }
        Event::Scanned(result) => return (after_scan(result, failure.back), None),
        Event::LogExported { notice, log } => {
            failure.notice = Some(notice);
            failure.log = log;
            None
        }
        Event::Key(_) | Event::SplashOver => None,
    };
    (State::Error(failure), effect)
}
