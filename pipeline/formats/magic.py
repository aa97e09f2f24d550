"""Owns saying, from its first bytes, what a file is, so that a message can name what was given instead.

Must not know what was wanted.
"""

from pipeline.errors import FormatError
from pipeline.formats.bzimage import is_bzimage
from pipeline.formats.fields import Image
from pipeline.formats.pe import machine_name, read_pe


def describe(image: Image) -> str:
    """Return a noun phrase such as `an ELF file`, or the first bytes when they mean nothing known."""
    head = bytes(image[:128])
    if not head:
        return "an empty file"
    if is_bzimage(image):
        return "a Linux bzImage"
    if head.startswith(b"#!"):
        return f"a script ({head.splitlines()[0][:60].decode(errors='replace')})"
    if head.startswith(b"MZ"):
        return _describe_pe(image)
    marks = (
        (0, b"\x7fELF", "an ELF file"),
        (0, b"070701", "an uncompressed cpio archive"),
        (0, b"\x1f\x8b", "a gzip file"),
        (0, b"\x28\xb5\x2f\xfd", "a zstd file"),
        (0, b"\xfd7zXZ", "an xz file"),
        (0, b"BZh", "a bzip2 file"),
        (0, b"\x02\x21\x4c\x18", "an lz4 file"),
        (0, b"!<arch>\n", "a Debian package or a static library"),
        (56, b"ARM\x64", "a Linux Image for arm64"),
        (54, b"FAT1", "a FAT image"),
        (82, b"FAT32", "a FAT image"),
        (0x8001, b"CD001", "an ISO 9660 image"),
        (512, b"EFI PART", "a disk image with a GPT"),
    )
    for offset, mark, name in marks:
        if bytes(image[offset : offset + len(mark)]) == mark:
            return name
    return f"a file of no known format (it starts with {head[:8].hex()})"


def _describe_pe(image: Image) -> str:
    try:
        parsed = read_pe(image)
    except FormatError:
        return "a file that starts like an EFI program, but is none"
    names = {section.name for section in parsed.sections}
    kind = "a UKI" if ".linux" in names else "an EFI program"
    return f"{kind} for {machine_name(parsed.machine)}"
