//! What is said of encrypted data before they are made, and of those that stay.

use ratatui::text::{Line, Span};

use super::Look;
use super::text::Page;
use crate::hardware::{Disk, Sealing};
use crate::install::{Encryption, Protection};
use crate::state::Form;

/// The choice, as a field of the form.
pub(super) fn choice<'a>(form: &Form, width: usize, focused: bool, look: &Look) -> Vec<Span<'a>> {
    let [left, right] = look.field_ends;
    let text = if focused {
        format!("< {} >", form.protection)
    } else {
        form.protection.to_string()
    };
    vec![
        Span::styled(left, look.quiet),
        Span::styled(format!("{text:<width$}"), look.field),
        Span::styled(right, look.quiet),
    ]
}

/// What the choice means on this machine, in a sentence or two.
pub(super) fn hint(protection: Protection, sealing: Sealing) -> String {
    let meaning = match protection {
        Protection::None => "The data are not encrypted.",
        Protection::Tpm => {
            "The TPM of this computer opens the data, as long as this system runs on it."
        }
        Protection::Passphrase => "Somebody types the passphrase at each start.",
        Protection::TpmAndPassphrase => {
            "The TPM opens the data; where it does not, somebody types the passphrase."
        }
    };
    match sealing.obstacle() {
        Some(reason) => format!("{meaning} Left and Right choose. No TPM: {reason}"),
        None => format!("{meaning} Left and Right choose."),
    }
}

/// That the data will be encrypted, and what opens them.
pub(super) fn will_be(encryption: Option<&Encryption>, look: &Look, page: &mut Page<'_>) {
    if let Some(encryption) = encryption {
        let by = match encryption.protection() {
            Protection::None | Protection::Passphrase => "the passphrase",
            Protection::Tpm => "this computer's TPM",
            Protection::TpmAndPassphrase => "this computer's TPM or the passphrase",
        };
        let text = format!(
            "The data will be encrypted: {by} opens them, or a recovery key, which is shown once after the \
             installation."
        );
        page.line(Line::default());
        page.say(&text, look.note);
    }
}

/// That encrypted data stay so.
pub(super) fn kept(disk: &Disk, look: &Look, page: &mut Page<'_>) {
    let earlier = disk.contents.as_ref().and_then(|it| it.earlier.as_ref());
    if earlier.is_some_and(|it| it.encrypted) {
        page.item(
            "The data are encrypted, and stay so: what opened them before opens them afterwards.",
            look.text,
        );
    }
}
