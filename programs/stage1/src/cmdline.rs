//! What the kernel's command line asks of this program: which root, and what to start in it.
//!
//! Names are those that Linux, Debian and systemd use: `root=`, `rootflags=`, `rootfstype=`, `rw`, `ro`, `init=`,
//! `panic=` (Linux, Documentation/admin-guide/kernel-parameters.rst), `roothash=`
//! (`systemd-veritysetup-generator(8)`), `rd.shell`, `rd.timeout=` (`dracut.cmdline(7)`). `stage1.state=` is this
//! program's own. The last one counts.

use common::problem::Problem;
use uuid::Uuid;

use crate::verity::RootHash;

/// How long a root is waited for where `rd.timeout=` does not say it, in seconds.
const PATIENCE: u64 = 60;

/// The parameter that names where the machine's state is.
const STATE: &str = "stage1.state";

/// How the root file system is told from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Root {
    /// By the label of the file system.
    Label(String),
    /// By the UUID of the file system, in small letters, as blkid(8) shows it.
    Uuid(String),
    /// By the name of its partition in a GPT.
    PartLabel(String),
    /// By the UUID of its partition in a GPT.
    PartUuid(Uuid),
    /// By the top of a hash tree, which all that is read is held against.
    Hash(RootHash),
}

impl std::fmt::Display for Root {
    /// As it stands on the command line.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Label(label) => write!(out, "root=LABEL={label}"),
            Self::Uuid(uuid) => write!(out, "root=UUID={uuid}"),
            Self::PartLabel(label) => write!(out, "root=PARTLABEL={label}"),
            Self::PartUuid(uuid) => write!(out, "root=PARTUUID={uuid}"),
            Self::Hash(hash) => write!(out, "roothash={hash}"),
        }
    }
}

/// The file system in which a machine keeps what changes, besides its root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// How it is told from others: never by a hash.
    pub place: Root,
    /// The same, as it stands on the command line.
    pub said: String,
}

/// What comes after the last words of a machine that cannot start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Panic {
    /// They stay: there is no `panic=`, or it is 0.
    Stays,
    /// The machine starts again after so many seconds; a negative number means at once, which is 0.
    Reboots(u64),
}

/// What has to be known to fail well: it can be read from any command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failing {
    /// Whether somebody gets a shell then.
    pub has_shell: bool,
    /// What comes after that.
    pub panic: Panic,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Which file system.
    pub root: Root,
    /// What it is mounted as, where the command line says so: `ext4`, `erofs`.
    pub kind: Option<String>,
    /// Options of the file system, for mount(2).
    pub flags: String,
    /// Whether it can be written to.
    pub is_writable: bool,
    /// What is mounted on /var, and has what was changed in /etc; `None` leaves that to the init.
    pub state: Option<State>,
    /// What is started in it; `None` means the first one of the usual places.
    pub init: Option<String>,
    /// How long devices are waited for, in seconds.
    pub patience: u64,
}

/// Reads how to fail.
pub fn failing(cmdline: &str) -> Failing {
    let seconds = value(cmdline, "panic").and_then(|it| it.parse::<i64>().ok());
    Failing {
        has_shell: words(cmdline)
            .any(|word| matches!(unquoted(&word).as_str(), "rd.shell" | "rd.shell=1")),
        panic: match seconds {
            None | Some(0) => Panic::Stays,
            Some(seconds) => Panic::Reboots(u64::try_from(seconds).unwrap_or(0)),
        },
    }
}

/// Reads what is wanted. Fails for a command line that names no root, two of them, or one that no disk can be
/// told by.
pub fn read(cmdline: &str) -> Result<Wanted, Problem> {
    let init = value(cmdline, "init").filter(|it| !it.is_empty());
    if let Some(path) = init.as_ref().filter(|it| !it.starts_with('/')) {
        let message = format!("init={path} on the kernel command line is no path from the root");
        return Err(Problem::new(
            message,
            "Write init=/usr/lib/systemd/systemd, or leave it out.",
        ));
    }
    let patience = match value(cmdline, "rd.timeout") {
        None => PATIENCE,
        Some(text) => text.parse().map_err(|_| {
            let message =
                format!("rd.timeout={text} on the kernel command line is no number of seconds");
            Problem::new(message, "Write rd.timeout=60, or leave it out.")
        })?,
    };
    let last = words(cmdline).filter_map(|word| match unquoted(&word).as_str() {
        "rw" => Some(true),
        "ro" => Some(false),
        _ => None,
    });
    let wanted = Wanted {
        root: root(value(cmdline, "root"), value(cmdline, "roothash"))?,
        kind: value(cmdline, "rootfstype").filter(|it| !it.is_empty()),
        flags: value(cmdline, "rootflags").unwrap_or_default(),
        is_writable: last.last().unwrap_or(false),
        state: value(cmdline, STATE)
            .filter(|it| !it.is_empty())
            .map(|it| state(&it))
            .transpose()?,
        init,
        patience,
    };
    if wanted.is_writable && matches!(wanted.root, Root::Hash(_)) {
        let message = "The kernel command line has both roothash= and rw, but what is verified cannot be written to";
        return Err(Problem::new(
            message,
            "Take rw out: what changes belongs on a partition of its own, such as /var.",
        ));
    }
    Ok(wanted)
}

