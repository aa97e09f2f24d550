//! Strings that the firmware's SMBIOS table carries for whoever runs on the machine (DMTF DSP0134,
//! "System Management BIOS Reference Specification", 3.7.0): a hypervisor's way to hand over text.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Where Linux shows the table (Documentation/ABI/testing/sysfs-firmware-dmi-tables).
const TABLE: &str = "sys/firmware/dmi/tables/DMI";

/// No table is larger: SMBIOS 2 counts its bytes in 16 bits, and nobody fills SMBIOS 3's 32.
const LARGEST: u64 = 1 << 20;

/// Section 6.1.2: a structure begins with type, length of its formatted area, and a handle.
const HEADER: usize = 4;
/// Section 7.12.
const OEM_STRINGS: u8 = 11;
/// Section 7.45.
const END_OF_TABLE: u8 = 127;

/// The OEM strings of the machine below `root`; none where there is no table.
pub fn strings(root: &Path) -> Vec<Vec<u8>> {
    let mut table = Vec::new();
    let path = root.join(TABLE);
    let read = File::open(&path).and_then(|file| file.take(LARGEST).read_to_end(&mut table));
    match read {
        Ok(_) => parse(&table),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "cannot read the SMBIOS table");
            Vec::new()
        }
    }
}

/// The strings of every structure of type 11. A table that is damaged ends where it is.
fn parse(mut table: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    while let [kind, length, _, _, ..] = *table {
        let length = usize::from(length);
        if kind == END_OF_TABLE || length < HEADER || length > table.len() {
            break;
        }
        let (strings, rest) = string_set(&table[length..]);
        if kind == OEM_STRINGS {
            // The byte after the header says how many there are.
            let count = table[..length].get(HEADER).copied().map_or(0, usize::from);
            found.extend(strings.into_iter().take(count).map(<[u8]>::to_vec));
        }
        table = rest;
    }
    found
}

/// Section 6.1.3: strings that each end in a zero, and one more zero; two zeros if there are none.
/// Returns them, and what comes after.
fn string_set(mut bytes: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let mut strings = Vec::new();
    while let Some(end) = bytes.iter().position(|byte| *byte == 0) {
        let string = &bytes[..end];
        bytes = &bytes[end + 1..];
        if string.is_empty() {
            if strings.is_empty() {
                bytes = bytes.strip_prefix(&[0]).unwrap_or(bytes);
            }
            return (strings, bytes);
        }
        strings.push(string);
    }
    (strings, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn structure(kind: u8, formatted: &[u8], strings: &[&str]) -> Vec<u8> {
        let length = u8::try_from(HEADER + formatted.len()).unwrap();
        let mut bytes = vec![kind, length, 0x34, 0x12];
        bytes.extend_from_slice(formatted);
        for string in strings {
            bytes.extend_from_slice(string.as_bytes());
            bytes.push(0);
        }
        bytes.extend_from_slice(if strings.is_empty() { &[0, 0] } else { &[0] });
        bytes
    }

    fn parsed(parts: &[Vec<u8>]) -> Vec<String> {
        let texts = parse(&parts.concat()).into_iter();
        texts.map(|text| String::from_utf8(text).unwrap()).collect()
    }

    #[test]
    fn oem_strings_are_found_among_other_structures() {
        let found = parsed(&[
            structure(0, &[1, 2, 0, 0, 3], &["SeaBIOS", "1.0"]),
            structure(32, &[0; 7], &[]),
            structure(OEM_STRINGS, &[2], &["a=1", "b = \"x\"\nc"]),
            structure(OEM_STRINGS, &[1], &["d"]),
            structure(END_OF_TABLE, &[], &[]),
            structure(OEM_STRINGS, &[1], &["after the end"]),
        ]);
        assert_eq!(found, ["a=1", "b = \"x\"\nc", "d"]);
    }

    #[test]
    fn only_as_many_as_the_structure_says() {
        assert_eq!(parsed(&[structure(OEM_STRINGS, &[1], &["a", "b"])]), ["a"]);
        assert!(parsed(&[structure(OEM_STRINGS, &[], &["a"])]).is_empty());
        assert!(parsed(&[structure(OEM_STRINGS, &[3], &[])]).is_empty());
    }

    #[test]
    fn a_damaged_table_ends_where_it_is() {
        let good = structure(OEM_STRINGS, &[1], &["good"]);
        let rows: [&[u8]; 4] = [
            &[11, 3, 0, 0, 0, 0],    // shorter than its header
            &[11, 200, 0, 0, 1, 65], // longer than the table
            &[11, 5, 0],             // cut off in its header
            &[1, 4, 0, 0, 65],       // strings without an end
        ];
        for damaged in rows {
            assert_eq!(parsed(&[good.clone(), damaged.to_vec()]), ["good"]);
        }
        let cut = structure(OEM_STRINGS, &[1], &["never ends"]);
        assert!(parsed(&[cut[..cut.len() - 2].to_vec()]).is_empty());
    }

    #[test]
    fn a_machine_without_a_table_has_no_strings() {
        let root = tempfile::tempdir().unwrap();
        assert!(strings(root.path()).is_empty());
        let path = root.path().join(TABLE);
        std::fs::create_dir_all(&path).unwrap();
        assert!(strings(root.path()).is_empty());
        std::fs::remove_dir(&path).unwrap();
        std::fs::write(&path, structure(OEM_STRINGS, &[1], &["x"])).unwrap();
        assert_eq!(strings(root.path()), [b"x"]);
    }
}
