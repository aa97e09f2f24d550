import json
from collections.abc import Mapping

import pytest

from pipeline.checks.boot.view import NOTHING, boot_of
from pipeline.checks.catalog import take_apart
from pipeline.checks.finding import Severity
from pipeline.formats.heads import HASHES, SIGNATURE, TREE
from tests.fixtures.boot_tree import (
    FILES,
    FILLED,
    KERNEL,
    VMLINUZ,
    bls,
    boot_tree,
    entry,
    files_of,
    listed,
    menu,
    on_ext,
)
from tests.fixtures.bzimage import bzimage
from tests.fixtures.case import Case, found, name, told
from tests.fixtures.fat import fat
from tests.fixtures.iso import iso_of
from tests.fixtures.root import In, link

GOOD = boot_tree()
OTHER = entry(0, title="Other")
MISNAMED = entry(0, kernel="/vmlinuz-000000000000")
INDEX = "boot-tree.json"


def index(*entries: object) -> dict[str, bytes]:
    return FILES | {INDEX: json.dumps({"entries": entries}).encode()}


CASES = (
    Case("TREE000", b"", ("tar: no archive",)),
    Case("TREE000", boot_tree({"a": b""}), ("/boot-tree.json is not there",)),
    Case(
        "TREE000",
        boot_tree(FILES | {INDEX: b"{"}),
        (
            "/boot-tree.json: it is no JSON: Expecting property name enclosed in double quotes: "
            "line 1 column 2 (char 1)",
        ),
    ),
    Case(
        "TREE000",
        boot_tree(index({"id": "toy-0"})),
        (
            "/boot-tree.json: entries is no list of objects with id, title, system, kernel, kernel_sha256, "
            "initrd, initrd_sha256, cmdline",
        ),
    ),
    Case(
        "TREE001",
        boot_tree(FILES | {"kexec": b""}, In("kexec.sh", mode=0o755), link("kexec.link", "vmlinuz")),
        (
            "/kexec.sh has mode 0755, not 0644",
            "/kexec.link is neither a file nor a folder: its mode is lrwxrwxrwx",
        ),
    ),
    Case(
        "TREE002",
        boot_tree(index(entry(0) | {"kernel_sha256": "0" * 64}, entry(1))),
        (f"/boot-tree.json: toy-0: {VMLINUZ} has another digest than '{'0' * 64}'",),
    ),
    Case(
        "TREE003",
        boot_tree(FILES | {"grub/grub.cfg": menu(OTHER, entry(1))}),
        ("/grub/grub.cfg: toy-0: title is 'Other 0', in /boot-tree.json 'Toy 0'",),
    ),
    Case(
        "TREE003",
        boot_tree(FILES | {"grub/grub.cfg": menu(entry(0))}),
        ("/grub/grub.cfg: it has 1 entries, /boot-tree.json 2",),
    ),
    Case(
        "TREE004",
        boot_tree(FILES | {"loader/entries/toy-0.conf": bls(OTHER)}),
        ("/loader/entries: toy-0: title is 'Other 0', in /boot-tree.json 'Toy 0'",),
    ),
    Case(
        "TREE005",
        boot_tree(files_of(MISNAMED)),
        ("/vmlinuz-000000000000 has another digest than its name says",),
    ),
)

NAMES = {"vmlinuz": KERNEL, "initrd.img": b"i"}
ENTRY = """menuentry 'Toy' --id toy {
  linux /vmlinuz quiet
  initrd /initrd.img
}
"""
BLS = "title Toy\nversion 1\nlinux /vmlinuz\ninitrd /initrd.img\noptions quiet\n"
HERE = "/grub/grub.cfg: line 1: entry 'Toy': "
OF_HEADS = "/grub/grub.cfg: entry 'Toy': "
LABEL = f"label toy\n linux /vmlinuz\n append {'a' * 2048}\n\n"


def grub(text: str, more: Mapping[str, bytes] | None = None) -> bytes:
    return on_ext({**NAMES, "grub/grub.cfg": text.encode(), **(more or {})})


