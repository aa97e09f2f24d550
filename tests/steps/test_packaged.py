import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.formats import cpio
from pipeline.steps.packaged import LIBRARIES, Packages, with_libraries
from pipeline.steps.packages import TAR
from tests.fixtures.deb import Member, data_tar, folder, link
from tests.fixtures.elf import elf

LOADER = "/lib64/ld-linux-x86-64.so.2"
MEMBERS: list[Member] = [
    ("usr/sbin/tool", elf(interpreter=LOADER, needed=("liba.so.1", "libc.so.6")), 0o755),
    link(f"{LIBRARIES}/liba.so.1", "liba.so.1.2"),
    (f"{LIBRARIES}/liba.so.1.2", elf(needed=("libb.so.2", "libc.so.6")), 0o644),
    (f"{LIBRARIES}/libb.so.2", elf(needed=("libc.so.6",)), 0o640),
    (f"{LIBRARIES}/libc.so.6", elf(interpreter=LOADER, needed=("ld-linux-x86-64.so.2",)), 0o755),
    ("usr/lib/own/libown.so", elf(needed=("libb.so.2",)), 0o644),
    link("lib64", "usr/lib64"),
    link("usr/lib64/ld-linux-x86-64.so.2", "../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"),
    (f"{LIBRARIES}/ld-linux-x86-64.so.2", elf(), 0o755),
    link("etc/tool.conf", "/opt/../usr/share/tool.conf"),
    ("usr/share/tool.conf", b"plain", 0o644),
    link("usr/share/same", "usr/share/tool.conf", hard=True),
    folder("usr/share/empty"),
    link("loop", "/loop"),
    link("dangling", "nowhere"),
    link("outside", "/../../usr/share/tool.conf"),
]


@pytest.fixture
def packages(tmp_path: Path) -> Iterator[Packages]:
    (tmp_path / TAR).write_bytes(data_tar(MEMBERS))
    with tarfile.open(tmp_path / TAR) as tar:
        yield Packages(tar, "base")


def test_a_program_comes_with_its_loader_and_the_libraries_of_its_libraries(packages: Packages) -> None:
    named = [packages.file(path, "") for path in ("/usr/sbin/tool", "/etc/tool.conf")]
    found = with_libraries(named, packages)
    modes = {member.name: member.mode for member in found if isinstance(member, cpio.File)}
    assert modes == {
        "usr/sbin/tool": 0o755,
        "etc/tool.conf": 0o644,
        LOADER[1:]: 0o755,
        f"{LIBRARIES}/liba.so.1": 0o644,
        f"{LIBRARIES}/libb.so.2": 0o644,
        f"{LIBRARIES}/libc.so.6": 0o755,
    }


def test_a_program_of_the_recipe_comes_with_libraries_too(packages: Packages) -> None:
    program = cpio.File("bin/service", elf(needed=("libc.so.6",)), 0o755)
    names = [member.name for member in with_libraries([program], packages)]
    assert names == ["bin/service", f"{LIBRARIES}/libc.so.6", LOADER[1:]]


def test_a_library_in_a_folder_of_its_own_comes_from_there_and_others_from_where_all_are(
    packages: Packages,
) -> None:
    runpath = ((29, "/none:/usr/lib/own/:$ORIGIN"),)
    program = cpio.File("bin/service", elf(needed=("libown.so", "libc.so.6"), strings=runpath), 0o755)
    names = [member.name for member in with_libraries([program], packages)]
    assert names == [
        "bin/service",
        "usr/lib/own/libown.so",
        f"{LIBRARIES}/libc.so.6",
        f"{LIBRARIES}/libb.so.2",
        LOADER[1:],
    ]


def test_a_static_program_comes_alone(packages: Packages) -> None:
    program = cpio.File("bin/service", elf(), 0o755)
    assert with_libraries([program], packages) == [program]


def test_links_are_followed_within_the_packages(packages: Packages) -> None:
    for name, mode in (("outside", 0o644), ("usr/share/same", 0o755)):
        assert packages.file(f"/{name}", "") == cpio.File(name, b"plain", mode)


@pytest.mark.parametrize("path", ["/usr/bin/x", "/usr/share/empty", "/loop", "/dangling", "/usr/sbin/tool/x"])
def test_what_no_package_has(packages: Packages, path: str) -> None:
    with pytest.raises(PipelineError) as caught:
        packages.file(path, "recipes/toy/recipe.toml: image.packaged")
    assert str(caught.value) == (
        f"recipes/toy/recipe.toml: image.packaged: {path} is in no package of roots/base.toml\n"
        "  hint: name the Debian package that has it in roots/base.toml, then run `./doit lock base`"
    )


def test_a_library_that_no_package_has(packages: Packages) -> None:
    program = cpio.File("bin/service", elf(needed=("libx.so",)), 0o755)
    with pytest.raises(PipelineError) as caught:
        with_libraries([program], packages)
    assert caught.value.message == (
        f"/bin/service needs a library: /{LIBRARIES}/libx.so is in no package of roots/base.toml"
    )


def test_a_program_that_is_cut_off(packages: Packages) -> None:
    with pytest.raises(PipelineError) as caught:
        with_libraries([cpio.File("bin/service", elf()[:40], 0o755)], packages)
    assert caught.value.message.startswith("/bin/service: ")
