//! cloud-init's volume for machines without a cloud: `NoCloud` in its documentation. A volume of that label has
//! `user-data` and `meta-data` in its root.

use std::io;

use super::Source;
use super::user_data::answer_file;

/// Label of the volume; capitals are as good.
const LABEL: &str = "cidata";
const META: &str = "meta-data";
const USER: &str = "user-data";
/// Where `meta-data` says what the machine is called.
const HOST_NAME: &str = "local-hostname";

/// Whether a volume of this label is one.
pub(super) fn is_label(label: &str) -> bool {
    label.eq_ignore_ascii_case(LABEL)
}

/// What the volume on `device` says, whose files `file` gives.
pub(super) fn read(
    device: &str,
    file: &mut dyn FnMut(&'static str) -> io::Result<Option<Vec<u8>>>,
) -> io::Result<Option<Source>> {
    let name = format!("NoCloud on {device}");
    let user = file(USER)?;
    if user.is_none() {
        tracing::warn!("{name} has no /{USER}");
    }
    let meta = file(META)?.unwrap_or_default();
    let source = Source {
        file: user.and_then(|bytes| answer_file(&name, bytes)),
        host_name: host_name(&String::from_utf8_lossy(&meta)),
        name,
    };
    let is_empty = source.file.is_none() && source.host_name.is_none();
    Ok((!is_empty).then_some(source))
}

/// What `meta-data` calls the machine: a key of YAML without anything around it, or of JSON, which is YAML.
fn host_name(meta: &str) -> Option<String> {
    if meta.trim_start().starts_with('{') {
        let meta: serde_json::Value = serde_json::from_str(meta).ok()?;
        return meta.get(HOST_NAME)?.as_str().map(str::to_owned);
    }
    let mut values = meta.lines().filter_map(|line| {
        let value = line.strip_prefix(HOST_NAME)?.trim_start();
        value.strip_prefix(':')
    });
    let value = values.next()?;
    let value = value.split(" #").next().unwrap_or_default().trim();
    let unquoted = ['"', '\''].iter().find_map(|quote| {
        let inner = value.strip_prefix(*quote)?;
        inner.strip_suffix(*quote)
    });
    let value = unquoted.unwrap_or(value);
    (!value.is_empty()).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_found_however_it_is_written() {
        let rows = [
            ("instance-id: i-1\nlocal-hostname: db-7\n", Some("db-7")),
            ("local-hostname: \"db-7\"  # mine\n", Some("db-7")),
            ("local-hostname : 'db-7'\r\n", Some("db-7")),
            ("{\"local-hostname\": \"db-7\", \"x\": [1]}", Some("db-7")),
            ("{\"local-hostname\": 7}", None),
            ("{broken", None),
            ("local-hostname:\n", None),
            ("x:\n  local-hostname: db-7\n", None),
            ("local-hostname-other: db-7\n", None),
            ("", None),
        ];
        for (meta, expected) in rows {
            assert_eq!(host_name(meta).as_deref(), expected, "{meta}");
        }
    }

    #[test]
    fn a_volume_counts_if_it_says_anything() {
        let read = |user: Option<&str>, meta: Option<&str>| {
            let mut file = |name: &'static str| {
                let text = if name == USER { user } else { meta };
                Ok(text.map(|it| it.as_bytes().to_vec()))
            };
            read("sr0", &mut file).unwrap()
        };
        let found = read(Some("version = 1\n"), Some("local-hostname: a\n")).unwrap();
        assert_eq!(found.name, "NoCloud on sr0");
        assert_eq!(found.host_name.as_deref(), Some("a"));
        assert!(found.file.is_some());
        let found = read(Some("#cloud-config\n"), Some("local-hostname: a\n")).unwrap();
        assert_eq!(found.file, None);
        assert_eq!(
            read(Some("#cloud-config\n"), Some("instance-id: 1\n")),
            None
        );
        assert_eq!(read(None, None), None);
    }
}
