//! Colours, as people write them.

use serde::Deserialize;

/// Red, green and blue; `#rrggbb` in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Colour(pub [u8; 3]);

impl TryFrom<String> for Colour {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digits = text.strip_prefix('#').filter(|it| it.len() == 6);
        let number = digits.and_then(|it| u32::from_str_radix(it, 16).ok());
        let [_, rgb @ ..] = number
            .ok_or_else(|| format!("{text:?} is not a colour such as #0f151d"))?
            .to_be_bytes();
        Ok(Self(rgb))
    }
}
