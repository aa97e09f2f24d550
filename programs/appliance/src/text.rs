//! Small text work that several parts need.

pub use common::text::{attribute, clean};

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
    fn lines_are_no_longer_than_asked() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij kl", 4), ["abcd", "efgh", "ij", "kl"]);
        assert_eq!(wrap("", 4), [""]);
        assert_eq!(wrap(" a ", 1), ["a"]);
    }
}
