//! The keys of `[settings]` that say how the data are encrypted. No mistake shows what is secret.

use common::answer_file::mistakes::Mistakes;
use common::answer_file::table::Table;
use common::recovery_key::RecoveryKey;

use crate::hardware::quoted;
use crate::install::settings::passphrase;
use crate::install::{Encryption, Protection};

/// Their names.
pub(super) const KEYS: [&str; 3] = ["encryption", "passphrase", "recovery_key"];
/// What stands in the place of a recovery key that is made, and shown to somebody who writes it down.
const SHOW: &str = "show";

/// Reads them; without them nothing is encrypted.
pub(super) fn read_encryption(table: &Table<'_>, mistakes: &mut Mistakes) -> Option<Encryption> {
    let found = table.text("encryption", protection, mistakes);
    if found.is_none() && table.has("encryption") {
        return None;
    }
    let protection = found.map_or(Protection::None, |it| it.value);
    let secret = table.text("passphrase", passphrase, mistakes);
    let recovery = table.text("recovery_key", recovery_key, mistakes);
    let is_encrypted = protection != Protection::None;
    for (name, is_wanted) in [
        ("passphrase", protection.has_passphrase()),
        ("recovery_key", is_encrypted),
    ] {
        let (at, message, hint) = match (table.place(name), is_wanted) {
            (None, true) => {
                let message = format!(
                    "This key is missing, as encryption is \"{}\".",
                    protection.name()
                );
                (
                    table.place("encryption").unwrap_or(table.at()),
                    message,
                    table.example(name),
                )
            }
            (Some(at), false) => {
                let message = format!(
                    "Nothing asks for it, as encryption is \"{}\".",
                    protection.name()
                );
                (
                    at,
                    message,
                    "Leave it out, or change encryption.".to_owned(),
                )
            }
            _ => continue,
        };
        mistakes.add_unless_broken(at, table.path(name), message, hint);
    }
    is_encrypted.then(|| Encryption {
        tpm: protection.has_tpm(),
        passphrase: secret.map(|it| it.value),
        recovery: recovery.and_then(|it| it.value),
    })
}

fn protection(text: &str) -> Result<Protection, String> {
    let found = Protection::ALL.into_iter().find(|it| it.name() == text);
    found.ok_or_else(|| {
        let names = Protection::ALL.map(|it| format!("\"{}\"", it.name()));
        format!("{} is none of {}.", quoted(text), names.join(", "))
    })
}

/// The key, or none if it is to be made.
fn recovery_key(text: &str) -> Result<Option<RecoveryKey>, String> {
    if text == SHOW {
        return Ok(None);
    }
    RecoveryKey::parse(text)
        .map(Some)
        .map_err(|problem| problem.message)
}
