//! `appliance unlock`, before `check`: opens data that are encrypted. The machine's TPM does it, if what was measured
//! is what it was told to go by; else somebody is asked for the passphrase or the recovery key, and told why. Nobody
//! who does not open them gets further: no service is started, and nothing of the network.
//!
//! A key that an installer put into the TPM goes by the signature of the system alone. The first start binds it to how
//! this machine starts it, too ([`measured`]), and so does a start after which somebody wants it.
//!
//! | module | owns |
//! | --- | --- |
//! | `measured`, `policy` | what the TPM goes by: as it was, as it is; the signature of the system |
//! | `reasons` | why it does not open the data |
//! | `ask`, `line` | consoles, and what is typed there |
//! | `state` | what came of it |

mod ask;
mod line;
mod measured;
mod policy;
mod reasons;
mod state;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::answer_file::base64;
use common::luks::{Binding, By, Header, Volume, has_tpm};
use common::problem::Problem;
use common::product::product;
use common::recovery_key::{RecoveryKey, WORDS};
use common::secret::Secret;
use common::tpm;
use serde_json::Value;

pub use state::{Part, Unlocked};

use crate::console::Console;
use crate::data::Encryption;
use crate::disk::label;
use crate::os_release;
use crate::page::Page;
use ask::{Answer, Ask, LAST_TRY, Question};
use measured::{Measured, REGISTERS};
use policy::{Policy, SYSTEM, policy};
use reasons::{Facts, Tpm, reasons};

/// The name of the phase that ends here: systemd-pcrphase(8).
const PHASE: &[u8] = b"leave-initrd";
/// Where systemd's programs look for the signature of the system.
const SIGNATURE: &str = "run/systemd/tpm2-pcr-signature.json";
/// The first pause after a wrong answer; it doubles each time …
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// … up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long somebody may think about what comes after the data are open.
const PATIENCE: Duration = Duration::from_mins(1);
/// So many words are meant to be a recovery key.
const MANY_WORDS: usize = WORDS / 2;
/// What is asked for.
const KEY: &str = "Passphrase or recovery key:";

/// Opens the data below `root`. It succeeds whatever it found, as `check` does; fails if it cannot write below `/run`.
pub fn run(root: &Path) -> io::Result<()> {
    std::fs::create_dir_all(root.join(product().run("")))?;
    let mut console = Console::open(root);
    console.show(&page(root, "looking for the disk"));
    let mut unlocked = Unlocked::look(root);
    let mut closed = Vec::new();
    for part in &mut unlocked.partitions {
        let volume = Volume::new(root, root.join("dev").join(&part.device));
        match volume.is_encrypted() {
            Ok(false) => continue,
            Ok(true) => {}
            // `check` says more of a disk that cannot be read.
            Err(error) => {
                tracing::error!(%error, part.device, "cannot be read");
                continue;
            }
        }
        console.show(&page(
            root,
            &format!("opening {} on {}", label(part.number), part.device),
        ));
        let mut door = Door { root, part, volume };
        match door.open_by_tpm() {
            Ok(warning) => unlocked.warning = warning.or(unlocked.warning.take()),
            Err(reasons) => closed.push((door, reasons)),
        }
    }
    if !closed.is_empty() {
        drop(console);
        let warning = ask_for(root, closed);
        unlocked.warning = warning.or(unlocked.warning);
    }
    // Nothing that runs later gets the key from the TPM.
    if has_tpm(root)
        && let Err(error) = tpm::measure(root, SYSTEM, PHASE)
    {
        tracing::error!(%error, "PCR 11 cannot be extended");
    }
    unlocked.write(root)
}

/// `appliance lock`, after the data were unmounted: closes what `unlock` opened below `root`. Fails with what could not
/// be closed.
pub fn lock(root: &Path) -> io::Result<()> {
    let parts = Unlocked::read(root).map(|it| it.partitions);
    let mut outcome = Ok(());
    for part in parts.iter().flatten().filter(|it| it.is_open()) {
        if let Err(problem) = Volume::close(root, &part.mapping()) {
            outcome = Err(io::Error::other(problem.message));
        }
    }
    outcome
}

fn page(root: &Path, doing: &str) -> Page {
    Page {
        title: os_release::name(root),
        rows: vec![("Data", doing.to_owned())],
        problems: Vec::new(),
    }
}

/// An encrypted partition.
struct Door<'a> {
    root: &'a Path,
    part: &'a mut Part,
    volume: Volume<'a>,
}

