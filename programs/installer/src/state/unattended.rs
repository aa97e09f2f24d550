//! [`State::Unattended`]: an answer file is about to be followed. It says what it will do for a
//! few seconds in which any key stops it.

use super::secure_boot;
use super::welcome::refuse;
use super::{Effect, Event, Key, Next, Origin, Purpose, State, Welcome, Work, target_of};
use crate::answers::{self, Answers, Ending, Refusal};
use crate::hardware::{Disk, Hardware, Problem};
use crate::install::{Request, Settings, Target, Task, most_data_partitions, settings_on};

/// For how many seconds the list of disks has to be still before one is written to: where the file names
/// it, and where it is whichever fits, so that another that turns up late would count.
const STILL_IF_NAMED: u8 = 5;
const STILL_IF_ANY: u8 = 20;
/// For how many seconds a disk that is not there yet is waited for.
const PATIENCE: u8 = 13;
/// For how many seconds the kernel's events alone make time start again, when no disk comes of them.
const NOISE: u16 = 120;
/// After how many seconds a list that never comes to rest is given up.
const LIMIT: u16 = 900;

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
    /// The disk that holds an installation which stays, and which is started instead.
    pub installed: Option<Box<Disk>>,
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
    /// Seconds until it is followed, or until it is refused: all that time the list of disks must be
    /// still.
    pub left: u8,
    /// Seconds since that list has changed.
    still: u16,
    /// Seconds since the beginning.
    waited: u16,
}

impl Unattended {
    /// The plan, and the disk on this machine that it is about.
    pub fn new(hardware: Hardware, plan: Plan) -> Self {
        let mut unattended = Self {
            chosen: choose(&hardware, &plan.answers),
            hardware,
            plan,
            left: 0,
            still: 0,
            waited: 0,
        };
        unattended.restart();
        unattended
    }

