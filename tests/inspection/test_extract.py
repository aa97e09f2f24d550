"""Members taken out of every level."""

from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.inspection import extract
from pipeline.inspection.extract import find, write
from tests.fixtures.disk_images import descriptor_vmdk, dynamic_vhd, ova, qcow2, whole_disk
from tests.fixtures.initramfs import INITTAB, changed, initramfs
from tests.fixtures.iso import efi_image, iso
from tests.fixtures.multipliers import MULTIPLIERS
from tests.fixtures.newc import FILE, LINK, Raw
from tests.fixtures.uki import CMDLINE, uki

PROGRAM = "EFI/BOOT/BOOTX64.EFI"
DISK = whole_disk()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command is called: an ISO, and an initramfs with odd members."""
    (tmp_path / "x.iso").write_bytes(iso())
    (tmp_path / "x.qcow2").write_bytes(qcow2(DISK, pack="zstd"))
    (tmp_path / "x.vhd").write_bytes(dynamic_vhd(DISK))
    (tmp_path / "x.ova").write_bytes(ova(DISK))
    (tmp_path / "flat.vmdk").write_bytes(descriptor_vmdk())
    (tmp_path / "odd!.img").write_bytes(
        initramfs(
            [
                Raw("twice", FILE, b"first"),
                Raw("a!b", FILE, b"bang"),
                Raw("a\nb", FILE, b"line feed"),
                Raw("..", FILE, b"up"),
                Raw("CASE", FILE, b"upper"),
                Raw("case", FILE, b"lower"),
                Raw("link", LINK, b"twice"),
                Raw("twice", FILE, b"last"),
            ]
        )
    )
    monkeypatch.setenv("INSTALLER_ISO_CALLED_FROM", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("path", "contents"),
    [
        ("x.iso!efi.img", efi_image()),
        (f"x.iso!efi.img!{PROGRAM}", uki()),
        ("x.iso!efi.img!efi/boot/bootx64.efi", uki()),
        (f"x.iso!efi.img!{PROGRAM}!.cmdline", CMDLINE),
        (f"x.iso!efi.img!{PROGRAM}!.initrd", changed()),
        (f"x.iso!efi.img!{PROGRAM}!.initrd!etc/inittab", INITTAB.encode()),
        (f"x.iso!efi.img!{PROGRAM}!.initrd!/etc/inittab", INITTAB.encode()),
        ("x.qcow2!disk", DISK),
        (f"x.qcow2!disk!GPT partition 1!{PROGRAM}!.cmdline", CMDLINE),
        ("x.vhd!disk", DISK),
        ("x.ova!toy-disk1.vmdk!disk", DISK),
        (f"x.ova!toy-disk1.vmdk!disk!GPT partition 1!{PROGRAM}", uki()),
        ("odd!.img!twice", b"last"),
        ("odd!.img!a!b", b"bang"),
        ("odd!.img!a\\x0ab", b"line feed"),
        ("odd!.img!case", b"lower"),
        ("odd!.img!CASE", b"upper"),
    ],
)
def test_a_member(folder: Path, path: str, contents: bytes) -> None:
    assert bytes(find(path).image) == contents
    write(find(path), "out")
    assert (folder / "out").read_bytes() == contents


@pytest.mark.parametrize(
    ("path", "message", "hint"),
    [
        ("x.iso", "x.iso: names no member", "write `x.iso!NAME`"),
        (
            "y.iso!efi.img",
            "y.iso: cannot be read: No such file or directory",
            "name a file that is there, and yours to read",
        ),
        (
            "x.iso!efi.img!EFI/BOOT/BOOTAA64.EFI",
            "x.iso!efi.img: has no member 'EFI/BOOT/BOOTAA64.EFI'",
            f"it has EFI, EFI/BOOT, {PROGRAM}",
        ),
        (
            f"x.iso!efi.img!{PROGRAM}!.cmdline!x",
            f"x.iso!efi.img!{PROGRAM}!.cmdline: has no member 'x'",
            "it has none",
        ),
        (
            f"x.iso!efi.img!{PROGRAM}!.osrel!x!y",
            f"x.iso!efi.img!{PROGRAM}!.osrel: cannot extract anything from a file of no known format "
            "(it starts with 49443d7472757468)",
            "leave out !x!y",
        ),
        (
            "flat.vmdk!disk",
            "flat.vmdk: the disk is not all in this file: what its descriptor names is 'x-flat.vmdk'",
            "put it into one file where both are, with `qemu-img convert`",
        ),
        ("odd!.img!link", "odd!.img!link: is a symbolic link to twice", "name what it leads to"),
        (f"x.iso!efi.img!{PROGRAM}!.initrd!etc", None, "name a file in it"),
        (
            "odd!.img!none\x1b",
            "odd!.img: has no member 'none\\x1b'",
            "it has twice, a!b, a\nb, .., CASE, case, link, twice",
        ),
    ],
)
def test_a_path_that_leads_to_none(folder: Path, path: str, message: str | None, hint: str) -> None:
    with pytest.raises(PipelineError) as caught:
        find(path)
    assert (caught.value.message, caught.value.hint) == (message or f"{path}: is a directory", hint)


def test_damage_on_the_way_is_named_where_it_is(folder: Path) -> None:
    (folder / "cut.img").write_bytes(efi_image()[:5000])
    with pytest.raises(PipelineError) as caught:
        find(f"cut.img!{PROGRAM}!.cmdline")
    assert caught.value.message.startswith("cut.img: the FAT volume is cut off: ")


def test_what_lies_around_may_be_damaged(folder: Path) -> None:
    (folder / "x.iso").write_bytes(iso()[: len(iso()) - 16_000])
    assert bytes(find(f"x.iso!efi.img!{PROGRAM}!.cmdline").image) == CMDLINE


def test_more_than_any_disk_has_room_for_is_not_begun(folder: Path) -> None:
    (folder / "huge.qcow2").write_bytes(MULTIPLIERS["an exabyte of qcow2"]())
    with pytest.raises(PipelineError) as caught:
        write(find("huge.qcow2!disk"), "out")
    assert (
        f"out: cannot be written: it has {1 << 60} bytes, and the whole disk there " in caught.value.message
    )
    assert not (folder / "out").exists()


def test_into_a_directory(folder: Path) -> None:
    write(find(f"x.iso!efi.img!{PROGRAM}"), ".")
    assert (folder / "BOOTX64.EFI").read_bytes() == uki()


def test_into_a_directory_under_a_name_that_is_none(folder: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        write(find("odd!.img!.."), ".")
    assert str(caught.value) == ".: is a directory\n  hint: name a file in it"


def test_nothing_is_overwritten(folder: Path) -> None:
    (folder / "out").write_text("mine")
    with pytest.raises(PipelineError) as caught:
        write(find("odd!.img!twice"), "out")
    assert str(caught.value) == f"{folder}/out: already exists\n  hint: choose another name"
    assert (folder / "out").read_text() == "mine"


def test_a_folder_that_is_not_there(folder: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        write(find("odd!.img!twice"), "gone/out")
    assert caught.value.message == f"{folder}/gone/out: cannot be written: No such file or directory"


def test_a_member_that_cannot_be_read_leaves_no_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_image: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(extract, "chunks", fail)
    with pytest.raises(PipelineError) as caught:
        write(find("odd!.img!twice"), "out")
    assert caught.value.message == f"{folder}/out: cannot be written: No space left on device"
    assert not (folder / "out").exists()


def test_to_standard_output(folder: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    write(find("odd!.img!twice"), "-")
    assert capfdbinary.readouterr().out == b"last"
