//! The kernel's command line: parameters `OWNER.NAME=VALUE`, in which the owner is a program or the product's `ID`.

use std::path::Path;

use crate::product::product;
use crate::text::clean;

/// What the command line below `root` gives the product's parameter `name`; `None` where it is absent or empty.
pub fn parameter(root: &Path, name: &str) -> Option<String> {
    value(root, &product().id, name)
}

/// Whether serial consoles are for programs of ours: `ID.serial=off` leaves them to others.
pub fn has_serial(root: &Path) -> bool {
    serial_is_for(root, &product().id)
}

/// Whether serial consoles are for `owner`: `OWNER.serial=off` leaves them to others.
pub fn serial_is_for(root: &Path, owner: &str) -> bool {
    value(root, owner, "serial").as_deref() != Some("off")
}

/// The value of `OWNER.NAME`: the last one, as for the kernel's own parameters.
fn value(root: &Path, owner: &str, name: &str) -> Option<String> {
    let value = values(root, &format!("{owner}.{name}")).pop();
    value.filter(|value| !value.is_empty())
}

/// Every value of the parameter `name`, in their order.
pub(crate) fn values(root: &Path, name: &str) -> Vec<String> {
    let cmdline = std::fs::read_to_string(root.join("proc/cmdline")).unwrap_or_default();
    let values = words(&cmdline).filter_map(|word| {
        let value = word.trim_start_matches('"').strip_prefix(name)?;
        Some(clean(&value.strip_prefix('=')?.replace('"', "")))
    });
    values.collect()
}

/// Splits a kernel command line at blanks outside of double quotes, as the kernel does.
fn words(cmdline: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    cmdline
        .split(move |c: char| {
            quoted ^= c == '"';
            c.is_ascii_whitespace() && !quoted
        })
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_told_apart_as_the_kernel_does() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(parameter(root.path(), "medium"), None);
        std::fs::create_dir(root.path().join("proc")).unwrap();
        let rows = [
            ("quiet console=ttyS0\n", None),
            ("quiet example.medium=EXAMPLE_1 x=y\n", Some("EXAMPLE_1")),
            ("example.medium=\"AN EXAMPLE\" quiet\n", Some("AN EXAMPLE")),
            ("\"example.medium=AN EXAMPLE\"\n", Some("AN EXAMPLE")),
            ("example.medium= quiet\n", None),
            ("example.medium=A quiet example.medium=B\n", Some("B")),
            ("example.medium=A example.medium=\n", None),
            ("notexample.medium=X\n", None),
        ];
        for (cmdline, expected) in rows {
            std::fs::write(root.path().join("proc/cmdline"), cmdline).unwrap();
            let found = parameter(root.path(), "medium");
            assert_eq!(found.as_deref(), expected, "{cmdline}");
        }
    }

    #[test]
    fn serial_consoles_are_left_alone_where_the_command_line_says_so() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("proc")).unwrap();
        for (cmdline, expected) in [
            ("quiet", true),
            ("example.serial=on", true),
            ("example.serial=off", false),
            ("other.serial=off", true),
        ] {
            std::fs::write(root.path().join("proc/cmdline"), cmdline).unwrap();
            assert_eq!(has_serial(root.path()), expected, "{cmdline}");
        }
    }
}
