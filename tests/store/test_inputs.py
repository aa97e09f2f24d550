"""The archive of inputs: the same bytes for the same files, and read as what a stranger wrote."""

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.store.cache import Blob, Store
from pipeline.store.download import fetch
from pipeline.store.inputs import ANEW, INDEX, Inputs, Member, member, write
from pipeline.store.remote import Remotes

LONG = f"wheels/{'x' * 150}.whl"
CONTENT = {"debian/pool/b.deb": b"second", "debian/pool/a.deb": b"first", LONG: b""}


def blob_of(data: bytes) -> Blob:
    return Blob(hashlib.sha256(data).hexdigest(), len(data))


def packed(folder: Path, content: dict[str, bytes] | None = None, name: str = "inputs.tar") -> Path:
    files: dict[Member, Path] = {}
    for path, data in (content or CONTENT).items():
        (folder / blob_of(data).sha256).write_bytes(data)
        files[member(path, blob_of(data), f"file {path}")] = folder / blob_of(data).sha256
    write(folder / name, files, lambda _: None)
    return folder / name


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


def test_the_archive_depends_on_the_files_alone(tmp_path: Path) -> None:
    first = packed(tmp_path).read_bytes()
    again = packed(tmp_path, dict(reversed(CONTENT.items())), "again.tar").read_bytes()
    assert hashlib.sha256(first).hexdigest() == hashlib.sha256(again).hexdigest()
    with tarfile.open(tmp_path / "inputs.tar") as tar:
        assert tar.getnames() == [INDEX, "debian/pool/a.deb", "debian/pool/b.deb", LONG]
        assert {(one.mtime, one.uid, one.gid, one.uname, one.mode) for one in tar} == {(0, 0, 0, "", 0o644)}
        index = tar.extractfile(INDEX)
        assert index
        assert json.load(index)["members"][0] == {
            "path": "debian/pool/a.deb",
            "size": 5,
            "sha256": hashlib.sha256(b"first").hexdigest(),
            "what": "file debian/pool/a.deb",
        }


def taken(archive: Path, store: Store, data: bytes) -> Path:
    """Fetch a blob from an archive, where there is no network."""
    away = Store(store.root, lambda: Remotes([Inputs(archive)]), offline=True)
    return fetch(away, blob_of(data), ["http://127.0.0.1:9/"], "artifact 'c'")


def test_what_it_has_comes_into_the_store(tmp_path: Path, store: Store) -> None:
    for data in CONTENT.values():
        path = taken(packed(tmp_path), store, data)
        assert path == store.find(blob_of(data))
        assert path.read_bytes() == data


@pytest.mark.parametrize("data", [b"other", b"shorter"])
def test_a_file_that_the_cache_spoiled_is_not_packed(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "first").write_bytes(data)
    with pytest.raises(PipelineError) as caught:
        write(tmp_path / "x", {member("a", blob_of(b"first"), "a.deb"): tmp_path / "first"}, lambda _: None)
    assert str(caught.value) == (
        f"a.deb: the cache spoiled {tmp_path / 'first'}\n  hint: run the same command again"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first"]


def test_a_byte_that_was_changed_is_noticed(tmp_path: Path, store: Store) -> None:
    path = packed(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"second\0", b"sEcond\0"))
    with pytest.raises(PipelineError) as caught:
        taken(path, store, b"second")
    digest = hashlib.sha256(b"second").hexdigest()
    assert caught.value.message == f"{path}: is damaged: SHA-256 {digest} is not what it holds"
    assert store.find(blob_of(b"second")) is None


def test_what_it_lacks_is_not_fetched(tmp_path: Path, store: Store) -> None:
    path = packed(tmp_path)
    with pytest.raises(PipelineError) as caught:
        taken(path, store, b"third")
    assert str(caught.value) == (
        f"artifact 'c' is neither in the cache nor in {path}, and --offline forbids to fetch it\n"
        "  hint: `./doit vendor FILE`, where there is a network, makes an archive that has it: --inputs FILE"
    )
    with pytest.raises(PipelineError, match=r"^artifact 'c' is not in the cache, and --offline forbids to"):
        fetch(Store(store.root, offline=True), blob_of(b"third"), [], "artifact 'c'")


