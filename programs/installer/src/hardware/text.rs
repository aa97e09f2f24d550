//! Small text work that several facts need: reading one attribute, cleaning it, writing sizes.

use std::io;

pub(super) use common::text::attribute;
pub(crate) use common::text::clean;

/// Why a file cannot be read, in words for people.
pub(crate) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "it does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => error.to_string(),
    }
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

/// A name that ends with zeros or blanks.
pub(super) fn padded(bytes: &[u8]) -> String {
    let end = bytes
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(bytes.len());
    let name = clean(&String::from_utf8_lossy(&bytes[..end]));
    // What mkfs.fat writes for none.
    if name == "NO NAME" {
        String::new()
    } else {
        name
    }
}

/// A name in UTF-16, little-endian, that ends with a zero if it does not fill its place.
pub(super) fn wide(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|it| u16::from_le_bytes([it[0], it[1]]))
        .take_while(|unit| *unit != 0)
        .collect();
    clean(&String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use super::*;

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
