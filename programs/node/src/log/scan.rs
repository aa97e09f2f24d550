//! Reads a segment from its first byte to its last, and says what it holds and where it ends. Never
//! writes.
//!
//! At most one record is in flight at any time, so what a power cut or a crash leaves behind the
//! last good record is shorter than the longest record, nothing good follows it, and it was never
//! acknowledged: a *torn tail*. Everything else that is not a record is damage, and so is an
//! acknowledged record that is not there.

use std::fmt;
use std::io::{self, Read};

use super::acknowledged::{Acknowledged, NAME};
use super::format::{
    Event, Flaw, HEADER, Kind, MAX_RECORD, UNACKNOWLEDGED, VERSION, decode, find_later, header,
    length, version_of,
};

/// What a segment holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The last good record, acknowledged or written just before that.
    pub last: Acknowledged,
    /// How many bytes of a torn tail follow; 0 is the rule.
    pub tail: u64,
}

/// Why a segment is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The first [`HEADER`] bytes are not the header of this segment.
    Header,
    /// The header is that of another version of the format.
    Version(u32),
    /// A record is not right, and it is not a torn tail.
    Record {
        /// Where it begins, in bytes.
        offset: u64,
        /// The sequence number that it ought to have.
        sequence: u64,
        /// What is not right.
        flaw: Flaw,
        /// Whether it was acknowledged; of a log of version 1 nobody knows.
        acknowledged: Option<bool>,
        /// Where a whole record begins behind it, if one was found.
        later: Option<u64>,
    },
    /// The segment ends in front of a record that was acknowledged.
    Missing {
        /// Where the segment ends, in bytes.
        end: u64,
        /// The sequence number of the first record that is missing.
        sequence: u64,
        /// That of the last one that was acknowledged.
        acknowledged: u64,
    },
    /// There is no file of acknowledgements, and there was one.
    Unknown,
    /// Neither slot of the file of acknowledgements is whole.
    Spoiled,
    /// The file of acknowledgements is that of another log.
    Foreign,
}

impl fmt::Display for Damage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header => formatter.write_str("its first 32 bytes are not the header of a log"),
            Self::Version(version) => write!(
                formatter,
                "it has version {version} of the format, and this program knows up to {VERSION}"
            ),
            Self::Record {
                offset,
                sequence,
                flaw,
                acknowledged,
                later,
            } => {
                let flaw = match flaw {
                    Flaw::Incomplete => "says that it is longer than the file",
                    Flaw::NoRecord => "does not look like an event",
                    Flaw::Checksum => "has a wrong checksum",
                    Flaw::Sequence => "has another number",
                };
                write!(formatter, "event {sequence} at byte {offset} {flaw}")?;
                if let Some(later) = later {
                    return write!(formatter, ", and a later one is whole at byte {later}");
                }
                formatter.write_str(match acknowledged {
                    Some(true) => ", and it was acknowledged",
                    Some(false) => ", and it is not just the end of the last write",
                    None => ", and nothing says whether it was acknowledged",
                })
            }
            Self::Missing {
                end,
                sequence,
                acknowledged,
            } => write!(
                formatter,
                "it ends at byte {end} in front of event {sequence}, and {acknowledged} events \
                 were acknowledged"
            ),
            Self::Unknown => write!(formatter, "the file {NAME} beside it is gone"),
            Self::Spoiled => write!(formatter, "the file {NAME} beside it says nothing whole"),
            Self::Foreign => write!(formatter, "the file {NAME} beside it is of another log"),
        }
    }
}

