//! `appliance attest`: answers whoever wants to know what runs here, with what the TPM signs. `GET /attestation/NONCE`,
//! a nonce of 32 to 128 hexadecimal digits, is answered with JSON ([`Attestation`]); keys are only ever added to it.
//! The proof is for whoever asks: `./doit attest` reads it.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use common::product::product;
use common::tpm::quote::{REGISTERS, quote};
use common::{node_toml, tcg_log, tpm};
use serde::Serialize;
use sha2::{Digest, Sha256};
use web::{Answer, Reply};

use crate::os_release;

/// Bytes of a nonce.
const NONCE: std::ops::RangeInclusive<usize> = 16..=64;
/// Where it is asked for.
const PATH: &str = "/attestation/";

/// All that is answered. Bytes are hexadecimal digits.
#[derive(Debug, Serialize)]
struct Attestation {
    version: u32,
    /// The nonce that was asked with.
    nonce: String,
    /// Who answers, a [`Who`] as JSON: as text, since a digest of these letters is signed, too.
    identity: String,
    /// The public half of the TPM's key, `TPMT_PUBLIC`.
    key: String,
    /// `TPMS_ATTEST`. Its `extraData` is the SHA-256 of the nonce's bytes and those of `identity`.
    quoted: String,
    /// `TPMT_SIGNATURE` of that.
    signature: String,
    /// What the quoted registers hold, the first one first, of the bank for SHA-256.
    pcrs: Vec<String>,
    /// The log of what firmware and boot loaders measured; empty where Linux shows none.
    log: String,
}

/// Who answers.
#[derive(Debug, Serialize)]
struct Who {
    /// Name and version of the system, as it says itself: nobody vouches for that.
    system: String,
    /// Of `node.toml`; missing where the data cannot be read.
    node: Option<node_toml::Node>,
}

/// Answers at the product's port, for ever. Fails if it cannot listen there, or if there is none.
pub fn run(root: &Path) -> io::Result<()> {
    let port = product().service.attestation_port;
    if port == 0 {
        return Err(io::Error::other(
            "the product has no service.attestation_port",
        ));
    }
    let addresses: [SocketAddr; 2] = [
        (Ipv6Addr::UNSPECIFIED, port).into(),
        (Ipv4Addr::UNSPECIFIED, port).into(),
    ];
    let answers = Answers {
        root: root.to_owned(),
        turn: Mutex::new(()),
    };
    web::serve(web::listen(&addresses)?, Arc::new(answers))?;
    println!("answering on port {port}: {PATH}NONCE");
    loop {
        std::thread::park();
    }
}

struct Answers {
    root: PathBuf,
    /// A TPM does one thing at a time, and keeps few keys.
    turn: Mutex<()>,
}

impl Answer for Answers {
    fn answer(&self, path: &str) -> Reply {
        let Some(nonce) = path.strip_prefix(PATH) else {
            return Reply::text(404, &format!("Ask for {PATH}NONCE."));
        };
        let Some(nonce) = bytes_of(nonce).filter(|it| NONCE.contains(&it.len())) else {
            return Reply::text(400, "A nonce has 32 to 128 hexadecimal digits.");
        };
        if tpm::pcr(&self.root, 0).is_none() {
            return Reply::text(
                503,
                "This machine has no TPM 2.0, so nothing proves what runs on it.",
            );
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        match attestation(&self.root, &nonce).map(|it| serde_json::to_vec(&it)) {
            Ok(Ok(body)) => Reply::new(200, "application/json", body),
            Ok(Err(error)) => Reply::text(500, &error.to_string()),
            Err(error) => Reply::text(503, &format!("The TPM does not answer: {error}.")),
        }
    }
}

fn attestation(root: &Path, nonce: &[u8]) -> io::Result<Attestation> {
    let who = Who {
        system: os_release::name(root),
        node: node(root),
    };
    let identity = serde_json::to_string(&who)?;
    let signed = quote(root, &extra_data(nonce, &identity))?;
    let missing = |number| move || io::Error::other(format!("Linux does not show PCR {number}"));
    let pcrs = REGISTERS.map(|number| tpm::pcr(root, number).ok_or_else(missing(number)));
    Ok(Attestation {
        version: 1,
        nonce: hex(nonce),
        identity,
        key: hex(&signed.key),
        quoted: hex(&signed.quoted),
        signature: hex(&signed.signature),
        pcrs: pcrs.collect::<io::Result<_>>()?,
        log: hex(&tcg_log::bytes(root).unwrap_or_default()),
    })
}

/// What the TPM signs along with its registers.
fn extra_data(nonce: &[u8], identity: &str) -> [u8; 32] {
    Sha256::new()
        .chain_update(nonce)
        .chain_update(identity)
        .finalize()
        .into()
}

fn node(root: &Path) -> Option<node_toml::Node> {
    let text = std::fs::read_to_string(root.join("data/metadata/node.toml")).ok()?;
    Some(toml::from_str::<node_toml::NodeToml>(&text).ok()?.node)
}

fn hex(bytes: &[u8]) -> String {
    let digit = |it: u8| char::from_digit(it.into(), 16).unwrap_or_default();
    let digits = bytes.iter().flat_map(|it| [digit(it >> 4), digit(it & 15)]);
    digits.collect()
}

fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let value = |it: &u8| {
        char::from(*it)
            .to_digit(16)
            .and_then(|it| u8::try_from(it).ok())
    };
    let digits: Option<Vec<u8>> = text.as_bytes().iter().map(value).collect();
    let (pairs, rest) = digits.as_deref()?.as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| high << 4 | low).collect();
    rest.is_empty().then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_and_go_as_digits() {
        assert_eq!(bytes_of("00fFa1"), Some(vec![0, 255, 0xa1]));
        assert_eq!(hex(&[0, 255, 0xa1]), "00ffa1");
        assert_eq!(bytes_of("00f"), None);
        assert_eq!(bytes_of("0g"), None);
    }

    #[test]
    fn what_is_signed_depends_on_nonce_and_identity() {
        let one = extra_data(&[1; 16], "a");
        assert_ne!(one, extra_data(&[2; 16], "a"));
        assert_ne!(one, extra_data(&[1; 16], "b"));
    }

    #[test]
    fn a_machine_without_a_tpm_says_so_and_a_mistake_is_told() {
        let root = tempfile::tempdir().unwrap();
        let answers = Answers {
            root: root.path().to_owned(),
            turn: Mutex::new(()),
        };
        let text = |status, line| Reply::text(status, line);
        assert_eq!(
            answers.answer("/"),
            text(404, "Ask for /attestation/NONCE.")
        );
        let mistake = text(400, "A nonce has 32 to 128 hexadecimal digits.");
        assert_eq!(answers.answer("/attestation/abc"), mistake);
        assert_eq!(
            answers.answer(&format!("/attestation/{}", "a".repeat(130))),
            mistake
        );
        let without = "This machine has no TPM 2.0, so nothing proves what runs on it.";
        assert_eq!(
            answers.answer(&format!("/attestation/{}", "a".repeat(32))),
            text(503, without)
        );
    }
}
