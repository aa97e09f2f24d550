//! [`State::Welcome`]: the machine, and where to go from here. Somebody may be there, or nobody:
//! until a key is pressed, an answer file that is found is followed.

use super::{
    Cause, Choices, Effect, Event, Exit, Failure, Key, Next, Purpose, Refused, State, Tools,
    Unattended,
};
use crate::hardware::{Hardware, Problem};

/// Details of [`State::Welcome`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// What is shown.
    pub hardware: Hardware,
    /// Linux had the time that it needs to find disks: what is not there now is lacking.
    pub settled: bool,
    /// How many lines are scrolled away.
    pub scroll: u16,
    /// Somebody pressed a key, so no answer file is followed any more.
    pub attended: bool,
    /// Why `hardware` may be out of date: a problem that the user went back from.
    pub dismissed: Option<Problem>,
    /// Which answer file is not followed, because somebody is there: where it was found.
    pub passed_over: Option<String>,
    /// Why a volume is not followed that may have been meant for an answer file.
    pub almost: Option<Problem>,
}

impl Welcome {
    pub(super) fn new(hardware: Hardware, attended: bool) -> Self {
        Self {
            hardware,
            settled: true,
            scroll: 0,
            attended,
            dismissed: None,
            passed_over: None,
            almost: None,
        }
    }

    /// Notes that an answer file is not followed, because somebody is there.
    pub(super) fn pass_over(&mut self, source: String) {
        self.almost = None;
        self.passed_over = Some(source);
    }
}

pub(super) fn next(mut welcome: Welcome, event: Event) -> Next {
    match event {
        Event::Key(key) => return on_key(welcome, key.command()),
        Event::Scanned(Ok(hardware)) => {
            welcome.hardware = hardware;
            welcome.dismissed = None;
        }
        Event::Scanned(Err(problem)) if welcome.dismissed.as_ref() != Some(&problem) => {
            let back = Some(Box::new(welcome));
            return State::Error(Failure::new(Cause::Scan { problem, back })).alone();
        }
        Event::Answers(answers) if !welcome.attended => match answers {
            Ok(plan) => return State::Unattended(Unattended::new(welcome.hardware, plan)).alone(),
            Err(refused) => return refuse(welcome.hardware, refused),
        },
        Event::Answers(Ok(plan)) => welcome.pass_over(plan.source),
        Event::Answers(Err(Refused {
            source, problems, ..
        })) => {
            let why = problems.into_iter().next().map(|it| it.message);
            let why = why.map(|it| it.trim_end_matches('.').to_owned());
            welcome.pass_over(source.or(why).unwrap_or_default());
        }
        Event::NoAnswers(almost) => welcome.almost = almost,
        Event::Settled => welcome.settled = true,
        _ => {}
    }
    State::Welcome(welcome).alone()
}

/// Says why an answer file is not followed.
pub(super) fn refuse(hardware: Hardware, refused: Refused) -> Next {
    State::Error(Failure::new(Cause::Answers { refused, hardware })).alone()
}

fn on_key(mut welcome: Welcome, key: Key) -> Next {
    match key {
        // What is missing takes a key of its own.
        Key::Enter if !welcome.hardware.unmet().is_empty() => welcome.attended = true,
        Key::Enter | Key::Char('i') => {
            return State::Disk(Choices::new(welcome.hardware, Purpose::Install)).alone();
        }
        Key::Char('t') => return State::Tools(Tools::new(welcome.hardware)).alone(),
        Key::Char('q') => return State::Exit(Exit::restart(None)).alone(),
        Key::Char('r') => {
            welcome.attended = true;
            welcome.dismissed = None;
            return (State::Welcome(welcome), Some(Effect::ScanAfresh));
        }
        // Noise on a line does not count as somebody.
        Key::Other => {}
        key => {
            welcome.attended = true;
            key.scrolls(&mut welcome.scroll);
        }
    }
    State::Welcome(welcome).alone()
}
