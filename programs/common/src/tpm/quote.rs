//! Has a TPM sign what its registers hold, with a key that signs nothing that does not come from the TPM itself.
//!
//! TCG, TPM 2.0 Library, Part 3, sections 24.1 (`TPM2_CreatePrimary`) and 18.4 (`TPM2_Quote`); Part 2, sections
//! 8.3 (`TPMA_OBJECT`), 10.12 (structures of attestation) and 12.2.4 (`TPMT_PUBLIC`).

use std::io;
use std::path::Path;

use super::{NO_PASSWORD, Tpm, WITH_SESSION, sized};

const CREATE_PRIMARY: u32 = 0x0131;
const QUOTE: u32 = 0x0158;
/// The hierarchy whose seed outlives that a TPM is cleared: `TPM_RH_ENDORSEMENT`.
const ENDORSEMENT: u32 = 0x4000_000B;
/// `TPM_ALG_ECC`, `TPM_ALG_SHA256`, `TPM_ALG_NULL`, `TPM_ALG_ECDSA`, and `TPM_ECC_NIST_P256`.
const ECC: u16 = 0x0023;
const SHA256: u16 = 0x000B;
const NOTHING: u16 = 0x0010;
const ECDSA: u16 = 0x0018;
const P256: u16 = 0x0003;
/// `fixedTPM`, `fixedParent`, `sensitiveDataOrigin`, `userWithAuth`, `noDA`, `restricted`, `sign`.
const ATTRIBUTES: u32 = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 10 | 1 << 16 | 1 << 18;
/// The registers that are quoted: those of firmware, boot loaders and systemd's stub.
pub const REGISTERS: std::ops::Range<u32> = 0..16;

/// What a TPM says of its registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The public half of the key, `TPMT_PUBLIC`. A TPM makes the same key each time.
    pub key: Vec<u8>,
    /// What is signed, `TPMS_ATTEST`.
    pub quoted: Vec<u8>,
    /// The signature, `TPMT_SIGNATURE`.
    pub signature: Vec<u8>,
}

/// Has the TPM of the machine below `root` quote [`REGISTERS`] of the bank for SHA-256. `data`, at most 32 bytes,
/// becomes part of what is signed. Fails where there is no TPM, and where it refuses.
pub fn quote(root: &Path, data: &[u8]) -> io::Result<Quote> {
    // With one opening of the device: the kernel's resource manager forgets the key afterwards.
    let mut tpm = Tpm::open(root)?;
    let made = tpm.send(WITH_SESSION, CREATE_PRIMARY, &primary()?)?;
    let (handle, after) = made.split_first_chunk::<4>().ok_or_else(is_cut)?;
    let mut rest = after.get(4..).ok_or_else(is_cut)?;
    let key = sized(&mut rest)?.to_vec();
    let answer = tpm.send(WITH_SESSION, QUOTE, &request(*handle, data)?)?;
    let (size, after) = answer.split_first_chunk::<4>().ok_or_else(is_cut)?;
    let size = usize::try_from(u32::from_be_bytes(*size)).map_err(io::Error::other)?;
    // What follows these parameters is the answer of the session.
    let mut rest = after.get(..size).ok_or_else(is_cut)?;
    let quoted = sized(&mut rest)?.to_vec();
    Ok(Quote {
        key,
        quoted,
        signature: rest.to_vec(),
    })
}

fn is_cut() -> io::Error {
    io::Error::other("the TPM's answer is cut off")
}

/// The parameters that make the key, or find it again: the seed and these say all of it.
fn primary() -> io::Result<Vec<u8>> {
    let mut public = Vec::new();
    public.extend(ECC.to_be_bytes());
    public.extend(SHA256.to_be_bytes());
    public.extend(ATTRIBUTES.to_be_bytes());
    public.extend([0; 2]); // no policy
    public.extend(NOTHING.to_be_bytes()); // encrypts nothing
    public.extend(
        [ECDSA, SHA256, P256, NOTHING]
            .map(u16::to_be_bytes)
            .as_flattened(),
    );
    public.extend([0; 4]); // no point yet
    let mut body = ENDORSEMENT.to_be_bytes().to_vec();
    body.extend(9_u32.to_be_bytes());
    body.extend(NO_PASSWORD);
    body.extend([0, 4, 0, 0, 0, 0]); // no password, no data
    body.extend(with_size(&public)?);
    body.extend([0; 2]); // nothing from outside
    body.extend([0; 4]); // no registers
    Ok(body)
}

fn request(handle: [u8; 4], data: &[u8]) -> io::Result<Vec<u8>> {
    let mut body = handle.to_vec();
    body.extend(9_u32.to_be_bytes());
    body.extend(NO_PASSWORD);
    body.extend(with_size(data)?);
    body.extend(NOTHING.to_be_bytes()); // the key's own scheme
    let mut selected = [0_u8; 3];
    for register in REGISTERS {
        if let Some(byte) = selected.get_mut(register as usize / 8) {
            *byte |= 1 << (register % 8);
        }
    }
    body.extend(1_u32.to_be_bytes());
    body.extend(SHA256.to_be_bytes());
    body.push(3);
    body.extend(selected);
    Ok(body)
}

fn with_size(part: &[u8]) -> io::Result<Vec<u8>> {
    let size = u16::try_from(part.len()).map_err(io::Error::other)?;
    Ok([&size.to_be_bytes()[..], part].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_asked_for_as_tpm2_createprimary_does() {
        // tpm2_createprimary -C e -G ecc256:ecdsa-sha256 -a 'fixedtpm|…|sign': its command from the ninth byte of
        // the session on, as swtpm logged it.
        let body = primary().unwrap();
        let public = "0023 000b 00050472 0000 0010 0018 000b 0003 0010 0000 0000";
        let public: Vec<u8> = hex(&public.replace(' ', ""));
        assert_eq!(body[..4], [0x40, 0, 0, 0x0b]);
        let at = 4 + 4 + 9 + 6;
        assert_eq!(body[at..at + 2], [0, 24]);
        assert_eq!(body[at + 2..at + 26], public);
        assert_eq!(body.len(), at + 26 + 2 + 4);
    }

    #[test]
    fn the_registers_up_to_fifteen_are_asked_for() {
        let body = request([0x80, 0, 0, 0], b"abc").unwrap();
        assert!(body.ends_with(&[
            0, 3, b'a', b'b', b'c', 0, 0x10, 0, 0, 0, 1, 0, 0x0b, 3, 0xff, 0xff, 0
        ]));
    }

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().collect();
        let pairs = digits.chunks(2).map(|it| std::str::from_utf8(it).unwrap());
        pairs
            .map(|it| u8::from_str_radix(it, 16).unwrap())
            .collect()
    }
}
