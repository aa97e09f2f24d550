import pytest

from pipeline.formats.crc32c import crc32c


@pytest.mark.parametrize(
    ("data", "checksum"),
    [  # RFC 3720, appendix B.4
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (b"123456789", 0xE3069283),
    ],
)
def test_the_checksum_is_that_of_the_rfc(data: bytes, checksum: int) -> None:
    assert crc32c(data) ^ 0xFFFF_FFFF == checksum
    assert crc32c(data[7:], crc32c(data[:7])) == crc32c(data)
