//! The files of the medium: read once, by their digests.
//!
//! zstd: RFC 8878.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use common::digest::{hex, sha256};
use common::problem::Problem;
use ruzstd::decoding::StreamingDecoder;
use sha2::{Digest, Sha256};

use super::super::device::CHUNK;
use super::list::{Content, Packing};

/// A medium that is not what was built.
pub(super) fn damaged(message: String) -> Problem {
    Problem::new(
        message,
        "The medium is damaged: write it again, or build it again.",
    )
}

/// The file `name` of the medium of the system below `root`, which has this digest.
pub(super) fn read(root: &Path, name: &str, digest: &str) -> Result<Vec<u8>, Problem> {
    let content = read_any(root, name)?;
    let found = sha256(&content);
    if found == digest {
        return Ok(content);
    }
    Err(unlike(name, &found))
}

/// The file `name` of the medium, whatever is in it.
pub(super) fn read_any(root: &Path, name: &str) -> Result<Vec<u8>, Problem> {
    fs::read(root.join("payload").join(name)).map_err(|error| {
        damaged(format!(
            "/payload/{name} of this medium cannot be read: {error}."
        ))
    })
}

fn unlike(name: &str, found: &str) -> Problem {
    damaged(format!(
        "/payload/{name} of this medium is not what was built: its SHA-256 is {found}."
    ))
}

/// A content of the medium that is being unpacked.
pub(super) struct Unpacked<'a> {
    content: &'a Content,
    reader: Box<dyn Read>,
    digest: Sha256,
    left: u64,
}

impl<'a> Unpacked<'a> {
    /// Begins to unpack `content`.
    pub(super) fn open(root: &Path, content: &'a Content) -> Result<Self, Problem> {
        let name = &content.file;
        let unreadable = |why: String| {
            damaged(format!(
                "/payload/{name} of this medium cannot be read: {why}."
            ))
        };
        let file = fs::File::open(root.join("payload").join(name))
            .map_err(|error| unreadable(error.to_string()))?;
        let file = io::BufReader::with_capacity(CHUNK, file);
        let reader: Box<dyn Read> = match content.packed {
            Packing::Plain => Box::new(file),
            Packing::Zstd => Box::new(
                StreamingDecoder::new(file).map_err(|error| unreadable(error.to_string()))?,
            ),
        };
        Ok(Self {
            content,
            reader,
            digest: Sha256::new(),
            left: content.bytes,
        })
    }

    /// The next bytes, at most [`CHUNK`]; `None` at the end, once size and digest are right.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, Problem> {
        let name = &self.content.file;
        let mut chunk = Vec::new();
        self.reader
            .by_ref()
            .take(CHUNK as u64)
            .read_to_end(&mut chunk)
            .map_err(|error| {
                damaged(format!(
                    "/payload/{name} of this medium cannot be unpacked: {error}."
                ))
            })?;
        if chunk.len() as u64 > self.left || (chunk.is_empty() && self.left > 0) {
            let bytes = self.content.bytes;
            return Err(damaged(format!(
                "/payload/{name} of this medium is not what was built: it has not {bytes} bytes."
            )));
        }
        if chunk.is_empty() {
            let found = hex(&self.digest.clone().finalize());
            return if found == self.content.sha256 {
                Ok(None)
            } else {
                Err(unlike(name, &found))
            };
        }
        self.left -= chunk.len() as u64;
        self.digest.update(&chunk);
        Ok(Some(chunk))
    }
}

#[cfg(test)]
mod tests {
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    fn all(root: &Path, content: &Content) -> Result<Vec<u8>, String> {
        let mut unpacked = Unpacked::open(root, content).map_err(|it| it.message)?;
        let mut found = Vec::new();
        while let Some(chunk) = unpacked.next().map_err(|it| it.message)? {
            found.extend(chunk);
        }
        Ok(found)
    }

    #[test]
    fn what_is_unpacked_is_what_was_built_or_its_file_is_named() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("payload");
        fs::create_dir(&folder).unwrap();
        let data: Vec<u8> = (0..3 << 20).map(|it: u32| it.to_le_bytes()[1]).collect();
        let packed = compress_to_vec(&data[..], CompressionLevel::Fastest);
        let content = |packed| Content {
            file: "it".to_owned(),
            packed,
            bytes: data.len() as u64,
            sha256: sha256(&data),
        };
        for (packing, bytes) in [(Packing::Plain, &data), (Packing::Zstd, &packed)] {
            let put = |bytes: &[u8]| fs::write(folder.join("it"), bytes).unwrap();
            put(bytes);
            let right = content(packing);
            assert!(all(root.path(), &right).unwrap() == data);
            let mut longer = right.clone();
            longer.bytes += 1;
            let said = all(root.path(), &longer).unwrap_err();
            assert!(
                said.contains("is not what was built: it has not 3145729 bytes"),
                "{said}"
            );
            let mut shorter = right.clone();
            shorter.bytes -= 1;
            assert!(all(root.path(), &shorter).is_err());
            let mut other = right.clone();
            other.sha256 = sha256(b"");
            let said = all(root.path(), &other).unwrap_err();
            assert!(
                said.ends_with(&format!("its SHA-256 is {}.", sha256(&data))),
                "{said}"
            );
            for at in (0..bytes.len()).step_by(bytes.len() / 40 + 1) {
                let mut flipped = bytes.clone();
                flipped[at] ^= 0x10;
                put(&flipped);
                // A bit that says nothing of the content, such as that of a checksum, may be another.
                assert!(
                    all(root.path(), &right).is_ok_and(|it| it == data)
                        || all(root.path(), &right).is_err()
                );
            }
            put(&bytes[..bytes.len() / 2]);
            assert!(all(root.path(), &right).is_err());
            fs::remove_file(folder.join("it")).unwrap();
            let said = all(root.path(), &right).unwrap_err();
            assert!(
                said.starts_with("/payload/it of this medium cannot be read: No such"),
                "{said}"
            );
        }
    }
}
