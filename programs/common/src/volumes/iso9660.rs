//! Files in the root of an ISO 9660 volume, such as hypervisors make for settings: ECMA-119, 4th edition, with the
//! names of Joliet and of Rock Ridge (IEEE P1282, "NM"), since plain ones have neither small letters nor dashes.
//!
//! What lies there is a stranger's: every read is bounded, and nothing leads from one directory to another.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use super::extent::Extent;
use crate::slice::Slice;

/// Section 6.1.2: the sectors of a disc, of which the first 16 are not its own (6.2.1).
const SECTOR: u64 = 2048;
const FIRST: u64 = 16;
/// The most descriptors that are looked at; a disc has three or four.
const MOST_DESCRIPTORS: u64 = 64;
/// The most bytes of a root directory: thousands of files.
const MOST_OF_DIRECTORY: u32 = 256 << 10;
/// Section 8.1: what follows the type of a descriptor.
const STANDARD: &[u8] = b"CD001";
/// Types of descriptors: sections 8.4, 8.5 and 8.3.
const PRIMARY: u8 = 1;
const SUPPLEMENTARY: u8 = 2;
const TERMINATOR: u8 = 255;
/// Where a descriptor has its volume identifier, escape sequences, block size and root (sections 8.4 and 8.5).
const IDENTIFIER: std::ops::Range<usize> = 40..72;
const ESCAPES: std::ops::Range<usize> = 88..120;
const BLOCK: usize = 128;
const ROOT: usize = 156;
/// Joliet's escape sequences, for its three levels: names are UCS-2.
const JOLIET: [&[u8]; 3] = [b"%/@", b"%/C", b"%/E"];
/// Section 9.1: where a record has its name, and the flags that say that it is no file, or goes on elsewhere.
const NAME: usize = 33;
const NO_FILE: u8 = 0b1000_0110;
/// Rock Ridge, 4.1.4: a name, and the flags that say that it goes on, or stands for a folder.
const ALTERNATE_NAME: &[u8] = b"NM";
const NO_WHOLE_NAME: u8 = 0b0111;

/// A volume.
#[derive(Debug)]
pub struct Disc {
    /// Its label.
    pub label: String,
    device: Slice,
    files: Vec<Entry>,
}

/// A file in the root.
#[derive(Debug)]
struct Entry {
    names: Vec<String>,
    start: u64,
    length: u32,
}

/// The ISO 9660 volume in `extent` of `device`; `None` if there is none.
pub fn open(device: &File, extent: Extent) -> io::Result<Option<Disc>> {
    let mut device = extent.of(device)?;
    let (mut label, mut files) = (None, Vec::new());
    for number in FIRST..FIRST + MOST_DESCRIPTORS {
        let Some(descriptor) = bytes(&mut device, number * SECTOR, SECTOR)? else {
            break;
        };
        if descriptor[1..6] != *STANDARD {
            break;
        }
        let is_joliet = JOLIET.iter().any(|it| descriptor[ESCAPES].starts_with(it));
        match descriptor[0] {
            PRIMARY if label.is_none() => {
                label = Some(text(&descriptor[IDENTIFIER]));
                files.extend(root(&mut device, &descriptor, false)?);
            }
            SUPPLEMENTARY if is_joliet => files.extend(root(&mut device, &descriptor, true)?),
            TERMINATOR => break,
            _ => {}
        }
    }
    Ok(label.map(|label| Disc {
        label,
        device,
        files,
    }))
}

impl Disc {
    /// At most `most` and one bytes of the file called `name` in the root, whose capitals do not count; a plain
    /// name has `_` in place of a dash. `None` if there is none.
    pub fn file(&mut self, name: &str, most: usize) -> io::Result<Option<Vec<u8>>> {
        let plain = name.replace('-', "_");
        let is_called = |it: &&Entry| {
            let mut names = it.names.iter();
            names.any(|it| it.eq_ignore_ascii_case(name) || it.eq_ignore_ascii_case(&plain))
        };
        let Some(entry) = self.files.iter().find(is_called) else {
            return Ok(None);
        };
        let length = u64::from(entry.length).min(most as u64 + 1);
        let found = bytes(&mut self.device, entry.start, length)?;
        found.map(Some).ok_or_else(cut_off)
    }
}

