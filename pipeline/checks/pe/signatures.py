"""Owns what must hold of the signatures of any PE image, and whether it has been revoked.

Must not know whom firmware trusts. Each rule is given what the image is called in its sentences.
"""

from collections.abc import Iterator

from pipeline.checks.finding import Fault
from pipeline.checks.pe import dbx
from pipeline.checks.pe.revocations import Refusal, refusals
from pipeline.errors import FormatError
from pipeline.formats.authenticode import CHANGED, Signature, image_digest, read_signatures
from pipeline.formats.pe import Pe
from pipeline.formats.sbat import read_sbat

SIGN_LAST = "sign it again, as the last thing that is done to it: sbattach --remove, then sbsign"


def are_right(what: str, pe: Pe) -> Iterator[Fault]:
    """Under Secure Boot a signature counts that covers these very bytes; any other is as good as none."""
    if sum(pe.certificates) > len(pe.image):
        return  # a rule of its own says so
    try:
        signatures = read_signatures(pe)
    except FormatError as error:
        yield f"{what}: {error.message}", error.hint
        return
    if any(not signature.fault for signature in signatures):
        return  # firmware takes that one; a rule of its own says what is wrong with others
    for signature in signatures:
        if signature.fault == CHANGED:
            yield (
                f"{what} was changed after it was signed by {signature.subject!r}: "
                f"its {signature.digest} is not the signed one",
                SIGN_LAST,
            )
        else:
            yield _wrong(what, signature), SIGN_LAST


def all_count(what: str, pe: Pe) -> Iterator[Fault]:
    """Of several signatures one is enough, where firmware trusts its signer; elsewhere another counts."""
    try:
        signatures = read_signatures(pe)
    except FormatError:
        return  # a rule of its own says so
    if all(signature.fault for signature in signatures):
        return
    for signature in signatures:
        if signature.fault:
            yield f"{_wrong(what, signature)}; another of its signatures is right", SIGN_LAST


def _wrong(what: str, signature: Signature) -> str:
    if not signature.subject:
        return f"{what} has a signature that {signature.fault}"
    return f"{what} is signed by {signature.subject!r}, but {signature.fault}"


def are_not_revoked(what: str, pe: Pe) -> Iterator[Fault]:
    """Firmware and shim refuse what was published as revoked, though nothing in the file has changed.

    Shim goes by the generations in .sbat, firmware by the digests in dbx, which are of older programs. Both
    are a machine's own: Windows and newer shims raise them. Without Secure Boot nobody asks.
    """
    for refusal in refused(pe):
        yield (
            f"under Secure Boot shim refuses {what}: {refusal.text()}",
            f"take a newer build of it, whose .sbat says {refusal.component},{refusal.wanted} or more",
        )
    month = in_dbx(pe)
    if month:
        yield (
            f"under Secure Boot firmware refuses {what}: dbx has its digest since {month}",
            "take a newer build of it, one that has an .sbat",
        )


def refused(pe: Pe) -> tuple[Refusal, ...]:
    """Return by which published SbatLevels a program is refused; none without an .sbat that can be read."""
    try:
        return refusals(read_sbat(pe.contents(".sbat"))) if pe.section(".sbat") else ()
    except FormatError:
        return ()


def in_dbx(pe: Pe) -> str:
    """Return since which month dbx has a signed program, "" where it has not, and for one with .sbat."""
    if pe.certificates == (0, 0) or pe.section(".sbat"):
        return ""
    try:
        return dbx.published(image_digest(pe, "sha256"))
    except FormatError:
        return ""
