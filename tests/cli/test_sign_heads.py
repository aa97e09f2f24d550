"""`./doit sign --heads`, with the real gpg; the container's step runs here, where debugfs is installed."""

import io
import stat
from pathlib import Path
from typing import Any

import pytest

from pipeline.build.session import Session
from pipeline.cli import sign_heads
from pipeline.cli.release import judge_sign, sign_release
from pipeline.errors import PipelineError
from pipeline.formats.fields import open_image
from pipeline.formats.signed_boot import boot_in
from pipeline.plan.step import Source, Step
from pipeline.report import Report
from tests.conftest import ROOT
from tests.fixtures.context import Played
from tests.fixtures.ext4 import ext4
from tests.fixtures.gpt import SECTOR, with_gpt
from tests.fixtures.iso import iso_of
from tests.fixtures.release_folder import Keys, run
from tests.fixtures.signable import listed, signable, tool

FIRST = 40  # block of the partition
ISO = iso_of({"boot/vmlinuz": b"kernel"})


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def session(screen: io.StringIO, tmp_path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A session of this checkout, called in an empty folder, by somebody whose keyring has a key."""
    monkeypatch.setenv("INSTALLER_ISO_CALLED_FROM", str(tmp_path))
    monkeypatch.setenv("INSTALLER_ISO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GNUPGHOME", str(keys.home))
    monkeypatch.setattr(sign_heads, "run_uncached", here)
    return Session(ROOT, Report(screen))


def here(step: Step, _builder: object, out: Path, _log: Path, _line: object, **_more: Any) -> None:
    """Run a step on this machine."""
    assert step.run is not None
    inputs = {name: source.path for name, source in step.inputs.items() if isinstance(source, Source)}
    work = out.with_name("work")
    work.mkdir()
    step.run(Played(inputs, step.params, out, work, tool=lambda argv, _: tool(argv)))


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A disk with a signable /boot, which only its owner may read."""
    system = signable(tmp_path).read_bytes()
    path = tmp_path / "disk.raw"
    path.write_bytes(with_gpt(bytes(FIRST * SECTOR) + system, FIRST, FIRST + len(system) // SECTOR - 1))
    path.chmod(0o600)
    return path


def is_signed(keys: Keys, path: Path, signature: bytes, text: bytes) -> bool:
    ring, made, signed = (path.with_name(name) for name in ("ring", "made", "signed"))
    ring.unlink(missing_ok=True)
    run("gpg", "--homedir", keys.home, "--output", ring, "--export", keys.fingerprint)
    made.write_bytes(signature)
    signed.write_bytes(text)
    run("gpgv", "--keyring", ring, made, signed)  # or it raises
    return True


def test_a_disk_is_signed_in_its_place(session: Session, screen: io.StringIO, disk: Path, keys: Keys) -> None:
    before = disk.read_bytes()
    sign_release(session, keys.fingerprint, "", heads=True, files=["disk.raw"])
    found = boot_in(open_image(disk))
    assert is_signed(keys, disk, found.signature, found.text)
    after, start, end = disk.read_bytes(), found.offset, found.offset + found.size
    assert (len(after), after[:start], after[end:]) == (len(before), before[:start], before[end:])
    assert stat.S_IMODE(disk.stat().st_mode) == 0o600
    assert screen.getvalue().splitlines()[-1] == "disk.raw: its /boot is signed, 3 files"
    sign_release(session, keys.fingerprint, "gpg", heads=True, files=["disk.raw"])
    assert screen.getvalue().splitlines()[-1] == (
        "disk.raw: its /boot is signed, 3 files, in place of a signature"
    )


def test_elsewhere_by_a_secret_key(session: Session, disk: Path, keys: Keys) -> None:
    before = disk.read_bytes()
    run("gpg", "--homedir", keys.home, "--batch", "--output", disk.with_name("key"), "--export-secret-keys")
    sign_release(session, "key", "", heads=True, out="signed.raw", files=["disk.raw"])
    assert disk.read_bytes() == before
    assert boot_in(open_image(disk.with_name("signed.raw"))).signature


def test_an_iso_gets_a_signature_beside_it(
    session: Session, screen: io.StringIO, tmp_path: Path, keys: Keys
) -> None:
    iso = tmp_path / "medium.iso"
    iso.write_bytes(ISO)
    sign_release(session, keys.fingerprint, "", heads=True, files=["medium.iso"])
    assert is_signed(keys, iso, (tmp_path / "medium.iso.asc").read_bytes(), ISO)
    assert iso.read_bytes() == ISO
    assert screen.getvalue() == "medium.iso.asc: a signature of medium.iso\n"


STALE = ext4(listed() | {"added": b""})
FILES = {
    "stale": STALE,
    "qcow2": b"QFI\xfb".ljust(4096, b"\0"),
    "zst": b"\x28\xb5\x2f\xfd".ljust(4096, b"\0"),
    "text": b"a text",
    "good.iso": ISO,
    "public": b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n",
}


@pytest.mark.parametrize(
    ("files", "more", "said"),
    [
        ([], {}, "--heads signs images, and none is named"),
        (["good.iso", "text"], {"out": "x"}, "--out is one file, and 2 are to be signed"),
        (["none"], {}, "none: is no file"),
        (
            ["good.iso", "stale"],
            {},
            "stale: is not signed: the lists are not of what is in its /boot:\n"
            "    ./added is not in kexec_tree.txt: it was added",
        ),
        (["qcow2"], {}, "qcow2: is a qcow2 disk image, and a raw one is signed"),
        (["zst"], {}, "zst: is a zstd file, and a raw one is signed"),
        (["text"], {}, "text: is not signed: is neither an ext4 nor a disk with a GPT"),
        (["good.iso"], {"key": "public"}, "--key public: has no OpenPGP secret key"),
    ],
)
def test_what_is_not_signed(
    session: Session, tmp_path: Path, keys: Keys, files: list[str], more: dict[str, str], said: str
) -> None:
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    given = {"key": keys.fingerprint, "out": ""} | more
    with pytest.raises(PipelineError) as caught:
        sign_release(session, given["key"], "", heads=True, out=given["out"], files=files)
    assert caught.value.message == said
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == sorted(FILES)


def test_a_key_that_nobody_has(session: Session, disk: Path) -> None:
    before = disk.read_bytes()
    with pytest.raises(PipelineError) as caught:
        sign_release(session, "nobody@example.org", "", heads=True, files=["disk.raw"])
    assert caught.value.message.startswith("gpg does not sign: ")
    assert disk.read_bytes() == before


@pytest.mark.parametrize(
    ("key", "options", "message"),
    [
        ("", {"heads": True}, "--key is missing: it says whose signature it is to be"),
        ("x", {"heads": True, "tool": "ssh"}, "--with ssh: Heads verifies OpenPGP signatures alone"),
        ("x", {"out": "y"}, "--out goes with --heads or --secure-boot"),
    ],
)
def test_what_cannot_be_meant(session: Session, key: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(PipelineError) as caught:
        judge_sign(session, key, **({"tool": ""} | options))
    assert caught.value.message == message


def test_a_release_is_signed_as_a_whole(session: Session) -> None:
    with pytest.raises(PipelineError) as caught:
        sign_release(session, "x", "", files=["disk.raw"])
    assert caught.value.message == "disk.raw: a release is signed as a whole"
