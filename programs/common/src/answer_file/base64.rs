//! Base64 (RFC 4648, section 4), as `base64` writes it: with padding, and perhaps in lines.

/// The bytes that `text` stands for; `None` if it is not base64. Blanks and line breaks count for
/// nothing.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let symbols: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    let padding = symbols.iter().rev().take_while(|it| **it == b'=').count();
    if !symbols.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(symbols.len() / 4 * 3);
    let data = &symbols[..symbols.len() - padding];
    for group in data.chunks(4) {
        let mut bits = 0;
        for symbol in group {
            bits = bits << 6 | sextet(*symbol)?;
        }
        let missing = 4 - group.len();
        let [_, decoded @ ..] = (bits << (6 * missing)).to_be_bytes();
        let (whole, rest) = decoded.split_at(3 - missing);
        // Bits that stand for nothing must be zero (section 3.5), or two texts were the same file.
        if rest.iter().any(|byte| *byte != 0) {
            return None;
        }
        bytes.extend_from_slice(whole);
    }
    Some(bytes)
}

fn sextet(symbol: u8) -> Option<u32> {
    let value = match symbol {
        b'A'..=b'Z' => symbol - b'A',
        b'a'..=b'z' => symbol - b'a' + 26,
        b'0'..=b'9' => symbol - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(value.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_the_specification() {
        // RFC 4648, section 10.
        let rows = [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
            ("Zm9vYmE=", "fooba"),
            ("Zm9v\nYmFy\n", "foobar"),
        ];
        for (text, bytes) in rows {
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
        assert_eq!(decode("+/+/"), Some(vec![0xfb, 0xff, 0xbf]));
    }

    #[test]
    fn what_is_not_base64() {
        for text in [
            "Z", "Zg", "Zg=", "Zg===", "====", "Z===", "Zh==", "Zm9=", "Z*==", "Zg==Zg==", "Z-_=",
            "=Zg=",
        ] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
