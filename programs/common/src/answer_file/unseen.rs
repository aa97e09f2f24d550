//! What editors and shells put into a text and nobody sees: other encodings, byte order marks, blanks
//! and quotation marks that only look like those of a keyboard.

use super::Mistake;

/// The byte order mark (Unicode, section 23.8), which a text may begin with.
const MARK: char = '\u{feff}';

/// The text in `bytes`; or why it is none that could be read, whatever stands in it.
pub fn text(bytes: &[u8]) -> Result<&str, Mistake> {
    if let Some(message) = other_encoding(bytes) {
        let hint = "Save the file as UTF-8. In PowerShell: Set-Content -Encoding utf8.";
        return Err(mistake(1, message, hint));
    }
    let text = str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = before.split(|byte| *byte == b'\n').count();
        mistake(line, "This is not UTF-8 text.", "Save the file as UTF-8.")
    })?;
    if text.trim_start_matches(MARK).trim().is_empty() {
        return Err(mistake(
            1,
            "The file is empty.",
            "Copy it again, and unmount the file system before it is unplugged.",
        ));
    }
    if text.contains('\r') && !text.contains('\n') {
        return Err(mistake(
            1,
            "The lines end with a carriage return (CR) alone, so all of it is one line.",
            "Save the file with the line ends of Unix (LF) or Windows (CRLF).",
        ));
    }
    Ok(text)
}

fn mistake(line: usize, message: &str, hint: &str) -> Mistake {
    Mistake {
        line,
        key: String::new(),
        message: message.to_owned(),
        hint: hint.to_owned(),
    }
}

/// That the bytes are a text in 16 or 32 bits a character: by their mark, or by a zero in every other
/// of the first bytes, which stand for ASCII.
fn other_encoding(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => {
            Some("This is UTF-32 text, which begins with a byte order mark, not UTF-8.")
        }
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            Some("This is UTF-16 text, which begins with a byte order mark, not UTF-8.")
        }
        [0, 1..=0x7f, 0, 1..=0x7f, ..] | [1..=0x7f, 0, 1..=0x7f, 0, ..] => {
            Some("This is UTF-16 text, not UTF-8.")
        }
        _ => None,
    }
}

/// What stands in `line`, outside of strings and comments, and is not what it looks like.
pub fn in_line(line: &str) -> Option<String> {
    let mut in_string = false;
    for c in line.strip_suffix('\r').unwrap_or(line).chars() {
        match c {
            '"' => in_string = !in_string,
            '#' if !in_string => return None,
            _ if in_string => {}
            c => {
                if let Some(name) = name(c) {
                    return Some(format!("{name} (U+{:04X})", u32::from(c)));
                }
            }
        }
    }
    None
}

/// What people call a character that is not what it looks like.
fn name(c: char) -> Option<&'static str> {
    Some(match c {
        MARK => "a byte order mark, which nobody sees,",
        '\u{a0}' | '\u{2007}' | '\u{202f}' => "a no-break space in place of a blank",
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' => {
            "a character that nobody sees"
        }
        '“' | '”' | '„' | '‟' | '«' | '»' | '‘' | '’' | '‚' | '‛' | '＂' => {
            "a curly quotation mark in place of \""
        }
        '\r' => "a carriage return (CR) that ends no line",
        '\t' => return None,
        c if c.is_control() => "a control character",
        c if c.is_whitespace() && !c.is_ascii() => "another space in place of a blank",
        _ => return None,
    })
}
