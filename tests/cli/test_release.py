"""`./doit release` and `./doit sign` as a whole, on a small checkout that is ready for them."""

import io
from pathlib import Path

import pytest

from pipeline.build.session import Session
from pipeline.cli import verify
from pipeline.cli.release import judge_sign, release, sign_release
from pipeline.errors import PipelineError
from pipeline.report import Report
from tests.fixtures.releasable import git
from tests.fixtures.release_folder import Keys


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def session(ready: Session, screen: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.delenv("INSTALLER_ISO_CALLED_FROM", raising=False)
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "x")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "x@example.org")
    monkeypatch.chdir(ready.root)
    return Session(ready.root, Report(screen))


def told(screen: io.StringIO) -> list[str]:
    """Return what was said, without sizes."""
    text = screen.getvalue()
    screen.truncate(0)
    screen.seek(0)
    return [
        " ".join(word for word in line.split() if word != "kB" and not word[0].isdigit())
        for line in text.splitlines()
    ]


def test_a_release_once_and_again(session: Session, screen: io.StringIO) -> None:
    release(session, "", tag=False)
    assert told(screen) == [
        "file size",
        "RUNSUMS B",
        "SHA256SUMS B",
        "Toy.efi B",
        "build.json",
        "run.json",
        "toy-1.0.iso B",
        "vmlinuz-base B",
        "",
        "artifacts/release/1.0",
        "to sign it: ./doit sign --key KEY",
    ]
    assert git(session.root, "tag") == ""
    release(session, "", tag=True)
    assert told(screen)[-3:] == [
        "was there already, byte for byte the same: nothing was written",
        "tagged v1.0",
        "to sign it: ./doit sign --key KEY",
    ]
    assert git(session.root, "rev-parse", "v1.0^{commit}") == git(session.root, "rev-parse", "HEAD")
    release(session, "", tag=True)
    assert "tagged v1.0" not in told(screen)


def test_a_release_is_compared_with_the_one_before(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of which `test_releasable` has what may be wrong with it."""
    asked = []

    def reasons(_session: Session, before: Path | None) -> list[str]:
        asked.append(before)
        return ["none"]

    monkeypatch.setattr("pipeline.cli.release.reasons", reasons)
    with pytest.raises(PipelineError):
        release(session, "artifacts/before", tag=False)
    assert asked == [session.root / "artifacts/before"]


def test_what_is_no_release_writes_nothing(session: Session) -> None:
    (session.root / "new").touch()
    (session.folder("toy") / "boot-test/usb/result.json").unlink()
    with pytest.raises(PipelineError) as caught:
        release(session, "", tag=True)
    assert str(caught.value) == (
        "Toy 1.0 cannot be released:\n"
        "    the git tree is not clean: new\n"
        "    toy: usb did not pass, or not with these very bytes: run `./doit boot-test`\n"
        "  hint: nothing was written; fix all of these, and run `./doit release` again"
    )
    assert not (session.root / "artifacts/release").exists()
    assert git(session.root, "tag") == ""


def test_a_tag_that_git_does_not_make(session: Session) -> None:
    (session.root / ".git/refs/tags").rmdir()
    (session.root / ".git/refs/tags").touch()
    with pytest.raises(PipelineError) as caught:
        release(session, "", tag=True)
    assert caught.value.message.startswith("git does not tag v1.0: ")


def test_signing(
    session: Session, screen: io.StringIO, keys: Keys, capsys: pytest.CaptureFixture[str]
) -> None:
    release(session, "", tag=False)
    told(screen)
    sign_release(session, str(keys.ssh), "")
    assert told(screen) == [
        "artifacts/release/1.0/SHA256SUMS.sig: a signature of SHA256SUMS",
        "artifacts/release/1.0/RUNSUMS.sig: a signature of RUNSUMS",
    ]
    folder = session.root / "artifacts/release/1.0"
    assert verify.main([str(folder), "--key", str(keys.ssh_public)]) == 0
    (folder / "SHA256SUMS.sig").write_text("spoiled")
    assert verify.main([str(folder), "--key", str(keys.ssh_public)]) == 1
    sign_release(session, str(keys.ssh), "ssh")
    assert verify.main([str(folder), "--key", str(keys.ssh_public)]) == 0
    release(session, "", tag=False)  # which leaves the signature
    assert verify.main([str(folder), "--key", str(keys.ssh_public)]) == 0


def test_what_is_spoiled_is_not_signed(session: Session, keys: Keys) -> None:
    release(session, "", tag=False)
    folder = session.root / "artifacts/release/1.0"
    (folder / "more").touch()
    with pytest.raises(PipelineError) as caught:
        sign_release(session, str(keys.ssh), "")
    assert str(caught.value) == (
        f"{folder}: is not signed:\n    more is one too many: SHA256SUMS does not name it\n"
        "  hint: remove it, and run `./doit release` again"
    )
    assert not (folder / "SHA256SUMS.sig").exists()


def test_what_is_not_released_is_not_signed(session: Session, keys: Keys) -> None:
    with pytest.raises(PipelineError) as caught:
        sign_release(session, str(keys.ssh), "")
    assert str(caught.value) == (
        f"{session.root}/artifacts/release/1.0: is not there\n  hint: run `./doit release` first"
    )


@pytest.mark.parametrize(
    ("key", "tool", "message"),
    [
        ("", "", "--key is missing: it says whose signature it is to be"),
        ("", "gpg", "--key is missing: it says whose signature it is to be"),
        ("x", "pen", "--with: unknown signing tool 'pen'"),
        ("x", "sigstore", "Sigstore signs with no --key"),
    ],
)
def test_what_cannot_sign(session: Session, key: str, tool: str, message: str) -> None:
    with pytest.raises(PipelineError) as caught:
        judge_sign(session, key, tool)
    assert caught.value.message == message


@pytest.mark.parametrize(("key", "tool"), [("x", ""), ("x", "gpg"), ("", "sigstore")])
def test_what_may(session: Session, key: str, tool: str) -> None:
    judge_sign(session, key, tool)
