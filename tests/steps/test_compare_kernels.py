from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from pipeline.steps import compare_kernels
from tests.fixtures.context import Played, played

APART = """\
[installer]
USB = "sticks"
[runtime]
INET = "network"
[neither]
MODULES = "none"
"""
KERNELS = ["installer", "runtime"]
CONFIGS = {
    "installer": "CONFIG_USB=y\nCONFIG_HZ=250\n# CONFIG_INET is not set\n",
    "runtime": "CONFIG_INET=y\nCONFIG_HZ=100\n",
}


def context(folder: Path, apart: str = APART, **configs: str) -> Played:
    (folder / "in").mkdir()
    (folder / "in/apart.toml").write_text(apart)
    for name, text in (CONFIGS | configs).items():
        (folder / f"in/{name}.config").write_text(text)
    return played(folder, kernels=KERNELS)


def test_the_listing_says_what_is_whose(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    compare_kernels.build(ctx)
    assert (ctx.out / "kernels.txt").read_text().splitlines() == [
        "Only the installer kernel has, and the other must not have:",
        "  USB=y: sticks",
        "Only the runtime kernel has, and the other must not have:",
        "  INET=y: network",
        "Neither has:",
        "  MODULES: none",
        "All other differences (installer, runtime):",
        "  HZ: 250, 100",
    ]


@pytest.mark.parametrize(
    ("kernel", "config", "said"),
    [
        ("runtime", "CONFIG_INET=y\nCONFIG_USB=y\n", "the runtime kernel has CONFIG_USB=y: sticks"),
        ("installer", "CONFIG_USB=y\nCONFIG_INET=y\n", "the installer kernel has CONFIG_INET=y: network"),
        ("runtime", "CONFIG_INET=y\nCONFIG_MODULES=y\n", "the runtime kernel has CONFIG_MODULES=y: none"),
        (
            "installer",
            "CONFIG_HZ=250\n",
            "the installer kernel has no CONFIG_USB, which apart.toml says is its own",
        ),
    ],
)
def test_what_is_in_the_wrong_kernel_is_told(tmp_path: Path, kernel: str, config: str, said: str) -> None:
    ctx = context(tmp_path, **{kernel: config})
    with pytest.raises(ConfigError) as caught:
        compare_kernels.build(ctx)
    assert caught.value.mistakes == [said]
    assert not list(ctx.out.iterdir())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "Invalid initial character for a key part (at end of document)"),
        (APART + "[x]\n", "x: unknown key"),
        (APART.replace('"none"', "1"), "neither.MODULES: 1 is not a reason"),
        (APART.replace("[neither]\n", "[runtime.x]\n"), "neither: is not a table of options and reasons"),
    ],
)
def test_a_file_of_another_form(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compare_kernels.read_apart(text, KERNELS)
    assert f"apart.toml: {said}" in caught.value.mistakes
