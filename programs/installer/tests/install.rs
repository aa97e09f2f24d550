//! Whole installations, onto files that stand for disks, with the real mke2fs.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs::{self, File};
use std::io::{Cursor, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::slice::Slice;
use fatfs::{FileSystem, FsOptions};
use installer::hardware::{Bus, Disk, Volume};
use installer::install::{self, Enrolment, Progress, Request, Settings, Stage, Target, Task};
use sha2::{Digest, Sha256};

const SIZE: u64 = 1600 << 20;
const NAME: &str = "sda";

/// A machine with one empty disk and the appliance on its medium.
struct Machine {
    root: tempfile::TempDir,
    block_size: u64,
    size: u64,
}

impl Machine {
    fn new(block_size: u64) -> Self {
        // Beside this program, since programs are run from there: /tmp may not allow that.
        let here = std::env::current_exe().unwrap();
        let root = tempfile::tempdir_in(here.parent().unwrap()).unwrap();
        let machine = Self {
            root,
            block_size,
            size: SIZE,
        };
        let path = machine.path();
        for folder in [
            "dev",
            "etc",
            "payload",
            "proc",
            "tmp",
            "usr/sbin",
            "sys/class/dmi/id",
        ] {
            fs::create_dir_all(path.join(folder)).unwrap();
        }
        fs::create_dir_all(machine.variables()).unwrap();
        fs::write(
            path.join("etc/os-release"),
            "NAME=Example\nVERSION_ID=1.2.3\n",
        )
        .unwrap();
        let identity = path.join("sys/class/dmi/id/product_uuid");
        fs::write(identity, "4c4c4544-0000-1111-2222-333344445555\n").unwrap();
        let payload = vec![0xa5; 3_000_000];
        machine.carry(&payload);
        let mke2fs = ["/usr/sbin/mke2fs", "/sbin/mke2fs"]
            .into_iter()
            .find(|it| Path::new(it).exists());
        std::os::unix::fs::symlink(mke2fs.expect("e2fsprogs"), path.join("usr/sbin/mke2fs"))
            .unwrap();
        File::create(machine.disk_path())
            .unwrap()
            .set_len(SIZE)
            .unwrap();
        machine
    }

    fn path(&self) -> &Path {
        self.root.path()
    }

    fn disk_path(&self) -> PathBuf {
        self.path().join("dev").join(NAME)
    }

    fn variables(&self) -> PathBuf {
        self.path().join("sys/firmware/efi/efivars")
    }

    /// The value of a variable of the firmware; nothing if there is none.
    fn variable(&self, name: &str) -> Option<Vec<u8>> {
        const GLOBAL: &str = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
        let content = fs::read(self.variables().join(format!("{name}-{GLOBAL}"))).ok()?;
        Some(content[4..].to_vec())
    }

    fn carry(&self, payload: &[u8]) {
        let digest = Sha256::digest(payload);
        let hex = digest
            .iter()
            .fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        let path = self.path().join("payload/Example.efi");
        fs::write(&path, payload).unwrap();
        fs::write(
            path.with_extension("efi.sha256"),
            format!("{hex}  Example.efi\n"),
        )
        .unwrap();
    }

    /// The medium begins with shim.
    fn carry_shim(&self) {
        fs::write(self.path().join("payload/shimx64.efi"), vec![0x5a; 900_000]).unwrap();
        fs::write(self.path().join("payload/mmx64.efi"), vec![0x3c; 800_000]).unwrap();
    }

    /// The files in the partition that firmware reads, by path, each with its first byte and its size.
    fn system_files(&self) -> Vec<(String, u8, usize)> {
        fn walk(folder: &Folder<'_>, path: &str, found: &mut Vec<(String, u8, usize)>) {
            for entry in folder.iter().map(Result::unwrap) {
                let name = entry.file_name();
                let path = format!("{path}{name}");
                if [".", ".."].contains(&&*name) {
                    continue;
                }
                if entry.is_dir() {
                    walk(&entry.to_dir(), &format!("{path}/"), found);
                } else {
                    let mut content = Vec::new();
                    entry.to_file().read_to_end(&mut content).unwrap();
                    found.push((path, content[0], content.len()));
                }
            }
        }
        let partition = Cursor::new(self.read(1 << 20, 64 << 20));
        let volume = FileSystem::new(partition, FsOptions::new()).unwrap();
        let mut found = Vec::new();
        walk(&volume.root_dir(), "", &mut found);
        found.sort();
        found
    }

    fn disk(&self) -> Disk {
        Disk {
            name: NAME.to_owned(),
            model: "ACME Disk".to_owned(),
            serial: Some("SER123456".to_owned()),
            wwn: None,
            bus: Bus::Sata,
            place: String::new(),
            device: None,
            size: self.size,
            block_size: self.block_size,
            removable: false,
            read_only: false,
            sequence: 1,
            volume: Volume::Other,
            contents: None,
            is_medium: false,
        }
    }

    fn request(&self, task: Task) -> Request {
        Request {
            task,
            disk: self.disk(),
            target: Target::WholeDisk,
            settings: Settings::default(),
            encryption: None,
            secure_boot: Enrolment::Leave,
            warnings: Vec::new(),
        }
    }

    fn run(&self, task: Task) -> Result<install::Report, install::Failure> {
        install::run(self.path(), &self.request(task), &mut |_| {})
    }

    fn wrong(&self) -> Vec<String> {
        let findings = install::validate(self.path(), &self.disk());
        findings
            .into_iter()
            .filter(|it| !it.good)
            .map(|it| it.text)
            .collect()
    }

    /// Whether this text is in one piece in the first partition.
    fn holds(&self, text: &str) -> bool {
        let mut data = vec![0; 32 << 20];
        let disk = File::open(self.disk_path()).unwrap();
        disk.read_exact_at(&mut data, 1 << 20).unwrap();
        let mut found = data.windows(text.len());
        found.any(|it| it == text.as_bytes())
    }

    /// SHA-256 of a part of the disk.
    fn digest(&self, start: u64, length: usize) -> Vec<u8> {
        Sha256::digest(self.read(start, length)).to_vec()
    }

    /// Does it, and flips a byte of the disk after everything was written, before it is read back.
    /// Afterwards the byte is as it was written.
    fn run_with_flip(&self, task: Task, at: u64) -> Result<install::Report, install::Failure> {
        let mut written = None;
        let outcome = install::run(self.path(), &self.request(task), &mut |progress| {
            if progress.stage == Stage::Verify && written.is_none() {
                let byte = self.read(at, 1)[0];
                self.overwrite(at, &[!byte]);
                written = Some(byte);
            }
        });
        self.overwrite(at, &[written.expect("it came to reading back")]);
        outcome
    }

    /// Lets blkid(8) say what a part of the disk is, where there is one: it fails where it cannot.
    fn judge(&self, start: u64, length: u64) {
        let done = std::process::Command::new("blkid")
            .args(["-p", "-O", &start.to_string(), "-S", &length.to_string()])
            .arg(self.disk_path())
            .output();
        let Ok(done) = done else {
            eprintln!("there is no blkid here, which could say what it finds");
            return;
        };
        let said = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success(), "{start}: {said}{done:?}");
        assert!(!said.contains("ambivalent"), "{start}: {said}");
    }

    fn read(&self, offset: u64, length: usize) -> Vec<u8> {
        let mut data = vec![0; length];
        let file = File::open(self.disk_path()).unwrap();
        file.read_exact_at(&mut data, offset).unwrap();
        data
    }

    fn number(&self, offset: u64) -> u64 {
        u64::from(u32::from_le_bytes(
            *self.read(offset, 4).first_chunk().unwrap(),
        ))
    }

    fn overwrite(&self, offset: u64, data: &[u8]) {
        let file = File::options().write(true).open(self.disk_path()).unwrap();
        file.write_all_at(data, offset).unwrap();
    }
}

