//! The few ioctls for which no crate offers a safe call: the mode of a virtual terminal, the
//! shape of `/dev/fb0`, a disk's unused parts, and its partitions. The only unsafe code of this crate; it knows nothing of what it is for.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::AsFd;

use rustix::ioctl::{Getter, IntegerSetter, NoArg, Opcode, Setter, ioctl};

/// `KDSETMODE`, `ioctl_console(2)`.
const KDSETMODE: Opcode = 0x4b3a;
/// `KDGETMODE`, `ioctl_console(2)`.
const KDGETMODE: Opcode = 0x4b3b;
/// `BLKDISCARD`, `linux/fs.h`.
const BLKDISCARD: Opcode = 0x1277;
/// `BLKRRPART`, `linux/fs.h`.
const BLKRRPART: Opcode = 0x125f;
/// `FBIOGET_VSCREENINFO`, `linux/fb.h`.
const FBIOGET_VSCREENINFO: Opcode = 0x4600;
/// `FBIOGET_FSCREENINFO`, `linux/fb.h`.
const FBIOGET_FSCREENINFO: Opcode = 0x4602;

/// Who draws on a virtual terminal (`linux/kd.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VtMode {
    /// The kernel: `KD_TEXT`.
    Text = 0,
    /// A program: `KD_GRAPHICS`.
    Graphics = 1,
}

/// `struct fb_bitfield`: where one colour lies in a pixel, in bits.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FbBitfield {
    /// Lowest bit.
    pub(crate) offset: u32,
    /// Number of bits.
    pub(crate) length: u32,
    /// Nonzero: most significant bit is right.
    pub(crate) msb_right: u32,
}

/// `struct fb_var_screeninfo`. Only the named fields are used.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FbVariable {
    /// Visible pixels in a row.
    pub(crate) xres: u32,
    /// Visible rows.
    pub(crate) yres: u32,
    virtual_resolution: [u32; 2],
    /// Column in memory of the first visible pixel.
    pub(crate) xoffset: u32,
    /// Row in memory of the first visible row.
    pub(crate) yoffset: u32,
    /// Bits a pixel takes in memory.
    pub(crate) bits_per_pixel: u32,
    grayscale: u32,
    /// Where red lies.
    pub(crate) red: FbBitfield,
    /// Where green lies.
    pub(crate) green: FbBitfield,
    /// Where blue lies.
    pub(crate) blue: FbBitfield,
    transparency: FbBitfield,
    rest: [u32; 20],
}

/// `struct fb_fix_screeninfo`. Only the named fields are used.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FbFixed {
    id: [u8; 16],
    memory_start: usize,
    memory_length: u32,
    kind: [u32; 2],
    /// How a pixel becomes a colour; see [`FB_VISUAL_TRUECOLOR`].
    pub(crate) visual: u32,
    steps: [u16; 3],
    /// Bytes from one row to the next.
    pub(crate) line_length: u32,
    mmio_start: usize,
    mmio_length: u32,
    acceleration: u32,
    capabilities: u16,
    reserved: [u16; 2],
}

/// Pixels hold red, green and blue.
pub(crate) const FB_VISUAL_TRUECOLOR: u32 = 2;
/// The same, through a writable table.
pub(crate) const FB_VISUAL_DIRECTCOLOR: u32 = 4;

/// Says of `length` bytes at `offset` of `disk` that they are not in use.
pub(crate) fn discard(disk: impl AsFd, offset: u64, length: u64) -> io::Result<()> {
    // SAFETY: BLKDISCARD reads two numbers of 64 bits through its argument.
    unsafe { ioctl(disk, Setter::<BLKDISCARD, [u64; 2]>::new([offset, length])) }?;
    Ok(())
}

/// Has the kernel read the partition table of `disk` again. Fails while any partition of it is open.
pub(crate) fn read_partitions(disk: impl AsFd) -> io::Result<()> {
    // SAFETY: BLKRRPART takes no argument.
    unsafe { ioctl(disk, NoArg::<BLKRRPART>::new()) }?;
    Ok(())
}

/// Reads who draws on the virtual terminal `tty`.
pub(crate) fn vt_mode(tty: impl AsFd) -> io::Result<VtMode> {
    // SAFETY: KDGETMODE writes one int through its argument.
    let mode: i32 = unsafe { ioctl(tty, Getter::<KDGETMODE, i32>::new()) }?;
    Ok(if mode == VtMode::Graphics as i32 {
        VtMode::Graphics
    } else {
        VtMode::Text
    })
}

/// Decides who draws on the virtual terminal `tty`.
pub(crate) fn set_vt_mode(tty: impl AsFd, mode: VtMode) -> io::Result<()> {
    // SAFETY: KDSETMODE takes its argument by value and touches no memory of this process.
    unsafe { ioctl(tty, IntegerSetter::<KDSETMODE>::new_usize(mode as usize)) }?;
    Ok(())
}

/// Reads resolution and pixel format of the framebuffer device `fb`.
pub(crate) fn fb_variable(fb: impl AsFd) -> io::Result<FbVariable> {
    // SAFETY: the kernel writes a `struct fb_var_screeninfo`; `FbVariable` has its size (checked
    // in a test) and every bit pattern is a valid value of it.
    Ok(unsafe { ioctl(fb, Getter::<FBIOGET_VSCREENINFO, FbVariable>::new()) }?)
}

/// Reads memory layout of the framebuffer device `fb`.
pub(crate) fn fb_fixed(fb: impl AsFd) -> io::Result<FbFixed> {
    // SAFETY: the kernel writes a `struct fb_fix_screeninfo`; `FbFixed` has its size (checked in
    // a test) and every bit pattern is a valid value of it.
    Ok(unsafe { ioctl(fb, Getter::<FBIOGET_FSCREENINFO, FbFixed>::new()) }?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_have_the_sizes_of_the_kernels() {
        assert_eq!(size_of::<FbVariable>(), 160);
        #[cfg(target_pointer_width = "64")]
        assert_eq!(size_of::<FbFixed>(), 80);
    }
}
