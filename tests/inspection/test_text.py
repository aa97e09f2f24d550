"""What a person reads: golden, so that a change is read aloud."""

from collections.abc import Iterable

import pytest

from pipeline.checks.catalog import take_apart
from pipeline.checks.finding import Finding, Severity
from pipeline.checks.kind import Member, Node
from pipeline.inspection import document, evidence, text
from pipeline.inspection.questions import answers, interviewed
from tests.conftest import Compare
from tests.fixtures import patch
from tests.fixtures.bzimage import bzimage
from tests.fixtures.fat import fat
from tests.fixtures.initramfs import initramfs, members
from tests.fixtures.iso import iso
from tests.fixtures.newc import DIRECTORY, FILE, Raw
from tests.fixtures.pe import pe
from tests.fixtures.signed import EC, signed
from tests.fixtures.signer import sign
from tests.fixtures.uki import uki


def joined(lines: Iterable[text.Line]) -> str:
    return "".join(f"{line}\n" for line, _ in lines)


def whole(name: str, image: bytes) -> str:
    node = take_apart(image, name)
    return joined(
        [
            text.heading(name, node),
            *text.told(answers(node)),
            *text.tree(node, whole=False),
            *text.findings(document.problems(name, node), name),
        ]
    )


def test_a_good_iso(golden: Compare) -> None:
    golden("inspect-good.txt", whole("good.iso", iso()))


def test_an_iso_whose_entry_points_at_a_program(golden: Compare) -> None:
    golden("inspect-pe.txt", whole("pe.iso", iso(uki())))


def test_an_initramfs_that_is_damaged(golden: Compare) -> None:
    damaged = initramfs([])[:-4]
    golden("inspect-damaged.txt", whole("damaged.efi", uki({".initrd": damaged})))


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (9949, "9.9 kB"),
        (9950, "10 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (4 << 30, "4.3 GB"),
        (1 << 50, "1.1 PB"),
        (1 << 62, "4.6 EB"),
    ],
)
def test_sizes_are_as_people_read_them(number: int, words: str) -> None:
    assert text.size(number) == words


def test_what_nothing_starts_has_no_answers_of_a_program() -> None:
    node, said = interviewed(take_apart(fat({"README.TXT": b"x"}), "x"))
    assert [line.split("  ")[1] for line, _ in text.told(said)] == [
        "UEFI, from USB",
        "BIOS, from USB",
        "Heads",
        "Linux",
        "missing",
    ]
    assert [finding.code for finding in node.findings] == ["BOOT001"]


def test_a_program_alone_has_its_answers() -> None:
    sbat = b"sbat,1,SBAT Version,sbat,1,https://example.org/\ngrub,5,x,grub,1,https://example.org/\n"
    node = take_apart(sign(pe({".text": b"x", ".sbat": sbat})), "grubx64.efi")
    assert [line for line, _ in text.told(answers(node))] == [
        "  started by UEFI  yes: it is an EFI application for x86-64",
        "  Secure Boot      if the firmware trusts Test signer, where SbatLevel is older than 2025112400 "
        "(it is signed by Test signer; SbatLevel 2025112400 and newer refuse grub,5)",
        "  SBAT             sbat 1, grub 5, where SbatLevel is older than 2025112400 "
        "(SbatLevel 2025112400 and newer refuse grub,5)",
        "  architecture     x86-64",
    ]
    said = answers(take_apart(signed(EC), "x.efi"))
    assert [line for line, _ in text.told(said) if "Secure" in line] == [
        "  Secure Boot      if the firmware trusts Second signer, where the firmware takes ECDSA "
        "(it is signed by Second signer)"
    ]


def test_a_kernel_s_own_signature_is_shown() -> None:
    node = take_apart(uki({".linux": sign(bzimage(), "A", "B")}), "x.efi")
    lines = [line for line, _ in text.tree(node, whole=False)]
    assert lines[-1].endswith("Linux kernel, 6.12.1-test, signed by A and B")


