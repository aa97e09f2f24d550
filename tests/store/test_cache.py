"""The cache, also when two use it at once, when one is killed, and when the disk does not do as asked."""

import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.store.cache import Blob, Result, Store, Usage, default_root
from pipeline.store.files import explained, sha256_of, write_atomically

KEY = "k" * 64
DAY = 86400


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


def blob_of(data: bytes) -> Blob:
    return Blob(hashlib.sha256(data).hexdigest(), len(data))


def put(store: Store, data: bytes) -> Blob:
    with store.scratch() as scratch:
        (scratch / "x").write_bytes(data)
        return store.add(scratch / "x")


def age(path: Path, days: float) -> None:
    then = time.time() - days * DAY
    os.utime(path, (then, then))


def test_a_blob_is_found_by_its_content(store: Store) -> None:
    blob = put(store, b"abc")
    assert blob == Blob("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", 3)
    path = store.find(blob)
    assert path == store.root / "blobs" / blob.sha256
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"abc", 0o444)
    assert store.holds(blob)
    assert not store.holds(blob_of(b"other"))
    assert store.find(blob_of(b"other")) is None


@pytest.mark.parametrize("damage", [b"abd", b"ab", b"abcd", b""])
def test_a_corrupt_blob_is_thrown_away(store: Store, damage: bytes) -> None:
    blob = put(store, b"abc")
    path = store.root / "blobs" / blob.sha256
    path.chmod(0o644)
    path.write_bytes(damage)
    assert store.find(blob) is None
    assert not path.exists()


def test_a_copy_has_its_mode_and_replaces_what_was_there(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "artifacts" / "x"
    target.parent.mkdir()
    target.write_bytes(b"old")
    assert store.copy(put(store, b"new"), target, 0o755)
    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (b"new", 0o755)
    assert not store.copy(blob_of(b"unknown"), target, 0o644)
    assert [path.name for path in target.parent.iterdir()] == ["x"]


def test_results_are_remembered(store: Store) -> None:
    assert store.result(KEY) is None
    result = Result({"out": Blob("a" * 64, 3)}, 1.5, "c" * 64)
    store.record(KEY, result)
    assert store.result(KEY) == result


def test_a_result_is_read_once_until_this_process_changes_it(store: Store) -> None:
    first, second = (Result({"out": Blob(letter * 64, 3)}, 1.5, "") for letter in "ab")
    store.record(KEY, first)
    assert store.result(KEY) == first
    Store(store.root).record(KEY, second)
    assert store.result(KEY) == first
    store.record(KEY, second)
    assert store.result(KEY) == second
    store.forget(KEY)
    assert store.result(KEY) is None


def test_a_result_that_was_cleaned_is_none(store: Store) -> None:
    store.record(KEY, Result({}, 1.5, ""))
    assert store.result(KEY) is not None
    age(store.root / "results" / f"{KEY}.json", 40)
    store.clean(30 * DAY)
    assert store.result(KEY) is None


def written(sha256: object, **changes: object) -> str:
    """Return a result's file with one output of this digest."""
    result = {"outputs": {"x": {"sha256": sha256, "size": 3}}, "seconds": 1, "checked": ""}
    return json.dumps(result | changes)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        "\xff",
        written("a" * 63),
        written("A" * 64),
        written("../" * 21 + "a"),
        written(1),
        written("a" * 64, more=1),
        written("a" * 64, seconds="1"),
        written("a" * 64, outputs={"x": {"sha256": "a" * 64, "size": -1}}),
        written("a" * 64, outputs={"x": {}}),
    ],
)
def test_a_damaged_result_counts_as_none(store: Store, text: str) -> None:
    (store.root / "results").mkdir(parents=True)
    (store.root / "results" / f"{KEY}.json").write_text(text, encoding="latin-1")
    assert store.result(KEY) is None


