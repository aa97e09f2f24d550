//! The file system of the last partition, made as large as that is. Nothing is mounted: `resize2fs` works on the
//! part of the disk in which it lies, and the same image comes to the same bytes each time.
//!
//! resize2fs(8), e2fsck(8); `device?offset=BYTES` is libext2fs's own way to name a part of a disk.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use common::problem::Problem;

use super::super::device::Device;
use super::super::disk_error;
use super::super::layout::Place;

/// What the programs call the disk, which is their standard input: whatever got its name meanwhile is another.
const DISK: &str = "/proc/self/fd/0";
/// Where the superblock in a partition has the time of its last write, which is the programs' time, too: this
/// machine's clock may be wrong, and is another one each time.
const WRITTEN: u64 = 1024 + 0x30;
/// What takes the place of the clock in e2fsprogs, the second one in e2fsck.
const CLOCKS: [&str; 2] = ["E2FSPROGS_FAKE_TIME", "E2FSCK_TIME"];

/// The file system of `place`, as the programs are told it.
fn name(place: &Place) -> String {
    format!("{DISK}?offset={}", place.start)
}

/// resize2fs's command line for `place`.
fn resize2fs_arguments(place: &Place) -> Vec<String> {
    vec![
        "-f".to_owned(), // an image that was just written need not be checked first
        name(place),
        format!("{}K", place.size >> 10),
    ]
}

/// e2fsck's command line for `place`: it looks through everything, and writes nothing.
fn e2fsck_arguments(place: &Place) -> Vec<String> {
    vec!["-f".to_owned(), "-n".to_owned(), name(place)]
}

/// Makes the file system of `place` as large as that is.
pub(super) fn grow(
    root: &Path,
    (device, disk): (&Device, &str),
    place: &Place,
) -> Result<(), Problem> {
    let ran = run(
        root,
        "resize2fs",
        (device, place),
        resize2fs_arguments(place),
    )?;
    device
        .flush()
        .map_err(|error| disk_error::of_disk("Writing to", disk, error))?;
    match ran {
        None => Ok(()),
        Some(said) => Err(Problem::new(
            format!(
                "Growing the file system {} on {disk} failed: {said}.",
                place.name
            ),
            "The disk may be failing, or be gone: check its cables, or choose another one.",
        )),
    }
}

/// What is wrong with the file system of `place`, which nobody has mounted; nothing if it is whole.
pub(super) fn check(
    root: &Path,
    device: &Device,
    place: &Place,
) -> Result<Option<String>, Problem> {
    run(root, "e2fsck", (device, place), e2fsck_arguments(place))
}

/// Runs a program of the system below `root` on the disk. Returns what it said if it failed.
fn run(
    root: &Path,
    program: &str,
    (device, place): (&Device, &Place),
    arguments: Vec<String>,
) -> Result<Option<String>, Problem> {
    let ran = device.handle().and_then(|disk| {
        let time = device.read_back(place.start + WRITTEN, 4)?;
        let time = time.first_chunk().map_or(0, |it| u32::from_le_bytes(*it));
        // None is the clock's.
        let time = time.max(1).to_string();
        Command::new(root.join("usr/sbin").join(program))
            .args(arguments)
            .env_clear()
            .envs(CLOCKS.map(|it| (it, &time)))
            .stdin(disk)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .output()
    });
    let output = ran.map_err(|error: io::Error| {
        Problem::new(
            format!("{program} cannot be started: {error}."),
            "The medium is damaged: write it again, or build it again.",
        )
    })?;
    let lines = [&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it).into_owned());
    let said = lines.concat().replace(&format!("{DISK}: "), "");
    let is_told =
        |it: &&str| !it.trim().is_empty() && !it.starts_with("Pass ") && !it.contains(program);
    let last = said.lines().rfind(is_told).unwrap_or("it said nothing");
    Ok((!output.status.success()).then(|| last.trim().trim_end_matches('.').to_owned()))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_programs_are_told_which_part_of_the_disk_and_how_large() {
        let place = Place {
            number: 5,
            name: "DATA".to_owned(),
            guid: Uuid::nil(),
            start: 3 << 20,
            size: 90 << 20,
        };
        let file = "/proc/self/fd/0?offset=3145728";
        assert_eq!(resize2fs_arguments(&place), ["-f", file, "92160K"]);
        assert_eq!(e2fsck_arguments(&place), ["-f", "-n", file]);
    }
}