type Folder<'a> = fatfs::Dir<'a, Cursor<Vec<u8>>>;

const DATA_START: u64 = 513 << 20;

/// With shim or without, over each other: what starts is what the medium carries, and nothing else.
#[test]
fn what_the_medium_begins_with_is_what_the_disk_begins_with() {
    let machine = Machine::new(512);
    let paths = || {
        let files = machine.system_files();
        let programs = files
            .into_iter()
            .filter(|it| it.0.ends_with("efi") || it.0.ends_with("EFI"));
        programs.collect::<Vec<_>>()
    };
    let row = |path: &str, byte, size| (path.to_owned(), byte, size);
    let plain = [
        row("EFI/BOOT/BOOTX64.EFI", 0xa5, 3_000_000),
        row("EFI/Example/example-1.2.3.efi", 0xa5, 3_000_000),
    ];
    let shim = [
        row("EFI/BOOT/BOOTX64.EFI", 0x5a, 900_000),
        row("EFI/BOOT/grubx64.efi", 0xa5, 3_000_000),
        row("EFI/BOOT/mmx64.efi", 0x3c, 800_000),
        row("EFI/Example/grubx64.efi", 0xa5, 3_000_000),
        row("EFI/Example/mmx64.efi", 0x3c, 800_000),
        row("EFI/Example/shimx64.efi", 0x5a, 900_000),
    ];
    let name = |text: &str| {
        text.encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<_>>()
    };
    let starts = |path: &str| {
        let entry = machine.variable("Boot0000").unwrap();
        let path = name(path);
        entry.windows(path.len()).any(|it| it == path)
    };
    let good = |text: &str| {
        let findings = install::validate(machine.path(), &machine.disk());
        findings.iter().any(|it| it.good && it.text == text)
    };
    machine.run(Task::Install).unwrap();
    assert_eq!(paths(), plain);
    machine.carry_shim();
    for task in [Task::KeepData, Task::RepairBoot, Task::Install] {
        let report = machine.run(task).unwrap();
        assert_eq!(paths(), shim);
        assert_eq!(report.receipt.matches("\"path\": \"EFI:/EFI/").count(), 6);
        assert!(starts("\\EFI\\Example\\shimx64.efi\0"));
        assert_eq!(machine.wrong(), Vec::<String>::new());
        assert!(good(
            "/EFI/Example/grubx64.efi is Example 1.2.3, byte for byte."
        ));
        assert!(good(
            "/EFI/BOOT/BOOTX64.EFI is what was installed, byte for byte."
        ));
        assert!(good("The firmware starts it first, by Boot0000."));
        let contents = machine.disk().read_contents(&machine.disk_path()).unwrap();
        assert_eq!(contents.earlier.unwrap().version.as_deref(), Some("1.2.3"));
    }
    // A firmware that has lost the entry gets the same again.
    fs::remove_dir_all(machine.variables()).unwrap();
    fs::create_dir_all(machine.variables()).unwrap();
    install::start_installed(machine.path(), &machine.disk()).unwrap();
    assert!(starts("\\EFI\\Example\\shimx64.efi\0"));
    fs::remove_file(machine.path().join("payload/shimx64.efi")).unwrap();
    machine.run(Task::KeepData).unwrap();
    assert_eq!(paths(), plain);
    assert!(starts("\\EFI\\Example\\example-1.2.3.efi\0"));
    assert_eq!(machine.wrong(), Vec::<String>::new());
}

