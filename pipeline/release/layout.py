"""The folder of a release, on which all parts agree: its files' names, how they are read, their digests."""

import re
from collections.abc import Mapping
from pathlib import Path

from pipeline.errors import FormatError

SUMS = "SHA256SUMS"
"""The digests of all files that are the same for everybody, as sha256sum(1) writes and checks them."""

RUN_SUMS = "RUNSUMS"
"""The digests of RUNS, and of SUMS: by it they belong to this release."""

SIGNED = (SUMS, RUN_SUMS)
ENDINGS = {"gpg": ".asc", "ssh": ".sig", "sigstore": ".sigstore.json"}
"""What the names of detached signatures end with, by what makes them: they begin as the list does."""

SIGNATURES = {f"{listing}{ending}" for listing in SIGNED for ending in ENDINGS.values()}

RUN = "run.json"
"""Who made the release, when and how fast."""

RUN_PAGE = "run.html"
"""The same for people, with what the screens showed."""

RUNS = (RUN, RUN_PAGE)
"""What differs from one making to the next."""

UNLISTED = {*SIGNED, *RUNS, *SIGNATURES}
"""What SUMS does not name."""

BUILD, PROVENANCE = "build.json", "provenance.intoto.json"
CYCLONEDX, SPDX = "sbom.cdx.json", "sbom.spdx.json"
MEASURED = "measured.json"
"""What a TPM says of a machine that started one of its images."""

NOTES = {"text": "notes.txt", "markdown": "notes.md", "json": "notes.json"}
"""The files of notes, by the formats of `./doit diff`."""

REPORT = "report.html"
DOCUMENTS = (BUILD, PROVENANCE, CYCLONEDX, SPDX, MEASURED, *NOTES.values(), REPORT)
"""What tells of a release, which none is without; the other files that are listed are its artifacts."""

LATER = {MEASURED}
"""Which of these the first releases lack: asked for where SUMS names them."""

LENIENT = {"extra": "ignore", "strict": True}
"""How pydantic reads what others write as well: it says more than is asked for."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._+~-]{0,199}")
LINE = re.compile(r"([0-9a-f]{64}) [ *](.*)")


def place(root: Path, version: str) -> Path:
    """Return the folder of a version's release."""
    return root / "artifacts/release" / version


def sums_text(digests: Mapping[str, str]) -> str:
    """Return the list of these files' SHA-256 (hex)."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))


def read_sums(data: bytes, listing: str = SUMS) -> dict[str, str]:
    """Return the SHA-256 (hex) of each file that a list names: SUMS, or RUN_SUMS.

    Raises FormatError for anything else than lines of a digest and a plain name, each name once, and for the
    name of a file that cannot be listed.
    """
    digests: dict[str, str] = {}
    for number, line in enumerate(data.decode(errors="backslashreplace").removesuffix("\n").split("\n"), 1):
        match = LINE.fullmatch(line)
        if not match:
            raise FormatError(f"line {number} is no SHA-256 and a name: {line[:100]!r}")
        digest, name = match.groups()
        if name not in (SUMS, *RUNS) if listing == RUN_SUMS else not NAME.fullmatch(name) or name in UNLISTED:
            what = "run" if listing == RUN_SUMS else "release"
            raise FormatError(f"line {number} names {name[:100]!r}, which is no file of a {what}")
        if name in digests:
            raise FormatError(f"line {number} names {name!r} again")
        digests[name] = digest
    return digests
