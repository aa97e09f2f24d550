//! What the state machine wants to happen outside.

use common::product::product;
use std::time::Instant;

use super::App;
use crate::hardware::{Disk, Hardware};
use crate::state::{Effect, Event};

impl App {
    /// Does what the state machine asked for.
    pub(super) fn carry_out(&mut self, effect: Option<Effect>) {
        match effect {
            None => {}
            Some(Effect::Scan) => self.scan(),
            Some(Effect::ScanAfresh) => {
                self.prober.forget();
                self.scan();
            }
            Some(Effect::FindAnswers) => self.search.forget(),
            Some(Effect::Install(request)) => {
                tracing::info!(task = ?request.task, disk = request.disk.name, "installing");
                tracing::info!(settings = ?request.settings, "settings");
                self.worker.install(*request);
            }
            Some(Effect::StartInstalled(disk)) => self.worker.start_installed(*disk),
            Some(Effect::Validate(disk)) => self.worker.validate(*disk),
            Some(Effect::ExportLog { except }) => self.export_log(except.map(|disk| *disk)),
        }
    }

    /// Looks at the hardware, and lets the state machine know.
    pub(super) fn scan(&mut self) {
        let mut result = Hardware::scan(&self.root);
        if let Ok(hardware) = &mut result {
            self.prober.fill(hardware, Instant::now());
        }
        self.feed(Event::Scanned(result));
    }

    /// Shows the log on every serial console, and has it written to a stick other than `except`,
    /// with the accounts of installations. A key that is held down does that once.
    fn export_log(&mut self, except: Option<Disk>) {
        if self.worker.is_exporting() {
            return;
        }
        let log = self.log.lines();
        let of = |part: &str| {
            format!(
                "----- {part} of the log of {}-installer -----",
                product().id
            )
        };
        let (begin, end) = (of("begin"), of("end"));
        let mut text = vec![begin.as_str()];
        text.extend(log.iter().map(String::as_str));
        text.push(&end);
        text.push("Press any key to go back.");
        let lines = self.consoles.hold(&text);
        let notice = match (lines.as_slice(), self.log.path()) {
            ([], Some(path)) => format!("The log is in {}. No serial console.", path.display()),
            ([], None) => "There is no serial console to export the log to.".to_owned(),
            (lines, _) => format!("The log was written to {}.", lines.join(" and ")),
        };
        self.worker
            .export(log, self.accounts.clone(), except, &notice);
    }
}
