"""Detached signatures of a release, by programs and services that keep the keys: none is copied here."""

import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.release.layout import ENDINGS, SIGNED
from pipeline.release.trust import NAMESPACE, SSH_KIND
from pipeline.steps.openpgp import said, signature
from pipeline.store.files import explained, write_atomically

GPG, SSH, SIGSTORE = ENDINGS
OPENPGP_KEY = re.compile(r"(0x)?[0-9A-Fa-f]{8,64}!?|[^/]*@[^/]*")
"""How gpg(1) is told which key to take: by an end of its fingerprint, or by a mail address."""

SSH_BEGINS = ("-----BEGIN OPENSSH PRIVATE KEY-----", "-----BEGIN RSA PRIVATE KEY-----")


def tool_for(key: str, path: Path) -> str:
    """Return what signs with a key, by its form; `path` is where it is, if it is a file's name.

    Raises PipelineError for what is neither an SSH key file nor what gpg knows one by.
    """
    if path.is_file():
        with path.open(encoding="utf-8", errors="replace") as file:
            first = file.readline(100).strip()
        if first in SSH_BEGINS or SSH_KIND.fullmatch(first.partition(" ")[0]):
            return SSH
        raise PipelineError(
            f"--key {key}: is not an SSH key",
            "gpg takes keys of its own keyring: name one by its fingerprint",
        )
    if OPENPGP_KEY.fullmatch(key):
        return GPG
    raise PipelineError(
        f"--key {key!r}: is no file, and no fingerprint or mail address of an OpenPGP key",
        "name an SSH key file, or write `--with gpg`",
    )


def sign(folder: Path, tool: str, key: str) -> list[Path]:
    """Sign the lists of digests in a release's folder; return the signatures, in place of earlier ones.

    `key` is what the tool knows a key by: for SSH a file, the private one or, with an agent, the public
    one. For Sigstore it is nobody's: who signs is what the machine's surroundings vouch for, as in CI. Raises
    PipelineError where that cannot be.
    """
    by: dict[str, Callable[[Path, str], str]] = {GPG: signature, SSH: _ssh, SIGSTORE: _sigstore}
    texts = {f"{listing}{ENDINGS[tool]}": by[tool](folder / listing, key) for listing in SIGNED}
    for name, text in texts.items():
        with explained(folder / name, "write", cache=False):
            write_atomically(folder / name, text)
    return [folder / name for name in texts]


def _ssh(sums: Path, key: str) -> str:
    with tempfile.TemporaryDirectory() as scratch:  # given the list by a pipe, it asks for no passphrase
        copy = Path(scratch, sums.name)
        copy.write_bytes(sums.read_bytes())
        said(["ssh-keygen", "-Y", "sign", "-n", NAMESPACE, "-f", key, str(copy)])
        return copy.with_name(f"{sums.name}{ENDINGS[SSH]}").read_text(encoding="utf-8")


def _sigstore(sums: Path, _key: str) -> str:
    from requests import RequestException
    from sigstore.errors import Error
    from sigstore.models import ClientTrustConfig
    from sigstore.oidc import ExpiredIdentity, IdentityToken, detect_credential
    from sigstore.sign import SigningContext

    try:
        token = detect_credential()
        if token is None:
            raise PipelineError(
                "nothing here vouches for who signs: Sigstore needs an identity of the surroundings",
                "run it in CI, in a job that may ask for one (GitHub: `permissions: id-token: write`)",
            )
        context = SigningContext.from_trust_config(ClientTrustConfig.production())
        with context.signer(IdentityToken(token)) as signer:
            return signer.sign_artifact(sums.read_bytes()).to_json()
    except (Error, ExpiredIdentity, RequestException) as error:
        raise PipelineError(
            f"Sigstore does not sign: {error}", "its services have to be reachable"
        ) from error
