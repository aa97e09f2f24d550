"""Which sections count, in which profile: what the stub takes, and what is said of each profile."""

import pytest

from pipeline.checks.catalog import take_apart
from pipeline.checks.pe.uki_profiles import left_out, profiles, views
from pipeline.formats.pe import read_pe
from pipeline.inspection import initramfs, linux
from tests.fixtures.bzimage import bzimage
from tests.fixtures.initramfs import changed
from tests.fixtures.pe import pe
from tests.fixtures.uki import CMDLINE, uki

MAIN = (".profile", b"ID=main\nTITLE='All of it'\n")
RESCUE = (".profile", b'TITLE="A way out"\nID=rescue\n\0\0')
OLD_STUB = b"\0".join([b".linux", b".osrel", b".cmdline", b".initrd", b".splash", b""])
NEW_STUB = OLD_STUB + b".profile\0.uname\0"

Sections = list[tuple[str, bytes]]


def taken(*more: tuple[str, bytes], stub: bytes = b"\xc3") -> list[dict[str, list[str]]]:
    """Which sections count in each profile, by their own names, of what is no file of its own."""
    image = pe([(".text", stub), (".linux", b"L"), *more])
    return [
        {name: [own for _, own in many] for name, many in profile.takes.items() if name != ".linux"}
        for profile in profiles(read_pe(image))
    ]


@pytest.mark.parametrize(
    ("more", "counts"),
    [
        ([(".cmdline", b"a")], [{".cmdline": [".cmdline"]}]),
        ([(".cmdline", b"a"), (".cmdline", b"b")], [{".cmdline": [".cmdline"]}]),
        ([(".dtbauto", b"a"), (".dtbauto", b"b")], [{".dtbauto": [".dtbauto", ".dtbauto (2)"]}]),
        ([(".mine", b"a")], [{}]),
        (
            [(".cmdline", b"a"), MAIN, RESCUE, (".cmdline", b"b"), (".initrd", b"i")],
            [
                {".profile": [".profile"], ".cmdline": [".cmdline"]},
                {".profile": [".profile (2)"], ".cmdline": [".cmdline (2)"], ".initrd": [".initrd"]},
            ],
        ),
        (
            [(".dtbauto", b"a"), MAIN, (".dtbauto", b"b")],
            [{".profile": [".profile"], ".dtbauto": [".dtbauto (2)", ".dtbauto"]}],
        ),
    ],
)
def test_what_the_stub_takes(more: Sections, counts: list[dict[str, list[str]]]) -> None:
    assert taken(*more) == counts
    assert taken(*more, stub=b"no names of sections") == counts


def test_a_stub_takes_what_it_knows() -> None:
    more = [(".cmdline", b"a"), (".ucode", b"u"), MAIN, (".cmdline", b"b")]
    assert taken(*more, stub=OLD_STUB) == [{".cmdline": [".cmdline (2)"]}]
    assert taken(*more, stub=NEW_STUB) == [{".profile": [".profile"], ".cmdline": [".cmdline (2)"]}]


def test_profiles_have_names() -> None:
    image = uki(more=[MAIN, RESCUE, (".profile", b"VERSION=1\n")])
    assert [(one.number, one.id, one.title, one.label) for one in profiles(read_pe(image))] == [
        (0, "main", "All of it", "profile @0 (main)"),
        (1, "rescue", "A way out", "profile @1 (rescue)"),
        (2, "", "", "profile @2"),
    ]
    assert [one.label for one in profiles(read_pe(uki()))] == [""]


@pytest.mark.parametrize(
    ("more", "stub", "out"),
    [
        ([(".cmdline", b"a"), (".cmdline", b"b"), (".text", b"")], b"", [(".cmdline (2)", ".cmdline")]),
        ([(".cmdline", b"a"), (".cmdline", b"b")], OLD_STUB, [(".cmdline", ".cmdline (2)")]),
        ([(".cmdline", b"a"), (".cmdline", b"")], b"", []),
        (
            [(".cmdline", b"a"), MAIN, (".cmdline", b"b"), (".cmdline", b"c")],
            b"",
            [(".cmdline (3)", ".cmdline (2)")],
        ),
        ([(".cmdline", b"a"), MAIN, (".cmdline", b"b")], NEW_STUB, []),
        ([(".dtbauto", b"a"), (".dtbauto", b"b"), (".efifw", b"a"), (".efifw", b"b")], b"", []),
    ],
)
def test_what_the_stub_leaves_out(more: Sections, stub: bytes, out: list[tuple[str, str]]) -> None:
    image = pe([(".text", stub + b"\xc3"), (".linux", b"L"), *more])
    assert list(left_out(read_pe(image))) == out


def test_an_empty_section_counts_as_none() -> None:
    (profile,) = profiles(read_pe(pe([(".linux", b"L"), (".cmdline", b""), (".cmdline", b"b")])))
    assert profile.one(".cmdline") is None
    assert profile.one(".initrd") is None


def test_a_profile_is_seen_as_a_program_of_its_own() -> None:
    node = take_apart(uki(more=[MAIN, RESCUE, (".cmdline", b"rdinit=/gone")]), "uki")
    (_, main), (_, rescue) = views(node)
    for view, line, own in ((main, CMDLINE, ".cmdline"), (rescue, b"rdinit=/gone", ".cmdline (2)")):
        part = view.child(".cmdline")
        assert part
        assert (bytes(part.member.image), part.member.facts["section"]) == (line, own)
        assert view.child(".linux") is not None
    assert [(finding.code, finding.message[:52]) for finding in node.all_findings()] == [
        ("UKI013", "in profile @1 (rescue): Linux would start /gone from")
    ]


def test_a_fault_of_all_profiles_is_told_once() -> None:
    image = uki({".cmdline": b"rdinit=/gone"}, more=[MAIN, RESCUE])
    (finding,) = take_apart(image, "uki").all_findings()
    assert finding.message.startswith("Linux would start /gone")


def test_a_section_that_counts_for_nothing_is_told() -> None:
    image = uki(more=[(".cmdline", b"rdinit=/nowhere bugcase=second")])
    node = take_apart(image, "uki")
    (finding,) = node.all_findings()
    assert (finding.code, finding.severity.value) == ("UKI018", "warning")
    assert linux.command_line(node).value == CMDLINE.decode()
    assert initramfs.init(node).value == "/sbin/init"


def test_the_answers_are_those_of_the_first_profile() -> None:
    image = uki(more=[MAIN, (".cmdline", b"rdinit=/bin/busybox quiet"), RESCUE, (".cmdline", b"rdinit=/x")])
    node = take_apart(image, "uki")
    said = linux.command_line(node)
    assert (said.value, said.because) == (
        "rdinit=/bin/busybox quiet",
        ".cmdline (2); 1 more in other profiles",
    )
    assert initramfs.init(node).value == "/bin/busybox"


def test_an_empty_initrd_is_none() -> None:
    node = take_apart(uki({".initrd": b"", ".linux": bzimage()}, more=[(".initrd", changed())]), "uki")
    ((_, view),) = views(node)
    assert view.child(".initrd") is None