def test_a_result_that_names_a_user_s_file_takes_nothing_from_it(store: Store, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("mine")
    (store.root / "results").mkdir(parents=True)
    (store.root / "results" / f"{KEY}.json").write_text(written(str(mine)))
    result = store.result(KEY)
    for blob in result.outputs.values() if result else ():
        store.find(blob)
    store.clean(0)
    assert mine.read_text() == "mine"


def test_what_is_compared_with_a_blob_s_digest_is_what_was_copied(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob, target = put(store, b"right"), tmp_path / "x"
    place = store.root / "blobs" / blob.sha256
    place.chmod(0o644)
    place.write_bytes(b"wrong")
    monkeypatch.setattr("pipeline.store.cache.sha256_of", lambda _path: blob.sha256)  # as it was a moment ago
    target.write_text("old")
    assert not store.copy(blob, target, 0o644)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir() if path.is_file()] == [("x", "old")]
    assert not place.exists()


def test_what_was_written_is_on_disk_with_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[str, str]] = []

    def note(descriptor: int) -> None:
        synced.append((Path(f"/proc/self/fd/{descriptor}").resolve().name, (tmp_path / "x").read_text()))

    (tmp_path / "x").write_text("old")
    monkeypatch.setattr("os.fsync", note)
    write_atomically(tmp_path / "x", "new")
    (partial, before), (folder, after) = synced
    assert (partial[:3], before) == (".x.", "old")
    assert (folder, after) == (tmp_path.name, "new")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_scratch_goes_whatever_happens(store: Store) -> None:
    def fail() -> None:
        with store.scratch() as scratch:
            (scratch / "half").write_bytes(b"x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list((store.root / "tmp").iterdir()) == []


FULL = OSError(28, "No space left on device")
READ_ONLY = OSError(30, "Read-only file system")
DENIED = PermissionError(13, "Permission denied")
SPACE = "free some space (`./doit gc` cleans the cache), or set INSTALLER_ISO_CACHE to another disk"
FOLDER = "the path above has to be a writable folder on a disk with a few GB free"
RIGHTS = "make it writable for this user, or set INSTALLER_ISO_CACHE to a folder that is"


def copy(store: Store) -> None:
    store.copy(put(store, b"x"), store.root / "artifacts" / "x", 0o644)


def lock(store: Store) -> None:
    with store.lock("name"):
        pass


@pytest.mark.parametrize(
    ("function", "error", "action", "message", "hint"),
    [
        (
            "pathlib.Path.mkdir",
            READ_ONLY,
            lock,
            "/locks: cannot make the cache: Read-only file system",
            FOLDER,
        ),
        (
            "pathlib.Path.mkdir",
            DENIED,
            lock,
            "/locks: no right to make the cache here (Permission denied)",
            RIGHTS,
        ),
        (
            "os.open",
            DENIED,
            lock,
            "/locks/name.lock: no right to take a lock here (Permission denied)",
            RIGHTS,
        ),
        (
            "pipeline.store.files.shutil.copyfileobj",
            FULL,
            copy,
            "/artifacts/x: cannot write: No space left on device",
            "free some space on the disk that it is on",
        ),
        (
            "tempfile.mkstemp",
            DENIED,
            copy,
            "/artifacts/x: no right to write here (Permission denied)",
            "make it writable for this user",
        ),
        (
            "tempfile.mkstemp",
            FULL,
            lambda store: store.record(KEY, Result({}, 0, "")),
            f"/results/{KEY}.json: cannot write: No space left on device",
            SPACE,
        ),
        (
            "tempfile.mkdtemp",
            FULL,
            lambda store: store.scratch().__enter__(),
            "/tmp: cannot write: No space left on device",
            SPACE,
        ),
    ],
)
def test_what_the_disk_refuses(
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    function: str,
    error: OSError,
    action: Callable[[Store], None],
    message: str,
    hint: str,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(function, refuse)
    with pytest.raises(PipelineError) as caught:
        action(store)
    monkeypatch.undo()
    assert (caught.value.message, caught.value.hint) == (f"{store.root}{message}", hint)
    assert not list(store.root.rglob("*.json"))
    assert not list(store.root.glob("artifacts/*"))


def test_the_path_that_the_system_names_is_quoted(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(PipelineError) as caught:
        put(Store(tmp_path / "cache"), b"x")
    assert caught.value.message == f"{tmp_path}/cache/tmp: cannot make the cache: Not a directory"


def test_errors_that_are_not_the_system_s_pass() -> None:
    with pytest.raises(OSError, match="cut off"), explained(Path("x"), "write"):
        raise OSError("cut off")


def test_gc_keeps_what_recent_builds_used(store: Store) -> None:
    old, used, fetched = put(store, b"old"), put(store, b"used"), put(store, b"fetched")
    store.record("a" * 64, Result({"x": old}, 0, ""))
    store.record("b" * 64, Result({"x": used}, 0, ""))
    for name in (*(f"blobs/{blob.sha256}" for blob in (old, used)), f"results/{'a' * 64}.json"):
        age(store.root / name, 40)
    abandoned = store.root / "tmp" / "abandoned"
    abandoned.mkdir()
    (abandoned / "x").touch()
    (store.root / "tmp" / "x.part").touch()
    for path in (abandoned, store.root / "tmp" / "x.part"):
        age(path, 40)
    links = [store.root / "tmp" / "link", store.root / "blobs" / ("f" * 64)]
    for link, target in zip(links, (store.root.parent, store.root / "nowhere"), strict=True):
        link.symlink_to(target)
        os.utime(link, (0, 0), follow_symlinks=False)
    extra = links[1].lstat().st_size
    assert store.usage() == Usage(results=2, blobs=4, size=14 + extra)
    assert store.clean(30 * DAY) == Usage(results=1, blobs=2, size=3 + extra)
    assert store.usage() == Usage(results=1, blobs=2, size=11)
    assert store.find(used)
    assert store.find(fetched)
    assert list((store.root / "tmp").iterdir()) == []


def test_use_makes_a_result_and_a_blob_recent(store: Store) -> None:
    blob = put(store, b"x")
    store.record(KEY, Result({}, 0, ""))
    paths = [store.root / "results" / f"{KEY}.json", store.root / "blobs" / blob.sha256]
    for path in paths:
        age(path, 40)
    store.result(KEY)
    store.touch(blob)
    assert store.clean(30 * DAY) == Usage(0, 0, 0)


def test_an_empty_cache_can_be_cleaned(store: Store) -> None:
    assert store.clean(0) == store.usage() == Usage(0, 0, 0)


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INSTALLER_ISO_CACHE", "~/here")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_root() == tmp_path / "here"
    monkeypatch.delenv("INSTALLER_ISO_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_root().name == "installer-iso"


@pytest.mark.parametrize("chosen", ["", "~/here"])
def test_a_user_without_a_home(homeless: None, monkeypatch: pytest.MonkeyPatch, chosen: str) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("INSTALLER_ISO_CACHE", chosen)
    with pytest.raises(PipelineError) as caught:
        default_root()
    assert caught.value.message == "the cache's folder is below a home folder, and this user has none"
    monkeypatch.setenv("INSTALLER_ISO_CACHE", "/somewhere")
    assert default_root() == Path("/somewhere")


def test_sha256_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256_of(tmp_path / "x") == blob_of(b"abc").sha256
