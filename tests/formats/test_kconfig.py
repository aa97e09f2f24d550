import pytest

from pipeline.errors import ConfigError
from pipeline.formats import kconfig
from pipeline.formats.kconfig import Option, Unmet

HINT = 'write CONFIG_NAME=y, a number or a "text", `# CONFIG_NAME is not set`, or a comment'

# What `conf` of Linux 6.12 printed for three options that a probe selected.
CONF_LOG = """\
/build/w/Kconfig.probe:40:warning: 'LOG_BUF_SHIFT' has wrong type. 'select' only accept arguments of bool

WARNING: unmet direct dependencies detected for SND_HDA_INTEL
  Depends on [n]: SOUND [=n] && SND [=n] && SND_PCI [=n]
  Selected by [y]:
  - ASKED_FOR_BY_FRAGMENTS [=y]

WARNING: unmet direct dependencies detected for E1000E
  Depends on [n]: NETDEVICES [=n] && PCI [=y] && (!SPARC32 || BROKEN [=n])
  Selected by [y]:
  - ASKED_FOR_BY_FRAGMENTS [=y]
#
# configuration written to /build/w/probe.config
#
"""


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("CONFIG_PCI=y", "PCI", "y"),
        ("CONFIG_PCI=n", "PCI", "n"),
        ("CONFIG_PCI=m", "PCI", "m"),
        ("# CONFIG_PCI is not set", "PCI", "n"),
        ("CONFIG_NR_CPUS=512", "NR_CPUS", "512"),
        ("CONFIG_CMA_SIZE_MBYTES=-1", "CMA_SIZE_MBYTES", "-1"),
        ("CONFIG_PHYSICAL_START=0x1000000", "PHYSICAL_START", "0x1000000"),
        ('CONFIG_INITRAMFS_SOURCE=""', "INITRAMFS_SOURCE", '""'),
        (r'CONFIG_CMDLINE="a \"b\" \\"', "CMDLINE", r'"a \"b\" \\"'),
        ("CONFIG_64BIT=y", "64BIT", "y"),
    ],
)
def test_parse(line: str, name: str, value: str) -> None:
    assert kconfig.parse(f"# a comment\n\n{line}\n", "a.config") == [Option(name, value, "a.config:3")]


