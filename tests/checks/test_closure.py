"""Where the libraries of dynamic programs are looked for."""

from pathlib import PurePosixPath

import pytest

from pipeline.checks.catalog import take_apart
from tests.fixtures.elf import elf
from tests.fixtures.newc import DIRECTORY, FILE, LINK, Raw, newc

RUNPATH, RPATH = 29, 15
LIBRARY = elf(kind=3)
SO, SO_1 = Raw("lib/a.so", FILE, LIBRARY), Raw("lib/a.so.1", FILE, LIBRARY)
OPT = Raw("opt/lib/a.so", FILE, LIBRARY)
MUSL = "etc/ld-musl-x86_64.path"


def program(*needed: str, search: str = "", tag: int = RUNPATH) -> Raw:
    strings = ((tag, search),) if search else ()
    return Raw("usr/bin/tool", FILE | 0o111, elf(interpreter="/lib/ld.so", needed=needed, strings=strings))


def missing(*members: Raw) -> list[str]:
    files = [Raw("lib/ld.so", FILE | 0o111, LIBRARY), *members]
    names = {str(parent) for file in files for parent in PurePosixPath(file.name).parents} - {"."}
    folders = [Raw(name, DIRECTORY) for name in sorted(names - {file.name for file in files})]
    archive = newc([*folders, *files])
    findings = take_apart(archive, "initramfs", house=False).all_findings()
    return [finding.message for finding in findings if finding.code == "CPIO017"]


@pytest.mark.parametrize(
    "members",
    [
        [program()],
        [program("a.so"), SO],
        [program("a.so"), Raw("usr/lib/x86_64-linux-gnu/a.so", FILE, LIBRARY)],
        [
            program("a.so"),
            Raw("lib64", LINK, b"lib"),
            Raw("lib/a.so", LINK, b"a.so.1"),
            Raw("lib/a.so.1", FILE, LIBRARY),
        ],
        [program("a.so", search="$ORIGIN/../private:/nowhere"), Raw("usr/private/a.so", FILE, LIBRARY)],
        [program("a.so", search="/opt/${ORIGIN}"), Raw("opt/usr/bin/a.so", FILE, LIBRARY)],
        [program("a.so", search="/opt", tag=RPATH), Raw("opt/a.so", FILE, LIBRARY)],
        [program("/opt/a.so"), Raw("opt/a.so", FILE, LIBRARY)],
        [
            program("a.so"),
            Raw("etc/ld.so.conf", FILE, b"# x\n/opt/lib\n"),
            OPT,
        ],
        [
            program("a.so"),
            Raw("etc/ld.so.conf", FILE, b"include ld.so.conf.d/*.conf\n"),
            Raw("etc/ld.so.conf.d/x.conf", FILE, b"/opt/lib\n"),
            OPT,
        ],
        [
            program("a.so"),
            Raw("etc/ld-musl-x86_64.path", FILE, b"/x:/opt/lib\n"),
            OPT,
        ],
    ],
)
def test_what_loaders_find_is_found(members: list[Raw]) -> None:
    assert missing(*members) == []


def test_the_whole_closure_is_walked() -> None:
    found = missing(program("a.so"), Raw("lib/a.so", FILE, elf(kind=3, needed=("b.so", "c.so"))))
    assert found == [
        "/lib/a.so needs b.so, which is not in the archive",
        "/lib/a.so needs c.so, which is not in the archive",
    ]


def test_what_many_need_is_told_once() -> None:
    other = Raw("usr/bin/other", FILE | 0o111, program("a.so").data)
    assert missing(other, program("a.so")) == ["/usr/bin/other needs a.so, which is not in the archive"]


def test_a_link_that_leads_nowhere_is_no_library() -> None:
    assert missing(program("a.so"), Raw("lib/a.so", LINK, b"/gone")) == [
        "/usr/bin/tool needs a.so, which is not in the archive"
    ]


def test_a_configuration_that_includes_itself_ends() -> None:
    assert missing(program("a.so"), Raw("etc/ld.so.conf", FILE, b"include ld.so.conf\n")) != []