/// The value of a module's parameters, `MODULE.NAME=VALUE` on the command line, as its loader has to hand them
/// over: in modules `-` and `_` are the same.
pub fn parameters_of(module: &str, cmdline: &str) -> String {
    let own = words(cmdline).filter_map(|word| {
        let (owner, parameter) = word.split_once('.')?;
        let is_own = owner.trim_start_matches('"').replace('-', "_") == module.replace('-', "_");
        // A quote that stood in front of the owner belongs to the whole word.
        let quote = if word.starts_with('"') { "\"" } else { "" };
        is_own.then(|| format!("{quote}{parameter}"))
    });
    own.collect::<Vec<_>>().join(" ")
}

fn root(root: Option<String>, hash: Option<String>) -> Result<Root, Problem> {
    let root = root.filter(|it| !it.is_empty());
    match (root, hash.filter(|it| !it.is_empty())) {
        (None, None) => Err(Problem::new(
            "The kernel command line does not say which file system is the root",
            "Add root=LABEL=, root=UUID=, root=PARTLABEL= or root=PARTUUID=, or roothash=.",
        )),
        (Some(root), Some(_)) => Err(Problem::new(
            format!("The kernel command line has both root={root} and roothash="),
            "Take one of them out: a root hash says by itself which partitions it is of.",
        )),
        (None, Some(hash)) => hash.parse().map(Root::Hash),
        (Some(root), None) => named("root", &root),
    }
}

fn state(text: &str) -> Result<State, Problem> {
    Ok(State {
        place: named(STATE, text)?,
        said: format!("{STATE}={text}"),
    })
}

/// Reads how `parameter` names a file system.
fn named(parameter: &str, text: &str) -> Result<Root, Problem> {
    let (tag, name) = text.split_once('=').unwrap_or((text, ""));
    let name = name.trim_matches('"');
    match (tag, name) {
        ("LABEL" | "UUID" | "PARTLABEL" | "PARTUUID", "") => Err(Problem::new(
            format!("{parameter}={text} on the kernel command line has nothing behind it"),
            format!("Write {tag}= and what the file system has there, as `blkid` shows it."),
        )),
        ("LABEL", _) => Ok(Root::Label(name.to_owned())),
        ("UUID", _) => Ok(Root::Uuid(name.to_lowercase())),
        ("PARTLABEL", _) => Ok(Root::PartLabel(name.to_owned())),
        ("PARTUUID", _) => name.parse().map(Root::PartUuid).map_err(|error| {
            let message =
                format!("{parameter}={text} on the kernel command line names no UUID: {error}");
            Problem::new(message, "Write the partition's UUID as `blkid` shows it.")
        }),
        _ => Err(Problem::new(
            format!("{parameter}={text} on the kernel command line is no name that a disk keeps"),
            format!(
                "Write {parameter}=LABEL=, UUID=, PARTLABEL= or PARTUUID=: which disk is /dev/sda changes."
            ),
        )),
    }
}

/// The last value of the parameter `name`, without quotes.
fn value(cmdline: &str, name: &str) -> Option<String> {
    let values = words(cmdline).filter_map(|word| {
        let word = unquoted(&word);
        let (found, value) = word.split_once('=')?;
        (found == name).then(|| value.to_owned())
    });
    values.last()
}

/// Quotes go around a whole word or a value (Linux, lib/cmdline.c).
fn unquoted(word: &str) -> String {
    word.replace('"', "")
}

/// Splits a command line at blanks outside of double quotes, up to `--`, behind which all is for init.
fn words(cmdline: &str) -> impl Iterator<Item = String> {
    let mut quoted = false;
    let words = cmdline.split(move |c: char| {
        quoted ^= c == '"';
        c.is_ascii_whitespace() && !quoted
    });
    let words = words.filter(|word| !word.is_empty());
    words.take_while(|word| *word != "--").map(str::to_owned)
}

#[cfg(test)]
mod tests;
