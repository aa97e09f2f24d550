//! What the code that draws on monitors makes of `Welcome`, in a framebuffer in memory.
#![allow(clippy::unwrap_used)]

mod support;

use std::convert::Infallible;
use std::fmt::Write as _;
use std::hash::Hasher;

use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::Point;
use embedded_graphics::mono_font::MonoTextStyleBuilder;
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::text::{Baseline, Text};
use embedded_graphics::{Drawable, pixelcolor::RgbColor};
use installer::screen::{Canvas, Cells, Geometry, PixelFormat};
use installer::state::{Purpose, State};
use installer::ui::{Look, View};
use profont::PROFONT_24_POINT;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;
use support::compare_golden;
use support::states::{self, hardware};
use tinybmp::Bmp;

const GEOMETRY: Geometry = Geometry {
    width: 1280,
    height: 800,
    stride: 1280 * 4 + 64,
    format: PixelFormat::XRGB8888,
};

fn welcome() -> State {
    states::welcome(hardware())
}

fn disk(down: usize) -> State {
    states::disk(hardware(), Purpose::Install, down)
}

fn draw(cells: &mut Cells, state: &State) -> Buffer {
    let look = &Look::screen();
    let (columns, rows) = cells.size();
    let buffer = View { state, look }.draw(columns, rows);
    cells.draw(buffer.clone());
    buffer
}

fn cells() -> Cells {
    Cells::fitting(GEOMETRY.width, GEOMETRY.height, (80, 25))
}

fn scan_out(cells: &mut Cells, memory: &mut [u8]) {
    let scale = cells.scale();
    let canvas = cells.canvas();
    let changed = canvas.take_changed();
    let write = |offset: usize, bytes: &[u8]| {
        memory[offset..offset + bytes.len()].copy_from_slice(bytes);
        Ok::<_, Infallible>(())
    };
    GEOMETRY.scan_out(canvas, scale, &changed, write).unwrap();
}

fn pixel(memory: &[u8], x: usize, y: usize) -> Rgb888 {
    let start = y * GEOMETRY.stride + x * 4;
    Rgb888::new(memory[start + 2], memory[start + 1], memory[start])
}

fn rgb(color: Color) -> Rgb888 {
    match color {
        Color::Rgb(red, green, blue) => Rgb888::new(red, green, blue),
        other => unreachable!("the screen's colours are all exact: {other}"),
    }
}

/// 64-bit FNV-1a, which is the same on every machine and with every compiler.
struct Fnv(u64);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

/// Column and row of the first cell of `text`.
fn find(buffer: &Buffer, text: &str) -> (usize, usize) {
    let width = usize::from(buffer.area.width);
    let rows = buffer.content().chunks(width);
    rows.enumerate()
        .find_map(|(row, cells)| {
            let line: Vec<&str> = cells.iter().map(ratatui::buffer::Cell::symbol).collect();
            let column = (0..width).find(|column| line[*column..].concat().starts_with(text))?;
            Some((column, row))
        })
        .unwrap()
}

#[test]
fn every_picture_is_the_expected_one() {
    let mut listing = String::new();
    for (name, state) in states::all() {
        let fewest = View {
            state: &state,
            look: &Look::screen(),
        }
        .fewest_cells();
        let mut cells = Cells::fitting(GEOMETRY.width, GEOMETRY.height, fewest);
        draw(&mut cells, &state);
        let mut memory = vec![0; GEOMETRY.stride * GEOMETRY.height];
        scan_out(&mut cells, &mut memory);
        let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
        hash.write(&memory);
        writeln!(listing, "{:016x}  {name}", hash.finish()).unwrap();
    }
    compare_golden("screens-1280x800.fnv1a64", &listing).unwrap();
}

#[test]
fn the_word_welcome_stands_on_the_screen_in_its_font_and_colours() {
    let mut cells = cells();
    let buffer = draw(&mut cells, &welcome());
    let mut memory = vec![0; GEOMETRY.stride * GEOMETRY.height];
    scan_out(&mut cells, &mut memory);

    let (column, row) = find(&buffer, "Welcome");
    let cell = buffer.cell((u16::try_from(column).unwrap(), u16::try_from(row).unwrap()));
    let (ink, ground) = (rgb(cell.unwrap().fg), rgb(cell.unwrap().bg));
    let (width, height) = (16 * "Welcome".len(), 29);
    let mut expected = Canvas::new(width, height);
    expected.clear(Rgb888::MAGENTA).unwrap();
    let style = MonoTextStyleBuilder::new()
        .font(&PROFONT_24_POINT)
        .text_color(ink)
        .background_color(ground)
        .build();
    Text::with_baseline("Welcome", Point::zero(), style, Baseline::Top)
        .draw(&mut expected)
        .unwrap();
    let margin = (GEOMETRY.height - cells.canvas().height()) / 2;
    let mut inked = 0;
    for y in 0..height {
        for x in 0..width {
            let found = pixel(&memory, column * 16 + x, margin + row * 29 + y);
            assert_eq!(found, expected.row(y)[x], "at {x},{y} of the word");
            inked += usize::from(found == ink);
        }
    }
    assert!(inked > 300, "only {inked} pixels of the word are inked");
    let brightness =
        |color: Rgb888| u32::from(color.r()) + u32::from(color.g()) + u32::from(color.b());
    assert!(
        brightness(ink) > brightness(ground) + 400,
        "too little contrast"
    );
}

