"""What the scripts of `recipes/heads-stand-in` make of a /boot, called here: its stories boot them."""

import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.formats.boot_files import of_bytes
from pipeline.formats.heads import HASHES, TREE, make_hashes, make_tree, signed_text
from tests.conftest import ROOT
from tests.fixtures.release_folder import Keys, run

SCRIPTS = ROOT / "recipes/heads-stand-in/rootfs/bin"
MENU = """\
set timeout=5
menuentry 'One | two' --id one-1 {
  linux /vmlinuz-1 root=LABEL=ROOT quiet $more ${more}end
  initrd /initrd-1.img
}
"""
BOOT = {"vmlinuz-1": b"kernel", "initrd-1.img": b"initrd", "grub/grub.cfg": MENU.encode()}
LINE = "One  two|/vmlinuz-1|/initrd-1.img|root=LABEL=ROOT quiet end"


def call(script: str, *words: object) -> tuple[int, str]:
    """Return the exit status of a script, and what it says."""
    env = os.environ | {"PATH": f"{SCRIPTS}:{os.environ['PATH']}"}
    command = ["sh", str(SCRIPTS / script), *map(str, words)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.rstrip("\n")


def put(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


@pytest.fixture
def ring(keys: Keys, tmp_path: Path) -> Path:
    """A keyring with the owner's public key."""
    path = tmp_path / "owner.gpg"
    gpg(keys.home, "--output", path, "--export", keys.fingerprint)
    return path


@pytest.fixture
def boot(keys: Keys, tmp_path: Path) -> Path:
    """A signed /boot."""
    folder = tmp_path / "boot"
    lists = {HASHES: make_hashes(of_bytes(BOOT)), TREE: make_tree(of_bytes(BOOT))}
    put(folder, BOOT | lists)
    sign(keys, folder, signed_text(lists))
    return folder


def sign(keys: Keys, folder: Path, text: bytes, name: str = "kexec.sig") -> None:
    (folder.parent / "text").write_bytes(text)
    (folder / name).unlink(missing_ok=True)
    gpg(keys.home, "--armor", "--output", folder / name, "--detach-sign", folder.parent / "text")


def gpg(home: Path, *words: str | Path) -> None:
    run("gpg", "--homedir", home, "--batch", "--quiet", *words)


def test_what_the_owner_signed(boot: Path, ring: Path) -> None:
    assert call("verify-boot", boot, ring) == (0, "/boot is as its owner signed it")


def _list_again(boot: Path) -> None:
    """Make the lists of what is there, as somebody does who cannot sign them."""
    there = of_bytes(
        {str(path.relative_to(boot)): path.read_bytes() for path in boot.rglob("*") if path.is_file()}
    )
    put(boot, {HASHES: make_hashes(there), TREE: make_tree(there)})


def _in_other_words(boot: Path) -> None:
    """Add a file, and make lists of it."""
    put(boot, {"added": b"x"})
    _list_again(boot)


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "changed": (lambda boot: put(boot, {"vmlinuz-1": b"kernet"}), "./vmlinuz-1 was changed"),
    "menu": (lambda boot: put(boot, {"grub/grub.cfg": b""}), "./grub/grub.cfg was changed"),
    "missing": (lambda boot: (boot / "initrd-1.img").unlink(), "./initrd-1.img is missing"),
    "added": (lambda boot: put(boot, {"grub/added": b""}), "./grub/added was added"),
    "folder": (lambda boot: (boot / "sub").mkdir(), "./sub was added"),
    "list": (
        _in_other_words,
        "kexec.sig is a signature of something else: what is signed was changed afterwards",
    ),
    "more": (
        lambda boot: put(boot, {"kexec_default.1.txt": b"x"}),
        "kexec.sig is a signature of something else: what is signed was changed afterwards",
    ),
    "no-list": (lambda boot: (boot / TREE).unlink(), f"/boot has no {TREE}"),
    "unsigned": (lambda boot: (boot / "kexec.sig").unlink(), "/boot is not signed: there is no kexec.sig"),
    "empty": (lambda boot: put(boot, {"kexec.sig": b""}), "there is no signature kexec.sig"),
    "nonsense": (lambda boot: put(boot, {"kexec.sig": b"x"}), "kexec.sig is no signature that counts"),
}


@pytest.mark.parametrize(("change", "sentence"), CHANGES.values(), ids=CHANGES)
def test_what_was_changed_afterwards(
    boot: Path, ring: Path, change: Callable[[Path], object], sentence: str
) -> None:
    change(boot)
    assert call("verify-boot", boot, ring) == (1, sentence)


def test_lists_that_are_signed_and_leave_something_out(boot: Path, ring: Path, keys: Keys) -> None:
    lists = {name: (boot / name).read_bytes() for name in (HASHES, TREE)}
    lists[TREE] = lists[TREE].replace(b"./grub\0", b"./grub\0./gone\0")
    put(boot, lists)
    sign(keys, boot, signed_text(lists))
    assert call("verify-boot", boot, ring) == (1, "./gone is missing")
    lists[TREE] = b"./vmlinuz-1\0" + lists[TREE].replace(b"./gone\0", b"").replace(b"./vmlinuz-1\0", b"")
    put(boot, lists)
    sign(keys, boot, signed_text(lists))
    assert call("verify-boot", boot, ring) == (1, f"{TREE} is in another order")


def test_another_key(boot: Path, tmp_path: Path, keys: Keys) -> None:
    home = Path(tempfile.mkdtemp(prefix="keys", dir=keys.home.parent))
    gpg(home, "--passphrase", "", "--quick-gen-key", "Other <o@example.org>", "ed25519", "sign", "never")
    gpg(home, "--output", tmp_path / "other.gpg", "--export")
    said = "kexec.sig is a signature by another key than the owner's"
    assert call("verify-boot", boot, tmp_path / "other.gpg") == (1, said)
    run("gpgconf", "--homedir", home, "--kill", "all")


@pytest.mark.parametrize("ending", ["sig", "asc"])
def test_an_iso(tmp_path: Path, ring: Path, keys: Keys, ending: str) -> None:
    stick = tmp_path / "stick"
    put(stick, {"one.iso": b"an ISO"})
    assert call("verify-iso", stick / "one.iso", ring) == (1, "there is no signature one.iso.asc")
    sign(keys, stick, b"an ISO", f"one.iso.{ending}")
    assert call("verify-iso", stick / "one.iso", ring) == (0, "one.iso is signed by the owner")
    put(stick, {"one.iso": b"an ISo"})
    changed = f"one.iso.{ending} is a signature of something else: what is signed was changed afterwards"
    assert call("verify-iso", stick / "one.iso", ring) == (1, changed)


BLS = b"title One\nlinux /vmlinuz-1\ninitrd /initrd-1.img\noptions root=LABEL=ROOT\noptions quiet\n"
TWO = 'menuentry "Two" {\n\tlinux ($root)/vmlinuz-1\n}\n'
LACKS = "menuentry 'Lacks' {\n linux /vmlinuz-1\n initrd /none.img\n}\n"


@pytest.mark.parametrize(
    ("files", "entries"),
    [
        ({}, [LINE]),
        ({"grub/grub.cfg": (TWO + MENU).encode()}, ["Two|/vmlinuz-1||", LINE]),
        ({"grub/grub.cfg": (MENU + LACKS + TWO).encode()}, [LINE]),
        ({"grub/grub.cfg": MENU.replace("/vmlinuz", "/boot/vmlinuz").encode()}, []),
        (
            {"grub/grub.cfg": b"", "loader/entries/one.conf": BLS},
            ["One|/vmlinuz-1|/initrd-1.img|root=LABEL=ROOT quiet"],
        ),
        ({"loader/entries/one.conf": BLS}, [LINE]),
        ({"grub/grub.cfg": b"", "EFI/BOOT/grub.cfg": MENU.encode()}, []),
        ({"boot/grub/loopback.cfg": TWO.encode()}, ["Two|/vmlinuz-1||"]),
    ],
)
def test_what_is_found_to_start(tmp_path: Path, files: dict[str, bytes], entries: list[str]) -> None:
    put(tmp_path, BOOT | files)
    _, said = call("boot-entries", tmp_path)
    assert said.splitlines() == entries
