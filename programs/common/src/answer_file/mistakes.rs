//! Everything that is wrong with an answer file, collected in one go.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::{Mistake, unseen};

/// What is said of a line that is no TOML.
const SYNTAX: &str = "A line is a [table], or key = value with \"quotation marks\" around text.";

/// Everything that is wrong with a file.
#[derive(Debug, Default)]
pub struct Mistakes {
    /// Where each line but the first begins.
    line_starts: Vec<usize>,
    /// Each with whether it is certain even in a file that is no TOML.
    found: Vec<(Mistake, bool)>,
    broken_lines: BTreeSet<usize>,
}

impl Mistakes {
    /// None yet, in a file of this text.
    pub fn new(text: &str) -> Self {
        Self {
            line_starts: text.match_indices('\n').map(|(at, _)| at + 1).collect(),
            found: Vec::new(),
            broken_lines: BTreeSet::new(),
        }
    }

    /// A place where a file of these `lines` is no TOML. Returns its line, unless it was told of
    /// that already.
    pub fn add_syntax(&mut self, error: &toml::de::Error, lines: &[Cow<'_, str>]) -> Option<usize> {
        let line = self.line(error.span().map_or(0, |span| span.start));
        if !self.broken_lines.insert(line) {
            return None;
        }
        let text = lines.get(line - 1).map_or("", |it| it);
        let (what, hint) = match (error.message(), unseen::in_line(text)) {
            ("duplicate key", _) => (
                "this is there twice".to_owned(),
                "It stands further up already: leave one of the two out.",
            ),
            (_, Some(what)) => (what, "Delete it and type it again, in a plain text editor."),
            _ if has_bare_text(text) => ("text without \"quotation marks\"".to_owned(), SYNTAX),
            (what, None) if what.starts_with("invalid basic string") => (
                "a string that does not end in this line".to_owned(),
                "Write a quotation mark at its end; of a file that was cut off, copy it again.",
            ),
            (what, None) => (what.to_owned(), SYNTAX),
        };
        let mistake = Mistake {
            line,
            key: String::new(),
            message: format!("This is not TOML: {what}."),
            hint: hint.to_owned(),
        };
        self.found.push((mistake, true));
        Some(line)
    }

    /// A value that is wrong, whatever else the file says.
    pub fn add(&mut self, at: usize, key: String, message: String, hint: String) {
        self.push(at, (key, message, hint), true);
    }

    /// Something that is missing, unknown or contradictory, unless broken syntax only makes it
    /// look so.
    pub fn add_unless_broken(&mut self, at: usize, key: String, message: String, hint: String) {
        self.push(at, (key, message, hint), false);
    }

    fn push(&mut self, at: usize, (key, message, hint): (String, String, String), certain: bool) {
        let mistake = Mistake {
            line: self.line(at),
            key,
            message,
            hint,
        };
        self.found.push((mistake, certain));
    }

    /// How many there are so far.
    pub fn count(&self) -> usize {
        self.found.len()
    }

    /// The mistakes, from the first line to the last.
    pub fn into_vec(self) -> Vec<Mistake> {
        let broken = self.broken_lines;
        let mut found: Vec<Mistake> = self
            .found
            .into_iter()
            .filter(|(mistake, certain)| {
                let is_syntax = mistake.key.is_empty();
                broken.is_empty() || is_syntax || (*certain && !broken.contains(&mistake.line))
            })
            .map(|(mistake, _)| mistake)
            .collect();
        found.sort_by_key(|mistake| mistake.line);
        found
    }

    fn line(&self, at: usize) -> usize {
        1 + self.line_starts.partition_point(|start| *start <= at)
    }
}

/// Whether a line is `key = word`.
fn has_bare_text(line: &str) -> bool {
    let value = line.split_once('=').map_or("", |(_, value)| value.trim());
    let is_word = value.starts_with(|c: char| c.is_alphabetic());
    is_word && !["true", "false", "inf", "nan"].contains(&value)
}
