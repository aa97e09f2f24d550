//! Programs that are kept running: started again when they end, later each time, and their words
//! collected line by line.

use std::io::{self, PipeReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::io::ioctl_fionbio;
use rustix::process::{Pid, Signal, kill_process};

use crate::sys::end_with_parent;

/// The first pause before a program is started again; it doubles each time …
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// … up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A program that ran for so long had started well: the next pause is the first again.
const GOOD_RUN: Duration = Duration::from_mins(1);
/// Longer lines are cut in pieces, in bytes.
const LONGEST_LINE: usize = 4096;
/// How much is read at a time, so that a program that never stops talking does not stop the rest.
const MOST_READ: usize = 64 * 1024;

/// How long to wait before a program is started again.
#[derive(Debug, Default)]
struct Backoff {
    last: Option<Duration>,
}

impl Backoff {
    /// The next pause, after a program that ran for `run`.
    fn next(&mut self, run: Duration) -> Duration {
        let pause = match self.last {
            Some(last) if run < GOOD_RUN => (last * 2).min(LONGEST_PAUSE),
            _ => FIRST_PAUSE,
        };
        self.last = Some(pause);
        pause
    }
}

/// A program that is kept running.
#[derive(Debug)]
pub struct Supervised {
    command: Command,
    running: Option<Running>,
    backoff: Backoff,
    due: Instant,
}

#[derive(Debug)]
struct Running {
    child: Child,
    since: Instant,
    /// Until it has closed the other end: a program may go on without any words.
    output: Option<PipeReader>,
    line: Vec<u8>,
}

/// Nothing that is not looked after any more runs on.
impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What happened to a program since it was last looked at.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    /// It was started.
    Started,
    /// It could not be started, for this reason; it is tried again after the pause.
    NotStarted(String, Duration),
    /// It ended; it is started again after the pause.
    Ended(ExitStatus, Duration),
}

impl Supervised {
    /// Keeps `command` running from now on.
    pub fn new(mut command: Command, now: Instant) -> Self {
        end_with_parent(&mut command);
        command.stdin(Stdio::null());
        Self {
            command,
            running: None,
            backoff: Backoff::default(),
            due: now,
        }
    }

    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Where its words come from, for poll(2).
    pub fn output(&self) -> Option<&PipeReader> {
        self.running.as_ref()?.output.as_ref()
    }

    /// Starts it if it is due, and notices if it ended. Words that it has said are appended to
    /// `lines` first.
    pub fn look(&mut self, now: Instant, lines: &mut Vec<String>) -> Option<Change> {
        self.read(lines);
        let Some(running) = &mut self.running else {
            return (self.due <= now).then(|| self.start(now));
        };
        let status = running.child.try_wait().ok()??;
        let since = running.since;
        self.read_to_end(lines);
        let pause = self.backoff.next(now - since);
        self.due = now + pause;
        Some(Change::Ended(status, pause))
    }

    fn start(&mut self, now: Instant) -> Change {
        match self.spawn(now) {
            Ok(running) => {
                self.running = Some(running);
                Change::Started
            }
            Err(error) => {
                let pause = self.backoff.next(Duration::ZERO);
                self.due = now + pause;
                Change::NotStarted(error.to_string(), pause)
            }
        }
    }

    fn spawn(&mut self, since: Instant) -> io::Result<Running> {
        let (output, writer) = io::pipe()?;
        ioctl_fionbio(&output, true)?;
        self.command.stdout(writer.try_clone()?).stderr(writer);
        let child = self.command.spawn();
        // The command keeps the pipe's other end until it is given something else.
        self.command.stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Running {
            child: child?,
            since,
            output: Some(output),
            line: Vec::new(),
        })
    }

    /// Appends the lines that are whole to `lines`.
    fn read(&mut self, lines: &mut Vec<String>) {
        let Some(running) = &mut self.running else {
            return;
        };
        let mut buffer = [0; 4096];
        let mut total = 0;
        while total < MOST_READ {
            let Some(output) = &mut running.output else {
                break;
            };
            let count = match output.read(&mut buffer) {
                Ok(0) => {
                    running.output = None;
                    break;
                }
                Ok(count) => count,
                // There is nothing more for now.
                Err(_) => break,
            };
            total += count;
            for byte in &buffer[..count] {
                if *byte == b'\n' || running.line.len() == LONGEST_LINE {
                    push_line(&running.line, lines);
                    running.line.clear();
                }
                if *byte != b'\n' {
                    running.line.push(*byte);
                }
            }
        }
    }

    /// Appends the last words of a program that does not run any more to `lines`.
    fn read_to_end(&mut self, lines: &mut Vec<String>) {
        self.read(lines);
        if let Some(running) = self.running.take() {
            push_line(&running.line, lines);
        }
    }

    /// Sends a signal to it, if it runs.
    pub fn signal(&self, signal: Signal) {
        if let Some(running) = &self.running {
            // It may have ended a moment ago.
            let _ = kill_process(Pid::from_child(&running.child), signal);
        }
    }

    /// Asks it to end, and makes it, if it takes longer than `patience`. Its last words are
    /// appended to `lines`. It is not started again.
    pub fn stop(mut self, patience: Duration, lines: &mut Vec<String>) {
        self.signal(Signal::TERM);
        let deadline = Instant::now() + patience;
        while let Some(running) = &mut self.running
            && matches!(running.child.try_wait(), Ok(None))
            && Instant::now() < deadline
        {
            self.read(lines);
            std::thread::sleep(Duration::from_millis(10));
        }
        self.read_to_end(lines);
    }
}

/// Says how a program ended, in words.
pub fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

fn push_line(line: &[u8], lines: &mut Vec<String>) {
    if !line.is_empty() {
        lines.push(String::from_utf8_lossy(line).into_owned());
    }
}

#[cfg(test)]
mod tests;
