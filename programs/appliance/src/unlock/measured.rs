//! What was measured when the data were bound to a machine, and what is measured now. It is kept in the header of the
//! data, where it is read before they are opened: it explains, is no secret, and nothing is decided by it.
//!
//! LUKS2 On-Disk Format Specification 1.1.4, section 3.5 (tokens): type [`KIND`], no key slot, `pcrs` with the values
//! of registers (SHA-256, hexadecimal), `events` with what made them.

use std::collections::BTreeMap;
use std::path::Path;

use common::digest::hex;
use common::tcg_log::{self, Event};
use common::tpm;
use serde::{Deserialize, Serialize};

use crate::text::clean;

/// The type of the token.
pub(super) const KIND: &str = "measured-when-sealed";
/// The registers that data are bound to: how the firmware decides what may start, and what the kernel is told.
pub(super) const REGISTERS: [u32; 2] = [7, 12];
/// How many events of a register are kept, how much of a name, and how many digits of a digest: the header has
/// 12 KiB for all tokens.
const MOST_EVENTS: usize = 24;
const LONGEST_NAME: usize = 24;
const DIGITS: usize = 16;

/// Registers, and what made them.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub(super) struct Measured {
    /// The value of each register.
    pub(super) pcrs: BTreeMap<u32, String>,
    /// What was measured into them.
    pub(super) events: Vec<Measurement>,
}

/// Something that was measured.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(super) struct Measurement {
    pub(super) pcr: u32,
    /// The variable that it is, behind `by ` where it let something start; else the number of its kind.
    pub(super) name: String,
    /// The beginning of its digest.
    pub(super) digest: String,
}

impl Measured {
    /// What the TPM below `root` holds. Where no log says what made it, there are values alone.
    pub(super) fn now(root: &Path) -> Self {
        let values = REGISTERS.map(|number| Some((number, tpm::pcr(root, number)?)));
        let log = tcg_log::read(root).unwrap_or_else(|error| {
            tracing::info!(%error, "there is no log of what was measured");
            Vec::new()
        });
        let of = |number| {
            log.iter()
                .filter(move |event| event.pcr == number)
                .take(MOST_EVENTS)
        };
        Self {
            pcrs: values.into_iter().flatten().collect(),
            events: REGISTERS
                .into_iter()
                .flat_map(of)
                .map(measurement)
                .collect(),
        }
    }

    /// What `json`, a token of a header, says, if it is one of these.
    pub(super) fn of_token(json: &serde_json::Value) -> Option<Self> {
        (json.get("type")?.as_str()? == KIND).then(|| Self::deserialize(json).ok())?
    }

    /// The token that says it.
    pub(super) fn token(&self) -> serde_json::Value {
        serde_json::json!({
            "type": KIND,
            "keyslots": [],
            "pcrs": self.pcrs,
            "events": self.events,
        })
    }

    /// The names of what was measured into a register otherwise than in `other`, in the order of this one, then
    /// of the other.
    pub(super) fn differences<'a>(&'a self, other: &'a Self, pcr: u32) -> Vec<&'a str> {
        let mut names = Vec::new();
        let of = |measured: &'a Self, name: &str| -> Vec<&'a str> {
            let events = measured.events.iter();
            let these = events.filter(|it| it.pcr == pcr && it.name == name);
            these.map(|it| it.digest.as_str()).collect()
        };
        for event in self.events.iter().chain(&other.events) {
            let name = event.name.as_str();
            let is_other = of(self, name) != of(other, name);
            if event.pcr == pcr && is_other && !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

fn measurement(event: &Event) -> Measurement {
    let name = match event.variable() {
        Some((name, _)) if event.kind == tcg_log::AUTHORITY => format!("by {name}"),
        Some((name, _)) => name,
        None => format!("{:#x}", event.kind),
    };
    Measurement {
        pcr: event.pcr,
        name: clean(&name).chars().take(LONGEST_NAME).collect(),
        digest: hex(&event.digest[..DIGITS / 2]),
    }
}

/// Whether Secure Boot is on, as the firmware below `root` says: UEFI specification, section 3.3; the value follows
/// four bytes of attributes.
pub(super) fn secure_boot(root: &Path) -> Option<bool> {
    let name = "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
    let bytes = std::fs::read(root.join("sys/firmware/efi/efivars").join(name)).ok()?;
    bytes.get(4).map(|value| *value == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn measured(events: &[(u32, &str, &str)]) -> Measured {
        let event = |(pcr, name, digest): &(u32, &str, &str)| Measurement {
            pcr: *pcr,
            name: (*name).to_owned(),
            digest: (*digest).to_owned(),
        };
        Measured {
            pcrs: REGISTERS.map(|it| (it, "00".repeat(32))).into(),
            events: events.iter().map(event).collect(),
        }
    }

    #[test]
    fn a_token_says_again_what_was_put_into_it() {
        let sealed = measured(&[(7, "SecureBoot", "01"), (7, "by db", "02")]);
        let token = sealed.token();
        assert_eq!(token["type"], KIND);
        assert_eq!(token["keyslots"], serde_json::json!([]));
        assert_eq!(Measured::of_token(&token), Some(sealed));
        for other in [
            r#"{"type":"systemd-tpm2"}"#,
            r#"{"type":"measured-when-sealed"}"#,
            "3",
        ] {
            assert_eq!(
                Measured::of_token(&serde_json::from_str(other).unwrap()),
                None
            );
        }
    }

    #[test]
    fn differences_are_named_once_and_only_of_that_register() {
        let then = measured(&[
            (7, "PK", "1"),
            (7, "db", "2"),
            (7, "0x4", "3"),
            (12, "0xd", "4"),
        ]);
        let now = measured(&[
            (7, "PK", "1"),
            (7, "db", "5"),
            (7, "db", "6"),
            (7, "by db", "7"),
        ]);
        assert_eq!(now.differences(&then, 7), ["db", "by db", "0x4"]);
        assert_eq!(now.differences(&then, 12), ["0xd"]);
        assert!(then.differences(&then, 7).is_empty());
    }

    #[test]
    fn events_of_a_log_keep_name_and_the_beginning_of_their_digest() {
        let mut data = vec![0; 16];
        data.extend([2_u64.to_le_bytes(), 0_u64.to_le_bytes()].concat());
        data.extend([b'd', 0, b'b', 0]);
        let event = |kind| Event {
            pcr: 7,
            kind,
            digest: [0xAB; 32],
            data: data.clone(),
        };
        for (kind, name) in [
            (tcg_log::VARIABLE, "db"),
            (tcg_log::AUTHORITY, "by db"),
            (4, "0x4"),
        ] {
            let found = measurement(&event(kind));
            assert_eq!(
                (found.name.as_str(), found.digest.as_str()),
                (name, "abababababababab")
            );
        }
    }
}
