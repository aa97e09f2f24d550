//! What file systems and volume groups are called, where that lies somewhere that other fields tell.
//! Whoever asks has found the magic number; nothing else is believed, and little is read.

use super::super::text::{padded, wide};
use super::area::Area;

/// How much is read of a list of which only the beginning matters, in bytes.
const LOOK: u64 = 4096;

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    let found = bytes.get(at..)?.first_chunk()?;
    Some(u64::from(u16::from_le_bytes(*found)))
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    let found = bytes.get(at..)?.first_chunk()?;
    Some(u64::from(u32::from_le_bytes(*found)))
}

fn quad(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Name of the volume group that an LVM member is of: LVM2, `lib/format_text/layout.h`. The label of
/// the member leads to a list of its areas, of which the second half are the metadata's; such an area
/// leads to a text that begins with the name.
pub(super) fn volume_group(area: &Area<'_>) -> Option<String> {
    const AREAS: usize = 40;
    const PAIR: usize = 16;
    const MOST_AREAS: usize = 16;
    let label = (0..4)
        .map(|sector| area.head(sector * 512))
        .find(|it| it.starts_with(b"LABELONE"))?;
    let header = label.get(usize::try_from(long(label, 20)?).ok()?..)?;
    let pair = |index: usize| quad(header, AREAS + index * PAIR);
    let end = (0..MOST_AREAS).find(|index| pair(*index) == Some(0))?;
    let metadata = pair(end + 1).filter(|start| *start > 0)?;
    let block = area.bytes(metadata, 512).ok()?;
    if block.get(4..20)? != b" LVM2 x[5A%r0N*>" {
        return None;
    }
    // A member of no group yet has no text.
    let at = quad(&block, 40).filter(|at| *at > 0)?;
    let metadata = area.bytes(metadata.checked_add(at)?, 512).ok()?;
    let end = metadata.iter().position(|byte| b" {\n".contains(byte))?;
    Some(padded(&metadata[..end]))
}

/// Label of an exFAT volume, an entry of its root directory: Microsoft, "exFAT file system
/// specification", 3.1 and 7.3.
pub(super) fn of_exfat(area: &Area<'_>) -> Option<String> {
    let boot = area.head(0);
    let (sector, cluster) = (*boot.get(108)?, *boot.get(109)?);
    if !(9..=12).contains(&sector) || cluster > 25 - sector {
        return None;
    }
    let root = long(boot, 88)? + (long(boot, 96)?.checked_sub(2)? << cluster);
    let root = area.bytes(root << sector, LOOK).ok()?;
    let entry = root
        .chunks_exact(32)
        .take_while(|entry| entry[0] != 0)
        .find(|entry| entry[0] == 0x83)?;
    Some(wide(&entry[2..2 + 2 * usize::from(entry[1].min(11))]))
}

/// Label of an NTFS volume, the attribute `$VOLUME_NAME` of the fourth record of its file table:
/// Linux, `fs/ntfs3/ntfs.h`, `NTFS_BOOT`, `MFT_REC` and `ATTRIB`.
pub(super) fn of_ntfs(area: &Area<'_>) -> Option<String> {
    const VOLUME: u64 = 3;
    const VOLUME_NAME: u64 = 0x60;
    const END: u64 = 0xffff_ffff;
    let boot = area.head(0);
    let sector = word(boot, 11)?;
    let clusters = |count: u8| match i8::from_ne_bytes([count]) {
        count @ ..0 => 1_u64.checked_shl(u32::from(count.unsigned_abs())),
        count => Some(u64::from(count.unsigned_abs())),
    };
    let cluster = sector.checked_mul(clusters(*boot.get(13)?)?)?;
    let size = match *boot.get(64)? {
        count @ 0x80.. => clusters(count)?,
        count => cluster.checked_mul(u64::from(count))?,
    };
    if !(256..=LOOK).contains(&size) {
        return None;
    }
    let table = quad(boot, 48)?.checked_mul(cluster)?;
    let mut record = area
        .bytes(table.checked_add(VOLUME * size)?, size)
        .ok()
        .filter(|it| it.starts_with(b"FILE"))?;
    mend(&mut record)?;
    let mut at = usize::try_from(word(&record, 20)?).ok()?;
    loop {
        let (kind, length) = (long(&record, at)?, long(&record, at + 4)?);
        let attribute = record.get(at..)?;
        if kind == END || length == 0 {
            return None;
        }
        if kind == VOLUME_NAME {
            let start = usize::try_from(word(attribute, 20)?).ok()?;
            let length = usize::try_from(long(attribute, 16)?).ok()?;
            return Some(wide(attribute.get(start..)?.get(..length)?));
        }
        at = at.checked_add(usize::try_from(length).ok()?)?;
    }
}

/// Puts back the last two bytes of each sector of a record of NTFS, which are kept at another place
/// ("update sequence").
fn mend(record: &mut [u8]) -> Option<()> {
    let place = |at| usize::try_from(word(record, at)?).ok();
    let (start, count) = (place(4)?, place(6)?);
    for index in 1..count {
        let kept: [u8; 2] = *record.get(start + 2 * index..)?.first_chunk()?;
        record
            .get_mut(index * 512 - 2..index * 512)?
            .copy_from_slice(&kept);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::area;
    use super::*;

    const SIZE: u64 = 64 << 10;

    /// Bytes at offsets, in so many zeros.
    fn block(length: usize, writes: &[(usize, &[u8])]) -> Vec<u8> {
        let mut block = vec![0; length];
        for (offset, data) in writes {
            block[*offset..offset + data.len()].copy_from_slice(data);
        }
        block
    }

    /// Parts of an image, in which a name is found.
    type Image = Vec<(u64, Vec<u8>)>;
    type Reader = fn(&Area<'_>) -> Option<String>;

    fn read(image: &Image, reader: Reader) -> Option<String> {
        let writes: Vec<_> = image.iter().map(|(at, data)| (*at, &data[..])).collect();
        let device = area::device(SIZE, &writes);
        reader(&Area::read(&device, 0, SIZE).unwrap())
    }

    /// An LVM member, its label in the second sector, its metadata at 4 KiB.
    fn lvm() -> Image {
        let label = block(
            512,
            &[
                (0, b"LABELONE"),
                (20, &[32]),
                (24, b"LVM2 001"),
                // The data area at 1 MiB, no more; the metadata area at 4 KiB.
                (32 + 40 + 2, &[0x10]),
                (32 + 40 + 32 + 1, &[0x10]),
            ],
        );
        let header = block(64, &[(4, b" LVM2 x[5A%r0N*>"), (40 + 1, &[2])]);
        vec![
            (512, label),
            (4096, header),
            (4096 + 512, b"vg_prod {\nid = \"x\"\n".to_vec()),
        ]
    }

    /// An exFAT volume with sectors of 512 bytes, clusters of 4 KiB, and its root in cluster 5.
    fn exfat() -> Image {
        let boot = block(
            512,
            &[(3, b"EXFAT   "), (88, &[64]), (96, &[5]), (108, &[9, 3])],
        );
        let root = block(
            96,
            &[(0, &[0x81]), (32, &[0x82]), (64, b"\x83\x03S\0D\0 \0X")],
        );
        vec![(0, boot), ((64 + 3 * 8) * 512, root)]
    }

    /// An NTFS volume with clusters of 4 KiB and its file table in cluster 4. The last letter of its
    /// name lies at the end of a sector, so that it is kept elsewhere.
    fn ntfs() -> Image {
        let boot = block(
            512,
            &[(3, b"NTFS    "), (12, &[2, 8]), (48, &[4]), (64, &[0xf6])],
        );
        let record = block(
            1024,
            &[
                (0, b"FILE"),
                (4, &[48, 0, 3, 0]),
                (20, &[56]),
                (48, b"\x07\0s\0\0\0"),
                // An attribute that is passed over, and the name.
                (56, &[0x10, 0, 0, 0, 0xa8, 1]),
                (480, &[0x60, 0, 0, 0, 0x28, 0, 0, 0]),
                (480 + 16, &[8, 0, 0, 0, 24]),
                (480 + 24, b"B\0o\0o\0\x07\0"),
                (520, &[0xff; 4]),
            ],
        );
        vec![(0, boot), (4 * 4096 + 3 * 1024, record)]
    }

    fn all() -> [(Image, Reader, &'static str); 3] {
        [
            (lvm(), volume_group, "vg_prod"),
            (exfat(), of_exfat, "SD "),
            (ntfs(), of_ntfs, "Boos"),
        ]
    }

    #[test]
    fn names_are_found() {
        for (image, reader, name) in all() {
            assert_eq!(read(&image, reader).as_deref(), Some(name.trim_end()));
        }
    }

    #[test]
    fn a_member_of_no_group_has_no_name() {
        let mut image = lvm();
        image[1].1[41] = 0;
        assert_eq!(read(&image, volume_group), None);
    }

    #[test]
    fn no_damage_makes_a_reader_fail_or_hang() {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        for (image, reader, _) in all() {
            for part in 0..image.len() {
                for at in 0..image[part].1.len() {
                    // xorshift64: Marsaglia, "Xorshift RNGs", 2003
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    for byte in [0xff, 0x80, state.to_le_bytes()[0]] {
                        let mut image = image.clone();
                        image[part].1[at] = byte;
                        assert!(read(&image, reader).is_none_or(|name| name.len() <= 4096));
                    }
                }
            }
        }
    }
}
