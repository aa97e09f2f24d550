//! What is said of answer files that are wrong: every mistake, with its line.
#![allow(clippy::unwrap_used)]

mod support;

use std::fmt::Write;

use installer::answers::{LARGEST, parse, read};
use support::compare_golden;

const GOOD: &str = include_str!("answers/good.toml");

/// Files that are wrong, and what is said of each. A block is a file: the right one with `-` one of
/// its lines and `+` others in its place, or the lines behind `|` alone.
const WRONG: &str = include_str!("answers/mistakes.txt");

/// A block of [`WRONG`].
struct Wrong {
    /// How the file is written there.
    recipe: Vec<&'static str>,
    /// What is said of it there.
    said: String,
}

impl Wrong {
    fn all() -> impl Iterator<Item = Self> {
        WRONG.split("\n\n").map(|block| {
            let is_recipe = |line: &&str| line.starts_with(['-', '+', '|']);
            let said: Vec<&str> = block.lines().filter(|it| !is_recipe(it)).collect();
            Self {
                recipe: block.lines().filter(is_recipe).collect(),
                said: said.iter().fold(String::new(), |text, it| text + it + "\n"),
            }
        })
    }

    /// The lines that begin with `mark`, which are left out there.
    fn lines(&self, mark: char) -> Vec<&'static str> {
        let lines = self.recipe.iter();
        lines.filter_map(|line| line.strip_prefix(mark)).collect()
    }

    fn text(&self) -> String {
        match self.lines('-')[..] {
            [line] => with(line, &self.lines('+').join("\n")),
            _ => self.lines('|').join("\n"),
        }
    }
}

/// A file that is right, but for these lines in place of `line`.
fn with(line: &str, instead: &str) -> String {
    let line = format!("\n{line}\n");
    assert_eq!(GOOD.matches(&line).count(), 1, "{line}");
    GOOD.replace(&line, &format!("\n{instead}\n"))
}

/// What is said of a file.
fn said(bytes: &[u8]) -> String {
    let mut text = String::new();
    for mistake in read(bytes).unwrap_err() {
        writeln!(text, "{mistake}\n  hint: {}", mistake.hint).unwrap();
    }
    text
}

#[test]
fn each_mistake_is_told_with_its_line() {
    let blocks = Wrong::all().map(|wrong| {
        let recipe = wrong.recipe.join("\n");
        format!("{recipe}\n{}", said(wrong.text().as_bytes()))
    });
    let found: Vec<String> = blocks.collect();
    compare_golden("../answers/mistakes.txt", &found.join("\n")).unwrap();
}

/// Every line that a block spoils by itself, spoiled at once: all is told, none twice.
#[test]
fn all_mistakes_are_told_at_once() {
    let mut text = GOOD.to_owned();
    let mut expected = Vec::new();
    for wrong in Wrong::all() {
        let ([line], [instead]) = (&wrong.lines('-')[..], &wrong.lines('+')[..]) else {
            continue;
        };
        // What is wrong whatever the other lines are.
        let is_about_others = ["version", "address", "erase"]
            .iter()
            .any(|start| line.starts_with(start))
            || [
                "no disk could",
                "contradicts",
                "max_size can",
                "This task",
                "TOML",
                "unknown",
            ]
            .iter()
            .any(|words| wrong.said.contains(words));
        if !is_about_others && text.contains(line) {
            text = text.replacen(line, instead, 1);
            expected.push(wrong.said);
        }
    }
    expected.sort_by_key(|said| said.split(':').next().unwrap().parse::<usize>().unwrap());
    assert!(expected.len() > 12, "{}", expected.len());
    assert_eq!(said(text.as_bytes()), expected.concat());
}

#[test]
fn what_is_no_text_is_told_with_its_line() {
    assert_eq!(
        said(b"version = 1\n# Gr\xfc\xdfe\n"),
        "2: This is not UTF-8 text.\n  hint: Save the file as UTF-8.\n"
    );
    assert_eq!(
        said(&vec![0xff; LARGEST + 1]),
        "1: The file has more than 65536 bytes.\n  hint: An answer file is some lines of text; is \
         this one?\n"
    );
}

