//! What people are shown: a page on the screen, a line for each change on serial consoles. Pure.

use crate::data::Problem;
use crate::text::{clean, wrap};

/// Columns and rows of the smallest screen.
const WIDTH: usize = 80;
const HEIGHT: usize = 25;
/// Where values begin.
const INDENT: usize = 14;

/// What is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Name and version of the system.
    pub title: String,
    /// Label and value, top to bottom; an empty label continues the one above.
    pub rows: Vec<(&'static str, String)>,
    /// What somebody has to do something about.
    pub problems: Vec<Problem>,
}

impl Page {
    /// The page as lines of at most 79 printable ASCII characters, at most 24 of them, so that no
    /// screen scrolls.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            String::new(),
            format!("  {}", clean(&self.title)),
            String::new(),
        ];
        for (label, value) in &self.rows {
            let mut label = *label;
            for part in wrap(&clean(value), WIDTH - 1 - INDENT) {
                lines.push(format!("  {label:<12}{part}"));
                label = "";
            }
        }
        for Problem { message, hint } in &self.problems {
            lines.push(String::new());
            for text in [message, hint] {
                let parts = wrap(&clean(text), WIDTH - 5);
                lines.extend(parts.into_iter().map(|part| format!("  {part}")));
            }
        }
        for line in &mut lines {
            line.truncate(line.trim_end().len());
        }
        lines.truncate(HEIGHT - 1);
        lines
    }

    /// The sentences that are new since `before`, for those who read along.
    pub fn news(&self, before: &Self) -> Vec<String> {
        let old = before.sentences();
        let mut new = self.sentences();
        new.retain(|sentence| !old.contains(sentence));
        new
    }

    fn sentences(&self) -> Vec<String> {
        let mut sentences = vec![clean(&self.title)];
        let mut current = "";
        for (label, value) in &self.rows {
            if !label.is_empty() {
                current = label;
            }
            sentences.push(format!("{current}: {}", clean(value)));
        }
        for Problem { message, hint } in &self.problems {
            sentences.push(format!("{} {}", clean(message), clean(hint)));
        }
        sentences
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Page {
        Page {
            title: "TruthDB 1.2.0".to_owned(),
            rows: vec![
                ("Host name", "truthdb".to_owned()),
                ("Network", "eth0: 192.0.2.10/24".to_owned()),
                ("", "eth1: no cable".to_owned()),
                ("Service", "running".to_owned()),
            ],
            problems: Vec::new(),
        }
    }

    #[test]
    fn the_page_is_plain_text_in_two_columns() {
        let mut page = page();
        page.problems.push(Problem::new(
            "TRUTHDB_DATA on sda2 is damaged. e2fsck says: UNEXPECTED INCONSISTENCY; RUN fsck \
             MANUALLY.\n(i.e., without -a or -p options)",
            "Start a rescue system.",
        ));
        assert_eq!(
            page.lines().join("\n"),
            "\n  TruthDB 1.2.0\n\n  Host name   truthdb\n  Network     eth0: 192.0.2.10/24\n\
             \x20             eth1: no cable\n  Service     running\n\n\
             \x20 TRUTHDB_DATA on sda2 is damaged. e2fsck says: UNEXPECTED INCONSISTENCY; RUN\n\
             \x20 fsck MANUALLY. (i.e., without -a or -p options).\n  Start a rescue system."
        );
    }

    #[test]
    fn nothing_makes_it_larger_than_the_screen() {
        let mut page = page();
        page.rows.push(("Service", "word ".repeat(600)));
        page.rows.push(("Data", "x".repeat(300)));
        page.title = "\x1b[31m".to_owned();
        let lines = page.lines();
        assert_eq!(lines.len(), HEIGHT - 1);
        let printable = |line: &String| line.bytes().all(|it| (b' '..=b'~').contains(&it));
        assert!(
            lines
                .iter()
                .all(|line| line.len() < WIDTH && printable(line))
        );
    }

    #[test]
    fn only_what_changed_is_news() {
        let old = page();
        assert_eq!(old.news(&Page::default()).len(), 5);
        assert!(old.news(&old).is_empty());
        let mut new = page();
        new.rows[2].1 = "eth1: 192.0.2.11/24".to_owned();
        new.problems
            .push(Problem::new("It is hot.", "Open a window."));
        assert_eq!(
            new.news(&old),
            ["Network: eth1: 192.0.2.11/24", "It is hot. Open a window."]
        );
    }
}
