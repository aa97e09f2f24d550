import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.steps import kernel_package
from tests.fixtures.context import Played, played
from tests.fixtures.deb import Member, data_tar, link

EPOCH = 1795219200
REL = "6.12-cloud"
BELOW = f"usr/lib/modules/{REL}"
VMLINUZ: Member = (f"boot/vmlinuz-{REL}", b"bzImage")
CONFIG: Member = (f"boot/config-{REL}", b"CONFIG_X=y\n")
MODULE: Member = (f"{BELOW}/kernel/fs/ext4.ko.xz", b"XZ", 0o600)


def made(folder: Path, members: Sequence[Member]) -> Played:
    (folder / "in").mkdir()
    (folder / "in/packages.tar").write_bytes(data_tar(members))

    def depmod(argv: list[str], _cwd: Path) -> str:
        base = Path(argv[1].removeprefix("--basedir="))
        (base / "lib/modules" / argv[2] / "modules.dep").write_text("made")
        return ""

    ctx = played(folder, depmod, packages="cloud", epoch=EPOCH)
    kernel_package.build(ctx)
    return ctx


def test_a_kernel_comes_with_its_modules_and_their_tables(tmp_path: Path) -> None:
    others: list[Member] = [("usr/lib/modules/other/x.ko", b""), link(f"{BELOW}/build", "/usr/src/x")]
    ctx = made(tmp_path, [VMLINUZ, CONFIG, MODULE, *others])
    tree = ctx.work / "tree"
    assert ctx.calls == [["depmod", f"--basedir={tree}", REL]]
    files = {path.name: path.read_bytes() for path in ctx.out.iterdir()}
    with tarfile.open(ctx.out / kernel_package.MODULES_TAR) as tar:
        members = {each.name: (each.mode, each.mtime) for each in tar if each.isreg()}
    assert members == {
        f"{BELOW}/kernel/fs/ext4.ko.xz": (0o644, EPOCH),
        f"{BELOW}/modules.dep": (0o644, EPOCH),
    }
    del files[kernel_package.MODULES_TAR]
    assert files == {
        "vmlinuz": b"bzImage",
        "kernel.config": b"CONFIG_X=y\n",
        "kernel.release": f"{REL}\n".encode(),
    }


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([CONFIG, MODULE], "no package of it has a kernel, /boot/vmlinuz-*"),
        (
            [VMLINUZ, ("boot/vmlinuz-6.11", b""), CONFIG, MODULE],
            "its packages have 2 kernels, 6.11 and 6.12-cloud",
        ),
        ([VMLINUZ, MODULE], "its kernel comes without /boot/config-6.12-cloud"),
        ([VMLINUZ, CONFIG], f"its kernel 6.12-cloud has no modules in /{BELOW}/"),
    ],
)
def test_what_is_no_kernel_is_said(tmp_path: Path, members: list[Member], said: str) -> None:
    with pytest.raises(PipelineError) as caught:
        made(tmp_path, members)
    assert caught.value.message == f"roots/cloud.toml: {said}"
    assert caught.value.hint
