//! The programs that make encrypted data, with their libraries: they are the appliance's, and taken out of the one
//! that this medium carries, which is smaller than to carry them twice.
//!
//! UAPI.5 Unified Kernel Image (`.initrd`); RFC 8878 (zstd); Linux, Documentation/driver-api/early-userspace/buffer-format
//! (cpio newc).

use std::fs;
use std::io::{self, Cursor, Error, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use common::problem::Problem;
use ruzstd::decoding::StreamingDecoder;

use crate::medium::section;

/// Where they lie while they are needed.
const FOLDER: &str = "run/encryption-tools";
/// What is taken: each file that begins so, and is no folder.
const WANTED: [&str; 3] = [
    "usr/sbin/cryptsetup",
    "usr/bin/systemd-crypt",
    "usr/lib/x86_64-linux-gnu/",
];
/// Without this one there are none.
const NEEDED: &str = "usr/sbin/cryptsetup";
/// Bytes of a header, and the most of a name and of a file that is taken.
const HEADER: usize = 110;
const LONGEST_NAME: u64 = 4096;
const LARGEST: u64 = 64 << 20;
/// What stands in a member's mode that is a file (cpio(5), `C_ISREG`).
const IS_FILE: (u64, u64) = (0o170_000, 0o100_000);
/// The name of the member that ends an archive.
const END: &str = "TRAILER!!!";

/// Takes them out of `uki` into a folder below `root`, which is their root from then on.
pub(super) fn unpack(root: &Path, uki: &[u8]) -> Result<PathBuf, Problem> {
    let folder = root.join(FOLDER);
    let broken = |message: String| {
        Problem::new(
            message,
            "Choose no encryption, or take a medium whose system can open encrypted data.",
        )
    };
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => take(uki, &folder),
    }
    .map_err(|error| {
        broken(format!(
            "The programs for encrypted data cannot be taken out of what this medium installs: {error}."
        ))
    })?;
    if folder.join(NEEDED).exists() {
        Ok(folder)
    } else {
        Err(broken(
            "What this medium installs has no programs for encrypted data.".to_owned(),
        ))
    }
}

fn take(uki: &[u8], folder: &Path) -> io::Result<()> {
    let mut program = Cursor::new(uki);
    let (start, length) =
        section(&mut program, *b".initrd\0")?.ok_or_else(|| Error::other("it has no initramfs"))?;
    let whole = |number: u64| usize::try_from(number).map_err(Error::other);
    let start = whole(start)?;
    let packed = uki
        .get(start..start.saturating_add(whole(length)?))
        .ok_or(io::ErrorKind::UnexpectedEof)?;
    let mut archive = StreamingDecoder::new(packed).map_err(Error::other)?;
    while let Some(member) = Member::read(&mut archive)? {
        let is_wanted = WANTED.iter().any(|it| member.name.starts_with(it))
            && !member.name.split('/').any(|part| part == "..");
        let mut content = archive.by_ref().take(member.size);
        if is_wanted && member.is_file && member.size <= LARGEST {
            let path = folder.join(&member.name);
            fs::create_dir_all(path.parent().unwrap_or(folder))?;
            let mut file = fs::File::create(&path)?;
            io::copy(&mut content, &mut file)?;
            file.set_permissions(fs::Permissions::from_mode(0o755))?;
        } else {
            io::copy(&mut content, &mut io::sink())?;
        }
        skip(&mut archive, padding(member.size))?;
    }
    Ok(())
}

/// What stands before a file in an archive.
struct Member {
    name: String,
    size: u64,
    is_file: bool,
}

impl Member {
    /// The next one; `None` behind the last.
    fn read(archive: &mut impl Read) -> io::Result<Option<Self>> {
        let mut header = [0; HEADER];
        archive.read_exact(&mut header)?;
        if !header.starts_with(b"070701") {
            return Err(Error::other("its initramfs is no cpio archive"));
        }
        let field = |index: usize| {
            let digits = &header[6 + 8 * index..14 + 8 * index];
            let digits = str::from_utf8(digits).map_err(Error::other)?;
            u64::from_str_radix(digits, 16).map_err(Error::other)
        };
        let (mode, size, length) = (field(1)?, field(6)?, field(11)?);
        if !(1..=LONGEST_NAME).contains(&length) {
            return Err(Error::other("its initramfs has a name that is too long"));
        }
        let mut name = String::new();
        archive.take(length).read_to_string(&mut name)?;
        skip(archive, padding(HEADER as u64 + length))?;
        let name = name.trim_end_matches('\0').to_owned();
        Ok((name != END).then_some(Self {
            name,
            size,
            is_file: mode & IS_FILE.0 == IS_FILE.1,
        }))
    }
}

