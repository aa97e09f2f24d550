//! The event log: one segment, `segment-00000001.log`, that only grows, and beside it the file of
//! [`acknowledged`] events.
//!
//! An event is appended with one write and one `fdatasync(2)`; then the file of acknowledgements
//! says so, with one of each again; and it is acknowledged after that. If any of these fails, nobody
//! knows what is on the disk, and the log takes no more events until [`Log::recover`] has cut off
//! whatever was not acknowledged.
//!
//! What a power cut left behind the last acknowledged event is kept in a file of its own, `torn-…`,
//! and cut off. An acknowledged event that is not there is damage: nothing is changed then.

pub mod acknowledged;
pub mod format;
pub mod scan;

use std::fs::{File, TryLockError};
use std::io::{self, BufReader, ErrorKind};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use twox_hash::XxHash64;

use crate::error::Fatal;
use acknowledged::{Acknowledged, Acknowledgements};
use format::{Event, HEADER, Kind, MAX_PAYLOAD, VERSION, encode, header};
use scan::{Damage, Found, scan};

/// The only segment of this version.
pub const SEGMENT: &str = "segment-00000001.log";
const NUMBER: u64 = 1;

/// An open log. No other process can open it as long as this one has it.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    /// Locked for as long as this one lives.
    folder: File,
    file: File,
    acknowledgements: Acknowledgements,
    last: Acknowledged,
    /// Where whole events lie that were written and not acknowledged before this start.
    unsaid: Range<u64>,
    /// What is still to be cut off.
    torn: Option<Cut>,
    broken: Option<String>,
}

/// What was cut off when a log was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cut {
    /// Where, in bytes.
    pub offset: u64,
    /// How many bytes.
    pub bytes: u64,
    /// The file beside the log that has them now.
    pub kept: String,
}

impl Log {
    /// Opens the log in `folder`, and makes a new one if there is none. Reads all of it, shows
    /// every event to `see`, and cuts off a torn tail. Fails on damage, which it leaves as it is.
    ///
    /// A log whose disk takes no writes now is open and [`Self::broken`].
    pub fn open(folder: &Path, see: impl FnMut(&Event)) -> Result<(Self, Option<Cut>), Fatal> {
        let path = folder.join(SEGMENT);
        let locked = lock(folder)?;
        let damaged = |damage: Damage| {
            Fatal::Damaged(format!(
                "{} is damaged: {damage}. Nothing was changed. Copy {} away, then put back a good \
                 copy.",
                path.display(),
                folder.display()
            ))
        };
        let known = Acknowledgements::open(folder)
            .map_err(|error| Fatal::io("cannot read what was acknowledged of", &path, &error))?
            .map(|(file, said)| said.map(|said| (file, said)).ok_or(Damage::Spoiled))
            .transpose()
            .map_err(damaged)?;
        let (known, file) = match (open_segment(&path)?, &known) {
            (Some(file), _) => (known, file),
            (None, Some((_, said))) if said.sequence > 0 => return Err(gone(&path, said)),
            (None, _) => {
                create(folder).map_err(|error| Fatal::io("cannot create", &path, &error))?
            }
        };
        let said = known.as_ref().map(|(_, said)| *said);
        let found = scan(BufReader::new(&file), NUMBER, said.as_ref(), see)
            .map_err(|error| Fatal::io("cannot read", &path, &error))?
            .map_err(damaged)?;
        let last = found.last;
        let acknowledgements = match known {
            Some((file, _)) => Ok(file),
            None => file
                .sync_data()
                .and_then(|()| Acknowledgements::create(folder, &last)),
        }
        .map_err(|error| Fatal::io("cannot write beside", &path, &error))?;
        let torn = read_tail(&file, &found)
            .map_err(|error| Fatal::io("cannot read the end of", &path, &error))?;
        let mut log = Self {
            path,
            folder: locked,
            file,
            acknowledgements,
            last,
            unsaid: said.map_or(last.end, |said| said.end)..last.end,
            torn: torn.clone(),
            broken: None,
        };
        if torn.is_some() || !log.unsaid.is_empty() {
            log.broken = log.tidy().err().map(|error| error.to_string());
        }
        if said.is_none() {
            log.append(Kind::ACKNOWLEDGED, b"")?;
        }
        Ok((log, torn))
    }

    /// Appends an event of now, and returns its sequence number once it is safe on the disk.
    ///
    /// Fails if the payload is longer than [`MAX_PAYLOAD`], or with what the system said; then no
    /// other is taken until [`Self::recover`], and a crash before that may leave this one or not.
    pub fn append(&mut self, kind: Kind, payload: &[u8]) -> Result<u64, Fatal> {
        if let Some(reason) = &self.broken {
            return Err(Fatal::Io(reason.clone()));
        }
        if payload.len() > MAX_PAYLOAD {
            return Err(Fatal::Config(format!(
                "an event of {} bytes is longer than {MAX_PAYLOAD} bytes",
                payload.len()
            )));
        }
        let event = Event {
            sequence: self.last.sequence + 1,
            time: now(),
            kind,
            payload: payload.to_vec(),
        };
        let mut bytes = Vec::new();
        let checksum = encode(&event, self.last.checksum, &mut bytes);
        let next = Acknowledged {
            sequence: event.sequence,
            end: self.last.end + bytes.len() as u64,
            checksum,
            ..self.last
        };
        let written = self
            .file
            .write_all_at(&bytes, self.last.end)
            .and_then(|()| self.file.sync_data())
            .and_then(|()| self.acknowledgements.write(&next));
        if let Err(error) = written {
            let fatal = Fatal::io("cannot write to", &self.path, &error);
            self.broken = Some(fatal.to_string());
            return Err(fatal);
        }
        self.last = next;
        Ok(event.sequence)
    }