#[test]
fn a_medium_with_half_of_shim_writes_nothing() {
    let machine = Machine::new(512);
    machine.carry_shim();
    fs::remove_file(machine.path().join("payload/mmx64.efi")).unwrap();
    let failure = machine.run(Task::Install).unwrap_err();
    assert_eq!(failure.stage, Stage::Prepare);
    let said = "/payload/mmx64.efi of this medium cannot be read: ";
    assert!(failure.message.starts_with(said), "{failure}");
    assert_eq!(machine.read(0, 4096), vec![0; 4096]);
}

#[test]
fn an_installation_is_whole_and_a_second_one_changes_nothing() {
    for block_size in [512, 4096] {
        let machine = Machine::new(block_size);
        let mut seen = Vec::<Progress>::new();
        let mut next_unfinished = None;
        let request = machine.request(Task::Install);
        let report = install::run(machine.path(), &request, &mut |it| {
            if it.stage == Stage::Finish && next_unfinished.is_none() {
                next_unfinished = Some(machine.variable("BootNext"));
            }
            seen.push(it);
        });
        let report = report.unwrap();
        assert_eq!(
            next_unfinished,
            Some(None),
            "it is not started before it is finished"
        );
        assert_eq!(report.warnings, Vec::<String>::new());
        let stages: Vec<Stage> = report.stages.iter().map(|(stage, _)| *stage).collect();
        assert_eq!(stages, Stage::ALL);
        assert!(
            seen.is_sorted_by_key(|it| (it.stage, it.done)),
            "progress never goes back"
        );
        assert_eq!(
            seen.last().map(|it| it.done),
            seen.last().map(|it| it.total)
        );
        assert_eq!(machine.wrong(), Vec::<String>::new());
        assert!(report.receipt.contains("\"verified\": true"));
        assert!(
            report
                .receipt
                .contains("\"EXAMPLE_DATA: superblock and group")
        );
        assert!(machine.holds(&report.receipt), "the receipt is on the disk");
        let inodes = machine.number(DATA_START + 1024);
        assert!((65_536..66_000).contains(&inodes), "{inodes}");
        let table = machine.digest(0, 1 << 20);
        let again = machine.run(Task::Install).unwrap();
        assert_eq!(again.layout, report.layout);
        assert_eq!(machine.digest(0, 1 << 20), table, "the same GUIDs again");
        let entries = fs::read_dir(machine.variables()).unwrap().count();
        assert_eq!(entries, 3, "one boot entry, the order and what is next");
        assert_eq!(machine.variable("BootNext"), Some(vec![0, 0]));
    }
}

/// Every kind of mark that libblkid knows, at both ends of the disk and of what become partitions.
#[test]
fn nothing_tells_of_what_was_on_the_disk_before() {
    let machine = Machine::new(512);
    let uberblock = 0x00ba_b10c_u64.to_le_bytes();
    let end = SIZE - (1 << 20);
    for start in [
        0,
        1 << 20,
        DATA_START - (512 << 10),
        DATA_START,
        end - (512 << 10),
        SIZE - (4 << 20),
    ] {
        for at in (start..start + (512 << 10)).step_by(1024) {
            machine.overwrite(at, &uberblock);
        }
    }
    for start in [1 << 20, DATA_START] {
        machine.overwrite(start + 65_600, b"_BHRfS_M");
        machine.overwrite(start + 512 + 24, b"LVM2 001");
    }
    let older = [
        &0xa92b_4efc_u32.to_le_bytes()[..],
        &[0, 0, 0, 0, 90, 0, 0, 0],
    ]
    .concat();
    machine.overwrite(end - 65_536, &older);
    machine.overwrite(DATA_START - 65_536, &older);
    machine.run(Task::Install).unwrap();
    let contents = machine.disk().read_contents(&machine.disk_path()).unwrap();
    let kinds: Vec<_> = contents.parts.iter().map(|it| it.kind.as_str()).collect();
    assert_eq!(kinds, ["EFI (FAT32)", "ext4"]);
    for (start, length) in [
        (0, SIZE),
        (1 << 20, 512 << 20),
        (DATA_START, end - DATA_START),
    ] {
        machine.judge(start, length);
    }
    // What mke2fs or the disk leaves is noticed.
    let failure = machine.run_with_flip(Task::Install, end - 65_536 + 4);
    assert!(failure.is_ok(), "one byte is no mark");
    let outcome = install::run(
        machine.path(),
        &machine.request(Task::Install),
        &mut |progress| {
            if progress.stage == Stage::Verify {
                machine.overwrite(end - 65_536, &older);
            }
        },
    );
    assert_eq!(
        outcome.unwrap_err().message,
        "sda does not have what was written to it: EXAMPLE_DATA looks like RAID member and ext4."
    );
}

