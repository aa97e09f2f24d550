"""Changes of finished images, byte by byte: what no tool makes, and what people and programs do to them."""

import struct
import uuid
import zlib
from collections.abc import Callable, Sequence

Change = Callable[[bytes], bytes]

ESP = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
LINUX = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
TABLE = 446
CD = 2048  # bytes of a CD's block
ENTRIES = 128


def chain(*changes: Change) -> Change:
    """One after the other."""

    def apply(image: bytes) -> bytes:
        for change in changes:
            image = change(image)
        return image

    return apply


def poke(offset: int, data: bytes) -> Change:
    """Put bytes in place of others, counted from the end where `offset` is negative."""

    def apply(image: bytes) -> bytes:
        start = offset % len(image)
        return image[:start] + data + image[start + len(data) :]

    return apply


def cut(size: int) -> Change:
    """Keep the first bytes, or all but the last where `size` is negative."""
    return lambda image: image[:size]


def grown(size: int) -> Change:
    """Zeros behind it, up to a size: a stick is larger than its image."""
    return lambda image: image.ljust(size, b"\0")


def mbr(*parts: tuple[int, int, int, int], code: bytes = b"") -> Change:
    """A master boot record in the first block: flag, type, first block and length of each partition."""

    def apply(image: bytes) -> bytes:
        table = b"".join(
            struct.pack("<B3sB3sII", flag, b"\0\2\0", kind, b"\xff\xff\xff", first, length)
            for flag, kind, first, length in parts
        )
        first = code.ljust(TABLE, b"\0") + table.ljust(64, b"\0") + b"\x55\xaa"
        return first + image[512:]

    return apply


def mbr_field(number: int, field: int, data: bytes) -> Change:
    """Bytes of the MBR's partition `number` (from 1), `field` bytes behind its start."""
    return poke(TABLE + 16 * (number - 1) + field, data)


def gpt(
    parts: Sequence[tuple[uuid.UUID, int, int]], block: int = 512, *, entry_size: int = 128, at: int = 2
) -> Change:
    """A protective MBR and a GPT with backup: type, first and last block of each partition."""

    def apply(image: bytes) -> bytes:
        blocks = len(image) // block
        entries = b"".join(
            struct.pack(
                "<16s16sQQQ72s", kind.bytes_le, uuid.UUID(int=number).bytes_le, first, last, 0, b""
            ).ljust(entry_size, b"\0")
            for number, (kind, first, last) in enumerate(parts, 1)
        ).ljust(ENTRIES * entry_size, b"\0")
        taken = len(entries) // block

        def header(own: int, other: int, where: int) -> bytes:
            usable = (at + taken, blocks - 2 - taken)
            rest = struct.pack("<QQQQ16s", own, other, *usable, uuid.UUID(int=99).bytes_le)
            rest += struct.pack("<QIII", where, ENTRIES, entry_size, zlib.crc32(entries))
            start = struct.pack("<8sII", b"EFI PART", 0x10000, 92)
            crc = zlib.crc32(start + bytes(8) + rest)
            return (start + struct.pack("<II", crc, 0) + rest).ljust(block, b"\0")

        made = bytearray(mbr((0, 0xEE, 1, min(blocks - 1, 0xFFFFFFFF)))(image))
        last = blocks - 1
        made[block : 2 * block] = header(1, last, at)
        made[at * block : at * block + len(entries)] = entries
        made[last * block - len(entries) : (last + 1) * block] = entries + header(last, 1, last - taken)
        return bytes(made)

    return apply


def seal(block: int = 512, *, backup: bool = False, **fields: tuple[int, bytes]) -> Change:
    """Change fields of a GPT header, each with offset and bytes, and make its checksum right again."""

    def apply(image: bytes) -> bytes:
        start = len(image) - block if backup else block
        header = bytearray(image[start : start + 92])
        for offset, data in fields.values():
            header[offset : offset + len(data)] = data
        header[16:20] = bytes(4)
        header[16:20] = struct.pack("<I", zlib.crc32(header))
        return image[:start] + bytes(header) + image[start + 92 :]

    return apply


def catalog(image: bytes) -> int:
    """Return where El Torito's boot catalog begins, in bytes."""
    (block,) = struct.unpack_from("<I", image, 17 * CD + 0x47)
    return int(block) * CD


def validation(**fields: tuple[int, bytes]) -> Change:
    """Change the catalog's validation entry, and make its checksum right again."""

    def apply(image: bytes) -> bytes:
        start = catalog(image)
        entry = bytearray(image[start : start + 32])
        for offset, data in fields.values():
            entry[offset : offset + len(data)] = data
        entry[28:30] = bytes(2)
        entry[28:30] = struct.pack("<H", -sum(struct.unpack("<16H", entry)) & 0xFFFF)
        return image[:start] + bytes(entry) + image[start + 32 :]

    return apply


def entry(offset: int, field: int, data: bytes) -> Change:
    """Change a field of the catalog's record that begins `offset` bytes behind its start."""

    def apply(image: bytes) -> bytes:
        return poke(catalog(image) + offset + field, data)(image)

    return apply


INITIAL, HEADER, SECOND = 32, 64, 96
BOOTABLE, MEDIA, COUNT, BLOCK = 0, 1, 6, 8


def load_size(blocks: int, at: int = INITIAL) -> Change:
    """Another sector count of an entry."""
    return entry(at, COUNT, struct.pack("<H", blocks))


def followed_by(suffix: bytes) -> Change:
    """Bytes behind all."""
    return lambda image: image + suffix


def sections(*added: tuple[str, bytes], address: int = 0) -> Change:
    """Sections behind those that a PE32+ image has; `address` is where the first lies in memory, if told."""

    def apply(image: bytes) -> bytes:
        (pe,) = struct.unpack_from("<I", image, 0x3C)
        count, optional = struct.unpack_from("<H12xH", image, pe + 6)
        table, made, where = pe + 24 + optional, bytearray(image), address
        for number, (name, data) in enumerate(added, count):
            ends = [sum(struct.unpack_from("<II", made, table + 40 * each + 8)) for each in range(number)]
            where = where or -(-max(ends) // 0x1000) * 0x1000
            raw = len(data) + -len(data) % 512
            made += bytes(-len(made) % 512)
            header = (name.encode(), len(data), where, raw, len(made), 0, 0, 0, 0, 0x4000_0040)
            struct.pack_into("<8sIIIIIIHHI", made, table + 40 * number, *header)
            made += data.ljust(raw, b"\0")
            size = -(-(where + len(data)) // 0x1000) * 0x1000
            struct.pack_into("<H", made, pe + 6, number + 1)
            struct.pack_into("<I", made, pe + 24 + 56, size)
            where = 0
        return bytes(made)

    return apply