impl Door<'_> {
    /// Has the TPM open it, and binds it to this machine if it is not yet; returns why that failed, if it did. Fails
    /// with why the TPM did not open it: with nothing, where that is not its task.
    fn open_by_tpm(&mut self) -> Result<Option<Problem>, Vec<String>> {
        let header = self.volume.header().ok().flatten();
        // Of a header that is damaged, which is mended from the other one, nobody knows.
        let token = header.as_ref().map(tpm_token);
        if token == Some(None) {
            self.part.close("Nobody has typed its passphrase.");
            return Err(Vec::new());
        }
        let opened = if has_tpm(self.root) {
            let signature = policy::signature(self.root);
            self.volume.open_by_tpm(&self.part.mapping(), &signature)
        } else {
            Err(Problem::new("there is no TPM", ""))
        };
        let Err(problem) = opened else {
            self.part.encryption = Encryption::Tpm;
            let header = self.volume.header().ok().flatten();
            let is_bound = header
                .and_then(|it| it.tpm)
                .is_some_and(|it| !it.pcrs.is_empty());
            return Ok((!is_bound).then(|| self.bind(By::Tpm).err()).flatten());
        };
        let reasons = reasons(&facts(
            self.root,
            &header.unwrap_or_default(),
            problem.message,
        ));
        tracing::warn!(reason = reasons.join(" "), "the TPM does not open the data");
        self.part.close(&reasons.join(" "));
        Err(reasons)
    }

    /// Opens it by what somebody typed; returns what that was, `None` for nothing that opens it.
    fn open_by(&mut self, typed: &Typed) -> Result<Option<Secret>, Problem> {
        let name = self.part.mapping();
        let recovery = typed.recovery.as_ref().ok();
        let tries = [
            recovery.map(|key| (key.passphrase(), Encryption::Recovery)),
            Some((&typed.text, Encryption::Passphrase)),
        ];
        for (secret, encryption) in tries.into_iter().flatten() {
            if self.volume.open(&name, secret)? {
                self.part.encryption = encryption;
                self.part.closed = None;
                return Ok(Some(secret.clone()));
            }
        }
        Ok(None)
    }

    /// Whether the TPM may open it, and did not.
    fn wants_tpm(&self) -> bool {
        let header = self.volume.header().ok().flatten();
        header.is_some_and(|it| tpm_token(&it).is_some())
    }

    /// Has the TPM open it from now on whenever this machine starts this system, or one with the same signature, as
    /// it did now. The new key is there before an old one goes.
    fn bind(&self, by: By<'_>) -> Result<(), Problem> {
        let root = self.root;
        let bind = || -> Result<(), Problem> {
            let place = root.join(SIGNATURE);
            let copy = || {
                std::fs::create_dir_all(place.parent().unwrap_or(root))?;
                std::fs::copy(policy::signature(root), &place)
            };
            copy().map_err(|error| {
                Problem::new(format!("/{SIGNATURE} cannot be made: {error}"), "")
            })?;
            let public_key = &policy::public_key(root);
            let pcrs = &REGISTERS.map(|it| u8::try_from(it).unwrap_or_default());
            if matches!(by, By::Secret(_)) {
                // systemd-cryptenroll does nothing where a key is bound to the same values, even if another TPM has
                // it. So one that is bound to none takes its place first: there is one at each moment.
                let pcrs = &[];
                self.volume.enroll_tpm(by, Binding { pcrs, public_key })?;
            }
            self.volume.enroll_tpm(by, Binding { pcrs, public_key })?;
            self.volume.keep_token(&Measured::now(root).token())
        };
        bind().map_err(|problem| {
            let label = label(self.part.number);
            tracing::error!(%problem, label, "cannot be bound to this machine");
            Problem::new(
                format!("{label} could not be bound to this computer. {}", problem.message),
                "The data are open, and as they were. It is tried again when the machine starts again.",
            )
        })
    }
}

/// What somebody typed.
struct Typed {
    text: Secret,
    recovery: Result<RecoveryKey, Problem>,
}

impl Typed {
    fn new(text: Secret) -> Self {
        let recovery = RecoveryKey::parse(text.reveal());
        Self { text, recovery }
    }

    /// What to say of it, if it opens nothing.
    fn mistake(&self) -> String {
        match &self.recovery {
            Err(problem) if self.text.reveal().split_whitespace().count() >= MANY_WORDS => {
                format!("{} {}", problem.message, problem.hint)
            }
            Err(_) => "That is neither the passphrase nor the recovery key.".to_owned(),
            Ok(_) => "That is a recovery key, but not of these data.".to_owned(),
        }
    }
}

