//! `appliance panics`: what the kernel said when it last stopped for good. It leaves that in the
//! firmware's variables, from where pstore shows it; there it takes room that boot entries need, so it is
//! moved among the data, and forgotten there. The page tells of it until the machine starts again.
//!
//! Linux, Documentation/admin-guide/pstore-blk.rst and `fs/pstore/platform.c`: files of one panic
//! have a header each, `Panic#2 Part7`, and the part with the last words is 1. Panics are counted anew at
//! each start. What the kernel could not decompress it shows as it is, in a file whose name ends so.

use common::product::product;
use std::cmp::Reverse;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::mounts::{Mount, mount};
use crate::text::clean;

/// Where pstore is mounted.
const STORE: &str = "sys/fs/pstore";
/// Where it is kept, below the root.
const KEPT: &str = "data/metadata/panics";
/// The folder of that.
const METADATA: &str = "data/metadata";
/// How many are kept, and how much is read of each file, in bytes.
const MOST_KEPT: usize = 16;
const MOST_READ: u64 = 256 << 10;
/// How many files are looked at: a full store of variables has fewer.
const MOST_FILES: usize = 1024;
/// How a file's name ends that is still compressed.
const COMPRESSED: &str = ".enc.z";
/// How long the firmware takes at most between two parts of one panic.
const APART: Duration = Duration::from_mins(1);
/// What the kernel begins the line with that says why.
const REASON: &str = "Kernel panic - not syncing: ";

/// Moves what is in the store below `root` to the data, and notes what the page says. Where the data
/// cannot be written to, it stays in the store, and is told all the same. Fails if it cannot write below
/// `/run`, or forget what it kept.
pub fn run(root: &Path) -> io::Result<()> {
    let parts = parts(&root.join(STORE));
    if parts.is_empty() {
        return Ok(());
    }
    let whole: Vec<_> = parts.iter().filter(|it| it.is_whole).collect();
    let bytes: Vec<u8> = whole.iter().flat_map(|it| it.kept()).collect();
    let is_writable = mount(root, "data") == Mount::Writable && !whole.is_empty();
    let kept = is_writable.then(|| keep(root, &bytes)).transpose();
    let (place, problem) = match kept {
        Ok(Some(place)) => (format!("kept in /{place}"), None),
        Ok(None) if whole.is_empty() => ("it is too long to be kept".to_owned(), None),
        Ok(None) => ("the data cannot be written to".to_owned(), None),
        Err(error) => ("it could not be kept".to_owned(), Some(error)),
    };
    let is_kept = place.starts_with("kept");
    fs::create_dir_all(root.join(product().run("")))?;
    let said: Vec<u8> = parts.iter().flat_map(Part::kept).collect();
    let reason = reason(&String::from_utf8_lossy(&said));
    tracing::warn!(reason, place, "the kernel stopped for good last time");
    fs::write(
        root.join(product().run("panic")),
        format!("{reason} ({place})"),
    )?;
    if is_kept {
        for part in whole {
            fs::remove_file(&part.path)?;
        }
    }
    problem.map_or(Ok(()), Err)
}

/// What [`run`] found when the machine started, if anything: a line.
pub fn last(root: &Path) -> Option<String> {
    let mut text = String::new();
    let file = File::open(root.join(product().run("panic"))).ok()?;
    file.take(1024).read_to_string(&mut text).ok()?;
    Some(clean(&text))
}

/// A file of the store.
struct Part {
    path: PathBuf,
    bytes: Vec<u8>,
    /// Nothing of it is missing.
    is_whole: bool,
    time: SystemTime,
}

impl Part {
    /// Its header.
    fn header(&self) -> String {
        let line = self.bytes.split(|it| *it == b'\n').next();
        String::from_utf8_lossy(line.unwrap_or_default()).into_owned()
    }

    /// Which part of its panic it is.
    fn number(&self) -> u64 {
        let header = self.header();
        let (_, rest) = header.split_once("Part").unwrap_or_default();
        let digits = rest.split(|it: char| !it.is_ascii_digit()).next();
        digits.and_then(|it| it.parse().ok()).unwrap_or(0)
    }

    /// What is kept of it: its bytes, with a line before those that are no text.
    fn kept(&self) -> Vec<u8> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let note = if name.ends_with(COMPRESSED) {
            let length = self.bytes.len();
            format!("{name}: {length} bytes, which the kernel could not decompress\n")
        } else {
            String::new()
        };
        [note.as_bytes(), &self.bytes, b"\n"].concat()
    }
}

