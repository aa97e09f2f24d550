"""Detached OpenPGP signatures by gpg: by a key of its keyring or a smart card, or by a secret key in a file.

gpg is called, and no library of the field: keys on cards, agents and passphrases are gpg's, and a second
implementation beside it would only serve key files.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.errors import PipelineError

ARMOR = b"-----BEGIN PGP PRIVATE KEY BLOCK-----"
SECRET_KEY_TAGS = (0x94, 0x95, 0x96, 0x97, 0xC5)
"""How a file begins that has a secret key's packet (RFC 9580, §4.2: tag 5, by old and new headers)."""

OTHER_KEY = "try it with --key of another key"


def is_secret_key(path: Path) -> bool:
    """Tell whether a file begins as one with an OpenPGP secret key, armored or not."""
    with path.open("rb") as file:
        head = file.read(len(ARMOR))
    return head == ARMOR or head[:1] in [bytes([tag]) for tag in SECRET_KEY_TAGS]


def signature(file: Path, key: str | Path) -> str:
    """Return an armored signature of a file: by a key that gpg knows as `key`, or by that in a file.

    Of a secret key in a file a keyring is made that is gone afterwards. Raises PipelineError where gpg is not
    there, or does not sign.
    """
    if isinstance(key, str):
        return _signature(file, key, {})
    with _keyring(key) as surroundings:
        return _signature(file, "", surroundings)


def _signature(file: Path, key: str, surroundings: Mapping[str, str]) -> str:
    named = [f"--local-user={key}"] if key else []
    options = ["--armor", "--detach-sign", *named, "--output=-"]
    return said(["gpg", "--batch", *options, "--", str(file)], surroundings)


@contextmanager
def _keyring(key: Path) -> Iterator[Mapping[str, str]]:
    """Give surroundings in which gpg has one key, that of a file, and no other."""
    with tempfile.TemporaryDirectory(prefix="gnupg-") as home:  # 0700, as mkdtemp makes it
        surroundings = {"GNUPGHOME": home}
        try:
            said(["gpg", "--batch", "--quiet", "--import", "--", str(key)], surroundings, "take the key")
            yield surroundings
        finally:
            with suppress(PipelineError):  # an agent ends without its folder, too, but not at once
                said(["gpgconf", "--kill", "all"], surroundings, "end")


def said(command: Sequence[str], surroundings: Mapping[str, str] | None = None, doing: str = "sign") -> str:
    """Return what a program writes, `surroundings` in its environment. It may ask for a passphrase."""
    terminal = {"GPG_TTY": os.ttyname(0)} if os.isatty(0) else {}  # an agent has none of its own to ask at
    try:
        done = subprocess.run(
            command, capture_output=True, check=False, env=os.environ | terminal | dict(surroundings or {})
        )
    except FileNotFoundError:
        raise PipelineError(
            f"{command[0]} is not there, and has to {doing}", f"install {command[0]}"
        ) from None
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["nothing"]
        raise PipelineError(f"{command[0]} does not {doing}: {lines[-1]}", OTHER_KEY)
    return done.stdout.decode()