#[test]
fn data_are_kept_to_the_last_byte() {
    for task in [Task::KeepData, Task::RepairBoot] {
        let machine = Machine::new(512);
        machine.run(Task::Install).unwrap();
        let length = usize::try_from(SIZE - DATA_START - (1 << 20)).unwrap();
        let before = machine.digest(DATA_START, length);
        machine.overwrite(2 << 20, &vec![0xee; 1 << 20]);
        machine.carry(&vec![7; 1_000_000]);
        machine.run(task).unwrap();
        assert_eq!(machine.digest(DATA_START, length), before);
        assert_eq!(machine.wrong(), Vec::<String>::new());
    }
}

/// The header of an encrypted partition, as short as it may be.
fn luks_header() -> Vec<u8> {
    let mut header = vec![0; 16_384];
    header[..8].copy_from_slice(b"LUKS\xba\xbe\0\x02");
    header[8..16].copy_from_slice(&16_384_u64.to_be_bytes());
    header[24..36].copy_from_slice(b"EXAMPLE_DATA");
    header[72..78].copy_from_slice(b"sha256");
    let json = br#"{"keyslots": {}, "tokens": {}}"#;
    header[4096..4096 + json.len()].copy_from_slice(json);
    let checksum = Sha256::digest(&header);
    header[448..480].copy_from_slice(&checksum);
    header
}

#[test]
fn encrypted_data_are_told_kept_and_not_looked_into() {
    let machine = Machine::new(512);
    machine.run(Task::Install).unwrap();
    machine.overwrite(DATA_START, &luks_header());
    let length = 8 << 20;
    let before = machine.digest(DATA_START, length);
    let contents = machine.disk().read_contents(&machine.disk_path()).unwrap();
    let earlier = contents.earlier.unwrap();
    assert!(earlier.encrypted && earlier.has_data && earlier.node.is_none());
    for task in [Task::KeepData, Task::RepairBoot] {
        let report = machine.run(task).unwrap();
        assert_eq!(report.warnings, [""; 0]);
        assert!(machine.digest(DATA_START, length) == before);
    }
    assert_eq!(machine.wrong(), [""; 0]);
    let failure = machine.run(Task::ChangeSettings).unwrap_err();
    assert!(failure.message.contains("cannot be changed"), "{failure}");
}

#[test]
fn a_system_without_the_programs_encrypts_nothing_and_nothing_is_written() {
    let machine = Machine::new(512);
    let before = machine.digest(0, 16 << 20);
    let mut request = machine.request(Task::Install);
    request.encryption = Some(install::Encryption {
        tpm: false,
        passphrase: Some("correct horse battery".to_owned().into()),
        recovery: None,
    });
    let failure = install::run(machine.path(), &request, &mut |_| {}).unwrap_err();
    assert_eq!(failure.stage, Stage::Prepare);
    assert!(
        failure.message.contains("programs for encrypted data"),
        "{failure}"
    );
    assert!(machine.digest(0, 16 << 20) == before);
}

#[test]
fn a_disk_without_an_installation_cannot_be_kept() {
    let machine = Machine::new(512);
    let failure = machine.run(Task::KeepData).unwrap_err();
    assert_eq!(failure.stage, Stage::Prepare);
    assert_eq!(
        failure.message,
        "sda holds no installation that can be kept: it has no partition table."
    );
    assert_eq!(failure.disk, "Nothing was written to sda.");
    assert_eq!(failure.receipt, None);
}

#[test]
fn a_damaged_first_table_and_a_damaged_boot_record_are_repaired() {
    for (offset, length) in [(0, 512), (512, 512), (1024 + 56, 8)] {
        let machine = Machine::new(512);
        machine.run(Task::Install).unwrap();
        let before = machine.digest(0, 1 << 20);
        machine.overwrite(offset, &vec![0xee; length]);
        machine.run(Task::RepairBoot).unwrap();
        assert_eq!(machine.wrong(), Vec::<String>::new());
        if offset > 0 {
            assert_eq!(machine.digest(0, 1 << 20), before);
        }
    }
}

/// What Repair boot is for is what tells the version.
#[test]
fn the_version_is_told_by_the_systems_name_or_its_receipt_or_not_at_all() {
    let machine = Machine::new(512);
    machine.run(Task::Install).unwrap();
    let version = || {
        let contents = machine.disk().read_contents(&machine.disk_path()).unwrap();
        contents.earlier.unwrap().version
    };
    let installed = version();
    assert!(installed.is_some());
    let long_name: Vec<u8> = "le-".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let system = machine.read(1 << 20, 32 << 20);
    let at = system
        .windows(long_name.len())
        .position(|it| it == long_name)
        .unwrap();
    machine.overwrite((1 << 20) + at as u64 + 4, b"_");
    assert_eq!(version(), installed, "by its receipt");
    machine.overwrite(1 << 20, &[0; 512]);
    assert_eq!(version(), None, "the receipt among the data may be older");
    // Whoever began to write another one has been asked.
    machine
        .run_with_flip(Task::KeepData, (1 << 20) + 3)
        .unwrap_err();
    machine.overwrite(1 << 20, &[0; 512]);
    assert_eq!(version(), installed);
}

