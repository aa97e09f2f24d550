import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipeline.errors import ConfigError, PipelineError
from pipeline.formats import kconfig
from pipeline.formats.kconfig import Option, Unmet
from pipeline.inside import Context
from pipeline.steps import kernel

KERNELS = Path(__file__).parents[2] / "recipes/kernels"
EPOCH = 1763683200
MAKE = ["make", "--no-print-directory", "ARCH=x86_64"]
JOBS = f"--jobs={len(os.sched_getaffinity(0))}"
PARAMS = {
    "source": "linux-source-6.12",
    "fragments": ["base", "installer"],
    "epoch": EPOCH,
    "localversion": "-truthdb-installer",
}
BUILD_ENV = {
    "KBUILD_BUILD_TIMESTAMP": "Fri Nov 21 00:00:00 UTC 2025",
    "KBUILD_BUILD_USER": "builder",
    "KBUILD_BUILD_HOST": "installer-iso",
    "KBUILD_BUILD_VERSION": "1",
}

Tool = Callable[[Sequence[str], Mapping[str, str], Path], str]


@dataclass(frozen=True)
class Recorder(Context):
    """A context whose commands are played by `tool`, and recorded as (argv, env, cwd)."""

    tool: Tool
    calls: list[tuple[list[str], dict[str, str], Path]] = field(default_factory=list)
    shown: list[tuple[int, int, str]] = field(default_factory=list)

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stdin: bytes | None = None,
        on_line: Callable[[str], None] = lambda _: None,
    ) -> str:
        assert stdin is None
        where = cwd or self.work
        self.calls.append((list(argv), dict(env or {}), where))
        output = self.tool(argv, env or {}, where)
        for line in output.splitlines():
            on_line(line)
        return output

    def progress(self, done: int, total: int, unit: str) -> None:
        self.shown.append((done, total, unit))


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for name in ("in", "out", "work", "usr-src"):
        (tmp_path / name).mkdir()
    (tmp_path / "in/base.config").write_text("CONFIG_PCI=y\n# CONFIG_MODULES is not set\n")
    (tmp_path / "in/installer.config").write_text("CONFIG_DRM=y\n")
    return tmp_path


def recorder(folders: Path, tool: Tool, **params: object) -> Recorder:
    inputs = {path.name: path for path in (folders / "in").iterdir()}
    return Recorder(inputs, PARAMS | params, folders / "out", folders / "work", tool)


def tree(folders: Path) -> Path:
    """Make what a builder container and an unpacked source have, as far as the step looks at it."""
    (folders / "usr-src/linux-source-6.12.tar.xz").touch()
    source = folders / "work/linux-source-6.12"
    (source / "arch/x86/boot").mkdir(parents=True)
    (source / "include/config").mkdir(parents=True)
    (source / "Kconfig").write_text('mainmenu "Linux"\n')
    return source


def healthy(argv: Sequence[str], env: Mapping[str, str], cwd: Path) -> str:
    """Play tools for a kernel of three objects."""
    match argv[-1]:
        case "allnoconfig":
            (cwd / ".config").write_text("#\n# Linux\n#\n" + Path(env["KCONFIG_ALLCONFIG"]).read_text())
        case "bzImage":
            (cwd / "arch/x86/boot/bzImage").write_text("kernel")
            (cwd / "include/config/kernel.release").write_text("6.12.1-truthdb-installer\n")
            return (
                "  HOSTCC  scripts/kallsyms\n  CC      init/main.o\n  AS      entry.o\n"
                "  LD      x.o\n  CC      y.o\n  AR      vmlinux.a\n  CC      init/version-timestamp.o\n"
            )
    return "3\n" if argv[0] == "sh" else ""


