//! What this image is, from `/etc/os-release` (os-release(5)).

/// The keys that a version may stand behind, the most exact one first.
const VERSIONS: [&str; 3] = ["IMAGE_VERSION", "VERSION_ID", "VERSION"];

/// The most exact version that the file's text says.
pub fn version(text: &str) -> Option<String> {
    VERSIONS.iter().find_map(|key| value(text, key))
}

/// The value of `key` in the file's text, without quotes, backslashes and control codes; `None` if it is
/// absent or empty.
pub fn value(text: &str, key: &str) -> Option<String> {
    let quoted = text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        (name.trim() == key).then(|| value.trim())
    })?;
    let bare = ['"', '\'']
        .iter()
        .find_map(|quote| quoted.strip_prefix(*quote)?.strip_suffix(*quote))
        .unwrap_or(quoted);
    let mut plain = String::new();
    let mut escaped = false;
    for c in bare.chars() {
        if c == '\\' && !escaped {
            escaped = true;
        } else {
            escaped = false;
            plain.push(if c.is_control() { '?' } else { c });
        }
    }
    Some(plain).filter(|plain| !plain.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_shell_escapes_and_rejects_control_codes() {
        let text = "NAME=\"a \\\"b\\\" \\\\ \x1b\"\nVERSION=2\nEMPTY=\n";
        assert_eq!(value(text, "NAME").as_deref(), Some("a \"b\" \\ ?"));
        assert_eq!(version(text).as_deref(), Some("2"));
        assert_eq!(value(text, "EMPTY"), None);
        let exact = format!("{text}VERSION_ID=2.1\nIMAGE_VERSION='2.1.3+a'\n");
        assert_eq!(version(&exact).as_deref(), Some("2.1.3+a"));
    }
}
