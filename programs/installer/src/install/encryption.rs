//! What is to open encrypted data, and how the recovery key is shown that was made for them.

use std::collections::BTreeSet;
use std::fmt;

use common::problem::Problem;
use common::recovery_key::{RecoveryKey, WORDS};
use common::secret::Secret;
use rustix::rand::{GetRandomFlags, getrandom};

/// How many words of the recovery key are asked for.
const ASKED: usize = 3;

/// What opens the data without the recovery key, which always does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protection {
    /// Nothing has to: they are not encrypted.
    #[default]
    None,
    /// The TPM, by itself.
    Tpm,
    /// A passphrase that somebody types.
    Passphrase,
    /// The TPM, and where it does not, a passphrase.
    TpmAndPassphrase,
}

impl Protection {
    /// Every choice, in the order of the screen.
    pub const ALL: [Self; 4] = [
        Self::None,
        Self::Tpm,
        Self::Passphrase,
        Self::TpmAndPassphrase,
    ];

    /// Its name in answer files.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Tpm => "tpm",
            Self::Passphrase => "passphrase",
            Self::TpmAndPassphrase => "tpm+passphrase",
        }
    }

    /// Whether the TPM opens the data.
    pub fn has_tpm(self) -> bool {
        matches!(self, Self::Tpm | Self::TpmAndPassphrase)
    }

    /// Whether a passphrase does.
    pub fn has_passphrase(self) -> bool {
        matches!(self, Self::Passphrase | Self::TpmAndPassphrase)
    }
}

impl fmt::Display for Protection {
    /// What a person is told.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::None => "none",
            Self::Tpm => "TPM",
            Self::Passphrase => "passphrase",
            Self::TpmAndPassphrase => "TPM and passphrase",
        })
    }
}

/// How data are encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encryption {
    /// The TPM opens them.
    pub tpm: bool,
    /// This passphrase does.
    pub passphrase: Option<Secret>,
    /// The recovery key that whoever asks has already; else one is made, and shown.
    pub recovery: Option<RecoveryKey>,
}

impl Encryption {
    /// What opens them, as a choice.
    pub fn protection(&self) -> Protection {
        match (self.tpm, &self.passphrase) {
            (true, None) => Protection::Tpm,
            (true, Some(_)) => Protection::TpmAndPassphrase,
            (false, _) => Protection::Passphrase,
        }
    }
}

/// A recovery key that somebody has to write down, and which words of it are asked for then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The key.
    pub key: RecoveryKey,
    /// Indices of words, counted from 0, in their order.
    pub asked: [usize; ASKED],
}

impl Shown {
    /// `key`, of which words are asked for that nobody knows beforehand.
    pub(super) fn new(key: RecoveryKey) -> Result<Self, Problem> {
        let mut asked = BTreeSet::new();
        while asked.len() < ASKED {
            let mut byte = [0];
            getrandom(&mut byte, GetRandomFlags::empty()).map_err(|error| {
                Problem::new(
                    format!("There is no randomness: {error}."),
                    "Restart the computer, and try again.",
                )
            })?;
            // 252 is the largest multiple of 12 in a byte: so each word is as likely.
            if byte[0] < 252 {
                asked.insert(usize::from(byte[0]) % WORDS);
            }
        }
        let mut indices = [0; ASKED];
        for (place, index) in indices.iter_mut().zip(asked) {
            *place = index;
        }
        Ok(Self {
            key,
            asked: indices,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_words_are_asked_for_and_every_word_may_be() {
        let mut seen = BTreeSet::new();
        for _ in 0..200 {
            let shown = Shown::new(RecoveryKey::generate().unwrap()).unwrap();
            assert!(shown.asked.is_sorted_by(|one, other| one < other));
            seen.extend(shown.asked);
        }
        assert_eq!(seen, (0..WORDS).collect());
    }

    #[test]
    fn what_is_chosen_is_what_opens_the_data() {
        let secret = Some(Secret::from("correct horse".to_owned()));
        for (tpm, passphrase, expected) in [
            (true, None, Protection::Tpm),
            (false, secret.clone(), Protection::Passphrase),
            (true, secret, Protection::TpmAndPassphrase),
        ] {
            let encryption = Encryption {
                tpm,
                passphrase,
                recovery: None,
            };
            let found = encryption.protection();
            assert_eq!(found, expected);
            assert_eq!(
                (found.has_tpm(), found.has_passphrase()),
                (tpm, encryption.passphrase.is_some())
            );
        }
    }
}
