use std::fs::{self, File};
use std::io::{Cursor, Write as _};
use std::path::Path;

use fatfs::{FileSystem, FormatVolumeOptions, FsOptions};

use super::*;

type Files<'a> = &'a [(&'a str, &'a str)];

/// A FAT volume with these files.
fn fat_volume(label: &str, files: Files<'_>) -> Vec<u8> {
    let mut image = Cursor::new(vec![0; 1 << 20]);
    let mut name = [b' '; 11];
    name[..label.len()].copy_from_slice(label.as_bytes());
    fatfs::format_volume(&mut image, FormatVolumeOptions::new().volume_label(name)).unwrap();
    let system = FileSystem::new(&mut image, FsOptions::new()).unwrap();
    for (name, text) in files {
        let mut file = system.root_dir().create_file(name).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }
    drop(system);
    image.into_inner()
}

/// An ISO 9660 volume with these files, a sector each.
fn disc(label: &str, files: Files<'_>) -> Vec<u8> {
    let mut image = vec![0; 32 * 2048];
    let record = |name: &str, block: u8, length: usize| {
        let mut record = vec![0; 33];
        record.extend_from_slice(name.as_bytes());
        record.push(0);
        record[0] = u8::try_from(record.len()).unwrap();
        record[2] = block;
        record[10..12].copy_from_slice(&u16::try_from(length).unwrap().to_le_bytes());
        record[32] = u8::try_from(name.len()).unwrap();
        record
    };
    let descriptor = 16 * 2048;
    image[descriptor..descriptor + 6].copy_from_slice(b"\x01CD001");
    image[descriptor + 40..descriptor + 40 + label.len()].copy_from_slice(label.as_bytes());
    image[descriptor + 40 + label.len()..descriptor + 72].fill(b' ');
    image[descriptor + 129] = 8;
    let root = record("", 18, 2048);
    image[descriptor + 156..descriptor + 156 + root.len()].copy_from_slice(&root);
    let mut at = 18 * 2048;
    for (block, (name, text)) in (19..).zip(files) {
        let entry = record(name, block, text.len());
        image[at..at + entry.len()].copy_from_slice(&entry);
        at += entry.len();
        let start = usize::from(block) * 2048;
        image[start..start + text.len()].copy_from_slice(text.as_bytes());
    }
    image
}

fn attach(root: &Path, name: &str, image: &[u8]) {
    let folder = root.join("sys/block").join(name).join("device");
    fs::create_dir_all(&folder).unwrap();
    fs::create_dir_all(root.join("dev")).unwrap();
    fs::write(root.join("dev").join(name), image).unwrap();
}

/// An SMBIOS table with one OEM string.
fn firmware(root: &Path, text: &str) {
    let path = root.join("sys/firmware/dmi/tables/DMI");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let table = [b"\x0b\x05\x01\0\x01", text.as_bytes(), b"\0\0"].concat();
    fs::write(path, table).unwrap();
}

const USER: &str = "version = 1\n";
const META: &str = "local-hostname: db-7\n";
const OVF: &str = "<Environment><ProvisioningSection><LinuxProvisioningConfigurationSet>\
    <HostName>db-9</HostName></LinuxProvisioningConfigurationSet></ProvisioningSection></Environment>";

#[test]
fn what_counts_first_comes_first_whichever_disk_it_is_on() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    attach(root, "sda", &disc("AZURE", &[("OVF_ENV.XML;1", OVF)]));
    let files = [("USER_DATA.;1", "#cloud-config\n"), ("META_DATA.;1", META)];
    attach(root, "sdb", &disc("cidata", &files));
    let files = [("user-data", USER), ("meta-data", META)];
    attach(root, "sdc", &fat_volume("CIDATA", &files));
    let files = [("install.toml", "version = 7\n")];
    attach(root, "sdd", &fat_volume("EXAMPLE_CFG", &files));
    attach(root, "sde", &fat_volume("EXAMPLE_CFG", &[]));
    attach(root, "sdf", &fat_volume("OTHER", &files));
    attach(root, "sdg", &[0; 4096]);
    attach(root, "sr0", &[]);
    attach(root, "sr1", &disc("OTHER", &[("USER_DATA", USER)]));
    firmware(root, "example.install.toml=version = 1");
    let sources = Sources::find(root);
    let found: Vec<_> = sources.in_order().map(|it| it.name.as_str()).collect();
    assert_eq!(
        found,
        [
            "SMBIOS OEM string example.install.toml",
            "/install.toml on sdd (EXAMPLE_CFG)",
            "NoCloud on sdb",
            "NoCloud on sdc",
            "/ovf-env.xml on sda",
        ]
    );
    assert!(sources.problems.is_empty());
    let no_cloud = &sources.no_cloud;
    assert_eq!(no_cloud[0].file, None);
    assert_eq!(no_cloud[1].file.as_deref(), Some(USER.as_bytes()));
    assert!(
        no_cloud
            .iter()
            .all(|it| it.host_name.as_deref() == Some("db-7"))
    );
}

#[test]
fn what_is_wrong_with_one_is_said_and_hides_no_other() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    firmware(root, "example.install.toml.base64=%");
    attach(root, "sda", &disc("AZURE", &[("OVF-ENV.XML", "<a>")]));
    let mut cut = disc("cidata", &[("USER_DATA", USER)]);
    cut.truncate(18 * 2048 + 100);
    attach(root, "sdb", &cut);
    File::create(root.join("dev/sdc")).unwrap();
    attach(root, "sdd", &fat_volume("cidata", &[("meta-data", META)]));
    let sources = Sources::find(root);
    let found: Vec<_> = sources.in_order().map(|it| it.name.as_str()).collect();
    assert_eq!(found, ["NoCloud on sdd"]);
    let said: Vec<_> = sources
        .problems
        .iter()
        .map(|it| it.message.as_str())
        .collect();
    assert_eq!(
        said,
        [
            "The answer file is not base64: SMBIOS OEM string example.install.toml.base64.",
            "The settings in /ovf-env.xml on sda are not followed: it is not XML.",
        ]
    );
}
