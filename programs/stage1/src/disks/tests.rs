use std::os::unix::fs::symlink;

use gpt::disk::LogicalBlockSize;
use gpt::partition_types::LINUX_FS;

use super::*;

const BLOCK: u64 = 512;
const ID: [u8; 16] = *b"\x12\x34\x56\x78\x9a\xbc\xde\xf0\x12\x34\x56\x78\x9a\xbc\xde\xf0";

/// A system with block devices, each with its content.
pub(crate) struct System(tempfile::TempDir);

impl System {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for folder in ["sys/class/block", "sys/devices/block", "dev"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        Self(root)
    }

    pub(crate) fn root(&self) -> &Path {
        self.0.path()
    }

    /// Adds a device, which is a partition if it is in another one: `sda/sda1`.
    pub(crate) fn add(&self, place: &str, content: &[u8], said: &[(&str, &str)]) {
        let name = place.rsplit('/').next().unwrap();
        let folder = self.root().join("sys/devices/block").join(place);
        fs::create_dir_all(folder.join("queue")).unwrap();
        let size = (content.len() as u64 / BLOCK).to_string();
        let usual = [
            ("size", size.as_str()),
            ("dev", "8:0"),
            ("queue/logical_block_size", "512"),
        ];
        for (file, text) in usual.iter().chain(said) {
            fs::write(folder.join(file), format!("{text}\n")).unwrap();
        }
        symlink(&folder, self.root().join("sys/class/block").join(name)).unwrap();
        fs::write(
            self.root().join("dev").join(name.replace('!', "/")),
            content,
        )
        .unwrap();
    }

    pub(crate) fn looked(&self) -> Disks {
        let mut disks = Disks::below(self.root());
        disks.look();
        disks
    }
}

impl Disks {
    /// Such as have found these.
    pub(crate) fn of(devices: Vec<Device>) -> Self {
        let known = devices
            .into_iter()
            .enumerate()
            .map(|(number, it)| (number.to_string(), it));
        Self {
            root: PathBuf::new(),
            known: known.collect(),
        }
    }
}

/// The beginning of an ext4 file system with this label.
pub(crate) fn ext4(label: &str) -> Vec<u8> {
    let mut head = vec![0; 4096];
    head[1080..1082].copy_from_slice(b"\x53\xef");
    head[1128..1144].copy_from_slice(&ID);
    head[1144..1144 + label.len()].copy_from_slice(label.as_bytes());
    head
}

/// A disk with one partition, and the partition's UUID.
fn disk(name: &str) -> (Vec<u8>, Uuid) {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(4 << 20).unwrap();
    let config = gpt::GptConfig::new()
        .writable(true)
        .logical_block_size(LogicalBlockSize::Lb512);
    let mut made = config.create(file.path()).unwrap();
    made.add_partition(name, 1 << 20, LINUX_FS, 0, None)
        .unwrap();
    let uuid = made.partitions()[&1].part_guid;
    made.write().unwrap();
    (fs::read(file.path()).unwrap(), uuid)
}

fn shown(disks: &Disks) -> Vec<String> {
    disks.found().map(ToString::to_string).collect()
}

#[test]
fn devices_say_what_they_are_told_by() {
    let system = System::new();
    let (mut sda, uuid) = disk("the root");
    sda[..4096][1080..1082].copy_from_slice(b"\x53\xef"); // what a hybrid image has
    system.add("sda", &sda, &[]);
    system.add(
        "sda/sda1",
        &ext4("ROOT"),
        &[("partition", "1"), ("dev", "8:1")],
    );
    system.add("sda/sda7", &ext4(""), &[("partition", "7")]);
    system.add("vdb", &ext4("WHOLE\u{1b}"), &[]);
    system.add("loop0", &ext4("ROOT"), &[]);
    system.add("dm-0", &ext4("ROOT"), &[]);
    system.add("sr0", b"", &[]);
    let disks = system.looked();
    let id = "UUID=12345678-9abc-def0-1234-56789abcdef0";
    let expected = [
        "/dev/sda".to_owned(),
        format!("/dev/sda1 (ext4 LABEL=ROOT {id} PARTLABEL=the root PARTUUID={uuid})"),
        format!("/dev/sda7 (ext4 {id})"),
    ];
    let found = shown(&disks);
    assert_eq!(found[..3], expected);
    assert!(found[3].starts_with("/dev/vdb (ext4 LABEL=WHOLE") && !found[3].contains('\u{1b}'));
    assert_eq!(found.len(), 4);
    let part = disks.found().nth(1).unwrap();
    assert_eq!((part.number.as_str(), part.size), ("8:1", 4096));
}

#[test]
fn what_is_new_and_what_is_gone_is_noticed() {
    let system = System::new();
    let mut disks = Disks::below(system.root());
    assert!(!disks.look());
    system.add("sda", &ext4("A"), &[]);
    assert!(disks.look());
    assert!(!disks.look());
    fs::remove_file(system.root().join("sys/class/block/sda")).unwrap();
    assert!(disks.look());
    assert!(shown(&disks).is_empty());
}

#[test]
fn damage_is_no_reason_to_stop() {
    let system = System::new();
    let (whole, _) = disk("x");
    for (number, at) in (0..whole.len().min(1 << 15)).step_by(211).enumerate() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x81;
        damaged.truncate(1 << 16); // neither has a second table
        let name = format!("sd{number}");
        system.add(&name, &damaged, &[]);
        system.add(
            &format!("{name}/{name}p1"),
            &damaged[at..],
            &[("partition", "1")],
        );
    }
    system.add("bad", &whole, &[("queue/logical_block_size", "0")]);
    system.add("worse", &whole, &[("size", "much")]);
    system.add(
        "most",
        &whole,
        &[("queue/logical_block_size", "18446744073709551615")],
    );
    let found = shown(&system.looked());
    assert!(!found.iter().any(|it| it.starts_with("/dev/worse")));
    assert!(found.len() > 300);
}
