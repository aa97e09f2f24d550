//! Small text work that several facts need: reading one attribute, cleaning it.

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
