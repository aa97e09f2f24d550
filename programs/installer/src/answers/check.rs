//! `installer --check-answers FILE`: what a person is told who checks a file beforehand.

use std::fmt::Write;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::{LARGEST, read, summary};
use crate::hardware::reason;

/// What came of looking at a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The installer would follow it, if it fits the machine.
    pub good: bool,
    /// What it will do; or every mistake with its line, and what to do about it.
    pub text: String,
}

/// Looks at the file at `path`, by the rules of the installer itself.
pub fn check(path: &Path) -> Verdict {
    let shown = path.display();
    let bad = |text| Verdict { good: false, text };
    let bytes = match bytes(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            let reason = reason(&error);
            return bad(format!(
                "{shown}: This file cannot be read: {reason}.\n  hint: Name a file that is there, \
                 and that you may read.\n"
            ));
        }
    };
    match read(&bytes) {
        Ok(answers) => Verdict {
            good: true,
            text: format!("{shown}: this file is right.\n{}", summary(&answers)),
        },
        Err(mistakes) => {
            let mut text = String::new();
            for mistake in mistakes {
                // Writing to a string does not fail.
                let _ = writeln!(text, "{shown}:{mistake}\n  hint: {}", mistake.hint);
            }
            bad(text)
        }
    }
}

/// What is in the file; of one that is too large, just enough to tell.
fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(LARGEST).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}
