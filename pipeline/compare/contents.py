"""Which layout belongs to which bytes."""

from collections.abc import Iterable
from functools import partial

from pipeline.compare import ar, bzimage, cpio, elf, fat, gpt, iso, packed, pe, tar, text
from pipeline.compare.span import Layout, Span
from pipeline.formats.fields import Image
from pipeline.formats.magic import Format, recognise

LAYOUTS: dict[Format, Layout] = {
    Format.BZIMAGE: bzimage.kernel,
    Format.PE: pe.program,
    Format.ARM64_IMAGE: pe.program,
    Format.ELF: elf.program,
    Format.CPIO: cpio.archive,
    **{Format[name.upper()]: partial(packed.stream, name) for name in ("gzip", "xz", "lzma", "bzip2", "lz4")},
    Format.ZSTD: packed.zstd,
    Format.AR: ar.archive,
    Format.FAT: fat.volume,
    Format.ISO9660: iso.image_spans,
    Format.GPT: gpt.disk,
    Format.MBR: gpt.disk,
}


def spans_of(image: Image) -> Iterable[Span]:
    """Return the spans of an image, as its bytes say; none when they say nothing. May raise FormatError."""
    known = recognise(image)
    if known is not Format.AR and text.is_text(image):
        return text.lines(image)
    if known in LAYOUTS:
        return LAYOUTS[known](image)
    return tar.archive(image) if tar.is_tar(image) else ()
