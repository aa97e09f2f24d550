//! What a BIOS follows: the first sector, `core.img`, and the blocklist in it.

use super::super::super::report::Finding;
use super::super::super::validate::{bad, good};
use super::super::boot_code::{CODE, SECTOR, fault, is_same_code};
use super::super::content::digest;
use super::super::list::Role;
use super::super::places::of;
use super::Expected;

/// What is found of it; nothing where no BIOS is to start this disk.
pub(super) fn findings(expected: &Expected<'_>) -> Vec<Finding> {
    let (Some((code, bytes, sha256)), Some(bios)) =
        (&expected.chain, of(expected.spots, Role::Bios))
    else {
        return Vec::new();
    };
    let place = &bios.place;
    let read = || {
        let device = expected.device;
        let first = device.read_back(0, SECTOR)?;
        let image = device.read_back(place.start, SECTOR)?;
        let whole = digest(device, place.start, *bytes, &mut |_| {})?;
        Ok::<_, std::io::Error>((first, image, whole))
    };
    let (first, image, whole) = match read() {
        Ok(found) => found,
        Err(error) => return vec![bad(format!("The boot code cannot be read: {error}."))],
    };
    let start = place.start / SECTOR as u64;
    vec![
        if let Some(said) = fault(&first[..CODE], &image, start, *bytes) {
            bad(said)
        } else if code.is_some_and(|it| !is_same_code(&first[..CODE], &it)) {
            bad("The boot code in the first sector is not what was installed.")
        } else if whole != *sha256 {
            bad(format!(
                "core.img in {} is not what was installed.",
                place.name
            ))
        } else {
            good("The boot code leads to core.img, and that to its own sectors.")
        },
    ]
}
