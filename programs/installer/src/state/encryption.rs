//! What [`State::Settings`](super::State::Settings) asks about encryption: which protection is chosen, and the passphrase twice.

use super::{Field, Form, Key};
use crate::hardware::Sealing;
use crate::install::settings::passphrase;
use crate::install::{Encryption, Protection};

impl Form {
    /// How the data are encrypted, if they are; or what is wrong with which field.
    pub(super) fn encryption(
        &self,
        sealing: Sealing,
    ) -> Result<Option<Encryption>, Vec<(Field, String)>> {
        if self.is_change || self.protection == Protection::None {
            return Ok(None);
        }
        if let Some(reason) = sealing.obstacle().filter(|_| self.protection.has_tpm()) {
            return Err(vec![(Field::Encryption, reason.to_owned())]);
        }
        let text = |field: Field| self.inputs[field as usize].text();
        let typed = text(Field::Passphrase);
        let passphrase = match passphrase(typed) {
            _ if !self.protection.has_passphrase() => None,
            Ok(_) if text(Field::PassphraseAgain) != typed => {
                let message = "This is not the same as above.";
                return Err(vec![(Field::PassphraseAgain, message.to_owned())]);
            }
            Ok(passphrase) => Some(passphrase),
            Err(message) => return Err(vec![(Field::Passphrase, message)]),
        };
        Ok(Some(Encryption {
            tpm: self.protection.has_tpm(),
            passphrase,
            recovery: None,
        }))
    }

    /// Chooses another protection by an arrow, or the next one by the space bar.
    pub(super) fn choose(&mut self, key: Key) {
        let all = Protection::ALL;
        let at = all.iter().position(|it| *it == self.protection);
        let at = at.unwrap_or(0);
        let next = match key {
            Key::Left => at.checked_sub(1).unwrap_or(all.len() - 1),
            Key::Right | Key::Char(' ') => (at + 1) % all.len(),
            _ => return,
        };
        self.protection = all[next];
        for field in [Field::Encryption, Field::Passphrase, Field::PassphraseAgain] {
            self.messages[field as usize] = None;
        }
    }
}
