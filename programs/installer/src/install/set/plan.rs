//! What is going to be written, decided before anything is: the set that this medium carries, where it goes, and
//! whether the disk, the firmware and what else is there allow it.

use std::path::Path;
use std::rc::Rc;

use common::digest::{sha256, uuid_of};
use common::problem::Problem;
use common::product::product;
use uuid::Uuid;

use super::super::device::Device;
use super::super::disk_error;
use super::super::layout::{Layout, Place};
use super::super::load_option::LoadOption;
use super::super::node;
use super::super::plan::open;
use super::super::request::{Request, Target, Task};
use super::super::table::{Partitions, Table};
use super::boot_code::{CODE, SECTOR, is_same_code, patched};
use super::list::{Role, Set};
use super::payload::{self, Unpacked};
use super::places::{self, Spot, of};
use super::target;
use super::{check, facts};

/// Everything that is decided.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) device: Rc<Device>,
    pub(super) set: Set,
    /// SHA-256 of the set's list.
    pub(super) digest: String,
    /// What tells the disk's table from all others.
    pub(super) guid: Uuid,
    pub(super) spots: Vec<Spot>,
    /// The partitions of others, which stay.
    pub(super) others: Partitions,
    /// The table that is on the disk, or the empty one that will be.
    pub(super) table: Table,
    /// The EFI system partition, its own one or another system's.
    pub(super) esp: Place,
    pub(super) has_own_esp: bool,
    /// Whether what is in its folder there is of this installation.
    pub(super) is_folder_ours: bool,
    /// Paths and contents of what lies in the EFI system partition.
    pub(super) files: Vec<(String, Vec<u8>)>,
    /// `core.img` as it is written.
    pub(super) core: Vec<u8>,
    /// The code of the first sector, where a BIOS is to start this disk.
    pub(super) boot_code: Option<[u8; CODE]>,
    pub(super) is_uefi: bool,
}

/// What the medium carries, read and compared with its digests, but for the contents that are streamed.
struct Carried {
    set: Set,
    digest: String,
    boot: Vec<u8>,
    core: Vec<u8>,
    files: Vec<(String, Vec<u8>)>,
}

/// Whether UEFI firmware started the machine below `root`.
pub(super) fn is_uefi(root: &Path) -> bool {
    root.join("sys/firmware/efi").is_dir()
}

/// The list of the set that the medium of the system below `root` carries, and its SHA-256.
pub(super) fn read_set(root: &Path) -> Result<(Set, String), Problem> {
    let name = &product().medium.payload;
    let text = payload::read_any(root, name)?;
    Ok((Set::read(&format!("payload/{name}"), &text)?, sha256(&text)))
}

fn carried(root: &Path) -> Result<Carried, Problem> {
    let (set, digest) = read_set(root)?;
    let boot = payload::read(root, &set.boot_code.name, &set.boot_code.sha256)?;
    let mut core = Vec::new();
    if let Some(content) = set.of(Role::Bios).and_then(|it| it.content.as_ref()) {
        let mut unpacked = Unpacked::open(root, content)?;
        while let Some(chunk) = unpacked.next()? {
            core.extend(chunk);
        }
    }
    let mut files = Vec::new();
    for file in set.of(Role::Esp).into_iter().flat_map(|it| &it.files) {
        let content = payload::read(root, &file.file, &file.sha256)?;
        files.push((file.path.clone(), content));
    }
    Ok(Carried {
        set,
        digest,
        boot,
        core,
        files,
    })
}

impl Plan {
    /// Looks at the disk and at this medium. Writes nothing.
    pub(super) fn new(root: &Path, request: &Request) -> Result<Self, Problem> {
        let carried = carried(root)?;
        let is_uefi = is_uefi(root);
        let disk = &request.disk;
        if !is_uefi && disk.block_size != SECTOR as u64 {
            return Err(Problem::new(
                format!(
                    "This computer was started by BIOS, and GRUB starts no disk with blocks of {} bytes, such as {}, \
                     from there.",
                    disk.block_size, disk.name
                ),
                "Choose another disk, or start the medium by UEFI.",
            ));
        }
        let device = Rc::new(open(root, request)?);
        let seed = node::seed(&node::identity(root)?, disk);
        let chosen = match (request.task, request.target) {
            (Task::Install, Target::WholeDisk) => {
                target::whole_disk(&device, &carried.set, &seed, request)?
            }
            (Task::Install, Target::FreeSpace { start, end }) => {
                target::free_space(&device, &carried.set, &seed, (start, end), request)?
            }
            (Task::RepairBoot, _) => target::present(&device, &carried.set, request)?,
            (Task::KeepData | Task::ChangeSettings, _) => {
                return Err(Problem::new(
                    format!(
                        "{} has no such task: it keeps its settings itself.",
                        carried.set.title
                    ),
                    "Go back and choose another one.",
                ));
            }
        };
        if request.task == Task::Install {
            refuse_labels(root, request, &carried.set, &chosen.spots)?;
        }
        let bios = of(&chosen.spots, Role::Bios).map_or(0, |it| it.place.start);
        let (code, image) = patched(&carried.boot, &carried.core, bios / SECTOR as u64)
            .ok_or_else(|| {
                payload::damaged("The boot code of this medium is not GRUB's.".to_owned())
            })?;
        let plan = Self {
            device,
            set: carried.set,
            digest: carried.digest,
            guid: chosen.guid,
            boot_code: boot_code(request, &chosen, &code, is_uefi)?,
            spots: chosen.spots,
            others: chosen.others,
            table: chosen.table,
            esp: chosen.esp,
            has_own_esp: chosen.has_own_esp,
            is_folder_ours: chosen.is_ours,
            files: carried.files,
            core: image,
            is_uefi,
        };
        if request.task == Task::RepairBoot {
            plan.refuse_other_root(&disk.name)?;
        }
        Ok(plan)
    }

