use std::os::unix::fs::symlink;

use super::*;
use crate::settings::tests::leave;

const MIB: u64 = 1 << 20;

/// A machine in a folder, that was started from an image on `sda`, with its data mounted.
fn machine() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let write = |path: &str, text: &str| {
        fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
        fs::write(root.join(path), text).unwrap();
    };
    for path in [
        "data/wal",
        "data/snapshots",
        "data/metadata",
        "dev",
        "sys/block/sda/device",
    ] {
        fs::create_dir_all(root.join(path)).unwrap();
    }
    write(
        "proc/self/mountinfo",
        "22 1 259:2 / /data rw,noatime shared:1 - ext4 /run/example/data-device rw\n",
    );
    write(
        "proc/sys/kernel/random/uuid",
        "b1f3d8c2-0000-4000-8000-000000000001\n",
    );
    write("sys/devices/sda/sda2/uevent", "PARTNAME=EXAMPLE_DATA\n");
    write("sys/devices/sda/sda2/partition", "2\n");
    fs::create_dir_all(root.join("sys/class/block")).unwrap();
    symlink("../../devices/sda/sda2", root.join("sys/class/block/sda2")).unwrap();
    drop(table::tests::image(&root.join("dev/sda"), 64 * MIB, 512));
    let state = "{\"disk\": \"sda\", \"problem\": null, \"partitions\": [{\"label\": \"EXAMPLE_DATA\", \
        \"device\": \"sda2\", \"result\": \"clean\", \"exit_code\": 0, \"output\": \"\"}]}";
    write("run/example/data.state", state);
    folder
}

#[test]
fn a_first_start_grows_the_data_and_makes_an_identity_and_no_other_does() {
    let folder = machine();
    let root = folder.path();
    run(root).unwrap();
    let outcome = Outcome::read(root).unwrap();
    assert_eq!(
        outcome.said.as_deref(),
        Some("data grown from 4.2 MB to 62.9 MB, the usual settings")
    );
    assert!(outcome.problems.is_empty());
    let config = config::read(root).unwrap();
    assert_eq!(config.host_name, "example");
    assert_eq!(config.labels, ["EXAMPLE_DATA"]);
    let [text, disk] = [config::FILE, "dev/sda"].map(|it| fs::read(root.join(it)).unwrap());
    assert!(String::from_utf8_lossy(&text).contains("identity = \"random:b1f3d8c2"));
    fs::remove_file(root.join("run/example/first.state")).unwrap();
    run(root).unwrap();
    assert_eq!(Outcome::read(root), None);
    assert_eq!(fs::read(root.join(config::FILE)).unwrap(), text);
    assert_eq!(fs::read(root.join("dev/sda")).unwrap(), disk);
    // Another disk of the same image is another node.
    let other = machine();
    run(other.path()).unwrap();
    let other = config::read(other.path()).unwrap();
    assert_ne!(other.node_id, config.node_id);
}

#[test]
fn one_that_is_cut_off_begins_again() {
    let folder = machine();
    let root = folder.path();
    let disk = root.join("dev/sda");
    let good = fs::read(&disk).unwrap();
    fs::write(&disk, vec![0; good.len()]).unwrap();
    run(root).unwrap();
    let outcome = Outcome::read(root).unwrap();
    assert_eq!(outcome.said, None);
    assert_eq!(
        outcome.problems[0].message,
        "The data cannot grow to the end of sda: its first partition table is damaged."
    );
    assert!(!root.join(config::FILE).exists());
    fs::write(&disk, good).unwrap();
    run(root).unwrap();
    assert!(Outcome::read(root).unwrap().said.is_some());
    assert!(config::read(root).is_ok());
}

#[test]
fn data_of_a_node_are_never_taken_for_new() {
    type Spoil = fn(&Path);
    let rows: [Spoil; 6] = [
        |root| fs::write(root.join("data/wal/1"), "x").unwrap(),
        |root| fs::write(root.join("data/snapshots/1"), "x").unwrap(),
        |root| fs::write(root.join("data/metadata/node.toml.old"), "x").unwrap(),
        |root| symlink("nowhere", root.join(config::FILE)).unwrap(),
        |root| fs::write(root.join("proc/self/mountinfo"), "").unwrap(),
        |root| {
            let file = common::settings::compose("", "version = 1\n").unwrap();
            leave(root, "sda1", &file);
        },
    ];
    for (row, spoil) in rows.iter().enumerate() {
        let folder = machine();
        let root = folder.path();
        let disk = fs::read(root.join("dev/sda")).unwrap();
        spoil(root);
        run(root).unwrap();
        assert_eq!(Outcome::read(root), None, "{row}");
        assert_eq!(fs::read(root.join("dev/sda")).unwrap(), disk, "{row}");
    }
}
