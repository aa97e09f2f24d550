//! A fake machine: a folder with just those files of `/dev`, `/etc`, `/proc` and `/sys` that the
//! program reads.
#![allow(dead_code, missing_docs, clippy::unwrap_used, clippy::panic)]

pub mod states;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use installer::hardware::{Contents, Disk, Earlier, Hardware, Part, Volume};
use tempfile::TempDir;

/// The volume identifier of the medium that the fake machine was started from.
pub const MEDIUM: &str = "EXAMPLE_INSTALLER";

pub struct FakeMachine {
    folder: TempDir,
}

/// A disk of the fake machine: its name, its folder below `/sys/devices`, and its attributes.
pub type FakeDisk<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

pub const NVME: FakeDisk<'_> = (
    "nvme0n1",
    "pci0000:00/0000:00:1d.0/0000:03:00.0/nvme/nvme0/nvme0n1",
    &[
        ("device/model", "Samsung SSD 990 PRO 2TB                 "),
        ("size", "3907029168"),
        ("queue/logical_block_size", "512"),
        ("diskseq", "1"),
    ],
);
pub const SATA: FakeDisk<'_> = (
    "sda",
    "pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0/block/sda",
    &[
        ("device/vendor", "ATA     "),
        ("device/model", "WDC WD181KFGX-68"),
        ("size", "35156656128"),
        ("queue/logical_block_size", "4096"),
        ("diskseq", "2"),
    ],
);
pub const USB: FakeDisk<'_> = (
    "sdb",
    "pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:0/block/sdb",
    &[
        ("device/vendor", "SanDisk "),
        ("device/model", "Ultra USB 3.0   "),
        ("size", "60062500"),
        ("removable", "1"),
        ("queue/logical_block_size", "512"),
        ("diskseq", "3"),
    ],
);
pub const CARD_READER: FakeDisk<'_> = (
    "sdc",
    "pci0000:00/0000:00:14.0/usb1/1-4/1-4:1.0/host7/target7:0:0/7:0:0:0/block/sdc",
    &[
        ("device/vendor", "Generic "),
        ("device/model", "STORAGE DEVICE  "),
        ("size", "0"),
        ("removable", "1"),
        ("diskseq", "4"),
    ],
);
pub const OPTICAL: FakeDisk<'_> = (
    "sr0",
    "pci0000:00/0000:00:1f.2/ata3/host2/target2:0:0/2:0:0:0/block/sr0",
    &[
        ("device/vendor", "QEMU    "),
        ("device/model", "QEMU DVD-ROM    "),
        ("size", "11720"),
        ("removable", "1"),
        ("ro", "0"),
        ("queue/logical_block_size", "2048"),
        ("diskseq", "5"),
    ],
);
pub const VIRTIO: FakeDisk<'_> = (
    "vda",
    "pci0000:00/0000:00:04.0/virtio1/block/vda",
    &[
        ("device/vendor", "0x1af4"),
        ("size", "41943040"),
        ("ro", "1"),
        ("queue/logical_block_size", "512"),
        ("diskseq", "6"),
    ],
);

impl FakeMachine {
    /// A UEFI machine with eight processors and no disk.
    pub fn new() -> Self {
        let machine = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        machine.write(
            "etc/os-release",
            "NAME=\"Example\"\nID=example-installer\nVERSION_ID=0.1.0\n",
        );
        let processor = "processor\t: 0\nmodel name\t: AMD EPYC 7443P 24-Core Processor\n\n";
        machine.write("proc/cpuinfo", &processor.repeat(8));
        machine.write("proc/meminfo", "MemTotal:       65843212 kB\n");
        machine.write(
            "proc/cmdline",
            &format!("rdinit=/sbin/init quiet example.medium={MEDIUM}\n"),
        );
        machine.write("sys/firmware/efi/fw_platform_size", "64\n");
        for (name, text) in [
            ("sys_vendor", "Supermicro"),
            ("product_name", "AS -1114S-WN10RT"),
            ("bios_vendor", "American Megatrends International, LLC."),
            ("bios_version", "2.7"),
        ] {
            machine.write(&format!("sys/class/dmi/id/{name}"), &format!("{text}\n"));
        }
        fs::create_dir_all(machine.root().join("sys/class")).unwrap();
        fs::create_dir_all(machine.root().join("sys/block")).unwrap();
        fs::create_dir_all(machine.root().join("dev")).unwrap();
        machine
    }

    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, path: &str, content: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn remove(&self, path: &str) {
        let path = self.root().join(path);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
    }

    pub fn plug(&self, (name, device, attributes): FakeDisk<'_>) {
        let target = PathBuf::from("../devices").join(device);
        let folder = self.root().join("sys/devices").join(device);
        fs::create_dir_all(folder.join("device")).unwrap();
        for (attribute, value) in attributes {
            let path = folder.join(attribute);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{value}\n")).unwrap();
        }
        symlink(target, self.root().join("sys/block").join(name)).unwrap();
    }

