//! What this system is called, from `/etc/os-release` (os-release(5)).

use common::os_release::{value, version};
use common::product::product;
use std::path::Path;

use crate::text::clean;

/// Name and version of the system below `root`, such as `ACME 1.2.0`; without a version where
/// the file does not say.
pub fn name(root: &Path) -> String {
    let text = std::fs::read_to_string(root.join("etc/os-release")).unwrap_or_default();
    let name = value(&text, "NAME").unwrap_or_else(|| product().name.clone());
    let name = clean(&name);
    match version(&text) {
        Some(version) => format!("{name} {}", clean(&version)),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_name_and_the_most_exact_version() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(name(root.path()), "Example");
        std::fs::create_dir(root.path().join("etc")).unwrap();
        let rows = [
            (
                "NAME=\"Exam ple\"\nVERSION_ID=1\nIMAGE_VERSION='1.2.0'\n",
                "Exam ple 1.2.0",
            ),
            ("NAME=x\x1b\nVERSION=\"1 (one)\"\n", "x? 1 (one)"),
            ("NAME=\"\"\n", "Example"),
        ];
        for (text, expected) in rows {
            std::fs::write(root.path().join("etc/os-release"), text).unwrap();
            assert_eq!(name(root.path()), expected);
        }
    }
}
