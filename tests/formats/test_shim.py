"""What a shim was built with."""

import struct

import pytest

from pipeline.errors import FormatError
from pipeline.formats.pe import read_pe
from pipeline.formats.sbat import Level
from pipeline.formats.shim import level_text, read_shim
from tests.fixtures import keys
from tests.fixtures.shim import SBAT_LEVEL, shim, vendor_cert
from tests.fixtures.variables import certificates, signature_list


def test_the_vendor_s_certificate_and_dbx() -> None:
    banned = signature_list("sha256", b"1" * 32)
    found = read_shim(read_pe(shim(vendor_cert(keys.der("vendor"), banned))))
    assert found.vendor.certificates == (keys.certificate("vendor"),)
    assert found.vendor_dbx.digests == {f"sha256 {(b'1' * 32).hex()}"}
    assert found.level == Level(2025021800, {"sbat": 1, "shim": 4, "grub": 5})


def test_the_level_as_it_is_written() -> None:
    assert level_text(read_pe(shim())) == b"sbat,1,2025021800\nshim,4\ngrub,5\n"
    assert level_text(read_pe(shim(b"", b""))) == b""


def test_a_vendor_with_a_list() -> None:
    found = read_shim(read_pe(shim(vendor_cert(certificates(["vendor", "ec"]), b""))))
    assert found.vendor.certificates == (keys.certificate("vendor"), keys.certificate("ec"))


def test_a_shim_without_either() -> None:
    found = read_shim(read_pe(shim(b"", b"")))
    assert (found.vendor.certificates, found.vendor_dbx.digests, found.level) == ((), frozenset(), Level())


@pytest.mark.parametrize(
    ("vendor", "level", "message"),
    [
        (b"x", SBAT_LEVEL, "shim: .vendor_cert: 16 bytes at offset 0x0 do not lie inside the 1 bytes given"),
        (
            struct.pack("<IIII", 9, 0, 16, 16),
            SBAT_LEVEL,
            "shim: the vendor's certificates: 9 bytes at offset 0x10 do not lie inside the 16 bytes given",
        ),
        (
            b"",
            struct.pack("<III", 0, 99, 0),
            "shim: SbatLevel: -91 bytes at offset 0x67 do not lie inside the 12 bytes given",
        ),
    ],
)
def test_damage_is_one_sentence(vendor: bytes, level: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_shim(read_pe(shim(vendor, level)))
    assert caught.value.message == message
