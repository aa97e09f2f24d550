//! A device of device mapper with one target.
//!
//! Specification: Linux, `include/uapi/linux/dm-ioctl.h`, interface 4.0.

use std::fs::OpenOptions;
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};

use crate::sys::{Call, HEADER, REQUEST, Request, device_mapper};

const CONTROL: &str = "/dev/mapper/control";
/// `DM_READONLY_FLAG`.
const READ_ONLY: u32 = 1;
/// The fields of `struct dm_ioctl` that are used: where they are.
mod field {
    pub(super) const VERSION: usize = 0;
    pub(super) const DATA_START: usize = 16;
    pub(super) const TARGET_COUNT: usize = 20;
    pub(super) const FLAGS: usize = 28;
    pub(super) const DEVICE: usize = 40;
    pub(super) const NAME: usize = 48;
    pub(super) const UUID: usize = 176;
    pub(super) const END: usize = 305;
}
/// The size of `struct dm_target_spec`, behind which the target's table is.
const TARGET: usize = 40;

/// Makes a device that cannot be written to, and returns its node: `sectors` of 512 bytes, each a matter of `target`
/// with its `table`. Fails as the kernel does, and then leaves nothing.
pub fn create(name: &str, uuid: &str, target: &str, sectors: u64, table: &str) -> Result<PathBuf> {
    let control = OpenOptions::new().read(true).write(true).open(CONTROL)?;
    let mut made = request(name, uuid, READ_ONLY)?;
    device_mapper(&control, Call::Create, &mut made)?;
    let number = number_at(&made, field::DEVICE);
    let load = || {
        device_mapper(
            &control,
            Call::Load,
            &mut with_target(name, target, sectors, table)?,
        )?;
        // Without the flag for suspending this is what makes the table the device's.
        device_mapper(&control, Call::Suspend, &mut request(name, "", READ_ONLY)?)
    };
    load().inspect_err(|_| {
        // What failed is told; that it cannot be tidied up is of no use to anybody.
        drop(
            request(name, "", 0).and_then(|mut it| device_mapper(&control, Call::Remove, &mut it)),
        );
    })?;
    Ok(Path::new("/dev").join(format!("dm-{}", minor(number))))
}

/// The minor number in one of `new_encode_dev` (Linux, `include/linux/kdev_t.h`).
fn minor(number: u32) -> u32 {
    number & 0xff | number >> 12 & 0xf_ff00
}

fn request(name: &str, uuid: &str, flags: u32) -> Result<Request> {
    let mut request = Request([0; REQUEST]);
    put(&mut request, field::VERSION, REQUEST, &4_u32.to_ne_bytes())?;
    let start = u32::try_from(HEADER).unwrap_or(0);
    put(
        &mut request,
        field::DATA_START,
        REQUEST,
        &start.to_ne_bytes(),
    )?;
    put(&mut request, field::FLAGS, REQUEST, &flags.to_ne_bytes())?;
    put(&mut request, field::NAME, field::UUID - 1, name.as_bytes())?;
    put(&mut request, field::UUID, field::END - 1, uuid.as_bytes())?;
    Ok(request)
}

fn with_target(name: &str, target: &str, sectors: u64, table: &str) -> Result<Request> {
    let mut request = request(name, "", READ_ONLY)?;
    put(
        &mut request,
        field::TARGET_COUNT,
        REQUEST,
        &1_u32.to_ne_bytes(),
    )?;
    // The target begins with sector 0, and is the last one: of these fields zeros are right.
    put(&mut request, HEADER + 8, REQUEST, &sectors.to_ne_bytes())?;
    put(
        &mut request,
        HEADER + 24,
        HEADER + TARGET - 1,
        target.as_bytes(),
    )?;
    put(&mut request, HEADER + TARGET, REQUEST - 1, table.as_bytes())?;
    Ok(request)
}

/// Writes bytes to a place that ends at `end`: a text ends in a NUL there at the latest.
fn put(request: &mut Request, at: usize, end: usize, bytes: &[u8]) -> Result<()> {
    let too_long = || Error::new(ErrorKind::InvalidInput, "too long for device mapper");
    let place = request.0[at..end]
        .get_mut(..bytes.len())
        .ok_or_else(too_long)?;
    place.copy_from_slice(bytes);
    Ok(())
}

fn number_at(request: &Request, at: usize) -> u32 {
    request.0[at..]
        .first_chunk()
        .map_or(0, |it| u32::from_ne_bytes(*it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_laid_out_as_the_kernel_has_it() {
        let made = with_target("root", "verity", 40, "1 8:1 8:2").unwrap();
        let texts = [(48, "root"), (312 + 24, "verity"), (312 + 40, "1 8:1 8:2")];
        for (at, text) in texts {
            assert_eq!(&made.0[at..at + text.len()], text.as_bytes());
            assert_eq!(made.0[at + text.len()], 0, "{text} ends in a NUL");
        }
        let numbers = [0, 16, 20, 28, 40, 312, 320, 328, 332].map(|at| number_at(&made, at));
        assert_eq!(numbers, [4, 312, 1, 1, 0, 0, 40, 0, 0]);
        let made = request("root", "CRYPT-VERITY-x", 1).unwrap();
        assert_eq!(&made.0[176..191], b"CRYPT-VERITY-x\0");
    }

    #[test]
    fn what_is_too_long_is_refused_and_numbers_are_taken_apart() {
        assert!(request(&"n".repeat(127), &"u".repeat(128), 0).is_ok());
        for (name, uuid, target, table) in [
            (128, 0, 0, 0),
            (0, 129, 0, 0),
            (0, 0, 16, 0),
            (0, 0, 0, 4000),
        ] {
            let text = |length: usize| "x".repeat(length);
            let refused = request(&text(name), &text(uuid), 0).is_err()
                || with_target(&text(name), &text(target), 1, &text(table)).is_err();
            assert!(refused, "{name} {uuid} {target} {table}");
        }
        assert_eq!([0xfe00, 0xfe03, 0x0010_fe05].map(minor), [0, 3, 0x105]);
    }
}
