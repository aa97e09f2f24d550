//! Whether the system that runs was started from a disk: by the word of the firmware or of who started it from a
//! file, and by the program on it. The name of a volume says little: files are copied to a stick without it, and it outlives them.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use common::disks::{BootPartition, IsoFileVolume};
use fatfs::{FileSystem, FsOptions};

use crate::hardware::Disk;
use common::volumes::extent::{self, Extent};
use common::volumes::fat::is_fat;

/// Where firmware looks for a program on what can be removed (UEFI specification 2.10, 3.5.1.1), and what that starts
/// if it is shim.
const PROGRAMS: [&str; 2] = ["EFI/BOOT/BOOTX64.EFI", "EFI/BOOT/grubx64.efi"];
/// The most partitions of a disk that are looked into.
const MOST_PARTITIONS: usize = 128;
/// The most sections that a program is believed to have, and what an entry of their table has.
const MOST_SECTIONS: usize = 96;
const SECTION: usize = 40;
/// The most bytes of text that a section is believed to have.
const MOST_TEXT: u64 = 64 << 10;

/// The system that runs, as far as it tells its medium.
#[derive(Clone, Debug)]
pub struct Running {
    /// The partition that the firmware read it from.
    partition: Option<BootPartition>,
    /// The file system that has the medium as a file.
    volume: Option<IsoFileVolume>,
    /// Its `os-release`, which is in the section `.osrel` of its UKI, too.
    os_release: Vec<u8>,
    /// What `uname -r` says, as the section `.uname` does.
    kernel: Vec<u8>,
}

impl Running {
    /// Reads what the system below `root` says of itself.
    pub fn read(root: &Path) -> Self {
        let text = |path: &str| std::fs::read(root.join(path)).unwrap_or_default();
        Self {
            partition: BootPartition::read(root),
            volume: IsoFileVolume::read(root),
            os_release: trimmed(text("etc/os-release")),
            kernel: trimmed(text("proc/sys/kernel/osrelease")),
        }
    }

    /// Whether it was started from `disk` of the machine below `root`: the firmware says so, or who
    /// started it from a file there, or the same program lies there. Reads only; a disk that cannot be read is none. May take seconds.
    pub fn is_on(&self, root: &Path, disk: &Disk) -> bool {
        let path = root.join("dev").join(&disk.name);
        let found = extent::open(&path).and_then(|device| {
            let number = |it: BootPartition| it.number_on(&device, disk.block_size);
            if self.partition.map(number).transpose()?.flatten().is_some() {
                return Ok(true);
            }
            let extents = extent::extents(&device, disk.size, disk.block_size)?;
            let mut extents = extents.iter().take(MOST_PARTITIONS);
            // One volume that is damaged says nothing of the others.
            let is_it = |it: &Extent| {
                self.is_file_in(&device, *it).unwrap_or(false)
                    || self.is_in(&device, *it).unwrap_or(false)
            };
            Ok(extents.any(is_it))
        });
        found.unwrap_or(false)
    }

    /// Whether the medium is a file on the volume in `extent`.
    fn is_file_in(&self, device: &File, extent: Extent) -> io::Result<bool> {
        let Some(volume) = &self.volume else {
            return Ok(false);
        };
        volume.is(extent.of(device)?, extent.length)
    }

    /// Whether the program lies on the FAT volume in `extent`, if there is one.
    fn is_in(&self, device: &File, extent: Extent) -> io::Result<bool> {
        let mut sector = [0; 512];
        let mut window = extent.of(device)?;
        if self.os_release.is_empty()
            || extent.length < 512
            || window.read_exact(&mut sector).is_err()
            || !is_fat(&sector, extent.length)
        {
            return Ok(false);
        }
        window.rewind()?;
        let system = FileSystem::new(window, FsOptions::new())?;
        for path in PROGRAMS {
            let mut program = match system.root_dir().open_file(path) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                other => other?,
            };
            if self.is_program(&mut program)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a program is this system's.
    fn is_program(&self, program: &mut (impl Read + Seek)) -> io::Result<bool> {
        let sections = sections(program)?;
        let mut text = |name: &[u8]| {
            let found = sections.iter().find(|it| it.name.starts_with(name));
            found.map(|it| it.text(program)).transpose()
        };
        Ok(text(b".osrel\0")?.as_ref() == Some(&self.os_release)
            && text(b".uname\0")?.as_ref() == Some(&self.kernel))
    }
}

/// A section of a program: Microsoft, "PE Format", "Section Table".
struct Section {
    name: [u8; 8],
    start: u64,
    length: u64,
}

impl Section {
    fn text(&self, program: &mut (impl Read + Seek)) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        program.seek(SeekFrom::Start(self.start))?;
        program
            .take(self.length.min(MOST_TEXT))
            .read_to_end(&mut text)?;
        Ok(trimmed(text))
    }
}

/// Where the section `name` of a program begins, and its bytes; `None` if it has none.
pub(crate) fn section(
    program: &mut (impl Read + Seek),
    name: [u8; 8],
) -> io::Result<Option<(u64, u64)>> {
    let sections = sections(program)?;
    let found = sections.iter().find(|it| it.name == name);
    Ok(found.map(|it| (it.start, it.length)))
}

/// The sections of a program; none if it is not one.
fn sections(program: &mut (impl Read + Seek)) -> io::Result<Vec<Section>> {
    let number = |bytes: &[u8]| {
        bytes
            .iter()
            .rev()
            .fold(0, |sum, it| sum << 8 | u64::from(*it))
    };
    let mut start = [0; 64];
    program.read_exact(&mut start)?;
    let header = number(&start[60..64]);
    let mut coff = [0; 24];
    program.seek(SeekFrom::Start(header))?;
    program.read_exact(&mut coff)?;
    if !(start.starts_with(b"MZ") && coff.starts_with(b"PE\0\0")) {
        return Ok(Vec::new());
    }
    let count = usize::from(u16::from_le_bytes([coff[6], coff[7]])).min(MOST_SECTIONS);
    let mut table = vec![0; count * SECTION];
    program.seek(SeekFrom::Start(header + 24 + number(&coff[20..22])))?;
    program.read_exact(&mut table)?;
    let (entries, _) = table.as_chunks::<SECTION>();
    let section = |entry: &[u8; SECTION]| Section {
        name: entry.first_chunk().copied().unwrap_or_default(),
        start: number(&entry[20..24]),
        length: number(&entry[8..12]).min(number(&entry[16..20])),
    };
    Ok(entries.iter().map(section).collect())
}

/// Text without the zeros and line ends behind it.
fn trimmed(mut text: Vec<u8>) -> Vec<u8> {
    let end = text
        .iter()
        .rposition(|it| *it != 0 && !it.is_ascii_whitespace());
    text.truncate(end.map_or(0, |at| at + 1));
    text
}
