//! What the header of an encrypted partition says to everybody, read where it lies on a disk.
//!
//! LUKS2 On-Disk Format Specification 1.1.4, sections 2.1 (binary header) and 3 (JSON area).

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind, Read};

use serde::Deserialize;
use sha2::{Digest, Sha256};

/// Bytes of the binary header, which come before the JSON.
const BINARY: usize = 4096;
/// The most bytes of a header and its JSON (section 2.2).
const MOST: usize = 4 << 20;
/// Where the checksum of all lies, with itself taken as zeroes.
const CHECKSUM: std::ops::Range<usize> = 448..512;

/// The header of an encrypted partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Its label.
    pub label: String,
    /// What tells it from all others.
    pub uuid: String,
    /// What is said of the TPM's key, if there is one.
    pub tpm: Option<TpmToken>,
    /// Whether a recovery key opens it.
    pub has_recovery: bool,
    /// Whether a passphrase opens it.
    pub has_passphrase: bool,
    /// All of its tokens, by their numbers: what programs keep in it, as JSON.
    pub tokens: BTreeMap<String, serde_json::Value>,
}

/// What the key of a TPM is bound to (`systemd-tpm2`, as systemd's `cryptenroll-tpm2.c` writes it).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct TpmToken {
    /// PCRs that have to be as they were.
    #[serde(rename = "tpm2-pcrs", default)]
    pub pcrs: Vec<u8>,
    /// PCRs of which a signature says how they may be.
    #[serde(rename = "tpm2_pubkey_pcrs", default)]
    pub signed_pcrs: Vec<u8>,
}

#[derive(Deserialize)]
struct Area {
    keyslots: BTreeMap<String, serde_json::Value>,
    tokens: BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
struct Token {
    #[serde(rename = "type")]
    kind: String,
    keyslots: BTreeSet<String>,
}

impl Header {
    /// Reads the first of both headers from where a partition begins; `None` if there is none, or a damaged one, which
    /// cryptsetup mends from the second when the partition is opened.
    pub fn read(partition: &mut impl Read) -> io::Result<Option<Self>> {
        let mut bytes = vec![0; BINARY];
        match partition.read_exact(&mut bytes) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            other => other?,
        }
        let Some(size) = size(&bytes) else {
            return Ok(None);
        };
        bytes.resize(size, 0);
        partition.read_exact(&mut bytes[BINARY..])?;
        Ok(Self::parse(&bytes))
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut sealed = bytes.to_vec();
        sealed.get_mut(CHECKSUM)?.fill(0);
        let found = Sha256::digest(&sealed);
        if bytes.get(CHECKSUM)?.get(..found.len())? != &found[..] {
            return None;
        }
        let json = bytes.get(BINARY..)?.split(|byte| *byte == 0).next()?;
        let area: Area = serde_json::from_slice(json).ok()?;
        let mut header = Self {
            label: text(bytes.get(24..72)?),
            uuid: text(bytes.get(168..208)?),
            ..Self::default()
        };
        let mut plain: BTreeSet<&str> = area.keyslots.keys().map(String::as_str).collect();
        for value in area.tokens.values() {
            let Ok(token) = Token::deserialize(value) else {
                continue;
            };
            for slot in &token.keyslots {
                plain.remove(slot.as_str());
            }
            match token.kind.as_str() {
                "systemd-tpm2" => header.tpm = TpmToken::deserialize(value).ok(),
                "systemd-recovery" => header.has_recovery = true,
                _ => {}
            }
        }
        header.has_passphrase = !plain.is_empty();
        header.tokens = area.tokens;
        Some(header)
    }
}

/// Bytes of the whole header that begins so; `None` if it is none of LUKS2 with a checksum by SHA-256.
fn size(binary: &[u8]) -> Option<usize> {
    if binary.get(..6)? != b"LUKS\xba\xbe" || binary.get(6..8)? != [0, 2] {
        return None;
    }
    let size = u64::from_be_bytes(binary.get(8..16)?.try_into().ok()?);
    let size = usize::try_from(size).ok()?;
    let is_right = (BINARY..=MOST).contains(&size) && text(binary.get(72..104)?) == "sha256";
    is_right.then_some(size)
}

/// A field that ends in zeroes, as it can be shown.
fn text(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0);
    let field = &field[..end.unwrap_or(field.len())];
    crate::text::clean(&String::from_utf8_lossy(field))
}
