import tomllib
from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from pipeline.formats import kconfig
from pipeline.project import checkout as project
from pipeline.steps import hardening
from tests.fixtures.context import Played, played

ROOT = Path(__file__).parents[2]
FILE = ROOT / "recipes/kernels/hardening.toml"
KERNELS = ["installer", "runtime"]
DATA = """\
[options.kspp]
YAMA = "y"
DEVMEM = "n"
LSM = ["landlock", "yama"]
RANDSTRUCT = "y"
[cmdline.defconfig]
nokaslr = false
pti = "on"
nosmt = true
"iommu.strict" = ["1"]
[sysctl.kspp]
"kernel.kptr_restrict" = "2"
[left.options]
RANDSTRUCT = "no two builds would be the same"
[left.defaults.installer]
MITIGATIONS = "all programs are its own"
"""
GOOD = {
    "hardening.toml": DATA,
    "runtime.config": 'CONFIG_YAMA=y\n# CONFIG_DEVMEM is not set\nCONFIG_LSM="landlock,lockdown,yama"\n',
    "installer.off": "MITIGATIONS\n",
    "runtime.off": "",
    "sysctl.conf": "# why\nkernel.kptr_restrict = 2\n",
}
RUNTIME, INSTALLER = "quiet pti=on nosmt", "quiet"
LEFT = "hardening.toml: left"


def context(folder: Path, runtime: str = RUNTIME, installer: str = INSTALLER, **files: str) -> Played:
    (folder / "in/rootfs/etc").mkdir(parents=True)
    for name, text in (GOOD | {name.replace("_", "."): text for name, text in files.items()}).items():
        (folder / "in" / ("rootfs/etc/sysctl.conf" if name == "sysctl.conf" else name)).write_text(text)
    return played(folder, kernels=KERNELS, cmdline={"installer": installer, "runtime": runtime})


def test_the_listing_says_what_is_left_and_why(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    hardening.build(ctx)
    assert (ctx.out / "hardening.txt").read_text().splitlines() == [
        "options: 3 of 4 recommendations are followed; left are:",
        "  RANDSTRUCT (kspp): no two builds would be the same",
        "cmdline: 4 of 4 recommendations are followed; left are:",
        "sysctl: 1 of 1 recommendations are followed; left are:",
        "Off in the installer kernel, though Linux turns it on by default:",
        "  MITIGATIONS: all programs are its own",
        "Off in the runtime kernel, though Linux turns it on by default:",
    ]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"runtime_config": GOOD["runtime.config"].replace("YAMA=y", "YAMA=n")},
            "YAMA: kspp recommends 'y', the appliance has 'n'",
        ),
        (
            {"runtime_config": GOOD["runtime.config"] + "CONFIG_DEVMEM=y\n"},
            "DEVMEM: kspp recommends 'n', the appliance has 'y'",
        ),
        (
            {"runtime_config": GOOD["runtime.config"].replace("landlock,", "")},
            "LSM: kspp recommends ['landlock', 'yama'], the appliance has '\"lockdown,yama\"'",
        ),
        (
            {"runtime_config": GOOD["runtime.config"] + "CONFIG_RANDSTRUCT=y\n"},
            f"{LEFT}.options.RANDSTRUCT: it is followed, and needs no reason",
        ),
        ({"runtime": "pti=on"}, "nosmt: defconfig recommends True, the appliance has nothing"),
        ({"runtime": "nosmt pti=off"}, "pti: defconfig recommends 'on', the appliance has 'off'"),
        ({"runtime": f"{RUNTIME} nokaslr"}, "nokaslr: defconfig recommends False, the appliance has ''"),
        (
            {"runtime": f"{RUNTIME} iommu.strict=0"},
            "iommu.strict: defconfig recommends ['1'], the appliance has '0'",
        ),
        ({"installer": "nokaslr"}, "the installer kernel's command line has nokaslr="),
        ({"installer": "iommu.strict=0"}, "the installer kernel's command line has iommu.strict=0"),
        ({"sysctl_conf": ""}, "kernel.kptr_restrict: kspp recommends '2', the appliance has nothing"),
        (
            {"sysctl_conf": "kernel.kptr_restrict=1\n"},
            "kernel.kptr_restrict: kspp recommends '2', the appliance has '1'",
        ),
        (
            {"runtime_off": "MITIGATION_ITS\n"},
            "the runtime kernel lacks CONFIG_MITIGATION_ITS, which Linux turns on by default",
        ),
        (
            {"installer_off": ""},
            f"{LEFT}.defaults.installer.MITIGATIONS: it is not off, or not by default on",
        ),
    ],
)
def test_what_is_neither_followed_nor_excused_is_told(
    tmp_path: Path, changed: dict[str, str], said: str
) -> None:
    ctx = context(tmp_path, **changed)
    with pytest.raises(ConfigError) as caught:
        hardening.build(ctx)
    assert caught.value.mistakes == [said]
    assert not list(ctx.out.iterdir())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "Invalid initial character for a key part (at end of document)"),
        (DATA + "[x]\n", "x: unknown key"),
        (DATA + '[options.grsec]\nYAMA = "n"\n', "options.grsec.YAMA: stands in kspp, too"),
        (DATA + '[left.sysctl]\nX = "why"\n', "left.sysctl.X: nobody recommends it"),
        (
            DATA.replace('"no two builds would be the same"', '""'),
            "left.options.RANDSTRUCT: '' is not a reason",
        ),
        (
            DATA.replace('"all programs are its own"', "1"),
            "left.defaults.installer.MITIGATIONS: 1 is not a reason",
        ),
    ],
)
def test_a_file_of_another_form(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        hardening.read(text, KERNELS)
    assert caught.value.mistakes == [f"hardening.toml: {said}"]


def test_the_fragments_ask_for_what_is_recommended_and_the_rest_is_little() -> None:
    data = hardening.read(FILE.read_text(encoding="utf-8"), KERNELS)
    assert sum(len(data["left"][kind]) for kind in hardening.KINDS) <= 20
    fragments = [
        kconfig.parse((ROOT / f"recipes/kernels/{name}.config").read_text(), name)
        for name in ("base", "runtime")
    ]
    asked = {option.name: option.value for option in kconfig.merge(fragments)}
    judged = list(hardening.judge("options", data["options"], asked))
    against = [str(each) for each in judged if each.name in asked and not each.followed]
    assert [
        line.partition(":")[0] for line in against if line.partition(":")[0] not in data["left"]["options"]
    ] == []


def test_command_line_and_sysctls_of_the_recipe() -> None:
    data = hardening.read(FILE.read_text(encoding="utf-8"), KERNELS)
    recipe = project.load(ROOT).recipes["truthdb-runtime"]
    rootfs = ROOT / "recipes/truthdb-runtime" / recipe.image.rootfs
    states = {
        "cmdline": hardening.parameters(" ".join(recipe.image.cmdline)),
        "sysctl": hardening.settings((rootfs / hardening.SYSCTL).read_text()),
    }
    for kind, state in states.items():
        judged = list(hardening.judge(kind, data[kind], state))
        assert list(hardening.unexcused(judged, data["left"][kind], kind)) == []
    inittab = (rootfs / "etc/inittab").read_text().splitlines()
    assert f"::sysinit:/sbin/sysctl -q -p /{hardening.SYSCTL}" in inittab
    assert tomllib.loads(FILE.read_text())