/// The files of the root that a descriptor names.
fn root(device: &mut Slice, descriptor: &[u8], is_joliet: bool) -> io::Result<Vec<Entry>> {
    let block = u64::from(descriptor[BLOCK]) | u64::from(descriptor[BLOCK + 1]) << 8;
    let (start, length) = place(&descriptor[ROOT..], block);
    let length = length.min(MOST_OF_DIRECTORY);
    let directory = bytes(device, start, length.into())?.ok_or_else(cut_off)?;
    let mut entries = Vec::new();
    // Section 6.8.1.1: a record does not reach into the next sector; zeros fill what is left.
    for sector in directory.chunks(2048) {
        let mut rest = sector;
        while let Some(length) = rest.first().map(|it| usize::from(*it))
            && length > NAME
            && length <= rest.len()
        {
            entries.extend(file(&rest[..length], block, is_joliet));
            rest = &rest[length..];
        }
    }
    Ok(entries)
}

/// The file that a record is about, if it is about a whole one.
fn file(record: &[u8], block: u64, is_joliet: bool) -> Option<Entry> {
    let length = usize::from(record[32]);
    let name = record.get(NAME..NAME + length)?;
    if record[25] & NO_FILE != 0 || record[26] != 0 {
        return None;
    }
    let name = if is_joliet {
        let units = name.as_chunks().0.iter().map(|it| u16::from_be_bytes(*it));
        String::from_utf16_lossy(&units.collect::<Vec<_>>())
    } else {
        String::from_utf8_lossy(name).into_owned()
    };
    // Section 7.5.1: a version behind a semicolon, and a dot that stays where nothing follows it.
    let name = name.split(';').next().unwrap_or_default();
    let name = name.trim_end_matches('.').to_owned();
    // Section 9.1.12: a byte of padding behind a name of even length.
    let system_use = record.get(NAME + length + (length + 1) % 2..);
    let other = system_use.and_then(alternate_name);
    let (start, length) = place(record, block);
    Some(Entry {
        names: std::iter::once(name).chain(other).collect(),
        start,
        length,
    })
}

/// The name that Rock Ridge gives a file, if it is all in its record: IEEE P1281, section 4, for the fields.
fn alternate_name(mut fields: &[u8]) -> Option<String> {
    while let [first, second, length, _, rest @ ..] = fields {
        let length = usize::from(*length);
        if length < 4 || length > fields.len() {
            return None;
        }
        if [*first, *second] == *ALTERNATE_NAME {
            let (flags, name) = rest[..length - 4].split_first()?;
            let is_whole = flags & NO_WHOLE_NAME == 0;
            return is_whole.then(|| String::from_utf8_lossy(name).into_owned());
        }
        fields = &fields[length..];
    }
    None
}

/// Where the contents of a record begin, in bytes, and how many there are.
fn place(record: &[u8], block: u64) -> (u64, u32) {
    let number = |at: usize| {
        record[at..]
            .first_chunk()
            .map_or(0, |it| u32::from_le_bytes(*it))
    };
    // Section 9.1.3: extended attributes come first, in blocks.
    let first = u64::from(number(2)) + u64::from(record[1]);
    (first * block, number(10))
}

/// So many bytes from `at` on; `None` where the volume ends before.
fn bytes(device: &mut Slice, at: u64, length: u64) -> io::Result<Option<Vec<u8>>> {
    let mut found = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    device.seek(SeekFrom::Start(at))?;
    match device.read_exact(&mut found) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        other => other.map(|()| Some(found)),
    }
}

fn cut_off() -> io::Error {
    io::Error::other("its ISO 9660 file system is cut off")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end().to_owned()
}

#[cfg(test)]
mod tests;
