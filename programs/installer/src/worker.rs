//! Work that takes longer than a key press, in threads of its own: installing, reading an
//! installation, exporting logs, looking for an answer file. What comes of it are events.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::answers::{self, Ending, Refusal, Sought};
use crate::hardware::{Disk, Hardware, Problem};
use crate::install::{self, Account, Failure, Finding, Progress, Request, Stage};
use crate::state::{Event, Plan, Refused};

/// The shortest time between two reports of progress within a stage: a serial line needs a fifth
/// of a second for a screen.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// Starts threads and collects what they report.
#[derive(Debug)]
pub struct Worker {
    root: PathBuf,
    sender: Sender<Event>,
    receiver: Receiver<Event>,
    wake: OwnedFd,
    /// An export was begun and did not report yet: two at once would ruin a stick's file system.
    is_exporting: bool,
}

/// What a thread reports with.
#[derive(Debug)]
struct Reporter {
    sender: Sender<Event>,
    wake: File,
}

impl Reporter {
    /// Fails only when the program is leaving, and nobody wants to know.
    fn report(&mut self, event: Event) {
        drop(self.sender.send(event));
        drop(self.wake.write_all(&[0]));
    }
}

impl Worker {
    /// A worker on the machine below `root` that writes to `wake` when there are events.
    pub fn new(root: &Path, wake: OwnedFd) -> Self {
        let (sender, receiver) = channel();
        Self {
            root: root.to_owned(),
            sender,
            receiver,
            wake,
            is_exporting: false,
        }
    }

    /// What was reported since the last call.
    pub fn events(&mut self) -> Vec<Event> {
        let events: Vec<Event> = self.receiver.try_iter().collect();
        let is_end = |event: &Event| matches!(event, Event::LogExported { .. });
        self.is_exporting &= !events.iter().any(is_end);
        events
    }

    /// Does what `request` asks for. Reports progress, and the end.
    pub fn install(&self, request: Request) {
        let root = self.root.clone();
        let started = self.start("install", move |reporter| {
            let mut meter = Meter::new();
            let outcome = install::run(&root, &request, &mut |progress| {
                if let Some(event) = meter.read(progress) {
                    reporter.report(event);
                }
            });
            reporter.report(Event::Finished(outcome));
        });
        self.or_else(started, |error| {
            Event::Finished(Err(Failure {
                stage: Stage::Prepare,
                message: format!("The installation cannot be started: {error}."),
                disk: "Nothing was written.".to_owned(),
                hint: "Press R to try again, or restart the computer.".to_owned(),
                receipt: None,
                log: Box::default(),
            }))
        });
    }

    /// Reads the installation on `disk` without writing.
    pub fn validate(&self, disk: Disk) {
        let root = self.root.clone();
        let name = disk.name.clone();
        let started = self.start("validate", move |reporter| {
            let findings = install::validate(&root, &disk);
            reporter.report(Event::Validated(disk.name, findings));
        });
        self.or_else(started, |error| {
            let text = format!("The disk cannot be looked at: {error}.");
            Event::Validated(name, vec![Finding { good: false, text }])
        });
    }

    /// Has the firmware start the installation on `disk` next.
    pub fn start_installed(&self, disk: Disk) {
        let root = self.root.clone();
        let started = self.start("start", move |reporter| {
            reporter.report(Event::Starting(install::start_installed(&root, &disk)));
        });
        self.or_else(started, |error| {
            let message = format!("The firmware cannot be asked: {error}.");
            Event::Starting(Err(Problem::new(message, "Restart the computer.")))
        });
    }

    /// Whether logs are being written to a stick, as far as [`Worker::events`] told.
    pub fn is_exporting(&self) -> bool {
        self.is_exporting
    }

    /// Writes `log` and `accounts` to a stick, which is not `except`. `notice` says where the log
    /// went already. Does nothing while an export goes on, which reports in its own time.
    pub fn export(
        &mut self,
        log: Vec<String>,
        accounts: Vec<Account>,
        except: Option<Disk>,
        notice: &str,
    ) {
        if self.is_exporting {
            return;
        }
        self.is_exporting = true;
        let root = self.root.clone();
        let (said, lines) = (notice.to_owned(), log.clone());
        let started = self.start("export", move |reporter| {
            let stick = match install::export_logs(&root, &log, &accounts, except.as_ref()) {
                Ok(sentence) => sentence,
                Err(Problem { message, hint, .. }) => format!("{message} {hint}"),
            };
            let notice = format!("{stick} {said}");
            reporter.report(Event::LogExported { notice, log });
        });
        self.or_else(started, |error| Event::LogExported {
            notice: format!("The logs cannot be written to a stick: {error}. {notice}"),
            log: lines,
        });
    }

    /// Looks for an answer file, which takes reading devices, and reports what came of it.
    pub fn find_answers(&self, hardware: Hardware) -> io::Result<JoinHandle<()>> {
        let root = self.root.clone();
        self.start("answers", move |reporter| {
            reporter.report(find(&root, &hardware));
        })
    }

