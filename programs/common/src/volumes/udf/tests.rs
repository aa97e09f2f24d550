use std::io::Write;

use super::*;

/// A partition begins here, in sectors.
const START: usize = 32;

/// Bytes with a tag of this kind in front, and these numbers at their places.
fn tagged(kind: u16, size: usize, numbers: &[(usize, u32)]) -> Vec<u8> {
    let mut bytes = vec![0; size];
    bytes[..2].copy_from_slice(&kind.to_le_bytes());
    for (at, number) in numbers {
        bytes[*at..at + 4].copy_from_slice(&number.to_le_bytes());
    }
    sealed(bytes)
}

fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes[4] = 0;
    bytes[4] = bytes[..16]
        .iter()
        .fold(0, |sum: u8, it| sum.wrapping_add(*it));
    bytes
}

fn identifier(name: &[u8], block: u32, characteristics: u8) -> Vec<u8> {
    let size = (38 + name.len()).next_multiple_of(4);
    let mut bytes = tagged(IDENTIFIER, size, &[(24, block)]);
    bytes[18] = characteristics;
    bytes[19] = u8::try_from(name.len()).unwrap();
    bytes[38..38 + name.len()].copy_from_slice(name);
    bytes
}

/// An entry of so many bytes, whose extents are of this kind.
fn entry(size: u32, kind: u32, extents: &[u8]) -> Vec<u8> {
    let listed = u32::try_from(extents.len()).unwrap();
    let numbers = [(34, kind), (56, size), (172, listed)];
    let mut bytes = tagged(FILE_ENTRY, 2048, &numbers);
    bytes[176..176 + extents.len()].copy_from_slice(extents);
    bytes
}

fn extents(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|it| it.to_le_bytes()).collect()
}

/// A volume whose root has the file `x`, with this entry.
fn volume(file: &[u8]) -> Vec<u8> {
    let mut image = vec![0; 260 * 2048];
    let root = [
        identifier(b"", 1, 0b1010),
        identifier(b"\x08folder", 3, 0b10),
        identifier(b"\x10\0x", 3, 0),
        identifier(b"\x08ovf-env.xml", 3, 0),
    ]
    .concat();
    let size = u32::try_from(root.len()).unwrap();
    let rows = [
        (
            256,
            tagged(ANCHOR_POINTER, 2048, &[(16, 4 * 2048), (20, 20)]),
        ),
        (20, tagged(1, 2048, &[])),
        (21, tagged(PARTITION, 2048, &[(188, 32)])),
        (22, tagged(LOGICAL_VOLUME, 2048, &[(212, 2048), (252, 0)])),
        (23, tagged(TERMINATOR, 2048, &[])),
        (START, tagged(FILE_SET, 2048, &[(404, 1)])),
        (START + 1, entry(size, 0, &extents(&[size, 2]))),
        (START + 2, root),
        (START + 3, file.to_vec()),
        (START + 4, b"hello ".to_vec()),
        (START + 5, b"world".to_vec()),
    ];
    for (sector, bytes) in rows {
        image[sector * 2048..sector * 2048 + bytes.len()].copy_from_slice(&bytes);
    }
    image
}

fn read(image: &[u8], name: &str, most: usize) -> io::Result<Option<Vec<u8>>> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(image).unwrap();
    let extent = Extent {
        number: None,
        is_esp: false,
        start: 0,
        length: image.len() as u64,
    };
    match open(&file, extent)? {
        Some(mut disc) => disc.file(name, most),
        None => Ok(None),
    }
}

#[test]
fn a_file_is_read_however_its_extents_are_written() {
    let rows = [
        entry(11, 0, &extents(&[6, 4, 5, 5])),
        entry(11, 1, &extents(&[6, 4, 0, 0, 5, 5, 0, 0])),
        entry(11, 3, b"hello world"),
    ];
    for file in rows {
        let image = volume(&file);
        for name in ["X", "ovf-env.xml"] {
            let found = read(&image, name, 100).unwrap();
            assert_eq!(found.as_deref(), Some(b"hello world".as_slice()));
        }
        assert_eq!(read(&image, "x", 3).unwrap().unwrap(), b"hell");
        assert_eq!(read(&image, "folder", 3).unwrap(), None);
    }
}

#[test]
fn what_is_none_or_is_damaged_is_no_file() {
    let good = volume(&entry(11, 3, b"hello world"));
    let spoilt = |sector: usize, at: usize, byte: u8| {
        let mut image = good.clone();
        image[sector * 2048 + at] = byte;
        image
    };
    let none = [
        spoilt(256, 0, 3),
        spoilt(256, 6, 1),
        spoilt(256, 17, 0),
        spoilt(21, 0, 7),
        spoilt(22, 213, 2),
        spoilt(START, 0, 1),
        spoilt(START + 2, 4, 0),
        good[..256 * 2048].to_vec(),
        Vec::new(),
    ];
    for (row, image) in none.iter().enumerate() {
        assert_eq!(read(image, "x", 100).unwrap(), None, "{row}");
    }
    let files = [
        entry(12, 3, b"hello world"),
        entry(11, 2, b"hello world"),
        entry(11, 0, &extents(&[6, 4])),
        entry(11, 0, &extents(&[6 | 1 << 30, 4, 5, 5])),
        entry(11, 0, &extents(&[11, u32::MAX])),
        tagged(FILE_ENTRY, 2048, &[(56, 11), (168, u32::MAX)]),
        tagged(FILE_ENTRY, 2048, &[(56, 11), (172, u32::MAX)]),
        tagged(1, 2048, &[]),
    ];
    for (row, file) in files.iter().enumerate() {
        let error = read(&volume(file), "x", 100).unwrap_err();
        assert_eq!(error.to_string(), "its UDF file system is damaged", "{row}");
    }
}
