//! An answer file as a document: from bytes to its tables, with every mistake on the way. What its keys mean is
//! said by whoever reads them.

use std::borrow::Cow;

use toml::de::DeTable;

use super::keys::TOP;
use super::mistakes::Mistakes;
use super::table::{At, Table};
use super::{LARGEST, Mistake, unseen};
use crate::text::quoted;

/// How often a file that is no TOML is parsed, without the lines that are known to be broken.
const MOST_ROUNDS: usize = 16;

/// The version of the format that is read here.
pub(super) const VERSION: &str = "1";

/// Reads a file as it lies somewhere by `rules`, or says everything that is wrong with it.
pub fn read<T>(
    bytes: &[u8],
    rules: impl FnOnce(&Table<'_>, &mut Mistakes) -> Option<T>,
) -> Result<T, Vec<Mistake>> {
    if bytes.len() > LARGEST {
        return Err(vec![too_large()]);
    }
    parse(unseen::text(bytes).map_err(|mistake| vec![mistake])?, rules)
}

/// Reads the text of a file by `rules`, or says everything that is wrong with it, from the first line to the
/// last. Values that are wrong are told even in a file that is no TOML elsewhere.
pub fn parse<T>(
    text: &str,
    rules: impl FnOnce(&Table<'_>, &mut Mistakes) -> Option<T>,
) -> Result<T, Vec<Mistake>> {
    if text.len() > LARGEST {
        return Err(vec![too_large()]);
    }
    let (found, mistakes) = survey(text, |top, mistakes| {
        let found = if is_known_version(top, mistakes) {
            rules(top, mistakes)
        } else {
            None
        };
        (found, std::mem::take(mistakes).into_vec())
    });
    match found {
        Some(found) if mistakes.is_empty() => Ok(found),
        _ => Err(mistakes),
    }
}

/// What `look` makes of the text of a file, as far as that can be read at all.
pub fn survey<T>(text: &str, look: impl FnOnce(&Table<'_>, &mut Mistakes) -> T) -> T {
    let mut mistakes = Mistakes::new(text);
    let text = without_broken_lines(text, &mut mistakes);
    let (values, _) = DeTable::parse_recoverable(&text);
    look(&Table::top(values.get_ref(), TOP), &mut mistakes)
}

fn too_large() -> Mistake {
    Mistake {
        line: 1,
        key: String::new(),
        message: format!("The file has more than {LARGEST} bytes."),
        hint: "An answer file is some lines of text; is this one?".to_owned(),
    }
}

/// The text with blanks in place of every line that is no TOML, each of which is noted. The parser
/// gives up at some of them, so it is asked again without them.
fn without_broken_lines(text: &str, mistakes: &mut Mistakes) -> String {
    let mut lines: Vec<Cow<'_, str>> = text.split('\n').map(Cow::Borrowed).collect();
    for _ in 0..MOST_ROUNDS {
        let rest = lines.join("\n");
        let (_, errors) = DeTable::parse_recoverable(&rest);
        let new = errors
            .iter()
            .filter_map(|error| mistakes.add_syntax(error, &lines));
        let new: Vec<usize> = new.collect();
        if new.is_empty() {
            break;
        }
        for line in new {
            if let Some(line) = lines.get_mut(line - 1) {
                *line = " ".repeat(line.len()).into();
            }
        }
    }
    lines.join("\n")
}

/// Whether the file is written for this program. Of a newer one nothing else can be judged.
fn is_known_version(top: &Table<'_>, mistakes: &mut Mistakes) -> bool {
    let mut other = false;
    let version = top.integer("version", |digits| Ok(digits.to_owned()), mistakes);
    match version {
        Some(At { value, at }) if value != VERSION => {
            let message = format!("This program reads version {VERSION}, not {value}.");
            let hint = "Use an installer that is made for this file, or version = 1.".to_owned();
            mistakes.add(at, "version".to_owned(), message, hint);
            other = true;
        }
        Some(_) => {}
        None if top.has("version") => {}
        None => missing(top, "version", mistakes),
    }
    !other
}

/// Says of a key that it has to be there.
pub fn missing(table: &Table<'_>, name: &str, mistakes: &mut Mistakes) {
    let message = "This key is missing.".to_owned();
    mistakes.add_unless_broken(table.at(), table.path(name), message, table.example(name));
}

/// Reads a key that is one of some words.
pub fn one_of<T: Copy>(
    table: &Table<'_>,
    name: &'static str,
    words: &[(&str, T)],
    mistakes: &mut Mistakes,
) -> Option<At<T>> {
    let rule = |text: &str| {
        let found = words.iter().find(|(word, _)| *word == text);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let words: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
            format!("{} is none of {}.", quoted(text), words.join(", "))
        })
    };
    table.text(name, rule, mistakes)
}
