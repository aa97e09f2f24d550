//! A monitor behind a DRM/KMS driver: the first connected one of a card, its preferred mode, one
//! dumb buffer. Uses the legacy (not atomic) calls, which every driver answers.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use drm::buffer::{Buffer, DrmFourcc};
use drm::control::dumbbuffer::DumbBuffer;
use drm::control::{
    ClipRect, Device as ControlDevice, Mode, ModeTypeFlags, ResourceHandles, connector, crtc,
    framebuffer,
};
use drm::{Device, DriverCapability};

use super::canvas::Canvas;
use super::scanout::{Geometry, PixelFormat};

/// Pixel formats to try, with depth and bits per pixel as `drmModeAddFB` counts them. Drivers that
/// scan out something else convert from the first; the others are for those that do not.
const FORMATS: [(DrmFourcc, u32, u32, PixelFormat); 3] = [
    (DrmFourcc::Xrgb8888, 24, 32, PixelFormat::XRGB8888),
    (DrmFourcc::Rgb565, 16, 16, PixelFormat::RGB565),
    (DrmFourcc::Rgb888, 24, 24, PixelFormat::RGB888),
];

/// A monitor that this program draws on. Dropping it gives it back to the kernel.
#[derive(Debug)]
pub struct DrmScreen {
    card: Card,
    framebuffer: framebuffer::Handle,
    buffer: DumbBuffer,
    geometry: Geometry,
    /// The driver wants to be told what changed. Many show nothing if it is not.
    tell_changes: bool,
}

#[derive(Debug)]
struct Card(File);

impl AsFd for Card {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Device for Card {}
impl ControlDevice for Card {}

impl DrmScreen {
    /// Takes over the first connected monitor of the card at `path`. `None` if none is connected.
    pub fn open(path: &Path) -> io::Result<Option<Self>> {
        let card = Card(File::options().read(true).write(true).open(path)?);
        if card.get_driver_capability(DriverCapability::DumbBuffer)? == 0 {
            return Err(io::Error::other("it has no dumb buffers"));
        }
        let resources = card.resource_handles()?;
        let Some(connector) = connected(&card, &resources) else {
            return Ok(None);
        };
        let Some(crtc) = crtc_for(&card, &resources, &connector) else {
            return Err(io::Error::other("no CRTC drives the connected monitor"));
        };
        let mut failure = io::Error::other("the connected monitor has no mode");
        for mode in modes(&connector) {
            for format in FORMATS {
                match show(&card, crtc, connector.handle(), mode, format) {
                    Ok((framebuffer, buffer, geometry)) => {
                        tracing::info!(
                            card = %path.display(), %connector, ?geometry, "drawing on DRM"
                        );
                        return Ok(Some(Self {
                            card,
                            framebuffer,
                            buffer,
                            geometry,
                            tell_changes: true,
                        }));
                    }
                    Err(error) => failure = error,
                }
            }
        }
        Err(failure)
    }

    /// Width and height in pixels.
    pub fn size(&self) -> (usize, usize) {
        (self.geometry.width, self.geometry.height)
    }

    /// Shows the rows `changed` of `canvas`.
    pub fn show(
        &mut self,
        canvas: &Canvas,
        scale: usize,
        changed: &Range<usize>,
    ) -> io::Result<()> {
        let rows = {
            let mut memory = self.card.map_dumb_buffer(&mut self.buffer)?;
            self.geometry
                .scan_out(canvas, scale, changed, |offset, bytes| {
                    memory
                        .get_mut(offset..offset + bytes.len())
                        .map(|row| row.copy_from_slice(bytes))
                        .ok_or_else(|| io::Error::other("the dumb buffer is too small"))
                })?
        };
        if self.tell_changes {
            let edge = |position: usize| u16::try_from(position).unwrap_or(u16::MAX);
            let clip = ClipRect::new(
                0,
                edge(rows.start),
                edge(self.geometry.width),
                edge(rows.end),
            );
            match self.card.dirty_framebuffer(self.framebuffer, &[clip]) {
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                    self.tell_changes = false;
                }
                result => result?,
            }
        }
        Ok(())
    }
}

/// The first connector with a monitor; else the first that cannot tell, as on a server whose
/// management controller shows the screen.
fn connected(card: &Card, resources: &ResourceHandles) -> Option<connector::Info> {
    let connectors: Vec<connector::Info> = resources
        .connectors()
        .iter()
        .filter_map(|handle| card.get_connector(*handle, true).ok())
        .filter(|connector| !connector.modes().is_empty())
        .collect();
    [connector::State::Connected, connector::State::Unknown]
        .into_iter()
        .find_map(|state| {
            connectors
                .iter()
                .find(|connector| connector.state() == state)
        })
        .cloned()
}

/// The CRTC that drives the connector now, else one that could.
fn crtc_for(
    card: &Card,
    resources: &ResourceHandles,
    connector: &connector::Info,
) -> Option<crtc::Handle> {
    let current = connector
        .current_encoder()
        .and_then(|encoder| card.get_encoder(encoder).ok()?.crtc());
    current.or_else(|| {
        connector.encoders().iter().find_map(|encoder| {
            let encoder = card.get_encoder(*encoder).ok()?;
            resources
                .filter_crtcs(encoder.possible_crtcs())
                .first()
                .copied()
        })
    })
}

/// The preferred modes, then the others, in the driver's order.
fn modes(connector: &connector::Info) -> Vec<Mode> {
    let preferred = |mode: &Mode| mode.mode_type().contains(ModeTypeFlags::PREFERRED);
    let (mut modes, others): (Vec<Mode>, Vec<Mode>) =
        connector.modes().iter().copied().partition(preferred);
    modes.extend(others);
    modes
}

/// Makes a buffer and shows it. What was made on the way to a failure is freed again.
fn show(
    card: &Card,
    crtc: crtc::Handle,
    connector: connector::Handle,
    mode: Mode,
    (fourcc, depth, bits, format): (DrmFourcc, u32, u32, PixelFormat),
) -> io::Result<(framebuffer::Handle, DumbBuffer, Geometry)> {
    let (width, height) = mode.size();
    let size = (u32::from(width), u32::from(height));
    let buffer = card.create_dumb_buffer(size, fourcc, bits)?;
    let shown = card
        .add_framebuffer(&buffer, depth, bits)
        .and_then(|framebuffer| {
            card.set_crtc(crtc, Some(framebuffer), (0, 0), &[connector], Some(mode))
                .map(|()| framebuffer)
                .inspect_err(|_| drop(card.destroy_framebuffer(framebuffer)))
        });
    match shown {
        Ok(framebuffer) => {
            let geometry = Geometry {
                width: usize::from(width),
                height: usize::from(height),
                stride: buffer.pitch() as usize,
                format,
            };
            Ok((framebuffer, buffer, geometry))
        }
        Err(error) => {
            drop(card.destroy_dumb_buffer(buffer));
            Err(error)
        }
    }
}
