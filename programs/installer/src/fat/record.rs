//! The records of a folder: §6 and §7.

use super::stamp::Stamp;

/// Bytes of a record.
pub(super) const RECORD: usize = 32;
/// Bytes of the longest folder: §6, 65,536 records.
pub(super) const MOST_FOLDER: usize = 2 << 20;
/// What the first byte of a record says.
pub(super) const LAST: u8 = 0;
pub(super) const DELETED: u8 = 0xe5;
/// Attributes.
const LABEL: u8 = 0x08;
const FOLDER: u8 = 0x10;
const LONG: u8 = 0x0f;
const FILE: u8 = 0x20;
/// Characters of a long name in one record, and where they lie in it.
const UNITS: usize = 13;
const PLACES: [usize; UNITS] = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];
/// What a folder calls itself and the one that it is in.
const ITSELF: Short = *b".          ";
const PARENT: Short = *b"..         ";
/// Characters that a short name may have beside letters and digits.
const ALLOWED: &[u8] = b"$%'-_@~`!(){}^#&";

/// A name of eight and three characters, filled with blanks.
pub(super) type Short = [u8; 11];

/// A file or a folder, as a folder has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// The long name in capitals, or the short one if there is none.
    pub(super) name: String,
    pub(super) short: Short,
    /// Where its records lie in its folder; the last one has the short name.
    pub(super) place: std::ops::Range<usize>,
    pub(super) is_folder: bool,
    /// Its first cluster, all 32 bits.
    pub(super) first: u32,
    pub(super) size: u32,
}

impl Record {
    /// Whether it is called `name`, by its long or its short name, in whichever letters.
    pub(super) fn is_called(&self, name: &str) -> bool {
        let name = name.to_uppercase();
        self.name == name || shown(&self.short) == name
    }
}

/// What is in a folder, without the label and what every folder has.
pub(super) fn records(folder: &[u8]) -> Vec<Record> {
    let mut found = Vec::new();
    let mut long = LongName::default();
    let records = folder.chunks_exact(RECORD);
    for (index, record) in records.take_while(|it| it[0] != LAST).enumerate() {
        let start = index * RECORD;
        if record[0] == DELETED {
            long = LongName::default();
        } else if record[11] & 0x3f == LONG {
            long.hear(record, start);
        } else {
            let mut short = ITSELF;
            short.copy_from_slice(&record[..11]);
            let number = |at: usize| u32::from(u16::from_le_bytes([record[at], record[at + 1]]));
            let long = std::mem::take(&mut long).of(&short);
            if record[11] & LABEL == 0 && short != ITSELF && short != PARENT {
                found.push(Record {
                    place: long.as_ref().map_or(start, |it| it.start)..start + RECORD,
                    name: long.map_or_else(|| shown(&short), |it| it.text()),
                    short,
                    is_folder: record[11] & FOLDER != 0,
                    first: number(20) << 16 | number(26),
                    size: number(30) << 16 | number(28),
                });
            }
        }
    }
    found
}

/// A long name, as far as it was read.
#[derive(Debug, Default)]
struct LongName {
    units: Vec<u16>,
    /// Where its first record lies.
    start: usize,
    /// Of the short name that it belongs to.
    sum: u8,
}

impl LongName {
    /// Takes a further record, which lies at `at`.
    fn hear(&mut self, record: &[u8], at: usize) {
        // Records of a name whose end never arrived may stand before it.
        if self.units.is_empty() || record[0] & 0x40 != 0 {
            *self = Self {
                units: Vec::new(),
                start: at,
                sum: record[13],
            };
        }
        let unit = |at: &usize| u16::from_le_bytes([record[*at], record[at + 1]]);
        self.units.splice(0..0, PLACES.iter().map(unit));
        // No name has more; hostile ones may.
        self.units.truncate(20 * UNITS);
    }

    /// The same, if it belongs to `short`.
    fn of(self, short: &Short) -> Option<Self> {
        let is_empty = self.units.first().is_none_or(|it| *it == 0);
        (!is_empty && self.sum == sum(short)).then_some(self)
    }

    /// In capitals.
    fn text(&self) -> String {
        let units = self.units.iter().take_while(|it| **it != 0);
        String::from_utf16_lossy(&units.copied().collect::<Vec<u16>>()).to_uppercase()
    }
}

/// What the records of a long name have of the short one: §7.2, `ChkSum`.
fn sum(short: &Short) -> u8 {
    short
        .iter()
        .fold(0, |sum: u8, byte| sum.rotate_right(1).wrapping_add(*byte))
}

