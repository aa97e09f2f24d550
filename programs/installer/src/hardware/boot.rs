//! What this system was started from: the name of the medium on the kernel command line, and the
//! volume identifier of an ISO 9660 file system to compare it with.

use common::product::product;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

use super::disk::Volume;
use super::text::clean;

/// ECMA-119, section 8.4: the primary volume descriptor is in the sixteenth sector.
const DESCRIPTOR_OFFSET: u64 = 16 * 2048;
/// Type 1, standard identifier, version 1.
const DESCRIPTOR_MAGIC: &[u8] = b"\x01CD001\x01";
/// Where the volume identifier lies in it.
const IDENTIFIER: std::ops::Range<usize> = 40..72;

/// The volume identifier that the kernel command line below `root` asks for.
pub fn boot_volume(root: &Path) -> Option<String> {
    let cmdline = std::fs::read_to_string(root.join("proc/cmdline")).ok()?;
    // `PRODUCT.medium=` names it.
    let parameter = format!("{}.medium=", product().id);
    let start = parameters(&cmdline).find_map(|word| {
        word.trim_start_matches('"')
            .strip_prefix(&parameter)
            .map(|value| clean(&value.replace('"', "")))
    });
    start.filter(|value| !value.is_empty())
}

/// Splits a kernel command line at blanks outside of double quotes, as the kernel does.
fn parameters(cmdline: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    cmdline
        .split(move |c: char| {
            quoted ^= c == '"';
            c.is_ascii_whitespace() && !quoted
        })
        .filter(|word| !word.is_empty())
}

/// Looks which ISO 9660 volume the device (or file) at `path` holds. Opens it for reading only,
/// and does not make an optical drive close its tray. May take seconds.
pub fn read_volume(path: &Path) -> Volume {
    match read_descriptor(path) {
        Ok(descriptor) if descriptor.starts_with(DESCRIPTOR_MAGIC) => {
            Volume::Iso(clean(&String::from_utf8_lossy(&descriptor[IDENTIFIER])))
        }
        Ok(_) => Volume::Other,
        // Too small to hold a descriptor.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Volume::Other,
        Err(_) => Volume::Unreadable,
    }
}

fn read_descriptor(path: &Path) -> io::Result<[u8; IDENTIFIER.end]> {
    let device = std::fs::File::options()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)?;
    let mut descriptor = [0; IDENTIFIER.end];
    device.read_exact_at(&mut descriptor, DESCRIPTOR_OFFSET)?;
    Ok(descriptor)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_medium_is_named_on_the_command_line() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(boot_volume(root.path()), None);
        fs::create_dir(root.path().join("proc")).unwrap();
        let rows = [
            ("quiet console=ttyS0\n", None),
            ("quiet truthdb.medium=TRUTHDB_1 x=y\n", Some("TRUTHDB_1")),
            ("truthdb.medium=\"TRUTH DB\" quiet\n", Some("TRUTH DB")),
            ("\"truthdb.medium=TRUTH DB\"\n", Some("TRUTH DB")),
            ("truthdb.medium= quiet\n", None),
            ("nottruthdb.medium=X\n", None),
        ];
        for (cmdline, expected) in rows {
            fs::write(root.path().join("proc/cmdline"), cmdline).unwrap();
            assert_eq!(boot_volume(root.path()).as_deref(), expected, "{cmdline}");
        }
    }

    #[test]
    fn volumes_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk");
        assert_eq!(read_volume(&path), Volume::Unreadable);
        fs::write(&path, [0; 512]).unwrap();
        assert_eq!(read_volume(&path), Volume::Other);
        let mut image = vec![0; 40_000];
        fs::write(&path, &image).unwrap();
        assert_eq!(read_volume(&path), Volume::Other);
        image[32_768..32_775].copy_from_slice(DESCRIPTOR_MAGIC);
        image[32_808..32_840].copy_from_slice(b"TRUTHDB_INSTALLER               ");
        fs::write(&path, &image).unwrap();
        assert_eq!(
            read_volume(&path),
            Volume::Iso("TRUTHDB_INSTALLER".to_owned())
        );
        image[32_768] = 2;
        fs::write(&path, &image).unwrap();
        assert_eq!(read_volume(&path), Volume::Other);
    }
}