/// How many bytes come behind so many up to a multiple of four.
fn padding(length: u64) -> u64 {
    length.next_multiple_of(4) - length
}

fn skip(archive: &mut impl Read, length: u64) -> io::Result<()> {
    io::copy(&mut archive.take(length), &mut io::sink()).map(|_| ())
}

#[cfg(test)]
mod tests {
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    fn archive(members: &[(&str, u32, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, mode, content) in members.iter().chain(&[(END, 0, &[][..])]) {
            let (size, length) = (content.len(), name.len() + 1);
            let fields = [0, *mode as usize, 0, 0, 1, 0, size, 0, 0, 0, 0, length, 0];
            bytes.extend(b"070701");
            for field in fields {
                bytes.extend(format!("{field:08x}").bytes());
            }
            bytes.extend(name.bytes().chain([0]));
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            bytes.extend(*content);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes
    }

    /// A program with one section, which is where it should be.
    fn uki(name: [u8; 8], content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 512];
        bytes[..2].copy_from_slice(b"MZ");
        bytes[60] = 64;
        bytes[64..68].copy_from_slice(b"PE\0\0");
        bytes[70] = 1;
        let length = u32::try_from(content.len()).unwrap().to_le_bytes();
        bytes[88..96].copy_from_slice(&name);
        bytes[96..100].copy_from_slice(&length);
        bytes[104..108].copy_from_slice(&length);
        bytes[108..112].copy_from_slice(&512_u32.to_le_bytes());
        bytes.extend(content);
        bytes
    }

    #[test]
    fn programs_and_libraries_come_out_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let library = "usr/lib/x86_64-linux-gnu/systemd/liba.so";
        let members: [(&str, u32, &[u8]); 6] = [
            ("usr/lib/x86_64-linux-gnu", 0o040_755, b""),
            ("bin/service", 0o100_755, b"odd"),
            (NEEDED, 0o100_755, b"program"),
            (library, 0o100_644, b"library"),
            ("usr/lib/x86_64-linux-gnu/../../../../x", 0o100_644, b"no"),
            ("usr/lib/x86_64-linux-gnu/link", 0o120_777, b"/bin"),
        ];
        let packed = compress_to_vec(&*archive(&members), CompressionLevel::Fastest);
        let folder = unpack(root.path(), &uki(*b".initrd\0", &packed)).unwrap();
        assert_eq!(folder, root.path().join(FOLDER));
        assert_eq!(fs::read(folder.join(NEEDED)).unwrap(), b"program");
        assert_eq!(fs::read(folder.join(library)).unwrap(), b"library");
        assert!(
            !folder.join("bin").exists() && !folder.join("usr/lib/x86_64-linux-gnu/link").exists()
        );
        assert!(!root.path().join("x").exists());
    }

    #[test]
    fn a_system_without_them_says_so() {
        let root = tempfile::tempdir().unwrap();
        let pack = |bytes: &[u8]| compress_to_vec(bytes, CompressionLevel::Fastest);
        let none = "What this medium installs has no programs for encrypted data.";
        let cannot =
            "The programs for encrypted data cannot be taken out of what this medium installs:";
        for (uki, expected) in [
            (
                uki(
                    *b".initrd\0",
                    &pack(&archive(&[("bin/sh", 0o100_755, b"")])),
                ),
                none.to_owned(),
            ),
            (
                uki(*b".linux\0\0", b""),
                format!("{cannot} it has no initramfs."),
            ),
            (
                uki(*b".initrd\0", &pack(&[b'x'; 200])),
                format!("{cannot} its initramfs is no cpio archive."),
            ),
        ] {
            assert_eq!(unpack(root.path(), &uki).unwrap_err().message, expected);
        }
    }
}
