//! A machine in a folder: its disks, its programs, its consoles.
#![allow(dead_code, clippy::unwrap_used, clippy::panic, missing_docs)]

pub mod encrypted;

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gpt::mbr::ProtectiveMBR;
use gpt::partition::Partition;
use gpt::{GptConfig, disk::LogicalBlockSize, partition_types};
use uuid::Uuid;

pub const NODE_TOML: &str = r#"
version = 1

[node]
id = "8f3c0000000000000000000000000001"
name = "node-1"
host_name = "db-7"

[machine]
identity = "uuid:4c4c4544-0000-1000-8000-000000000000"

[disk]
model = "QEMU NVMe Ctrl"
serial = "S1"
data = ["EXAMPLE_DATA"]

[network]
address = "dhcp"
"#;

/// Writes down what it is told, and answers for each device as `e2fsck.DEVICE` says, which has the
/// option in `$1`.
const E2FSCK: &str = "#!/bin/sh\n\
    root=${0%/usr/sbin/*}\n\
    echo \"e2fsck $*\" >>\"$root/calls\"\n\
    answer=$root/e2fsck.${2##*/}\n\
    [ -e \"$answer\" ] || { echo \"${2##*/}: clean, 14/65536 files\"; exit 0; }\n\
    . \"$answer\"\n";

/// A DHCP client that has nothing to do.
const UDHCPC: &str = "#!/bin/sh\n\
    echo \"udhcpc $*\" >>\"${0%/sbin/*}/calls\"\n\
    trap 'exit 0' TERM\n\
    while :; do sleep 0.02; done\n";

const IP: &str = "#!/bin/sh\necho \"ip $*\" >>\"${0%/sbin/*}/calls\"\n";

pub struct Machine(tempfile::TempDir);

impl Machine {
    pub fn new() -> Self {
        // Beside this program, since programs are run from there: /tmp may not allow that.
        let here = std::env::current_exe().unwrap();
        let machine = Self(tempfile::tempdir_in(here.parent().unwrap()).unwrap());
        fs::set_permissions(machine.root(), Permissions::from_mode(0o755)).unwrap();
        machine.write("etc/os-release", "NAME=Example\nIMAGE_VERSION=1.2.0\n");
        machine.write("sys/class/tty/console/active", "ttyS0\n");
        machine.write("proc/sys/kernel/hostname", "(none)\n");
        machine.write("dev/tty1", "");
        machine.write("dev/ttyS0", "");
        machine.program("usr/sbin/e2fsck", E2FSCK);
        machine.program("sbin/udhcpc", UDHCPC);
        machine.program("sbin/ip", IP);
        machine
    }

    pub fn root(&self) -> &Path {
        self.0.path()
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }

    pub fn write(&self, path: &str, text: &str) {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs::write(self.path(path), text).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_default()
    }

    pub fn program(&self, path: &str, script: &str) {
        self.write(path, script);
        fs::set_permissions(self.path(path), Permissions::from_mode(0o755)).unwrap();
    }

    /// Adds a disk with partitions of these names, and a first one called `EFI`, of this GUID.
    pub fn disk(&self, name: &str, esp: Uuid, block: u64, labels: &[&str]) {
        let folder = format!("sys/devices/pci/{name}");
        self.write(
            &format!("{folder}/uevent"),
            &format!("DEVNAME={name}\nDEVTYPE=disk\n"),
        );
        self.write(
            &format!("{folder}/queue/logical_block_size"),
            &format!("{block}\n"),
        );
        for folder in ["sys/class/block", "sys/block", &format!("{folder}/device")] {
            fs::create_dir_all(self.path(folder)).unwrap();
        }
        let link = self.path("sys/block").join(name);
        symlink(format!("../devices/pci/{name}"), link).unwrap();
        let link = self.path("sys/class/block").join(name);
        symlink(format!("../../devices/pci/{name}"), link).unwrap();
        for (number, label) in (2..).zip(labels).chain([(1, &"EFI")]) {
            let part = format!("{name}{number}");
            let text =
                format!("DEVNAME={part}\nDEVTYPE=partition\nPARTN={number}\nPARTNAME={label}\n");
            self.write(&format!("{folder}/{part}/uevent"), &text);
            let target = format!("../../devices/pci/{name}/{part}");
            symlink(target, self.path("sys/class/block").join(&part)).unwrap();
        }
        self.partition_table(name, esp, block);
    }

