//! What came of a first start: written by `first`, shown by `run` until the machine ends, as JSON in `first.state` of
//! its folder in `/run`.

use std::io;
use std::path::Path;

use common::problem::Problem;
use common::product::product;
use serde::{Deserialize, Serialize};

/// Where it lies below the root.
fn file() -> String {
    product().run("first.state")
}

/// What people are told.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// What was done; `None` if it was not, and will be tried again.
    pub said: Option<String>,
    /// What was there and counts for nothing, a sentence each.
    pub passed_over: Vec<String>,
    /// What somebody has to do something about.
    pub problems: Vec<Problem>,
}

impl Outcome {
    /// Writes it below `root`.
    pub fn write(&self, root: &Path) -> io::Result<()> {
        let path = root.join(file());
        let draft = path.with_extension("new");
        std::fs::write(&draft, serde_json::to_vec_pretty(self)?)?;
        std::fs::rename(draft, path)
    }

    /// Reads it below `root`; `None` at any start but the first.
    pub fn read(root: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(root.join(file())).ok()?).ok()
    }

    /// Logs it.
    pub(super) fn log(&self) {
        if let Some(said) = &self.said {
            tracing::info!("first start: {said}");
        }
        for sentence in &self.passed_over {
            tracing::info!("first start: {sentence}");
        }
        for problem in &self.problems {
            tracing::error!(%problem, "first start");
        }
    }
}
