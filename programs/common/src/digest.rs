//! SHA-256 of bytes, and what is made of it: hex digits and identifiers that the same input makes
//! the same.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

/// SHA-256 as 64 hex digits.
pub fn sha256(data: &[u8]) -> String {
    hex(&Sha256::digest(data))
}

/// An identifier of the form that RFC 9562, section 5.8, leaves to applications (version 8), made
/// of `parts`.
pub fn uuid_of(parts: &[&str]) -> Uuid {
    Builder::from_custom_bytes(first_half(parts)).into_uuid()
}

/// 32 hex digits that tell one node from another, made of `parts`.
pub fn id_of(parts: &[&str]) -> String {
    hex(&first_half(parts))
}

fn first_half(parts: &[&str]) -> [u8; 16] {
    let mut hasher = Sha256::new();
    for part in parts {
        // Each with its length, or "ab" and "c" would be "a" and "bc".
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let mut half = [0; 16];
    half.copy_from_slice(&hasher.finalize()[..16]);
    half
}

/// Bytes as hex digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_the_known_ones_and_parts_are_told_apart() {
        assert_eq!(
            sha256(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_ne!(id_of(&["ab", "c"]), id_of(&["a", "bc"]));
        assert_eq!(uuid_of(&["a"]).get_version_num(), 8);
    }
}
