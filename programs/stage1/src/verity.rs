//! A root that is verified as it is read: dm-verity, its partitions and its table.
//!
//! Specifications: Linux, Documentation/admin-guide/device-mapper/verity.rst; the superblock,
//! <https://gitlab.com/cryptsetup/cryptsetup/-/wikis/DMVerity>; which partitions belong to a root hash, UAPI.2
//! Discoverable Partitions Specification.

use std::fmt::{self, Display, Write as _};
use std::str::FromStr;

use common::problem::Problem;
use uuid::Uuid;

use crate::superblock::{number, text};

/// How many bytes a superblock has.
pub const SUPERBLOCK: usize = 512;
const SIGNATURE: &[u8] = b"verity\0\0";
const SALT: usize = 256;
/// The unit in which device mapper counts, in bytes.
const SECTOR: u64 = 512;

/// The top of a hash tree: 32 to 64 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootHash(Vec<u8>);

impl RootHash {
    /// The UUID of the partition with the data: the first 128 bits.
    pub fn data(&self) -> Uuid {
        Uuid::from_bytes(self.0.first_chunk().copied().unwrap_or_default())
    }

    /// The UUID of the partition with the hash tree: the last 128 bits.
    pub fn tree(&self) -> Uuid {
        Uuid::from_bytes(self.0.last_chunk().copied().unwrap_or_default())
    }
}

impl FromStr for RootHash {
    type Err = Problem;

    /// Reads it as `veritysetup format` prints it.
    fn from_str(text: &str) -> Result<Self, Problem> {
        let (digits, rest) = text.as_bytes().as_chunks::<2>();
        let byte = |pair: &[u8; 2]| {
            let digit = |at: usize| char::from(pair[at]).to_digit(16);
            u8::try_from(digit(0)? << 4 | digit(1)?).ok()
        };
        let bytes: Option<Vec<u8>> = digits.iter().map(byte).collect();
        match bytes {
            Some(bytes) if rest.is_empty() && (32..=64).contains(&bytes.len()) => Ok(Self(bytes)),
            _ => Err(Problem::new(
                format!("roothash={text} on the kernel command line is no root hash"),
                "Write the 64 hex digits that `veritysetup format` printed for this root.",
            )),
        }
    }
}

impl Display for RootHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&hex(&self.0))
    }
}

/// What a hash partition says of its tree, version 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superblock {
    /// What tells this tree from others.
    pub uuid: Uuid,
    /// How its hashes are made: `sha256`.
    pub algorithm: String,
    kind: u64,
    data_block: u64,
    hash_block: u64,
    data_blocks: u64,
    salt: Vec<u8>,
}

/// Reads what a hash partition begins with; fails for one that is none, or that Linux would not take.
pub fn superblock(bytes: &[u8]) -> Result<Superblock, Problem> {
    let wrong = |what: &str| {
        let message = format!("The hash partition of the root {what}");
        Problem::new(
            message,
            "Write the hash tree that `veritysetup format` made for this root to it.",
        )
    };
    if !bytes.starts_with(SIGNATURE) {
        return Err(wrong("has no verity superblock"));
    }
    let read = || {
        let salt = bytes.get(88..88 + SALT)?;
        Some((
            number::<4>(bytes, 8)?,
            usize::try_from(number::<2>(bytes, 80)?).ok()?,
            Superblock {
                uuid: Uuid::from_bytes(*bytes.get(16..)?.first_chunk()?),
                algorithm: text(bytes, 32, 32)?,
                kind: number::<4>(bytes, 12)?,
                data_block: number::<4>(bytes, 64)?,
                hash_block: number::<4>(bytes, 68)?,
                data_blocks: number::<8>(bytes, 72)?,
                salt: salt.to_vec(),
            },
        ))
    };
    let Some((version, salt, mut found)) = read() else {
        return Err(wrong("is cut off"));
    };
    if version != 1 || found.kind > 1 {
        return Err(wrong(&format!(
            "is of version {version} and type {}, not of version 1",
            found.kind
        )));
    }
    let is_size = |it: u64| it.is_power_of_two() && (512..=65536).contains(&it);
    // Only what may be a name gets into a table, whose words are parted by blanks.
    let is_name = |it: &str| {
        !it.is_empty()
            && it
                .bytes()
                .all(|c| c.is_ascii_alphanumeric() || b"-_".contains(&c))
    };
    let is_sound = is_size(found.data_block)
        && is_size(found.hash_block)
        && salt <= SALT
        && is_name(&found.algorithm);
    if !is_sound
        || found.data_blocks == 0
        || found.data_blocks.checked_mul(found.data_block).is_none()
    {
        return Err(wrong("has a superblock with sizes that cannot be"));
    }
    found.salt.truncate(salt);
    Ok(found)
}

