//! What happens when the service starts, and what can be asked of it while it runs.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{StatVfs, StatVfsMountFlags, statvfs};
use serde::{Deserialize, Serialize};
use web::{Answer, Reply};

use crate::error::Fatal;
use crate::identity::{self, NodeToml};
use crate::log::format::Kind;
use crate::log::{Cut, Log, SEGMENT};
use crate::status::{DiskStatus, LogStatus, Status};

/// With less room than this the disk counts as full.
const LEAST_ROOM: u64 = 1 << 20;

/// What the service is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// The data partition: `wal/` and `metadata/` are in it.
    pub data: PathBuf,
    /// Where the supervisor writes what it found out.
    pub run: PathBuf,
    /// Which start of the machine this is.
    pub boot_id: String,
    /// What the system is called, with its version.
    pub system: Option<String>,
}

/// The running service.
#[derive(Debug)]
pub struct Service {
    config: Config,
    node: NodeToml,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    log: Log,
    boots: u64,
    cut: Option<Cut>,
    /// Events of this start that are not in the log yet.
    pending: Vec<(Kind, String)>,
    problem: Option<String>,
}

/// What an event of a start says.
#[derive(Deserialize, Serialize)]
struct Start {
    boot_id: String,
    #[serde(default)]
    version: String,
    /// Whose log it is.
    #[serde(default)]
    node: String,
}

impl Service {
    /// Reads who the node is, verifies the whole log, and records this start in it. Fails if the
    /// log is another node's. A disk that takes no writes is no failure here: the service then runs
    /// and says so.
    pub fn start(config: Config) -> Result<Self, Fatal> {
        let node = identity::read(&config.data)?;
        let state = State::open(&config, &node.node.id)?;
        let service = Self {
            config,
            node,
            state: Mutex::new(state),
        };
        service.lock().record();
        Ok(service)
    }

    /// Tries again to record this start, if that failed. Returns whether something was done.
    pub fn retry(&self) -> bool {
        let mut state = self.lock();
        let wanted = state.problem.is_some();
        if wanted {
            state.record();
        }
        wanted
    }

    /// One line about the log, for people who read along.
    pub fn summary(&self) -> String {
        let state = self.lock();
        let mut text = format!(
            "{} events, {} boots, {} bytes, last checksum {:016x}",
            state.log.sequence(),
            state.boots,
            state.log.bytes(),
            state.log.checksum()
        );
        if let Some(Cut {
            offset,
            bytes,
            kept,
        }) = &state.cut
        {
            let _ = write!(
                text,
                "; an incomplete event of {bytes} bytes at byte {offset} was cut off and kept as \
                 {kept}"
            );
        }
        if let Some(problem) = &state.problem {
            let _ = write!(text, "; not healthy: {problem}");
        }
        text
    }

    /// Why no event can be stored now; `None` if all is well.
    pub fn problem(&self) -> Option<String> {
        let state = self.lock();
        self.room().or_else(|| state.problem.clone())
    }

    /// Why the file system takes no writes, as far as it says so.
    fn room(&self) -> Option<String> {
        let path = self.config.data.display();
        match statvfs(&self.config.data) {
            Ok(numbers) => shortage(&numbers).map(|what| format!("{path} is {what}")),
            Err(error) => Some(format!("cannot look at {path}: {error}")),
        }
    }