    /// Takes events again after a write that failed, by cutting off what that may have left: no
    /// byte of it was acknowledged, and the pages that it was in are written anew with the next
    /// event. Fails, and the log stays as it was, if the system refuses that, too.
    pub fn recover(&mut self) -> Result<(), Fatal> {
        if self.broken.is_some() {
            self.tidy()?;
            self.broken = None;
        }
        Ok(())
    }

    /// Makes the disk say what this log says: torn bytes go to a file of their own, events that were
    /// read are on the disk and not in memory alone, the last one is the last acknowledged one, and
    /// nothing follows it. Each of these is done before the next begins, so a power cut at any time
    /// leaves what opens again.
    fn tidy(&mut self) -> Result<(), Fatal> {
        if let Some(torn) = &self.torn {
            self.keep(torn)
                .map_err(|error| Fatal::io("cannot keep the end of", &self.path, &error))?;
            self.torn = None;
        }
        self.write_again()
            .and_then(|()| self.acknowledgements.write(&self.last))
            .and_then(|()| self.file.set_len(self.last.end))
            .and_then(|()| self.file.sync_all())
            .map_err(|error| Fatal::io("cannot cut off the end of", &self.path, &error))
    }

    /// Writes what was read and not acknowledged once more: where an earlier sync failed, the pages
    /// are taken for written and are not.
    fn write_again(&mut self) -> io::Result<()> {
        let length = self.unsaid.end - self.unsaid.start;
        let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut bytes, self.unsaid.start)?;
        self.file.write_all_at(&bytes, self.unsaid.start)?;
        self.file.sync_data()?;
        self.unsaid = self.last.end..self.last.end;
        Ok(())
    }

    /// Copies torn bytes to the file that is named for them; the same bytes again change nothing.
    fn keep(&self, torn: &Cut) -> io::Result<()> {
        let mut bytes = vec![0; usize::try_from(torn.bytes).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut bytes, torn.offset)?;
        let file = File::create(self.path.with_file_name(&torn.kept))?;
        file.write_all_at(&bytes, 0)?;
        file.sync_all()?;
        self.folder.sync_all()
    }

    /// Where the log lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many bytes it has.
    pub fn bytes(&self) -> u64 {
        self.last.end
    }

    /// Sequence number of the last event, and so the number of events.
    pub fn sequence(&self) -> u64 {
        self.last.sequence
    }

    /// Checksum of the last event: the same for two logs only if all their events are the same.
    pub fn checksum(&self) -> u64 {
        self.last.checksum
    }

    /// Why the log takes no more events, if it does not.
    pub fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }
}

/// Locks the folder: a lock of the file would come too late for two that make it at once.
fn lock(folder: &Path) -> Result<File, Fatal> {
    let file = File::open(folder).map_err(|error| Fatal::io("cannot open", folder, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Fatal::Io(format!(
            "{} is in use: another truthdb-node is running; stop that one first",
            folder.display()
        ))),
        Err(TryLockError::Error(error)) => Err(Fatal::io("cannot lock", folder, &error)),
    }
}

/// Opens the segment; `None` if there is none.
fn open_segment(path: &Path) -> Result<Option<File>, Fatal> {
    match File::options().read(true).write(true).open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        other => other
            .map(Some)
            .map_err(|error| Fatal::io("cannot open", path, &error)),
    }
}

fn gone(path: &Path, said: &Acknowledged) -> Fatal {
    Fatal::Damaged(format!(
        "{} is gone, and {} events in it were acknowledged. Put back a good copy.",
        path.display(),
        said.sequence
    ))
}

/// A file of acknowledgements, and what it says.
type Known = Option<(Acknowledgements, Acknowledged)>;

/// Makes an empty log in `folder`: first the file that says that nothing was acknowledged, then the
/// segment, under another name first, so that there is never half a header.
fn create(folder: &Path) -> io::Result<(Known, File)> {
    let (bytes, checksum) = header(NUMBER, VERSION);
    let first = Acknowledged {
        segment: NUMBER,
        sequence: 0,
        end: HEADER as u64,
        checksum,
    };
    let acknowledgements = Acknowledgements::create(folder, &first)?;
    let (draft, path) = (folder.join(format!("{SEGMENT}.new")), folder.join(SEGMENT));
    let segment = File::create(&draft)?;
    segment.write_all_at(&bytes, 0)?;
    segment.sync_all()?;
    std::fs::rename(&draft, &path)?;
    File::open(folder)?.sync_all()?;
    let opened = File::options().read(true).write(true).open(path)?;
    Ok((Some((acknowledgements, first)), opened))
}

/// What follows the last good record, and the name of the file that it goes to.
fn read_tail(file: &File, found: &Found) -> io::Result<Option<Cut>> {
    if found.tail == 0 {
        return Ok(None);
    }
    let offset = found.last.end;
    let mut bytes = vec![0; usize::try_from(found.tail).map_err(io::Error::other)?];
    file.read_exact_at(&mut bytes, offset)?;
    let digest = XxHash64::oneshot(0, &bytes);
    Ok(Some(Cut {
        offset,
        bytes: found.tail,
        kept: format!("torn-{offset}-{digest:016x}"),
    }))
}

/// Nanoseconds since 1970, 0 if the clock is earlier.
fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |it| u64::try_from(it.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