/// What editors and shells make of a file: taken as it is, or refused with the cause in words.
#[test]
fn what_nobody_sees_is_told() {
    const PLAIN: &str = "version = 1\ntask = \"install\"\n\n[disk]\nserial = \"TARGET0001\"\nerase = \"TARGET0001\"\n";
    let utf16 =
        |bytes: fn(u16) -> [u8; 2]| PLAIN.encode_utf16().flat_map(bytes).collect::<Vec<_>>();
    let marked = |mark: &[u8], rest: &[u8]| [mark, rest].concat();
    let crlf = PLAIN.replace('\n', "\r\n");
    let right = [
        PLAIN.as_bytes().to_vec(),
        crlf.as_bytes().to_vec(),
        marked(b"\xef\xbb\xbf", PLAIN.as_bytes()),
        marked(b"\xef\xbb\xbf", crlf.as_bytes()),
    ];
    for bytes in right {
        assert_eq!(read(&bytes), parse(PLAIN));
        assert!(read(&bytes).is_ok());
    }
    let spoilt = |line: &str, instead: &str| PLAIN.replacen(line, instead, 1).into_bytes();
    let cut = PLAIN.as_bytes()[..70].to_vec();
    let wrong: [(Vec<u8>, &[&str]); 12] = [
        (
            marked(b"\xff\xfe", &utf16(u16::to_le_bytes)),
            &["1: This is UTF-16 text"],
        ),
        (
            marked(b"\xfe\xff", &utf16(u16::to_be_bytes)),
            &["1: This is UTF-16 text"],
        ),
        (utf16(u16::to_le_bytes), &["1: This is UTF-16 text"]),
        (utf16(u16::to_be_bytes), &["1: This is UTF-16 text"]),
        (
            spoilt("\n\n", "\n\u{feff}\n"),
            &["3: This is not TOML: a byte order mark"],
        ),
        (
            PLAIN.replace('\n', "\r").into_bytes(),
            &["1: The lines end with a carriage return (CR)"],
        ),
        (
            PLAIN.replace('"', "\u{201d}").into_bytes(),
            &["2: This is not TOML: a curly quotation mark", "5: ", "6: "],
        ),
        (
            PLAIN.replace(" = ", " = \u{a0}").into_bytes(),
            &["1: This is not TOML: a no-break space", "2: ", "5: ", "6: "],
        ),
        (
            spoilt("task =", "task\u{200b} ="),
            &["2: This is not TOML: a character that nobody sees (U+200B)"],
        ),
        (
            b"version = 1\ntask = \"install\"\n[disk]\nserial = \"TARGET0001\n".to_vec(),
            &["4: This is not TOML: a string that does not end"],
        ),
        (cut, &["6: This is not TOML: a string that does not end"]),
        (Vec::new(), &["1: The file is empty."]),
    ];
    for (bytes, expected) in wrong {
        let said = said(&bytes);
        let found: Vec<&str> = said
            .lines()
            .filter(|it| !it.starts_with("  hint"))
            .collect();
        assert_eq!(found.len(), expected.len(), "{said}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{expected}: {said}");
        }
        assert!(said.is_ascii(), "a serial console shows ASCII: {said}");
    }
}

/// Spoils the right file in every way that one byte can; whatever it is, it is right, or at least
/// one mistake is told, in a line that there is.
#[test]
fn whatever_a_file_holds_is_told() {
    let lines = GOOD.lines().count() + 1;
    let mut right = 0;
    for at in 0..GOOD.len() {
        for byte in [b'"', b'=', b'[', b'\n', b'\\', b'#', b'0'] {
            let mut bytes = GOOD.as_bytes().to_vec();
            bytes[at] = byte;
            let text = String::from_utf8(bytes).unwrap();
            match parse(&text) {
                Ok(_) => right += 1,
                Err(mistakes) => {
                    assert!(!mistakes.is_empty(), "{text}");
                    assert!(mistakes.is_sorted_by_key(|it| it.line), "{text}");
                    for mistake in mistakes {
                        assert!((1..=lines + 1).contains(&mistake.line), "{mistake}\n{text}");
                    }
                }
            }
        }
    }
    // In comments and between words.
    assert!((100..2000).contains(&right), "{right}");
}
