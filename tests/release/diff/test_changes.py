"""How two images differ, as the JSON of it says, and as it is told."""

import json
from dataclasses import asdict, replace

import pytest
from pydantic import TypeAdapter

from pipeline.checks import catalog
from pipeline.compare.difference import first_difference
from pipeline.formats.budget import MEMBERS, Budget
from pipeline.release.diff.changes import Comparison, StoredChange, compare, paired
from pipeline.release.diff.image_parts import MAX_CARRIED, image_side
from pipeline.release.diff.notes import rendered
from pipeline.release.diff.side import Component, Kernel, Side, Stored, Uki
from pipeline.release.diff.wording import markdown, text
from tests.conftest import Compare
from tests.fixtures import versions
from tests.fixtures.fat import fat
from tests.fixtures.initramfs import changed
from tests.fixtures.iso import iso
from tests.fixtures.newc import FILE, Raw
from tests.fixtures.pe import pe
from tests.fixtures.uki import CMDLINE, uki

SHAPE = TypeAdapter(Comparison)
APPLICATION_USE = 16 * 2048 + 900  # in the primary volume descriptor (ECMA-119, 8.4.32)
DEBIAN = {"busybox": Component(("1:1.37.0-6",), ("initramfs",)), "gone": Component(("1",))}
NEWER = {"busybox": Component(("1:1.37.0-7",), ("initramfs",)), "new": Component(("2", "3"))}


def between(old: bytes | None, new: bytes) -> Comparison:
    before = image_side(old, "old.iso") if old else None
    return compare(before, image_side(new, "new.iso"))


def test_the_schema_is_current(golden: Compare) -> None:
    """`pytest --update-golden` writes it anew."""
    dialect = "https://json-schema.org/draft/2020-12/schema"
    schema = {"$schema": dialect, **SHAPE.json_schema()}
    golden("../../docs/diff.schema.json", json.dumps(schema, indent=2) + "\n")


@pytest.mark.parametrize("old", [versions.old(), versions.new(), None], ids=["old", "same", "none"])
def test_all_that_is_written_is_of_the_shape(old: bytes | None) -> None:
    said = between(old, versions.new())
    assert SHAPE.validate_json(rendered(said, "json"), strict=True, extra="forbid") == said


@pytest.mark.parametrize("form", ["txt", "md"])
@pytest.mark.parametrize(("name", "old"), [("diff", versions.old()), ("first", None)])
def test_what_is_told_of_two_images_and_of_a_first_one(
    name: str, old: bytes | None, form: str, golden: Compare
) -> None:
    write = {"txt": text, "md": markdown}[form]
    golden(f"{name}.{form}", write(between(old, versions.new())))


def test_two_that_are_the_same_are_one_line() -> None:
    said = between(versions.old(), versions.old())
    assert (said.same, text(said)) == (True, "old.iso and new.iso are the same\n")
    assert markdown(said) == "# old.iso and new.iso are the same\n"


def test_images_that_differ_in_nothing_else_differ_somewhere() -> None:
    """A byte of the volume descriptor that is for applications: no part of the image is another one."""
    old = iso()
    new = old[:APPLICATION_USE] + b"x" + old[APPLICATION_USE + 1 :]
    difference = first_difference(old, new)
    assert difference
    said = compare(image_side(old, "a"), image_side(new, "b"), lambda: [difference.text()])
    assert (said.same, said.elsewhere) == (False, [difference.text()])
    assert text(said).splitlines()[1:4] == ["", "Bytes", f"  {difference.text()}"]


def test_where_images_differ_is_not_asked_where_a_part_says_it() -> None:
    sides = image_side(versions.old(), "a"), image_side(versions.new(), "b")
    assert compare(*sides, lambda: ["never"]).elsewhere == []


def test_packages_and_settings() -> None:
    old = Side("v1", packages=DEBIAN, crates={}, settings={"a": "1", "b": "2"})
    new = Side("v2", packages=NEWER, crates={}, settings={"a": "1", "c": ""})
    assert text(compare(old, new)) == (
        "v1 -> v2\n"
        "\n"
        "Debian packages: 1 added, 1 removed, 1 changed\n"
        "  ~ busybox: 1:1.37.0-6 -> 1:1.37.0-7 (initramfs)\n"
        "  - gone: 1\n"
        "  + new: 2, 3\n"
        "\n"
        "Settings: 1 added, 1 removed\n"
        "  - b: 2\n"
        "  + c\n"
    )