/// Its second table lies where the disk ended: told by the receipt, or by the data in front of it.
#[test]
fn an_installation_is_found_whose_first_table_is_lost_and_whose_disk_has_grown() {
    let grown = SIZE + (300 << 20);
    for reserved in [0, 50 << 20] {
        for lost in [(512_u64, 16_896_usize), (1 << 20, 1 << 20)] {
            let mut machine = Machine::new(512);
            let mut request = machine.request(Task::Install);
            request.settings.reserved = reserved;
            install::run(machine.path(), &request, &mut |_| {}).unwrap();
            let data = machine.digest(DATA_START, 64 << 20);
            machine.size = grown;
            let disk = File::options().write(true).open(machine.disk_path());
            disk.unwrap().set_len(grown).unwrap();
            machine.overwrite(512, &vec![0; 16_896]);
            machine.overwrite(lost.0, &vec![0; lost.1]);
            let contents = machine.disk().read_contents(&machine.disk_path()).unwrap();
            let is_told = reserved == 0 || lost.0 == 512;
            assert_eq!(contents.earlier.is_some(), is_told, "{reserved} {lost:?}");
            if is_told {
                assert!(contents.earlier.unwrap().has_data);
                machine.run(Task::RepairBoot).unwrap();
                assert_eq!(machine.wrong(), Vec::<String>::new());
                assert_eq!(machine.digest(DATA_START, 64 << 20), data);
                assert_eq!(machine.read(grown - 512, 8), b"EFI PART");
            } else {
                assert!(machine.run(Task::RepairBoot).is_err());
            }
        }
    }
}

#[test]
fn a_second_table_of_another_place_is_not_believed() {
    let mut machine = Machine::new(512);
    machine.run(Task::Install).unwrap();
    let header = machine.read(SIZE - 512, 512);
    machine.overwrite(SIZE - 512, &[0; 512]);
    machine.overwrite(SIZE - 1024, &header);
    machine.overwrite(512, &vec![0; 16_896]);
    machine.size = SIZE + (300 << 20);
    let disk = File::options().write(true).open(machine.disk_path());
    disk.unwrap().set_len(machine.size).unwrap();
    let contents = machine.disk().read_contents(&machine.disk_path()).unwrap();
    assert_eq!(contents.earlier, None);
    assert!(machine.run(Task::RepairBoot).is_err());
}

#[test]
fn what_another_system_was_put_over_is_not_kept() {
    let machine = Machine::new(512);
    machine.run(Task::Install).unwrap();
    let mut record = [0; 512];
    record[446..462].copy_from_slice(&[0x80, 0, 0, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 0, 16, 0]);
    record[510..].copy_from_slice(&[0x55, 0xaa]);
    machine.overwrite(0, &record);
    let before = machine.digest(0, 1 << 20);
    let failure = machine.run(Task::KeepData).unwrap_err();
    assert_eq!(
        failure.message,
        "sda holds no installation that can be kept: something else was put over its partition table."
    );
    assert_eq!(machine.digest(0, 1 << 20), before);
}

#[test]
fn a_folder_that_leads_back_to_itself_is_read_to_an_end() {
    let machine = Machine::new(512);
    machine.run(Task::Install).unwrap();
    let start = 1 << 20;
    let mut sector = [0; 512];
    let disk = File::open(machine.disk_path()).unwrap();
    disk.read_exact_at(&mut sector, start).unwrap();
    let reserved = u64::from(u16::from_le_bytes([sector[14], sector[15]]));
    let fat = u64::from(u32::from_le_bytes(*sector[36..].first_chunk().unwrap()));
    // The root's only cluster comes again behind itself, and is full of deleted names.
    machine.overwrite(start + reserved * 512 + 8, &[2, 0, 0, 0]);
    machine.overwrite(start + (reserved + 2 * fat) * 512, &[0xe5; 4096]);
    let contents = machine.disk().read_contents(&machine.disk_path()).unwrap();
    assert_eq!(contents.earlier.unwrap().version, None);
    let wrong = machine.wrong();
    assert!(
        wrong
            .iter()
            .any(|it| it.contains("install-receipt.json cannot be read")),
        "{wrong:?}"
    );
}

#[test]
fn a_damaged_medium_is_noticed_before_anything_is_written() {
    let machine = Machine::new(512);
    let before = machine.digest(0, 4 << 20);
    fs::write(
        machine.path().join("payload/Example.efi"),
        b"something else",
    )
    .unwrap();
    let failure = machine.run(Task::Install).unwrap_err();
    assert_eq!(failure.stage, Stage::Prepare);
    assert!(
        failure.message.contains("is not what was built"),
        "{}",
        failure.message
    );
    assert_eq!(machine.digest(0, 4 << 20), before);
}

