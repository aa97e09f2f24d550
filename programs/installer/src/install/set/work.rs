//! The work itself, stage by stage, in an order that a power cut cannot harm: first the table that says that
//! nothing is finished, then what is in the partitions, all of it read back, and last the table that says that it
//! is, with the code that a BIOS starts.

use std::path::Path;

use common::problem::Problem;

use super::super::boot_entry::Variables;
use super::super::clear;
use super::super::disk_error;
use super::super::layout::Place;
use super::super::progress::Course;
use super::super::report::{Failure, Progress, Report, Stage};
use super::super::request::{Request, Target, Task};
use super::super::verify;
use super::content::write;
use super::facts::{ContentFacts, Log, Receipt};
use super::list::{Content, Role};
use super::plan::Plan;
use super::writing::{self, Esp};
use super::{complete, outcome, proof};

/// An installation of a set that is going on.
pub(super) struct Work<'a> {
    root: &'a Path,
    request: &'a Request,
    course: Course<'a>,
    log: Log,
    warnings: Vec<String>,
    /// The newest text of the receipt.
    receipt: String,
}

impl<'a> Work<'a> {
    /// Work that has not begun.
    pub(super) fn new(
        root: &'a Path,
        request: &'a Request,
        tell: &'a mut dyn FnMut(Progress),
    ) -> Self {
        Self {
            root,
            request,
            course: Course::new(tell),
            log: Log::new(),
            warnings: request.warnings.clone(),
            receipt: String::new(),
        }
    }

    /// Does it all.
    pub(super) fn run(mut self) -> Result<Report, Failure> {
        self.all_stages().map_err(|trouble| {
            let (stage, disk) = (self.course.stage(), &self.request.disk);
            tracing::error!(stage = stage.name(), ?trouble, "cannot go on");
            let is_gone = stage > Stage::Prepare && disk.turns_out_gone(self.root);
            let trouble = if is_gone {
                disk_error::gone(&disk.name)
            } else {
                trouble
            };
            self.log.say(stage, trouble.message.clone());
            let receipt = std::mem::take(&mut self.receipt);
            Failure {
                stage,
                message: trouble.message,
                disk: outcome::state_of_disk(self.request, stage),
                hint: trouble.hint,
                receipt: (stage > Stage::Prepare).then_some(receipt),
                log: self.log.text().into(),
            }
        })
    }

    fn all_stages(&mut self) -> Result<Report, Problem> {
        let is_install = self.request.task == Task::Install;
        let mut plan = Plan::new(self.root, self.request)?;
        self.say(format!(
            "{} for {}",
            plan.set.full_name(),
            self.request.disk.name
        ));
        if is_install && let Some(receipt) = complete::receipt(self.root, self.request, &plan) {
            self.receipt = receipt;
            self.enter(Stage::BootEntry, "everything is there already");
            self.write_boot_entry(&plan);
            let is_whole = complete::has_whole_tables(&plan);
            if !is_whole {
                self.enter(Stage::Finish, "a table is made whole");
                self.finish(&mut plan)?;
            }
            self.course.leave();
            let note = is_whole.then(|| outcome::nothing_written(self.request));
            return Ok(self.report(&plan, note));
        }
        if is_install && plan.is_finished() {
            return Err(Problem::new(
                format!(
                    "{} is installed there, and what it has on {} is not what this medium writes: it stays.",
                    plan.set.title, self.request.disk.name
                ),
                "Choose Recover in Tools to write again what starts it; to install anew, remove its partitions \
                 first.",
            ));
        }
        // What stays is told by the receipt that is there, which goes with the files beside it.
        let kept = if is_install {
            Vec::new()
        } else {
            complete::contents_of(&plan)
        };
        let mut esp = Esp::draw(&plan, is_install, &self.request.disk)?;
        let bytes: u64 = self.contents(&plan).iter().map(|it| it.1.bytes).sum();
        self.course.expect(2 * (bytes + esp.touched()));

        self.enter(Stage::Partition, "the disk says that it is unfinished");
        self.begin(&mut plan)?;
        self.enter(Stage::System, "boot code, menus and root are written");
        self.write(&plan, |role| role != Role::Data)?;
        let disk = &self.request.disk.name;
        esp.write(&plan, disk, &mut |bytes| self.course.advance(bytes))?;
        self.enter(Stage::Data, "the last file system gets all the room");
        self.write(&plan, |role| role == Role::Data)?;
        if is_install {
            writing::grow(self.root, &plan, disk)?;
        }
        self.enter(Stage::Verify, "everything is read back");
        let mut contents = self.read_back(&plan, &esp)?;
        let is_kept = |it: &ContentFacts| contents.iter().all(|new| new.partition != it.partition);
        let kept: Vec<_> = kept.into_iter().filter(is_kept).collect();
        contents.extend(kept);
        proof::judge(self.root, self.request, &plan, false)?;
        self.enter(
            Stage::BootEntry,
            "the firmware is told, and the receipt written",
        );
        let entry = self.write_boot_entry(&plan);
        self.write_facts(&plan, &mut esp, contents)?;
        self.enter(Stage::Finish, "the disk says that it is finished");
        self.finish(&mut plan)?;
        if let Some(name) = entry {
            let next = Variables::of(self.root).start_next(&name);
            tracing::info!(name, ?next, "starts next");
        }
        self.course.leave();
        Ok(self.report(&plan, None))
    }

    fn say(&mut self, message: impl Into<String>) {
        self.log.say(self.course.stage(), message);
    }

