//! The ioctl of device mapper, for which no crate offers a safe call. The only unsafe code of this crate; it knows
//! nothing of what is mapped.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::AsFd;

use rustix::ioctl::{Opcode, Updater, ioctl, opcode};

/// How many bytes a request has at most: `struct dm_ioctl`, `struct dm_target_spec`, and the target's table.
pub(crate) const REQUEST: usize = 4096;
/// The size of `struct dm_ioctl`, which is part of the numbers of the calls (`linux/dm-ioctl.h`).
pub(crate) const HEADER: usize = 312;

/// What device mapper is asked, and what it answers.
#[repr(C, align(8))]
pub(crate) struct Request(pub(crate) [u8; REQUEST]);

/// Calls of device mapper, by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// Makes a device without a table.
    Create,
    /// Takes a device away.
    Remove,
    /// Suspends a device, or has it go on with the table that was loaded.
    Suspend,
    /// Gives a device a table.
    Load,
}

const fn number(call: u8) -> Opcode {
    opcode::read_write::<[u8; HEADER]>(0xfd, call)
}

/// Makes a call at `/dev/mapper/control`. The request has to say in its header how long it is: [`REQUEST`] bytes.
pub(crate) fn device_mapper(
    control: impl AsFd,
    call: Call,
    request: &mut Request,
) -> io::Result<()> {
    let size = u32::try_from(REQUEST).unwrap_or(0).to_ne_bytes();
    request.0[12..16].copy_from_slice(&size);
    // SAFETY: the kernel reads and writes as many bytes as `data_size` in the header says, set above to the size of
    // `Request`, of which any bytes are a valid value.
    unsafe {
        match call {
            Call::Create => ioctl(control, Updater::<{ number(3) }, Request>::new(request)),
            Call::Remove => ioctl(control, Updater::<{ number(4) }, Request>::new(request)),
            Call::Suspend => ioctl(control, Updater::<{ number(6) }, Request>::new(request)),
            Call::Load => ioctl(control, Updater::<{ number(9) }, Request>::new(request)),
        }
    }?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_kernels_header() {
        assert_eq!(
            [3, 4, 6, 9].map(number),
            [0xc138_fd03, 0xc138_fd04, 0xc138_fd06, 0xc138_fd09]
        );
    }
}
