from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from pipeline.formats import kconfig
from pipeline.formats.kconfig import Option, Unmet
from pipeline.steps import kernel, kernel_config
from tests.fixtures.context import Played, played

KERNELS = Path(__file__).parents[2] / "recipes/kernels"
SOURCE = "linux-source-6.12"
OURS = Option("LOCALVERSION", '"-ours"', "the step's localversion")
PARAMS = {"source": SOURCE, "fragments": ["base", "installer"], "config": "", "localversion": "-ours"}

KCONFIG = """\
mainmenu "Linux"
menu "Security options"
config YAMA
	bool "Yama"
	default y
endmenu
"""


class Conf:
    """Plays the kernel's `conf`, which knows the options of `defaults`, and gives what it is asked for."""

    def __init__(self, folder: Path, defaults: dict[str, str], **params: object) -> None:
        self.source, self.defaults = folder / "work" / SOURCE, defaults
        self.played = played(folder, self.run, **PARAMS | params)

    def run(self, argv: list[str], cwd: Path) -> str:
        if argv[0] == "tar":
            self.source.mkdir()
            (self.source / "Kconfig").write_text(KCONFIG)
            return ""
        env = self.played.envs[-1]
        config = Path(env.get("KCONFIG_CONFIG", cwd / ".config"))
        asked = Path(env["KCONFIG_ALLCONFIG"]) if argv[-1] == "allnoconfig" else config
        given = {one.name: one for one in kconfig.read_whole(asked.read_text(), "x").options.values()}
        empty = dict.fromkeys(self.defaults, "n") if argv[-1] == "allnoconfig" else self.defaults
        values = {name: given[name].value if name in given else empty[name] for name in self.defaults}
        config.write_text(kconfig.render(Option(name, value, "") for name, value in values.items()))
        return ""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "in").mkdir()
    (tmp_path / "usr-src").mkdir()
    (tmp_path / f"usr-src/{SOURCE}.tar.xz").touch()
    monkeypatch.setattr(kernel, "SOURCES", tmp_path / "usr-src")
    return tmp_path


def built(folder: Path, **defaults: str) -> Played:
    conf = Conf(folder, {"LOCALVERSION": '""'} | defaults)
    kernel_config.build(conf.played)
    return conf.played


def test_fragments_become_a_configuration_in_which_the_rest_is_off(folder: Path) -> None:
    (folder / "in/base.config").write_text("CONFIG_PCI=y\n# CONFIG_MODULES is not set\n")
    (folder / "in/installer.config").write_text("CONFIG_DRM=y\n")
    ctx = built(folder, PCI="n", MODULES="y", DRM="n", YAMA="y", TRACING="y")
    assert {path.name: path.read_text() for path in ctx.out.iterdir()} == {
        "kernel.config": 'CONFIG_LOCALVERSION="-ours"\nCONFIG_PCI=y\n# CONFIG_MODULES is not set\n'
        "CONFIG_DRM=y\n# CONFIG_YAMA is not set\n# CONFIG_TRACING is not set\n",
        "kernel.off": "YAMA\n",
    }
    assert ctx.calls[0][5:8] == ["--wildcards", f"{SOURCE}/Makefile", f"{SOURCE}/Kbuild"]
    assert [argv[-1] for argv in ctx.calls[1:]] == ["allnoconfig", "olddefconfig"]
    assert ctx.notes == []


def test_what_guards_by_default_and_is_on_is_not_off(folder: Path) -> None:
    (folder / "in/base.config").write_text("CONFIG_YAMA=y\n")
    (folder / "in/installer.config").write_text("")
    assert (built(folder, YAMA="y").out / "kernel.off").read_text() == ""


WHOLE = {
    "a configuration with lines appended": (
        "CONFIG_PCI=y\n# CONFIG_DRM is not set\nCONFIG_HZ=250\n# appended\nCONFIG_DRM=y\nCONFIG_HZ=100\n",
        {"PCI": "y", "DRM": "y", "HZ": "100"},
        [
            "my.config:5: CONFIG_DRM=y takes the place of CONFIG_DRM=n of my.config:2",
            "my.config:6: CONFIG_HZ=100 takes the place of CONFIG_HZ=250 of my.config:3",
        ],
    ),
    "the same twice": ("CONFIG_PCI=y\nCONFIG_PCI=y\n", {"PCI": "y"}, []),
    "what is not named is as Linux has it": ("", {"PCI": "n", "DRM": "n", "HZ": "250"}, []),
    "another release name": ('CONFIG_LOCALVERSION="-theirs"\nCONFIG_PCI=y\n', {"PCI": "y"}, []),
    "what this kernel does not know": (
        "CONFIG_GONE=y\nCONFIG_PCI=y\nCONFIG_OLD=m\n# CONFIG_NEVER is not set\n",
        {"PCI": "y"},
        [
            "my.config: this kernel does not know, or gives otherwise: "
            "CONFIG_GONE=y (not there), CONFIG_OLD=m (not there)"
        ],
    ),
    "modules": (
        "CONFIG_DRM=m\n",
        {"DRM": "m"},
        ["my.config: modules are not built, so the kernel goes without: CONFIG_DRM"],
    ),
    "lines that Linux ignores": (
        "PCI=y\n CONFIG_PCI=y\nCONFIG_DRM\nCONFIG_HZ=100\r\n",
        {"PCI": "n", "HZ": "100"},
        [
            "my.config:1: Linux ignores 'PCI=y'",
            "my.config:2: Linux ignores ' CONFIG_PCI=y'",
            "my.config:3: Linux ignores 'CONFIG_DRM'",
        ],
    ),
    "no line feed at the end": ("CONFIG_PCI=y", {"PCI": "y"}, []),
    "an initramfs elsewhere": ('CONFIG_INITRAMFS_SOURCE=""\nCONFIG_PCI=y\n', {"PCI": "y"}, []),
}