    /// Whether an installation is there that is finished, and that this would overwrite: its data may be wanted.
    pub(super) fn is_finished(&self) -> bool {
        let present = self.table.partitions().values();
        let is_there = |spot: &Spot| {
            let (place, mut present) = (&spot.place, present.clone());
            present.any(|it| it.part_guid == place.guid && it.name == place.name)
        };
        self.spots.iter().any(is_there)
    }

    /// The table as it will be; `marked`, with what is worked on told as unfinished.
    pub(super) fn entries(&self, marked: bool) -> Partitions {
        places::entries(&self.spots, &self.others, self.device.block_size(), marked)
    }

    /// Paths, contents and digests of the files that are expected in the EFI system partition: of others' only
    /// those in a folder of its own.
    pub(super) fn expected_files(&self) -> impl Iterator<Item = (&str, &[u8], String)> {
        let own = format!("EFI/{}/", self.set.folder);
        let files = self.files.iter();
        let files = files.filter(move |(path, _)| self.has_own_esp || path.starts_with(&own));
        files.map(|(path, content)| (path.as_str(), content.as_slice(), sha256(content)))
    }

    /// Its files, and what is written down of the installation.
    pub(super) fn files_with(&self, receipt: &str, log: &str) -> Vec<(String, Vec<u8>)> {
        let folder = &self.set.folder;
        let mut files = self.files.clone();
        files.push((facts::receipt_path(folder), receipt.as_bytes().to_vec()));
        files.push((facts::log_path(folder), log.as_bytes().to_vec()));
        files
    }

    /// The boot entry of what is installed; none of a set that no UEFI firmware starts.
    pub(super) fn load_option(&self) -> Option<LoadOption> {
        let own = format!("EFI/{}/", self.set.folder);
        let mut paths = self.files.iter().map(|(path, _)| path);
        let file = paths.find(|it| it.starts_with(&own) && it.to_lowercase().ends_with(".efi"))?;
        let block = self.device.block_size();
        Some(LoadOption {
            description: self.set.title.clone(),
            partition: self.esp.number,
            start: self.esp.start / block,
            blocks: self.esp.size / block,
            guid: self.esp.guid,
            file: format!("\\{}", file.replace('/', "\\")),
        })
    }

    /// Fails where the installed root has not the systems that this medium's menus start.
    fn refuse_other_root(&self, disk: &str) -> Result<(), Problem> {
        let refuse = |why: String| {
            Problem::new(
                format!("The boot files of {disk} cannot be made again by this medium: {why}."),
                "Use the medium that it was installed from, or install anew.",
            )
        };
        let Some(root) = of(&self.spots, Role::Root) else {
            return Err(refuse("it has no root".to_owned()));
        };
        let name = &root.place.name;
        let volume = super::super::data::open(&self.device, &root.place)
            .map_err(|said| refuse(format!("{name} is damaged ({said})")))?;
        match check::lacking(&volume, &self.set.entries) {
            Some(system) => Err(refuse(format!("{name} has not its system {system}"))),
            None => Ok(()),
        }
    }
}

/// Fails where something that stays on the machine has one of the labels already.
fn refuse_labels(root: &Path, request: &Request, set: &Set, spots: &[Spot]) -> Result<(), Problem> {
    let numbers: Vec<u32> = spots.iter().map(|it| it.place.number).collect();
    let own = match request.target {
        Target::WholeDisk => None,
        Target::FreeSpace { .. } => Some(numbers.as_slice()),
    };
    match check::elsewhere(root, set, &request.disk, own)
        .into_iter()
        .next()
    {
        None => Ok(()),
        Some(said) => Err(Problem::new(
            said,
            "Take that disk out, or have it another label, then retry.",
        )),
    }
}

/// What the first sector is to have: code where the disk is ours alone, or a BIOS has to find it. Fails where
/// another system's is there, which stays.
fn boot_code(
    request: &Request,
    chosen: &target::Chosen,
    code: &[u8; CODE],
    is_uefi: bool,
) -> Result<Option<[u8; CODE]>, Problem> {
    let disk = &request.disk;
    if disk.block_size != SECTOR as u64 {
        return Ok(None);
    }
    if chosen.has_own_esp && chosen.others.is_empty() {
        return Ok(Some(*code));
    }
    let present = chosen
        .table
        .boot_code()
        .map_err(|error| disk_error::of_disk("Reading from", &disk.name, error))?;
    let is_free = present.iter().all(|it| *it == 0);
    let is_ours = is_same_code(&present, code);
    match (is_uefi, is_free || is_ours) {
        (true, _) => Ok(is_ours.then_some(*code)),
        (false, true) => Ok(Some(*code)),
        (false, false) => Err(Problem::new(
            format!(
                "This computer was started by BIOS, and {} has boot code of another system, which stays.",
                disk.name
            ),
            "Start the medium by UEFI, or choose a whole disk.",
        )),
    }
}

/// What the table of a disk needs that is made anew.
pub(super) fn layout_of(seed: &str, spots: &[Spot]) -> Layout {
    Layout {
        guid: uuid_of(&[seed, "disk"]),
        places: spots.iter().map(|it| it.place.clone()).collect(),
    }
}
