//! What came of checking the data partitions: written by `check`, read by `run`, and by whoever
//! wants to know, as JSON in `data.state` of its folder in `/run`.

use common::problem::Problem;
use common::product::product;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Where the result lies below the root.
fn file() -> String {
    product().run("data.state")
}

/// What came of it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct DataState {
    /// Kernel name of the disk, such as `nvme0n1`; `None` if no disk was chosen.
    pub disk: Option<String>,
    /// The data partitions of it, in the order of their labels.
    pub partitions: Vec<Partition>,
    /// Why no disk was chosen.
    pub problem: Option<Problem>,
    /// What did not go well when the data were opened, and does not keep them from being used.
    #[serde(default)]
    pub warning: Option<Problem>,
}

/// A data partition.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Partition {
    /// Its name in the GPT, such as `ACME_DATA`.
    pub label: String,
    /// Its kernel name, such as `nvme0n1p2`.
    pub device: String,
    /// Whether it is encrypted, and what opened it.
    #[serde(default)]
    pub encrypted: Encryption,
    /// The name below `/dev/mapper` of what is in it, if it is encrypted and open.
    #[serde(default)]
    pub mapping: Option<String>,
    /// What e2fsck(8) made of it.
    pub result: CheckResult,
    /// What e2fsck exited with; `None` if it could not be run, or was killed.
    pub exit_code: Option<i32>,
    /// What it said.
    pub output: String,
}

impl Partition {
    /// The block device that its file system is on, below `/dev`.
    pub fn node(&self) -> PathBuf {
        match &self.mapping {
            Some(name) => Path::new("mapper").join(name),
            None => PathBuf::from(&self.device),
        }
    }
}

/// Whether data are encrypted, and what opened them.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Encryption {
    /// They are not.
    #[default]
    No,
    /// The machine's TPM.
    Tpm,
    /// A passphrase that somebody typed.
    Passphrase,
    /// A recovery key that somebody typed.
    Recovery,
    /// Nothing.
    Closed,
}

/// What e2fsck(8) made of a file system.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckResult {
    /// Nothing was wrong.
    Clean,
    /// Something was wrong, and is not any more.
    Repaired,
    /// Something is wrong that it does not repair without being told to.
    Damaged,
    /// It could not look.
    Unchecked,
    /// It is encrypted, and was not opened.
    Closed,
}

impl CheckResult {
    /// Reads an exit code, e2fsck(8): a sum of 1 (repaired), 2 (repaired, restart if it was
    /// mounted, which it was not), 4 (left unrepaired), 8 (operational trouble, to which it may
    /// come because of what it left unrepaired), and more for calls that make no sense.
    pub fn of(exit_code: Option<i32>) -> Self {
        match exit_code {
            Some(0) => Self::Clean,
            Some(1..=3) => Self::Repaired,
            Some(code @ 4..=15) if code & 4 != 0 => Self::Damaged,
            _ => Self::Unchecked,
        }
    }

    /// Whether it may be mounted.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Clean | Self::Repaired)
    }
}

impl DataState {
    /// Whether none of the data are encrypted.
    pub fn is_plain(&self) -> bool {
        let mut encryption = self.partitions.iter().map(|it| it.encrypted);
        encryption.all(|it| it == Encryption::No)
    }

    /// Writes the result below `root`, whole or not at all.
    pub fn write(&self, root: &Path) -> io::Result<()> {
        let path = root.join(file());
        let draft = path.with_extension("new");
        std::fs::write(&draft, serde_json::to_vec_pretty(self)?)?;
        std::fs::rename(draft, path)
    }

    /// Reads the result below `root`. Without one, that is the problem.
    pub fn read(root: &Path) -> Self {
        let missing = |reason: String| Self {
            problem: Some(Problem::new(
                format!("The data was not checked: {reason}."),
                "Start the machine again.",
            )),
            ..Self::default()
        };
        let bytes = match std::fs::read(root.join(file())) {
            Ok(bytes) => bytes,
            Err(error) => return missing(format!("/{} cannot be read: {error}", file())),
        };
        serde_json::from_slice(&bytes)
            .unwrap_or_else(|error| missing(format!("/{} is wrong: {error}", file())))
    }