@pytest.mark.parametrize(
    ("old", "new", "untold"),
    [
        (None, None, "packages: v1 and v2 do not say them"),
        (None, NEWER, "packages: v1 does not say them"),
        (DEBIAN, None, "packages: v2 does not say them"),
    ],
)
def test_what_one_side_does_not_say_is_not_compared(
    old: dict[str, Component] | None, new: dict[str, Component] | None, untold: str
) -> None:
    a, b = (
        Side(name, artifacts={name: Stored(1, "")}, crates={}, untold=("of a file",)) for name in ("v1", "v2")
    )
    said = compare(replace(a, packages=old), replace(b, packages=new))
    assert said.packages is None
    assert said.untold == ["v1: of a file", "v2: of a file", untold]


def test_options_are_not_compared_with_those_that_nobody_knows() -> None:
    old, new = (Side("x", kernels={"": Kernel("6.12", options)}) for options in ({"X": "y"}, None))
    said = text(compare(old, new))
    assert "Kernel: 6.12\n  its options are not known: it has no configuration inside\n" in said


def test_an_option_that_is_off_is_not_there() -> None:
    """But where a fragment is silent, what comes of it is open."""
    options = {"A": "n", "B": "y"}, {"B": "n", "C": "n"}
    for asked, names in ((False, ["B"]), (True, ["A", "B", "C"])):
        old, new = (Side("x", kernels={"": Kernel("", each, asked)}) for each in options)
        assert [one.name for one in compare(old, new).kernels[0].options or ()] == names
    old, new = (Side("x", kernels={"": Kernel("6.12", each)}) for each in ({"A": "n"}, {"B": "n"}))
    assert compare(old, new).same


@pytest.mark.parametrize(
    ("old", "new", "row"),
    [
        (None, "6.12", "  + 6.12 is added"),
        ("6.12", None, "  - 6.12 is removed"),
        ("", None, "  - is removed"),
    ],
)
def test_a_kernel_that_comes_or_goes(old: str | None, new: str | None, row: str) -> None:
    sides = (
        Side("x", kernels={} if version is None else {"a": Kernel(version, {"X": "y"})})
        for version in (old, new)
    )
    before, after = sides
    assert f"\nKernel of a\n{row}\n" in text(compare(before, after))


def test_programs_of_other_boot_loaders_are_files() -> None:
    old, new = (iso(fat({"EFI/BOOT/BOOTX64.EFI": pe({".text": code})})) for code in (b"a", b"b"))
    said = compare(image_side(old, "a"), image_side(new, "b"))
    assert [(one.path, one.changes[0].name) for one in said.archives] == [("efi.img", "EFI/BOOT/BOOTX64.EFI")]


def test_parameters_in_another_order() -> None:
    old, new = (Side("x", ukis={"": Uki({}, line)}) for line in ("x y", "y x"))
    assert "\nCommand line\n  - x y\n  + y x\n" in text(compare(old, new))


def test_one_that_is_left_on_either_side_is_the_same_thing() -> None:
    assert paired({"a": 1, "b": 2}, {"a": 3, "c": 4}) == [("a", 1, 3), ("c", 2, 4)]
    assert paired({"b": 2}, {"c": 4, "d": 5}) == [("c", None, 4), ("d", None, 5), ("b", 2, None)]


def test_a_uki_is_compared_with_one_in_an_iso() -> None:
    said = compare(image_side(uki(), "x.efi"), image_side(iso(), "x.iso"))
    assert (said.ukis, said.kernels, said.mistakes) == ([], [], [])
    assert [archive.kind for archive in said.archives] == ["iso", "fat"]


