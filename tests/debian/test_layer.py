import hashlib
import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.debian import layer
from pipeline.errors import FormatError
from tests.fixtures.deb import COMPRESSORS, Member, deb, folder, link

EPOCH = 1795219200

FIRST: list[Member] = [
    folder("./"),
    folder("./bin"),
    ("./bin/sh", b"shell", 0o4755),
    folder("./usr/share/doc"),
    ("./usr/share/doc/first/README", b"read me"),
    folder("./var/lib", 0o700),
]
SECOND: list[Member] = [
    folder("./usr"),
    folder("./usr/lib/x86_64"),
    ("./usr/lib/x86_64/libx.so.1", b"library"),
    link("./usr/lib/x86_64/libx.so", "libx.so.1"),
    link("./lib/hard", "./lib/x86_64/libx.so.1", hard=True),
    ("./etc/deep/conf", b""),
]


def write(tmp_path: Path, *packages: Sequence[Member], suffix: str = ".xz", **options: object) -> bytes:
    paths = []
    for number, members in enumerate(packages):
        paths.append(tmp_path / f"p{number}.deb")
        paths[-1].write_bytes(deb(members, suffix))
    out = io.BytesIO()
    settings = {
        "epoch": EPOCH,
        "folders": {"tmp": 0o1777, "etc": 0o755},
        "files": {"etc/passwd": "root:x:0:0\n"},
        "links": {"usr/bin/cc": "gcc"},
    }
    digest = layer.write(paths, out, **(settings | options))  # type: ignore[arg-type]
    assert digest == hashlib.sha256(out.getvalue()).hexdigest()
    return out.getvalue()


def listing(image: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(image)) as tar:
        members = tar.getmembers()
    assert {(m.mtime, m.uid, m.gid, m.uname, m.gname) for m in members} == {(EPOCH, 0, 0, "", "")}
    return [
        f"{m.type.decode()} {m.mode:4o} {m.name}" + f" > {m.linkname}" * bool(m.linkname) for m in members
    ]


def test_two_packages_become_one_tree(tmp_path: Path) -> None:
    assert listing(write(tmp_path, FIRST, SECOND)) == [
        "5  755 usr",
        "5  755 usr/bin",
        "2  777 bin > usr/bin",
        "5  755 usr/sbin",
        "2  777 sbin > usr/sbin",
        "5  755 usr/lib",
        "2  777 lib > usr/lib",
        "5  755 usr/lib64",
        "2  777 lib64 > usr/lib64",
        "5  755 etc",
        "5 1777 tmp",
        "0  644 etc/passwd",
        "2  777 usr/bin/cc > gcc",
        "0  755 usr/bin/sh",
        "5  755 var",
        "5  700 var/lib",
        "5  755 usr/lib/x86_64",
        "0  644 usr/lib/x86_64/libx.so.1",
        "2  777 usr/lib/x86_64/libx.so > libx.so.1",
        "1  777 usr/lib/hard > usr/lib/x86_64/libx.so.1",
        "5  755 etc/deep",
        "0  644 etc/deep/conf",
    ]


def test_the_bytes_are_these_however_the_packages_are_compressed(tmp_path: Path) -> None:
    for suffix in COMPRESSORS:
        image = write(tmp_path, FIRST, SECOND, suffix=suffix)
        assert hashlib.sha256(image).hexdigest() == (
            "a676e1971e32fc5c3590da087355a2fbd659668fae52414b82cd8894b1ad87d9"
        )


def test_what_is_left_out(tmp_path: Path) -> None:
    image = write(tmp_path, FIRST, SECOND, without=("usr/lib/x86_64/*.so", "var"))
    names = [line.split()[2] for line in listing(image)]
    assert "usr/lib/x86_64/libx.so.1" in names
    assert not {"usr/lib/x86_64/libx.so", "var", "var/lib"} & set(names)


@pytest.mark.parametrize(
    ("second", "name"),
    [
        ([("./bin/sh", b"other")], "usr/bin/sh"),
        ([("./usr/bin/sh", b"shell", 0o4755)], "usr/bin/sh"),
        ([folder("./usr/bin/sh")], "usr/bin/sh"),
        ([("./etc/passwd", b"")], "etc/passwd"),
        ([link("./bin", "elsewhere")], "bin"),
    ],
)
def test_a_file_that_is_there_already(tmp_path: Path, second: Sequence[Member], name: str) -> None:
    with pytest.raises(FormatError) as caught:
        write(tmp_path, FIRST, second)
    assert caught.value.message == f"p1.deb: {name}: two packages hold this file"


def test_a_package_may_have_the_links_that_are_there_from_the_start(tmp_path: Path) -> None:
    image = write(tmp_path, FIRST, [link("./bin", "usr/bin"), link("./lib64", "usr/lib64")])
    assert listing(image) == listing(write(tmp_path, FIRST, []))


def test_a_damaged_package_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.deb").write_bytes(b"")
    with pytest.raises(FormatError, match=r"^bad\.deb: not a Debian package"):
        layer.write([tmp_path / "bad.deb"], io.BytesIO(), epoch=0, folders={}, files={}, links={})