def tar_of(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as tar:
        for info, data in members:
            info.size = len(data) if info.isreg() else 0
            tar.addfile(info, io.BytesIO(data))
    return file.getvalue()


def index(version: int = 1, **first: object) -> tuple[tarfile.TarInfo, bytes]:
    one = {"path": "a", "size": 1, "sha256": "a" * 64, "what": "a file"} | first
    return tarfile.TarInfo(INDEX), json.dumps({"version": version, "members": [one]}).encode()


def negative() -> bytes:
    """Return an archive whose second header says a size that leads back to itself, for ever."""
    image = bytearray(tar_of(index(), (tarfile.TarInfo("a"), b"a")))
    at = image.index(b"a\0\0", 1024 - 512)
    header = image[at : at + 512]
    header[124:136] = (-512).to_bytes(12, "big", signed=True)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    image[at : at + 512] = header
    return bytes(image)


def link() -> tarfile.TarInfo:
    info = tarfile.TarInfo("a")
    info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return info


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda: b"", "is no archive of inputs: empty file"),
        (lambda: b"x" * 2048, "is no archive of inputs: invalid header"),
        (
            lambda: tar_of((tarfile.TarInfo("x"), b"")),
            f"is no archive of inputs: its first member is not {INDEX}",
        ),
        (lambda: tar_of(index(version=2)), f"is no archive of inputs: {INDEX} is of version 2, not 1"),
        (
            lambda: tar_of((tarfile.TarInfo(INDEX), b"null")),
            f"is no archive of inputs: {INDEX} is of version None, not 1",
        ),
        (lambda: tar_of(index(size=-1)), "is no archive of inputs: 1 validation error for nullable[Index]"),
        (
            lambda: tar_of(index(path="../a")),
            "is no archive of inputs: 1 validation error for nullable[Index]",
        ),
        (lambda: tar_of(index()), "lacks a, which its index names"),
        (lambda: tar_of(index(), (tarfile.TarInfo("a"), b"no")), "lacks a, which its index names"),
        (lambda: tar_of(index(), (link(), b"")), "is no archive of inputs: 'a' is no file"),
        (negative, "is no archive of inputs: 'a' leads back"),
        (
            lambda: tar_of(index(), (tarfile.TarInfo("n" * 5000), b"")),
            "is no archive of inputs: '././@PaxHeader' is no file",
        ),
        (
            lambda: tar_of(index(), (tarfile.TarInfo("n" * 200), b""), form=tarfile.GNU_FORMAT),
            "is no archive of inputs: '././@LongLink' is no file",
        ),
        (
            lambda: tar_of(index(), (tarfile.TarInfo("a"), b"a"))[:1600],
            "is no archive of inputs: unexpected end of data",
        ),
    ],
)
def test_what_is_no_such_archive(tmp_path: Path, store: Store, spoil: Callable[[], bytes], said: str) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(spoil())
    with pytest.raises(PipelineError) as caught:
        taken(path, store, b"a")
    assert str(caught.value) == f"{path}: {said}\n  hint: {ANEW}"


def test_an_archive_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        Inputs(tmp_path / "x.tar")
    assert str(caught.value) == f"{tmp_path}/x.tar: no such file\n  hint: {ANEW}"


def test_a_cut_archive_gives_the_whole_file_or_an_error(tmp_path: Path) -> None:
    whole, lost = packed(tmp_path).read_bytes(), 0
    for end in range(0, len(whole), 97):
        (tmp_path / "cut.tar").write_bytes(whole[:end])
        try:
            path = taken(tmp_path / "cut.tar", Store(tmp_path / str(end)), b"second")
        except PipelineError:
            lost += 1
        else:
            assert path.read_bytes() == b"second"
    assert lost > 0
