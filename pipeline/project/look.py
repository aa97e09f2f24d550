"""What must hold of a product's logo and font, which its installer shows on a monitor.

`programs/installer/src/screen/` reads the same files, and does without one that it cannot read.
"""

import struct

MOST_LOGO = (320, 120)
"""Pixels: more would leave no room for text on a small monitor."""
MOST_CELL = (16, 32)
LEAST_CELL = (6, 10)
PRINTABLE = frozenset(range(0x20, 0x7F))

BMP_HEADER = struct.Struct("<10xIIiiHHI12xI4x")
BMP_FILE_HEADER = 14  # bytes, in front of the DIB header
DIB_HEADERS = (40, 56, 108, 124)  # bytes: those that the installer's reader knows
PSF2_HEADER = struct.Struct("<IIIIIIII")
PSF2_MAGIC = 0x864AB572
HAS_UNICODE = 1


def wrong_logo(data: bytes) -> str | None:
    """Return what is wrong with a logo, None for a Windows bitmap of 24 bits a pixel, uncompressed.

    Specification: BITMAPFILEHEADER and BITMAPINFOHEADER
    https://learn.microsoft.com/en-us/windows/win32/gdi/bitmap-storage
    """
    if len(data) < BMP_HEADER.size or data[:2] != b"BM":
        return "is not a BMP picture"
    start, size, width, height, _, bits, compression, colours = BMP_HEADER.unpack_from(data)
    if size not in DIB_HEADERS:
        return f"is a BMP picture with a DIB header of {size} bytes, not 40, 56, 108 or 124"
    if (bits, compression) != (24, 0):
        return f"is a BMP picture of {bits} bits a pixel, compression {compression}, not 24 and none"
    most = MOST_LOGO
    if not (0 < width <= most[0] and 0 < abs(height) <= most[1]):
        return f"has {width} by {abs(height)} pixels, not 1 by 1 to {most[0]} by {most[1]}"
    if len(data) < BMP_FILE_HEADER + size + 4 * colours:
        return f"ends before the last of its {colours} colours"
    if len(data) < start + (width * 3 + 3) // 4 * 4 * abs(height):
        return "ends before its last row"
    return None


def wrong_font(data: bytes) -> str | None:
    """Return what is wrong with a font, None for a PC Screen Font 2 with all printable ASCII.

    Specification: https://www.win.tue.nl/~aeb/linux/kbd/font-formats-1.html
    """
    if len(data) < PSF2_HEADER.size or PSF2_HEADER.unpack_from(data)[:2] != (PSF2_MAGIC, 0):
        return "is not a PSF2 font"
    _, _, start, flags, count, size, height, width = PSF2_HEADER.unpack_from(data)
    if not (LEAST_CELL[0] <= width <= MOST_CELL[0] and LEAST_CELL[1] <= height <= MOST_CELL[1]):
        (x, y), (most_x, most_y) = LEAST_CELL, MOST_CELL
        return f"has glyphs of {width} by {height} pixels, not {x} by {y} to {most_x} by {most_y}"
    if size != (needed := (width + 7) // 8 * height):
        return f"has glyphs of {size} bytes, which take {needed}"
    end = start + count * size
    if len(data) < end:
        return "ends before its last glyph"
    found = _characters(data[end:], count) if flags & HAS_UNICODE else frozenset(range(count))
    if lacking := sorted(PRINTABLE - found):
        return f"has no glyph for {chr(lacking[0])!r}"
    return None


def _characters(table: bytes, count: int) -> frozenset[int]:
    """Return the characters of `count` glyphs: for each UTF-8 up to 0xff, sequences of several after 0xfe."""
    single = b"".join(entry.partition(b"\xfe")[0] for entry in table.split(b"\xff")[:count])
    return frozenset(map(ord, single.decode(errors="replace")))
