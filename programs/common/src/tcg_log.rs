//! The log of what firmware, boot loaders and Linux measured into a TPM 2.0, as Linux shows it.
//!
//! TCG, PC Client Platform Firmware Profile, section 10 ("Event Logging", crypto agile log format).

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Where Linux shows it, below the root.
const FILE: &str = "sys/kernel/security/tpm0/binary_bios_measurements";
/// Bytes that are read of it: many times what any machine has.
const MOST: u64 = 1 << 22;
/// `TPM_ALG_SHA256`.
const SHA256: u16 = 0x000B;
/// `EV_NO_ACTION`: it is told, and not measured.
const NO_ACTION: u32 = 3;
/// `EV_EFI_VARIABLE_DRIVER_CONFIG` and `EV_EFI_VARIABLE_AUTHORITY`: a variable, and what of one let something start.
pub const VARIABLE: u32 = 0x8000_0001;
/// See [`VARIABLE`].
pub const AUTHORITY: u32 = 0x8000_00E0;

/// What was measured once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The register that it was measured into.
    pub pcr: u32,
    /// Its kind, `EV_…`.
    pub kind: u32,
    /// Its digest in the bank for SHA-256; not always that of the data.
    pub digest: [u8; 32],
    /// What the log tells of it.
    pub data: Vec<u8>,
}

impl Event {
    /// Name and value of the variable that it tells of: `UEFI_VARIABLE_DATA`, section 10.2.8.
    pub fn variable(&self) -> Option<(String, &[u8])> {
        if ![VARIABLE, AUTHORITY].contains(&self.kind) {
            return None;
        }
        let mut rest = Rest(self.data.get(16..)?);
        let [letters, length] = [rest.number8().ok()?, rest.number8().ok()?];
        let name = rest.take(letters.checked_mul(2)?).ok()?;
        let units = name.as_chunks::<2>().0.iter().copied();
        let name: Vec<u16> = units.map(u16::from_le_bytes).collect();
        Some((String::from_utf16_lossy(&name), rest.take(length).ok()?))
    }
}

/// The log of the machine below `root`, in the order in which it was measured. Fails where there is none that can
/// be read to its end.
pub fn read(root: &Path) -> io::Result<Vec<Event>> {
    parse(&bytes(root)?)
}

/// The log of the machine below `root`, as it is. Fails where there is none.
pub fn bytes(root: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(root.join(FILE))?
        .take(MOST)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn parse(bytes: &[u8]) -> io::Result<Vec<Event>> {
    let mut rest = Rest(bytes);
    let sizes = header(&mut rest)?;
    let mut events = Vec::new();
    // Room behind the last event may have nothing in it.
    while rest.0.iter().any(|byte| ![0, 0xFF].contains(byte)) {
        let [pcr, kind, count] = [rest.number()?, rest.number()?, rest.number()?];
        let mut digest = None;
        for _ in 0..count {
            let algorithm = rest.short()?;
            let known = sizes.iter().find(|(it, _)| *it == algorithm);
            let (_, size) = known.ok_or_else(|| wrong("a digest is of an unknown kind"))?;
            let bytes = rest.take(u64::from(*size))?;
            if algorithm == SHA256 {
                digest = bytes.try_into().ok();
            }
        }
        let size = rest.number()?;
        let data = rest.take(size.into())?.to_vec();
        let digest = digest.ok_or_else(|| wrong("an event has no SHA-256 digest"))?;
        if kind != NO_ACTION {
            events.push(Event {
                pcr,
                kind,
                digest,
                data,
            });
        }
    }
    Ok(events)
}

/// Reads the first event, `TCG_EfiSpecIDEvent`: which algorithms there are, and how long their digests are.
fn header(rest: &mut Rest) -> io::Result<Vec<(u16, u16)>> {
    // Register, kind, SHA-1.
    rest.take(28)?;
    let size = rest.number()?;
    let mut said = Rest(rest.take(size.into())?);
    if said.take(16)? != b"Spec ID Event03\0" {
        return Err(wrong("it is none of a TPM 2.0"));
    }
    // Platform, version, errata, size of a number.
    said.take(8)?;
    let count = said.number()?;
    (0..count.min(16))
        .map(|_| Ok((said.short()?, said.short()?)))
        .collect()
}

/// What is still to be read: little-endian.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: u64) -> io::Result<&'a [u8]> {
        let count = usize::try_from(count).map_err(io::Error::other)?;
        let (taken, rest) = self
            .0
            .split_at_checked(count)
            .ok_or_else(|| wrong("it is cut off"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        self.take(N as u64)?.try_into().map_err(io::Error::other)
    }

    fn short(&mut self) -> io::Result<u16> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    fn number(&mut self) -> io::Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn number8(&mut self) -> io::Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }
}