#[test]
fn a_failing_mke2fs_leaves_an_unfinished_disk_that_a_retry_finishes() {
    let machine = Machine::new(512);
    let program = machine.path().join("usr/sbin/mke2fs");
    let real = fs::read_link(&program).unwrap();
    fs::remove_file(&program).unwrap();
    fs::write(
        &program,
        "#!/bin/sh\necho 'mke2fs: Input/output error' >&2\nexit 1\n",
    )
    .unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&program, mode).unwrap();
    let failure = machine.run(Task::Install).unwrap_err();
    assert_eq!(failure.stage, Stage::Data);
    assert_eq!(
        failure.message,
        "Making the file system EXAMPLE_DATA on sda failed: mke2fs: Input/output error."
    );
    assert!(failure.disk.contains("unfinished"), "{}", failure.disk);
    assert!(machine.holds(&failure.receipt.unwrap()));
    assert!(
        machine
            .wrong()
            .iter()
            .any(|it| it.contains("Partition 1 is unfinished"))
    );
    assert_eq!(
        machine.run(Task::KeepData).unwrap_err().stage,
        Stage::Prepare
    );
    fs::remove_file(&program).unwrap();
    std::os::unix::fs::symlink(real, &program).unwrap();
    machine.run(Task::Install).unwrap();
    assert_eq!(machine.wrong(), Vec::<String>::new());
}

/// mke2fs makes a file where there is no device, in which a whole installation would then lie.
#[test]
fn nothing_is_made_in_the_place_of_a_disk_that_is_gone() {
    let machine = Machine::new(512);
    let request = machine.request(Task::Install);
    let outcome = install::run(machine.path(), &request, &mut |progress| {
        if progress.stage == Stage::Data && machine.disk_path().exists() {
            fs::remove_file(machine.disk_path()).unwrap();
        }
    });
    assert!(!machine.disk_path().exists());
    // What was opened was written to all the same: a file lives on without its name.
    assert!(outcome.is_ok(), "{outcome:?}");
    assert_eq!(
        machine.run(Task::Install).unwrap_err().stage,
        Stage::Prepare
    );
}

#[test]
fn data_that_reach_beyond_the_disk_are_not_kept() {
    let machine = Machine::new(512);
    machine.run(Task::Install).unwrap();
    let file = File::options()
        .write(true)
        .open(machine.disk_path())
        .unwrap();
    file.set_len(SIZE - (100 << 20)).unwrap();
    let failure = machine.run(Task::KeepData).unwrap_err();
    assert_eq!(
        failure.message,
        "sda holds no installation that can be kept: partition 2 reaches beyond the disk or into \
         another partition."
    );
    assert_eq!(failure.disk, "Nothing was written to sda.");
}

#[test]
fn every_flipped_byte_of_tables_and_boot_files_is_noticed() {
    const START: u64 = 1 << 20;
    let machine = Machine::new(512);
    machine.run(Task::Install).unwrap();
    let reserved = machine.number(START + 14) & 0xffff;
    let (fat, root) = (machine.number(START + 36), machine.number(START + 44));
    let data = START + (reserved + 2 * fat) * 512;
    assert_eq!((machine.read(START + 16, 1)[0], root), (2, 2));
    let rows = [
        ("protective MBR", 450),
        ("first header", 512 + 56),
        ("first list", 1024 + 56),
        ("between table and partition", 100 * 512),
        ("second list", SIZE - 33 * 512 + 56),
        ("second header", SIZE - 512 + 56),
        ("boot sector", START + 90),
        ("FSInfo", START + 512 + 488),
        ("second boot sector", START + 6 * 512 + 90),
        ("first FAT", START + reserved * 512 + 8),
        ("end of the first FAT", START + (reserved + fat) * 512 - 1),
        ("second FAT", START + (reserved + fat) * 512 + 8),
        ("end of the second FAT", data - 1),
        ("root folder", data),
        ("a file", data + 100 * 4096 + 17),
    ];
    for (what, at) in rows {
        let failure = machine.run_with_flip(Task::RepairBoot, at).expect_err(what);
        assert_eq!(failure.stage, Stage::Verify, "{what}");
        let said = "sda does not have what was written to it: ";
        assert!(failure.message.starts_with(said), "{what}: {failure}");
        assert!(
            failure.message.ends_with(&format!("differs at byte {at}.")),
            "{what}: {failure}"
        );
    }
    machine.run(Task::RepairBoot).unwrap();
    assert_eq!(machine.wrong(), Vec::<String>::new());
}

#[test]
fn flipped_bytes_of_new_data_are_noticed() {
    let machine = Machine::new(512);
    machine.run(Task::Install).unwrap();
    let block = |number: u64| DATA_START + number * 4096;
    let inode = |number: u64| block(machine.number(block(1) + 8)) + (number - 1) * 256;
    let folder = block(machine.number(inode(2) + 0x28 + 20));
    let file = (0..50_000)
        .map(block)
        .find(|at| machine.read(*at, 11) == b"version = 1")
        .unwrap();
    let rows = [
        ("superblock", block(0) + 1024 + 0x100),
        ("label", block(0) + 1024 + 0x78),
        ("group descriptors", block(1) + 12),
        ("inode of the root", inode(2) + 4),
        ("root", folder + 100),
        ("a file", file + 20),
    ];
    for (what, at) in rows {
        let failure = machine.run_with_flip(Task::Install, at).expect_err(what);
        assert_eq!(failure.stage, Stage::Verify, "{what}");
        let said = "EXAMPLE_DATA on sda is not as it was made: ";
        assert!(failure.message.starts_with(said), "{what}: {failure}");
    }
}