def test_build(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "SOURCES", folders / "usr-src")
    source, work = tree(folders), folders / "work"
    ctx = recorder(folders, healthy)
    kernel.build(ctx)
    archive = folders / "usr-src/linux-source-6.12.tar.xz"
    dry_run = "make --no-print-directory ARCH=x86_64 --dry-run bzImage 2>&1"
    assert ctx.calls == [
        (["tar", "--extract", "--xz", f"--file={archive}", f"--directory={work}"], {}, work),
        ([*MAKE, "allnoconfig"], {"KCONFIG_ALLCONFIG": f"{work}/asked.config"}, source),
        ([*MAKE, JOBS, "prepare"], BUILD_ENV, source),
        (["sh", "-c", f'{dry_run} | grep -cE "echo \'  (CC|AS)  "'], BUILD_ENV, source),
        ([*MAKE, JOBS, "bzImage"], BUILD_ENV, source),
    ]
    assert ctx.shown == [(1, 3, "objects"), (2, 3, "objects"), (3, 3, "objects")]
    assert {path.name: path.read_text() for path in ctx.out.iterdir()} == {
        "vmlinuz": "kernel",
        "kernel.release": "6.12.1-truthdb-installer\n",
        "kernel.config": "#\n# Linux\n#\nCONFIG_PCI=y\n# CONFIG_MODULES is not set\nCONFIG_DRM=y\n"
        'CONFIG_LOCALVERSION="-truthdb-installer"\n',
    }


def test_build_refuses_a_container_without_the_source(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "SOURCES", folders / "usr-src")
    with pytest.raises(PipelineError) as caught:
        kernel.build(recorder(folders, healthy))
    archive = folders / "usr-src/linux-source-6.12.tar.xz"
    assert caught.value.message == f"{archive}: not found in the builder container"
    assert (
        caught.value.hint
        == "name its Debian package in containers/kernel.toml, then run `./doit lock kernel`"
    )


def test_fragments_must_not_contradict_the_step_itself(folders: Path) -> None:
    (folders / "in/base.config").write_text('CONFIG_LOCALVERSION="-mine"\n')
    with pytest.raises(ConfigError) as caught:
        kernel.read_fragments(recorder(folders, healthy).inputs, PARAMS)
    assert caught.value.message == (
        'the step\'s localversion: CONFIG_LOCALVERSION="-truthdb-installer" contradicts '
        'CONFIG_LOCALVERSION="-mine" of base.config:1'
    )


def stingy(argv: Sequence[str], env: Mapping[str, str], cwd: Path) -> str:
    """Play a Kconfig without PCI: DRM depends on it, and DRM_BOCHS depends on DRM."""
    if argv[-1] == "allnoconfig":
        (cwd / ".config").write_text("CONFIG_NR_CPUS=64\n# CONFIG_MODULES is not set\n")
        return ""
    probe = Path(env["KBUILD_KCONFIG"]).read_text()
    assert probe.startswith('mainmenu "Linux"\n\nconfig ASKED_FOR_BY_FRAGMENTS\n\tdef_bool y\n\tselect ')
    assert Path(env["KCONFIG_CONFIG"]).read_text() == (cwd / ".config").read_text()
    selected = {line.split()[1] for line in probe.splitlines() if line.startswith("\tselect ")}
    depends = {"DRM": "PCI", "DRM_BOCHS": "DRM"}
    return "".join(
        f"WARNING: unmet direct dependencies detected for {name}\n  Depends on [n]: {needed} [=n]\n\n"
        for name, needed in depends.items()
        if name in selected and needed not in selected
    )


def test_configure_says_why_options_were_dropped(folders: Path) -> None:
    source = tree(folders)
    asked = kconfig.parse(
        "CONFIG_NR_CPUS=512\nCONFIG_DRM_BOCHS=y\nCONFIG_DRM=y\nCONFIG_GONE=y\n# CONFIG_MODULES is not set\n",
        "base.config",
    )
    ctx = recorder(folders, stingy)
    with pytest.raises(ConfigError) as caught:
        kernel.configure(ctx, source, asked)
    assert caught.value.mistakes == [
        "base.config:1: CONFIG_NR_CPUS=512 was dropped: a choice, a range or an option that selects it "
        "makes it 64",
        "base.config:2: CONFIG_DRM_BOCHS=y was dropped: it depends on DRM; missing: CONFIG_DRM=y",
        "base.config:3: CONFIG_DRM=y was dropped: it depends on PCI; missing: CONFIG_PCI=y",
        "base.config:4: CONFIG_GONE=y was dropped: this kernel has no such option, or none that a fragment "
        "can set",
    ]
    assert caught.value.hint == "ask for what is missing in a fragment too, or take the option out"
    assert [argv[-1] for argv, _, _ in ctx.calls] == ["allnoconfig"] + ["olddefconfig"] * 3


