"""All that is in the way of a release, each in a sentence, and nothing where nothing is."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.build.session import Session
from pipeline.cli import boot_test
from pipeline.cli.releasable import faults, reasons
from pipeline.errors import PipelineError
from pipeline.plan.step import distinct
from pipeline.project import outputs
from pipeline.project.git import head
from pipeline.release.bom import licence_lock
from pipeline.release.layout import BUILD, RUN, RUN_SUMS, SUMS, sums_text
from pipeline.report import Report
from pipeline.vm.machine import WAYS
from tests.fixtures import releasable
from tests.fixtures.releasable import git
from tests.fixtures.release_folder import sha256
from tests.plan.test_systems import without_iso

NOT_BOOTED = "did not pass, or not with these very bytes: run `./doit boot-test`"
MANIFEST = "manifests/manifest.toml"


def write(name: str, text: str) -> Callable[[Session], object]:
    return lambda session: (session.root / name).write_text(text)


def commit(message: str) -> Callable[[Session], object]:
    return lambda session: git(session.root, "commit", "-q", "--allow-empty", "-m", message)


def tag(name: str, *options: str) -> Callable[[Session], object]:
    return lambda session: git(session.root, "tag", *options, name)


def record(**changed: object) -> Callable[[Session], object]:
    def change(session: Session) -> None:
        path = session.folder("toy") / "build.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changed))

    return change


def forget(session: Session) -> None:
    """Lose the result of one step."""
    step = next(step for step in session.images["toy"] if step.name == "iso:toy")
    session.store.forget(session.builder.key(step) or "")


def not_checked(session: Session) -> None:
    """Have one step's result pass rules that are no more."""
    from dataclasses import replace

    step = next(step for step in session.images["toy"] if step.name == "uki:toy")
    key = session.builder.key(step) or ""
    result = session.store.result(key)
    assert result
    session.store.record(key, replace(result, checked="0" * 64))


def lock_less(session: Session) -> None:
    """Lock all but the last output."""
    locked = outputs.read(session.root)
    outputs.write(session.root, locked.product, locked.artifacts[:-1])
    releasable.commit(session.root)


def lock_other(session: Session) -> None:
    outputs.write(session.root, "Toy 0.9", outputs.read(session.root).artifacts)
    releasable.commit(session.root)


def no_lock(session: Session) -> None:
    git(session.root, "rm", "-q", outputs.PATH)
    releasable.commit(session.root)


def no_licences(session: Session) -> None:
    git(session.root, "rm", "-q", licence_lock.PATH)
    releasable.commit(session.root)


def untrack(session: Session) -> None:
    (session.root / ".gitignore").write_text("/artifacts/\n*.bmp\n")
    git(session.root, "rm", "-q", "--cached", "recipes/toy/splash.bmp")
    releasable.commit(session.root)


def of_another(session: Session) -> None:
    path = session.folder("toy") / "boot-test" / boot_test.TESTED
    path.write_text(json.dumps(json.loads(path.read_text()) | {"iso": "0" * 64}))


def not_tested(session: Session) -> None:
    (session.folder("toy") / "boot-test" / boot_test.TESTED).unlink()


def stopped_test(session: Session) -> None:
    (session.folder("toy") / "boot-test/usb/result.json").write_text("{")


def results(*texts: str) -> Callable[[Session], object]:
    def change(session: Session) -> None:
        for number, text in enumerate(texts):
            folder = session.folder("toy") / f"boot-test/{number}"
            folder.mkdir()
            (folder / "result.json").write_text(text)

    return change


def less_tested(session: Session) -> None:
    (session.folder("toy") / "boot-test/usb/result.json").unlink()


def failed(session: Session) -> None:
    releasable.boot(session, ["typed"])


def test_the_verdicts_of_a_whole_system_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSTALLER_ISO_CACHE", str(tmp_path / "cache"))
    greets = '[acceptance]\nwelcome = "login:"\n[acceptance.play.typed]\nway = "ahci"\nrows = []\n'
    session = Session(without_iso(tmp_path / "checkout", greets), Report())
    asked = f"toy: virtio-blk, typed {NOT_BOOTED}"
    assert asked in reasons(session)
    releasable.build(session)
    releasable.boot(session)
    assert asked not in reasons(session)
    releasable.boot(session, ["typed"])
    assert f"toy: typed {NOT_BOOTED}" in reasons(session)


