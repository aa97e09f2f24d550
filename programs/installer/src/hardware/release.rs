//! What this image is, from `/etc/os-release` (os-release(5)).

use std::path::Path;

use super::Problem;
use common::os_release::{value, version};
use common::text::natural;

use super::text::reason;

/// Name and version of the product on this image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// `NAME`.
    pub name: String,
    /// The first of `IMAGE_VERSION`, `VERSION_ID` and `VERSION` that is there.
    pub version: String,
}

impl Release {
    /// Reads `etc/os-release` below `root`.
    pub fn read(root: &Path) -> Result<Self, Problem> {
        let text = std::fs::read_to_string(root.join("etc/os-release")).map_err(|error| {
            Problem::new(
                format!(
                    "/etc/os-release cannot be read: {}. So the version is unknown.",
                    reason(&error)
                ),
                "The image is incomplete: build it again, or start from another medium.",
            )
        })?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self, Problem> {
        let name = value(text, "NAME");
        let version = version(text);
        match (name, version) {
            (Some(name), Some(version)) => Ok(Self { name, version }),
            (name, _) => Err(Problem::new(
                format!(
                    "/etc/os-release has no {}, so the version is unknown.",
                    if name.is_none() { "NAME" } else { "VERSION_ID" }
                ),
                "The image is incomplete: build it again, or start from another medium.",
            )),
        }
    }
}

/// Whether `version` is older than `other`: by their numbers, and what is released is newer than what
/// came before it (Semantic Versioning 2.0.0, section 11).
pub fn is_older(version: &str, other: &str) -> bool {
    let parts = |text: &str| {
        let text = text.split('+').next().unwrap_or_default();
        let (numbers, before) = text.split_once('-').unwrap_or((text, ""));
        (natural(numbers), before.is_empty(), natural(before))
    };
    parts(version) < parts(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_name_and_the_most_exact_version() {
        let text = "# comment\nNAME=\"Example Installer\"\nVERSION_ID=1\nVERSION='1 (one)'\n";
        let product = Release::parse(text).unwrap();
        assert_eq!(product.name, "Example Installer");
        assert_eq!(product.version, "1");
        let text = format!("{text}IMAGE_VERSION=1.2.3+abc\n");
        assert_eq!(Release::parse(&text).unwrap().version, "1.2.3+abc");
    }

    #[test]
    fn says_what_is_missing() {
        let rows = [
            (
                "",
                "/etc/os-release has no NAME, so the version is unknown.",
            ),
            (
                "NAME=x\nVERSION_ID=\n",
                "/etc/os-release has no VERSION_ID, so the version is unknown.",
            ),
            (
                "ID=x\nVERSION_ID=1\n",
                "/etc/os-release has no NAME, so the version is unknown.",
            ),
        ];
        for (text, message) in rows {
            assert_eq!(Release::parse(text).unwrap_err().message, message);
        }
        let root = tempfile::tempdir().unwrap();
        let problem = Release::read(root.path()).unwrap_err();
        assert!(
            problem
                .message
                .starts_with("/etc/os-release cannot be read: it does")
        );
    }

    #[test]
    fn versions_are_ordered_as_people_count() {
        let rows = ["0.1.0", "0.2.0-rc1", "0.2.0-rc2", "0.2.0", "0.10.0", "1.0"];
        for (older, newer) in rows.iter().zip(&rows[1..]) {
            assert!(is_older(older, newer), "{older} {newer}");
            assert!(!is_older(newer, older), "{older} {newer}");
        }
        assert!(!is_older("0.2.0", "0.2.0") && !is_older("0.2.0+b", "0.2.0+c"));
    }
}