def type_1(text: str, path: str = "toy.conf", more: Mapping[str, bytes] | None = None) -> bytes:
    return on_ext({**NAMES, f"loader/entries/{path}": text.encode(), **(more or {})})


def heads(*changes: tuple[str, str], **more: bytes) -> bytes:
    text = ENTRY
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return on_ext(listed({**NAMES, **FILLED, "grub/grub.cfg": text.encode(), **more}))


def changed(**changes: bytes | None) -> bytes:
    """A /boot that was changed after its lists were made."""
    files = listed({**NAMES, **FILLED, "gone": b"", "grub/grub.cfg": ENTRY.encode()})
    made = {name.replace("__", "."): data for name, data in changes.items()}
    return on_ext({name: data for name, data in (files | made).items() if data is not None})


SMALL = on_ext(listed({**NAMES, "grub/grub.cfg": ENTRY.encode()}))

ON_EXT = (
    Case(
        "GRUB001",
        grub("menuentry 'Toy' {\n"),
        ("/grub/grub.cfg: line 2: the end stands where a command has to be",),
    ),
    Case("GRUB002", grub("set timeout=1\n"), ("/grub/grub.cfg: it has no entry",)),
    Case("GRUB003", grub(ENTRY.replace("/vmlinuz", "/no")), (HERE + "the kernel /no is not there",)),
    Case(
        "GRUB003",
        grub("search --label --set=root ROOT\n" + ENTRY.replace("/vmlinuz", "/boot/vmlinuz")),
        ("/grub/grub.cfg: line 2: entry 'Toy': the kernel (search:label:ROOT)/boot/vmlinuz is not there",),
    ),
    Case("GRUB004", grub(ENTRY.replace("/initrd.img", "/no.img")), (HERE + "/no.img is not there",)),
    Case(
        "GRUB005",
        grub("set default=other\n" + ENTRY),
        ("/grub/grub.cfg: default is 'other', and no entry is called so",),
    ),
    Case(
        "GRUB006",
        grub("source /grub/more.cfg\n" + ENTRY),
        ("/grub/grub.cfg: it goes on with /grub/more.cfg, which is not there",),
    ),
    Case(
        "GRUB007",
        grub(ENTRY, {"vmlinuz": b"#!/bin/sh\n", "initrd.img": b""}),
        (HERE + "/vmlinuz is a script (#!/bin/sh), no kernel", HERE + "/initrd.img is empty"),
    ),
    Case("GRUB008", grub(ENTRY.replace("quiet", "a" * 2048)), (HERE + "its command line has 2048 bytes",)),
    Case("GRUB009", grub(ENTRY * 2), ("/grub/grub.cfg: 2 entries have the id 'toy'",)),
    Case(
        "GRUB010",
        grub(ENTRY, {"grub/grubenv": b"#" * 1023, "grub/x/grubenv": b"#" * 1024}),
        (
            "/grub/grubenv has 1023 bytes, where an environment block has 1024",
            "/grub/x/grubenv does not begin with '# GRUB Environment Block'",
        ),
    ),
    Case(
        "BLS001",
        type_1("title Toy\n"),
        ("/loader/entries/toy.conf: it has neither linux nor efi, uki or uki-url",),
    ),
    Case(
        "BLS002",
        type_1(BLS, "my toy.conf"),
        ("/loader/entries/my toy.conf: 'my toy.conf' is no name for an entry",),
    ),
    Case("BLS003", type_1(BLS.replace("/vmlinuz", "/no")), ("/loader/entries/toy.conf: /no is not there",)),
    Case(
        "BLS004",
        type_1(BLS.replace("/initrd.img", "/no.img") + "devicetree /no.dtb\n"),
        (
            "/loader/entries/toy.conf: /no.dtb is not there",
            "/loader/entries/toy.conf: /no.img is not there",
        ),
    ),
    Case(
        "BLS005",
        type_1(BLS + "title Toy\nefi /vmlinuz\n"),
        (
            "/loader/entries/toy.conf: title is there more than once",
            "/loader/entries/toy.conf: it has linux and efi, where one of them can be started",
        ),
    ),
    Case(
        "BLS006",
        type_1(BLS + "machine-id ABC\nsort-key a b\n"),
        (
            "/loader/entries/toy.conf: machine-id is 'ABC'",
            "/loader/entries/toy.conf: sort-key is 'a b'",
        ),
    ),
    Case(
        "BLS007",
        type_1(BLS + "architecture x86_64\n"),
        ("/loader/entries/toy.conf: architecture is 'x86_64'",),
    ),
    Case(
        "BLS008",
        type_1(BLS.replace("/vmlinuz", "vmlinuz")),
        ("/loader/entries/toy.conf: 'vmlinuz' does not begin at the partition's top",),
    ),
    Case(
        "BLS009",
        type_1(BLS, more={"loader/entries/b.conf": BLS.encode()}),
        ("2 entries are shown as 'Toy 1'",),
    ),
    Case(
        "HEADS001",
        on_ext(listed({**NAMES, **FILLED, "boot.cfg": ENTRY.encode()})),
        ("nothing at its top is called grub, by which Heads knows a /boot",),
    ),
    Case(
        "HEADS002",
        heads(("/vmlinuz", "(hd0,1)/boot/vmlinuz")),
        (OF_HEADS + "/boot/vmlinuz is not there",),
    ),
    Case(
        "HEADS002",
        heads(("/vmlinuz", "(hd0,1)/gnu/store/0000-linux/bzImage")),
        (OF_HEADS + "/gnu/store/0000-linux/bzImage is not there",),
    ),
    Case(
        "HEADS003",
        heads(("/initrd.img", "(hd0,1)/no.img")),
        (OF_HEADS + "/no.img is not there, and Heads leaves this entry out and all behind it",),
    ),
    Case(
        "HEADS004",
        heads(**{"EFI/toy/more.cfg": b"", "grub/my menu.cfg": b""}),
        (
            "/EFI/toy/more.cfg: it lies below EFI, where Heads does not look",
            "/grub/my menu.cfg: its path has a blank, at which Heads cuts it",
        ),
    ),
    Case(
        "HEADS005",
        heads(("\n  linux", " linux"), ("\n  initrd", "; initrd"), ("\n}", "; }")),
        (OF_HEADS + "it is not closed by a line of only `}`",),
    ),
    Case(
        "HEADS006",
        heads(("quiet", "root=$x")),
        (OF_HEADS + "Heads expands $x to nothing, in 'root=$x'",),
    ),
    Case(
        "HEADS007",
        heads(("quiet", '"a b"')),
        (OF_HEADS + "Heads takes the quotes for its shell's, in '\"a b\"'",),
    ),
    Case(
        "HEADS007",
        heads(("quiet", "'a\"b'")),
        (OF_HEADS + "its quotes are not closed, in '\\'a\"b\\''",),
    ),
    Case(
        "HEADS008",
        heads(("Toy", "T|oy")),
        ("/grub/grub.cfg: entry 'Toy': Heads shows the name 'T|oy' without its |",),
    ),
    Case(
        "HEADS009",
        heads(**{"syslinux.cfg": LABEL.encode()}),
        ("/syslinux.cfg: entry 'toy': the command line has 2048 bytes, and Linux takes 2047",),
    ),
    Case(
        "HEADS010",
        on_ext(
            listed(
                {
                    **FILLED,
                    "grub/a.cfg": b"",
                    "boot/vmlinuz": KERNEL,
                    "loader/entries/toy.conf": b"title Toy\nlinux /boot/vmlinuz\n",
                }
            )
        ),
        ("/loader/entries/toy.conf: entry 'Toy': /vmlinuz is not there, and Heads fails to start it",),
    ),
    Case("HEADS011", heads((ENTRY, "configfile (hd0)/x\n")), ("Heads finds no entry at all",)),
    Case(
        "HEADS012",
        changed(**{"kexec\\x": b""}),
        ("/kexec\\x: Heads signs no /boot with this name in it",),
    ),
    Case(
        "HEADS013",
        SMALL,
        (f"it has {len(SMALL)} bytes, and Heads looks at no partition below 2097152",),
    ),
    Case("HEADS014", changed(kexec_tree__txt=None), (f"there is no /{TREE} beside the other list",)),
    Case(
        "HEADS015",
        changed(vmlinuz=bzimage(version="6.12.2-test"), more=b"", gone=None),
        (
            f"./vmlinuz has another digest than {HASHES} says: it was changed",
            f"./gone is in {HASHES}, and there is no such file",
            f"./more is not in {TREE}: it was added",
            f"./gone is in {TREE}, and is not there",
        ),
    ),
    Case("HEADS015", changed(kexec_hashes__txt=b"x\n"), (f"{HASHES}: line 1 is no digest and path: 'x'",)),
    Case(
        "HEADS016",
        changed(kexec__sig=b"x"),
        (f"/{SIGNATURE} does not begin with '-----BEGIN PGP SIGNATURE-----'",),
    ),
)


