//! Encrypted data partitions while they are made: each is open as long as it is written to and read back, and closed
//! whatever happens.

use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use common::digest::uuid_of;
use common::luks::{Binding, By, DATA_OFFSET, Header, Volume};
use common::problem::Problem;
use common::recovery_key::RecoveryKey;
use common::text::attribute;
use common::volumes::partition_name;

use super::device::Device;
use super::disk_error;
use super::encryption::{Encryption, Shown};
use super::layout::Place;
use super::request::Request;
use super::tools;
use crate::hardware::PUBLIC_KEY;
use crate::sys::read_partitions;

/// What the open partitions are called; a number comes behind, from the second one on.
const NAME: &str = "data";
/// How often the kernel is asked to look at the partitions, and how long to wait in between: somebody else may look at one just then.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(200);

/// What is done to the data partitions of one installation.
pub(super) struct Encrypted {
    root: PathBuf,
    tools: PathBuf,
    encryption: Encryption,
    key: RecoveryKey,
    open: Vec<Open>,
}

/// A partition that is open.
struct Open {
    name: String,
    device: Rc<Device>,
    /// What lies in it, from its own start on.
    place: Place,
}

impl Encrypted {
    /// Prepares what `encryption` asks for. `uki` has the programs. Writes to no disk.
    pub(super) fn new(root: &Path, uki: &[u8], encryption: &Encryption) -> Result<Self, Problem> {
        let key = match &encryption.recovery {
            Some(key) => key.clone(),
            None => RecoveryKey::generate()?,
        };
        Ok(Self {
            root: root.to_owned(),
            tools: tools::unpack(root, uki)?,
            encryption: encryption.clone(),
            key,
            open: Vec::new(),
        })
    }

    /// Makes `place` of the disk an encrypted partition, and opens it: returns what file systems are made in.
    pub(super) fn make(
        &mut self,
        request: &Request,
        disk: &Device,
        place: &Place,
    ) -> Result<(Rc<Device>, Place), Problem> {
        let called = &request.disk.name;
        let node = partition_name(called, Some(place.number));
        let path = self.root.join("dev").join(&node);
        if self.open.is_empty() {
            look_at_partitions(disk)
                .map_err(|error| disk_error::of_disk("Reading the partitions of", called, error))?;
        }
        if !is_place(&self.root, called, &node, place) {
            return Err(Problem::new(
                format!(
                    "Linux does not see the partition {} of {called}.",
                    place.name
                ),
                "Restart the computer from the medium, and try again.",
            ));
        }
        let volume = Volume::new(&self.tools, path);
        let uuid = uuid_of(&[&place.guid.to_string(), "LUKS"]).to_string();
        volume.format(&place.name, &uuid, &self.key)?;
        let key = self.key.passphrase();
        if let Some(passphrase) = &self.encryption.passphrase {
            volume.add_passphrase(key, passphrase)?;
        }
        if self.encryption.tpm {
            let public_key = self.root.join(PUBLIC_KEY);
            // Which way the installed system is started is not known before it is: it binds its key closer itself.
            let binding = Binding {
                pcrs: &[],
                public_key: &public_key,
            };
            volume.enroll_tpm(By::Secret(key), binding)?;
        }
        let name = match self.open.len() {
            0 => NAME.to_owned(),
            before => format!("{NAME}{}", before + 1),
        };
        if !volume.open(&name, key)? {
            return Err(disk_error::unlike(called, &place.name, place.start));
        }
        let device = Device::open_made(&Volume::opened(&self.root, &name));
        let opened = Open {
            place: Place {
                start: 0,
                size: place.size - DATA_OFFSET,
                ..place.clone()
            },
            // From here on it is closed again.
            device: Rc::new(device.map_err(|error| {
                // What went wrong is said; that it stays open is seen at the next try.
                let _ = Volume::close(&self.tools, &name);
                disk_error::of_disk("Opening what is encrypted on", called, error)
            })?),
            name,
        };
        let made = (Rc::clone(&opened.device), opened.place.clone());
        self.open.push(opened);
        Ok(made)
    }

    /// What is open of the data partition at `index`, counted from 0.
    pub(super) fn opened(&self, index: usize) -> Option<(&Rc<Device>, &Place)> {
        self.open.get(index).map(|it| (&it.device, &it.place))
    }

    /// Closes all, and looks at what each says of itself now.
    pub(super) fn close(
        &mut self,
        disk: &Rc<Device>,
        places: &[Place],
        called: &str,
    ) -> Result<(), Problem> {
        while let Some(Open { name, device, .. }) = self.open.pop() {
            drop(device);
            Volume::close(&self.tools, &name)?;
        }
        for place in places {
            let header = Header::read(&mut disk.window(place.start, DATA_OFFSET))
                .map_err(|error| disk_error::of_disk("Reading from", called, error))?;
            if !header.is_some_and(|it| self.is_as_asked(&it, place)) {
                return Err(disk_error::unlike(called, &place.name, place.start));
            }
        }
        Ok(())
    }

    fn is_as_asked(&self, header: &Header, place: &Place) -> bool {
        header.label == place.name
            && header.has_recovery
            && header.tpm.is_some() == self.encryption.tpm
            && header.has_passphrase == self.encryption.passphrase.is_some()
    }

    /// The recovery key, if nobody has it yet.
    pub(super) fn shown(&self) -> Result<Option<Shown>, Problem> {
        match self.encryption.recovery {
            Some(_) => Ok(None),
            None => Shown::new(self.key.clone()).map(Some),
        }
    }
}

impl Drop for Encrypted {
    fn drop(&mut self) {
        while let Some(Open { name, device, .. }) = self.open.pop() {
            drop(device);
            if let Err(problem) = Volume::close(&self.tools, &name) {
                tracing::warn!(name, %problem, "stays open");
            }
        }
    }
}

/// Has the kernel see the partitions as they are now. Fails while any of them is open.
fn look_at_partitions(disk: &Device) -> io::Result<()> {
    let mut result = Ok(());
    for _ in 0..TRIES {
        result = read_partitions(disk.handle()?);
        if result.is_ok() {
            break;
        }
        thread::sleep(PAUSE);
    }
    result
}

/// Whether the kernel's partition `node` of the disk `called` is `place`.
fn is_place(root: &Path, called: &str, node: &str, place: &Place) -> bool {
    let folder = root.join("sys/block").join(called).join(node);
    // sysfs counts in 512 bytes, whatever the logical block size is.
    let bytes = |name: &str| {
        attribute(&folder.join(name))?
            .parse::<u64>()
            .ok()?
            .checked_mul(512)
    };
    bytes("start") == Some(place.start) && bytes("size") == Some(place.size)
}