/// Asks until all of `closed` are open, or the machine is to end; then whether they are to be bound to it. Returns why
/// that failed, if it did.
fn ask_for(root: &Path, mut closed: Vec<(Door<'_>, Vec<String>)>) -> Option<Problem> {
    let mut ask = Ask::open(root);
    let mut last = None;
    let mut pause = FIRST_PAUSE;
    let mut unbound = Vec::new();
    let mut console = PathBuf::new();
    while !closed.is_empty() {
        let question = Question {
            page: closed_page(root, &closed, last.take()),
            prompt: KEY,
            is_hidden: true,
            only: None,
        };
        let typed = match ask.ask(&question, None) {
            Answer::Line(path, text) => {
                console = path;
                Typed::new(text)
            }
            Answer::None => continue,
            Answer::Ending => return None,
        };
        let before = closed.len();
        for (mut door, reasons) in std::mem::take(&mut closed) {
            match door.open_by(&typed) {
                Ok(Some(secret)) => {
                    tracing::info!(part = door.part.device, by = ?door.part.encryption, "opened");
                    unbound.push((door, secret));
                }
                Ok(None) => {
                    last = Some(typed.mistake());
                    closed.push((door, reasons));
                }
                Err(problem) => {
                    last = Some(problem.message);
                    closed.push((door, reasons));
                }
            }
        }
        if closed.len() < before {
            pause = FIRST_PAUSE;
        } else if let Some(last) = &last {
            ask.say(last);
            ask.pause(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
    unbound.retain(|(door, _)| door.wants_tpm());
    let warning = if unbound.is_empty() {
        None
    } else {
        offer(root, &mut ask, &unbound, &console)
    };
    ask.say("The data are open.");
    warning
}

/// Asks whoever opened the data whether the TPM is to do it from now on. Returns why that failed, if it did.
fn offer(
    root: &Path,
    ask: &mut Ask,
    doors: &[(Door<'_>, Secret)],
    console: &Path,
) -> Option<Problem> {
    let cannot = if !has_tpm(root) {
        "there is no TPM"
    } else if policy(root, None) != Policy::Fits {
        "this system is not signed for the TPM"
    } else {
        ""
    };
    if !cannot.is_empty() {
        ask.say(&format!(
            "The data cannot be bound to this computer: {cannot}."
        ));
        return None;
    }
    let secure_boot = match measured::secure_boot(root) {
        Some(true) => "on",
        _ => "off",
    };
    let meaning = format!(
        "They are open. Bound to this computer, they open by themselves whenever it starts this system, or a later \
         one of its maker's, as it did now: Secure Boot {secure_boot}, the same keys, the same command line. Else \
         the next start asks again."
    );
    let question = Question {
        page: Page {
            problems: vec![Problem::new(
                meaning,
                "Bind them if you know why they did not open.",
            )],
            ..page(root, "open")
        },
        prompt: "Bind the data to this computer again? [Y/n]",
        is_hidden: false,
        only: Some(console),
    };
    let Answer::Line(_, answer) = ask.ask(&question, Some(Instant::now() + PATIENCE)) else {
        return None;
    };
    if !matches!(
        answer.reveal().trim().to_ascii_lowercase().as_str(),
        "" | "y" | "yes"
    ) {
        return None;
    }
    let mut warning = None;
    for (door, secret) in doors {
        warning = door.bind(By::Secret(secret)).err().or(warning);
    }
    match &warning {
        None => ask.say("The data are bound to this computer."),
        Some(problem) => ask.say(&problem.message),
    }
    warning
}

/// The page while data are closed.
fn closed_page(root: &Path, closed: &[(Door<'_>, Vec<String>)], last: Option<String>) -> Page {
    let mut rows = Vec::new();
    let mut because: Vec<&str> = Vec::new();
    for (door, reasons) in closed {
        let head = if rows.is_empty() { "Data" } else { "" };
        let name = label(door.part.number);
        rows.push((
            head,
            format!("{name} ({}): encrypted, closed", door.part.device),
        ));
        for reason in reasons {
            if !because.contains(&reason.as_str()) {
                because.push(reason);
            }
        }
    }
    rows.extend(last.map(|it| (LAST_TRY, it)));
    rows.push(("Service", "not started: the data are closed".to_owned()));
    let message = if because.is_empty() {
        "The data open by a passphrase.".to_owned()
    } else {
        format!("The TPM does not open the data. {}", because.join(" "))
    };
    let hint = "Type the passphrase or the recovery key; of its words four letters each suffice.";
    Page {
        title: os_release::name(root),
        rows,
        problems: vec![Problem::new(message, hint)],
    }
}

/// What is known of why the TPM did not open data with this header.
fn facts(root: &Path, header: &Header, said: String) -> Facts {
    let text = |name: &str| base64::decode(tpm_token(header)?.get(name)?.as_str()?);
    let root_key = text("tpm2_srk");
    let key = text("tpm2_pubkey").and_then(|it| String::from_utf8(it).ok());
    let tpm = match (has_tpm(root), root_key) {
        (false, _) => Tpm::Missing,
        (true, None) => Tpm::Same,
        (true, Some(stored)) => match tpm::root_key_name(root) {
            Ok(name) if stored.windows(name.len().max(1)).any(|it| it == name) => Tpm::Same,
            _ => Tpm::Other,
        },
    };
    let bound = header
        .tpm
        .as_ref()
        .map(|it| it.pcrs.as_slice())
        .unwrap_or_default();
    Facts {
        tpm,
        bound: bound.iter().map(|it| u32::from(*it)).collect(),
        then: header.tokens.values().find_map(Measured::of_token),
        now: Measured::now(root),
        policy: policy(root, key.as_deref()),
        secure_boot: measured::secure_boot(root),
        said,
    }
}

/// What a header says of the TPM's key, the newest where a power cut left two.
fn tpm_token(header: &Header) -> Option<&Value> {
    let is_it = |token: &&Value| token.get("type").and_then(Value::as_str) == Some("systemd-tpm2");
    header.tokens.values().rfind(is_it)
}