def test_a_good_boot_tree_has_no_findings() -> None:
    assert found("boot-tree", GOOD) == []


@pytest.mark.parametrize("case", CASES, ids=name)
def test_a_bad_boot_tree_is_told(case: Case) -> None:
    findings = found("boot-tree", case.image)
    assert told(findings) == case.expected
    assert {finding.severity for finding in findings} == {Severity.ERROR}


@pytest.mark.parametrize("case", ON_EXT, ids=name)
def test_bad_boot_configuration_is_told(case: Case) -> None:
    assert sorted(told(found("ext", case.image))) == sorted(case.expected)
    lenient = take_apart(case.image, "boot.img", "ext").all_findings()
    assert {finding.severity for finding in lenient} == {Severity.WARNING}


@pytest.mark.parametrize(
    "image", [changed(), heads(), grub(ENTRY), type_1(BLS), grub("blscfg\n"), changed(kexec_more__txt=b"x")]
)
def test_good_boot_configuration_has_no_findings(image: bytes) -> None:
    assert found("ext", image) == []


@pytest.mark.parametrize(
    "text",
    [
        ENTRY.replace("/vmlinuz", "(hd0,gpt2)/no"),
        ENTRY.replace("/vmlinuz", "$no/vmlinuz") + "load_env\n",
        "search --fs-uuid --set=root 0000-0000\n" + ENTRY.replace("/vmlinuz", "/no"),
        "if [ -e /x ]; then\n" + ENTRY.replace("/vmlinuz", "/no") + "fi\n",
        "if [ -e /x ]; then source /no.cfg; fi\n" + ENTRY,
        f"if [ -e /x ]; then\n{ENTRY}else\n{ENTRY}fi\n",
        "configfile (hd0,gpt3)/grub/grub.cfg\n",
        "search --label --set=root OTHER\nset prefix=($root)/grub\nconfigfile $prefix/grub.cfg\n",
        "menuentry 'Other' { chainloader /EFI/other.efi; }\n",
        "load_env\nset default=$saved\n" + ENTRY,
    ],
)
def test_what_only_a_machine_knows_is_nobodys_fault(text: str) -> None:
    assert found("ext", grub(text)) == []


def test_a_partition_is_told_what_it_is_mounted_on() -> None:
    (finding,) = found("ext", grub(ENTRY.replace("/vmlinuz", "/boot/vmlinuz")))
    assert finding.hint == "say /vmlinuz: this partition is what is mounted on /boot"


def test_fat_volumes_and_isos_are_judged_alike() -> None:
    bad = ENTRY.replace("/vmlinuz", "/no").encode()
    expected = ["entry 'Toy': the kernel /no is not there"]
    for kind, image in (
        ("fat", fat({"GRUB/GRUB.CFG": bad, "INITRD.IMG": b"i"})),
        ("iso", iso_of({"boot/grub/grub.cfg": bad, "initrd.img": b"i"})),
    ):
        findings = told(take_apart(image, "image", kind).all_findings())
        assert [text.partition("line 1: ")[2] for code, text in findings if code == "GRUB003"] == expected


def test_elsewhere_nothing_is_boot_configuration() -> None:
    image = on_ext({"usr/share/doc/grub.cfg": b"}", "usr/grub/x/y/grub.cfg": b"}"})
    assert found("ext", image) == []
    assert boot_of(object()) is NOTHING
