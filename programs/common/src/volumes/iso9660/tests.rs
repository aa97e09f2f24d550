use std::io::Write;

use super::*;

/// A directory record (section 9.1), with what Rock Ridge adds.
fn record(name: &[u8], system_use: &[u8], block: u32, length: u32, flags: u8) -> Vec<u8> {
    let mut record = vec![0; NAME];
    record.extend_from_slice(name);
    if name.len().is_multiple_of(2) {
        record.push(0);
    }
    record.extend_from_slice(system_use);
    record[0] = u8::try_from(record.len()).unwrap();
    record[2..6].copy_from_slice(&block.to_le_bytes());
    record[10..14].copy_from_slice(&length.to_le_bytes());
    record[25] = flags;
    record[32] = u8::try_from(name.len()).unwrap();
    record
}

fn named(name: &str) -> Vec<u8> {
    let mut field = b"NM\0\x01\0".to_vec();
    field.extend_from_slice(name.as_bytes());
    field[2] = u8::try_from(field.len()).unwrap();
    [b"PX\x05\x01x".to_vec(), field].concat()
}

fn wide(name: &str) -> Vec<u8> {
    name.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

/// Sector and type of a descriptor, escape sequences, the root's block and records.
type Row<'a> = (usize, u8, &'a [u8], u32, &'a [Vec<u8>]);

/// A volume with a primary and, in its second directory, a Joliet descriptor.
fn volume(primary: &[Vec<u8>], joliet: &[Vec<u8>]) -> Vec<u8> {
    let mut image = vec![0; 24 * 2048];
    let rows: [Row<'_>; 2] = [
        (16, PRIMARY, b"", 20, primary),
        (17, SUPPLEMENTARY, b"%/E", 21, joliet),
    ];
    for (sector, kind, escapes, block, records) in rows {
        let at = sector * 2048;
        image[at] = kind;
        image[at + 1..at + 6].copy_from_slice(STANDARD);
        image[at + 40..at + 72].fill(b' ');
        image[at + 40..at + 46].copy_from_slice(b"CIDATA");
        image[at + 88..at + 88 + escapes.len()].copy_from_slice(escapes);
        image[at + 129] = 8;
        let root = record(b"\0", &[], block, 2048, 2);
        image[at + ROOT..at + ROOT + root.len()].copy_from_slice(&root);
        let start = block as usize * 2048;
        let bytes = [vec![root], records.to_vec()].concat().concat();
        image[start..start + bytes.len()].copy_from_slice(&bytes);
    }
    image[18 * 2048] = TERMINATOR;
    image[18 * 2048 + 1..18 * 2048 + 6].copy_from_slice(STANDARD);
    image[22 * 2048..22 * 2048 + 5].copy_from_slice(b"hello");
    image
}

fn read(image: &[u8], name: &str) -> io::Result<Option<Vec<u8>>> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(image).unwrap();
    let extent = Extent {
        number: None,
        is_esp: false,
        start: 0,
        length: image.len() as u64,
    };
    match open(&file, extent)? {
        Some(mut disc) => {
            assert_eq!(disc.label, "CIDATA");
            disc.file(name, 8)
        }
        None => Ok(None),
    }
}

#[test]
fn a_file_is_found_by_any_of_its_names() {
    let hello = Some(b"hello".to_vec());
    let rows = [
        volume(&[record(b"USER_DATA.;1", &[], 22, 5, 0)], &[]),
        volume(&[record(b"USER.;1", &named("user-data"), 22, 5, 0)], &[]),
        volume(&[], &[record(&wide("user-data;1"), &[], 22, 5, 0)]),
        volume(&[], &[record(&wide("User-Data"), &[], 22, 5, 0)]),
    ];
    for image in &rows {
        assert_eq!(read(image, "user-data").unwrap(), hello);
        assert_eq!(read(image, "meta-data").unwrap(), None);
    }
    // One byte more than is wanted says that it is too large.
    let large = volume(&[record(b"X", &[], 22, 2048, 0)], &[]);
    assert_eq!(read(&large, "x").unwrap().map(|it| it.len()), Some(9));
}

#[test]
fn what_is_none_or_is_damaged_is_no_file() {
    let good = volume(&[record(b"X", &[], 22, 5, 0)], &[]);
    let spoilt = |at: usize, bytes: &[u8]| {
        let mut image = good.clone();
        image[at..at + bytes.len()].copy_from_slice(bytes);
        image
    };
    let entry = 20 * 2048 + 34;
    assert!(read(&good, "x").unwrap().is_some());
    let none = [
        spoilt(16 * 2048 + 1, b"CD002"),
        spoilt(16 * 2048, &[3]),
        spoilt(entry, &[0]),
        spoilt(entry, &[20]),       // shorter than any record
        spoilt(entry + 25, &[2]),   // a folder
        spoilt(entry + 25, &[128]), // goes on elsewhere
        spoilt(entry + 26, &[1]),   // interleaved
        spoilt(entry + 32, &[255]), // a name longer than its record
        good[..17 * 2048 - 1].to_vec()[..16 * 2048].to_vec(),
        Vec::new(),
    ];
    for (row, image) in none.iter().enumerate() {
        assert_eq!(read(image, "x").unwrap(), None, "{row}");
    }
    let errors = [
        spoilt(16 * 2048 + ROOT + 2, &[0xff; 4]),
        spoilt(entry + 2, &[0xff; 4]),
    ];
    for image in &errors {
        let error = read(image, "x").unwrap_err();
        assert_eq!(error.to_string(), "its ISO 9660 file system is cut off");
    }
    // A directory that says it has 4 GiB is read as far as it may be, which is further than this disc.
    assert!(read(&spoilt(16 * 2048 + ROOT + 10, &[0xff; 4]), "x").is_err());
}

#[test]
fn names_of_rock_ridge_that_make_no_sense_count_for_nothing() {
    let rows: [&[u8]; 6] = [
        b"",
        b"NM",
        b"NM\x03\x01\0x",
        b"NM\x04\x01",
        b"NM\xff\x01\0x",
        b"NM\x06\x01\x01x",
    ];
    for fields in rows {
        assert_eq!(alternate_name(fields), None, "{fields:?}");
    }
}
