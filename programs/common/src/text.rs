//! Text that comes from elsewhere, and sizes as people write them.

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

/// Text from outside between quotation marks, short and without control characters.
pub fn quoted(text: &str) -> String {
    const MOST: usize = 60;
    if text.chars().count() <= MOST {
        return format!("{text:?}");
    }
    let start: String = text.chars().take(MOST).collect();
    format!("{:?}", start + "...")
}

/// Writes a number of bytes the way disks are sold: in powers of ten, with one decimal.
pub fn decimal_size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 5] = [
        (1_000_000_000_000_000, "PB"),
        (1_000_000_000_000, "TB"),
        (1_000_000_000, "GB"),
        (1_000_000, "MB"),
        (1_000, "kB"),
    ];
    for (unit, name) in UNITS {
        // Rounding must not give "1000.0 GB" where "1.0 TB" is meant.
        if bytes >= unit - unit / 20_000 {
            let tenths = bytes / (unit / 10) + u64::from(bytes % (unit / 10) >= unit / 20);
            return format!("{}.{} {name}", tenths / 10, tenths % 10);
        }
    }
    format!("{bytes} bytes")
}

/// The same, of a size that is shown beside `others`: to the byte, if one of them is another size that
/// would look the same.
pub fn size_beside(bytes: u64, others: &[u64]) -> String {
    let shown = decimal_size(bytes);
    let is_twin = |other: &u64| *other != bytes && decimal_size(*other) == shown;
    if others.iter().any(is_twin) {
        format!("{} bytes", grouped(bytes))
    } else {
        shown
    }
}

/// Writes a number with a comma between thousands.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_elsewhere_cannot_smuggle_control_codes() {
        assert_eq!(clean("  QEMU \t DVD-ROM  \n"), "QEMU DVD-ROM");
        assert_eq!(clean("bad\x1b[2J\u{e9}\0\0"), "bad?[2J?");
    }

    #[test]
    fn sizes_are_decimal_with_one_decimal_place() {
        let rows = [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1_000, "1.0 kB"),
            (16_777_216, "16.8 MB"),
            (512_110_190_592, "512.1 GB"),
            (999_949_999_999, "999.9 GB"),
            (999_960_000_000, "1.0 TB"),
            (2_000_398_934_016, "2.0 TB"),
            (18_000_207_937_536, "18.0 TB"),
            (1_500_000_000_000_000, "1.5 PB"),
            (u64::MAX, "18446.7 PB"),
        ];
        for (bytes, expected) in rows {
            assert_eq!(decimal_size(bytes), expected, "{bytes}");
        }
    }

    #[test]
    fn sizes_that_are_compared_look_different() {
        let rows = [
            (7_999_999_488, 8_000_000_000, "7,999,999,488 bytes"),
            (8_000_000_000, 8_000_000_000, "8.0 GB"),
            (7_900_000_000, 8_000_000_000, "7.9 GB"),
        ];
        for (bytes, other, expected) in rows {
            assert_eq!(size_beside(bytes, &[1, other]), expected);
        }
    }

    #[test]
    fn thousands_are_grouped() {
        let rows = [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (512_110_190_592, "512,110,190,592"),
        ];
        for (number, expected) in rows {
            assert_eq!(grouped(number), expected);
        }
    }
}
