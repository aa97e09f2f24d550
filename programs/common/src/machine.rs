//! Which machine this is: what its firmware says in its SMBIOS tables, unless its maker left there
//! what every such machine has; else the address of its first network adapter.
//!
//! DMTF DSP0134 (SMBIOS), 7.1 and 7.2 (BIOS and System Information); Linux,
//! Documentation/ABI/testing/sysfs-class-dmi.

use std::io;
use std::path::Path;

use crate::text::attribute;

/// Folder of the tables' strings.
const DMI: &str = "sys/class/dmi/id";
/// UUIDs that whole series of machines have.
const COMMON_UUIDS: [&str; 3] = [
    "03000200-0400-0500-0006-000700080009",
    "12345678-1234-5678-90ab-cddeefaabbcc",
    "fefefefe-fefe-fefe-fefe-fefefefefefe",
];
/// Text that nobody filled in.
const COMMON_TEXTS: [&str; 13] = [
    "",
    "0",
    "default string",
    "none",
    "not applicable",
    "not specified",
    "o.e.m.",
    "system manufacturer",
    "system product name",
    "system serial number",
    "to be filled by o.e.m.",
    "unknown",
    "0123456789",
];

/// What tells this machine from all others: `uuid:…`, else `serial:…`, else `mac:…`, else nothing.
pub fn machine_identity(root: &Path) -> Option<String> {
    let uuid = read(root, "product_uuid")
        .map(|it| it.to_lowercase())
        .filter(|it| is_own_uuid(it));
    let serial = || read(root, "product_serial").filter(|it| is_own_text(it));
    uuid.map(|it| format!("uuid:{it}"))
        .or_else(|| serial().map(|it| format!("serial:{it}")))
        .or_else(|| Some(format!("mac:{}", first_address(root)?)))
}

/// Which machine this is: what it says of itself, else what nobody else has, because it is made now below
/// `root`, by the kernel (random(4)). Fails where that cannot be read.
pub fn identity(root: &Path) -> io::Result<String> {
    if let Some(said) = machine_identity(root) {
        return Ok(said);
    }
    let text = std::fs::read_to_string(root.join("proc/sys/kernel/random/uuid"))?;
    Ok(format!("random:{}", text.trim()))
}

/// The lowest address of the network adapters that are built in and have one of their own (Linux,
/// Documentation/ABI/testing/sysfs-class-net). What is plugged into USB goes from machine to machine.
fn first_address(root: &Path) -> Option<String> {
    let adapters = std::fs::read_dir(root.join("sys/class/net"))
        .ok()?
        .flatten();
    let addresses = adapters.filter_map(|adapter| {
        let folder = adapter.path();
        let device = std::fs::canonicalize(folder.join("device")).ok()?;
        let is_plugged = device.ancestors().any(|it| it.join("idVendor").exists());
        let is_own = attribute(&folder.join("addr_assign_type")).as_deref() == Some("0");
        let address = attribute(&folder.join("address"))?.to_lowercase();
        let is_set = address.bytes().any(|it| !b"0:".contains(&it));
        (is_own && is_set && !is_plugged && address.len() == 17).then_some(address)
    });
    addresses.min()
}

/// Maker and model of the machine.
pub fn model(root: &Path) -> Option<String> {
    together(root, "sys_vendor", "product_name")
}

/// Maker and version of its firmware.
pub fn firmware_version(root: &Path) -> Option<String> {
    together(root, "bios_vendor", "bios_version")
}

/// A maker and what it made, without saying the maker twice; as far as they were filled in.
fn together(root: &Path, maker: &str, made: &str) -> Option<String> {
    let text = |name| read(root, name).filter(|it| is_own_text(it));
    match (text(maker), text(made)) {
        (Some(maker), Some(made)) if !made.starts_with(&maker) => Some(format!("{maker} {made}")),
        (maker, made) => made.or(maker),
    }
}

fn read(root: &Path, name: &str) -> Option<String> {
    attribute(&root.join(DMI).join(name))
}

fn is_own_uuid(text: &str) -> bool {
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    let all = |digit: char| digits.chars().all(|it| it == digit);
    digits.len() == 32 && !all('0') && !all('f') && !COMMON_UUIDS.contains(&text)
}

fn is_own_text(text: &str) -> bool {
    let text = text.trim().to_lowercase();
    let all_the_same = text.chars().all(|it| text.starts_with(it));
    !COMMON_TEXTS.contains(&text.as_str()) && !all_the_same
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A machine of which the firmware says these.
    fn machine(facts: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join(DMI);
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in facts {
            fs::write(folder.join(name), format!("{text}\n")).unwrap();
        }
        root
    }

    #[test]
    fn model_and_firmware_are_told_as_far_as_somebody_filled_them_in() {
        let rows = [
            (
                "Dell Inc.",
                "PowerEdge R640",
                Some("Dell Inc. PowerEdge R640"),
            ),
            ("HPE", "HPE ProLiant", Some("HPE ProLiant")),
            ("QEMU", "To Be Filled By O.E.M.", Some("QEMU")),
            ("System manufacturer", "PRIME B450", Some("PRIME B450")),
            ("ACME\x1b[2J", "R\u{e9}", Some("ACME?[2J R?")),
            ("Default string", "", None),
        ];
        for (maker, made, expected) in rows {
            let root = machine(&[("sys_vendor", maker), ("product_name", made)]);
            assert_eq!(model(root.path()).as_deref(), expected);
            let root = machine(&[("bios_vendor", maker), ("bios_version", made)]);
            assert_eq!(firmware_version(root.path()).as_deref(), expected);
        }
        assert_eq!(model(machine(&[]).path()), None);
    }

    #[test]
    fn without_a_name_of_its_own_a_machine_is_known_by_its_network() {
        let root = machine(&[("product_serial", "Default string")]);
        let adapters = [
            ("eth1", "52:54:00:00:00:02", "0", "pci/1"),
            ("eth0", "52:54:00:00:00:0A", "0", "pci/2"),
            ("random", "02:00:00:00:00:01", "1", "pci/3"),
            ("unset", "00:00:00:00:00:00", "0", "pci/4"),
            ("dongle", "00:00:00:00:00:03", "0", "usb1/net"),
            ("infiniband", &"00:".repeat(19), "0", "pci/5"),
        ];
        let sys = root.path().join("sys");
        for (name, address, kind, device) in adapters {
            let folder = sys.join("class/net").join(name);
            fs::create_dir_all(&folder).unwrap();
            fs::create_dir_all(sys.join(device)).unwrap();
            fs::write(folder.join("address"), address).unwrap();
            fs::write(folder.join("addr_assign_type"), kind).unwrap();
            std::os::unix::fs::symlink(sys.join(device), folder.join("device")).unwrap();
        }
        fs::write(sys.join("usb1/idVendor"), "0bda").unwrap();
        fs::create_dir_all(sys.join("class/net/lo")).unwrap();
        let found = machine_identity(root.path());
        assert_eq!(found.as_deref(), Some("mac:52:54:00:00:00:02"));
    }

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
            let facts = [("product_uuid", uuid), ("product_serial", serial)];
            let facts = facts.map(|(name, text)| (name, text.unwrap_or_default()));
            let root = machine(&facts);
            assert_eq!(
                machine_identity(root.path()).as_deref(),
                expected,
                "{uuid:?} {serial:?}"
            );
        }
    }
}
