import pytest

from pipeline.errors import ConfigError
from pipeline.steps.repart import KNOWN, REFUSED, read_definitions, specifiers

INPUTS = {"esp.img": 3 << 20, "root.img": 5000}
ESP = "# the firmware's\n[Partition]\nType=esp\nLabel=EFI\nCopyBlocks=/esp.img\n"
UNKNOWN = "no file system of the recipe; there are /esp.img, /root.img"
TWICE = "the label 'EFI' is given twice, also in repart.d/a.conf: it has to find one partition"


def test_definitions_are_read_in_their_order() -> None:
    found = read_definitions(
        {"20-var.conf": "[Partition]\nType = var\nSizeMinBytes = 8M\n", "10-esp.conf": ESP}, INPUTS
    )
    assert [(one.file, one.content, one.label, one.size("SizeMinBytes")) for one in found] == [
        ("repart.d/10-esp.conf", "esp.img", "EFI", 0),
        ("repart.d/20-var.conf", "", "", 8 << 20),
    ]


def test_labels_say_image_and_version_and_many_are_empty() -> None:
    empty = "[Partition]\nType=root\nLabel=_empty\nSizeMinBytes=8M\n"
    files = {"a.conf": ESP.replace("=EFI", "=%M_%A_x"), "b.conf": empty, "c.conf": empty}
    found = read_definitions(files, INPUTS, specifiers("toy", "1.0"))
    assert [one.label for one in found] == ["toy_1.0_x", "_empty", "_empty"]


def said(text: str, name: str = "a.conf") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_definitions({name: text}, INPUTS)
    assert caught.value.hint
    return caught.value.mistakes


@pytest.mark.parametrize("setting", sorted(REFUSED))
def test_what_it_would_do_itself_is_refused_with_the_reason(setting: str) -> None:
    assert setting not in KNOWN
    assert said(f"{ESP}{setting}=x\n") == [f"repart.d/a.conf:6: {setting}= is not taken: {REFUSED[setting]}"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("Colour=red", "Colour= is unknown; there are " + ", ".join(sorted(KNOWN))),
        ("Type=var", "Type= is given twice"),
        ("Weight", "'Weight' is no setting: those are NAME=VALUE"),
        ("=x", "'' is no setting: those are NAME=VALUE"),
        ("Weight=", "Weight= is empty: leave it out"),
        (
            "UUID=%m",
            "UUID= has a specifier (%), which the machine that builds fills in: write it out, in one line",
        ),
        ("Weight=1\\", "Weight= has a second line: write it out, in one line"),
        (
            "UUID=%A",
            "UUID= has a specifier (%), which the machine that builds fills in: write it out, in one line",
        ),
        (
            "SizeMinBytes=1.5G",
            "SizeMinBytes=1.5G is no size: a number of bytes, with K, M, G or T for powers of 1024",
        ),
        ("[Verity]", "[Verity] is no section of repart.d, [Partition] is"),
    ],
)
def test_a_line_that_is_not_taken_is_told(line: str, why: str) -> None:
    assert said(f"{ESP}{line}\n")[0] == f"repart.d/a.conf:6: {why}"


@pytest.mark.parametrize(
    ("text", "mistakes"),
    [
        (
            "Type=esp\n",
            [
                "repart.d/a.conf:1: Type= stands in no section: write [Partition] above it",
                "repart.d/a.conf: neither CopyBlocks= nor SizeMinBytes=: an empty partition needs a size",
            ],
        ),
        (
            "[Partition]\nLabel=x\n",
            [
                "repart.d/a.conf: Type= is missing: a partition has a type",
                "repart.d/a.conf: neither CopyBlocks= nor SizeMinBytes=: an empty partition needs a size",
            ],
        ),
        (
            "[Partition]\nType=swap\nSizeMinBytes=1M\n",
            [
                "repart.d/a.conf:2: Type=swap is not taken: systemd-repart would format it; have it made at "
                "first boot"
            ],
        ),
        (
            "[Partition]\nType=var\nCopyBlocks=/var.img\nSizeMinBytes=1M\n",
            [f"repart.d/a.conf:3: CopyBlocks=/var.img is {UNKNOWN}"],
        ),
        (
            "[Partition]\nType=var\nCopyBlocks=root.img\n",
            [f"repart.d/a.conf:3: CopyBlocks=root.img is {UNKNOWN}"],
        ),
        (
            f"[Partition]\nType=var\nSizeMinBytes=1M\nLabel={37 * 'x'}\n",
            ["repart.d/a.conf:4: Label= has more than the 36 letters that a GPT has for it"],
        ),
        (
            ESP + "SizeMaxBytes=2M\n",
            [
                "repart.d/a.conf: the partition is too small: SizeMaxBytes= is 2097152 bytes, its content or "
                "SizeMinBytes= 3145728"
            ],
        ),
    ],
)
def test_a_definition_that_cannot_be_is_told(text: str, mistakes: list[str]) -> None:
    assert said(text) == mistakes


@pytest.mark.parametrize("name", ["README", "a.conf.d/b.conf", "a.con"])
def test_other_files_are_told(name: str) -> None:
    assert said(ESP, name) == [
        f"repart.d/{name}: not a file repart.d/*.conf, which is all that systemd-repart is given"
    ]


def test_a_disk_has_partitions() -> None:
    with pytest.raises(ConfigError, match="and a disk has partitions"):
        read_definitions({}, INPUTS)


def test_a_label_is_given_once_and_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        read_definitions({"a.conf": ESP, "b.conf": ESP, "c.conf": ESP + "Format=vfat\n"}, INPUTS)
    assert caught.value.mistakes == [
        f"repart.d/c.conf:6: Format= is not taken: {REFUSED['Format']}",
        f"repart.d/b.conf: {TWICE}",
        f"repart.d/c.conf: {TWICE}",
    ]