#[test]
fn without_a_variable_store_it_warns_and_goes_on() {
    let machine = Machine::new(512);
    fs::remove_dir_all(machine.variables()).unwrap();
    let report = machine.run(Task::Install).unwrap();
    assert_eq!(report.warnings.len(), 1);
    assert!(
        report.warnings[0].contains("boot entries cannot be read"),
        "{:?}",
        report.warnings
    );
}

#[test]
fn validate_notices_every_kind_of_damage() {
    let rows: [(u64, &[u8], &str); 6] = [
        (0, &[0; 512], "The protective MBR is damaged"),
        (
            SIZE - 33 * 512 + 56,
            b"DAMAGED!",
            "One of the two partition tables is damaged",
        ),
        (
            512,
            b"DAMAGED!",
            "One of the two partition tables is damaged",
        ),
        (
            (1 << 20) + 0x40_0000,
            &[0; 8192],
            "is not what was installed",
        ),
        (DATA_START + 1024 + 0x38, &[0; 2], "EXAMPLE_DATA is damaged"),
        (1 << 20, &[0; 512], "install-receipt.json cannot be read"),
    ];
    for (offset, data, expected) in rows {
        let machine = Machine::new(512);
        machine.run(Task::Install).unwrap();
        machine.overwrite(offset, data);
        let wrong = machine.wrong();
        assert!(
            wrong.iter().any(|it| it.contains(expected)),
            "{expected}: {wrong:?}"
        );
    }
}

#[test]
fn the_receipt_has_what_was_known_beforehand() {
    let machine = Machine::new(512);
    let known = "It has less than 1 GiB of memory.";
    let mut request = machine.request(Task::Install);
    request.warnings = vec![known.to_owned()];
    let report = install::run(machine.path(), &request, &mut |_| {}).unwrap();
    assert_eq!(report.warnings, [known]);
    assert!(report.receipt.contains(known), "{}", report.receipt);
}

#[test]
fn an_installation_is_started_next_whether_the_firmware_still_knows_it_or_not() {
    let machine = Machine::new(512);
    let start = || install::start_installed(machine.path(), &machine.disk());
    let problem = start().unwrap_err();
    assert_eq!(
        problem.message,
        "sda has no partition that firmware starts from."
    );
    machine.run(Task::Install).unwrap();
    let size = usize::try_from(SIZE).unwrap();
    let before = machine.digest(0, size);
    let entry = machine.variable("Boot0000").unwrap();
    let words = Ok("Example is started from sda.".to_owned());
    assert_eq!(start(), words);
    assert_eq!(machine.variable("BootNext"), Some(vec![0, 0]));
    // Reset to what it was when it left the factory.
    for file in fs::read_dir(machine.variables()).unwrap() {
        fs::remove_file(file.unwrap().path()).unwrap();
    }
    assert_eq!(start(), words);
    assert_eq!(machine.variable("Boot0000"), Some(entry));
    assert_eq!(machine.variable("BootNext"), Some(vec![0, 0]));
    assert_eq!(
        machine.digest(0, size),
        before,
        "nothing is written to the disk"
    );
    // A firmware that takes no variables.
    fs::remove_dir_all(machine.variables()).unwrap();
    let problem = start().unwrap_err();
    assert!(
        problem
            .hint
            .starts_with("Take the installation medium away"),
        "{problem}"
    );
}

#[test]
fn a_repair_that_was_cut_off_can_be_done_again_and_data_stay() {
    let machine = Machine::new(512);
    machine.run(Task::Install).unwrap();
    let data = machine.digest(DATA_START, 16 << 20);
    let earlier = || {
        let contents = machine.disk().read_contents(&machine.disk_path()).unwrap();
        let earlier = contents.earlier.unwrap();
        (earlier.unfinished, earlier.has_data)
    };
    machine
        .run_with_flip(Task::RepairBoot, (1 << 20) + 3)
        .unwrap_err();
    // For which Repair boot can be chosen, see the choice of disks.
    assert_eq!(earlier(), (true, true));
    machine.run(Task::RepairBoot).unwrap();
    assert_eq!(earlier(), (false, true));
    assert_eq!(machine.wrong(), [""; 0]);
    assert!(machine.digest(DATA_START, 16 << 20) == data);
}

/// Where an installation has something: the system's files and tables, and the beginning of the data.
fn used(machine: &Machine) -> Vec<u8> {
    let disk = File::open(machine.disk_path()).unwrap();
    let mut bytes = vec![0; 32 << 20];
    let (system, data) = bytes.split_at_mut(16 << 20);
    disk.read_exact_at(system, 0).unwrap();
    disk.read_exact_at(data, 513 << 20).unwrap();
    bytes
}

