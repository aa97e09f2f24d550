//! Hands modules to the kernel: those that devices ask for by their `modalias`, and those that the kernel itself asks
//! for.
//!
//! The kernel starts a program, `modprobe -q -- NAME` (Linux, kernel/module/kmod.c), when it lacks a file system, a hash
//! or a target of device mapper. As long as the initramfs runs, that is this program.

use std::collections::BTreeSet;
use std::ffi::{CString, OsString};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::system::{finit_module, uname};

use crate::cmdline::parameters_of;
use crate::messages::note;
use crate::modules::{Index, name_of};

/// Where the kernel is told which program loads modules.
pub const LOADER: &str = "/proc/sys/kernel/modprobe";

/// The modules of the running kernel.
pub struct Modules {
    folder: PathBuf,
    index: Index,
    cmdline: String,
    /// Files that the kernel has, or refused.
    done: BTreeSet<String>,
    /// What devices said, and has been looked up.
    asked: BTreeSet<String>,
}

impl Modules {
    /// Reads the tables below `/lib/modules`. Without any there are no modules, as all may be built in.
    pub fn open(cmdline: &str) -> Self {
        let release = uname().release().to_string_lossy().into_owned();
        let folder = Path::new("/lib/modules").join(release);
        let table = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
        let index = Index::read(
            &table("modules.dep"),
            &table("modules.alias"),
            &table("modules.softdep"),
        );
        Self {
            folder,
            index,
            cmdline: cmdline.to_owned(),
            done: BTreeSet::new(),
            asked: BTreeSet::new(),
        }
    }

    /// Loads what a name or an alias stands for, as far as it is not loaded yet. The kernel's log gets what fails: no
    /// single module has to work, as long as the root is found.
    pub fn load(&mut self, name: &str) {
        for file in self.index.wanted(name) {
            if self.done.insert(file.clone()) {
                match self.insert(&file) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(error) => note(&format!("module {file}: {error}")),
                }
            }
        }
    }

    fn insert(&self, file: &str) -> Result<(), Errno> {
        let parameters =
            CString::new(parameters_of(&name_of(file), &self.cmdline)).unwrap_or_default();
        let opened = File::open(self.folder.join(file));
        let opened = opened.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        finit_module(opened, &parameters, 0)
    }

    /// Loads what the devices ask for that there are now; says whether any asked for the first time.
    pub fn load_for_devices(&mut self) -> bool {
        let new: Vec<String> = modaliases(Path::new("/sys/devices"))
            .into_iter()
            .filter(|it| self.asked.insert(it.clone()))
            .collect();
        for alias in &new {
            self.load(alias);
        }
        !new.is_empty()
    }
}

/// What the devices below a folder of sysfs say of themselves. Links are not followed: they lead round in circles.
fn modaliases(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let kind = entry.file_type();
            if kind.as_ref().is_ok_and(fs::FileType::is_dir) {
                waiting.push(entry.path());
            } else if entry.file_name() == "modalias" && kind.is_ok_and(|it| it.is_file()) {
                let text = fs::read_to_string(entry.path()).unwrap_or_default();
                found.extend(text.lines().filter(|it| !it.is_empty()).map(str::to_owned));
            }
        }
    }
    found
}

/// The module that the kernel asks for, if that is how this program was called.
pub fn asked_for(arguments: &[OsString]) -> Option<&str> {
    match arguments {
        [_, quiet, end, name] if quiet == "-q" && end == "--" => name.to_str(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn devices_are_asked_at_any_depth_and_once() {
        let root = tempfile::tempdir().unwrap();
        let (pci, disk) = (
            root.path().join("pci0/0000:00:01"),
            root.path().join("pci0/0000:00:01/virtio0"),
        );
        fs::create_dir_all(&disk).unwrap();
        fs::write(pci.join("modalias"), "pci:v1\n").unwrap();
        fs::write(disk.join("modalias"), "virtio:d2\n").unwrap();
        fs::write(disk.join("uevent"), "x\n").unwrap();
        fs::write(root.path().join("modalias"), "\n").unwrap();
        symlink("../..", disk.join("subsystem")).unwrap();
        let expected = BTreeSet::from(["pci:v1".to_owned(), "virtio:d2".to_owned()]);
        assert_eq!(modaliases(root.path()), expected);
        assert!(modaliases(&root.path().join("none")).is_empty());
    }

    #[test]
    fn the_kernel_asks_as_it_does_with_modprobe() {
        for (words, expected) in [
            (["/init", "-q", "--", "fs-ext4"].as_slice(), Some("fs-ext4")),
            (&["/init", "-q", "--"], None),
            (&["/init", "-r", "--", "ext4"], None),
            (&["/init"], None),
            (&[], None),
        ] {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            assert_eq!(asked_for(&words), expected, "{words:?}");
        }
    }
}
