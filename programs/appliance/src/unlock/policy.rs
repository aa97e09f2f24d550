//! Whether the system that runs is one that the maker's signature lets open the data: PCR 11, which has no fixed
//! value, but those that one key signed. systemd-stub puts key and signature where they are looked for.
//!
//! systemd-stub(7), systemd-measure(1); TCG, TPM 2.0 Library, Part 3, section 23.7 (`TPM2_PolicyPCR`).

use std::path::{Path, PathBuf};

use common::answer_file::base64;
use common::digest::sha256;
use common::tpm;
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// Below the root.
const SIGNATURE: &str = ".extra/tpm2-pcr-signature.json";
const PUBLIC_KEY: &str = ".extra/tpm2-pcr-public-key.pem";
/// The register that has the system.
pub(super) const SYSTEM: u32 = 11;
/// `TPM_CC_PolicyPCR`, then one selection: SHA-256, three bytes of which the bit is that of PCR 11.
const POLICY_PCR: [u8; 14] = [0, 0, 1, 0x7F, 0, 0, 0, 1, 0, 0x0B, 3, 0, 0x08, 0];

/// What the signature says of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    /// It is signed by the key that the data were sealed to.
    Fits,
    /// It carries no signature.
    Unsigned,
    /// It is signed by another key.
    OtherKey,
    /// It carries a signature of something else.
    OtherSystem,
}

/// A file of systemd-measure(1): of each bank, what is signed.
#[derive(Deserialize)]
struct Signatures {
    #[serde(default)]
    sha256: Vec<Signed>,
}

#[derive(Deserialize)]
struct Signed {
    pcrs: Vec<u32>,
    /// The digest of the policy, hexadecimal.
    pol: String,
}

/// Where the signature is.
pub(super) fn signature(root: &Path) -> PathBuf {
    root.join(SIGNATURE)
}

/// Where the key is that made it.
pub(super) fn public_key(root: &Path) -> PathBuf {
    root.join(PUBLIC_KEY)
}

/// What the system below `root` carries, for data that were sealed to `key` (PEM), or to none yet.
pub(super) fn policy(root: &Path, key: Option<&str>) -> Policy {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let (signed, own) = (read(signature(root)), read(public_key(root)));
    let Ok(signatures) = serde_json::from_str::<Signatures>(&signed) else {
        return Policy::Unsigned;
    };
    if signatures.sha256.is_empty() || body(&own).is_empty() {
        return Policy::Unsigned;
    }
    if key.is_some_and(|key| body(key) != body(&own)) {
        return Policy::OtherKey;
    }
    let wanted = tpm::pcr(root, SYSTEM).and_then(|value| digest(&value));
    let is_it = |it: &Signed| it.pcrs == [SYSTEM] && Some(it.pol.to_lowercase()) == wanted;
    if signatures.sha256.iter().any(is_it) {
        Policy::Fits
    } else {
        Policy::OtherSystem
    }
}

/// The digest of the policy that PCR 11 has this value.
fn digest(value: &str) -> Option<String> {
    let bytes: Option<Vec<u8>> = (0..value.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(value.get(at..at + 2)?, 16).ok())
        .collect();
    let values = Sha256::digest(bytes?);
    Some(sha256(&[&[0; 32][..], &POLICY_PCR, &values[..]].concat()))
}

/// What is between the first and the last line of a PEM file (RFC 7468).
fn body(pem: &str) -> Vec<u8> {
    let lines = pem.lines().filter(|line| !line.starts_with("-----"));
    base64::decode(&lines.collect::<String>()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const KEY: &str = "-----BEGIN PUBLIC KEY-----\nQUJD\n-----END PUBLIC KEY-----\n";
    /// The policy of a PCR 11 that is all zeroes.
    const ZEROES: &str = "fd32fa22c52cfc8e1a0c29eb38519f87084cab0b04b0d8f020a4d38b2f4e223e";

    fn root(signed: &str, value: u8) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for folder in [".extra", "sys/class/tpm/tpm0/pcr-sha256"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        let value = format!("{value:02x}").repeat(32);
        fs::write(root.path().join("sys/class/tpm/tpm0/pcr-sha256/11"), value).unwrap();
        fs::write(signature(root.path()), signed).unwrap();
        fs::write(public_key(root.path()), KEY).unwrap();
        root
    }

    #[test]
    fn the_signature_has_to_be_there_by_that_key_and_of_that_system() {
        let signed =
            format!(r#"{{"sha256":[{{"pcrs":[11],"pkfp":"","pol":"{ZEROES}","sig":""}}]}}"#);
        let other = KEY.replace("QUJD", "QUJE");
        let rows = [
            (signed.as_str(), 0, Some(KEY), Policy::Fits),
            (&signed, 0, None, Policy::Fits),
            (&signed, 1, Some(KEY), Policy::OtherSystem),
            (&signed, 0, Some(&other), Policy::OtherKey),
            ("{}", 0, Some(KEY), Policy::Unsigned),
            ("", 0, Some(KEY), Policy::Unsigned),
        ];
        for (signed, value, key, expected) in rows {
            assert_eq!(
                policy(root(signed, value).path(), key),
                expected,
                "{signed}"
            );
        }
        let bare = tempfile::tempdir().unwrap();
        assert_eq!(policy(bare.path(), None), Policy::Unsigned);
    }
}
