"""What chains of programs measure, event by event."""

import hashlib
from dataclasses import replace

import pytest

from pipeline.errors import FormatError
from pipeline.formats.authenticode import image_digest
from pipeline.formats.pe import read_pe
from pipeline.measure.chain import Chain, Program, events
from pipeline.measure.event import value
from pipeline.measure.ways import chains, started
from tests.fixtures.bzimage import bzimage
from tests.fixtures.fat import fat
from tests.fixtures.firmware import SHA256, entries, variables
from tests.fixtures.initramfs import changed
from tests.fixtures.iso import efi_image, iso
from tests.fixtures.newc import FILE, Raw
from tests.fixtures.pe import pe
from tests.fixtures.uki import SBAT, uki

UKI = uki()
SHIM = pe({".text": b"s", ".sbat": SBAT + b"shim,4,UEFI shim,shim,16.1,https://github.com/rhboot/shim\n"})


def of(image: bytes, name: str = "a.efi") -> Program:
    return Program(name, read_pe(image))


def whats(found: object, pcr: int) -> list[str]:
    return [event.what for event in found if event.pcr == pcr]  # type: ignore[attr-defined]


def digest_of(image: bytes) -> bytes:
    return image_digest(read_pe(image), "sha256")


def test_without_secure_boot_linux_is_a_program_too() -> None:
    found = events(Chain(of(UKI)), None)
    assert whats(found, 4) == [
        "that firmware starts the first program of its boot order",
        "the end of the firmware's own measurements",
        "the program a.efi",
        "the program Linux in a.efi",
    ]
    assert [event.digest for event in found if event.pcr == 4] == [
        hashlib.sha256(b"Calling EFI Application from Boot Option").digest(),
        hashlib.sha256(bytes(4)).digest(),
        digest_of(UKI),
        digest_of(bzimage()),
    ]


def test_the_sections_of_a_uki_are_measured_and_nothing_is_added() -> None:
    found = events(Chain(of(UKI)), None)
    names = (".linux", ".osrel", ".cmdline", ".initrd", ".splash", ".uname", ".sbat")
    assert whats(found, 11) == [
        f"{what} section {name}" for name in names for what in ("the name of the", "the")
    ]
    assert value(found, 12) == bytes(32)


def test_with_secure_boot_the_stub_loads_linux_itself() -> None:
    held = variables(PK=b"p", db=entries((SHA256, digest_of(UKI))))
    found = events(Chain(of(UKI)), held)
    assert whats(found, 4)[2:] == ["the program a.efi"]
    assert whats(found, 7)[-1] == "the entry of db by which a.efi is started"
    off = events(Chain(of(UKI)), held | variables(SecureBoot=b"\0", SetupMode=b"\0"))
    assert whats(off, 4)[3:] == ["the program Linux in a.efi"]
    assert "db" not in whats(off, 7)[-1]


def test_firmware_that_would_not_start_it_measures_nothing_to_predict() -> None:
    with pytest.raises(FormatError, match="does not start a"):
        events(Chain(of(UKI)), variables(PK=b"p"))


@pytest.mark.parametrize(
    ("image", "first", "names"),
    [
        (UKI, "file", ["file"]),
        (iso(), "cd", ["cd", "usb"]),
        (efi_image(), "disk", ["disk"]),
    ],
)
def test_ways_of_an_image(image: bytes, first: str, names: list[str]) -> None:
    ways = chains(image, "a.efi")
    assert list(ways) == names
    assert ways[first].shim is None
    assert value(events(ways[first], None), 11) == value(events(Chain(of(UKI)), None), 11)


def test_what_an_installer_carries_is_a_way_of_its_own() -> None:
    payload = uki({".cmdline": b"appliance"})
    for more, shim in (((), False), ((Raw("payload/shimx64.efi", FILE, SHIM),), True)):
        carried = changed(Raw("payload", 0o040755), Raw("payload/A.efi", FILE, payload), *more)
        ways = chains(iso(fat({"EFI/BOOT/BOOTX64.EFI": uki({".initrd": carried})})), "x")
        assert list(ways) == ["cd", "usb", "disk"]
        assert (ways["disk"].shim is not None) == shim
        assert ways["disk"].uki.name == "A.efi"
        assert value(events(replace(ways["disk"], shim=None), None), 4) == value(
            events(Chain(of(payload)), None), 4
        )


def test_shim_starts_what_lies_beside_it() -> None:
    found = started(fat({"EFI/BOOT/BOOTX64.EFI": SHIM, "EFI/BOOT/grubx64.efi": UKI}))
    assert found.shim is not None
    assert (found.shim.name, found.uki.name) == ("BOOTX64.EFI", "GRUBX64.EFI")
    assert found.first == found.shim
    assert whats(events(found, None), 4)[2:] == [
        "the program BOOTX64.EFI",
        "the program GRUBX64.EFI",
        "the program Linux in GRUBX64.EFI",
    ]


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (b"", "it is no ISO, no disk with an EFI system partition, and no program"),
        (bytes(1 << 16), "it is no ISO, no disk with an EFI system partition, and no program"),
        (iso(platform=0), "it has no boot entry for UEFI"),
        (fat({"a": b""}), "it has no EFI/BOOT/BOOTX64.EFI, which would be started"),
        (fat({"EFI/BOOT/BOOTX64.EFI": SHIM}), "it has no EFI/BOOT/GRUBX64.EFI, which would be started"),
        (
            fat({"EFI/BOOT/BOOTX64.EFI": pe({".text": b"x"})}),
            "BOOTX64.EFI is neither a UKI nor shim: what it measures cannot be predicted",
        ),
        (
            fat({"EFI/BOOT/BOOTX64.EFI": SHIM, "EFI/BOOT/grubx64.efi": pe({".text": b"x"})}),
            "GRUBX64.EFI, which shim starts, is no UKI: what it measures cannot be predicted",
        ),
    ],
)
def test_what_cannot_be_predicted_is_told(image: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        chains(image, "x")
    assert caught.value.message == message
