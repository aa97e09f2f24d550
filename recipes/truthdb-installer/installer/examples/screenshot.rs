//! Draws the screen that a monitor of a given size would show on this machine, as a PPM picture
//! on standard output: `cargo run --example screenshot -- 1280 800 > screen.ppm`
//!
//! A third argument is a folder to look in instead of `/`, a fourth the state to draw: `splash`,
//! `welcome` (the default) or `exit`.

use std::convert::Infallible;
use std::error::Error;
use std::io::{self, Write};
use std::path::Path;

use truthdb_installer::hardware::{Hardware, read_volume};
use truthdb_installer::screen::{Cells, Geometry, PixelFormat};
use truthdb_installer::state::{self, Event, State};
use truthdb_installer::ui::{Look, View};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [width, height, rest @ ..] = arguments.as_slice() else {
        return Err("usage: screenshot WIDTH HEIGHT [ROOT [STATE]]".into());
    };
    let root = Path::new(rest.first().map_or("/", String::as_str));
    let (mut state, _) = State::start();
    if rest.get(1).is_none_or(|state| state == "welcome") {
        let mut scanned = Hardware::scan(root);
        for disk in scanned.iter_mut().flat_map(|hardware| &mut hardware.disks) {
            disk.volume = read_volume(&root.join("dev").join(&disk.name));
        }
        for event in [Event::SplashOver, Event::Scanned(scanned)] {
            state = state::next(state, event).0;
        }
    } else if rest[1] == "exit" {
        state = State::Exit;
    }
    // Blue first in memory is what PPM wants last.
    let format = PixelFormat {
        red: (0, 8),
        blue: (16, 8),
        ..PixelFormat::RGB888
    };
    let geometry = Geometry {
        width: width.parse()?,
        height: height.parse()?,
        stride: 0,
        format,
    };
    let view = View {
        state: &state,
        look: &Look::screen(),
    };
    let mut cells = Cells::fitting(geometry.width, geometry.height, view.fewest_cells());
    let (columns, rows) = cells.size();
    cells.draw(view.draw(columns, rows));
    let mut picture = format!("P6\n{width} {height}\n255\n").into_bytes();
    let (scale, canvas) = (cells.scale(), cells.canvas());
    let changed = canvas.take_changed();
    geometry.scan_out(canvas, scale, &changed, |_, row| {
        picture.extend_from_slice(row);
        Ok::<_, Infallible>(())
    })?;
    io::stdout().write_all(&picture)?;
    Ok(())
}
