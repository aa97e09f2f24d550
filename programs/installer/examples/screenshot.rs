//! Draws a state of the program as a monitor shows it, and writes it as a PPM picture:
//!
//! ```text
//! cargo run --example screenshot -- disk disk.ppm [WIDTH HEIGHT]
//! cargo run --example screenshot            # the names of the states
//! PRODUCT=DIR cargo run --example screenshot -- welcome welcome.ppm
//! ```
//!
//! The states are those of the tests, on the machine that the tests make up. With PRODUCT the product is that
//! of `DIR/etc/product.toml`, with the logo and the font beside it.

use std::convert::Infallible;
use std::error::Error;
use std::path::{Path, PathBuf};

use installer::screen::{Cells, Geometry, Own, PixelFormat, draw};
use installer::state::State;
use installer::ui::{Look, View};

#[path = "../tests/support/mod.rs"]
mod support;

/// The size that the pictures in the documentation have, in pixels.
const SIZE: (usize, usize) = (1280, 800);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (name, file, size) = match arguments.as_slice() {
        [] => {
            for (name, _) in support::states::all() {
                println!("{name}");
            }
            return Ok(());
        }
        [name, file] => (name, file, SIZE),
        [name, file, width, height] => (name, file, (width.parse()?, height.parse()?)),
        _ => return Err("usage: screenshot [STATE FILE [WIDTH HEIGHT]]".into()),
    };
    let root = PathBuf::from(std::env::var_os("PRODUCT").unwrap_or_default());
    common::product::load(&root)?;
    let state = support::states::named(name).ok_or_else(|| format!("no state is called {name}"))?;
    std::fs::write(file, picture(&root, &state, size)?)?;
    Ok(())
}

/// The picture of a state, as a PPM file.
fn picture(
    root: &Path,
    state: &State,
    (width, height): (usize, usize),
) -> Result<Vec<u8>, Infallible> {
    let geometry = Geometry {
        width,
        height,
        stride: 0,
        // Blue first in memory is what PPM wants last.
        format: PixelFormat {
            red: (0, 8),
            blue: (16, 8),
            ..PixelFormat::RGB888
        },
    };
    let (own, mut look) = (Own::read(root), Look::screen());
    let fewest = View { state, look: &look }.fewest_cells();
    let mut cells = Cells::of(own.font, width, height, fewest);
    draw(state, &mut look, &own, &mut cells);
    let mut picture = format!("P6\n{width} {height}\n255\n").into_bytes();
    let (scale, canvas) = (cells.scale(), cells.canvas());
    let changed = canvas.take_changed();
    geometry.scan_out(canvas, scale, &changed, |_, row| {
        picture.extend_from_slice(row);
        Ok::<_, Infallible>(())
    })?;
    Ok(picture)
}
