"""The checksum of metadata in ext4 and EROFS: CRC-32C (Castagnoli), without the inversion at its end.

Specification: RFC 3720, appendix B.4; Linux, lib/crc32.c (`__crc32c_le`)
"""

POLYNOMIAL = 0x82F63B78  # with its bits reversed


def _entry(number: int) -> int:
    for _ in range(8):
        number = number >> 1 ^ (POLYNOMIAL if number & 1 else 0)
    return number


TABLE = tuple(map(_entry, range(256)))


def crc32c(data: bytes, seed: int = 0xFFFF_FFFF) -> int:
    """Return the checksum of a few kB, going on from `seed`."""
    for byte in data:
        seed = seed >> 8 ^ TABLE[(seed ^ byte) & 0xFF]
    return seed
