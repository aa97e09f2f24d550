//! What is written to a partition from its start on, and what is found there.

use std::io;
use std::path::Path;

use common::digest::hex;
use common::problem::Problem;
use sha2::{Digest, Sha256};

use super::super::device::{CHUNK, Device};
use super::super::disk_error;
use super::super::layout::Place;
use super::list::Content;
use super::payload::Unpacked;

/// Writes `content` to `place` of `device`, which is `disk`, and says after each piece how many bytes. Zeros are
/// written only where something else lies, and so is everything of what is not new: reading is faster than
/// writing, and wears nothing out.
pub(super) fn write(
    root: &Path,
    (device, disk): (&Device, &str),
    place: &Place,
    content: &Content,
    is_new: bool,
    done: &mut dyn FnMut(u64),
) -> Result<(), Problem> {
    let writing = |error| disk_error::of_disk("Writing to", disk, error);
    let mut unpacked = Unpacked::open(root, content)?;
    let mut at = place.start;
    while let Some(chunk) = unpacked.next()? {
        write_piece(device, at, &chunk, is_new).map_err(writing)?;
        at += chunk.len() as u64;
        done(chunk.len() as u64);
    }
    device.flush().map_err(writing)
}

fn write_piece(device: &Device, at: u64, piece: &[u8], is_new: bool) -> io::Result<()> {
    let may_be_there = !is_new || piece.iter().all(|it| *it == 0);
    if may_be_there && device.read_back(at, piece.len())? == piece {
        return Ok(());
    }
    device.write_at(at, piece)
}

/// SHA-256 of so many bytes of `device` from `start` on, read past the page cache.
pub(super) fn digest(
    device: &Device,
    start: u64,
    bytes: u64,
    done: &mut dyn FnMut(u64),
) -> io::Result<String> {
    let mut digest = Sha256::new();
    let mut at = 0;
    while at < bytes {
        let length = usize::try_from((bytes - at).min(CHUNK as u64)).map_err(io::Error::other)?;
        digest.update(device.read_back(start + at, length)?);
        at += length as u64;
        done(length as u64);
    }
    Ok(hex(&digest.finalize()))
}