fn wrong(why: &str) -> io::Error {
    io::Error::other(format!("the log of the TPM cannot be read: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log that begins as each does, and has these events.
    fn log(events: &[(u32, u32, &[u8])]) -> Vec<u8> {
        let mut bytes = [vec![0; 4], 3_u32.to_le_bytes().to_vec(), vec![0; 20]].concat();
        let mut said = b"Spec ID Event03\0\0\0\0\0\0\x02\0\x02\x02\0\0\0".to_vec();
        said.extend([4, 0, 20, 0, 0x0B, 0, 32, 0, 0]);
        bytes.extend(u32::try_from(said.len()).unwrap().to_le_bytes());
        bytes.extend(said);
        for (pcr, kind, data) in events {
            for number in [*pcr, *kind, 2] {
                bytes.extend(number.to_le_bytes());
            }
            bytes.extend([&[4, 0][..], &[1; 20], &[0x0B, 0], &[2; 32]].concat());
            bytes.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
            bytes.extend(*data);
        }
        bytes
    }

    fn variable(name: &str, value: &[u8]) -> Vec<u8> {
        let mut data = vec![7; 16];
        data.extend((name.len() as u64).to_le_bytes());
        data.extend((value.len() as u64).to_le_bytes());
        data.extend(name.encode_utf16().flat_map(u16::to_le_bytes));
        data.extend(value);
        data
    }

    #[test]
    fn events_are_read_in_their_order_and_variables_by_their_names() {
        let data = variable("SecureBoot", &[1]);
        let mut bytes = log(&[
            (7, VARIABLE, &data),
            (0, NO_ACTION, b"told"),
            (12, 13, b"x"),
        ]);
        bytes.extend([0xFF; 40]);
        let events = parse(&bytes).unwrap();
        let told: Vec<_> = events.iter().map(|it| (it.pcr, it.digest)).collect();
        assert_eq!(told, [(7, [2; 32]), (12, [2; 32])]);
        let name = "SecureBoot".to_owned();
        assert_eq!(events[0].variable(), Some((name, &[1_u8][..])));
        assert_eq!(events[1].variable(), None);
        let cut = Event {
            data: data[..40].to_vec(),
            ..events[0].clone()
        };
        assert_eq!(cut.variable(), None);
    }

    #[test]
    fn a_log_that_is_cut_off_anywhere_is_refused_and_never_more_than_that() {
        let bytes = log(&[(7, VARIABLE, &variable("db", b"certificate"))]);
        let header = log(&[]).len();
        for length in 0..bytes.len() {
            let said = parse(&bytes[..length]);
            assert_eq!(said.is_ok(), length == header, "{length}");
        }
        let mut other = bytes.clone();
        other[32] ^= 1;
        assert!(
            parse(&other)
                .unwrap_err()
                .to_string()
                .ends_with("none of a TPM 2.0")
        );
        let mut stranger = bytes;
        stranger[header + 12] = 9;
        assert!(
            parse(&stranger)
                .unwrap_err()
                .to_string()
                .ends_with("unknown kind")
        );
    }
}