def test_a_uki_that_an_initramfs_carries_is_looked_into() -> None:
    """As is the one that this one carries; what lies deeper than anybody puts it is a file."""
    old, new = changed(Raw("b", FILE, b"x")), changed(Raw("b", FILE, b"y"))
    for depth in range(MAX_CARRIED + 1):
        old, new = (changed(Raw(f"{depth}.efi", FILE, uki({".initrd": inner}))) for inner in (old, new))
    said = compare(image_side(old, "old"), image_side(new, "new"))
    paths = [one.path for one in said.archives]
    assert paths[:2] == ["", f"{MAX_CARRIED}.efi!.initrd"]
    assert len(paths) == MAX_CARRIED + 1
    assert [one.changes[0].name for one in said.archives][-1] == "0.efi"


def test_what_an_initramfs_carries_breaks_rules_of_its_own() -> None:
    old, new = (
        changed(Raw("a.efi", FILE, uki({".cmdline": line}))) for line in (CMDLINE, CMDLINE + b" ro rw")
    )
    said = compare(image_side(old, "old"), image_side(new, "new"))
    assert [(one.code, one.path) for one in said.mistakes] == [("CMD005", "a.efi!.cmdline")]


def test_what_was_not_looked_at_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "for_file", lambda _size: Budget({MEMBERS: 20}, 60))
    side = image_side(iso(), "x")
    assert side.untold[-1] == f"not all of {versions.PATH}!.initrd was looked at"


def test_rows_have_an_end() -> None:
    new = Side("b", artifacts={f"{number:03}": Stored(1, "") for number in range(201)})
    lines = text(compare(Side("a"), new)).splitlines()
    assert "  … and 1 more; `--format json` has all" in lines
    assert "  + 200: 1 B" not in lines
    assert "- … and 1 more" in markdown(compare(Side("a"), new))


@pytest.mark.parametrize(
    ("name", "item"),
    [
        ("a", "- added `a`: 1 B"),
        ("a`b", "- added `` a`b ``: 1 B"),
        ("``", "- added ``` `` ```: 1 B"),
        ("<b>*x*", "- added `<b>*x*`: 1 B"),
    ],
)
def test_no_name_is_markup(name: str, item: str) -> None:
    assert item in markdown(compare(Side("a"), Side("b", artifacts={name: Stored(1, "")}))).splitlines()


@pytest.mark.parametrize(
    ("name", "heading"),
    [
        ("a_b <x>", r"# a\_b \<x> -> b"),
    ],
)
def test_no_sentence_is_markup(name: str, heading: str) -> None:
    sides = Side(name), Side("b", artifacts={"x": Stored(1, "")})
    assert markdown(compare(*sides)).splitlines()[0] == heading


@pytest.mark.parametrize(("words", "item"), [("# x", r"- \# x"), ("1. x", r"- 1\. x"), ("x. 1", "- x. 1")])
def test_no_sentence_begins_as_markup(words: str, item: str) -> None:
    sides = Side("a"), Side("b", artifacts={"x": Stored(1, "")})
    assert item in markdown(compare(*sides, lambda: [words])).splitlines()


@pytest.mark.parametrize(
    ("old", "new", "row"),
    [
        (Stored(1000, "a"), Stored(2000, "b"), "1.0 kB -> 2.0 kB"),
        (Stored(1001, "a"), Stored(1002, "b"), "1001 B -> 1002 B"),
        (Stored(5, "a"), Stored(5, "b"), "other bytes, 5 B as before"),
        (Stored(5, "a", "-rw-r--r--"), Stored(5, "a", "-rwxr-xr-x"), "-rw-r--r-- -> -rwxr-xr-x"),
        (Stored(5, "a", owner="0:0"), Stored(5, "a", owner="1:0"), "0:0 -> 1:0"),
        (Stored(1, "a", target="x"), Stored(2, "b", target="yy"), "x -> yy"),
    ],
)
def test_how_a_file_changed(old: Stored, new: Stored, row: str) -> None:
    sides = Side("a", artifacts={"x": old}), Side("b", artifacts={"x": new})
    assert f"  ~ x: {row}\n" in text(compare(*sides))
    assert compare(*sides).artifacts == [StoredChange("x", old, new)]


def test_json_is_what_the_classes_hold() -> None:
    said = between(versions.old(), versions.new())
    assert json.loads(rendered(said, "json")) == json.loads(json.dumps(asdict(said)))