#[test]
fn bands_reach_every_edge_of_the_screen() {
    let mut cells = cells();
    let buffer = draw(&mut cells, &welcome());
    let mut memory = vec![0; GEOMETRY.stride * GEOMETRY.height];
    scan_out(&mut cells, &mut memory);
    let band = rgb(buffer.cell((0, 0)).unwrap().bg);
    let ground = rgb(buffer.cell((0, 10)).unwrap().bg);
    assert_ne!(band, ground);
    let (right, bottom) = (GEOMETRY.width - 1, GEOMETRY.height - 1);
    for (x, y) in [(0, 0), (right, 0), (0, bottom), (right, bottom)] {
        assert_eq!(pixel(&memory, x, y), band, "at {x},{y}");
    }
    assert_eq!(pixel(&memory, right, bottom / 2), ground);
}

/// A BMP picture of 32 by 20 pixels, all of them magenta.
fn logo() -> Bmp<'static, Rgb888> {
    let mut bytes = b"BM".to_vec();
    for word in [54 + 96 * 20, 0, 54, 40, 32, 20, 0x0018_0001_u32, 0, 96 * 20] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.resize(54, 0);
    bytes.extend([255, 0, 255].repeat(32 * 20));
    Bmp::from_slice(bytes.leak()).unwrap()
}

#[test]
fn a_logo_stands_beside_the_text_of_the_first_screen_alone() {
    let mut look = Look::screen();
    look.logo = Some((2, 1));
    let mut cells = cells();
    let (columns, rows) = cells.size();
    let mut memory = vec![0; GEOMETRY.stride * GEOMETRY.height];
    let mut draw = |state: &State| {
        let view = View { state, look: &look };
        let area = view.logo_area(columns, rows);
        cells.draw_with(view.draw(columns, rows), area.map(|area| (logo(), area)));
        scan_out(&mut cells, &mut memory);
        let pixels = memory.chunks_exact(4);
        let magenta = pixels.filter(|it| it[..3] == [255, 0, 255]).count();
        (area, magenta)
    };
    let (area, magenta) = draw(&welcome());
    assert_eq!(area, Some(Rect::new(columns - 4, 4, 2, 1)));
    assert_eq!(magenta, 32 * 20);
    assert_eq!(draw(&disk(0)), (None, 0));
    assert_eq!(draw(&welcome()).1, 32 * 20);
    let state = &welcome();
    for (logo, room) in [((26, 1), true), ((27, 1), false), ((2, 19), false)] {
        look.logo = Some(logo);
        let view = View { state, look: &look };
        assert_eq!(view.logo_area(80, 25).is_some(), room, "{logo:?}");
    }
}

#[test]
fn a_font_of_the_product_s_own_is_taken_where_it_fits() {
    let own = Some(profont::PROFONT_14_POINT);
    for ((width, height), expected) in [
        ((1280, 800), ((10, 17), 1)),
        ((1920, 1080), ((10, 17), 2)),
        ((640, 480), ((7, 15), 1)),
    ] {
        let cells = Cells::of(own, width, height, (80, 25));
        assert_eq!((cells.cell_size(), cells.scale()), expected, "{width}");
    }
}

#[test]
fn drawing_only_what_changed_gives_the_same_picture() {
    let mut changing = cells();
    let mut memory = vec![0; GEOMETRY.stride * GEOMETRY.height];
    for selected in [0, 3, 1] {
        draw(&mut changing, &disk(selected));
        scan_out(&mut changing, &mut memory);
    }
    let mut fresh = cells();
    let mut expected = vec![0; GEOMETRY.stride * GEOMETRY.height];
    draw(&mut fresh, &disk(1));
    scan_out(&mut fresh, &mut expected);
    assert!(memory == expected, "the pictures differ");

    draw(&mut changing, &disk(1));
    assert!(changing.canvas().take_changed().is_empty());
    draw(&mut changing, &disk(2));
    let changed = changing.canvas().take_changed();
    assert!(
        changed.len() < 29 * 16,
        "{changed:?} is more than the disks and their details"
    );
}