def test_where_one_way_works_the_others_say_what_they_lack() -> None:
    image = iso(finish=lambda image, *_: image)
    _, said = interviewed(take_apart(patch(image, 17 * 2048 + 7, bytes(32)) + bytes(512), "x"))
    assert not any("hint: " in line for line, _ in text.told(said))
    _, said = interviewed(take_apart(patch(iso(), 17 * 2048 + 7, bytes(32)), "x"))
    lines = [line for line, _ in text.told(said)]
    assert lines[1].startswith("                   hint: give xorriso `-e efi.img -no-emul-boot`")


@pytest.mark.parametrize("way", evidence.WAYS)
def test_an_answer_has_a_chain_of_evidence(golden: Compare, way: str) -> None:
    node, said = interviewed(take_apart(iso(), "good.iso"))
    answer = next(each for each in said if each.question == evidence.WAYS[way])
    golden(f"inspect-why-{way}.txt", joined(text.evidence(answer, evidence.steps(node, way))))


def many(count: int) -> bytes:
    files = [Raw(f"etc/{number:03}", FILE, b"x") for number in range(count)]
    return initramfs([Raw("etc", DIRECTORY), *files, *members().values()])


def test_of_many_members_those_are_shown_that_say_something() -> None:
    node = take_apart(many(100), "many")
    shown = [line.split("  ")[0].strip(" ├└─│") for line, _ in text.tree(node, whole=False)]
    assert shown == [
        "many",
        "bin/busybox",
        "bin/installer",
        "etc/inittab",
        "… and 106 more (--tree shows all)",
    ]


def test_the_whole_tree_shows_all() -> None:
    node = take_apart(many(100), "many")
    assert len(list(text.tree(node, whole=True))) == 1 + 1 + 100 + len(members())


def test_where_nothing_is_known_the_first_are_shown() -> None:
    node = Node(Member("x", b""), None, None, (), tuple(_file(f"f{n}") for n in range(20)))
    lines = joined(text.tree(node, whole=False)).splitlines()
    assert len(lines) == 1 + text.FEW + 1
    assert lines[-1] == "└── … and 4 more (--tree shows all)"


def _file(name: str) -> Node:
    return Node(Member(name, b"", kind=""), None, None)


def test_what_was_left_out_is_said() -> None:
    node = Node(Member("x", b""), None, None, (), (_file("a"),), left_out=True)
    assert joined(text.tree(node, whole=True)).splitlines()[-1] == "└── … and more that are not looked at"


def test_a_strangers_name_stays_in_its_line() -> None:
    image = initramfs([Raw("a\x1b[2J\n", FILE, b"x")])
    node = take_apart(image, "odd\n")
    assert [line.split("  ")[0] for line, _ in text.tree(node, whole=True)] == [
        "odd\\x0a",
        "└── a\\x1b[2J\\x0a",
    ]


def _finding(code: str, severity: Severity) -> Finding:
    return Finding(code, severity, "it is wrong", "mend it")


def test_errors_come_first_and_are_counted() -> None:
    found = (_finding("B001", Severity.WARNING), _finding("A001", Severity.ERROR))
    node = Node(Member("x", b""), None, None, found)
    assert joined(text.findings(document.problems("x", node), "x")) == (
        "findings: 1 error, 1 warning\n"
        "  error A001\n    it is wrong\n    hint: mend it\n"
        "  warning B001\n    it is wrong\n    hint: mend it\n"
        "docs/checks.md explains every code\n"
    )


def test_no_more_findings_than_anybody_reads() -> None:
    node = Node(Member("x", b""), None, None, (_finding("A001", Severity.ERROR),) * 60)
    lines = joined(text.findings(document.problems("x", node), "x")).splitlines()
    assert lines[0] == "findings: 60 errors, 0 warnings"
    assert lines[-2] == "  … and 10 more (--json shows all)"


def test_a_file_system_without_a_label() -> None:
    node = take_apart(fat({}, label=""), "x.img")
    assert joined(text.tree(node, whole=False)) == "x.img  33 kB              FAT file system, FAT12\n"
