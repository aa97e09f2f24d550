//! `appliance check`: finds the data partitions, or takes those that `unlock` found and opened, has their file systems checked, and links
//! those that are good to `data-device`, `data2-device` and so on. The command
//! succeeds whatever it found: what follows goes by the links, and by [`DataState`].
//!
//! `appliance recheck`, after the links were mounted, looks closer at what did not mount.

use common::product::product;
use std::io::{self, Read};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::disks::BootPartition;

use crate::confine;
use crate::console::Console;
use crate::data::{CheckResult, DataState, Encryption, Partition};
use crate::disk::{Choice, Disk, choose, first_label, label, list};
use crate::mounts::{Mount, mount};
use crate::os_release;
use crate::page::Page;
use crate::text::clean;
use crate::unlock::{Part, Unlocked};
use common::problem::Problem;

/// How often to look for disks.
const POLL: Duration = Duration::from_millis(50);
/// How much of what e2fsck says is kept, in bytes: what it found first …
const FIRST_WORDS: usize = 380;
/// … and, where it stops at what it cannot repair, why it did.
const LAST_WORDS: usize = 200;

/// Finds, checks and links the data partitions below `root`. Fails if it cannot write below
/// `/run`.
pub fn run(root: &Path) -> io::Result<()> {
    std::fs::create_dir_all(root.join(product().run("")))?;
    let mut console = Console::open(root);
    let unlocked = Unlocked::read(root).unwrap_or_else(|| {
        show(root, &mut console, "looking for the disk".to_owned());
        Unlocked::look(root)
    });
    let mut partitions = Vec::new();
    for mut part in unlocked.partitions {
        let label = label(part.number);
        partitions.push(match part.closed.take() {
            None => {
                let doing = format!("checking {label} on {}", part.device);
                show(root, &mut console, doing);
                check(root, label, part)
            }
            Some(reason) => closed(label, part, reason),
        });
    }
    link(root, &partitions)?;
    if let Some(problem) = &unlocked.problem {
        tracing::error!(%problem, "no disk with data");
    }
    DataState {
        disk: unlocked.disk,
        partitions,
        problem: unlocked.problem,
        warning: unlocked.warning,
    }
    .write(root)
}

/// Looks closer at the partitions below `root` that seemed good and yet are not mounted: e2fsck(8),
/// `-p`, takes a file system's word that it is clean, which the kernel may not. Fails if it cannot
/// write below `/run`.
pub fn again(root: &Path) -> io::Result<()> {
    let mut state = DataState::read(root);
    let is_refused = |it: &&mut Partition| {
        it.result.is_good() && mount(root, &mount_point(&it.label)) == Mount::Missing
    };
    let mut refused = state.partitions.iter_mut().filter(is_refused).peekable();
    if refused.peek().is_none() {
        return Ok(());
    }
    let mut console = Console::open(root);
    for partition in refused {
        let Partition { label, device, .. } = &partition;
        show(
            root,
            &mut console,
            format!("checking all of {label} on {device}"),
        );
        look_closer(root, partition);
    }
    state.write(root)
}

/// Shows what is being done about the data.
fn show(root: &Path, console: &mut Console, doing: String) {
    console.show(&Page {
        title: os_release::name(root),
        rows: vec![("Data", doing)],
        problems: Vec::new(),
    });
}

/// Waits for the disk to use.
pub(crate) fn find(root: &Path) -> Result<Disk, Problem> {
    let started = Instant::now();
    let boot = BootPartition::read(root);
    let mut before = Vec::new();
    loop {
        let disks = list(root, boot);
        // The kernel shows partitions one by one: what counts is what was there twice.
        if disks == before {
            match choose(&disks, boot.is_some(), started.elapsed()) {
                Choice::Take(disk) => return Ok(disk),
                Choice::Refuse(problem) => return Err(problem),
                Choice::Wait => {}
            }
        }
        before = disks;
        std::thread::sleep(POLL);
    }
}

