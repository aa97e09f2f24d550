//! The data partitions: ext4, made by mke2fs where they lie on the disk and filled as they are made.
//! Nothing is mounted for it.
//!
//! ext4(5), mke2fs(8); the layout on the disk: Linux, Documentation/filesystems/ext4.

use std::error::Error as StdError;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use ext4_view::{Ext4, Ext4Read};

use super::device::{Device, Window};
use super::layout::Place;
use crate::untrusted;
use common::digest::uuid_of;
use common::luks::Header;

/// The folders of the first data partition.
pub(super) const FOLDERS: [&str; 3] = ["wal", "snapshots", "metadata"];
/// The appliance's configuration, in the first data partition.
pub(super) const NODE: &str = "metadata/node.toml";
/// What the appliance keeps of it when it takes another one.
pub(super) const OLD_NODE: &str = "metadata/node.toml.old";
/// The receipt, in the first data partition.
pub(super) const RECEIPT: &str = "metadata/install-receipt.json";
/// Bytes of the journal: enough for any load here, and soon written.
pub(super) const JOURNAL: u64 = 64 << 20;
/// What mke2fs calls the disk, which is its standard input. It would make a file in the place of a
/// device node that is gone, and succeed; and whatever got that name would be written to.
const DISK: &str = "/proc/self/fd/0";
/// How often a running mke2fs is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// Bytes in a block of the file system.
const BLOCK: u64 = 4096;
/// Bytes that come to a file, and the fewest and the most files that there is room for.
const BYTES_OF_INODE: u64 = 4 << 20;
const LEAST_INODES: u64 = 65_536;
const MOST_INODES: u64 = 1 << 31;
/// Who owns the files: the user that the service runs as, in the appliance's `/etc/passwd`.
const OWNER: u32 = 1000;

/// What a data partition holds when it is made: paths and contents; the folders come with them.
pub(super) type Tree = Vec<(&'static str, Vec<u8>)>;

/// mke2fs's command line for `place` of [`DISK`], to be filled with what is in `folder`.
fn mke2fs_arguments(place: &Place, folder: Option<&Path>) -> Vec<String> {
    let seed = uuid_of(&[&place.guid.to_string(), "hash seed"]);
    let owner = format!("root_owner={OWNER}:{OWNER}");
    let mut arguments = vec![
        "-q".to_owned(),
        "-F".to_owned(), // a part of a disk is no block device of its own
        format!("-text4"),
        format!("-b{BLOCK}"),
        format!("-L{}", place.name),
        format!("-U{}", place.guid),
        "-m0".to_owned(), // nobody but the service writes here: no room is kept for root
        format!("-Jsize={}", JOURNAL >> 20),
        format!("-N{}", inodes(place.size)),
        // Inode tables are zeroed later, by the kernel; what is unused the disk knows already.
        format!(
            "-Eoffset={},hash_seed={seed},lazy_itable_init=1,nodiscard,{owner}",
            place.start
        ),
    ];
    if let Some(folder) = folder {
        arguments.extend(["-d".to_owned(), folder.to_string_lossy().into_owned()]);
    }
    arguments.push(DISK.to_owned());
    arguments.push((place.size / BLOCK).to_string());
    arguments
}

/// How many files a partition of `size` bytes has room for. A log is a few large files: one in 4 MiB,
/// mke2fs's `largefile4`, or 10 TB would have 150 GB of tables; small disks keep a fair number.
fn inodes(size: u64) -> u64 {
    (size / BYTES_OF_INODE).clamp(LEAST_INODES, MOST_INODES)
}

/// Starts mke2fs of the system below `root`; it says on standard error what went wrong.
pub(super) fn start_mke2fs(
    root: &Path,
    device: &Device,
    place: &Place,
    folder: Option<&Path>,
) -> io::Result<Child> {
    Command::new(root.join("usr/sbin/mke2fs"))
        .args(mke2fs_arguments(place, folder))
        .env_clear()
        .stdin(device.handle()?)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
}

/// Waits for a running mke2fs, and says how much it wrote as far as `written`, which counts what its
/// disk was given, tells. Returns what it said if it failed.
pub(super) fn watch_mke2fs(
    mut child: Child,
    written: &dyn Fn() -> u64,
    advance: &mut dyn FnMut(u64),
) -> io::Result<Option<String>> {
    let before = written();
    let mut shown = 0;
    while child.try_wait()?.is_none() {
        thread::sleep(LOOK);
        let now = written().saturating_sub(before).min(JOURNAL);
        advance(now.saturating_sub(shown));
        shown = shown.max(now);
    }
    advance(JOURNAL - shown);
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr).replace(DISK, "the disk");
    let said = said.trim().to_owned();
    Ok((!output.status.success()).then_some(said))
}

/// Bytes that the disk called `name` was given since the machine started: Linux,
/// Documentation/block/stat.rst, the seventh number, in 512 bytes.
pub(super) fn written_bytes(root: &Path, name: &str) -> u64 {
    let path = root.join("sys/block").join(name).join("stat");
    let text = fs::read_to_string(path).unwrap_or_default();
    let number = text.split_whitespace().nth(6);
    let sectors = number.and_then(|it| it.parse::<u64>().ok());
    sectors.unwrap_or(0).saturating_mul(512)
}

/// Writes `tree` below `folder`, which is made anew, as the service's user where that is allowed.
pub(super) fn write_tree(folder: &Path, tree: &Tree) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut made = Vec::new();
    for name in FOLDERS {
        fs::create_dir_all(folder.join(name))?;
        made.push(folder.join(name));
    }
    for (name, content) in tree {
        fs::write(folder.join(name), content)?;
        made.push(folder.join(name));
    }
    if rustix::process::geteuid().is_root() {
        for path in made {
            std::os::unix::fs::chown(path, Some(OWNER), Some(OWNER))?;
        }
    }
    Ok(())
}

/// Opens the file system of `place` for reading, past the page cache. Fails with a sentence if it
/// is none or is damaged.
pub(super) fn open(device: &Rc<Device>, place: &Place) -> Result<Ext4, String> {
    let mut reader = Reader(device.window(place.start, place.size));
    let mut superblock = [0; 1024];
    reader
        .read(1024, &mut superblock)
        .map_err(|error| error.to_string())?;
    if !untrusted::is_ext4(&superblock, place.size) {
        return Err("its superblock is not one of an ext4 file system made here".to_owned());
    }
    Ext4::load(Box::new(reader)).map_err(|error| error.to_string())
}

/// Whether `place` is encrypted.
pub(super) fn is_encrypted(device: &Rc<Device>, place: &Place) -> bool {
    let mut window = device.window(place.start, place.size);
    matches!(Header::read(&mut window), Ok(Some(_)))
}

/// What ext4-view reads through.
struct Reader(Window);

impl Ext4Read for Reader {
    fn read(
        &mut self,
        start: u64,
        data: &mut [u8],
    ) -> Result<(), Box<dyn StdError + Send + Sync + 'static>> {
        io::Seek::seek(&mut self.0, io::SeekFrom::Start(start))?;
        io::Read::read_exact(&mut self.0, data)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_files_stay_small_on_any_disk() {
        const GB: u64 = 1_000_000_000;
        for (size, expected) in [
            (GB, 65_536),
            (1000 * GB, 238_418),
            (10_000 * GB, 2_384_185),
            (u64::MAX, 1 << 31),
        ] {
            assert_eq!(inodes(size), expected);
        }
        // 256 bytes each: 610 MB of 10 TB.
        assert!(inodes(10_000 * GB) * 256 < GB);
    }
}