/// A short name as people write it.
fn shown(short: &Short) -> String {
    let part = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_uppercase();
    let (name, extension) = (part(&short[..8]), part(&short[8..]));
    if extension.is_empty() {
        name
    } else {
        format!("{name}.{extension}")
    }
}

/// The short name of `name`, which is of ASCII, that none of `taken` is.
pub(super) fn short_name(name: &str, taken: &[Short]) -> Option<Short> {
    let (base, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let keep = |text: &str| -> Vec<u8> {
        let bytes = text.bytes().map(|it| it.to_ascii_uppercase());
        bytes
            .filter(|it| it.is_ascii_alphanumeric() || ALLOWED.contains(it))
            .collect()
    };
    let (kept, end) = (keep(base), keep(extension));
    let fits = kept.len() == base.len() && kept.len() <= 8 && end.len() == extension.len();
    let filled = |base: &[u8]| {
        let mut short = [b' '; 11];
        short[..base.len()].copy_from_slice(base);
        let end = &end[..end.len().min(3)];
        short[8..8 + end.len()].copy_from_slice(end);
        short
    };
    let plain = (fits && end.len() <= 3).then(|| filled(&kept));
    let numbered = (1..100_000_u32).map(|number| {
        let tail = format!("~{number}");
        let base = &kept[..kept.len().min(8 - tail.len())];
        filled(&[base, tail.as_bytes()].concat())
    });
    plain
        .into_iter()
        .chain(numbered)
        .find(|it| !taken.contains(it))
}

/// How many records a folder needs for `name`.
pub(super) fn count(name: &str, short: &Short) -> usize {
    if shown(short) == name {
        1
    } else {
        1 + name.len().div_ceil(UNITS)
    }
}

/// What the records of something have beside its name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub(super) is_folder: bool,
    pub(super) first: u32,
    /// 0 of a folder.
    pub(super) size: u32,
    pub(super) stamp: Stamp,
}

/// The records of something called `name`, the long ones first.
pub(super) fn write(name: &str, short: &Short, facts: Facts) -> Vec<u8> {
    let mut records = Vec::new();
    let sum = sum(short);
    let units: Vec<u16> = name.encode_utf16().collect();
    let parts = count(name, short) - 1;
    for index in (0..parts).rev() {
        let mut record = [0; RECORD];
        let order = u8::try_from(index + 1).unwrap_or(0x3f);
        record[0] = order | if index + 1 == parts { 0x40 } else { 0 };
        (record[11], record[13]) = (LONG, sum);
        for (at, place) in (index * UNITS..).zip(PLACES) {
            // A zero behind the name, and nothing behind that.
            let unit = match at.cmp(&units.len()) {
                std::cmp::Ordering::Less => units[at],
                std::cmp::Ordering::Equal => 0,
                std::cmp::Ordering::Greater => 0xffff,
            };
            record[place..place + 2].copy_from_slice(&unit.to_le_bytes());
        }
        records.extend(record);
    }
    records.extend(last(short, facts));
    records
}

/// The two records that every folder but the root begins with; `parent` is 0 if that is the root.
pub(super) fn begin(own: u32, parent: u32, stamp: Stamp) -> Vec<u8> {
    let facts = |first| Facts {
        is_folder: true,
        first,
        size: 0,
        stamp,
    };
    [last(&ITSELF, facts(own)), last(&PARENT, facts(parent))].concat()
}

/// Makes the record of a file say where it lies by now, and how long it is.
pub(super) fn point(record: &mut [u8], facts: Facts) {
    let (date, time) = (
        facts.stamp.date.to_le_bytes(),
        facts.stamp.time.to_le_bytes(),
    );
    let [low, middle, high, highest] = facts.first.to_le_bytes();
    for (at, value) in [
        (20, [high, highest]),
        (22, time),
        (24, date),
        (26, [low, middle]),
    ] {
        record[at..at + 2].copy_from_slice(&value);
    }
    record[28..RECORD].copy_from_slice(&facts.size.to_le_bytes());
}

fn last(short: &Short, facts: Facts) -> [u8; RECORD] {
    let mut record = [0; RECORD];
    record[..11].copy_from_slice(short);
    record[11] = if facts.is_folder { FOLDER } else { FILE };
    let (date, time) = (
        facts.stamp.date.to_le_bytes(),
        facts.stamp.time.to_le_bytes(),
    );
    for (at, value) in [(14, time), (16, date), (18, date)] {
        record[at..at + 2].copy_from_slice(&value);
    }
    point(&mut record, facts);
    record
}