/// Reads segment `number` from `input`, and shows every good record to `see`, in order. `said` is
/// what was acknowledged of it; only a segment of version 1 comes without. Fails with what the system
/// says; damage is a result.
pub fn scan(
    mut input: impl Read,
    number: u64,
    said: Option<&Acknowledged>,
    mut see: impl FnMut(&Event),
) -> io::Result<Result<Found, Damage>> {
    let mut window = Window::default();
    window.fill(&mut input, HEADER)?;
    let seed = match read_header(window.bytes(), number, said.is_some()) {
        Ok(seed) => seed,
        Err(damage) => return Ok(Err(damage)),
    };
    let mut last = Acknowledged {
        segment: number,
        sequence: 0,
        end: HEADER as u64,
        checksum: seed,
    };
    window.consume(HEADER);
    loop {
        if said.is_some_and(|said| said.sequence == last.sequence && *said != last) {
            return Ok(Err(Damage::Foreign));
        }
        window.fill(&mut input, 8)?;
        if window.bytes().is_empty() {
            return Ok(judge_end(last, said));
        }
        let size = length(window.bytes());
        if let Ok(size) = size {
            window.fill(&mut input, size)?;
        }
        let flaw = match decode(window.bytes(), last.checksum) {
            Ok((event, checksum)) if event.sequence == last.sequence + 1 => {
                if event.kind == Kind::ACKNOWLEDGED && said.is_none() {
                    return Ok(Err(Damage::Unknown));
                }
                see(&event);
                let size = size.unwrap_or_default();
                last.end += size as u64;
                last.sequence = event.sequence;
                last.checksum = checksum;
                window.consume(size);
                continue;
            }
            Ok(_) => Flaw::Sequence,
            Err(flaw) => flaw,
        };
        // One byte more than a torn tail can have tells one from damage.
        window.fill(&mut input, MAX_RECORD + 1)?;
        return Ok(judge_rest(window.bytes(), last, said, flaw));
    }
}

/// Returns the checksum of a header, the seed of the first record.
fn read_header(bytes: &[u8], number: u64, acknowledged: bool) -> Result<u64, Damage> {
    let version = version_of(bytes).ok_or(Damage::Header)?;
    if ![UNACKNOWLEDGED, VERSION].contains(&version) {
        return Err(Damage::Version(version));
    }
    let (expected, seed) = header(number, version);
    if bytes != expected {
        return Err(Damage::Header);
    }
    if version != UNACKNOWLEDGED && !acknowledged {
        return Err(Damage::Unknown);
    }
    Ok(seed)
}

/// Judges a segment that ends with a good record.
fn judge_end(last: Acknowledged, said: Option<&Acknowledged>) -> Result<Found, Damage> {
    match said {
        Some(said) if said.sequence > last.sequence => Err(Damage::Missing {
            end: last.end,
            sequence: last.sequence + 1,
            acknowledged: said.sequence,
        }),
        _ => Ok(Found { last, tail: 0 }),
    }
}

/// Decides whether `rest`, which follows the last good record, is a torn tail: what one write can
/// leave, with nothing good behind it, and never acknowledged.
fn judge_rest(
    rest: &[u8],
    last: Acknowledged,
    said: Option<&Acknowledged>,
    flaw: Flaw,
) -> Result<Found, Damage> {
    let later = find_later(rest, last.checksum);
    let acknowledged = said.map(|said| said.sequence > last.sequence);
    // Magic and length share a sector: where it was not written, they are zero, both of them.
    let longest = length(rest).unwrap_or(MAX_RECORD);
    let one_write = later.is_none() && rest.len() <= longest && flaw != Flaw::Sequence;
    if one_write && acknowledged == Some(false) {
        let tail = rest.len() as u64;
        return Ok(Found { last, tail });
    }
    Err(Damage::Record {
        offset: last.end,
        sequence: last.sequence + 1,
        flaw,
        acknowledged,
        later: later.map(|at| last.end + at as u64),
    })
}

/// Bytes that were read and are not used up.
#[derive(Default)]
struct Window {
    buffer: Vec<u8>,
    start: usize,
}

impl Window {
    fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
    }

    /// Reads until there are `count` bytes or the input ends, and forgets what is used up.
    fn fill(&mut self, input: &mut impl Read, count: usize) -> io::Result<()> {
        let missing = count.saturating_sub(self.bytes().len());
        if missing == 0 {
            return Ok(());
        }
        self.buffer.drain(..self.start);
        self.start = 0;
        input.take(missing as u64).read_to_end(&mut self.buffer)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
