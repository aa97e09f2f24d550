//! Members of a RAID, by what the array's software or the controller's firmware wrote at their ends. A
//! mirror's member looks like the file system or the partitioned disk that the mirror holds, so these
//! are looked for before anything else.

use super::super::text::padded;
use super::area::Area;

/// What md(4) marks its members with: Linux, `include/uapi/linux/raid/md_p.h`.
const MD: [u8; 4] = 0xa92b_4efc_u32.to_le_bytes();
const SECTOR: u64 = 512;

/// Kind and name of the array that `area` is a member of.
pub(super) fn member(area: &Area<'_>) -> Option<(&'static str, String)> {
    if let Some(name) = md(area) {
        return Some(("RAID member", name));
    }
    let kind = if is_intel(area) {
        "RAID member (Intel)"
    } else if is_ddf(area) {
        "RAID member (DDF)"
    } else if area.tail(SECTOR).starts_with(b"$XIDE$") {
        // libblkid, src/superblocks/lsi_raid.c
        "RAID member (LSI)"
    } else {
        return None;
    };
    Some((kind, String::new()))
}

/// Name of the array, which may be empty, if this is a member of one of Linux's.
fn md(area: &Area<'_>) -> Option<String> {
    // Version 1.0: 8 KiB before the end, on a multiple of 4 KiB; 1.1 and 1.2: at the beginning.
    let newer = (area.size() / SECTOR)
        .checked_sub(16)
        .map(|it| it / 8 * 8 * SECTOR);
    let places = [
        newer.map(|at| (at, area.tail(area.size() - at))),
        Some((0, area.head(0))),
        Some((4096, area.head(4096))),
    ];
    let name = places
        .into_iter()
        .flatten()
        .find_map(|(at, block)| md_1(block, at));
    // Version 0.90: in the last whole 64 KiB but none.
    let older = (area.size() >> 16).checked_sub(1).map(|it| it << 16);
    name.or_else(|| {
        let block = area.tail(area.size() - older?);
        let is_090 = block.starts_with(&MD) && block.get(4..12)? == [0, 0, 0, 0, 90, 0, 0, 0];
        is_090.then(String::new)
    })
}

/// Name in a superblock of version 1, which says itself where it lies.
fn md_1(block: &[u8], at: u64) -> Option<String> {
    let major = block.get(4..8)?;
    let place = u64::from_le_bytes(*block.get(144..)?.first_chunk()?);
    let is_there = block.starts_with(&MD) && major == [1, 0, 0, 0] && place == at / SECTOR;
    is_there.then(|| padded(&block[32..64]))
}

/// Intel's firmware (Matrix, Rapid Storage, VROC), in the last block but one: mdadm, `super-intel.c`.
fn is_intel(area: &Area<'_>) -> bool {
    let mark = b"Intel Raid ISM Cfg Sig. ";
    [2 * 512, 2 * 4096]
        .iter()
        .any(|distance| area.tail(*distance).starts_with(mark))
}

/// SNIA, Common RAID Disk Data Format 2.0, 4.2.2, in the last block; the number is written in either
/// order.
fn is_ddf(area: &Area<'_>) -> bool {
    [512, 4096].iter().any(|distance| {
        let block = area.tail(*distance);
        let is_marked =
            block.starts_with(b"\xde\x11\xde\x11") || block.starts_with(b"\x11\xde\x11\xde");
        // "01.02.00" or "02.00.00"
        is_marked && matches!(block.get(32..40), Some([b'0', _, b'.', _, _, b'.', _, _]))
    })
}

#[cfg(test)]
mod tests {
    use super::super::area;
    use super::*;

    /// A size that is a multiple of little, as disks have.
    const SIZE: u64 = (4 << 20) + 3 * 512;

    fn told(writes: &[(u64, &[u8])]) -> Option<(&'static str, String)> {
        let device = area::device(SIZE, writes);
        member(&Area::read(&device, 0, SIZE).unwrap())
    }

    /// A superblock of version 1 that says that it lies at byte `place`.
    fn superblock(place: u64) -> Vec<u8> {
        let mut block = vec![0; 256];
        block[..4].copy_from_slice(&MD);
        block[4] = 1;
        block[32..38].copy_from_slice(b"node:0");
        block[144..152].copy_from_slice(&(place / 512).to_le_bytes());
        block
    }

    #[test]
    fn members_of_linux_are_told_at_each_place_where_one_is_marked() {
        // 1.0 lies 8 KiB before the end and then on a multiple of 4 KiB.
        let newest = (4 << 20) - 8192;
        for place in [newest, 0, 4096] {
            let block = superblock(place);
            let expected = Some(("RAID member", "node:0".to_owned()));
            assert_eq!(told(&[(place, &block)]), expected, "{place}");
            // What a smaller array left, or a partition's, that begins elsewhere.
            let block = superblock(place + 4096);
            assert_eq!(told(&[(place, &block)]), None, "{place}");
        }
        let older = [&MD[..], &[0, 0, 0, 0, 90, 0, 0, 0]].concat();
        let expected = Some(("RAID member", String::new()));
        assert_eq!(told(&[((4 << 20) - 65_536, &older)]), expected);
        assert_eq!(told(&[((4 << 20) - 65_536, &MD)]), None);
    }

    #[test]
    fn members_of_firmware_are_told_by_their_last_blocks() {
        let mut ddf = [0; 512];
        ddf[..4].copy_from_slice(b"\xde\x11\xde\x11");
        let unlike = ddf;
        ddf[32..40].copy_from_slice(b"02.00.00");
        let intel = b"Intel Raid ISM Cfg Sig. 1.3.00";
        let rows: [(u64, &[u8], Option<&str>); 7] = [
            (1024, intel, Some("RAID member (Intel)")),
            (8192, intel, Some("RAID member (Intel)")),
            (512, &ddf, Some("RAID member (DDF)")),
            (4096, &ddf, Some("RAID member (DDF)")),
            (512, b"$XIDE$", Some("RAID member (LSI)")),
            (512, &unlike, None),
            (2048, intel, None),
        ];
        for (distance, mark, expected) in rows {
            let found = told(&[(SIZE - distance, mark)]);
            assert_eq!(found.map(|(kind, _)| kind), expected, "{distance}");
        }
    }

    #[test]
    fn what_is_too_small_for_any_is_none() {
        for size in [0, 1, 511, 4096, 8192, 65_536] {
            let device = area::device(size, &[]);
            assert_eq!(member(&Area::read(&device, 0, size).unwrap()), None);
        }
    }
}
