//! The three things for which no crate offers a safe call. The only unsafe code of this crate.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;

use rustix::ioctl::{Opcode, Setter, ioctl};
use rustix::process::{Signal, set_parent_process_death_signal};

/// `BLKPG`, `linux/blkpg.h`.
const BLKPG: Opcode = 0x1269;
/// `BLKPG_RESIZE_PARTITION`, the same.
const RESIZE: i32 = 3;

/// `struct blkpg_partition`: bytes and a number from 1 on; the names are not used.
#[repr(C)]
struct BlkpgPartition {
    start: i64,
    length: i64,
    number: i32,
    names: [u8; 128],
}

/// `struct blkpg_ioctl_arg`.
#[repr(C)]
struct BlkpgArgument {
    operation: i32,
    flags: i32,
    length: i32,
    data: *const BlkpgPartition,
}

/// Tells the kernel that partition `number` of `disk`, which begins at the byte `start`, has `length` bytes
/// now. It may be mounted.
pub fn resize_partition(disk: &File, number: u32, start: u64, length: u64) -> io::Result<()> {
    let whole = |number: u64| i64::try_from(number).map_err(io::Error::other);
    let partition = BlkpgPartition {
        start: whole(start)?,
        length: whole(length)?,
        number: i32::try_from(number).map_err(io::Error::other)?,
        names: [0; 128],
    };
    let argument = BlkpgArgument {
        operation: RESIZE,
        flags: 0,
        length: i32::try_from(size_of::<BlkpgPartition>()).map_err(io::Error::other)?,
        data: ptr::from_ref(&partition),
    };
    // SAFETY: BLKPG reads a `struct blkpg_ioctl_arg`, and through its pointer a `struct blkpg_partition`,
    // whose sizes are checked in a test; both live until it returns.
    unsafe { ioctl(disk, Setter::<BLKPG, BlkpgArgument>::new(argument)) }?;
    Ok(())
}

/// `EXT4_IOC_RESIZE_FS`, Linux, `fs/ext4/ext4.h`.
const RESIZE_EXT4: Opcode = 0x4008_6610;

/// Makes the mounted ext4 file system that `folder` is in have so many blocks. It takes no fewer than it has.
pub fn resize_ext4(folder: &File, blocks: u64) -> io::Result<()> {
    // SAFETY: EXT4_IOC_RESIZE_FS reads a number of 64 bits through its argument.
    unsafe { ioctl(folder, Setter::<RESIZE_EXT4, u64>::new(blocks)) }?;
    Ok(())
}

/// Makes the program end with the one that starts it, however that ends: `PR_SET_PDEATHSIG`,
/// prctl(2). So a supervisor that is started again never meets children of the one before.
pub fn end_with_parent(command: &mut Command) {
    let set = || Ok(set_parent_process_death_signal(Some(Signal::KILL))?);
    // SAFETY: between fork and exec the closure makes one system call, allocates nothing, and
    // touches no memory that another thread could hold locked.
    unsafe { command.pre_exec(set) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_have_the_sizes_of_the_kernels() {
        assert_eq!(size_of::<BlkpgPartition>(), 152);
        #[cfg(target_pointer_width = "64")]
        assert_eq!(size_of::<BlkpgArgument>(), 24);
    }
}