#[test]
fn settings_change_in_one_cluster_and_data_stay() {
    for block_size in [512, 4096] {
        let machine = Machine::new(block_size);
        machine.run(Task::Install).unwrap();
        let disk = machine.disk();
        let settings = || {
            let contents = disk.read_contents(&machine.disk_path()).unwrap();
            install::settings_on(&Disk {
                contents: Some(contents),
                ..disk.clone()
            })
        };
        assert_eq!(settings(), Some(Settings::default()));
        let before = used(&machine);
        let change = |name: &str| {
            let mut request = machine.request(Task::ChangeSettings);
            name.clone_into(&mut request.settings.host_name);
            install::run(machine.path(), &request, &mut |_| {})
        };
        let report = change("db-7").unwrap();
        assert!(report.layout.contains(&"host_name = \"db-7\"".to_owned()));
        assert_eq!(settings().unwrap().host_name, "db-7");
        assert_eq!(machine.wrong(), [""; 0]);
        let after = used(&machine);
        let blocks = before.chunks(4096).zip(after.chunks(4096));
        // A cluster need not begin where a block of 4096 bytes does.
        let changed = blocks.filter(|(before, after)| before != after).count();
        assert!((1..=2).contains(&changed), "{changed}");
        // What the appliance did not take yet is not lost by a repair, and is by the old settings.
        machine.run(Task::RepairBoot).unwrap();
        assert_eq!(settings().unwrap().host_name, "db-7");
        let id = |report: &install::Report| {
            let lines = report.layout.iter();
            lines
                .clone()
                .find(|line| line.starts_with("id = "))
                .cloned()
        };
        let same = change("example").unwrap();
        assert_eq!(settings(), Some(Settings::default()));
        // Of a file that is lost, what else lies there says which node it is, whatever it is called now.
        let volume = format!("{}?offset={}", machine.disk_path().display(), 513 << 20);
        let debugfs = |request: &str| {
            let arguments = ["-w", "-R", request, &volume];
            let mut command = Command::new("/usr/sbin/debugfs");
            let done = command.args(arguments).output().unwrap();
            assert!(done.status.success());
        };
        let anew = || {
            let mut request = machine.request(Task::ChangeSettings);
            "node-9".clone_into(&mut request.settings.node_name);
            install::run(machine.path(), &request, &mut |_| {})
        };
        debugfs("rm /metadata/node.toml");
        assert_eq!(settings(), None);
        assert!(id(&same).is_some());
        assert_eq!(id(&anew().unwrap()), id(&same));
        let old = machine.path().join("old.toml");
        let other = "0123456789abcdef0123456789abcdef";
        fs::write(&old, format!("[node]\nid = \"{other}\"\n")).unwrap();
        debugfs(&format!("write {} /metadata/node.toml.old", old.display()));
        assert_eq!(
            id(&anew().unwrap()),
            Some(format!("id = \"{other}\"")),
            "the newer of the two"
        );
        debugfs("rm /metadata/node.toml.old");
        debugfs("rm /metadata/install-receipt.json");
        let before = used(&machine);
        let failure = anew().unwrap_err();
        assert!(failure.message.contains("which node"), "{failure}");
        assert!(used(&machine) == before);
    }
}

#[test]
fn settings_that_have_no_place_are_not_written() {
    let machine = Machine::new(512);
    let request = machine.request(Task::ChangeSettings);
    let failure = install::run(machine.path(), &request, &mut |_| {}).unwrap_err();
    assert_eq!(failure.stage, Stage::Prepare);
    machine.run(Task::Install).unwrap();
    // As before there was such a file: its name is another one.
    let before = used(&machine);
    let at = before.windows(11).position(|it| it == b"SETTINGS   ");
    machine.overwrite(at.unwrap() as u64, b"OTHER   ");
    let before = used(&machine);
    let failure = install::run(machine.path(), &request, &mut |_| {}).unwrap_err();
    assert!(failure.hint.contains("Reinstall, keep data"), "{failure}");
    assert!(used(&machine) == before);
}

/// Its system looks for settings elsewhere: they are put there until it has another system, which takes them with it.
#[test]
fn a_disk_of_an_earlier_release_gets_settings_where_its_system_looks_for_them() {
    let machine = Machine::new(512);
    machine.run(Task::Install).unwrap();
    let [path, former] = common::settings::places();
    let mut options = File::options();
    let disk = options.read(true).write(true).open(machine.disk_path());
    let partition = Slice::new(disk.unwrap(), 1 << 20, 512 << 20, 64 << 20);
    {
        let volume = FileSystem::new(partition, FsOptions::new()).unwrap();
        let root = volume.root_dir();
        root.create_dir("loader").unwrap();
        root.create_dir("loader/credentials").unwrap();
        root.rename(&path, &root, &former).unwrap();
    }
    let lies_there = |path: &str| machine.system_files().into_iter().find(|it| it.0 == path);
    let is_told = || {
        let contents = machine.disk().read_contents(&machine.disk_path()).unwrap();
        let disk = Disk {
            contents: Some(contents),
            ..machine.disk()
        };
        install::settings_on(&disk).unwrap().host_name == "db-7"
    };
    assert!(!is_told());
    let mut request = machine.request(Task::ChangeSettings);
    "db-7".clone_into(&mut request.settings.host_name);
    install::run(machine.path(), &request, &mut |_| {}).unwrap();
    assert_eq!(lies_there(&former), Some((former.clone(), b'#', 4096)));
    assert_eq!(lies_there(&path), None);
    assert!(is_told());
    for task in [Task::RepairBoot, Task::KeepData] {
        machine.run(task).unwrap();
        assert_eq!(lies_there(&path), Some((path.clone(), b'#', 4096)));
        assert_eq!(lies_there(&former), None);
        assert!(is_told());
    }
    install::run(machine.path(), &request, &mut |_| {}).unwrap();
    assert_eq!(lies_there(&former), None);
    assert!(is_told());
    machine.run(Task::Install).unwrap();
    assert_eq!(lies_there(&path), Some((path.clone(), b'\n', 4096)));
}
