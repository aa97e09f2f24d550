//! What an answer file means to a system that was not installed but came as an image of a disk: `version` and
//! `[settings]` count. Which disk is erased, what is shown before and what comes after are questions that nobody
//! has at the first start of an image, so whatever else a file may have is passed over, and said to be.

use super::Mistake;
use super::document::{self, one_of};
use super::keys::{SETTINGS, TABLES, TOP};
use super::settings_keys::{read_changes, read_settings};
use super::table::Table;
use crate::node_settings::Changes;

/// What may be asked of an image, if anything: either way its settings are made.
const TASKS: [(&str, ()); 2] = [("install", ()), ("change-settings", ())];
/// The keys that count.
const COUNT: [&str; 3] = ["version", "task", "settings"];
/// The settings that are made with the partitions of a disk, which an image has already.
const OF_PARTITIONS: [&str; 5] = [
    "data_partitions",
    "encryption",
    "passphrase",
    "recovery_key",
    "reserved",
];

/// What an answer file asks of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The settings that it names.
    pub changes: Changes,
    /// The keys that are there and mean nothing here.
    pub passed_over: Vec<String>,
}

/// Reads an answer file as it lies somewhere, or says everything that is wrong with what counts of it.
pub fn read(bytes: &[u8]) -> Result<Asked, Vec<Mistake>> {
    document::read(bytes, |top, mistakes| {
        top.refuse_unknown(&TABLES, mistakes);
        one_of(top, "task", &TASKS, mistakes);
        let settings = top.table("settings", SETTINGS, mistakes);
        settings.refuse_unknown(&TABLES, mistakes);
        let values = read_settings(&settings, mistakes);
        Some(Asked {
            changes: read_changes(&settings, &values),
            passed_over: passed_over(top, &settings),
        })
    })
}

fn passed_over(top: &Table<'_>, settings: &Table<'_>) -> Vec<String> {
    let names = TOP.iter().map(|key| key.name);
    let outside = names.filter(|it| top.has(it) && !COUNT.contains(it));
    let inside = OF_PARTITIONS.iter().filter(|it| settings.has(it));
    outside
        .map(|it| top.path(it))
        .chain(inside.map(|it| settings.path(it)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_settings::Address;

    fn said(text: &str) -> Vec<String> {
        let mistakes = read(text.as_bytes()).unwrap_err();
        mistakes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn settings_count_and_all_else_is_passed_over() {
        let file = "version = 1\ntask = \"install\"\ncountdown_seconds = 5\n[disk]\nserial = 7\n\
            [settings]\nhost_name = \"db-7\"\ndata_partitions = 2\naddress = \"192.0.2.7/24\"\n\
            gateway = \"192.0.2.1\"\n";
        let asked = read(file.as_bytes()).unwrap();
        assert_eq!(
            asked.passed_over,
            ["countdown_seconds", "disk", "settings.data_partitions"]
        );
        assert_eq!(asked.changes.host_name.as_deref(), Some("db-7"));
        assert_eq!(asked.changes.node_name, None);
        assert!(matches!(
            asked.changes.address,
            Some(Address::Static { prefix: 24, .. })
        ));
        assert_eq!(read(b"version = 1\n"), Ok(Asked::default()));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let rows = [
            ("[settings]\n", "1: version: This key is missing."),
            (
                "version = 2\n",
                "1: version: This program reads version 1, not 2.",
            ),
            (
                "version = 1\ntask = \"keep-data\"\n",
                "2: task: \"keep-data\" is none of \"install\", \"change-settings\".",
            ),
            (
                "version = 1\n[settings]\nhost_name = \"DB\"\n",
                "3: settings.host_name: Only small letters, digits and dashes are allowed.",
            ),
            (
                "version = 1\n[settings]\nhostname = \"db\"\n",
                "3: settings.hostname: This key is unknown.",
            ),
            (
                "version = 1\n[settings]\ngateway = \"192.0.2.1\"\n",
                "3: settings.gateway: It is only for a fixed address; with dhcp the network says it.",
            ),
            ("", "1: The file is empty."),
        ];
        for (text, expected) in rows {
            assert_eq!(said(text), [expected], "{text}");
        }
    }
}
