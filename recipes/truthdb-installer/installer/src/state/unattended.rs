//! [`State::Unattended`]: an answer file is about to be followed. It says what it will do for a
//! few seconds in which any key stops it.

use super::welcome::refuse;
use super::{Effect, Event, Key, Next, Origin, Purpose, State, Welcome, Work};
use crate::answers::{self, Answers, Ending, Refusal};
use crate::hardware::{Disk, Hardware, Problem};
use crate::install::{Request, Settings, Task, most_data_partitions};

/// For how many seconds what will be done is shown.
const COUNTDOWN: u8 = 3;
/// For how many seconds a disk that is not there yet is waited for.
const PATIENCE: u8 = 13;

/// An answer file that can be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Where it was found, in words for people.
    pub source: String,
    /// What it asks for.
    pub answers: Answers,
}

/// An answer file that cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Where it was found, in words for people; nothing if that is the problem.
    pub source: Option<String>,
    /// Everything that is wrong.
    pub problems: Vec<Problem>,
    /// What it wants to happen then.
    pub on_error: Ending,
}

/// Details of [`State::Unattended`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unattended {
    /// The machine.
    pub hardware: Hardware,
    /// The answer file.
    pub plan: Plan,
    /// The disk that it is about, or why there is none.
    pub chosen: Result<Disk, Refusal>,
    /// Seconds until it is followed, or until it is refused.
    pub left: u8,
}

impl Unattended {
    /// The plan, and the disk on this machine that it is about.
    pub fn new(hardware: Hardware, plan: Plan) -> Self {
        let chosen = choose(&hardware, &plan.answers);
        let left = if chosen.is_ok() { COUNTDOWN } else { PATIENCE };
        Self {
            hardware,
            plan,
            chosen,
            left,
        }
    }

    /// Takes a newer look at the machine. If the disk is another one now, time starts again.
    fn follow(&mut self, hardware: Hardware) {
        let before = self.chosen.as_ref().ok().map(Disk::key);
        self.chosen = choose(&hardware, &self.plan.answers);
        self.hardware = hardware;
        let now = self.chosen.as_ref().ok().map(Disk::key);
        if now != before {
            self.left = if now.is_some() { COUNTDOWN } else { PATIENCE };
        }
    }

    /// The time is over.
    fn decide(self) -> Next {
        match self.chosen.clone() {
            Ok(disk) => {
                let Answers { task, settings, .. } = &self.plan.answers;
                let request = Box::new(Request {
                    task: *task,
                    disk,
                    settings: Settings::clone(settings),
                });
                let work = Work::new(request.clone(), Origin::AnswerFile(Box::new(self)));
                (State::Progress(work), Some(Effect::Install(request)))
            }
            Err(Refusal { message, hint }) => {
                let refused = Refused {
                    source: Some(self.plan.source),
                    problems: vec![Problem::new(message, hint)],
                    on_error: self.plan.answers.on_error,
                };
                refuse(self.hardware, refused)
            }
        }
    }
}

/// Why what is asked for does not fit on `disk`, in few words.
fn want_of_room(answers: &Answers, disk: &Disk) -> Option<String> {
    let Settings {
        data_partitions: count,
        reserved,
        ..
    } = answers.settings;
    let most = most_data_partitions(disk, reserved);
    (answers.task == Task::Install && count > most).then(|| {
        format!("it has room for {most} data partitions beside what is reserved, not {count}")
    })
}

fn choose(hardware: &Hardware, answers: &Answers) -> Result<Disk, Refusal> {
    let purpose = Purpose::of(answers.task);
    let refuse = |disk: &Disk| {
        let refusal = purpose.refusal(hardware, disk);
        refusal.or_else(|| want_of_room(answers, disk))
    };
    answers::choose(answers, &hardware.disks, &refuse).cloned()
}

/// What happens in [`State::Unattended`].
pub(super) fn next(mut unattended: Unattended, event: Event) -> Next {
    match event {
        // Noise on a line does not count as somebody.
        Event::Key(Key::Other) => {}
        Event::Key(_) => {
            return State::Welcome(Welcome::new(unattended.hardware, true)).alone();
        }
        Event::Scanned(Ok(hardware)) => unattended.follow(hardware),
        Event::Second => {
            unattended.left = unattended.left.saturating_sub(1);
            if unattended.left == 0 {
                return unattended.decide();
            }
        }
        _ => {}
    }
    State::Unattended(unattended).alone()
}
