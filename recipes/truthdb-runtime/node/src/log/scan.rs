//! Reads a segment from its first byte to its last, and says what it holds and where it ends. Never
//! writes.
//!
//! At most one record is in flight at any time, so what a power cut or a crash leaves behind the
//! last good record is shorter than the longest record, and nothing good follows it: a *torn tail*.
//! Everything else that is not a record is damage.

use std::fmt;
use std::io::{self, Read};

use super::format::{
    Event, Flaw, HEADER, MAX_RECORD, decode, find_later, header, length, version_of,
};

/// What a segment holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where the last good record ends, in bytes.
    pub end: u64,
    /// How many bytes of a torn tail follow; 0 is the rule.
    pub tail: u64,
    /// Sequence number of the last good record; 0 if there is none.
    pub sequence: u64,
    /// Its checksum; the header's if there is none.
    pub checksum: u64,
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
        /// Where a whole record begins behind it, if one was found.
        later: Option<u64>,
    },
}

impl fmt::Display for Damage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header => formatter.write_str("its first 32 bytes are not the header of a log"),
            Self::Version(version) => write!(
                formatter,
                "it has version {version} of the format, and this program knows version 1"
            ),
            Self::Record {
                offset,
                sequence,
                flaw,
                later,
            } => {
                let flaw = match flaw {
                    Flaw::Incomplete => "says that it is longer than the file",
                    Flaw::NoRecord => "does not look like an event",
                    Flaw::Checksum => "has a wrong checksum",
                    Flaw::Sequence => "has another number",
                };
                write!(formatter, "event {sequence} at byte {offset} {flaw}")?;
                match later {
                    Some(later) => write!(formatter, ", and a later one is whole at byte {later}"),
                    None => write!(formatter, ", and it is not just the end of the last write"),
                }
            }
        }
    }
}

/// Reads segment `number` from `input`, and shows every good record to `see`, in order. Fails with
/// what the system says; damage is a result.
pub fn scan(
    mut input: impl Read,
    number: u64,
    mut see: impl FnMut(&Event),
) -> io::Result<Result<Found, Damage>> {
    let (expected, seed) = header(number);
    let mut window = Window::default();
    window.fill(&mut input, HEADER)?;
    if window.bytes() != expected {
        return Ok(Err(match version_of(window.bytes()) {
            Some(version) if version != 1 => Damage::Version(version),
            _ => Damage::Header,
        }));
    }
    let mut found = Found {
        end: HEADER as u64,
        tail: 0,
        sequence: 0,
        checksum: seed,
    };
    window.consume(HEADER);
    loop {
        window.fill(&mut input, 8)?;
        if window.bytes().is_empty() {
            return Ok(Ok(found));
        }
        let size = length(window.bytes());
        if let Ok(size) = size {
            window.fill(&mut input, size)?;
        }
        let flaw = match decode(window.bytes(), found.checksum) {
            Ok((event, checksum)) if event.sequence == found.sequence + 1 => {
                see(&event);
                found.end += size.unwrap_or_default() as u64;
                found.sequence = event.sequence;
                found.checksum = checksum;
                window.consume(size.unwrap_or_default());
                continue;
            }
            Ok(_) => Flaw::Sequence,
            Err(flaw) => flaw,
        };
        // One byte more than a torn tail can have tells one from damage.
        window.fill(&mut input, MAX_RECORD + 1)?;
        return Ok(judge_rest(window.bytes(), found, flaw));
    }
}

/// Decides whether `rest`, which follows the last good record, is a torn tail: what one write can
/// leave, with nothing good behind it.
fn judge_rest(rest: &[u8], found: Found, flaw: Flaw) -> Result<Found, Damage> {
    let later = find_later(rest, found.checksum);
    // Magic and length share a sector: where it was not written, they are zero, both of them.
    let longest = length(rest).unwrap_or(MAX_RECORD);
    if later.is_none() && rest.len() <= longest && flaw != Flaw::Sequence {
        let tail = rest.len() as u64;
        return Ok(Found { tail, ..found });
    }
    Err(Damage::Record {
        offset: found.end,
        sequence: found.sequence + 1,
        flaw,
        later: later.map(|at| found.end + at as u64),
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