impl Superblock {
    /// How many bytes of the data partition are covered.
    pub fn size(&self) -> u64 {
        self.data_blocks.saturating_mul(self.data_block)
    }

    /// The same in the unit of device mapper.
    pub fn sectors(&self) -> u64 {
        self.size() / SECTOR
    }

    /// The table of device mapper for partitions with the numbers `data` and `tree` (`MAJOR:MINOR`).
    ///
    /// The superblock takes the first block of the hash partition. A block that does not fit its hash ends in
    /// a kernel panic: what is read is right, or the machine stops with a line that says which block was wrong, and goes
    /// on as `panic=` says. `restart_on_corruption` would start over before anybody could read that, for ever;
    /// without either, programs get an error in the middle of something, and the machine runs on.
    pub fn table(&self, data: &str, tree: &str, hash: &RootHash) -> String {
        let salt = if self.salt.is_empty() {
            "-".to_owned()
        } else {
            hex(&self.salt)
        };
        format!(
            "{} {data} {tree} {} {} {} 1 {} {hash} {salt} 1 panic_on_corruption",
            self.kind, self.data_block, self.hash_block, self.data_blocks, self.algorithm
        )
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // A string takes all that is written to it.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "00112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210";

    fn sound() -> Vec<u8> {
        let mut bytes = vec![0; SUPERBLOCK];
        for (at, part) in [
            (0, b"verity\0\0\x01\0\0\0\x01\0\0\0".as_slice()),
            (16, b"0123456789abcdef"),
            (32, b"sha256"),
            (64, b"\0\x10\0\0\0\x10\0\0\x05"),
            (80, b"\x03"),
            (88, b"\x0a\xbb\xccjunk"),
        ] {
            bytes[at..at + part.len()].copy_from_slice(part);
        }
        bytes
    }

    #[test]
    fn a_root_hash_names_its_partitions() {
        let hash: RootHash = HASH.parse().unwrap();
        assert_eq!(hash.to_string(), HASH);
        assert_eq!(
            hash.data().to_string(),
            "00112233-4455-6677-8899-aabbccddeeff"
        );
        assert_eq!(
            hash.tree().to_string(),
            "01234567-89ab-cdef-fedc-ba9876543210"
        );
        assert_eq!(HASH.to_uppercase().parse(), Ok(hash));
        for wrong in [
            "",
            "0",
            &HASH[1..],
            &HASH[2..],
            &HASH.replace('0', "x"),
            &HASH.repeat(3),
        ] {
            let problem = wrong.parse::<RootHash>().unwrap_err();
            let expected = format!("roothash={wrong} on the kernel command line is no root hash.");
            assert_eq!(problem.message, expected);
        }
    }

    #[test]
    fn a_superblock_becomes_a_table() {
        let found = superblock(&sound()).unwrap();
        assert_eq!((found.size(), found.sectors()), (20480, 40));
        let hash = HASH.parse().unwrap();
        let tail = "1 panic_on_corruption";
        let expected = format!("1 254:1 254:2 4096 4096 5 1 sha256 {HASH} 0abbcc {tail}");
        assert_eq!(found.table("254:1", "254:2", &hash), expected);
        let mut plain = sound();
        plain[80] = 0;
        let table = superblock(&plain).unwrap().table("8:1", "8:2", &hash);
        assert_eq!(
            table,
            format!("1 8:1 8:2 4096 4096 5 1 sha256 {HASH} - {tail}")
        );
    }

    #[test]
    fn what_cannot_be_is_said() {
        let cannot = "has a superblock with sizes that cannot be";
        for (at, part, expected) in [
            (0, b"V".as_slice(), "has no verity superblock"),
            (8, b"\x02", "is of version 2 and type 1, not of version 1"),
            (12, b"\x02", "is of version 1 and type 2, not of version 1"),
            (32, b"\0", cannot),
            (32, b"a b", cannot),
            (64, b"\x01\x10", cannot),
            (64, b"\0\0\x02", cannot),
            (68, b"\0\x01", cannot),
            (72, b"\0", cannot),
            (72, b"\xff\xff\xff\xff\xff\xff\xff\xff", cannot),
            (80, b"\x01\x01", cannot),
        ] {
            let mut bytes = sound();
            bytes[at..at + part.len()].copy_from_slice(part);
            let problem = superblock(&bytes).unwrap_err();
            assert_eq!(
                problem.message,
                format!("The hash partition of the root {expected}.")
            );
        }
        for end in 0..88 + SALT {
            assert!(superblock(&sound()[..end]).is_err(), "{end}");
        }
    }
}
