//! `truthdb-installer --check-answers FILE`: what a person is told who checks a file beforehand.

use std::fmt::Write;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::{LARGEST, parse, summary};

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
    let text = match read(path) {
        Ok(text) => text,
        Err(reason) => return bad(format!("{shown}: {reason}\n")),
    };
    match parse(&text) {
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

/// The text of the file, or a sentence that says why there is none.
fn read(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(LARGEST).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .map_err(|error| format!("This file cannot be read: {error}."))?;
    String::from_utf8(bytes).map_err(|_| "This file is not UTF-8 text.".to_owned())
}