@pytest.mark.parametrize(("text", "values", "notes"), WHOLE.values(), ids=WHOLE)
def test_a_whole_configuration_is_read_as_linux_reads_it(
    folder: Path, text: str, values: dict[str, str], notes: list[str]
) -> None:
    (folder / "in/my.config").write_bytes(text.encode())
    defaults = {"LOCALVERSION": '""', "INITRAMFS_SOURCE": '""', "PCI": "n", "DRM": "n", "HZ": "250"}
    conf = Conf(folder, defaults, fragments=(), config="my.config")
    kernel_config.build(conf.played)
    options = kconfig.parse((conf.played.out / "kernel.config").read_text(), "x")
    found = {option.name: option.value for option in options}
    assert found["LOCALVERSION"] == OURS.value
    assert {name: found[name] for name in values} == values
    assert conf.played.notes == notes


def test_a_whole_configuration_must_not_embed_an_initramfs(folder: Path) -> None:
    (folder / "in/my.config").write_text('CONFIG_INITRAMFS_SOURCE="/home/me/initramfs.cpio"\n')
    conf = Conf(folder, {}, fragments=(), config="my.config")
    with pytest.raises(ConfigError) as caught:
        kernel_config.build(conf.played)
    assert caught.value.message == (
        'my.config:1: CONFIG_INITRAMFS_SOURCE="/home/me/initramfs.cpio": '
        "the kernel would embed an initramfs; the UKI brings one"
    )


def test_fragments_must_not_contradict_the_step_itself(folder: Path) -> None:
    (folder / "in/base.config").write_text('CONFIG_LOCALVERSION="-mine"\n')
    (folder / "in/installer.config").write_text("")
    with pytest.raises(ConfigError) as caught:
        kernel_config.read_fragments(played(folder).inputs, PARAMS, OURS)
    assert caught.value.message == (
        'the step\'s localversion: CONFIG_LOCALVERSION="-ours" contradicts '
        'CONFIG_LOCALVERSION="-mine" of base.config:1'
    )


def stingy(folder: Path) -> tuple[Played, Path]:
    """Return a context of a Kconfig without PCI: DRM depends on it, and DRM_BOCHS depends on DRM."""

    def run(argv: list[str], cwd: Path) -> str:
        if argv[-1] == "allnoconfig":
            (cwd / ".config").write_text("CONFIG_NR_CPUS=64\n# CONFIG_MODULES is not set\n")
            return ""
        env = ctx.envs[-1]
        probe = Path(env["KBUILD_KCONFIG"]).read_text()
        assert probe.startswith(f"{KCONFIG}\nconfig ASKED_FOR_BY_FRAGMENTS\n\tdef_bool y\n\tselect ")
        assert Path(env["KCONFIG_CONFIG"]).read_text() == (cwd / ".config").read_text()
        selected = {line.split()[1] for line in probe.splitlines() if line.startswith("\tselect ")}
        depends = {"DRM": "PCI", "DRM_BOCHS": "DRM"}
        return "".join(
            f"WARNING: unmet direct dependencies detected for {name}\n  Depends on [n]: {needed} [=n]\n\n"
            for name, needed in depends.items()
            if name in selected and needed not in selected
        )

    ctx = played(folder, run)
    source = ctx.work / SOURCE
    source.mkdir()
    (source / "Kconfig").write_text(KCONFIG)
    return ctx, source


def test_configure_says_why_options_were_dropped(folder: Path) -> None:
    ctx, source = stingy(folder)
    asked = kconfig.parse(
        "CONFIG_NR_CPUS=512\nCONFIG_DRM_BOCHS=y\nCONFIG_DRM=y\nCONFIG_GONE=y\n# CONFIG_MODULES is not set\n",
        "base.config",
    )
    with pytest.raises(ConfigError) as caught:
        kernel_config.configure(ctx, source, asked)
    assert caught.value.mistakes == [
        "base.config:1: CONFIG_NR_CPUS=512 was dropped: a choice, a range or an option that selects it "
        "makes it 64",
        "base.config:2: CONFIG_DRM_BOCHS=y was dropped: it depends on DRM; missing: CONFIG_DRM=y",
        "base.config:3: CONFIG_DRM=y was dropped: it depends on PCI; missing: CONFIG_PCI=y",
        "base.config:4: CONFIG_GONE=y was dropped: this kernel has no such option, or none that a fragment "
        "can set",
    ]
    assert caught.value.hint == "ask for what is missing in a fragment too, or take the option out"
    assert [argv[-1] for argv in ctx.calls] == ["allnoconfig"] + ["olddefconfig"] * 3


def test_configure_accepts_what_kconfig_gives(folder: Path) -> None:
    asked = kconfig.parse("CONFIG_NR_CPUS=64\n# CONFIG_MODULES is not set\n", "base.config")
    ctx, source = stingy(folder)
    kernel_config.configure(ctx, source, asked)
    assert [argv[-1] for argv in ctx.calls] == ["allnoconfig"]


def test_describe_without_a_missing_operand() -> None:
    option, unmet = Option("X", "y", "a.config:1"), Unmet("GCC_VERSION>=150000", ())
    assert kernel_config.describe(option, None, unmet) == (
        "a.config:1: CONFIG_X=y was dropped: it depends on GCC_VERSION>=150000"
    )


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