    /// Puts an ISO 9660 file system of this name on a disk.
    pub fn write_iso(&self, disk: &str, volume: &str) {
        let mut image = vec![0; 40_000];
        image[32_768..32_775].copy_from_slice(b"\x01CD001\x01");
        image[32_808..32_840].fill(b' ');
        image[32_808..32_808 + volume.len()].copy_from_slice(volume.as_bytes());
        fs::write(self.root().join("dev").join(disk), image).unwrap();
    }

    /// What the program finds; with `iso` it is also known what each disk holds.
    pub fn scan(&self, iso: &[(&str, Volume)]) -> Hardware {
        let mut hardware = Hardware::scan(self.root()).unwrap();
        for disk in &mut hardware.disks {
            disk.volume = Volume::Other;
            for (name, volume) in iso {
                if disk.name == *name {
                    disk.volume = volume.clone();
                }
            }
        }
        hardware
    }
}

/// A machine with a disk of each kind, started from its USB stick. Somebody has looked at all of
/// them: on the first is another system, on the second is Example.
pub fn machine_with_disks() -> (FakeMachine, Hardware) {
    let machine = FakeMachine::new();
    for disk in [NVME, SATA, USB, CARD_READER, OPTICAL] {
        machine.plug(disk);
    }
    let mut hardware = machine.scan(&[
        ("sdb", Volume::Iso(MEDIUM.to_owned())),
        ("sr0", Volume::Unreadable),
    ]);
    let [nvme, sata, usb, ..] = hardware.disks.as_mut_slice() else {
        unreachable!("five disks were plugged in");
    };
    nvme.serial = Some("S6Z2NJ0TB04321A".to_owned());
    nvme.wwn = Some("eui.0025385b21404321".to_owned());
    nvme.contents = Some(other_system());
    sata.serial = Some("2CKXYZ7P".to_owned());
    sata.wwn = Some("naa.5000cca2c2d3e4f5".to_owned());
    sata.contents = Some(installation());
    usb.serial = Some("4C530001230101116543".to_owned());
    (machine, hardware)
}

fn part(number: u32, size: u64, kind: &str, label: &str) -> Part {
    Part {
        number: Some(number),
        size,
        label: label.to_owned(),
        kind: kind.to_owned(),
    }
}

/// What another system leaves on a disk.
pub fn other_system() -> Contents {
    Contents {
        table: Some("GPT"),
        parts: vec![
            part(1, 1_127_219_200, "EFI (FAT32)", "EFI System Partition"),
            part(2, 2_147_483_648, "ext4", "boot"),
            part(3, 1_997_121_388_544, "LVM member", ""),
        ],
        earlier: None,
        ..Contents::default()
    }
}

/// What the appliance on a disk is told about itself.
pub const NODE_TOML: &str = "\
version = 1

[node]
id = \"8f3c0000000000000000000000000001\"
name = \"node-1\"
host_name = \"example\"

[network]
address = \"192.0.2.10/24\"
gateway = \"192.0.2.1\"
";

/// What this product leaves on a disk.
pub fn installation() -> Contents {
    Contents {
        table: Some("GPT"),
        parts: vec![
            part(1, 536_870_912, "EFI (FAT32)", "EFI"),
            part(2, 17_999_668_969_472, "ext4", "EXAMPLE_DATA"),
        ],
        earlier: Some(Earlier {
            version: Some("0.1.0".to_owned()),
            unfinished: false,
            has_data: true,
            node: Some(NODE_TOML.to_owned()),
            ..Earlier::default()
        }),
        ..Contents::default()
    }
}

/// Changes what is known of the installation on a disk.
pub fn set_earlier(disk: &mut Disk, unfinished: bool, has_data: bool) {
    let contents = disk.contents.as_mut().unwrap();
    contents.earlier = Some(Earlier {
        version: None,
        unfinished,
        has_data,
        ..Earlier::default()
    });
}

/// Compares `found` with the file `name` in `tests/golden`, or says how they differ. With
/// `UPDATE_GOLDEN=1` a file that differs is rewritten, which is an error all the same.
pub fn compare_golden(name: &str, found: &str) -> Result<(), String> {
    let path = golden_folder().join(name);
    let expected = fs::read_to_string(&path).unwrap_or_default();
    if expected == found {
        return Ok(());
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        fs::write(&path, found).unwrap();
        return Err(format!(
            "{name} was rewritten; look at what changed, and run the test again"
        ));
    }
    Err(format!(
        "{name} differs (UPDATE_GOLDEN=1 rewrites it)\nexpected:\n{expected}\nfound:\n{found}"
    ))
}

/// Where the golden files are.
pub fn golden_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}