    /// What this computer lacks, and what will be lost that somebody might miss: a sentence each, for the
    /// screen and for the receipt.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = self.hardware.lacking();
        if let Ok(disk) = &self.chosen {
            warnings.extend(answers::erased(&self.plan.answers, disk));
        }
        warnings.extend(self.mismatch());
        warnings
    }

    /// What will not fit together beside another system, as a sentence.
    pub fn mismatch(&self) -> Option<String> {
        let disk = self.chosen.as_ref().ok()?;
        let is_beside = self.plan.answers.beside;
        is_beside.then(|| self.hardware.mismatch(disk)).flatten()
    }

    /// The settings that the disk gets.
    pub fn settings(&self, disk: &Disk) -> Settings {
        let answers = &self.plan.answers;
        match (answers.task, settings_on(disk)) {
            (Task::ChangeSettings, Some(present)) => answers.changes.applied_to(present),
            _ => answers.settings.clone(),
        }
    }

    /// Where to on the disk: all of it, or its largest free space.
    fn target(&self, disk: &Disk) -> Target {
        if !self.plan.answers.beside {
            return Target::WholeDisk;
        }
        let space = Purpose::Install.space_of(&self.hardware, disk);
        space.map_or(Target::WholeDisk, |it| target_of(&it))
    }

    /// Time starts again.
    fn restart(&mut self) {
        let answers = &self.plan.answers;
        self.left = match &self.chosen {
            Ok(disk) if answers.name_only(disk) => STILL_IF_NAMED.max(answers.countdown),
            Ok(_) => STILL_IF_ANY.max(answers.countdown),
            Err(_) => PATIENCE,
        };
    }

    /// Takes a newer look at the machine. If the list of disks is another one now, or what is known of
    /// them, time starts again; also if the kernel says that something has happened.
    fn follow(&mut self, hardware: Hardware) {
        let list = |it: &Hardware| (it.disks.clone(), it.pending.clone(), it.silent.clone());
        let is_other = list(&hardware) != list(&self.hardware);
        let is_noisy = hardware.events != self.hardware.events && self.still < NOISE;
        self.chosen = choose(&hardware, &self.plan.answers);
        self.hardware = hardware;
        if is_other {
            self.still = 0;
        }
        if is_other || is_noisy {
            self.restart();
        }
    }

    /// A second is over. None counts before all disks are known.
    fn count(&mut self) {
        self.still = self.still.saturating_add(1);
        self.waited = self.waited.saturating_add(1);
        if self.hardware.is_settled() {
            self.left = self.left.saturating_sub(1);
        } else {
            self.restart();
        }
        if self.waited >= LIMIT {
            self.left = 0;
            self.chosen = Err(Refusal::new(
                format!("The disks of this computer did not come to rest in {LIMIT} seconds."),
                "Look for one that comes and goes: a loose cable, or one that fails.",
            ));
        }
    }

    /// The time is over.
    fn decide(self) -> Next {
        match self.chosen.clone() {
            Ok(disk) => {
                let request = Box::new(Request {
                    task: self.plan.answers.task,
                    settings: self.settings(&disk),
                    encryption: self.plan.answers.encryption.clone(),
                    target: self.target(&disk),
                    secure_boot: self.plan.answers.secure_boot,
                    disk,
                    warnings: self.warnings(),
                });
                let work = Work::new(request.clone(), Origin::AnswerFile(Box::new(self)));
                (State::Progress(work), Some(Effect::Install(request)))
            }
            Err(Refusal {
                message,
                hint,
                installed,
            }) => {
                let refused = Refused {
                    source: Some(self.plan.source),
                    problems: vec![Problem::new(message, hint)],
                    on_error: self.plan.answers.on_error,
                    installed,
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
    if answers.beside && hardware.set.is_none() {
        return Err(Refusal::new(
            format!("{} is installed to whole disks only.", hardware.title()),
            "Leave into out of [disk] in the answer file.",
        ));
    }
    if answers.encryption.is_some() && hardware.set.is_some() {
        return Err(Refusal::new(
            format!(
                "{} keeps its data itself, and is not encrypted by this installer.",
                hardware.title()
            ),
            "Leave encryption, passphrase and recovery_key out of [settings] in the answer file.",
        ));
    }
    let refuse = |disk: &Disk| match hardware.set {
        Some(_) if answers.beside => purpose.space_of(hardware, disk).err(),
        Some(_) => purpose.refusal(hardware, disk),
        None => {
            let refusal = purpose.refusal(hardware, disk);
            refusal.or_else(|| want_of_room(answers, disk))
        }
    };
    let disk = answers::choose(answers, &hardware.disks, &refuse)?;
    refuse_unless_insisted(hardware, answers, disk)?;
    if let Some(refusal) = secure_boot::refusal(hardware, answers.secure_boot) {
        return Err(refusal);
    }
    if hardware.silent.is_empty() || answers.name_only(disk) {
        return Ok(disk.clone());
    }
    let (name, silent) = (&disk.name, hardware.silent.join(", "));
    Err(Refusal::new(
        format!("{name} fits the answer file, but so may what does not answer: {silent}."),
        "Take that away or mend it, or name in the answer file the disk's registered wwn, or its serial if it is \
         not on USB.",
    ))
}

/// Refuses an installation that would not start on this computer, and a version that is older than what
/// it takes the place of, unless the file says that this is meant.
fn refuse_unless_insisted(
    hardware: &Hardware,
    answers: &Answers,
    disk: &Disk,
) -> Result<(), Refusal> {
    if answers.task == Task::ChangeSettings && settings_on(disk).is_none() {
        return Err(Refusal::new(
            format!(
                "The settings on {} are wrong or lost, so none can stay.",
                disk.name
            ),
            "Choose Change settings by hand, in Tools, and write all of them.",
        ));
    }
    let wants_tpm = answers.encryption.as_ref().is_some_and(|it| it.tpm);
    if let Some(reason) = hardware.sealing.obstacle().filter(|_| wants_tpm) {
        return Err(Refusal::new(
            reason,
            "Mend that; or write encryption = \"passphrase\" in the answer file.",
        ));
    }
    let unmet = hardware.unmet();
    if answers.task == Task::Install && !unmet.is_empty() && !answers.ignore_requirements {
        return Err(Refusal::new(
            format!(
                "This computer lacks what {} needs. {}",
                hardware.title(),
                unmet.join(" ")
            ),
            "Mend that; or, to install all the same, add ignore_requirements = true to the answer file.",
        ));
    }
    let writes_system = matches!(answers.task, Task::KeepData | Task::RepairBoot);
    let is_downgrade = writes_system && hardware.is_downgrade(disk);
    if is_downgrade && !answers.allow_downgrade {
        let (name, written) = (&disk.name, hardware.version());
        let message = match disk.version() {
            Some(found) => format!(
                "{name} holds version {found}, and this medium writes {written}, which is older."
            ),
            None => format!(
                "{name} holds a version that nothing tells, and this medium writes {written}, which may be older."
            ),
        };
        return Err(Refusal::new(
            message,
            "Take a newer medium; or, if that is meant, add allow_downgrade = true to the answer file.",
        ));
    }
    Ok(())
}

/// What happens in [`State::Unattended`].
pub(super) fn next(mut unattended: Unattended, event: Event) -> Next {
    match event {
        // Noise on a line does not count as somebody.
        Event::Key(Key::Other) => {}
        Event::Key(_) => {
            let mut welcome = Welcome::new(unattended.hardware, true);
            welcome.pass_over(unattended.plan.source);
            return State::Welcome(welcome).alone();
        }
        Event::Scanned(Ok(hardware)) => unattended.follow(hardware),
        Event::Answers(Ok(plan)) if plan != unattended.plan => {
            unattended = Unattended::new(unattended.hardware, plan);
        }
        Event::Answers(Err(refused)) => return refuse(unattended.hardware, refused),
        Event::Second => {
            unattended.count();
            if unattended.left == 0 {
                return unattended.decide();
            }
        }
        _ => {}
    }
    State::Unattended(unattended).alone()
}
