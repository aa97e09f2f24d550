//! `install-receipt.json`: what was installed, for people and programs to check later.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::layout::{Layout, Place, SYSTEM};
use super::report::Stage;
use super::request::{Request, Task};
use crate::hardware::Disk;

/// Layout of the file; it grows when a reader would misunderstand.
const VERSION: u32 = 1;

/// The whole receipt.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Receipt {
    version: u32,
    pub(super) product: String,
    /// Version of the installed system.
    pub(super) system: String,
    task: String,
    /// Identifier of the node, of a task that makes its settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) node: Option<String>,
    disk: DiskFacts,
    partitions: Vec<PartitionFacts>,
    pub(super) files: Vec<FileFacts>,
    stages: Vec<StageTime>,
    warnings: Vec<String>,
    /// What is read back from the disk, and what it is compared with.
    #[serde(default)]
    compared: Vec<String>,
    /// Whether that was done when this was written; the copy among the data is made before.
    pub(super) verified: bool,
}

/// The disk.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct DiskFacts {
    model: String,
    serial: Option<String>,
    bytes: u64,
    block_bytes: u64,
    guid: String,
}

/// A partition of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PartitionFacts {
    number: u32,
    name: String,
    guid: String,
    start_bytes: u64,
    bytes: u64,
}

/// A file that was installed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct FileFacts {
    /// Partition and path.
    pub(super) path: String,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// How long a stage took.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct StageTime {
    stage: String,
    milliseconds: u64,
}

impl DiskFacts {
    /// Those of `disk`, whose table has this GUID.
    pub(super) fn new(disk: &Disk, guid: Uuid) -> Self {
        Self {
            model: disk.model.clone(),
            serial: disk.serial.clone(),
            bytes: disk.size,
            block_bytes: disk.block_size,
            guid: guid.to_string(),
        }
    }
}

impl From<&Place> for PartitionFacts {
    fn from(place: &Place) -> Self {
        Self {
            number: place.number,
            name: place.name.clone(),
            guid: place.guid.to_string(),
            start_bytes: place.start,
            bytes: place.size,
        }
    }
}

impl StageTime {
    /// Those of all stages.
    pub(super) fn all(stages: &[(Stage, Duration)]) -> Vec<Self> {
        let milliseconds = |time: &Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let stages = stages.iter().map(|(stage, time)| Self {
            stage: stage.name().to_owned(),
            milliseconds: milliseconds(time),
        });
        stages.collect()
    }
}

impl Receipt {
    /// A receipt of what is about to be done.
    pub(super) fn new(product: &str, system: &str, request: &Request, layout: &Layout) -> Self {
        let places = layout.places.iter();
        Self {
            version: VERSION,
            product: product.to_owned(),
            system: system.to_owned(),
            task: task_name(request.task).to_owned(),
            node: None,
            disk: DiskFacts::new(&request.disk, layout.guid),
            partitions: places.map(PartitionFacts::from).collect(),
            files: Vec::new(),
            stages: Vec::new(),
            warnings: Vec::new(),
            compared: compared(request.task, layout),
            verified: false,
        }
    }

    /// Its text, with the stages and warnings so far.
    pub(super) fn text(
        &mut self,
        stages: &[(Stage, Duration)],
        warnings: &[String],
    ) -> Result<String, serde_json::Error> {
        self.stages = StageTime::all(stages);
        self.warnings = warnings.to_vec();
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

/// What is read back of what `task` writes.
fn compared(task: Task, layout: &Layout) -> Vec<String> {
    let mut found = vec![
        "partition tables: every byte".to_owned(),
        format!("{SYSTEM}: every byte that was written, and each file by its SHA-256"),
    ];
    if task == Task::Install {
        found.extend(layout.data().iter().map(|place| {
            let name = &place.name;
            format!(
                "{name}: superblock and group descriptors by their checksums, folders and files"
            )
        }));
        found.push("disk and partitions: nothing that was there before is told".to_owned());
    }
    found
}

/// What the task is called in answer files, receipts and logs.
pub(super) fn task_name(task: Task) -> &'static str {
    match task {
        Task::Install => "install",
        Task::KeepData => "keep-data",
        Task::RepairBoot => "repair-boot",
        Task::ChangeSettings => "change-settings",
    }
}