    fn enter(&mut self, stage: Stage, message: &str) {
        self.course.enter(stage);
        self.say(message);
    }

    /// What this task writes as a whole: places, and contents of the medium.
    fn contents<'p>(&self, plan: &'p Plan) -> Vec<(&'p Place, &'p Content, Role)> {
        let is_written = |role: Role| match self.request.task {
            Task::Install => role != Role::Bios,
            _ => role == Role::Boot,
        };
        let spots = plan.spots.iter().filter(|it| is_written(it.role));
        spots
            .filter_map(|spot| {
                let mut partitions = plan.set.partitions.iter();
                let partition = partitions.find(|it| it.label == spot.place.name)?;
                Some((&spot.place, partition.content.as_ref()?, spot.role))
            })
            .collect()
    }

    /// Marks what is made anew, and empties it where anybody would look for what was there. A table that stays is
    /// made whole.
    fn begin(&mut self, plan: &mut Plan) -> Result<(), Problem> {
        let disk = &self.request.disk.name;
        let failed = |error| disk_error::of_disk("Writing to", disk, error);
        let is_install = self.request.task == Task::Install;
        if !is_install && plan.table.is_doubled() && plan.table.is_protected() {
            return Ok(());
        }
        plan.table.set(plan.entries(is_install)).map_err(failed)?;
        plan.table.write_to(&plan.device).map_err(failed)?;
        if !is_install {
            return Ok(());
        }
        let is_whole = self.request.target == Target::WholeDisk;
        if is_whole && clear::discard(&plan.device) {
            tracing::info!("the disk knows that it is unused");
        }
        let places: Vec<Place> = plan.spots.iter().map(|it| it.place.clone()).collect();
        clear::clear(&plan.device, &places, is_whole).map_err(failed)
    }

    fn write(&mut self, plan: &Plan, now: fn(Role) -> bool) -> Result<(), Problem> {
        let disk = &self.request.disk.name;
        if now(Role::Bios) {
            writing::core(plan, disk)?;
        }
        let is_new = self.request.task == Task::Install;
        for (place, content, role) in self.contents(plan) {
            if now(role) {
                let advance = &mut |bytes| self.course.advance(bytes);
                let to = (&*plan.device, disk.as_str());
                write(self.root, to, place, content, is_new, advance)?;
                self.say(format!(
                    "{} is written: {} bytes",
                    place.name, content.bytes
                ));
            }
        }
        Ok(())
    }

    /// Compares all that was written with what the disk has; returns what that is.
    fn read_back(&mut self, plan: &Plan, esp: &Esp) -> Result<Vec<ContentFacts>, Problem> {
        let disk = &self.request.disk.name;
        verify::table(&plan.table, &plan.device, disk)?;
        esp.compare(plan, disk, &mut |bytes| self.course.advance(bytes))?;
        let mut found = vec![proof::core(plan, disk)?];
        let growing = plan.set.growing().map(|it| &it.label);
        for (place, content, _) in self.contents(plan) {
            let advance = &mut |bytes| self.course.advance(bytes);
            let facts = proof::content(plan, disk, place, content.bytes, advance)?;
            let is_grown = growing == Some(&place.name);
            if !is_grown && facts.sha256 != content.sha256 {
                return Err(disk_error::unlike(disk, &place.name, place.start));
            }
            if is_grown {
                proof::grown(self.root, plan, disk, place)?;
            }
            found.push(facts);
        }
        Ok(found)
    }

    /// What goes wrong here is a warning: the firmware may look for the fallback path by itself. Without UEFI there
    /// are no entries. Returns the entry's name.
    fn write_boot_entry(&mut self, plan: &Plan) -> Option<String> {
        let option = plan.load_option().filter(|_| plan.is_uefi)?;
        match writing::boot_entry(self.root, plan, &option) {
            Ok(name) => {
                self.say(format!("boot entry {name} starts {}", option.file));
                Some(name)
            }
            Err(refusal) => {
                self.warnings.push(refusal.to_string());
                None
            }
        }
    }

    /// Writes receipt and log beside what they are about.
    fn write_facts(
        &mut self,
        plan: &Plan,
        esp: &mut Esp,
        contents: Vec<ContentFacts>,
    ) -> Result<(), Problem> {
        let mut receipt = Receipt::new(self.request, plan, contents);
        self.receipt = receipt.text(&self.course, &self.warnings);
        let files = plan.files_with(&self.receipt, &self.log.text());
        esp.rewrite(plan, &self.request.disk.name, &files)
    }

    /// Says that all is finished; what a BIOS follows is then looked at once more.
    fn finish(&mut self, plan: &mut Plan) -> Result<(), Problem> {
        let disk = &self.request.disk.name;
        let failed = |error| disk_error::of_disk("Writing to", disk, error);
        plan.table.set(plan.entries(false)).map_err(failed)?;
        if let Some(code) = &plan.boot_code {
            plan.table.set_boot_code(code).map_err(failed)?;
        }
        plan.table.write_to(&plan.device).map_err(failed)?;
        verify::table(&plan.table, &plan.device, disk)?;
        proof::judge(self.root, self.request, plan, true)
    }

    fn report(&self, plan: &Plan, note: Option<String>) -> Report {
        let mut report = outcome::report(self.request, plan, self.course.stages());
        report.notes.splice(0..0, note);
        report.warnings.clone_from(&self.warnings);
        report.receipt.clone_from(&self.receipt);
        report.log = self.log.text();
        report
    }
}