ALL = ", ".join((*WAYS, "typed"))
EACH = {
    "untracked": (write("new", ""), ["the git tree is not clean: new"]),
    "changed": (write(".gitignore", "/artifacts/\nx\n"), ["the git tree is not clean: .gitignore"]),
    "many": (
        lambda session: [write(f"n{number}", "")(session) for number in range(7)],
        ["the git tree is not clean: n0, n1, n2, n3, n4 and 2 more"],
    ),
    "not in git": (
        untrack,
        ["the image contains files that git does not track: recipes/toy/splash.bmp"],
    ),
    "tagged": (tag("v1.0"), []),
    "annotated": (tag("v1.0", "-m", "x"), []),
    "another tag": (tag("nightly"), []),
    "released before": (
        lambda session: (tag("v1.0")(session), commit("more")(session)),
        ["1.0 was released before: the tag v1.0 names another commit"],
    ),
    "one before": (
        lambda session: (tag("v0.9")(session), commit("more")(session)),
        ["v0.9 was released before: name that release's folder by --since, to say what changed"],
    ),
    "one before, and what led to it": (
        lambda session: (tag("v0.9")(session), tag("v0.9-rc1")(session), commit("more")(session)),
        ["v0.9 was released before: name that release's folder by --since, to say what changed"],
    ),
    "tag of another version": (tag("v2.0"), ["this commit is tagged v2.0, but the manifest says 1.0"]),
    "unpinned": (
        record(releasable=False, unpinned={"kernel": "/tmp/vmlinuz"}),
        ["toy is built of what is not pinned: the kernel /tmp/vmlinuz; run `./doit iso`"],
    ),
    "debug": (
        record(releasable=False),
        ["toy is built of what is not pinned: a debug image; run `./doit iso`"],
    ),
    "not built": (
        lambda session: (session.folder("toy") / "build.json").unlink(),
        ["toy is not built: run `./doit iso`"],
    ),
    "built by an earlier version": (
        write("artifacts/toy/build.json", '{"steps": []}'),
        ["toy is not built: run `./doit iso`"],
    ),
    "a record that is a list": (
        write("artifacts/toy/build.json", "[]"),
        ["toy is not built: run `./doit iso`"],
    ),
    "another ISO": (
        write("artifacts/toy/toy.iso", "x"),
        ["artifacts are not what this checkout makes, of iso:toy: run `./doit iso`"],
    ),
    "forgotten": (
        forget,
        [
            "artifacts are not what this checkout makes, of iso:toy: run `./doit iso`",
            f"toy: {ALL} {NOT_BOOTED}",
        ],
    ),
    "not checked": (
        not_checked,
        ["checks have not passed as they are now, of uki:toy: run `./doit iso`"],
    ),
    "lock of less": (lock_less, ["toy.iso of step iso:toy is not in manifests/outputs.lock.json"]),
    "lock of another": (lock_other, ["manifests/outputs.lock.json is of Toy 0.9, this is Toy 1.0"]),
    "no lock": (no_lock, ["manifests/outputs.lock.json: no such file"]),
    "no licences": (
        no_licences,
        ["manifests/licences.lock.json: no such file: run `./doit lock licences`"],
    ),
    "another tested": (of_another, [f"toy: {ALL} {NOT_BOOTED}"]),
    "not tested": (not_tested, [f"toy: {ALL} {NOT_BOOTED}"]),
    "stopped test": (stopped_test, [f"toy: {ALL} {NOT_BOOTED}"]),
    "results of another layout": (results("{}"), [f"toy: {ALL} {NOT_BOOTED}"]),
    "a result that is a list": (results("[]"), [f"toy: {ALL} {NOT_BOOTED}"]),
    "a result without a verdict": (results('{"way": "usb"}'), [f"toy: {ALL} {NOT_BOOTED}"]),
    "less tested": (less_tested, [f"toy: usb {NOT_BOOTED}"]),
    "failed": (failed, [f"toy: typed {NOT_BOOTED}"]),
}


@pytest.mark.parametrize("name", EACH)
def test_each_reason(ready: Session, name: str) -> None:
    change, expected = EACH[name]
    change(ready)
    assert reasons(Session(ready.root, Report())) == expected


def before(tmp_path: Path, record: str | None, listed: str | None = None) -> Path:
    """A release of an artifact and its record, which is listed as if it were `listed`."""
    folder = tmp_path / "before"
    folder.mkdir()
    sums = {BUILD: sha256((record if listed is None else listed).encode())} if record is not None else {}
    if record is not None:
        (folder / "toy.iso").write_text("x")
        sums["toy.iso"] = sha256(b"x")
    (folder / SUMS).write_text(sums_text(sums))
    if record is not None:
        (folder / BUILD).write_text(record)
    (folder / RUN).write_text("{}")
    of_run = {name: sha256((folder / name).read_bytes()) for name in (SUMS, RUN)}
    (folder / RUN_SUMS).write_text(sums_text(of_run))
    return folder


