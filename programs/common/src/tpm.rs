//! A TPM 2.0, as far as systemd's tools leave something to do: one command that measures, one that tells one TPM
//! from another, and what the kernel shows of its registers.
//!
//! TCG, TPM 2.0 Library, Part 1, section 18 (structure of commands), Part 3, sections 22.3 (`TPM2_PCR_Event`) and
//! 12.4 (`TPM2_ReadPublic`); Linux, Documentation/ABI/stable/sysfs-class-tpm.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

pub mod quote;

use crate::text::attribute;

/// Its devices, below the root: the kernel's resource manager, and the TPM itself.
const DEVICES: [&str; 2] = ["dev/tpmrm0", "dev/tpm0"];
/// The TPM, in sysfs.
const FOLDER: &str = "sys/class/tpm/tpm0";
/// `TPM_ST_NO_SESSIONS` and `TPM_ST_SESSIONS`, Part 2, table 19.
const PLAIN: u16 = 0x8001;
const WITH_SESSION: u16 = 0x8002;
/// `TPM_CC_PCR_Event` and `TPM_CC_ReadPublic`, Part 2, table 12.
const PCR_EVENT: u32 = 0x013C;
const READ_PUBLIC: u32 = 0x0173;
/// A password that is empty: `TPM_RS_PW`, no nonce, no attributes, no password. Part 1, section 19.4.
const NO_PASSWORD: [u8; 9] = [0x40, 0, 0, 9, 0, 0, 0, 0, 0];
/// The storage root key. TCG, TPM v2.0 Provisioning Guidance, table 2.
const ROOT_KEY: u32 = 0x8100_0001;
/// Tag, size and code.
const HEADER: usize = 10;
/// More than any answer has.
const LONGEST: usize = 4096;

/// What register `number` of the bank for SHA-256 holds, 64 lower-case hexadecimal digits.
pub fn pcr(root: &Path, number: u32) -> Option<String> {
    let value = attribute(&root.join(format!("{FOLDER}/pcr-sha256/{number}")))?;
    let is_digest = value.len() == 64 && value.bytes().all(|it| it.is_ascii_hexdigit());
    is_digest.then(|| value.to_lowercase())
}

/// Measures `data` into register `number` of every bank; each is extended by the digest of its kind. Fails where
/// the TPM refuses.
pub fn measure(root: &Path, number: u32, data: &[u8]) -> io::Result<()> {
    let length = u16::try_from(data.len()).map_err(io::Error::other)?;
    let mut body = number.to_be_bytes().to_vec();
    body.extend(9_u32.to_be_bytes());
    body.extend(NO_PASSWORD);
    body.extend(length.to_be_bytes());
    body.extend(data);
    Tpm::open(root)?
        .send(WITH_SESSION, PCR_EVENT, &body)
        .map(drop)
}

/// The name of its storage root key, Part 1, section 16: a digest that no other TPM has, nor this one after it was
/// cleared. Fails where the TPM has no such key.
pub fn root_key_name(root: &Path) -> io::Result<Vec<u8>> {
    let answer = Tpm::open(root)?.send(PLAIN, READ_PUBLIC, &ROOT_KEY.to_be_bytes())?;
    // The public area, the name, the qualified name, each after its size.
    let mut rest = answer.as_slice();
    sized(&mut rest)?;
    Ok(sized(&mut rest)?.to_vec())
}

fn sized<'a>(rest: &mut &'a [u8]) -> io::Result<&'a [u8]> {
    let is_cut = || io::Error::other("the TPM's answer is cut off");
    let (size, after) = rest.split_first_chunk().ok_or_else(is_cut)?;
    let size = usize::from(u16::from_be_bytes(*size));
    let (part, after) = after.split_at_checked(size).ok_or_else(is_cut)?;
    *rest = after;
    Ok(part)
}

/// One opening of its device: what is made in it is forgotten with it.
struct Tpm(File);

impl Tpm {
    fn open(root: &Path) -> io::Result<Self> {
        let mut opened = Err(io::ErrorKind::NotFound.into());
        for device in DEVICES {
            opened = File::options()
                .read(true)
                .write(true)
                .open(root.join(device));
            if opened.is_ok() {
                break;
            }
        }
        opened.map(Self)
    }

    /// Sends a command, and returns what follows the header of the answer.
    fn send(&mut self, tag: u16, code: u32, body: &[u8]) -> io::Result<Vec<u8>> {
        self.0.write_all(&command(tag, code, body)?)?;
        let mut answer = vec![0; LONGEST];
        let length = self.0.read(&mut answer)?;
        answer.truncate(length);
        parse(answer)
    }
}

fn command(tag: u16, code: u32, body: &[u8]) -> io::Result<Vec<u8>> {
    let size = u32::try_from(HEADER + body.len()).map_err(io::Error::other)?;
    Ok([
        &tag.to_be_bytes()[..],
        &size.to_be_bytes(),
        &code.to_be_bytes(),
        body,
    ]
    .concat())
}

fn parse(mut answer: Vec<u8>) -> io::Result<Vec<u8>> {
    let code = answer.get(6..HEADER).and_then(|it| it.try_into().ok());
    match code.map(u32::from_be_bytes) {
        Some(0) => Ok(answer.split_off(HEADER)),
        Some(code) => Err(io::Error::other(format!("the TPM says {code:#05x}"))),
        None => Err(io::Error::other("the TPM's answer is cut off")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn commands_are_what_the_library_specification_says() {
        // As `tpm2_pcrevent 11` of tpm2-tools sends it for `leave-initrd`.
        let mut body = vec![0, 0, 0, 11, 0, 0, 0, 9];
        body.extend(NO_PASSWORD);
        body.extend(b"\x00\x0cleave-initrd");
        let bytes = command(WITH_SESSION, PCR_EVENT, &body).unwrap();
        assert_eq!(bytes.len(), 41);
        assert_eq!(bytes[..10], [0x80, 2, 0, 0, 0, 41, 0, 0, 1, 0x3c]);
    }

    #[test]
    fn the_name_is_taken_out_of_the_answer_and_refusals_are_told() {
        let answer =
            b"\x80\x01\x00\x00\x00\x14\x00\x00\x00\x00\x00\x02pp\x00\x04name\x00\x00".to_vec();
        let parsed = parse(answer.clone()).unwrap();
        let mut rest = parsed.as_slice();
        assert_eq!(sized(&mut rest).unwrap(), b"pp");
        assert_eq!(sized(&mut rest).unwrap(), b"name");
        assert_eq!(
            sized(&mut &b"\x00\x05name"[..]).unwrap_err().to_string(),
            "the TPM's answer is cut off"
        );
        let mut refused = answer;
        refused[8..10].copy_from_slice(&[1, 0x8b]);
        assert_eq!(
            parse(refused).unwrap_err().to_string(),
            "the TPM says 0x18b"
        );
        let cut = parse(vec![0x80, 1]).unwrap_err();
        assert_eq!(cut.to_string(), "the TPM's answer is cut off");
    }

    #[test]
    fn registers_are_read_and_a_machine_without_a_tpm_has_none() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(pcr(root.path(), 7), None);
        assert!(measure(root.path(), 11, b"x").is_err());
        let folder = root.path().join(FOLDER).join("pcr-sha256");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("7"), format!("{}\n", "AB".repeat(32))).unwrap();
        fs::write(folder.join("8"), "rubbish\n").unwrap();
        assert_eq!(pcr(root.path(), 7), Some("ab".repeat(32)));
        assert_eq!(pcr(root.path(), 8), None);
    }
}
