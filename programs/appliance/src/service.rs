//! The service: the program of `/etc/product.toml`, whoever wrote it. Runs as a user of its own on data that is
//! good, is started again when it ends, and its words go to a log and to the serial consoles.

use common::product::product;
use rustix::process::Signal;
use std::io::{self, PipeReader};
use std::os::unix::fs::{MetadataExt, lchown};
use std::os::unix::process::{CommandExt, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use crate::child::{Change, Supervised, describe};
use crate::confine;
use crate::log::Log;

/// User and group that the service runs as. Nobody else does.
const USER: u32 = 1000;
/// Folders in `/data` that belong to it.
const FOLDERS: [&str; 2] = ["wal", "snapshots"];
/// `EX_DATAERR` and `EX_CONFIG` of `sysexits.h`: starting it again would end the same way.
const FINAL: [i32; 2] = [65, 78];
/// How long it may take to stop.
const PATIENCE: Duration = Duration::from_secs(10);

/// The service, as far as it can be started.
#[derive(Debug)]
pub struct Service {
    root: PathBuf,
    /// How often it was ended because it wanted too much memory.
    ended_for_memory: u64,
    program: Option<Supervised>,
    log: Log,
    /// What to show of it.
    state: String,
    /// The last line that it said: most likely why it ended.
    last_words: String,
}

impl Service {
    /// Starts the service on `root`'s data. `folders` are the mount points of further data
    /// partitions, which belong to it as a whole. Where this program is not root, as in tests,
    /// nothing changes its owner.
    pub fn start(root: &Path, folders: &[String], now: Instant) -> io::Result<Self> {
        let program = root.join("bin").join(&product().service.program);
        let written = written(root, folders);
        let mut command = confine::command(root, "service", &written, &program);
        command.arg("--data").arg(root.join("data"));
        command
            .env_clear()
            .env("PATH", "/bin:/sbin:/usr/bin:/usr/sbin");
        command.current_dir(root.join("data"));
        if rustix::process::geteuid().is_root() {
            give_folders(&written)?;
            if !confine::is_real(root) {
                command.uid(USER).gid(USER);
            }
        }
        Ok(Self {
            root: root.to_owned(),
            ended_for_memory: confine::share::out_of_memory(root).0,
            program: Some(Supervised::new(command, now)),
            log: Log::open(root, "service"),
            state: "starting".to_owned(),
            last_words: String::new(),
        })
    }

    /// Where its words come from, for poll(2).
    pub fn output(&self) -> Option<&PipeReader> {
        self.program.as_ref()?.output()
    }

    /// Looks after it; what it said since is logged, and appended to `lines`.
    pub fn look(&mut self, now: Instant, lines: &mut Vec<String>) {
        let Some(program) = &mut self.program else {
            return;
        };
        let mut said = Vec::new();
        let change = program.look(now, &mut said);
        for line in said {
            self.log.write(&line);
            self.last_words.clone_from(&line);
            lines.push(line);
        }
        match change {
            None => {}
            Some(Change::Started) => {
                tracing::info!("the service runs");
                "running".clone_into(&mut self.state);
                self.last_words.clear();
            }
            Some(Change::NotStarted(reason, pause)) => {
                let seconds = pause.as_secs();
                self.state = format!("cannot be started: {reason}; again in {seconds} s");
                tracing::error!(reason, "the service cannot be started");
            }
            Some(Change::Ended(status, pause)) => self.ended(status, pause),
        }
    }

    /// Decides what comes after an end.
    fn ended(&mut self, status: ExitStatus, pause: Duration) {
        let how = self.reason(status);
        confine::share::end(&self.root);
        let seconds = pause.as_secs();
        let (state, is_final) = match status.code() {
            Some(code) if FINAL.contains(&code) => {
                (format!("stopped, {how}, and needs somebody"), true)
            }
            _ => (format!("{how}, again in {seconds} s"), false),
        };
        if is_final {
            self.program = None;
        }
        // Of a signal it knew nothing: whatever it said last was not about that.
        tracing::warn!(how, last_words = self.last_words, "the service ended");
        let is_silent = status.code().is_none() || self.last_words.is_empty();
        self.state = if is_silent {
            state
        } else {
            format!("{state}: {}", self.last_words)
        };
    }

    /// How it ended: the kernel ends it where it goes beyond what it may have, or do.
    fn reason(&mut self, status: ExitStatus) -> String {
        let (count, most) = confine::share::out_of_memory(&self.root);
        let is_memory = std::mem::replace(&mut self.ended_for_memory, count) < count;
        if is_memory && status.code().is_none() {
            return format!(
                "was ended: it wanted more memory than the {most} MiB that it may have"
            );
        }
        match status.signal() {
            Some(signal) if signal == Signal::SYS.as_raw() => {
                "was ended by SIGSYS: it made a system call that no service may".to_owned()
            }
            _ => describe(status),
        }
    }

    /// What to show of it.
    pub fn state(&self) -> &str {
        &self.state
    }

    /// Stops it, and appends its last words to `lines`.
    pub fn stop(mut self, lines: &mut Vec<String>) {
        if let Some(program) = self.program.take() {
            let mut said = Vec::new();
            program.stop(PATIENCE, &mut said);
            for line in said {
                self.log.write(&line);
                lines.push(line);
            }
            confine::share::end(&self.root);
        }
    }
}

/// What the service writes to below `root`: folders in `/data`, and `others` as a whole.
fn written(root: &Path, others: &[String]) -> Vec<PathBuf> {
    let own = FOLDERS.iter().map(|name| root.join("data").join(name));
    own.chain(others.iter().map(|name| root.join(name)))
        .collect()
}

/// Makes folders, and gives them to the service.
fn give_folders(folders: &[PathBuf]) -> io::Result<()> {
    for folder in folders {
        match std::fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        if std::fs::symlink_metadata(folder)?.uid() != USER {
            lchown(folder, Some(USER), Some(USER))?;
        }
    }
    Ok(())
}
