"""Reads and writes the file of detached signatures that a vendor commits: by an image's name, all that is
attached to it.

    {"schema": 1, "images": {"Toy.efi": {"of": …, "pcrsig": {…}, "signatures": […]}}}

`of` is the SHA-256 of the unsigned file, `pcrsig` the policies of its PCR 11 (systemd-measure(1)) or null,
and `signatures` are PKCS #7 structures in DER and base64, of the image with the policies in it.
"""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import FormatError

SCHEMA = 1
SHA256 = re.compile(r"[0-9a-f]{64}")
MAX_SIZE = 1 << 22  # bytes
AGAIN = "remove it, and sign again: `./doit sign --secure-boot`"


@dataclass(frozen=True, slots=True)
class Signed:
    """What is to be attached to one image; `pcrsig` is JSON as it goes into the section, "" for none."""

    of: str
    pcrsig: str
    signatures: tuple[bytes, ...]


def read_signatures_file(data: bytes) -> dict[str, Signed]:
    """Return what is to be attached, by an image's name. Raises FormatError for anything else."""
    try:
        said = json.loads(data[: MAX_SIZE + 1])
        schema = said["schema"]
        if schema == SCHEMA:
            return {str(name): _signed(one) for name, one in said["images"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FormatError(f"it is no file of signatures: {error!r}", AGAIN) from error
    raise FormatError(f"it has the schema {schema!r}, and {SCHEMA} is known here", AGAIN)


def _signed(said: Mapping[str, Any]) -> Signed:
    if not SHA256.fullmatch(said["of"]):
        raise ValueError(f"{said['of']!r} is no SHA-256 digest")
    pcrsig = said["pcrsig"]
    if pcrsig is not None and not isinstance(pcrsig, dict):
        raise TypeError(f"{pcrsig!r} are no policies")
    signatures = tuple(base64.b64decode(one, validate=True) for one in said["signatures"])
    return Signed(said["of"], "" if pcrsig is None else compact(pcrsig), signatures)


def compact(policies: Mapping[str, Any]) -> str:
    """Return policies as they go into a .pcrsig: the same text for the same policies."""
    return json.dumps(policies, separators=(",", ":"), sort_keys=True)


def signatures_file(images: Mapping[str, Signed]) -> bytes:
    """Return the file that says all this, in a form of which diffs can be read."""
    said = {
        name: {
            "of": one.of,
            "pcrsig": json.loads(one.pcrsig) if one.pcrsig else None,
            "signatures": [base64.b64encode(each).decode() for each in one.signatures],
        }
        for name, one in sorted(images.items())
    }
    return (json.dumps({"schema": SCHEMA, "images": said}, indent=2) + "\n").encode()