    fn partition_table(&self, name: &str, esp: Uuid, block: u64) {
        let path = self.path("dev").join(name);
        let length = 16 << 20;
        File::create(&path).unwrap().set_len(length).unwrap();
        let size = match block {
            4096 => LogicalBlockSize::Lb4096,
            _ => LogicalBlockSize::Lb512,
        };
        let blocks = u32::try_from(length / block - 1).unwrap();
        let mut file = File::options().read(true).write(true).open(&path).unwrap();
        ProtectiveMBR::with_lb_size(blocks)
            .overwrite_lba0(&mut file)
            .unwrap();
        let config = GptConfig::new().writable(true).logical_block_size(size);
        let mut table = config.create(&path).unwrap();
        let first = Partition {
            part_type_guid: partition_types::EFI,
            part_guid: esp,
            first_lba: (1 << 20) / block,
            last_lba: (2 << 20) / block - 1,
            flags: 0,
            name: "EFI".to_owned(),
        };
        table
            .update_partitions(BTreeMap::from([(1, first)]))
            .unwrap();
        table.write().unwrap();
    }

    /// Has the firmware say which partition it started.
    pub fn booted_from(&self, esp: Uuid) {
        let mut variable = vec![6, 0, 0, 0];
        let text = format!("{}\0", esp.hyphenated().to_string().to_uppercase());
        variable.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
        let folder = self.path("sys/firmware/efi/efivars");
        fs::create_dir_all(&folder).unwrap();
        let name = "LoaderDevicePartUUID-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";
        fs::write(folder.join(name), variable).unwrap();
    }

    /// What the kernel would say if these folders were mounted.
    pub fn mounted(&self, names: &[&str]) {
        let line = |name: &&str| {
            self.write(&format!("{name}/.keep"), "");
            format!("22 1 8:2 / /{name} rw,noatime - ext4 /run/example/{name}-device rw\n")
        };
        let text: String = names.iter().map(line).collect();
        self.write("proc/self/mountinfo", &text);
    }

    pub fn appliance(&self, word: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_appliance"));
        command.arg("--root").arg(self.root()).arg(word);
        command.stdin(Stdio::null());
        command
    }

    pub fn check(&self) {
        assert!(self.appliance("check").status().unwrap().success());
    }

    pub fn recheck(&self) {
        assert!(self.appliance("recheck").status().unwrap().success());
    }

    pub fn run(&self) -> Running<'_> {
        let program = self.appliance("run").spawn().unwrap();
        Running {
            machine: self,
            program,
        }
    }

    /// The page as it was drawn last, without control codes.
    pub fn screen(&self) -> String {
        let drawn = self.read("dev/tty1");
        let last = drawn.rsplit("\x1b[H").next().unwrap_or_default();
        last.replace("\x1b[K\r\n", "\n").replace("\x1b[J", "")
    }
}

/// A supervisor at work.
pub struct Running<'a> {
    machine: &'a Machine,
    pub program: Child,
}

impl Running<'_> {
    /// Waits until the file at `path` has `text` in it.
    pub fn wait_for(&mut self, path: &str, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self.machine.read(path).contains(text) {
            let ended = self.program.try_wait().unwrap();
            if Instant::now() > deadline || ended.is_some() {
                let seen = self.machine.read(path);
                panic!("{path} has no {text:?} ({ended:?}):\n{seen}");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Has it stopped as init does, and returns its exit code.
    pub fn stop(mut self) -> Option<i32> {
        assert!(self.machine.appliance("stop").status().unwrap().success());
        self.program.wait().unwrap().code()
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}
