import io
import stat
from pathlib import Path

import pytest
import zstandard

from pipeline.formats import cpio
from pipeline.formats.initramfs import read_initramfs
from pipeline.steps import initramfs
from pipeline.steps.packaged import LIBRARIES
from tests.fixtures.context import played
from tests.fixtures.deb import Member, data_tar, folder
from tests.fixtures.elf import elf
from tests.fixtures.partition_sets import tar

EPOCH = 1795219200
BUSYBOX = elf(needed=("libc.so.6",))
LIBC = f"{LIBRARIES}/libc.so.6"
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_files_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/rc").write_text("run")
    (tmp_path / "etc/rc").chmod(0o700)
    (tmp_path / "etc/inittab").write_text("tab")
    (tmp_path / "etc/inittab").chmod(0o600)
    (tmp_path / "a").symlink_to("etc")
    (tmp_path / "empty").mkdir()
    assert initramfs.files_below(tmp_path) == [
        cpio.Symlink("a", "etc"),
        cpio.File("etc/inittab", b"tab", 0o644),
        cpio.File("etc/rc", b"run", 0o755),
    ]


def test_folders_are_there_for_every_member_and_later_members_win() -> None:
    first, second = cpio.File("a/b/c", b"1", 0o644), cpio.File("a/b/c", b"2", 0o644)
    private = cpio.Directory("a", 0o700)
    assert initramfs.with_folders([private, first, second]) == [private, second, cpio.Directory("a/b")]


def test_what_goes_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in/rootfs/etc").mkdir(parents=True)
    unpacked = data_tar(
        [("usr/bin/busybox", BUSYBOX, 0o755), ("usr/share/x", b"X", 0o644), (LIBC, b"LIBC", 0o644)]
    )
    (tmp_path / "in/packages.tar").write_bytes(unpacked)
    (tmp_path / "in/rootfs/etc/inittab").write_text("tab")
    (tmp_path / "in/programs").mkdir()
    (tmp_path / "in/programs/toy").write_bytes(b"PROGRAM")
    (tmp_path / "in/payload").write_bytes(b"abc")
    (tmp_path / "in/product.toml").write_bytes(b'name = "X"')
    (tmp_path / "in/logo.bmp").write_bytes(b"BM")
    written: list[tuple[list[cpio.Member], int]] = []
    write = cpio.write

    def spy(members: list[cpio.Member], archive: object, epoch: int) -> None:
        written.append((members, epoch))
        write(members, archive, epoch)  # type: ignore[arg-type]

    monkeypatch.setattr(cpio, "write", spy)
    ctx = played(
        tmp_path,
        lambda _argv, _cwd: "bin/sh\nsbin/init\n",
        programs=("toy",),
        packages="base",
        packaged=("/usr/share/x",),
        busybox=True,
        applets=None,
        recipe="recipes/toy/recipe.toml",
        carried="payload/Toy.efi",
        about=("product.toml", "logo.bmp"),
        os_release="ID=x\n",
        epoch=EPOCH,
    )
    initramfs.build(ctx)
    assert ctx.calls == [[str(ctx.work / "busybox"), "--list-full"]]
    assert (ctx.work / "busybox").stat().st_mode & 0o100
    ((members, epoch),) = written
    assert epoch == EPOCH
    assert [m for m in members if not isinstance(m, cpio.Directory)] == [
        cpio.CharDevice("dev/console", 5, 1, 0o600),
        cpio.CharDevice("dev/null", 1, 3, 0o666),
        cpio.Symlink("bin/sh", "/bin/busybox"),
        cpio.Symlink("sbin/init", "/bin/busybox"),
        cpio.File("bin/toy", b"PROGRAM", 0o755),
        cpio.File("usr/share/x", b"X", 0o644),
        cpio.File("bin/busybox", BUSYBOX, 0o755),
        cpio.File(LIBC, b"LIBC", 0o644),
        cpio.File("payload/Toy.efi", b"abc"),
        cpio.File("payload/Toy.efi.sha256", f"{ABC}  Toy.efi\n".encode()),
        cpio.File("etc/os-release", b"ID=x\n"),
        cpio.File("etc/product.toml", b'name = "X"'),
        cpio.File("etc/logo.bmp", b"BM"),
        cpio.File("etc/inittab", b"tab", 0o644),
    ]
    folders = {m.name: m.mode for m in members if isinstance(m, cpio.Directory)}
    more = ["payload", "usr/share", "usr/lib", LIBRARIES]
    assert folders == dict.fromkeys([*initramfs.FOLDERS, *more], 0o755) | {"tmp": 0o1777}
    frame = (ctx.out / "initramfs.cpio.zst").read_bytes()
    raw = io.BytesIO()
    write(members, raw, EPOCH)
    assert zstandard.get_frame_parameters(frame).content_size == len(raw.getvalue())
    assert zstandard.decompress(frame) == raw.getvalue()


def test_an_init_of_its_own_needs_no_busybox_and_finds_its_modules(tmp_path: Path) -> None:
    for name in ("rootfs", "programs"):
        (tmp_path / "in" / name).mkdir(parents=True)
    (tmp_path / "in/programs/init").write_bytes(b"PROGRAM")
    (tmp_path / "in/packages.tar").write_bytes(data_tar([]))
    there: list[Member] = [
        folder("usr/lib/modules"),
        ("usr/lib/modules/6/x.ko", b"X", 0o644),
        ("usr/lib/firmware/f", b"F", 0o755),
    ]
    (tmp_path / "in/modules.tar").write_bytes(data_tar(there))
    ctx = played(
        tmp_path,
        programs=("init",),
        packages="base",
        packaged=(),
        busybox=False,
        applets=None,
        recipe="recipes/toy/recipe.toml",
        carried="",
        about=(),
        os_release="ID=x\n",
        epoch=EPOCH,
    )
    initramfs.build(ctx)
    assert ctx.calls == []
    packed = (ctx.out / "initramfs.cpio.zst").read_bytes()
    entries = read_initramfs(packed)[0].entries
    found = {entry.name: bytes(entry.data) for entry in entries if not stat.S_ISDIR(entry.mode)}
    assert found == {
        "bin/init": b"PROGRAM",
        "dev/console": b"",
        "dev/null": b"",
        "etc/os-release": b"ID=x\n",
        "init": b"bin/init",
        "lib/firmware/f": b"F",
        "lib/modules/6/x.ko": b"X",
    }


def test_the_files_of_a_set_lie_below_a_folder(tmp_path: Path) -> None:
    (tmp_path / "set.tar").write_bytes(tar({"partitions.json": b"{}", "root.ext4.zst": b"packed"}))
    assert initramfs.carried_set("payload/", tmp_path / "set.tar") == [
        cpio.File("payload/partitions.json", b"{}"),
        cpio.File("payload/root.ext4.zst", b"packed"),
    ]