/// Everything in the store: panic by panic, what was said first first.
fn parts(store: &Path) -> Vec<Part> {
    let entries = fs::read_dir(store).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .take(MOST_FILES)
        .filter_map(|entry| read(entry.path()).ok())
        .collect();
    found.sort_by(|one, other| (one.time, &one.path).cmp(&(other.time, &other.path)));
    let mut panics: Vec<(String, Vec<Part>)> = Vec::new();
    for part in found {
        let header = part.header();
        let name = header.split(' ').next().unwrap_or_default();
        let is_same = |(of, parts): &&mut (String, Vec<Part>)| {
            let last = parts.last().map(|it| part.time.duration_since(it.time));
            of == name && last.is_some_and(|it| it.is_ok_and(|it| it <= APART))
        };
        match panics.iter_mut().rev().find(is_same) {
            Some((_, parts)) => parts.push(part),
            None => panics.push((name.to_owned(), vec![part])),
        }
    }
    for (_, parts) in &mut panics {
        parts.sort_by_key(|it| Reverse(it.number()));
    }
    panics.into_iter().flat_map(|(_, parts)| parts).collect()
}

fn read(path: PathBuf) -> io::Result<Part> {
    let mut file = File::open(&path)?;
    let mut bytes = Vec::new();
    Read::by_ref(&mut file)
        .take(MOST_READ)
        .read_to_end(&mut bytes)?;
    Ok(Part {
        is_whole: file.read(&mut [0])? == 0,
        time: file.metadata()?.modified()?,
        path,
        bytes,
    })
}

/// Why the kernel stopped last.
fn reason(text: &str) -> String {
    let lines = text.lines().rev();
    let mut said = lines.filter_map(|line| line.split_once(REASON));
    let why = said.next().map(|(_, why)| why.trim());
    why.map_or_else(|| "the kernel gave no reason".to_owned(), clean)
}

/// Writes `bytes` among the data, so that it is on the disk, and forgets the oldest of many. Returns the
/// path below `root`.
fn keep(root: &Path, bytes: &[u8]) -> io::Result<String> {
    let folder = root.join(KEPT);
    fs::create_dir_all(&folder)?;
    let mut numbers: Vec<u32> = fs::read_dir(&folder)?
        .flatten()
        .filter_map(|it| number_of(it.file_name().to_str()?))
        .collect();
    numbers.sort_unstable();
    let next = numbers.last().map_or(1, |it| it.saturating_add(1));
    let name = format!("panic-{next}.txt");
    let mut file = File::create(folder.join(&name))?;
    file.write_all(bytes)?;
    file.sync_all()?;
    File::open(&folder)?.sync_all()?;
    File::open(root.join(METADATA))?.sync_all()?;
    let many = (numbers.len() + 1).saturating_sub(MOST_KEPT);
    for old in numbers.into_iter().take(many) {
        fs::remove_file(folder.join(format!("panic-{old}.txt")))?;
    }
    Ok(format!("{KEPT}/{name}"))
}

