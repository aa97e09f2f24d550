//! The bytes of a firmware's boot entry, `EFI_LOAD_OPTION`. Pure.
//!
//! UEFI specification 2.10, sections 3.1.3 (load options), 10.3.5.1 (hard drive media device path)
//! and 10.3.5.4 (file path media device path).

use uuid::Uuid;

/// `LOAD_OPTION_ACTIVE`.
const ACTIVE: u32 = 1;
/// Type of all media device paths.
const MEDIA: u8 = 4;
/// Subtype of a partition.
const HARD_DRIVE: u8 = 1;
/// Subtype of a file on it.
const FILE_PATH: u8 = 4;
/// The end of a device path.
const END: [u8; 4] = [0x7f, 0xff, 4, 0];
/// The partition lies in a GPT, and is known by its GUID.
const GPT: [u8; 2] = [2, 2];

/// A boot entry that starts a file on a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LoadOption {
    /// What the firmware's menu shows.
    pub(super) description: String,
    /// Number of the partition.
    pub(super) partition: u32,
    /// First logical block of the partition.
    pub(super) start: u64,
    /// Logical blocks of the partition.
    pub(super) blocks: u64,
    /// GUID of the partition.
    pub(super) guid: Uuid,
    /// Path of the file with `\` before each part.
    pub(super) file: String,
}

impl LoadOption {
    /// The variable's content, without its attributes.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut drive = self.partition.to_le_bytes().to_vec();
        drive.extend(self.start.to_le_bytes());
        drive.extend(self.blocks.to_le_bytes());
        drive.extend(self.guid.to_bytes_le());
        drive.extend(GPT);
        let mut path = node(HARD_DRIVE, &drive);
        path.extend(node(FILE_PATH, &ucs2(&self.file)));
        path.extend(END);
        let mut bytes = ACTIVE.to_le_bytes().to_vec();
        bytes.extend(u16::try_from(path.len()).unwrap_or(u16::MAX).to_le_bytes());
        bytes.extend(ucs2(&self.description));
        bytes.extend(path);
        bytes
    }

    /// What a variable says, if it is of this kind; `None` for any other, such as a network's.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (_, rest) = bytes.split_first_chunk::<4>()?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (description, rest) = text(rest)?;
        let mut path = rest.get(..usize::from(u16::from_le_bytes(*length)))?;
        let mut drive = None;
        loop {
            let (&[kind, subtype, low, high], rest) = path.split_first_chunk::<4>()?;
            let length = usize::from(u16::from_le_bytes([low, high])).checked_sub(4)?;
            let body = rest.get(..length)?;
            path = &rest[length..];
            match (kind, subtype) {
                (MEDIA, HARD_DRIVE) => drive = Some(body),
                (MEDIA, FILE_PATH) => {
                    let drive: &[u8; 38] = drive?.try_into().ok()?;
                    return Some(Self {
                        description,
                        partition: u32::from_le_bytes(*drive.first_chunk()?),
                        start: u64::from_le_bytes(*drive[4..].first_chunk()?),
                        blocks: u64::from_le_bytes(*drive[12..].first_chunk()?),
                        guid: Uuid::from_bytes_le(*drive[20..].first_chunk()?),
                        file: text(body)?.0,
                    });
                }
                (0x7f, _) => return None,
                _ => {}
            }
        }
    }
}

/// A node of a device path.
fn node(subtype: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len() + 4)
        .unwrap_or(u16::MAX)
        .to_le_bytes();
    let mut bytes = vec![MEDIA, subtype, length[0], length[1]];
    bytes.extend(body);
    bytes
}

/// A string as firmware has it: UCS-2, little-endian, with a zero behind it.
fn ucs2(text: &str) -> Vec<u8> {
    text.encode_utf16()
        .chain([0])
        .flat_map(u16::to_le_bytes)
        .collect()
}

/// Reads such a string; returns it and what is behind it.
fn text(bytes: &[u8]) -> Option<(String, &[u8])> {
    let mut units = Vec::new();
    let mut rest = bytes;
    loop {
        let (unit, behind) = rest.split_first_chunk::<2>()?;
        rest = behind;
        match u16::from_le_bytes(*unit) {
            0 => return Some((String::from_utf16_lossy(&units), rest)),
            unit => units.push(unit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option() -> LoadOption {
        LoadOption {
            description: "Example".to_owned(),
            partition: 1,
            start: 2048,
            blocks: 0x10_0000,
            guid: Uuid::from_u128(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff),
            file: "\\A.EFI".to_owned(),
        }
    }

    #[test]
    fn bytes_are_those_of_the_specification() {
        let expected: Vec<u8> = [
            &[1, 0, 0, 0][..],
            &[64, 0],
            b"E\0x\0a\0m\0p\0l\0e\0\0\0",
            &[4, 1, 42, 0, 1, 0, 0, 0],
            &[0, 8, 0, 0, 0, 0, 0, 0],
            &[0, 0, 0x10, 0, 0, 0, 0, 0],
            &[0x33, 0x22, 0x11, 0, 0x55, 0x44, 0x77, 0x66],
            &[0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff],
            &[2, 2],
            &[4, 4, 18, 0],
            b"\\\0A\0.\0E\0F\0I\0\0\0",
            &END,
        ]
        .concat();
        assert_eq!(option().to_bytes(), expected);
    }

    #[test]
    fn what_was_written_is_read_and_what_is_cut_off_is_not() {
        let bytes = option().to_bytes();
        assert_eq!(LoadOption::parse(&bytes), Some(option()));
        let (head, end) = bytes.split_at(bytes.len() - END.len());
        assert_eq!(end, END);
        for length in 0..head.len() {
            assert_eq!(LoadOption::parse(&bytes[..length]), None, "{length}");
        }
    }

    #[test]
    fn entries_of_other_kinds_are_none_of_ours() {
        // A network card: hardware and messaging nodes only.
        let mut bytes = vec![1, 0, 0, 0, 10, 0];
        bytes.extend(ucs2("PXE"));
        bytes.extend([1, 1, 6, 0, 0, 0, 0x7f, 0xff, 4, 0]);
        assert_eq!(LoadOption::parse(&bytes), None);
        assert_eq!(LoadOption::parse(&[0; 64]), None);
    }
}
