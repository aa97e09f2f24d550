"""Who has to have signed a release: public keys, or an identity, that whoever verifies it names."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import PipelineError

SSH_KIND = re.compile(r"(sk-)?(ssh|ecdsa)-[a-z0-9-]+(@openssh\.com)?")
NAMESPACE = "file"
"""What signatures by SSH are for: the one that ssh-keygen(1) names for files."""

FOR_FILES = f'namespaces="{NAMESPACE}"'
ARMOUR = b"-----BEGIN PGP PUBLIC KEY BLOCK-----"
MOST = 1 << 20  # bytes of a file with keys


@dataclass(frozen=True)
class Trust:
    """`openpgp` are public keys as gpg imports them, `ssh` has those of SSH with the names of who has them.

    `identity` is whom a certificate of Sigstore has to be for, by the word of `issuer`.
    """

    openpgp: bytes = b""
    ssh: Mapping[bytes, str] = field(default_factory=dict)
    identity: str = ""
    issuer: str = ""

    def asks(self, tool: str) -> bool:
        """Tell whether a signature by this tool has to be there."""
        return bool({"gpg": self.openpgp, "ssh": self.ssh, "sigstore": self.identity}[tool])


def read_keys(path: Path) -> Trust:
    """Return the trust in the keys of a file: OpenPGP's, SSH's, or the allowed signers of ssh-keygen(1).

    Raises PipelineError for a file without any.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MOST + 1)
    except OSError as error:
        raise PipelineError(f"{path}: cannot be read: {error.strerror}", "name a file with keys") from error
    if len(data) > MOST:
        raise PipelineError(f"{path}: is too large for a file with keys", "name one with public keys alone")
    if data.startswith(ARMOUR) or data[:1] >= b"\x80":  # of a packet of OpenPGP (RFC 9580, section 4.2)
        return Trust(openpgp=data)
    keys = {}
    for number, line in enumerate(data.decode(errors="replace").splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            key, name = _ssh_key(line, f"{path}: line {number}")
            keys[key] = name
    if not keys:
        raise PipelineError(f"{path}: has no public key", "name a file with one")
    return Trust(ssh=keys)


def _ssh_key(line: str, where: str) -> tuple[bytes, str]:
    """Return the key in a line, and whose it is: by its comment, or by the principals before it."""
    words = line.split()
    at = next((at for at, word in enumerate(words[:3]) if SSH_KIND.fullmatch(word)), None)
    if at == 2 and words[1] != FOR_FILES:
        raise PipelineError(
            f"{where}: {words[1]!r} is not understood here",
            f"take only {FOR_FILES}, or use ssh-keygen -Y verify",
        )
    try:
        key = base64.b64decode(words[at + 1], validate=True) if at is not None else b""
    except (IndexError, binascii.Error):
        key = b""
    if at is None or not key:
        raise PipelineError(
            f"{where}: is no public key of OpenPGP or SSH, and no allowed signer",
            "name one that ends in .pub, what `gpg --export` writes, or one in the form of allowed_signers",
        )
    return key, words[0] if at else " ".join(words[2:])
