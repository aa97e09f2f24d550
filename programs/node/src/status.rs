//! The shape of `GET /status`. Keys are only ever added: programs read them.

use serde::Serialize;

use crate::identity::{Disk, Node};

/// All of it.
#[derive(Debug, Serialize)]
pub(crate) struct Status<'a> {
    /// Version of this program.
    pub(crate) version: &'static str,
    /// What the system is called, with its version.
    pub(crate) system: Option<&'a str>,
    /// Who the node is.
    pub(crate) node: &'a Node,
    /// Where the data is.
    pub(crate) disk: DiskStatus<'a>,
    /// The event log.
    pub(crate) log: LogStatus,
    /// Whether events can be stored: what `/healthz` says.
    pub(crate) healthy: bool,
    /// Why they cannot.
    pub(crate) problem: Option<String>,
}

/// Where the data is.
#[derive(Debug, Serialize)]
pub(crate) struct DiskStatus<'a> {
    #[serde(flatten)]
    /// What the installer wrote down.
    pub(crate) disk: &'a Disk,
    /// How the file system was at this start; `None` where nobody checked it.
    pub(crate) check: Option<String>,
    /// Whether they are encrypted, and what opened them: `no`, `tpm`, `passphrase`, `recovery`; `None` where nobody
    /// says.
    pub(crate) encrypted: Option<String>,
}

/// The event log.
#[derive(Debug, Serialize)]
pub(crate) struct LogStatus {
    /// Name of the file.
    pub(crate) segment: &'static str,
    /// How many events it holds.
    pub(crate) events: u64,
    /// How many of them are starts of the machine.
    pub(crate) boots: u64,
    /// Its length.
    pub(crate) bytes: u64,
    /// Number of the last event.
    pub(crate) last_sequence: u64,
    /// Checksum of the last event, 16 hexadecimal digits: it stands for the whole log.
    pub(crate) last_checksum: String,
    /// How many bytes of an incomplete event were cut off at this start.
    pub(crate) tail_cut_bytes: u64,
}
