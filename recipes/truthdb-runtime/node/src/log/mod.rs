//! The event log: one segment, `segment-00000001.log`, that only grows.
//!
//! An event is appended with one write and one `fdatasync(2)`, and is acknowledged after that. If
//! either fails, nobody knows what is on the disk, and the log takes no more events until
//! [`Log::recover`] has cut off whatever was not acknowledged.

pub mod format;
pub mod scan;

use std::fs::{File, TryLockError};
use std::io::{self, BufReader, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::Fatal;
use format::{Event, Kind, MAX_PAYLOAD, encode, header};
use scan::{Found, scan};

/// The only segment of this version.
pub const SEGMENT: &str = "segment-00000001.log";
const NUMBER: u64 = 1;

/// An open log. No other process can open it as long as this one has it.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    /// Locked for as long as this one lives.
    _folder: File,
    file: File,
    end: u64,
    sequence: u64,
    checksum: u64,
    broken: Option<String>,
}

/// What was cut off when a log was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Where, in bytes.
    pub offset: u64,
    /// How many bytes.
    pub bytes: u64,
}

impl Log {
    /// Opens the log in `folder`, and makes a new one if there is none. Reads all of it, shows
    /// every event to `see`, and cuts off a torn tail. Fails on damage, which it leaves as it is.
    pub fn open(folder: &Path, see: impl FnMut(&Event)) -> Result<(Self, Option<Cut>), Fatal> {
        let path = folder.join(SEGMENT);
        let locked = lock(folder)?;
        let file = match File::options().read(true).write(true).open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                create(folder).map_err(|error| Fatal::io("cannot create", &path, &error))?;
                File::options().read(true).write(true).open(&path)
            }
            other => other,
        }
        .map_err(|error| Fatal::io("cannot open", &path, &error))?;
        let found = scan(BufReader::new(&file), NUMBER, see)
            .map_err(|error| Fatal::io("cannot read", &path, &error))?
            .map_err(|damage| {
                Fatal::Damaged(format!(
                    "{} is damaged: {damage}. Nothing was changed. Copy the file away, then put \
                     back a good copy.",
                    path.display()
                ))
            })?;
        let cut = cut_tail(&file, &found)
            .map_err(|error| Fatal::io("cannot cut off the end of", &path, &error))?;
        let log = Self {
            path,
            _folder: locked,
            file,
            end: found.end,
            sequence: found.sequence,
            checksum: found.checksum,
            broken: None,
        };
        Ok((log, cut))
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
            sequence: self.sequence + 1,
            time: now(),
            kind,
            payload: payload.to_vec(),
        };
        let mut bytes = Vec::new();
        let checksum = encode(&event, self.checksum, &mut bytes);
        let written = self
            .file
            .write_all_at(&bytes, self.end)
            .and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            let fatal = Fatal::io("cannot write to", &self.path, &error);
            self.broken = Some(fatal.to_string());
            return Err(fatal);
        }
        self.end += bytes.len() as u64;
        self.sequence = event.sequence;
        self.checksum = checksum;
        Ok(event.sequence)
    }

    /// Takes events again after a write that failed, by cutting off what that may have left: no
    /// byte of it was acknowledged, and the pages that it was in are written anew with the next
    /// event. Fails, and the log stays as it was, if the system refuses that, too.
    pub fn recover(&mut self) -> Result<(), Fatal> {
        if self.broken.is_none() {
            return Ok(());
        }
        let cut = self.file.set_len(self.end);
        cut.and_then(|()| self.file.sync_all())
            .map_err(|error| Fatal::io("cannot cut off the end of", &self.path, &error))?;
        self.broken = None;
        Ok(())
    }

    /// Where the log lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many bytes it has.
    pub fn bytes(&self) -> u64 {
        self.end
    }

    /// Sequence number of the last event, and so the number of events.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Checksum of the last event: the same for two logs only if all their events are the same.
    pub fn checksum(&self) -> u64 {
        self.checksum
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

/// Makes an empty segment in `folder`, under another name first: there is never half a header.
fn create(folder: &Path) -> io::Result<()> {
    let draft = folder.join(format!("{SEGMENT}.new"));
    let file = File::create(&draft)?;
    file.write_all_at(&header(NUMBER).0, 0)?;
    file.sync_all()?;
    std::fs::rename(&draft, folder.join(SEGMENT))?;
    File::open(folder)?.sync_all()
}

fn cut_tail(file: &File, found: &Found) -> io::Result<Option<Cut>> {
    if found.tail == 0 {
        return Ok(None);
    }
    file.set_len(found.end)?;
    file.sync_all()?;
    Ok(Some(Cut {
        offset: found.end,
        bytes: found.tail,
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
