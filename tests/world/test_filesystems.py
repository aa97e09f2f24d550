"""Our readers of file systems against the tree that their own tools made them of, and what those say."""

import hashlib
import json
import re
import stat
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from pipeline.build.build import build_step
from pipeline.build.session import Session
from pipeline.checks.catalog import take_apart
from pipeline.errors import FormatError
from pipeline.formats.erofs import read_erofs
from pipeline.formats.ext4 import read_ext4
from pipeline.formats.fields import Image, chunks, open_image
from pipeline.formats.filesystem import FileSystem, Inode
from pipeline.formats.squashfs import read_squashfs
from pipeline.plan.step import Step
from pipeline.report import Line
from pipeline.sandbox.docker import Engine
from tests.fixtures import filesystems as made

pytestmark = pytest.mark.container

READ: Mapping[str, Callable[[Image], FileSystem]] = {
    "ext": read_ext4,
    "ero": read_erofs,
    "squ": read_squashfs,
}
KINDS = {
    tarfile.REGTYPE: stat.S_IFREG,
    tarfile.LNKTYPE: stat.S_IFREG,
    tarfile.DIRTYPE: stat.S_IFDIR,
    tarfile.SYMTYPE: stat.S_IFLNK,
    tarfile.CHRTYPE: stat.S_IFCHR,
    tarfile.BLKTYPE: stat.S_IFBLK,
    tarfile.FIFOTYPE: stat.S_IFIFO,
}
LISTED = re.compile(r"(\S{10}) (\d+)/(\d+) .* squashfs-root(/?.*)")
LOST = {("ext4-1k-inline.img", "mixed")}  # mke2fs 1.47.2 leaves out the zeros at its end


@pytest.fixture(scope="module")
def files(session: Session, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """The file systems by name, and `said.json`: made now, or in an earlier run."""
    step = Step(
        name="filesystems",
        summary="Make file systems with their own tools.",
        container=session.project.lock_of("disk"),
        inputs={},
        outputs=(*made.MADE, "said.json"),
        params={"names": tuple(made.MADE)},
        run=made.make,
    )
    build_step(step, session.builder, tmp_path_factory.mktemp("filesystems"), Line.silent())
    result = session.builder.result(step)
    assert result
    paths = {name: session.store.find(blob) for name, blob in result.outputs.items()}
    return {name: path for name, path in paths.items() if path}


def told(inode: Inode, name: str) -> dict[str, object]:
    """What is compared of an inode."""
    found: dict[str, object] = {
        "mode": stat.filemode(inode.mode),
        "owner": (inode.uid, inode.gid),
        "mtime": inode.mtime,
        "target": inode.target,
        "device": inode.device,
        "xattrs": dict(inode.xattrs),
        "data": digest(inode.data) if stat.S_ISREG(inode.mode) else "",
    }
    return {key: value for key, value in found.items() if key not in unkept(name)}


def unkept(name: str) -> set[str]:
    """What a file system does not keep of the tree."""
    if name in made.OF_FOLDER:
        return {"owner", "xattrs"}
    return {"owner"} if name in made.SQUEEZED else {"xattrs"} if name == made.WITHOUT_XATTRS else set()


def digest(image: Image) -> str:
    found = hashlib.sha256()
    for chunk in chunks(image):
        found.update(chunk)
    return found.hexdigest()


def expected(name: str) -> dict[str, dict[str, object]]:
    """What the tree is, by path."""
    found: dict[str, dict[str, object]] = {}
    for info, data in made.members():
        if (info.type == tarfile.DIRTYPE or "/" in info.name or info.type != tarfile.REGTYPE) and (
            name in made.OF_FOLDER
        ):
            continue
        whole: dict[str, object] = {
            "mode": stat.filemode(KINDS[info.type] | info.mode),
            "owner": (info.uid, info.gid),
            "mtime": info.mtime,
            "target": info.linkname,
            "device": (info.devmajor, info.devminor),
            "xattrs": made.XATTRS.get(info.name, {}),
            "data": hashlib.sha256(data).hexdigest() if info.isreg() else "",
        }
        if info.type == tarfile.LNKTYPE:
            found[info.name] = found[info.linkname]
        else:
            found[info.name] = {key: value for key, value in whole.items() if key not in unkept(name)}
    return found


@pytest.mark.parametrize("name", [name for name in made.MADE if name != made.UNREAD])
def test_a_tree_is_read(files: Mapping[str, Path], name: str) -> None:
    system = READ[name[:3]](open_image(files[name]))
    found = {file.path: told(file.inode, name) for file in system.files}
    assert system.faults == ()
    assert system.superblock.is_sound
    assert system.superblock.size <= len(system.image)
    wanted = expected(name)
    assert found.keys() - {"", "lost+found"} == wanted.keys()
    assert [
        (path, found[path], want)
        for path, want in wanted.items()
        if found[path] != want and (name, path) not in LOST
    ] == []
    if name not in made.OF_FOLDER:
        inodes = {file.path: file.inode for file in system.files}
        assert inodes["hard/first"] is inodes["hard/second"]
        assert inodes["hard/first"].links == 2


def test_longer_prefixes_of_attributes_are_read(files: Mapping[str, Path]) -> None:
    system = read_erofs(open_image(files["erofs-all.img"]))
    words = next(file for file in system.files if file.path == "words")
    assert words.inode.xattrs == made.XATTRS["words"]


def test_attributes_are_told_of_members(files: Mapping[str, Path]) -> None:
    node = take_apart(open_image(files["ext4.img"]), "root")
    able, pipe, hard = map(node.child, ("bin/able", "dev/nvme", "hard/second"))
    assert able
    assert able.member.facts["xattr security.capability"] == made.CAPABILITY.hex()
    assert pipe
    assert pipe.member.facts["device"] == "259:300"
    assert hard
    assert hard.member.facts["links"] == 2
    assert node.all_findings() == []


def test_what_is_not_read_is_named(files: Mapping[str, Path]) -> None:
    system = read_erofs(open_image(files[made.UNREAD]))
    words = next(file for file in system.files if file.path == "words")
    with pytest.raises(FormatError, match=r"^erofs: lz4 without zero padding is not read"):
        bytes(words.inode.data)


@pytest.mark.parametrize("name", [name for name in made.MADE if name.startswith("squ")])
def test_the_listing_is_that_of_unsquashfs(files: Mapping[str, Path], name: str) -> None:
    lines = json.loads(files["said.json"].read_text())[name].splitlines()
    matches = [LISTED.fullmatch(line) for line in lines]
    listed = {found[4]: (found[1], found[2], found[3]) for found in matches if found}
    ours = {}
    for file in read_squashfs(open_image(files[name])).files:
        inode = file.inode
        path = f"/{file.path}{f' -> {inode.target}' if inode.target else ''}" if file.path else ""
        ours[path] = (stat.filemode(inode.mode), str(inode.uid), str(inode.gid))
    assert ours == listed