    /// Why no service may use the data, if it may not. `labels` is what the installer made.
    pub fn problem(&self, labels: &[String]) -> Option<Problem> {
        if let Some(problem) = &self.problem {
            return Some(problem.clone());
        }
        if let Some(bad) = self.partitions.iter().find(|it| !it.result.is_good()) {
            let Partition {
                label,
                device,
                output,
                ..
            } = bad;
            let (state, hint) = match bad.result {
                CheckResult::Closed => {
                    let message =
                        format!("{label} on {device} is encrypted, and was not opened. {output}");
                    let hint =
                        "Start the machine again, and type the passphrase or the recovery key.";
                    return Some(Problem::new(message, hint));
                }
                CheckResult::Damaged => (
                    "is damaged, and repairing it by itself could lose data",
                    "Start a rescue system, copy the partition, then repair it with e2fsck.",
                ),
                _ => (
                    "could not be checked",
                    "Look whether the disk has failed. Start the machine again; if that does not help, \
                     start a rescue system and look at the partition with e2fsck.",
                ),
            };
            let message = format!("{label} on {device} {state}. e2fsck says: {output}");
            return Some(Problem::new(message, hint));
        }
        let has = |label: &&String| self.partitions.iter().any(|it| it.label == **label);
        labels.iter().find(|label| !has(label)).map(|label| {
            Problem::new(
                format!("The partition {label} is missing."),
                "Look whether somebody changed the partitions of the disk.",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn partition(label: &str, exit_code: Option<i32>) -> Partition {
        Partition {
            label: label.to_owned(),
            device: "sda2".to_owned(),
            encrypted: Encryption::No,
            mapping: None,
            result: CheckResult::of(exit_code),
            exit_code,
            output: "words".to_owned(),
        }
    }

    #[test]
    fn exit_codes_mean_what_the_manual_says() {
        let rows = [
            (Some(0), CheckResult::Clean),
            (Some(1), CheckResult::Repaired),
            (Some(2), CheckResult::Repaired),
            (Some(3), CheckResult::Repaired),
            (Some(4), CheckResult::Damaged),
            (Some(5), CheckResult::Damaged),
            (Some(8), CheckResult::Unchecked),
            (Some(12), CheckResult::Damaged),
            (Some(16), CheckResult::Unchecked),
            (Some(127), CheckResult::Unchecked),
            (Some(-1), CheckResult::Unchecked),
            (None, CheckResult::Unchecked),
        ];
        for (code, expected) in rows {
            assert_eq!(CheckResult::of(code), expected, "{code:?}");
        }
    }

    #[test]
    fn what_is_written_is_read_and_nothing_at_all_is_a_problem() {
        let root = tempfile::tempdir().unwrap();
        let problem = DataState::read(root.path()).problem.unwrap();
        assert!(
            problem
                .message
                .starts_with("The data was not checked: /run/example/data.state")
        );
        std::fs::create_dir_all(root.path().join("run/example")).unwrap();
        let state = DataState {
            disk: Some("sda".to_owned()),
            partitions: vec![partition("EXAMPLE_DATA", Some(1))],
            problem: None,
            warning: None,
        };
        state.write(root.path()).unwrap();
        assert_eq!(DataState::read(root.path()), state);
        std::fs::write(root.path().join(file()), "{").unwrap();
        let problem = DataState::read(root.path()).problem.unwrap();
        assert!(problem.message.contains("data.state is wrong: EOF"));
    }

    #[test]
    fn only_good_and_complete_data_may_be_used() {
        let labels = ["EXAMPLE_DATA".to_owned(), "EXAMPLE_DATA2".to_owned()];
        let mut state = DataState {
            disk: Some("sda".to_owned()),
            partitions: vec![partition("EXAMPLE_DATA", Some(0))],
            problem: None,
            warning: None,
        };
        assert_eq!(state.problem(&labels[..1]), None);
        let message = |state: &DataState| state.problem(&labels).unwrap().message;
        assert_eq!(message(&state), "The partition EXAMPLE_DATA2 is missing.");
        state.partitions.push(partition("EXAMPLE_DATA2", Some(4)));
        assert_eq!(
            message(&state),
            "EXAMPLE_DATA2 on sda2 is damaged, and repairing it by itself could lose data. e2fsck \
             says: words."
        );
        state.partitions[1].result = CheckResult::Unchecked;
        assert!(message(&state).contains("could not be checked"));
    }
}
