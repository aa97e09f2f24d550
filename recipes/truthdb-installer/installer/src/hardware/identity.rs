//! Which machine this is: what its firmware says in its SMBIOS tables, unless its maker left there
//! what every such machine has.
//!
//! DMTF DSP0134 (SMBIOS), 7.2 (System Information); Linux, Documentation/ABI/testing/sysfs-class-dmi.

use std::path::Path;

use super::text::attribute;

/// Folder of the tables' strings.
const DMI: &str = "sys/class/dmi/id";
/// UUIDs that whole series of machines have.
const COMMON_UUIDS: [&str; 3] = [
    "03000200-0400-0500-0006-000700080009",
    "12345678-1234-5678-90ab-cddeefaabbcc",
    "fefefefe-fefe-fefe-fefe-fefefefefefe",
];
/// Serial numbers that nobody filled in.
const COMMON_SERIALS: [&str; 9] = [
    "",
    "0",
    "default string",
    "none",
    "not applicable",
    "not specified",
    "system serial number",
    "to be filled by o.e.m.",
    "0123456789",
];

/// What tells this machine from all others: `uuid:…`, else `serial:…`, else nothing.
pub fn machine_identity(root: &Path) -> Option<String> {
    let read = |name: &str| attribute(&root.join(DMI).join(name));
    let uuid = read("product_uuid")
        .map(|it| it.to_lowercase())
        .filter(|it| is_own_uuid(it));
    let serial = || read("product_serial").filter(|it| is_own_serial(it));
    uuid.map(|it| format!("uuid:{it}"))
        .or_else(|| serial().map(|it| format!("serial:{it}")))
}

fn is_own_uuid(text: &str) -> bool {
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    let all = |digit: char| digits.chars().all(|it| it == digit);
    digits.len() == 32 && !all('0') && !all('f') && !COMMON_UUIDS.contains(&text)
}

fn is_own_serial(text: &str) -> bool {
    let text = text.trim().to_lowercase();
    let all_the_same = text.chars().all(|it| text.starts_with(it));
    !COMMON_SERIALS.contains(&text.as_str()) && !all_the_same
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_uuid_comes_first_and_what_many_machines_have_does_not_count() {
        let rows = [
            (
                Some("4C4C4544-0042-3510-8051-B4C04F564432"),
                Some("ABC"),
                Some("uuid:4c4c4544-0042-3510-8051-b4c04f564432"),
            ),
            (
                Some("00000000-0000-0000-0000-000000000000"),
                Some("ABC1234"),
                Some("serial:ABC1234"),
            ),
            (
                Some("FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"),
                Some("To be filled by O.E.M."),
                None,
            ),
            (
                Some("03000200-0400-0500-0006-000700080009"),
                Some("Default string"),
                None,
            ),
            (Some("not one"), Some("0000000"), None),
            (None, Some("VMware-56 4d"), Some("serial:VMware-56 4d")),
            (None, None, None),
        ];
        for (uuid, serial, expected) in rows {
            let root = tempfile::tempdir().unwrap();
            let folder = root.path().join(DMI);
            fs::create_dir_all(&folder).unwrap();
            for (name, text) in [("product_uuid", uuid), ("product_serial", serial)] {
                if let Some(text) = text {
                    fs::write(folder.join(name), format!("{text}\n")).unwrap();
                }
            }
            assert_eq!(
                machine_identity(root.path()).as_deref(),
                expected,
                "{uuid:?} {serial:?}"
            );
        }
    }
}