@pytest.mark.parametrize(
    "line",
    [
        "CONFIG_PCI = y",
        "CONFIG_PCI=yes",
        "CONFIG_PCI=",
        "CONFIG_PCI",
        "PCI=y",
        "CONFIG_PCI=y ",
        " CONFIG_PCI=y",
        "CONFIG_PCI=y # comment",
        'CONFIG_CMDLINE="a',
        'CONFIG_CMDLINE="a"b"',
        "CONFIG_START=0xfg",
        "CONFIG_A-B=y",
    ],
)
def test_parse_rejects(line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        kconfig.parse(f"CONFIG_ACPI=y\n{line}\n", "a.config")
    assert caught.value.message == f"a.config:2: {line!r} does not set an option"
    assert caught.value.hint == HINT


def test_parse_names_every_mistake() -> None:
    with pytest.raises(ConfigError) as caught:
        kconfig.parse("one\nCONFIG_PCI=y\ntwo\n", "a.config")
    assert caught.value.mistakes == [
        "a.config:1: 'one' does not set an option",
        "a.config:3: 'two' does not set an option",
    ]


def test_merge_keeps_order_and_the_first_place() -> None:
    base = kconfig.parse("CONFIG_PCI=y\nCONFIG_NET=n\n", "base.config")
    more = kconfig.parse("CONFIG_USB=y\nCONFIG_PCI=y\n# CONFIG_NET is not set\n", "more.config")
    assert [f"{option.place} {option}" for option in kconfig.merge([base, more])] == [
        "base.config:1 CONFIG_PCI=y",
        "base.config:2 CONFIG_NET=n",
        "more.config:1 CONFIG_USB=y",
    ]


def test_merge_rejects_contradictions() -> None:
    base = kconfig.parse("CONFIG_PCI=y\nCONFIG_HZ=250\nCONFIG_HZ=100\n", "base.config")
    more = kconfig.parse("CONFIG_USB=y\n# CONFIG_PCI is not set\n", "more.config")
    with pytest.raises(ConfigError) as caught:
        kconfig.merge([base, more])
    assert caught.value.mistakes == [
        "base.config:3: CONFIG_HZ=100 contradicts CONFIG_HZ=250 of base.config:2",
        "more.config:2: CONFIG_PCI=n contradicts CONFIG_PCI=y of base.config:1",
    ]
    assert caught.value.hint == "keep one of the two; an option that kernels differ in is not for both"


def test_render() -> None:
    text = 'CONFIG_PCI=y\n# CONFIG_MODULES is not set\nCONFIG_LOCALVERSION="-x"\n'
    assert kconfig.render(kconfig.parse(text, "a.config")) == text


@pytest.mark.parametrize(
    ("asked", "config", "is_dropped"),
    [
        ("CONFIG_PCI=y", {"PCI": "y"}, False),
        ("CONFIG_PCI=y", {"PCI": "m"}, True),
        ("CONFIG_PCI=y", {"PCI": "n"}, True),
        ("CONFIG_PCI=y", {}, True),
        ("CONFIG_PCI=n", {}, False),
        ("# CONFIG_PCI is not set", {"PCI": "n"}, False),
        ("# CONFIG_PCI is not set", {"PCI": "y"}, True),
        ("CONFIG_HZ=250", {"HZ": "250"}, False),
        ("CONFIG_HZ=250", {"HZ": "100"}, True),
        ('CONFIG_INITRAMFS_SOURCE=""', {"INITRAMFS_SOURCE": '"/"'}, True),
    ],
)
def test_dropped(asked: str, config: dict[str, str], is_dropped: bool) -> None:
    options = kconfig.parse(asked, "a.config")
    assert kconfig.dropped(options, config) == (options if is_dropped else [])


def test_unmet() -> None:
    assert kconfig.unmet(CONF_LOG) == {
        "SND_HDA_INTEL": Unmet(
            "SOUND && SND && SND_PCI", ("CONFIG_SOUND=y", "CONFIG_SND=y", "CONFIG_SND_PCI=y")
        ),
        "E1000E": Unmet("NETDEVICES && PCI && (!SPARC32 || BROKEN)", ("CONFIG_NETDEVICES=y",)),
    }


@pytest.mark.parametrize(
    ("expression", "missing"),
    [
        ("A [=n]", ("CONFIG_A=y",)),
        ("A [=m]", ()),
        ("!A [=y]", ("CONFIG_A=n",)),
        ("!A [=n]", ()),
        ("NOWHERE", ("CONFIG_NOWHERE=y",)),
        ("!NOWHERE", ()),
        ("A [=n] || B [=n]", ("CONFIG_A=y", "CONFIG_B=y")),
        ("A [=n] || B [=y]", ()),
        ("A [=y] && (B [=n] || C [=y]) && D [=n]", ("CONFIG_D=y",)),
        ("(A [=n] && B [=y] || C [=n]) && D [=y]", ("CONFIG_A=y", "CONFIG_C=y")),
        ("(A [=y] || (B [=n] && C [=n])) && (D [=n] || E [=n])", ("CONFIG_D=y", "CONFIG_E=y")),
        ("A [=y]=n", ("CONFIG_A=n",)),
        ("A [=n]=n [=n]", ()),
        ("A [=y]!=y [=y]", ("CONFIG_A!=y",)),
        ("A [=m]!=y [=y]", ()),
        ("GCC_VERSION [=140200]>=150000 [=150000] && A [=n]", ("CONFIG_A=y",)),
    ],
)
def test_unmet_names_what_is_missing(expression: str, missing: tuple[str, ...]) -> None:
    log = f"WARNING: unmet direct dependencies detected for X\n  Depends on [n]: {expression}\n"
    assert kconfig.unmet(log)["X"].missing == missing
