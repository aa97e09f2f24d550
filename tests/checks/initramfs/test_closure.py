"""Where the libraries of dynamic programs are looked for."""

from pathlib import PurePosixPath

import pytest

from pipeline.checks.catalog import take_apart
from tests.fixtures.elf import AARCH64, elf
from tests.fixtures.newc import DIRECTORY, FILE, LINK, Raw, newc

RUNPATH, RPATH, SONAME = 29, 15, 14
LIBRARY = elf(kind=3)
SO, SO_1 = Raw("lib/a.so", FILE, LIBRARY), Raw("lib/a.so.1", FILE, LIBRARY)
OPT = Raw("opt/lib/a.so", FILE, LIBRARY)
ELSEWHERE = (
    "/usr/bin/tool needs a.so, which lies where its loader does not look, or leads nowhere, "
    "or is for another machine"
)


def program(*needed: str, search: str = "", tag: int = RUNPATH) -> Raw:
    strings = ((tag, search),) if search else ()
    return Raw("usr/bin/tool", FILE | 0o111, elf(interpreter="/lib/ld.so", needed=needed, strings=strings))


def missing(*members: Raw) -> list[str]:
    files = [Raw("lib/ld.so", FILE | 0o111, LIBRARY), *members]
    names = {str(parent) for file in files for parent in PurePosixPath(file.name).parents} - {"."}
    folders = [Raw(name, DIRECTORY) for name in sorted(names - {file.name for file in files})]
    archive = newc([*folders, *files])
    findings = take_apart(archive, "initramfs").all_findings()
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
        [
            program("a.so"),
            Raw("etc/ld.so.cache", FILE, b"glibc-ld.so.cache1.1\1\0\0a.so\0/opt/lib/a.so\0"),
            OPT,
        ],
        [program("a.so", search="$ORIGIN/../$LIB"), Raw("usr/lib64/a.so", FILE, LIBRARY)],
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
    assert missing(program("a.so"), Raw("lib/a.so", LINK, b"/gone")) == [ELSEWHERE]


def test_a_library_for_another_machine_is_passed_over() -> None:
    other = Raw("lib64/a.so", FILE, elf(kind=3, machine=AARCH64))
    assert missing(program("a.so"), other) == [ELSEWHERE]
    assert missing(program("a.so"), other, SO) == []


def test_a_library_that_lies_elsewhere_is_not_found() -> None:
    assert missing(program("a.so"), OPT) == [ELSEWHERE]


NEEDS_B = elf(kind=3, needed=("b.so",))


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        (RPATH, []),
        (
            RUNPATH,
            [
                "/opt/lib/a.so needs b.so, which lies where its loader does not look, or leads nowhere, "
                "or is for another machine"
            ],
        ),
    ],
    ids=["RPATH", "RUNPATH"],
)
def test_only_rpath_is_for_the_libraries_of_libraries(tag: int, expected: list[str]) -> None:
    members = [Raw("opt/lib/a.so", FILE, NEEDS_B), Raw("opt/lib/b.so", FILE, LIBRARY)]
    assert missing(program("a.so", search="/opt/lib", tag=tag), *members) == expected


@pytest.mark.parametrize("named", ["b.so", "b-1.2.so"], ids=["by its file", "by its DT_SONAME"])
def test_what_is_loaded_already_is_not_looked_for(named: str) -> None:
    loaded = Raw(f"opt/lib/{named}", FILE, elf(kind=3, strings=((SONAME, "b.so"),)))
    members = [Raw("opt/lib/a.so", FILE, NEEDS_B), loaded]
    assert missing(program(named, "a.so", search="/opt/lib"), *members) == []


def test_what_is_opened_at_run_time_may_count_on_its_program() -> None:
    members = [Raw("opt/plugins/x.so", FILE, NEEDS_B), Raw("opt/lib/b.so", FILE, LIBRARY)]
    assert missing(program("b.so", search="/opt/lib"), *members) == []
    assert missing(program(), members[0]) == ["/opt/plugins/x.so needs b.so, which is not in the archive"]


def test_the_loader_of_musl_is_its_c_library() -> None:
    loader = Raw("lib/ld-musl-x86_64.so.1", FILE | 0o111, LIBRARY)
    tool = elf(interpreter="/lib/ld-musl-x86_64.so.1", needed=("libc.so", "libm.so", "libz.so"))
    assert missing(loader, Raw("bin/tool", FILE | 0o111, tool)) == [
        "/bin/tool needs libz.so, which is not in the archive"
    ]


def test_libraries_that_need_each_other_end() -> None:
    members = [Raw("lib/a.so", FILE, NEEDS_B), Raw("lib/b.so", FILE, elf(kind=3, needed=("a.so",)))]
    assert missing(program("a.so"), *members) == []


def test_a_configuration_that_includes_itself_ends() -> None:
    assert missing(program("a.so"), Raw("etc/ld.so.conf", FILE, b"include ld.so.conf\n")) != []
