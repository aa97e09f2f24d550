"""A root with a store: its shape, that it is the same each time, and what it cannot be made of."""

import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pipeline.checks.root.members import read_root
from pipeline.errors import PipelineError
from pipeline.formats import tar_tree
from pipeline.formats.tree import Tree
from pipeline.steps import store
from tests.fixtures.bzimage import bzimage
from tests.fixtures.case import found
from tests.fixtures.context import played
from tests.fixtures.root import In, folder, hard, link, tar

USR = (
    folder("usr"),
    *(folder(f"usr/{name}") for name in ("bin", "lib", "lib/modules", "lib/modules/6.1", "sbin")),
    *(In(f"usr/{name}", b"program", 0o4755) for name in store.NEEDED if name != "sbin/init"),
    link("usr/sbin/init", "../bin/sh"),
    hard("usr/bin/again", "usr/bin/sh"),
    link("usr/lib/away", "../../etc/x"),
    link("usr/lib/near", "../bin/sh"),
    link("usr/lib/absolute", "/etc/x"),
    In("usr/lib/modules/6.1/a.ko", b"module"),
    In("usr/lib/data", b"data", 0o664, gid=50),
)
OTHERS = (
    folder("etc", 0o750),
    In("etc/x", b"x", 0o640, gid=42, pax={"SCHILY.xattr.user.x": "1"}),
    link("bin", "usr/bin"),
    link("sbin", "usr/sbin"),
    folder("run"),
    folder("var"),
    link("var/run", "/run"),
)
PARAMS: dict[str, Any] = {
    "recipe": "recipes/toy/recipe.toml",
    "name": "toy",
    "store": "/gnu/store",
    "profile": "/var/guix/profiles/system",
    "generations": [["quiet"], []],
}
WHERE = "recipes/toy/recipe.toml: store: "


def made(
    here: Path, members: tuple[In, ...] = (*USR, *OTHERS), kernel: bytes = bzimage(), **params: Any
) -> bytes:
    (here / "in").mkdir(parents=True)
    (here / "in" / store.TAR).write_bytes(tar(members))
    (here / "in" / store.KERNEL).write_bytes(kernel)
    (here / "in" / store.INITRAMFS).write_bytes(b"initramfs")
    ctx = played(here, **{**PARAMS, **params})
    store.build(ctx)
    return (ctx.out / store.TAR).read_bytes()


def tree_of(image: bytes) -> Tree:
    return read_root(image).tree


def led(tree: Tree, path: str) -> bytes:
    return bytes(tree.resolve(path).data)


def test_all_is_where_a_system_looks_for_it(tmp_path: Path) -> None:
    tree = tree_of(made(tmp_path))
    profile = "/var/guix/profiles/system"
    for system, words in ((f"{profile}-1-link", b"quiet\n"), (profile, b"")):
        assert led(tree, f"{system}/kernel/bzImage") == bzimage()
        assert led(tree, f"{system}/kernel/lib/modules/6.1/a.ko") == b"module"
        assert led(tree, f"{system}/initrd") == b"initramfs"
        assert led(tree, f"{system}/parameters") == words
        assert led(tree, f"{system}/profile/bin/sh") == led(tree, "/bin/sh") == b"program"
    assert tree.locate(profile) == tree.locate(f"{profile}-2-link") != tree.locate(f"{profile}-1-link")
    assert bytes(tree.members["var/guix/profiles/system"].data) == b"system-2-link"
    assert bytes(tree.members["usr"].data) == b"var/guix/profiles/system/profile"
    package = tree.locate("/usr")
    assert bytes(tree.members[f"{package}/lib/away"].data) == b"/etc/x"
    assert bytes(tree.members[f"{package}/lib/near"].data) == b"../bin/sh"
    assert bytes(tree.members[f"{package}/lib/absolute"].data) == b"/etc/x"
    assert bytes(tree.members[f"{package}/lib/modules"].data) == b"/run/booted-system/kernel/lib/modules"
    init = led(tree, f"{profile}/init").decode()
    assert init.startswith(f"#!/{package}/bin/sh\n")
    assert f"\nexec /{package}/sbin/init" in init
    subprocess.run(["sh", "-n"], input=init, text=True, check=True)


