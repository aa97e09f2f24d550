//! What is going to be written, decided before anything is: the appliance that this medium carries,
//! where it goes, and what the data partitions begin with.

use common::product::product;
use std::path::Path;
use std::rc::Rc;

use super::data::{self, Tree};
use super::device::Device;
use super::disk_error;
use super::layout::{Layout, SYSTEM};
use super::load_option::LoadOption;
use super::node;
use super::payload::Payload;
use super::receipt::Receipt;
use super::request::{Request, Task};
use super::system;
use super::table::{self, Partitions, Table};
use crate::hardware::Release;
use common::problem::Problem;
use common::settings::{SIZE, nothing, places};

/// Everything that is decided.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) device: Rc<Device>,
    pub(super) layout: Layout,
    /// The table that is on the disk, or the empty one that will be.
    pub(super) table: Table,
    pub(super) payload: Payload,
    pub(super) product: String,
    pub(super) version: String,
    pub(super) receipt: Receipt,
    /// What the first data partition begins with.
    pub(super) tree: Tree,
    /// The file with the settings that the appliance is to take at its next start.
    pub(super) wanted: Vec<u8>,
}

impl Plan {
    /// Looks at the disk and at this medium. Writes nothing.
    pub(super) fn new(root: &Path, request: &Request) -> Result<Self, Problem> {
        let product = Release::read(root)?;
        let payload = Payload::read(root)?;
        let device = open(root, request)?;
        let identity = node::identity(root)?;
        let (layout, table) = match request.task {
            Task::Install => new_layout(&device, request, &identity)?,
            Task::KeepData | Task::RepairBoot | Task::ChangeSettings => {
                present_layout(&device, request)?
            }
        };
        let mut receipt = Receipt::new(&product.name, &product.version, request, &layout);
        receipt.files = payload.facts(&product.version);
        let labels = layout
            .data()
            .iter()
            .map(|place| place.name.as_str())
            .collect();
        let id = node::node_id(&identity, request);
        let node = node::node_toml(request, &identity, &id, labels).map_err(|error| {
            Problem::new(
                format!("The configuration cannot be written down: {error}."),
                "Go back and change the settings.",
            )
        })?;
        receipt.node = (request.task == Task::Install).then_some(id);
        let device = Rc::new(device);
        Ok(Self {
            wanted: settings_to_take(&device, request, &layout),
            device,
            layout,
            table,
            payload,
            product: product.name,
            version: product.version,
            receipt,
            tree: vec![(data::NODE, node.into_bytes())],
        })
    }

    /// The table as it will be; `marked`, with what is worked on told as unfinished.
    pub(super) fn entries(&self, task: Task, marked: bool) -> Partitions {
        let (mut entries, places) = match task {
            Task::Install => (Partitions::new(), self.layout.places.as_slice()),
            Task::KeepData | Task::RepairBoot | Task::ChangeSettings => {
                (self.table.partitions().clone(), &self.layout.places[..1])
            }
        };
        for place in places {
            let entry = table::entry(place, self.device.block_size());
            let entry = if marked {
                table::unfinished(entry)
            } else {
                entry
            };
            entries.insert(place.number, entry);
        }
        entries
    }

    /// The boot entry of what is installed.
    pub(super) fn load_option(&self) -> LoadOption {
        let (system, block) = (self.layout.system(), self.device.block_size());
        LoadOption {
            description: self.product.clone(),
            partition: system.number,
            start: system.start / block,
            blocks: system.size / block,
            guid: system.guid,
            file: format!(
                "\\{}",
                self.payload.started(&self.version).replace('/', "\\")
            ),
        }
    }
}

/// The settings that were left for the appliance, and that it may not have taken yet.
fn settings_to_take(device: &Rc<Device>, request: &Request, layout: &Layout) -> Vec<u8> {
    let mut places = places()
        .into_iter()
        .filter(|_| request.task != Task::Install);
    let left = places.find_map(|path| system::read_file(device, layout.system(), &path).ok());
    left.filter(|it| it.len() == SIZE).unwrap_or_else(nothing)
}

/// Opens the disk of `request`, and no other.
pub(super) fn open(root: &Path, request: &Request) -> Result<Device, Problem> {
    let name = &request.disk.name;
    let device = Device::open(root, &request.disk);
    // What is open now stays the disk that it is; before, it could have become another one.
    if request.disk.is_another_now(root) {
        return Err(Problem::new(
            format!("{name} is not the disk any more that was chosen: another one is there."),
            "Go back and choose again.",
        ));
    }
    device.map_err(|error| disk_error::of_disk("Opening", name, error))
}

fn new_layout(
    device: &Device,
    request: &Request,
    identity: &str,
) -> Result<(Layout, Table), Problem> {
    let seed = node::seed(identity, &request.disk);
    let layout = Layout::new(device.size(), &request.settings, &seed).map_err(|message| {
        Problem::new(
            message,
            "Choose a larger disk, fewer partitions or less reserved space.",
        )
    })?;
    let table = Table::empty(device, &layout)
        .map_err(|error| disk_error::of_disk("Reading from", &request.disk.name, error))?;
    Ok((layout, table))
}

/// What is on a disk whose data are kept.
pub(super) fn present_layout(
    device: &Device,
    request: &Request,
) -> Result<(Layout, Table), Problem> {
    let disk = &request.disk.name;
    let none = |what: &str| {
        Problem::new(
            format!("{disk} holds no installation that can be kept: {what}."),
            "Go back and choose another disk, or this one to install anew, which erases it.",
        )
    };
    let table = Table::read(device)
        .map_err(|error| disk_error::of_disk("Reading from", disk, error))?
        .ok_or_else(|| none("it has no partition table"))?;
    if table.is_left_over() {
        return Err(none("something else was put over its partition table"));
    }
    let ours = &product().disk;
    let mut layout = table.layout();
    match layout.places.as_slice() {
        [system, data, ..]
            if system.is_system()
                && (system.name == SYSTEM || system.name == ours.unfinished)
                && data.name == ours.data => {}
        [_, data, ..] if data.name == ours.unfinished => {
            return Err(none("its installation was cut off before there were data"));
        }
        _ => {
            let data = &ours.data;
            return Err(none(&format!(
                "partition 1 is not EFI, or there is no {data}"
            )));
        }
    }
    if let Some(place) = (layout.places.iter()).find(|place| !table.is_alone(place.number)) {
        let number = place.number;
        return Err(none(&format!(
            "partition {number} reaches beyond the disk or into another partition"
        )));
    }
    SYSTEM.clone_into(&mut layout.places[0].name);
    Ok((layout, table))
}
