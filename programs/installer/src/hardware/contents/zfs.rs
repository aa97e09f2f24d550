//! Members of a ZFS pool. Four copies of one label lie in the first and the last 512 KiB; each has what
//! the pool is called, and a ring of "uberblocks": `OpenZFS`, `include/sys/vdev_impl.h` and
//! `module/zfs/vdev_label.c`.

use super::super::text::clean;
use super::area::Area;

/// Bytes in a label, where its parts begin, and in the smallest uberblock.
const LABEL: usize = 256 << 10;
const PAIRS: usize = 16 << 10;
const RING: usize = 128 << 10;
const UBERBLOCK: usize = 1024;
/// What an uberblock begins with, in the byte order of whoever wrote it.
const MAGIC: u64 = 0x00ba_b10c;
/// The pair of the list (XDR, RFC 4506) that says what the pool is called: length of its key, the key,
/// `DATA_TYPE_STRING`, one value.
const NAME: &[u8] = b"\0\0\0\x04name\0\0\0\x09\0\0\0\x01";

/// Kind and pool, if one of the first two labels is there.
pub(super) fn at_the_start(area: &Area<'_>) -> Option<(&'static str, String)> {
    member([area.head(0), area.head(LABEL)])
}

/// Kind and pool, if one of the last two labels is there.
pub(super) fn at_the_end(area: &Area<'_>) -> Option<(&'static str, String)> {
    let unused = area.size() % LABEL as u64;
    let label = LABEL as u64;
    member([area.tail(unused + 2 * label), area.tail(unused + label)])
}

fn member(labels: [&[u8]; 2]) -> Option<(&'static str, String)> {
    let label = labels.into_iter().find(|it| has_uberblock(it))?;
    Some(("ZFS member", pool(label).unwrap_or_default()))
}

fn has_uberblock(label: &[u8]) -> bool {
    let ring = label.get(RING..LABEL.min(label.len())).unwrap_or_default();
    ring.chunks_exact(UBERBLOCK).any(|block| {
        block.starts_with(&MAGIC.to_le_bytes()) || block.starts_with(&MAGIC.to_be_bytes())
    })
}

fn pool(label: &[u8]) -> Option<String> {
    let pairs = label.get(PAIRS..RING)?;
    let key = pairs.windows(NAME.len()).position(|it| it == NAME)?;
    let (length, value) = pairs[key + NAME.len()..].split_first_chunk()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    // ZFS_MAX_DATASET_NAME_LEN
    let value = value.get(..length).filter(|it| it.len() < 256)?;
    Some(clean(&String::from_utf8_lossy(value)))
}

#[cfg(test)]
mod tests {
    use super::super::area;
    use super::*;

    const SIZE: u64 = (4 << 20) + 5000;

    #[test]
    fn a_member_is_told_by_any_of_its_labels() {
        let pairs = [&b"\0\0\0\x20\0\0\0\x20"[..], NAME, b"\0\0\0\x04tank"].concat();
        let expected = Some(("ZFS member", "tank".to_owned()));
        let end = 4 << 20;
        for label in [0, 256 << 10, end - (512 << 10), end - (256 << 10)] {
            for magic in [MAGIC.to_le_bytes(), MAGIC.to_be_bytes()] {
                let ring = label + RING as u64;
                let writes = [
                    (ring + 5 * 1024, &magic[..]),
                    (label + PAIRS as u64 + 300, &pairs),
                ];
                let device = area::device(SIZE, &writes);
                let area = Area::read(&device, 0, SIZE).unwrap();
                assert_eq!(
                    at_the_start(&area).or_else(|| at_the_end(&area)),
                    expected,
                    "label at {label}"
                );
                let device = area::device(SIZE, &[(ring + 512, &magic)]);
                let area = Area::read(&device, 0, SIZE).unwrap();
                assert_eq!(at_the_start(&area).or_else(|| at_the_end(&area)), None);
            }
        }
    }

    #[test]
    fn a_name_that_claims_to_be_long_is_none() {
        let mut label = vec![0; LABEL];
        let pairs = [NAME, b"\xff\xff\xff\xfftank"].concat();
        label[RING - pairs.len()..RING].copy_from_slice(&pairs);
        assert_eq!(pool(&label), None);
        assert_eq!(pool(&label[..PAIRS]), None);
    }
}