def test_nobody_can_write_to_it(tmp_path: Path) -> None:
    archive = tar_tree.read(made(tmp_path))
    inside = [entry for entry in archive.entries if entry.name.startswith("gnu/store/")]
    kinds = {(stat.S_IFMT(entry.mode), entry.permissions) for entry in inside}
    assert kinds == {
        (stat.S_IFDIR, 0o555),
        (stat.S_IFREG, 0o555),
        (stat.S_IFREG, 0o444),
        (stat.S_IFLNK, 0o777),
    }
    assert {(entry.uid, entry.gid, entry.mtime) for entry in inside} == {(0, 0, store.DATE)}


def test_what_is_beside_it_stays(tmp_path: Path) -> None:
    archive = tar_tree.read(made(tmp_path))
    (x,) = [entry for entry in archive.entries if entry.name == "etc/x"]
    assert (bytes(x.data), x.permissions, x.gid, x.mtime) == (b"x", 0o640, 42, 0)
    assert archive.xattrs == {"etc/x": ("user.x",)}


def test_a_file_with_two_names_is_there_once(tmp_path: Path) -> None:
    archive = tar_tree.read(made(tmp_path))
    names = {entry.name.rpartition("/")[2]: entry.inode for entry in archive.entries if "/bin/" in entry.name}
    assert names["again"] == names["sh"] != names["mv"]


def test_it_obeys_the_rules_of_roots(tmp_path: Path) -> None:
    assert found("root", made(tmp_path)) == []


def test_it_is_the_same_each_time_and_only_what_differs_is_called_otherwise(tmp_path: Path) -> None:
    first = made(tmp_path / "1")
    assert made(tmp_path / "2") == first
    more = (*USR, In("usr/lib/more", b"more"), *OTHERS)
    names = [
        {entry.name for entry in tar_tree.read(image).entries if entry.name.count("/") == 2}
        for image in (first, made(tmp_path / "3", more))
    ]
    kept, new = names[0] & names[1], names[1] - names[0]
    assert sorted(name.partition("-")[2] for name in kept if name.startswith("gnu/store/")) == [
        "initrd",
        "linux-6.12.1-test",
    ]
    assert sorted(name.partition("-")[2] for name in new) == ["system", "system", "toy"]


def test_systems_that_are_alike_are_one(tmp_path: Path) -> None:
    tree = tree_of(made(tmp_path, generations=[[], []]))
    assert tree.locate("/var/guix/profiles/system-1-link") == tree.locate("/var/guix/profiles/system-2-link")


def test_a_kernel_without_modules(tmp_path: Path) -> None:
    tree = tree_of(made(tmp_path, tuple(one for one in (*USR, *OTHERS) if "/modules" not in one.name)))
    linux = tree.locate("/var/guix/profiles/system/kernel")
    assert [name for name in tree.members if name.startswith(f"{linux}/")] == [f"{linux}/bzImage"]
    assert f"{tree.locate('/usr')}/lib/modules" not in tree.members


@pytest.mark.parametrize(
    ("more", "without", "message"),
    [
        ((), "usr/bin/mount", "there is no /usr/bin/mount in the root, which a system is started with"),
        ((), "usr/sbin/init", "there is no /usr/sbin/init in the root, which a system is started with"),
        ((link("gnu", "usr"),), "", "/gnu is no folder"),
        (
            (folder("var/guix"), folder("var/guix/profiles"), In("var/guix/profiles/system-1-link")),
            "",
            "/var/guix/profiles/system-1-link is there already",
        ),
    ],
)
def test_what_is_in_its_way(tmp_path: Path, more: tuple[In, ...], without: str, message: str) -> None:
    members = tuple(one for one in (*USR, *OTHERS, *more) if one.name != without)
    with pytest.raises(PipelineError) as error:
        made(tmp_path, members)
    assert error.value.message == WHERE + message
    assert error.value.hint


@pytest.mark.parametrize("kernel", [b"", bzimage(version="")])
def test_a_kernel_without_a_version(tmp_path: Path, kernel: bytes) -> None:
    with pytest.raises(PipelineError, match=f"^{WHERE}vmlinuz does not say which Linux it is"):
        made(tmp_path, kernel=kernel)


def test_a_name_that_a_store_has_not(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=f"^{WHERE}'a b' cannot be the name"):
        made(tmp_path, name="a b")
