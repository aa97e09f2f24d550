//! Text that comes from elsewhere.

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

/// Splits a name so that its parts compare in the order in which people count.
pub fn natural(name: &str) -> Vec<(usize, String)> {
    let mut parts: Vec<(usize, String)> = Vec::new();
    let mut in_number = false;
    for c in name.chars() {
        match parts.last_mut() {
            Some((length, part)) if c.is_ascii_digit() == in_number => {
                part.push(c);
                *length = if in_number { part.len() } else { 0 };
            }
            _ => parts.push((usize::from(c.is_ascii_digit()), c.to_string())),
        }
        in_number = c.is_ascii_digit();
    }
    parts
}

/// What this program was called, as an image calls it: what its messages begin with.
pub fn program_name() -> String {
    let called = std::env::args_os().next().unwrap_or_default();
    let name = Path::new(&called).file_name().unwrap_or_default();
    clean(&name.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_elsewhere_cannot_smuggle_control_codes() {
        assert_eq!(clean("  QEMU \t DVD-ROM  \n"), "QEMU DVD-ROM");
        assert_eq!(clean("bad\x1b[2J\u{e9}\0\0"), "bad?[2J?");
    }
}