fn number_of(name: &str) -> Option<u32> {
    name.strip_prefix("panic-")?
        .strip_suffix(".txt")?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine with these files in its store; its data are mounted so.
    fn machine(files: &[(&str, &str)], options: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for folder in [STORE, "data/metadata", "proc/self"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        let line = format!("22 1 259:2 / /data {options} - ext4 /dev/x {options}\n");
        fs::write(root.path().join("proc/self/mountinfo"), line).unwrap();
        for (name, text) in files {
            let path = root.path().join(STORE).join(name);
            fs::write(&path, text).unwrap();
            // `dmesg-efi_pstore-`, ten digits of seconds, part and count.
            let seconds = name
                .split('-')
                .nth(2)
                .and_then(|it| it.get(..10)?.parse().ok());
            if let Some(seconds) = seconds {
                let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
                File::options()
                    .write(true)
                    .open(path)
                    .unwrap()
                    .set_modified(time)
                    .unwrap();
            }
        }
        root
    }

    fn left(root: &tempfile::TempDir) -> usize {
        fs::read_dir(root.path().join(STORE)).unwrap().count()
    }

    const FILES: [(&str, &str); 4] = [
        (
            "dmesg-efi_pstore-170000000101002",
            "Panic#2 Part1\n<0>[9.2] Kernel panic - not syncing: sysrq triggered crash\n<4>[9.3] end\n",
        ),
        (
            "dmesg-efi_pstore-170000000002002",
            "Panic#2 Part2\n<6>[1.0] second\n",
        ),
        (
            "dmesg-efi_pstore-170000000010002",
            "Panic#2 Part10\n<6>[0.1] first\n",
        ),
        (
            "dmesg-efi_pstore-160000000001001",
            // The machine had run longer then.
            "Panic#9 Part1\n<0>[5.0] Kernel panic - not syncing: older\n",
        ),
    ];

    #[test]
    fn a_panic_is_kept_in_order_told_and_forgotten_by_the_firmware() {
        let root = machine(&FILES, "rw");
        run(root.path()).unwrap();
        assert_eq!(left(&root), 0);
        let kept = fs::read_to_string(root.path().join(KEPT).join("panic-1.txt")).unwrap();
        let order =
            ["older", "first", "second", "sysrq", "end"].map(|word| kept.find(word).unwrap());
        assert!(order.is_sorted(), "{kept}");
        assert_eq!(
            last(root.path()).unwrap(),
            "sysrq triggered crash (kept in /data/metadata/panics/panic-1.txt)"
        );
    }

    #[test]
    fn what_the_kernel_could_not_decompress_is_kept_byte_by_byte() {
        let root = machine(&FILES[..1], "rw");
        let raw: Vec<u8> = (0..=255).collect();
        let name = "dmesg-efi_pstore-170000000201002.enc.z";
        fs::write(root.path().join(STORE).join(name), &raw).unwrap();
        run(root.path()).unwrap();
        assert_eq!(left(&root), 0);
        let kept = fs::read(root.path().join(KEPT).join("panic-1.txt")).unwrap();
        assert!(kept.windows(256).any(|it| it == raw), "{kept:?}");
        let line = format!("{name}: 256 bytes, which the kernel could not decompress\n");
        assert!(kept.windows(line.len()).any(|it| it == line.as_bytes()));
    }

    #[test]
    fn what_was_not_read_to_its_end_stays() {
        let root = machine(&FILES[..1], "rw");
        let long = root.path().join(STORE).join("dmesg-long");
        fs::write(&long, "x".repeat(300 << 10)).unwrap();
        run(root.path()).unwrap();
        assert_eq!(left(&root), 1);
        // It is not kept again and again either.
        run(root.path()).unwrap();
        assert!(long.exists());
        assert_eq!(fs::read_dir(root.path().join(KEPT)).unwrap().count(), 1);
        assert!(
            last(root.path())
                .unwrap()
                .contains("it is too long to be kept")
        );
    }

    #[test]
    fn what_cannot_be_kept_stays_where_it_is_and_is_told() {
        let root = machine(&FILES, "ro");
        run(root.path()).unwrap();
        assert_eq!(left(&root), FILES.len());
        assert_eq!(
            last(root.path()).unwrap(),
            "sysrq triggered crash (the data cannot be written to)"
        );
        let root = machine(&FILES, "rw");
        fs::write(root.path().join(KEPT), "a file in the folder's place").unwrap();
        assert!(run(root.path()).is_err());
        assert_eq!(left(&root), FILES.len());
        assert!(last(root.path()).unwrap().contains("it could not be kept"));
    }

    #[test]
    fn a_machine_that_ended_in_order_tells_of_nothing() {
        let root = machine(&[], "rw");
        run(root.path()).unwrap();
        assert_eq!(last(root.path()), None);
        assert!(!root.path().join(KEPT).exists());
    }

    #[test]
    fn few_are_kept_and_the_oldest_go() {
        let root = machine(&[], "rw");
        for number in 1..=20 {
            let text = format!("Oops#{number} Part1\nno reason\n");
            fs::write(root.path().join(STORE).join("dmesg"), text).unwrap();
            run(root.path()).unwrap();
        }
        let mut names: Vec<_> = fs::read_dir(root.path().join(KEPT))
            .unwrap()
            .map(|it| number_of(it.unwrap().file_name().to_str().unwrap()).unwrap())
            .collect();
        names.sort_unstable();
        assert_eq!(names, (5..=20).collect::<Vec<_>>());
        assert!(
            last(root.path())
                .unwrap()
                .starts_with("the kernel gave no reason")
        );
    }
}