def test_configure_accepts_what_kconfig_gives(folders: Path) -> None:
    asked = kconfig.parse("CONFIG_NR_CPUS=64\n# CONFIG_MODULES is not set\n", "base.config")
    ctx = recorder(folders, stingy)
    kernel.configure(ctx, tree(folders), asked)
    assert [argv[-1] for argv, _, _ in ctx.calls] == ["allnoconfig"]


def test_describe_without_a_missing_operand() -> None:
    option, unmet = Option("X", "y", "a.config:1"), Unmet("GCC_VERSION>=150000", ())
    assert kernel.describe(option, None, unmet) == (
        "a.config:1: CONFIG_X=y was dropped: it depends on GCC_VERSION>=150000"
    )


def test_environment_is_a_function_of_the_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert kernel.environment(EPOCH) == BUILD_ENV
        assert kernel.environment(0)["KBUILD_BUILD_TIMESTAMP"] == "Thu Jan  1 00:00:00 UTC 1970"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_progress_counts_objects_up_to_the_total(folders: Path) -> None:
    ctx = recorder(folders, healthy)
    count = kernel.progress_counter(ctx, 2)
    seen = []
    for line in ("  CC      a.o", "  HOSTCC  b", "  CC [M]  b.ko", "  AS      c.o", "  CC      d.o"):
        count(line)
        seen.append(ctx.shown[-1])
    first, second = (1, 2, "objects"), (2, 2, "objects")
    assert seen == [first, first, first, second, second]


# An option for each device and file system that people are promised.
PROMISED = [
    "BLK_DEV_NVME",
    "SATA_AHCI",
    "VMD",
    "USB_UHCI_HCD",
    "USB_OHCI_HCD_PCI",
    "USB_EHCI_HCD",
    "USB_XHCI_HCD",
    "USB_STORAGE",
    "USB_UAS",
    "MMC_BLOCK",
    "MMC_SDHCI_PCI",
    "VIRTIO_PCI",
    "VIRTIO_BLK",
    "SCSI_VIRTIO",
    "DRM_VIRTIO_GPU_KMS",
    "VIRTIO_INPUT",
    "VIRTIO_CONSOLE",
    "HYPERV_STORAGE",
    "VMWARE_PVSCSI",
    "FUSION_SAS",
    "FUSION_SPI",
    "XEN_BLKDEV_FRONTEND",
    "MEGARAID_SAS",
    "SCSI_MPT3SAS",
    "SCSI_HPSA",
    "SCSI_AACRAID",
    "SCSI_SMARTPQI",
    "USB_HID",
    "HID_GENERIC",
    "KEYBOARD_ATKBD",
    "HYPERV_KEYBOARD",
    "DRM_SIMPLEDRM",
    "DRM_BOCHS",
    "FB_EFI",
    "FB_DEVICE",
    "DRM_FBDEV_EMULATION",
    "SERIAL_8250_CONSOLE",
    "TCG_TIS",
    "TCG_CRB",
    "EXT4_FS",
    "VFAT_FS",
    "ISO9660_FS",
    "JOLIET",
    "EROFS_FS",
    "EFIVAR_FS",
    "DM_CRYPT",
    "DM_VERITY",
    "EFI_STUB",
    "RD_ZSTD",
    "IKCONFIG_PROC",
]


def fragment(name: str) -> list[Option]:
    return kconfig.parse((KERNELS / f"{name}.config").read_text(), f"{name}.config")


def test_the_installer_kernel_asks_for_what_people_are_promised() -> None:
    values = {
        option.name: option.value for option in kconfig.merge([fragment("base"), fragment("installer")])
    }
    assert [name for name in PROMISED if values.get(name) != "y"] == []
    assert (values["MODULES"], values["INITRAMFS_SOURCE"]) == ("n", '""')


def test_no_option_is_asked_for_twice() -> None:
    names = [option.name for option in fragment("base") + fragment("installer")]
    assert sorted(names) == sorted(set(names))