ARTIFACT = {"name": "toy.iso", "sha256": sha256(b"x"), "size": 1}


def of_version(version: str) -> str:
    return json.dumps({"version": 1, "product": {"version": version}, "artifacts": [ARTIFACT]})


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (of_version("0.9"), []),
        (of_version("0.8"), ["is release 0.8, the one before is 0.9"]),
        (
            json.dumps({"version": 1, "artifacts": [ARTIFACT]}),
            ["build.json does not say of which version it is"],
        ),
        ('{"version": 2}', ["build.json is not what it is called: its version is not 1"]),
        ("[" * 100_000, ["build.json is no JSON that can be read: "]),
        (
            None,
            ["SHA256SUMS line 1 is no SHA-256 and a name: ''"],
        ),
    ],
    ids=["before", "another", "no version", "another layout", "nested", "none"],
)
def test_the_folder_of_the_release_before(
    ready: Session, tmp_path: Path, record: str | None, said: list[str]
) -> None:
    tag("v0.9")(ready)
    commit("more")(ready)
    folder = before(tmp_path, record)
    found = reasons(Session(ready.root, Report()), folder)
    assert len(found) == len(said)
    for sentence, start in zip(found, said, strict=True):
        assert sentence.startswith(f"--since {folder}: {start}")


def test_a_release_before_that_was_changed_is_not_compared_with(ready: Session, tmp_path: Path) -> None:
    """Of its signatures nothing is asked: the folder is named by whoever releases."""
    tag("v0.9")(ready)
    commit("more")(ready)
    folder = before(tmp_path, of_version("0.9"), listed="{}")
    (folder / "SHA256SUMS.asc").write_text("none")
    (folder / "\x1b[31m").mkdir()
    now, was = sha256(of_version("0.9").encode()), sha256(b"{}")
    assert reasons(Session(ready.root, Report()), folder) == [
        f"--since {folder}: \\x1b[31m is a folder",
        f"--since {folder}: build.json has the SHA-256 {now}, SHA256SUMS says {was}",
    ]
    with pytest.raises(PipelineError, match="cannot be read as a folder"):
        faults(folder / "nowhere")


def test_no_release_was_before(ready: Session, tmp_path: Path) -> None:
    folder = before(tmp_path, of_version("0.9"))
    assert reasons(ready, folder) == [f"--since {folder}: is release 0.9, the one before is none"]


def test_nothing_is_in_the_way(ready: Session) -> None:
    assert reasons(ready) == []
    steps = distinct(ready.images["toy"])
    assert all(ready.builder.is_current(step, ready.folder("toy")) for step in steps)


def test_all_reasons_at_once(ready: Session) -> None:
    for name in ("untracked", "tag of another version", "unpinned", "another tested"):
        EACH[name][0](ready)
    assert reasons(ready) == [
        reason for name in ("untracked", "tag of another version", "unpinned", "another tested")
        for reason in EACH[name][1]
    ]  # fmt: skip


@pytest.mark.parametrize("version", ["1.0 beta", "1..0", "1.0.", "1~2", "1.0.lock"])
def test_a_version_that_cannot_be_a_tag(ready: Session, version: str) -> None:
    path = ready.root / MANIFEST
    path.write_text(path.read_text().replace('"1.0"', f'"{version}"'))
    found = reasons(Session(ready.root, Report()))
    how = "take letters, digits and single . _ + -, and no .lock at the end"
    assert f"the version {version!r} cannot name a tag: {how}" in found


def test_no_checkout_of_git(ready: Session) -> None:
    (ready.root / ".git").rename(ready.root.parent / "git")
    assert reasons(ready) == ["this is not a git checkout: a release names the commit that it is made from"]


def test_no_commit_yet(ready: Session) -> None:
    git(ready.root, "checkout", "-q", "--orphan", "new")
    assert reasons(ready) == ["git has no commit yet: a release names the commit that it is made from"]
    with pytest.raises(PipelineError, match=r": its git repository has no commit yet\n"):
        head(ready.root)


def test_mistakes_of_the_project_are_told_once(ready: Session) -> None:
    path = ready.root / "recipes/toy/recipe.toml"
    path.write_text(path.read_text().replace('"TOY"', '"no name"'))
    found = reasons(Session(ready.root, Report()))
    assert found[0] == "the git tree is not clean: recipes/toy/recipe.toml"
    assert found[1].startswith("recipes/toy/recipe.toml: iso.volume_id: 'no name'")
    assert len(found) == 2


def test_git_that_does_not_answer(ready: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert reasons(ready) == ["git is not installed, and is needed to tell what is checked out"]
