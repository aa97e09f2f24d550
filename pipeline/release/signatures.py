"""What the signatures of a release are worth: which hold, and whose they are."""

import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from pipeline.errors import FormatError
from pipeline.release.layout import ENDINGS, SIGNED
from pipeline.release.trust import NAMESPACE, Trust

NOT_GOOD = {"BADSIG", "ERRSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG", "NODATA"}
"""Words of gpg's status for a signature that does not count (DETAILS of GnuPG, "status codes")."""

PATIENCE = 20  # seconds for gpg


@dataclass(frozen=True)
class Verdict:
    """What is found of one thing: `good` is None for what nobody could judge, or does not count."""

    subject: str
    good: bool | None
    sentence: str


class BadError(Exception):
    """A signature that does not hold; its text goes on after the file's name."""


def judge(files: Mapping[str, bytes], trust: Trust) -> Iterator[Verdict]:
    """Yield what is found of each signature that is there, or has to be."""
    ways: dict[str, Callable[[bytes, str, bytes, Trust], tuple[bool | None, str]]] = {
        "gpg": _openpgp,
        "ssh": _ssh,
        "sigstore": _sigstore,
    }
    for listing, tool in product(SIGNED, ENDINGS):
        name = f"{listing}{ENDINGS[tool]}"
        if listing not in files:
            continue
        if name in files:
            try:
                yield Verdict(name, *ways[tool](files[name], listing, files[listing], trust))
            except BadError as error:
                yield Verdict(name, False, str(error))
        elif trust.asks(tool):
            yield Verdict(name, False, "is not there: whom you named has not signed this")


def _openpgp(signature: bytes, listing: str, message: bytes, trust: Trust) -> tuple[bool | None, str]:
    if not trust.openpgp:
        return None, "is not judged: --key FILE says with which OpenPGP key it has to be made"
    with tempfile.TemporaryDirectory() as home:  # of which nobody's settings and keys are part
        paths = {name: Path(home, name) for name in ("key", "signature", "message")}
        for path, data in zip(paths.values(), (trust.openpgp, signature, message), strict=True):
            path.write_bytes(data)
        _gpg(home, "--import", paths["key"])
        told = _gpg(home, "--verify", paths["signature"], paths["message"])
    words = {line.split()[1]: line.split()[2:] for line in told.splitlines() if line.startswith("[GNUPG:] ")}
    if NOT_GOOD & words.keys() or not {"GOODSIG", "VALIDSIG"} <= words.keys():
        said = ", ".join(sorted(NOT_GOOD & words.keys())) or "no signature"
        raise BadError(f"does not hold for this {listing}, by the key that you named: gpg says {said}")
    return True, f"holds, by {' '.join(words['GOODSIG'][1:])} (OpenPGP {words['VALIDSIG'][0]})"


def _gpg(home: str, *arguments: str | Path) -> str:
    """Return gpg's status. Raises BadError where it cannot run."""
    command = ("gpg", "--homedir", home, "--batch", "--no-tty", "--no-autostart", "--status-fd", "1")
    try:
        done = subprocess.run([*command, *arguments], capture_output=True, timeout=PATIENCE, check=False)
    except FileNotFoundError:
        raise BadError("cannot be judged: there is no gpg here; install GnuPG") from None
    except subprocess.TimeoutExpired:
        raise BadError(f"cannot be judged: gpg did not end within {PATIENCE} s") from None
    return done.stdout.decode(errors="backslashreplace")


def _ssh(signature: bytes, listing: str, message: bytes, trust: Trust) -> tuple[bool | None, str]:
    from pipeline.formats import sshsig  # cryptography takes longer to load than an unsigned release

    try:
        read = sshsig.read(signature)
        if read.by_hardware and not trust.ssh:
            return None, f"is not judged: only ssh-keygen can check the hardware key {read.fingerprint}"
        holds = read.holds(message)
    except FormatError as error:
        raise BadError(error.message) from None
    if not holds or read.namespace != NAMESPACE.encode():
        raise BadError(f"does not hold: the key {read.fingerprint} has not signed this {listing}")
    if not trust.ssh:
        return (
            None,
            f"holds, by the key {read.fingerprint}; --key FILE says whether that is whose it has to be",
        )
    if read.key not in trust.ssh:
        raise BadError(f"is by the key {read.fingerprint}, which you did not name")
    return True, f"holds, by {trust.ssh[read.key] or 'the key that you named'} ({read.fingerprint})"


def _sigstore(signature: bytes, listing: str, message: bytes, trust: Trust) -> tuple[bool | None, str]:
    if not trust.identity:
        return None, "is not judged: --identity and --issuer say whose it has to be"
    import logging

    from sigstore.models import Bundle
    from sigstore.verify import Verifier, policy

    logging.getLogger("sigstore").setLevel(logging.ERROR)  # it would warn that it does as it was told
    whose = policy.Identity(identity=trust.identity, issuer=trust.issuer)
    try:
        verifier = Verifier.production(offline=True)
    except Exception as error:  # it keeps Sigstore's own keys in the user's home, which may be none
        raise BadError(f"cannot be judged: {type(error).__name__}: {error}") from error
    try:
        verifier.verify_artifact(message, Bundle.from_json(signature), whose)
    except Exception as error:  # a stranger's bundle meets more code than anybody has listed errors of
        raise BadError(f"does not hold for this {listing}: {type(error).__name__}: {error}") from error
    return True, f"holds, by {trust.identity}, as {trust.issuer} says"
