//! What came of opening the data, for `check`: JSON in `unlock.state` of the folder in `/run`.

use std::io;
use std::path::Path;

use common::problem::Problem;
use common::product::product;
use serde::{Deserialize, Serialize};

use crate::check::{find, mount_point};
use crate::data::Encryption;
use crate::disk::label;

/// Where it lies below the root.
fn file() -> String {
    product().run("unlock.state")
}

/// What came of it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Unlocked {
    /// Kernel name of the disk; `None` if no disk was chosen.
    pub disk: Option<String>,
    /// Its data partitions, in the order of their numbers.
    pub partitions: Vec<Part>,
    /// Why no disk was chosen.
    pub problem: Option<Problem>,
    /// What did not go well, and does not keep the data closed.
    pub warning: Option<Problem>,
}

/// A data partition.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Its number among them, from 1.
    pub number: u32,
    /// Its kernel name.
    pub device: String,
    /// Whether it is encrypted, and what opened it.
    pub encryption: Encryption,
    /// Why it is closed, if it is.
    pub closed: Option<String>,
}

impl Unlocked {
    /// Waits for the disk to use below `root`, whose partitions are as they are.
    pub(crate) fn look(root: &Path) -> Self {
        let part = |(number, device)| Part {
            number,
            device,
            ..Part::default()
        };
        match find(root) {
            Ok(disk) => Self {
                disk: Some(disk.name),
                partitions: disk.data.into_iter().map(part).collect(),
                ..Self::default()
            },
            Err(problem) => Self {
                problem: Some(problem),
                ..Self::default()
            },
        }
    }

    /// Writes it below `root`, whole or not at all.
    pub(super) fn write(&self, root: &Path) -> io::Result<()> {
        let path = root.join(file());
        let draft = path.with_extension("new");
        std::fs::write(&draft, serde_json::to_vec_pretty(self)?)?;
        std::fs::rename(draft, path)
    }

    /// Reads it below `root`; `None` where nobody looked for encrypted data.
    pub fn read(root: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(root.join(file())).ok()?).ok()
    }
}

impl Part {
    /// What it is mapped as when it is open: the name of the folder that it is mounted on.
    pub fn mapping(&self) -> String {
        mount_point(&label(self.number))
    }

    /// Whether it is encrypted and open.
    pub(super) fn is_open(&self) -> bool {
        ![Encryption::No, Encryption::Closed].contains(&self.encryption)
    }

    /// It is encrypted, and closed for this reason.
    pub(super) fn close(&mut self, reason: &str) {
        self.encryption = Encryption::Closed;
        self.closed = Some(reason.to_owned());
    }
}
