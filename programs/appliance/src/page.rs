//! What people are shown: a page on the screen, a line for each change on serial consoles. Pure.

use crate::text::{clean, wrap};
use common::problem::Problem;

/// Columns and rows of the smallest screen.
const WIDTH: usize = 80;
const HEIGHT: usize = 25;
/// Where values begin.
const INDENT: usize = 14;
/// How many lines a value may take …
const MOST_OF_VALUE: usize = 2;
/// … and the message of a problem.
const MOST_OF_MESSAGE: usize = 9;

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
    /// screen scrolls. Where they do not all fit, problems and the last row, which is about the
    /// service, matter more than the rows before it.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            String::new(),
            format!("  {}", clean(&self.title)),
            String::new(),
        ];
        let mut problems = self.problem_lines();
        problems.truncate(HEIGHT - 1 - lines.len() - MOST_OF_VALUE);
        let rows: Vec<_> = self.rows.iter().map(row_lines).collect();
        if let Some((last, others)) = rows.split_last() {
            let room = HEIGHT - 1 - lines.len() - problems.len() - last.len();
            lines.extend(others.iter().flatten().take(room).cloned());
            lines.extend(last.iter().cloned());
        }
        lines.append(&mut problems);
        for line in &mut lines {
            line.truncate(line.trim_end().len());
        }
        lines
    }

    fn problem_lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for Problem { message, hint, .. } in &self.problems {
            let mut parts = shortened(message, WIDTH - 5, MOST_OF_MESSAGE);
            parts.extend(wrap(&clean(hint), WIDTH - 5));
            lines.push(String::new());
            lines.extend(parts.into_iter().map(|part| format!("  {part}")));
        }
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
        for Problem { message, hint, .. } in &self.problems {
            sentences.push(format!("{} {}", clean(message), clean(hint)));
        }
        sentences
    }
}

/// The lines of a row.
fn row_lines((label, value): &(&str, String)) -> Vec<String> {
    let parts = shortened(value, WIDTH - 1 - INDENT, MOST_OF_VALUE);
    let labels = std::iter::once(*label).chain(std::iter::repeat(""));
    let line = |(label, part)| format!("  {label:<12}{part}");
    labels.zip(parts).map(line).collect()
}

/// Breaks text into lines, and keeps at most so many; says so where there were more.
fn shortened(text: &str, width: usize, most: usize) -> Vec<String> {
    let mut lines = wrap(&clean(text), width);
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            last.truncate(width - 4);
            last.push_str(" ...");
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Page {
        Page {
            title: "Example 1.2.0".to_owned(),
            rows: vec![
                ("Host name", "example".to_owned()),
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
            "EXAMPLE_DATA on sda2 is damaged. e2fsck says: UNEXPECTED INCONSISTENCY; RUN fsck \
             MANUALLY.\n(i.e., without -a or -p options)",
            "Start a rescue system.",
        ));
        assert_eq!(
            page.lines().join("\n"),
            "\n  Example 1.2.0\n\n  Host name   example\n  Network     eth0: 192.0.2.10/24\n\
             \x20             eth1: no cable\n  Service     running\n\n\
             \x20 EXAMPLE_DATA on sda2 is damaged. e2fsck says: UNEXPECTED INCONSISTENCY; RUN\n\
             \x20 fsck MANUALLY. (i.e., without -a or -p options).\n  Start a rescue system."
        );
    }

    #[test]
    fn nothing_makes_it_larger_than_the_screen() {
        let mut page = page();
        page.rows
            .extend(std::iter::repeat_n(("Data", "word ".repeat(600)), 20));
        page.rows.push(("Service", "x".repeat(300)));
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
    fn what_has_to_be_done_is_seen_however_much_else_there_is() {
        let mut page = page();
        for number in 0..20 {
            page.rows.insert(2, ("", format!("eth{number}: no cable")));
        }
        page.rows
            .push(("Service", format!("ended with 1: {}", "word ".repeat(800))));
        let message = format!("It is hot. {}", "really ".repeat(400));
        page.problems.push(Problem::new(message, "Open a window."));
        let lines = page.lines();
        assert_eq!(lines.len(), HEIGHT - 1);
        assert_eq!(lines[23], "  Open a window.");
        assert!(lines[22].ends_with(" ..."), "{}", lines[22]);
        assert!(lines[14].starts_with("  It is hot. really"));
        assert!(lines[11].starts_with("  Service     ended with 1: word"));
        assert!(lines[12].ends_with(" ..."), "{}", lines[12]);
        assert!(lines[3].starts_with("  Host name"));
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
