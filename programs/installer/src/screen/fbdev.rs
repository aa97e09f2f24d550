//! A screen behind the old framebuffer device, `/dev/fb0`, for machines without a DRM driver.
//!
//! Rows are written with `pwrite`, not through a mapping: it is as fast for a screen that hardly
//! changes, drivers with shadow memory notice it, and it needs no unsafe code.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::canvas::Canvas;
use super::scanout::{Geometry, PixelFormat};
use crate::sys::{self, FB_VISUAL_DIRECTCOLOR, FB_VISUAL_TRUECOLOR, FbBitfield};

/// A framebuffer device that this program draws on.
#[derive(Debug)]
pub struct FbScreen {
    device: File,
    /// Offset of the first visible pixel, in bytes.
    start: usize,
    geometry: Geometry,
}

impl FbScreen {
    /// Opens the framebuffer device at `path`.
    pub fn open(path: &Path) -> io::Result<Self> {
        let device = File::options().read(true).write(true).open(path)?;
        let variable = sys::fb_variable(&device)?;
        let fixed = sys::fb_fixed(&device)?;
        let channel = |field: FbBitfield| (field.offset, field.length);
        let format = PixelFormat {
            bytes: variable.bits_per_pixel.div_ceil(8) as usize,
            red: channel(variable.red),
            green: channel(variable.green),
            blue: channel(variable.blue),
        };
        let visual_is_known = [FB_VISUAL_TRUECOLOR, FB_VISUAL_DIRECTCOLOR].contains(&fixed.visual);
        if !visual_is_known || !format.is_supported() {
            let problem = format!("its pixel format is not supported: {variable:?}");
            return Err(io::Error::other(problem));
        }
        let geometry = Geometry {
            width: variable.xres as usize,
            height: variable.yres as usize,
            stride: fixed.line_length as usize,
            format,
        };
        let start =
            variable.yoffset as usize * geometry.stride + variable.xoffset as usize * format.bytes;
        tracing::info!(device = %path.display(), ?geometry, "drawing on a framebuffer device");
        Ok(Self {
            device,
            start,
            geometry,
        })
    }

    /// Width and height in pixels.
    pub fn size(&self) -> (usize, usize) {
        (self.geometry.width, self.geometry.height)
    }

    /// Shows the rows `changed` of `canvas`.
    pub fn show(&self, canvas: &Canvas, scale: usize, changed: &Range<usize>) -> io::Result<()> {
        self.geometry
            .scan_out(canvas, scale, changed, |offset, bytes| {
                self.device
                    .write_all_at(bytes, (self.start + offset) as u64)
            })?;
        Ok(())
    }
}
