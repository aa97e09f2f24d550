//! Everything that is wrong with an answer file, collected in one go.

use std::collections::BTreeSet;

use super::Mistake;

/// Everything that is wrong with a file.
#[derive(Debug)]
pub(super) struct Mistakes {
    /// Where each line but the first begins.
    line_starts: Vec<usize>,
    /// Each with whether it is certain even in a file that is no TOML.
    found: Vec<(Mistake, bool)>,
    broken_lines: BTreeSet<usize>,
}

impl Mistakes {
    /// None yet, in a file of this text.
    pub(super) fn new(text: &str) -> Self {
        Self {
            line_starts: text.match_indices('\n').map(|(at, _)| at + 1).collect(),
            found: Vec::new(),
            broken_lines: BTreeSet::new(),
        }
    }

    /// A place where the file is no TOML. Returns its line, unless it was told of that already.
    pub(super) fn add_syntax(&mut self, error: &toml::de::Error) -> Option<usize> {
        let line = self.line(error.span().map_or(0, |span| span.start));
        if !self.broken_lines.insert(line) {
            return None;
        }
        let mistake = Mistake {
            line,
            key: String::new(),
            message: format!("This is not TOML: {}.", error.message()),
            hint: "A line is a [table], or key = value with \"quotation marks\" around text."
                .to_owned(),
        };
        self.found.push((mistake, true));
        Some(line)
    }

    /// A value that is wrong, whatever else the file says.
    pub(super) fn add(&mut self, at: usize, key: String, message: String, hint: String) {
        self.push(at, (key, message, hint), true);
    }

    /// Something that is missing, unknown or contradictory, unless broken syntax only makes it
    /// look so.
    pub(super) fn add_unless_broken(
        &mut self,
        at: usize,
        key: String,
        message: String,
        hint: String,
    ) {
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
    pub(super) fn count(&self) -> usize {
        self.found.len()
    }

    /// The mistakes, from the first line to the last.
    pub(super) fn into_vec(self) -> Vec<Mistake> {
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