    fn start(
        &self,
        name: &str,
        work: impl FnOnce(&mut Reporter) + Send + 'static,
    ) -> io::Result<JoinHandle<()>> {
        let mut reporter = Reporter {
            sender: self.sender.clone(),
            wake: File::from(self.wake.try_clone()?),
        };
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || work(&mut reporter))
    }

    /// Reports a thread that could not be started as if it had failed.
    fn or_else(
        &self,
        started: io::Result<JoinHandle<()>>,
        event: impl FnOnce(&io::Error) -> Event,
    ) {
        if let Err(error) = started {
            tracing::error!(%error, "cannot start a thread");
            // This side holds the receiver, so sending cannot fail. The next tick collects it.
            drop(self.sender.send(event(&error)));
        }
    }
}

/// Looks for an answer file and reads it: what came of that.
fn find(root: &Path, hardware: &Hardware) -> Event {
    let problem = |refusal: Refusal| Problem::new(refusal.message, refusal.hint);
    let found = match answers::find(root, hardware) {
        Ok(Sought::Nothing) => return Event::NoAnswers(None),
        Ok(Sought::Almost(why)) => {
            tracing::info!(%why, "no answer file is followed");
            return Event::NoAnswers(Some(problem(why)));
        }
        Ok(Sought::File(found)) => found,
        Err(refusal) => {
            return Event::Answers(Err(Refused {
                source: None,
                problems: vec![problem(refusal)],
                on_error: Ending::Wait,
                installed: None,
            }));
        }
    };
    let source = found.source;
    tracing::info!(source, "found an answer file");
    Event::Answers(match answers::read(&found.bytes) {
        Ok(answers) => Ok(Plan { source, answers }),
        Err(mistakes) => {
            let problems = mistakes
                .into_iter()
                .map(|mistake| Problem::new(format!("Line {mistake}"), mistake.hint));
            Err(Refused {
                source: Some(source),
                problems: problems.collect(),
                on_error: answers::ending_on_error(&found.bytes),
                installed: None,
            })
        }
    })
}

/// Decides which progress is worth a report, and writes each stage to the log.
struct Meter {
    started: Instant,
    reported: Option<(Instant, Stage)>,
}

impl Meter {
    fn new() -> Self {
        Self {
            started: Instant::now(),
            reported: None,
        }
    }

    fn read(&mut self, progress: Progress) -> Option<Event> {
        let now = Instant::now();
        let Progress { stage, done, total } = progress;
        let is_new_stage = self.reported.is_none_or(|(_, before)| before != stage);
        if is_new_stage {
            tracing::info!(stage = stage.name(), done, total, "reached a stage");
        }
        let is_due = self
            .reported
            .is_none_or(|(at, _)| now - at >= PROGRESS_EVERY);
        if !is_new_stage && !is_due && done < total {
            return None;
        }
        self.reported = Some((now, stage));
        let elapsed = now - self.started;
        Some(Event::Progress { progress, elapsed })
    }
}

#[cfg(test)]
mod tests {
    use rustix::pipe::pipe;

    use super::*;

    /// The first event that is reported.
    fn first(worker: &Worker) -> Event {
        let timeout = Duration::from_secs(20);
        worker.receiver.recv_timeout(timeout).unwrap()
    }

    #[test]
    fn what_comes_of_work_is_reported() {
        let root = tempfile::tempdir().unwrap();
        let (wake, waker) = pipe().unwrap();
        let mut worker = Worker::new(root.path(), waker);
        let log = vec!["a line".to_owned()];
        worker.export(log.clone(), Vec::new(), None, "It is on /dev/ttyS0.");
        let Event::LogExported { notice, log: found } = first(&worker) else {
            panic!("an export ends with its outcome");
        };
        assert_eq!(found, log);
        assert!(notice.ends_with(" It is on /dev/ttyS0."), "{notice}");
        // The loop was woken.
        assert_eq!(rustix::io::read(&wake, &mut [0; 8]), Ok(1));
        assert!(worker.events().is_empty());
    }

    #[test]
    fn while_one_export_goes_on_no_other_is_begun() {
        let root = tempfile::tempdir().unwrap();
        // Kept open: a pipe that nobody reads would end the program.
        let (_wake, waker) = pipe().unwrap();
        let mut worker = Worker::new(root.path(), waker);
        for begun in ["first", "second"] {
            for log in [begun, "ignored", "ignored"] {
                worker.export(vec![log.to_owned()], Vec::new(), None, "");
            }
            let mut events = Vec::new();
            while worker.is_exporting() {
                events.extend(worker.events());
                thread::sleep(Duration::from_millis(1));
            }
            let [Event::LogExported { log, .. }] = &events[..] else {
                panic!("one export reports once: {events:?}");
            };
            assert_eq!(log, &[begun]);
        }
    }

    #[test]
    fn within_a_stage_progress_is_reported_now_and_then_and_at_its_end() {
        let mut meter = Meter::new();
        let mut reports = |stage, done| {
            let total = 10;
            let progress = Progress { stage, done, total };
            meter.read(progress).is_some()
        };
        assert!(reports(Stage::System, 0));
        assert!(!reports(Stage::System, 1));
        assert!(reports(Stage::Data, 1));
        assert!(!reports(Stage::Data, 2));
        assert!(reports(Stage::Data, 10));
        std::thread::sleep(PROGRESS_EVERY);
        assert!(reports(Stage::Data, 9));
    }
}