    fn status(&self) -> serde_json::Result<Vec<u8>> {
        let problem = self.problem();
        let (check, encrypted) = identity::data_state(&self.config.run).unzip();
        let state = self.lock();
        let status = Status {
            version: env!("CARGO_PKG_VERSION"),
            system: self.config.system.as_deref(),
            node: &self.node.node,
            disk: DiskStatus {
                disk: &self.node.disk,
                check,
                encrypted: encrypted.flatten(),
            },
            log: LogStatus {
                segment: SEGMENT,
                events: state.log.sequence(),
                boots: state.boots,
                bytes: state.log.bytes(),
                last_sequence: state.log.sequence(),
                last_checksum: format!("{:016x}", state.log.checksum()),
                tail_cut_bytes: state.cut.as_ref().map_or(0, |cut| cut.bytes),
            },
            healthy: problem.is_none(),
            problem,
        };
        let mut json = serde_json::to_vec_pretty(&status)?;
        json.push(b'\n');
        Ok(json)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answer for Service {
    fn answer(&self, path: &str) -> Reply {
        match path {
            "/status" => match self.status() {
                Ok(json) => Reply::new(200, "application/json", json),
                Err(error) => Reply::text(500, &error.to_string()),
            },
            "/healthz" => match self.problem() {
                None => Reply::text(200, "ok"),
                Some(problem) => Reply::text(503, &problem),
            },
            _ => Reply::text(404, "There are /status and /healthz."),
        }
    }
}

impl State {
    /// Opens the log of the node called `node`, and finds out what has to be recorded.
    fn open(config: &Config, node: &str) -> Result<Self, Fatal> {
        let mut boots = 0;
        let mut last = None;
        let (log, cut) = Log::open(&config.data.join("wal"), |event| {
            if [Kind::BOOT, Kind::START].contains(&event.kind) {
                boots += u64::from(event.kind == Kind::BOOT);
                last = serde_json::from_slice::<Start>(&event.payload).ok();
            }
        })?;
        if let Some(Start { node: owner, .. }) = &last
            && !owner.is_empty()
            && owner != node
        {
            return Err(Fatal::Config(format!(
                "{} is the log of node {owner}, and this is node {node}. Put back the log that \
                 belongs to metadata/node.toml.",
                log.path().display()
            )));
        }
        let kind = match last {
            Some(last) if last.boot_id == config.boot_id => Kind::START,
            _ => Kind::BOOT,
        };
        let start = Start {
            boot_id: config.boot_id.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            node: node.to_owned(),
        };
        let pending = cut
            .as_ref()
            .map(|cut| (Kind::TAIL_CUT, json(cut)))
            .into_iter()
            .chain([(kind, json(&start))])
            .collect();
        Ok(Self {
            log,
            boots,
            cut,
            pending,
            problem: None,
        })
    }

    /// Appends what is pending, in order, until something fails.
    fn record(&mut self) {
        self.problem = self.try_record().err().map(|error| error.to_string());
    }

    fn try_record(&mut self) -> Result<(), Fatal> {
        self.log.recover()?;
        while let Some((kind, payload)) = self.pending.first() {
            self.log.append(*kind, payload.as_bytes())?;
            self.boots += u64::from(*kind == Kind::BOOT);
            self.pending.remove(0);
        }
        Ok(())
    }
}

/// What is wrong with a file system, by its numbers: statvfs(3).
fn shortage(numbers: &StatVfs) -> Option<&'static str> {
    let room = numbers.f_bavail.saturating_mul(numbers.f_frsize);
    if numbers.f_flag.contains(StatVfsMountFlags::RDONLY) {
        return Some("read-only: the disk reported errors");
    }
    // File systems without a fixed number of files say that they have none.
    let no_file = numbers.f_files > 0 && numbers.f_favail == 0;
    (room < LEAST_ROOM || no_file).then_some("full")
}

/// These structures hold text and numbers only, which always can be written.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_without_room_files_or_writes_is_told_apart() {
        let with = |change: fn(&mut StatVfs)| {
            let mut numbers = statvfs("/proc/self").unwrap();
            numbers.f_flag = StatVfsMountFlags::NOATIME;
            numbers.f_frsize = 4096;
            numbers.f_bavail = 256;
            numbers.f_files = 10;
            numbers.f_favail = 1;
            change(&mut numbers);
            shortage(&numbers)
        };
        assert_eq!(with(|_| ()), None);
        assert_eq!(with(|it| it.f_bavail = 255), Some("full"));
        assert_eq!(with(|it| it.f_favail = 0), Some("full"));
        assert_eq!(with(|it| (it.f_files, it.f_favail) = (0, 0)), None);
        let read_only = |it: &mut StatVfs| it.f_flag |= StatVfsMountFlags::RDONLY;
        assert_eq!(with(read_only), Some("read-only: the disk reported errors"));
    }
}
