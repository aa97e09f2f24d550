//! A medium with a set of partitions, made of tiny file systems by the machine's own mke2fs, and a machine with a
//! disk in a file. Each program of tests uses a part of it.
#![allow(dead_code)]

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use installer::hardware::{Bus, Disk, Volume};
use installer::install::{self, Enrolment, Failure, Report, Request, Settings, Target, Task};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub const MIB: u64 = 1 << 20;
pub const SIZE: u64 = 281 * MIB;
/// Where the partitions begin on a whole disk.
pub const BIOS: u64 = MIB;
pub const ESP: u64 = 2 * MIB;
pub const BOOT: u64 = 266 * MIB;
pub const ROOT: u64 = 270 * MIB;
pub const DATA: u64 = 274 * MIB;
/// Where a computer says what it is called.
const IDENTITY: &str = "sys/class/dmi/id/product_uuid";
const NAME: &str = "sda";
const LINUX: &str = "0fc63daf-8483-4772-8e79-3d69d8477de4";
/// Of a plain file, unlike of a disk, resize2fs cuts off what lies behind: it gets a copy of its part.
const RESIZE2FS: &str = r#"#!/bin/sh
set -e
PATH=/usr/sbin:/usr/bin:/sbin:/bin
part=$0.$$; offset=${2#*offset=}; size=${3%K}
dd if=/proc/$$/fd/0 of="$part" bs=1M skip=$((offset >> 20)) count=$((size >> 10)) status=none
resize2fs "$1" "$part" "$3" >&2
dd if="$part" of=/proc/$$/fd/0 bs=1M seek=$((offset >> 20)) conv=notrunc status=none
rm "$part"
"#;

/// What a tree has besides what it always has: paths with contents, or `-> target` for links.
pub type Extra<'a> = &'a [(&'a str, &'a str)];

pub fn sha256(data: &[u8]) -> String {
    let digest = Sha256::digest(data);
    digest
        .iter()
        .fold(String::new(), |text, it| format!("{text}{it:02x}"))
}

fn tool(name: &str) -> PathBuf {
    let places = ["/usr/sbin", "/sbin"].map(|it| Path::new(it).join(name));
    let found = places.into_iter().find(|it| it.exists());
    found.expect("e2fsprogs")
}

fn put(tree: &Path, path: &str, content: &[u8]) {
    let path = tree.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn add(tree: &Path, extra: Extra<'_>) {
    for (path, content) in extra {
        let at = tree.join(path);
        if at.symlink_metadata().is_ok_and(|it| !it.is_dir()) {
            fs::remove_file(&at).unwrap();
        }
        match content.strip_prefix("-> ") {
            Some(target) => symlink(target, at).unwrap(),
            None => put(tree, path, content.as_bytes()),
        }
    }
}

/// A machine that was started from the medium.
pub struct Machine {
    root: tempfile::TempDir,
    pub block_size: u64,
}

impl Machine {
    pub fn new(block_size: u64, is_uefi: bool) -> Self {
        Self::with(block_size, is_uefi, &[], &[])
    }

    /// One whose root and boot partition have something else, too.
    pub fn with(block_size: u64, is_uefi: bool, in_root: Extra<'_>, menus: Extra<'_>) -> Self {
        // Beside this program, since programs are run from there: /tmp may not allow that.
        let here = std::env::current_exe().unwrap();
        let root = tempfile::tempdir_in(here.parent().unwrap()).unwrap();
        let machine = Self { root, block_size };
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
        if is_uefi {
            fs::create_dir_all(machine.variables()).unwrap();
        }
        fs::write(
            path.join("etc/os-release"),
            "NAME=Example\nVERSION_ID=1.2.3\n",
        )
        .unwrap();
        fs::write(
            path.join(IDENTITY),
            "4c4c4544-0000-1111-2222-333344445555\n",
        )
        .unwrap();
        let about = include_str!("../../../../common/src/product/example.toml");
        let about = about.replace("Example.efi", "partitions.json");
        fs::write(path.join("etc/product.toml"), about).unwrap();
        common::product::load(path).unwrap();
        symlink(tool("e2fsck"), path.join("usr/sbin/e2fsck")).unwrap();
        tool("resize2fs");
        fs::write(path.join("usr/sbin/resize2fs"), RESIZE2FS).unwrap();
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(path.join("usr/sbin/resize2fs"), mode).unwrap();
        let disk = File::create(machine.disk_path()).unwrap();
        disk.set_len(SIZE).unwrap();
        machine.carry(in_root, menus);
        machine
    }

    /// Has it another name from now on, as a computer without one of its own has at each start.
    pub fn is_called_otherwise(&self) {
        let path = self.root.path().join(IDENTITY);
        fs::write(path, "4c4c4544-0000-1111-2222-333344446666\n").unwrap();
    }

    pub fn path(&self) -> &Path {
        self.root.path()
    }

    pub fn disk_path(&self) -> PathBuf {
        self.path().join("dev").join(NAME)
    }

    pub fn variables(&self) -> PathBuf {
        self.path().join("sys/firmware/efi/efivars")
    }

    pub fn payload(&self, name: &str) -> PathBuf {
        self.path().join("payload").join(name)
    }

    /// Puts a set on the medium.
    fn carry(&self, in_root: Extra<'_>, menus: Extra<'_>) {
        let kernel = vec![0x4b; 100_000];
        let initrd = vec![0x49; 5_000];
        let (kernel_sha256, initrd_sha256) = (sha256(&kernel), sha256(&initrd));
        let names = [
            format!("vmlinuz-{}", &kernel_sha256[..12]),
            format!("initrd-{}.img", &initrd_sha256[..12]),
        ];
        let entries = json!([{
            "id": "toy-0", "title": "Toy 1.0", "system": "/store/abc-system",
            "kernel": names[0], "kernel_sha256": kernel_sha256,
            "initrd": names[1], "initrd_sha256": initrd_sha256, "cmdline": "root=LABEL=T_ROOT",
        }]);
        let tree = self.path().join("tmp/tree");
        put(&tree, "store/abc-kernel/bzImage", &kernel);
        put(&tree, "store/abc-initrd/initrd.cpio", &initrd);
        put(&tree, "etc/passwd", b"root:x:0:0::/root:/bin/sh\n");
        fs::create_dir_all(tree.join("store/abc-system")).unwrap();
        fs::create_dir_all(tree.join("run")).unwrap();
        fs::create_dir_all(tree.join("var")).unwrap();
        symlink("/run", tree.join("var/run")).unwrap();
        symlink("/store/abc-kernel", tree.join("store/abc-system/kernel")).unwrap();
        symlink(
            "/store/abc-initrd/initrd.cpio",
            tree.join("store/abc-system/initrd"),
        )
        .unwrap();
        add(&tree, in_root);
        let root = self.ext4("T_ROOT", "root", Some(&tree));
        fs::remove_dir_all(&tree).unwrap();
        put(&tree, &names[0], &kernel);
        put(&tree, &names[1], &initrd);
        let [linux, img] = &names;
        let menu = format!("menuentry 'Toy' {{\n  linux /{linux} root=x\n  initrd /{img}\n}}\n");
        put(&tree, "grub/grub.cfg", menu.as_bytes());
        let menu = format!("title Toy\nlinux /{linux}\ninitrd /{img}\n");
        put(&tree, "loader/entries/toy-0.conf", menu.as_bytes());
        put(
            &tree,
            "boot-tree.json",
            json!({"entries": entries}).to_string().as_bytes(),
        );
        add(&tree, menus);
        let boot = self.ext4("T_BOOT", "boot", Some(&tree));
        let data = self.ext4("T_DATA", "data", None);
        let mut image = vec![0xc0; 5 * 512];
        image[0x1fc..0x1fe].copy_from_slice(&[4, 0]);
        let mut sector = vec![0xb0; 512];
        sector[510..].copy_from_slice(&[0x55, 0xaa]);
        let boot_img = self.file("boot.img", &sector);
        let mut core_img = self.file("core.img", &image);
        core_img["packed"] = json!("");
        let esp = |path: &str, name: &str, content: &[u8]| {
            let mut file = self.file(name, content);
            file["path"] = json!(path);
            file
        };
        let part = |role: &str, label: &str, kind: &str, content: &Value| {
            json!({"role": role, "label": label, "type": kind, "size": 4 * MIB, "grow": role == "data",
                   "content": content})
        };
        let set = json!({
            "format": 1, "name": "toy", "title": "Toy", "version": "1.0", "folder": "Example",
            "boot_code": boot_img,
            "partitions": [
                {"role": "bios", "label": "T_BIOS", "type": "21686148-6449-6e6f-744e-656564454649",
                 "size": MIB, "grow": false, "content": core_img},
                {"role": "esp", "label": "EFI", "type": "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
                 "size": 264 * MIB, "grow": false, "files": [
                    esp("EFI/Example/grubx64.efi", "grubx64.efi", &[0xef; 9000]),
                    esp("EFI/Example/grub.cfg", "grub-esp.cfg", b"search --label T_BOOT\n"),
                    esp("EFI/BOOT/BOOTX64.EFI", "grubx64.efi", &[0xef; 9000])]},
                part("boot", "T_BOOT", "bc13c2ff-59e6-4262-a352-b275fd6f7172", &boot),
                part("root", "T_ROOT", LINUX, &root),
                part("data", "T_DATA", LINUX, &data)],
            "entries": entries,
        });
        fs::write(self.payload("partitions.json"), set.to_string()).unwrap();
    }

    /// Changes a value of the set's list.
    pub fn say(&self, pointer: &str, value: Value) {
        let text = fs::read(self.payload("partitions.json")).unwrap();
        let mut set: Value = serde_json::from_slice(&text).unwrap();
        *set.pointer_mut(pointer).unwrap() = value;
        fs::write(self.payload("partitions.json"), set.to_string()).unwrap();
    }

    fn file(&self, name: &str, content: &[u8]) -> Value {
        fs::write(self.payload(name), content).unwrap();
        json!({"file": name, "bytes": content.len(), "sha256": sha256(content)})
    }

    /// Makes a file system of 4 MiB, packed for the medium.
    fn ext4(&self, label: &str, name: &str, tree: Option<&Path>) -> Value {
        let image = self.path().join("tmp/image");
        File::create(&image).unwrap().set_len(4 * MIB).unwrap();
        let uuid = "6f0e9b2a-0000-4000-8000-00000000000";
        let mut made = Command::new(tool("mke2fs"));
        made.args([
            "-q",
            "-F",
            "-text4",
            "-b4096",
            "-O^has_journal,^orphan_file",
            "-m0",
            "-N64",
        ]);
        made.arg(format!("-L{label}")).arg(format!("-U{uuid}1"));
        made.arg(format!("-Ehash_seed={uuid}2"));
        made.env("E2FSPROGS_FAKE_TIME", "1700000000");
        if let Some(tree) = tree {
            made.arg("-d").arg(tree);
        }
        assert!(made.arg(&image).status().unwrap().success());
        let content = fs::read(&image).unwrap();
        let file = format!("{name}.ext4.zst");
        let packed = compress_to_vec(&content[..], CompressionLevel::Fastest);
        fs::write(self.payload(&file), packed).unwrap();
        json!({"file": file, "packed": "zstd", "bytes": content.len(), "sha256": sha256(&content)})
    }

    pub fn disk(&self) -> Disk {
        Disk {
            name: NAME.to_owned(),
            model: "ACME Disk".to_owned(),
            serial: Some("SER123456".to_owned()),
            wwn: None,
            bus: Bus::Sata,
            place: String::new(),
            device: None,
            size: fs::metadata(self.disk_path()).unwrap().len(),
            block_size: self.block_size,
            removable: false,
            read_only: false,
            sequence: 1,
            volume: Volume::Other,
            contents: None,
            is_medium: false,
        }
    }

    pub fn request(&self, task: Task, target: Target) -> Request {
        Request {
            task,
            disk: self.disk(),
            target,
            settings: Settings::default(),
            encryption: None,
            secure_boot: Enrolment::Leave,
            warnings: Vec::new(),
        }
    }

    pub fn run(&self, task: Task) -> Result<Report, Failure> {
        self.run_at(task, Target::WholeDisk)
    }

    pub fn run_at(&self, task: Task, target: Target) -> Result<Report, Failure> {
        install::run(self.path(), &self.request(task, target), &mut |_| {})
    }

    /// What Validate has to find fault with.
    pub fn wrong(&self) -> Vec<String> {
        let findings = install::validate(self.path(), &self.disk());
        let wrong = findings.into_iter().filter(|it| !it.good);
        wrong.map(|it| it.text).collect()
    }

    pub fn read(&self, offset: u64, length: usize) -> Vec<u8> {
        let mut data = vec![0; length];
        let file = File::open(self.disk_path()).unwrap();
        file.read_exact_at(&mut data, offset).unwrap();
        data
    }

    pub fn overwrite(&self, offset: u64, data: &[u8]) {
        let file = File::options().write(true).open(self.disk_path()).unwrap();
        file.write_all_at(data, offset).unwrap();
    }

    /// SHA-256 of the disk from one byte to another.
    pub fn digest(&self, from: u64, to: u64) -> String {
        sha256(&self.read(from, usize::try_from(to - from).unwrap()))
    }

    /// SHA-256 of all of the disk but the part of the EFI system partition that nobody ever writes to.
    pub fn whole(&self) -> String {
        let parts = [(0, ESP + 16 * MIB), (BOOT - MIB, self.disk().size)];
        parts.map(|(from, to)| self.digest(from, to)).concat()
    }

    /// Writes another text of the same length in the place of the first one that reads `old`, from `offset` on.
    pub fn replace(&self, offset: u64, old: &str, new: &str) {
        assert_eq!(old.len(), new.len());
        let part = self.read(offset, 4 << 20);
        let found = part.windows(old.len()).position(|it| it == old.as_bytes());
        self.overwrite(offset + found.unwrap() as u64, new.as_bytes());
    }
}
