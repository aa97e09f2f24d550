//! The monitor: finds one, draws on it, and finds another when it goes away.

mod canvas;
mod cells;
mod drm;
mod fbdev;
mod own;
mod scanout;
mod vt;

use std::io;
use std::path::{Path, PathBuf};

pub use canvas::Canvas;
pub use cells::Cells;
pub use own::Own;
pub use scanout::{Geometry, PixelFormat};

use self::drm::DrmScreen;
use self::fbdev::FbScreen;
use self::vt::Vt;
use crate::state::State;
use crate::ui::{Look, View};

/// The monitor, if there is one.
#[derive(Debug)]
pub struct Screen {
    root: PathBuf,
    look: Look,
    own: Own,
    open: Option<Open>,
    /// What there was to draw on at the last look.
    seen: Seen,
    /// Something that could have been drawn on failed, and may work later.
    retry: bool,
}

/// Everything that could be drawn on, without opening any of it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    /// Cards, in the order of their names, then the framebuffer device.
    devices: Vec<PathBuf>,
    /// Every connector of a card, and whether a monitor is on it as far as the driver noticed.
    connectors: Vec<(PathBuf, String)>,
}

/// A monitor that is drawn on.
#[derive(Debug)]
struct Open {
    device: Device,
    /// The grid of cells for views that need this many of them.
    cells: Option<((usize, usize), Cells)>,
    /// Dropped last, when the device is closed and the kernel can draw again.
    _vt: Option<Vt>,
}

#[derive(Debug)]
enum Device {
    Drm(DrmScreen),
    Framebuffer(FbScreen),
}

impl Screen {
    /// The monitor behind the devices in `dev` below `root`. It is looked for in
    /// [`Screen::refresh`].
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            look: Look::screen(),
            own: Own::read(root),
            open: None,
            seen: Seen::default(),
            retry: false,
        }
    }

    /// Whether there is a monitor.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Looks for a monitor if devices or connectors changed since the last call, or if it failed.
    /// Returns whether there is a new one, on which everything has to be drawn.
    pub fn refresh(&mut self) -> bool {
        let seen = Seen::look(&self.root);
        let news = seen != self.seen;
        if !news && !self.retry {
            return false;
        }
        // The old one goes first: a card has only one master.
        self.open = None;
        self.retry = false;
        self.find(&seen.devices, news);
        // Looking for monitors makes drivers notice them; that is no news the next time.
        self.seen = Seen::look(&self.root);
        self.open.is_some()
    }

    /// Draws `state`. A monitor that fails is given up until the next [`Screen::refresh`].
    pub fn draw(&mut self, state: &State) {
        if let Some(open) = &mut self.open
            && let Err(error) = open.draw(state, &mut self.look, &self.own)
        {
            tracing::warn!(%error, "the screen failed");
            self.open = None;
            self.retry = true;
        }
    }

    /// Opens the first of `devices` that can be drawn on. Failures are logged if they are `news`.
    fn find(&mut self, devices: &[PathBuf], news: bool) {
        let mut without_monitor = false;
        for path in devices {
            let device = if path.ends_with("fb0") {
                if without_monitor {
                    // It belongs to the card, and nobody would see what is drawn on it.
                    continue;
                }
                FbScreen::open(path).map(|screen| Some(Device::Framebuffer(screen)))
            } else {
                DrmScreen::open(path).map(|screen| screen.map(Device::Drm))
            };
            match device {
                Ok(Some(device)) => {
                    self.open = Some(Open {
                        device,
                        cells: None,
                        _vt: Vt::take(&self.root),
                    });
                    self.retry = false;
                    return;
                }
                Ok(None) => without_monitor = true,
                Err(error) => {
                    self.retry = true;
                    if news {
                        tracing::warn!(device = %path.display(), %error, "cannot draw here");
                    }
                }
            }
        }
    }
}

impl Seen {
    fn look(root: &Path) -> Self {
        let mut devices = names(&root.join("dev/dri"), |name| name.starts_with("card"));
        devices.extend(Some(root.join("dev/fb0")).filter(|path| path.exists()));
        let connectors = names(&root.join("sys/class/drm"), |name| name.contains('-'))
            .into_iter()
            .filter_map(|path| {
                let status = std::fs::read_to_string(path.join("status")).ok()?;
                Some((path, status))
            })
            .collect();
        Self {
            devices,
            connectors,
        }
    }
}

/// The sorted paths of the entries of `folder` whose names are `wanted`.
fn names(folder: &Path, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().unwrap_or_default();
            wanted(&name.to_string_lossy())
        })
        .collect();
    paths.sort();
    paths
}

/// Draws `state` into cells, with what the product has of its own.
pub fn draw(state: &State, look: &mut Look, own: &Own, cells: &mut Cells) {
    let (columns, rows) = cells.size();
    look.logo = own.logo_cells(cells.cell_size());
    let view = View { state, look };
    let logo = own.logo.zip(view.logo_area(columns, rows));
    cells.draw_with(view.draw(columns, rows), logo);
}

impl Open {
    fn draw(&mut self, state: &State, look: &mut Look, own: &Own) -> io::Result<()> {
        let fewest = View { state, look }.fewest_cells();
        let (width, height) = self.device.size();
        let cells = match &mut self.cells {
            Some((for_fewest, cells)) if *for_fewest == fewest => cells,
            other => {
                let cells = Cells::of(own.font, width, height, fewest);
                tracing::debug!(?cells, "laid out the screen");
                &mut other.insert((fewest, cells)).1
            }
        };
        draw(state, look, own, cells);
        let scale = cells.scale();
        let canvas = cells.canvas();
        let changed = canvas.take_changed();
        if changed.is_empty() {
            return Ok(());
        }
        match &mut self.device {
            Device::Drm(screen) => screen.show(canvas, scale, &changed),
            Device::Framebuffer(screen) => screen.show(canvas, scale, &changed),
        }
    }
}

impl Device {
    fn size(&self) -> (usize, usize) {
        match self {
            Self::Drm(screen) => screen.size(),
            Self::Framebuffer(screen) => screen.size(),
        }
    }
}
