//! `truthdb-appliance check`: finds the data partitions, has their file systems checked, and links
//! those that are good to `/run/truthdb/data-device`, `data2-device` and so on. The command
//! succeeds whatever it found: what follows goes by the links, and by [`DataState`].

use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::console::Console;
use crate::data::{CheckResult, DataState, Partition, Problem};
use crate::disk::{BootPartition, Choice, Disk, choose, label, list};
use crate::page::Page;
use crate::product;
use crate::text::clean;

/// How often to look for disks.
const POLL: Duration = Duration::from_millis(50);
/// How much of what e2fsck says is kept, in bytes: its last words matter.
const MOST_OUTPUT: usize = 2000;

/// Where the links lie, below the root.
const RUN: &str = "run/truthdb";

/// Finds, checks and links the data partitions below `root`. Fails if it cannot write below
/// `/run`.
pub fn run(root: &Path) -> io::Result<()> {
    std::fs::create_dir_all(root.join(RUN))?;
    let mut console = Console::open(root);
    let mut page = Page {
        title: product::name(root),
        rows: vec![("Data", "looking for the disk".to_owned())],
        problems: Vec::new(),
    };
    console.show(&page);
    let state = match find(root) {
        Ok(disk) => {
            let mut partitions = Vec::new();
            for (number, device) in &disk.data {
                let label = label(*number);
                page.rows = vec![("Data", format!("checking {label} on {device}"))];
                console.show(&page);
                partitions.push(check(root, label, device));
            }
            link(root, &disk, &partitions)?;
            DataState {
                disk: Some(disk.name),
                partitions,
                problem: None,
            }
        }
        Err(problem) => DataState {
            problem: Some(problem),
            ..DataState::default()
        },
    };
    state.write(root)
}

/// Waits for the disk to use.
fn find(root: &Path) -> Result<Disk, Problem> {
    let started = Instant::now();
    let boot = BootPartition::read(root);
    loop {
        let disks = list(root, boot.as_ref());
        match choose(&disks, boot.is_some(), started.elapsed()) {
            Choice::Take(disk) => return Ok(disk),
            Choice::Refuse(problem) => return Err(problem),
            Choice::Wait => std::thread::sleep(POLL),
        }
    }
}

/// Has the file system of one partition checked, and repaired where nothing can be lost by that:
/// e2fsck(8), `-p`.
fn check(root: &Path, label: String, device: &str) -> Partition {
    let outcome = Command::new(root.join("usr/sbin/e2fsck"))
        .arg("-p")
        .arg(root.join("dev").join(device))
        .stdin(Stdio::null())
        .output();
    let (exit_code, output) = match outcome {
        Ok(output) => {
            let text = [output.stdout, output.stderr].concat();
            let start = text.len().saturating_sub(MOST_OUTPUT);
            let text = String::from_utf8_lossy(&text[start..]).into_owned();
            (output.status.code(), clean(&text))
        }
        Err(error) => (None, format!("e2fsck cannot be started: {error}")),
    };
    Partition {
        label,
        device: device.to_owned(),
        result: CheckResult::of(exit_code),
        exit_code,
        output,
    }
}

/// Makes a link and a folder to mount it on for each good partition. The folder of the first one
/// is `/data`.
fn link(root: &Path, disk: &Disk, partitions: &[Partition]) -> io::Result<()> {
    for ((number, device), partition) in disk.data.iter().zip(partitions) {
        let name = mount_point(*number);
        let link = root.join(RUN).join(format!("{name}-device"));
        // One of an earlier call says nothing about now.
        match std::fs::remove_file(&link) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        if partition.result.is_good() {
            std::fs::create_dir_all(root.join(&name))?;
            symlink(PathBuf::from("/dev").join(device), link)?;
        }
    }
    Ok(())
}

/// The name of the folder, in the root, that data partition `number` is mounted on.
pub fn mount_point(number: u32) -> String {
    match number {
        1 => "data".to_owned(),
        more => format!("data{more}"),
    }
}
