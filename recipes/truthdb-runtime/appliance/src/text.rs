//! Small text work that several parts need.

use std::path::Path;

/// Reads a one-line file such as the kernel shows; `None` if it is absent or empty.
pub fn attribute(path: &Path) -> Option<String> {
    let bytes = std::fs::read(path).ok()?;
    Some(clean(&String::from_utf8_lossy(&bytes))).filter(|text| !text.is_empty())
}

/// Makes text safe to print: runs of blanks become one, and whatever is not printable ASCII
/// becomes `?`.
pub fn clean(text: &str) -> String {
    let printable = |c: char| if c.is_ascii_graphic() { c } else { '?' };
    text.trim_end_matches('\0')
        .split_whitespace()
        .map(|word| word.chars().map(printable).collect::<String>())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Breaks text at blanks into lines of at most `width` characters; longer words are cut.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let mut rest = word;
        loop {
            let line = lines.last().map_or(0, String::len);
            let gap = usize::from(line > 0);
            let piece = &rest[..rest.floor_char_boundary(width)];
            if line > 0 && line + gap + piece.len() > width {
                lines.push(String::new());
                continue;
            }
            if let Some(line) = lines.last_mut() {
                line.push_str(&" "[..gap]);
                line.push_str(piece);
            }
            rest = &rest[piece.len()..];
            if rest.is_empty() || piece.is_empty() {
                break;
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_elsewhere_cannot_smuggle_control_codes() {
        assert_eq!(clean("  a\t b \n"), "a b");
        assert_eq!(clean("bad\x1b[2J\u{e9}\0"), "bad?[2J?");
    }

    #[test]
    fn lines_are_no_longer_than_asked() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij kl", 4), ["abcd", "efgh", "ij", "kl"]);
        assert_eq!(wrap("", 4), [""]);
        assert_eq!(wrap(" a ", 1), ["a"]);
    }
}
