//! The work itself, stage by stage, in an order that a power cut cannot harm: first the table that
//! says that the disk is not finished, then what is in the partitions, what starts the machine read back, and last
//! the table that says that it is.

use common::product::product;
use std::io;
use std::path::Path;
use std::rc::Rc;

use super::boot_entry::Variables;
use super::change;
use super::clear;
use super::data;
use super::disk_error;
use super::encrypt::Encrypted;
use super::outcome;
use super::plan::Plan;
use super::progress::Course;
use super::report::{Failure, Progress, Report, Stage};
use super::request::{Request, Task};
use super::sparse::Sparse;
use super::system;
use super::verify;
use common::problem::Problem;

/// Where files lie before they are put into a new file system.
const SCRATCH: &str = "tmp/installer-data";

/// An installation that is going on.
pub(super) struct Work<'a> {
    root: &'a Path,
    request: &'a Request,
    course: Course<'a>,
    warnings: Vec<String>,
    /// The newest text of the receipt in the system's file system.
    receipt: String,
    /// The data partitions, if they are encrypted.
    encrypted: Option<Encrypted>,
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
            warnings: request.warnings.clone(),
            receipt: String::new(),
            encrypted: None,
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
            let receipt = std::mem::take(&mut self.receipt);
            Failure {
                stage,
                message: trouble.message,
                disk: outcome::state_of_disk(self.request, stage),
                hint: trouble.hint,
                receipt: (stage > Stage::Prepare).then_some(receipt),
                log: Box::default(),
            }
        })
    }

    fn all_stages(&mut self) -> Result<Report, Problem> {
        if self.request.task == Task::ChangeSettings {
            return change::run(self.root, self.request, &mut self.course);
        }
        let mut plan = Plan::new(self.root, self.request)?;
        let encryption = self.request.encryption.as_ref();
        let encrypted = encryption.map(|it| Encrypted::new(self.root, plan.payload.system(), it));
        self.encrypted = encrypted.transpose()?;
        let mut image = self.draw_system(&mut plan, false)?;
        let data = plan.layout.data().len() as u64 * data::JOURNAL;
        let makes_data = self.request.task == Task::Install;
        let data = if makes_data { data } else { 0 };
        self.course.expect(2 * image.touched() + data);

        self.course.enter(Stage::Partition);
        self.mark_unfinished(&mut plan)?;
        self.clear(&plan)?;
        self.course.enter(Stage::System);
        self.write_system(&plan, &image)?;
        if makes_data {
            self.course.enter(Stage::Data);
            self.make_data(&mut plan)?;
        }
        self.course.enter(Stage::Verify);
        self.verify(&plan, &image)?;
        self.close(&plan)?;
        self.course.enter(Stage::BootEntry);
        let entry = self.write_boot_entry(&plan);
        self.write_receipt(&mut plan, &mut image)?;
        self.course.enter(Stage::Finish);
        self.finish(&mut plan)?;
        // The next start is the disk's even if the medium stays and comes first.
        if let Some(name) = entry {
            let next = Variables::of(self.root).start_next(&name);
            tracing::info!(name, ?next, "starts next");
        }
        self.course.leave();
        let mut report = outcome::report(
            self.request,
            &plan,
            &self.warnings,
            self.course.stages(),
            self.receipt.clone(),
        );
        if let Some(encrypted) = &self.encrypted {
            report.recovery = encrypted.shown()?;
        }
        Ok(report)
    }

    fn writing(&self) -> impl Fn(io::Error) -> Problem + use<> {
        let disk = self.request.disk.name.clone();
        move |error| disk_error::of_disk("Writing to", &disk, error)
    }

    fn mark_unfinished(&mut self, plan: &mut Plan) -> Result<(), Problem> {
        let entries = plan.entries(self.request.task, true);
        plan.table.set(entries).map_err(self.writing())?;
        plan.table.write_to(&plan.device).map_err(self.writing())
    }

    /// Empties what is made anew where anybody would look for what was there before.
    fn clear(&mut self, plan: &Plan) -> Result<(), Problem> {
        let is_new = self.request.task == Task::Install;
        if is_new && clear::discard(&plan.device) {
            tracing::info!("the disk knows that it is unused");
        }
        let places = &plan.layout.places;
        let places = if is_new { places } else { &places[..1] };
        clear::clear(&plan.device, places, is_new).map_err(self.writing())
    }

    /// Draws the system's file system with the receipt as far as it is known.
    fn draw_system(&mut self, plan: &mut Plan, verified: bool) -> Result<Sparse, Problem> {
        plan.receipt.verified = verified;
        let receipt = plan
            .receipt
            .text(self.course.stages(), &self.warnings)
            .map_err(|error| {
                Problem::new(
                    format!("The receipt cannot be written down: {error}."),
                    "Retry.",
                )
            })?;
        // The receipt is last, so that only its own clusters change with it.
        let mut files = plan.payload.files(&plan.version);
        files.push((common::settings::file(), &plan.wanted));
        files.push((product().receipt(), receipt.as_bytes()));
        let drawn = system::draw(plan.layout.system(), plan.device.block_size(), &files).map_err(
            |error| {
                Problem::new(
                    format!("The system does not fit its partition: {error}."),
                    "The medium is damaged: write it again, or build it again.",
                )
            },
        )?;
        self.receipt = receipt;
        Ok(drawn)
    }

    fn write_system(&mut self, plan: &Plan, image: &Sparse) -> Result<(), Problem> {
        let start = plan.layout.system().start;
        let written = self.writing();
        image
            .write_to(&plan.device, start, &mut |bytes| self.course.advance(bytes))
            .and_then(|()| plan.device.flush())
            .map_err(written)
    }

    fn make_data(&mut self, plan: &mut Plan) -> Result<(), Problem> {
        let receipt = plan
            .receipt
            .text(self.course.stages(), &self.warnings)
            .unwrap_or_default();
        plan.tree.push((data::RECEIPT, receipt.into_bytes()));
        let folder = self.root.join(SCRATCH);
        data::write_tree(&folder, &plan.tree).map_err(|error| {
            Problem::new(
                format!("/{SCRATCH} cannot be written: {error}."),
                "The machine may have too little memory.",
            )
        })?;
        for (index, place) in plan.layout.data().iter().enumerate() {
            let content = (index == 0).then_some(folder.as_path());
            let name = &self.request.disk.name;
            let (device, place) = match &mut self.encrypted {
                Some(encrypted) => encrypted.make(self.request, &plan.device, place)?,
                None => (Rc::clone(&plan.device), place.clone()),
            };
            let made = data::start_mke2fs(self.root, &device, &place, content).and_then(|it| {
                let advance = &mut |bytes| self.course.advance(bytes);
                data::watch_mke2fs(it, &|| data::written_bytes(self.root, name), advance)
            });
            match made {
                Ok(None) => device.flush().map_err(self.writing())?,
                Ok(Some(said)) => {
                    return Err(disk_error::of_mke2fs(name, &place.name, &said));
                }
                Err(error) => {
                    return Err(Problem::new(
                        format!("mke2fs cannot be started: {error}."),
                        "The medium is damaged: write it again, or build it again.",
                    ));
                }
            }
        }
        plan.device.flush().map_err(self.writing())
    }

    fn verify(&mut self, plan: &Plan, image: &Sparse) -> Result<(), Problem> {
        let disk = &self.request.disk.name;
        verify::scratch_block(&plan.device, plan.layout.system(), disk)?;
        verify::table(&plan.table, &plan.device, disk)?;
        let start = plan.layout.system().start;
        let reading = |error| disk_error::of_disk("Reading from", disk, error);
        let differs = image
            .differs_from(&plan.device, start, &mut |bytes| self.course.advance(bytes))
            .map_err(reading)?;
        if let Some(offset) = differs {
            return Err(disk_error::unlike(disk, "the EFI partition", offset));
        }
        if self.request.task == Task::Install {
            let is_encrypted = self.encrypted.is_some();
            verify::nothing_is_left_over(&plan.device, &plan.layout, is_encrypted, disk)?;
        }
        verify::system_files(&plan.device, plan.layout.system(), &plan.receipt, disk)?;
        for (index, place) in plan.layout.data().iter().enumerate() {
            let tree = if index == 0 {
                plan.tree.as_slice()
            } else {
                &[]
            };
            match self.request.task {
                Task::Install => {
                    let opened = self.encrypted.as_ref().and_then(|it| it.opened(index));
                    let (device, place) = opened.unwrap_or((&plan.device, place));
                    verify::data(device, place, tree, disk)?;
                }
                // What is encrypted stays closed.
                _ if data::is_encrypted(&plan.device, place) => {}
                Task::KeepData | Task::RepairBoot | Task::ChangeSettings => {
                    if let Err(said) = data::open(&plan.device, place) {
                        self.warnings.push(format!(
                            "{} cannot be read: {said}. The appliance checks it when it starts, and \
                             says what it finds.",
                            place.name
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    /// Whatever is encrypted is closed before anything says that it is finished.
    fn close(&mut self, plan: &Plan) -> Result<(), Problem> {
        let disk = &self.request.disk.name;
        let encrypted = self.encrypted.as_mut();
        encrypted.map_or(Ok(()), |it| {
            it.close(&plan.device, plan.layout.data(), disk)
        })
    }

    /// A boot entry is not needed where the firmware looks for the fallback path by itself, so what
    /// goes wrong is a warning. Returns the entry's name.
    fn write_boot_entry(&mut self, plan: &Plan) -> Option<String> {
        let option = plan.load_option();
        match Variables::of(self.root).install(&option) {
            Ok(name) => {
                tracing::info!(name, file = option.file, "boot entry");
                Some(name)
            }
            Err(refusal) => {
                self.warnings.push(refusal.to_string());
                None
            }
        }
    }

    fn write_receipt(&mut self, plan: &mut Plan, image: &mut Sparse) -> Result<(), Problem> {
        let newer = self.draw_system(plan, true)?;
        let changes = newer.changes_since(image);
        let (device, start) = (&plan.device, plan.layout.system().start);
        changes
            .write_to(device, start, &mut |_| {})
            .and_then(|()| device.flush())
            .map_err(self.writing())?;
        let disk = &self.request.disk.name;
        let differs = changes
            .differs_from(device, start, &mut |_| {})
            .map_err(|error| disk_error::of_disk("Reading from", disk, error))?;
        if let Some(offset) = differs {
            return Err(disk_error::unlike(disk, "the receipt", offset));
        }
        *image = newer;
        Ok(())
    }

    fn finish(&mut self, plan: &mut Plan) -> Result<(), Problem> {
        let entries = plan.entries(self.request.task, false);
        plan.table.set(entries).map_err(self.writing())?;
        plan.table.write_to(&plan.device).map_err(self.writing())?;
        verify::table(&plan.table, &plan.device, &self.request.disk.name)
    }
}
