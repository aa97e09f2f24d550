//! What a BIOS starts: `boot.img` in the first sector of the disk, which leads to `core.img` in a partition of
//! its own. Both are told where that lies as GRUB's own installer does it.
//!
//! GRUB 2.12: `include/grub/i386/pc/boot.h` (`GRUB_BOOT_MACHINE_KERNEL_SECTOR`, `_BOOT_DRIVE`, `_DRIVE_CHECK`),
//! `grub-core/boot/i386/pc/diskboot.S` (the blocklist at the end of its sector), `util/setup.c`.

/// Bytes of a sector, which both are counted in.
pub(super) const SECTOR: usize = 512;
/// What of the first sector is code; the rest is the protective MBR's.
pub(super) const CODE: usize = 440;
/// Where `boot.img` has the sector of `core.img`, the drive, and the check of that drive.
const KERNEL_SECTOR: usize = 0x5c;
const BOOT_DRIVE: usize = 0x64;
const DRIVE_CHECK: usize = 0x66;
/// The drive that the BIOS says it started from.
const ANY_DRIVE: u8 = 0xff;
/// Two times the instruction that does nothing, in the place of a jump around a check for old BIOSes.
const NO_JUMP: [u8; 2] = [0x90, 0x90];
/// Where `core.img` has the first block of its blocklist: start, then how many sectors.
const BLOCKLIST: usize = 0x1f4;
const BLOCK_LENGTH: usize = 0x1fc;

/// The code of the first sector, made of `boot.img`, and `core.img`, `image`, that lies from the sector `start` on. `None` if they are not
/// GRUB's.
pub(super) fn patched(boot: &[u8], image: &[u8], start: u64) -> Option<([u8; CODE], Vec<u8>)> {
    let mut code: [u8; CODE] = *boot.first_chunk()?;
    code[KERNEL_SECTOR..KERNEL_SECTOR + 8].copy_from_slice(&start.to_le_bytes());
    code[BOOT_DRIVE] = ANY_DRIVE;
    code[DRIVE_CHECK..DRIVE_CHECK + 2].copy_from_slice(&NO_JUMP);
    let mut image = image.to_vec();
    let block = image.get_mut(BLOCKLIST..BLOCKLIST + 8)?;
    block.copy_from_slice(&(start + 1).to_le_bytes());
    Some((code, image))
}

/// What of a chain from the first sector on does not lead to `core.img`, which begins at the sector `start` with
/// `image`, its first sector, and has `bytes`; a sentence. `None` if it leads there.
pub(super) fn fault(code: &[u8], image: &[u8], start: u64, bytes: u64) -> Option<String> {
    let leads = long(code, KERNEL_SECTOR);
    if leads != start {
        return Some(format!(
            "The boot code leads to sector {leads}, and core.img lies at {start}."
        ));
    }
    let next = long(image, BLOCKLIST);
    if next != start + 1 {
        return Some(format!(
            "core.img goes on at sector {next} by its blocklist, and lies at {}.",
            start + 1
        ));
    }
    let sectors = u64::from(u16::from_le_bytes([
        image.get(BLOCK_LENGTH).copied().unwrap_or(0),
        image.get(BLOCK_LENGTH + 1).copied().unwrap_or(0),
    ]));
    let needed = bytes.div_ceil(SECTOR as u64).saturating_sub(1);
    (sectors != needed).then(|| {
        format!("core.img has {sectors} more sectors by its blocklist, and it needs {needed}.")
    })
}

/// Whether these codes of a first sector are the same but for where they lead.
pub(super) fn is_same_code(one: &[u8], other: &[u8]) -> bool {
    let place = KERNEL_SECTOR..KERNEL_SECTOR + 8;
    let differs = |(at, (a, b)): (usize, (&u8, &u8))| a != b && !place.contains(&at);
    one.len() == other.len() && !one.iter().zip(other).enumerate().any(differs)
}

fn long(bytes: &[u8], at: usize) -> u64 {
    bytes
        .get(at..)
        .and_then(<[u8]>::first_chunk)
        .map_or(0, |it| u64::from_le_bytes(*it))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Vec<u8> {
        let mut image = vec![7; 3 * SECTOR + 1];
        image[BLOCK_LENGTH..BLOCK_LENGTH + 2].copy_from_slice(&[3, 0]);
        image
    }

    #[test]
    fn both_are_told_where_core_img_lies_and_nothing_else_changes() {
        let (code, core_image) = patched(&[1; 512], &image(), 0x0102_0304_0506).unwrap();
        let mut expected = [1; CODE];
        expected[0x5c..0x64].copy_from_slice(&[6, 5, 4, 3, 2, 1, 0, 0]);
        expected[0x64] = 0xff;
        expected[0x66..0x68].copy_from_slice(&[0x90, 0x90]);
        assert_eq!(code, expected);
        let mut expected = image();
        expected[0x1f4..0x1fc].copy_from_slice(&[7, 5, 4, 3, 2, 1, 0, 0]);
        assert_eq!(core_image, expected);
        assert!(patched(&[1; 439], &image(), 1).is_none());
        assert!(patched(&[1; 512], &[7; 500], 1).is_none());
    }

    #[test]
    fn a_chain_that_leads_elsewhere_is_told() {
        let (code, core_image) = patched(&[1; 512], &image(), 2048).unwrap();
        let said = |code: &[u8], image: &[u8], bytes| fault(code, image, 2048, bytes);
        assert_eq!(said(&code, &core_image, 1537), None);
        let mut other = code;
        other[0x5d] ^= 1;
        let expected = "The boot code leads to sector 2304, and core.img lies at 2048.";
        assert_eq!(said(&other, &core_image, 1537).unwrap(), expected);
        assert!(is_same_code(&code, &other));
        other[0] ^= 1;
        assert!(!is_same_code(&code, &other));
        let mut other = core_image.clone();
        other[0x1f4] ^= 2;
        let expected = "core.img goes on at sector 2051 by its blocklist, and lies at 2049.";
        assert_eq!(said(&code, &other, 1537).unwrap(), expected);
        let expected = "core.img has 3 more sectors by its blocklist, and it needs 4.";
        assert_eq!(said(&code, &core_image, 2049).unwrap(), expected);
    }
}
