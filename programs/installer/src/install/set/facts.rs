//! What is written down of an installation, in its folder of the EFI system partition: the receipt, and the log,
//! an object a line.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::super::progress::Course;
use super::super::receipt::{DiskFacts, FileFacts, PartitionFacts, StageTime, task_name};
use super::super::report::Stage;
use super::super::request::{Request, Target};
use super::plan::Plan;

/// Layout of the receipt; it grows when a reader would misunderstand.
const VERSION: u32 = 1;
/// What both are called.
const RECEIPT: &str = "install-receipt.json";
const LOG: &str = "install-log.jsonl";

/// The whole receipt.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Receipt {
    version: u32,
    pub(super) product: String,
    /// Version of the installed system.
    pub(super) system: String,
    task: String,
    /// Where to on the disk: `whole-disk` or `free-space`.
    target: String,
    /// What started the installer: `uefi` or `bios`.
    firmware: String,
    /// Name of the recipe, and SHA-256 of the list of its partitions.
    recipe: String,
    pub(super) set: String,
    disk: DiskFacts,
    partitions: Vec<PartitionFacts>,
    pub(super) files: Vec<FileFacts>,
    /// What was read back from each partition, from its start on.
    pub(super) contents: Vec<ContentFacts>,
    /// The first sector of the disk has boot code that leads to these.
    pub(super) boot_code: bool,
    stages: Vec<StageTime>,
    warnings: Vec<String>,
    /// Whether all was read back when this was written.
    pub(super) verified: bool,
}

/// What was read back from a partition.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(super) struct ContentFacts {
    pub(super) partition: String,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

impl Receipt {
    /// A receipt of what is being done.
    pub(super) fn new(request: &Request, plan: &Plan, contents: Vec<ContentFacts>) -> Self {
        let spots = plan.spots.iter().map(|it| &it.place);
        Self {
            version: VERSION,
            product: plan.set.title.clone(),
            system: plan.set.version.clone(),
            task: task_name(request.task).to_owned(),
            target: match request.target {
                Target::WholeDisk => "whole-disk",
                Target::FreeSpace { .. } => "free-space",
            }
            .to_owned(),
            firmware: if plan.is_uefi { "uefi" } else { "bios" }.to_owned(),
            recipe: plan.set.name.clone(),
            set: plan.digest.clone(),
            disk: DiskFacts::new(&request.disk, plan.guid),
            partitions: spots.map(PartitionFacts::from).collect(),
            files: plan
                .expected_files()
                .map(|(path, content, sha256)| FileFacts {
                    path: path.to_owned(),
                    bytes: content.len() as u64,
                    sha256,
                })
                .collect(),
            contents,
            boot_code: plan.boot_code.is_some(),
            stages: Vec::new(),
            warnings: Vec::new(),
            verified: true,
        }
    }

    /// Its text, with the stages and warnings so far.
    pub(super) fn text(&mut self, course: &Course<'_>, warnings: &[String]) -> String {
        self.stages = StageTime::all(course.stages());
        self.warnings = warnings.to_vec();
        // Numbers and text only: that cannot fail.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

/// Path of the receipt in the EFI system partition.
pub(super) fn receipt_path(folder: &str) -> String {
    format!("EFI/{folder}/{RECEIPT}")
}

/// Path of the log there.
pub(super) fn log_path(folder: &str) -> String {
    format!("EFI/{folder}/{LOG}")
}

/// What happened, in its order.
pub(super) struct Log {
    since: Instant,
    lines: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    stage: &'static str,
    message: String,
    /// Since the installation began.
    seconds: f64,
}

impl Log {
    /// Nothing has happened.
    pub(super) fn new() -> Self {
        Self {
            since: Instant::now(),
            lines: Vec::new(),
        }
    }

    /// This happened in `stage`.
    pub(super) fn say(&mut self, stage: Stage, message: impl Into<String>) {
        let message = message.into();
        tracing::info!(stage = stage.name(), message, "installing");
        let milliseconds = u32::try_from(self.since.elapsed().as_millis()).unwrap_or(u32::MAX);
        self.lines.push(Line {
            stage: stage.name(),
            message,
            seconds: f64::from(milliseconds) / 1000.0,
        });
    }

    /// Its text, JSON lines.
    pub(super) fn text(&self) -> String {
        let line = |it| serde_json::to_string(it).unwrap_or_default() + "\n";
        self.lines.iter().map(line).collect()
    }
}