/// Has the file system of one partition checked, and repaired where nothing can be lost by that:
/// e2fsck(8), `-p`. That does not go by the copies of a superblock that is damaged; a closer look
/// does.
fn check(root: &Path, label: String, part: Part) -> Partition {
    let mut partition = Partition {
        mapping: (part.encryption != Encryption::No).then(|| part.mapping()),
        label,
        device: part.device,
        encrypted: part.encryption,
        result: CheckResult::Unchecked,
        exit_code: None,
        output: String::new(),
    };
    let (exit_code, output) = e2fsck(root, "-p", &partition.node(), LAST_WORDS);
    let Partition { label, device, .. } = &partition;
    tracing::info!(label, device, exit_code, output, "checked a file system");
    partition.result = CheckResult::of(exit_code);
    partition.exit_code = exit_code;
    partition.output = output;
    if partition.result == CheckResult::Unchecked {
        look_closer(root, &mut partition);
    }
    partition
}

/// A partition that is encrypted, and was not opened for this reason.
fn closed(label: String, part: Part, reason: String) -> Partition {
    Partition {
        label,
        device: part.device,
        encrypted: part.encryption,
        mapping: None,
        result: CheckResult::Closed,
        exit_code: None,
        output: reason,
    }
}

/// Has all of a file system checked and nothing changed: e2fsck(8), `-n -f`. What is found counts;
/// where nothing is, the earlier verdict stays.
fn look_closer(root: &Path, partition: &mut Partition) {
    // Its last words are about a file system that it thinks it has modified.
    let (exit_code, output) = e2fsck(root, "-nf", &partition.node(), 0);
    let result = CheckResult::of(exit_code);
    if !result.is_good() {
        tracing::error!(partition.label, output, "a closer look found damage");
        partition.result = result;
        partition.exit_code = exit_code;
        partition.output = output;
    }
}

/// Runs e2fsck(8) on a partition; returns what it exited with, and what it said: [`FIRST_WORDS`] of
/// that, and so many of the last ones.
fn e2fsck(root: &Path, option: &str, node: &Path, last: usize) -> (Option<i32>, String) {
    let run = || -> io::Result<_> {
        let (mut output, writer) = io::pipe()?;
        let device = root.join("dev").join(node);
        let program = root.join("usr/sbin/e2fsck");
        // Of a link the device is meant.
        let written = std::fs::canonicalize(&device).unwrap_or_else(|_| device.clone());
        let mut child = confine::command(root, "fsck", &[written], &program)
            .arg(option)
            .arg(device)
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .spawn()?;
        let said = first_and_last(&mut output, last)?;
        Ok((child.wait()?.code(), clean(&said)))
    };
    run().unwrap_or_else(|error| (None, format!("e2fsck cannot be run: {error}")))
}

/// Reads to the end, and keeps as much as people read: of much damage e2fsck says much.
fn first_and_last(input: &mut impl Read, most: usize) -> io::Result<String> {
    let mut first = Vec::new();
    input.take(FIRST_WORDS as u64).read_to_end(&mut first)?;
    let mut last = Vec::new();
    let mut omitted = false;
    while input.take(4096).read_to_end(&mut last)? > 0 {
        let excess = last.len().saturating_sub(most);
        omitted |= excess > 0;
        last.drain(..excess);
    }
    let gap = if omitted { " ... " } else { "" };
    let [first, last] = [first, last].map(|it| String::from_utf8_lossy(&it).into_owned());
    Ok(format!("{first}{gap}{last}"))
}

/// Makes a link and a folder to mount it on for each good partition. The folder of the first one
/// is `/data`.
fn link(root: &Path, partitions: &[Partition]) -> io::Result<()> {
    for partition in partitions {
        let name = mount_point(&partition.label);
        let link = root.join(product().run(&format!("{name}-device")));
        // One of an earlier call says nothing about now.
        match std::fs::remove_file(&link) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        if partition.result.is_good() {
            std::fs::create_dir_all(root.join(&name))?;
            symlink(PathBuf::from("/dev").join(partition.node()), link)?;
        }
    }
    Ok(())
}

/// The name of the folder, in the root, that the data partition called `label` is mounted on.
pub fn mount_point(label: &str) -> String {
    label.replacen(first_label(), "data", 1)
}
