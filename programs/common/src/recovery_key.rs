//! The recovery key of encrypted data: 128 random bits, as twelve English words that end in a checksum.
//!
//! BIP 39, <https://github.com/bitcoin/bips/blob/master/bip-0039.mediawiki>. The words are the key: nothing is
//! derived from them in BIP 39's way.

use std::fmt;

use bip39::{Language, Mnemonic};
use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};
use zeroize::Zeroizing;

use crate::problem::Problem;
use crate::secret::Secret;

/// How many words it has.
pub const WORDS: usize = 12;
/// How many letters tell a word of the list from all others.
const LETTERS: usize = 4;

/// A recovery key.
#[derive(Clone, PartialEq, Eq)]
pub struct RecoveryKey(Secret);

impl RecoveryKey {
    /// A new one, of the kernel's randomness (getrandom(2), which waits until there is enough).
    pub fn generate() -> Result<Self, Problem> {
        let mut bits = Zeroizing::new([0; 16]);
        let mut filled = 0;
        while filled < bits.len() {
            match getrandom(&mut bits[filled..], GetRandomFlags::empty()) {
                Ok(count) => filled += count,
                Err(Errno::INTR) => {}
                Err(error) => return Err(no_randomness(error)),
            }
        }
        let words = Mnemonic::from_entropy(&bits[..]).map_err(no_randomness)?;
        Ok(Self::of(&words))
    }

    /// The one that somebody wrote down: twelve words, of each of which the first four letters suffice. Fails
    /// with which one is no word of the list, or with that they do not belong together.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let count = text.split_whitespace().count();
        if count != WORDS {
            return Err(Problem::new(
                format!("A recovery key has {WORDS} words, and these are {count}."),
                format!("Type all {WORDS} words, in their order, with blanks between them."),
            ));
        }
        let mut words = Zeroizing::new(String::new());
        for (index, typed) in text.split_whitespace().enumerate() {
            let word = word(typed).ok_or_else(|| {
                Problem::new(
                    format!("Word {} is no word that a recovery key has.", index + 1),
                    "Look at it again; the first four letters of a word suffice.",
                )
            })?;
            if index > 0 {
                words.push(' ');
            }
            words.push_str(word);
        }
        let words = Mnemonic::parse_in_normalized(Language::English, &words).map_err(|_| {
            Problem::new(
                "These words are no recovery key: one of them was another word, or they stood in another order.",
                "Compare each with what was written down.",
            )
        })?;
        Ok(Self::of(&words))
    }

    fn of(words: &Mnemonic) -> Self {
        // With room from the start: what grows leaves copies behind.
        let mut text = String::with_capacity(WORDS * 9);
        for word in words.words() {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(word);
        }
        Self(text.into())
    }

    /// Its words, in their order.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.0.reveal().split(' ')
    }

    /// Whether somebody who typed this meant the word at `index`, counted from 0.
    pub fn is_word(&self, index: usize, typed: &str) -> bool {
        word(typed.trim()).is_some_and(|word| self.words().nth(index) == Some(word))
    }

    /// What opens the data: the words, with one blank between two.
    pub fn passphrase(&self) -> &Secret {
        &self.0
    }
}

impl fmt::Debug for RecoveryKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RecoveryKey")
    }
}

/// The word of the list that was meant: it, or its first four letters and as many more as were typed.
fn word(typed: &str) -> Option<&'static str> {
    let typed = Zeroizing::new(typed.to_ascii_lowercase());
    let mut found = Language::English.words_by_prefix_iter(&typed);
    // A word that others begin with stands before them.
    let first = found.next()?;
    let is_told = first == *typed || typed.len() >= LETTERS && found.next().is_none();
    is_told.then_some(first)
}

fn no_randomness(error: impl fmt::Display) -> Problem {
    Problem::new(
        format!("No recovery key can be made: {error}."),
        "Restart the computer, and try again.",
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The third of BIP 39's test vectors with 128 bits.
    const VECTOR: &str =
        "letter advice cage absurd amount doctor acoustic avoid letter advice cage above";

    #[test]
    fn a_vector_of_the_specification_is_read_and_four_letters_suffice() {
        let key = RecoveryKey::parse(VECTOR).unwrap();
        assert_eq!(key.passphrase().reveal(), VECTOR);
        let short = "LETT  advi cage absu amou doct acou avoi\nlett advic cage above ";
        assert_eq!(RecoveryKey::parse(short).unwrap(), key);
        assert_eq!(format!("{key:?}"), "RecoveryKey");
    }

    #[test]
    fn every_word_of_the_list_is_told_by_itself_and_by_four_letters() {
        for expected in Language::English.word_list() {
            assert_eq!(word(expected), Some(*expected));
            let start = &expected[..LETTERS.min(expected.len())];
            assert_eq!(word(start), Some(*expected));
        }
    }

    #[test]
    fn what_is_no_key_says_why_and_shows_no_word() {
        for (text, message) in [
            ("", "A recovery key has 12 words, and these are 0."),
            (
                "letter advice cage",
                "A recovery key has 12 words, and these are 3.",
            ),
            (
                "letter advice cage absurd amount doctor acoustic avoid letter advise cage above",
                "Word 10 is no word that a recovery key has.",
            ),
            (
                "letter adv cage absurd amount doctor acoustic avoid letter advice cage above",
                "Word 2 is no word that a recovery key has.",
            ),
            (
                "letter advice cage absurd amount doctor acoustic avoid letter advice cage abandon",
                "These words are no recovery key: one of them was another word, or they stood in another order.",
            ),
            (
                "advice letter cage absurd amount doctor acoustic avoid letter advice cage above",
                "These words are no recovery key: one of them was another word, or they stood in another order.",
            ),
        ] {
            assert_eq!(RecoveryKey::parse(text).unwrap_err().message, message);
        }
    }

    #[test]
    fn a_new_key_is_another_each_time_and_can_be_typed_again() {
        let keys: Vec<RecoveryKey> = (0..20).map(|_| RecoveryKey::generate().unwrap()).collect();
        let texts: BTreeSet<&str> = keys.iter().map(|it| it.passphrase().reveal()).collect();
        assert_eq!(texts.len(), keys.len());
        for key in &keys {
            assert_eq!(key.words().count(), WORDS);
            assert_eq!(&RecoveryKey::parse(key.passphrase().reveal()).unwrap(), key);
        }
    }

    #[test]
    fn a_word_is_asked_for_by_its_place() {
        let key = RecoveryKey::parse(VECTOR).unwrap();
        for (index, typed, expected) in [
            (0, " Letter", true),
            (3, "absu", true),
            (3, "abs", false),
            (3, "letter", false),
            (3, "", false),
            (12, "above", false),
        ] {
            assert_eq!(key.is_word(index, typed), expected, "{index} {typed}");
        }
    }
}
