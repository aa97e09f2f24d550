//! The volume identifier of an ISO 9660 file system: what tells the medium that this system was started from.

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
        image[32_808..32_840].copy_from_slice(b"EXAMPLE_INSTALLER               ");
        fs::write(&path, &image).unwrap();
        assert_eq!(
            read_volume(&path),
            Volume::Iso("EXAMPLE_INSTALLER".to_owned())
        );
        image[32_768] = 2;
        fs::write(&path, &image).unwrap();
        assert_eq!(read_volume(&path), Volume::Other);
    }
}
