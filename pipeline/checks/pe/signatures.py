"""What must hold of the signatures of any PE image, and whether it has been revoked."""

from collections.abc import Iterator

from pipeline.checks.attempt import attempt, or_none
from pipeline.checks.finding import Fault, Rules, Severity
from pipeline.checks.pe import dbx
from pipeline.checks.pe.revocations import AS_OF, Refusal, refusals
from pipeline.checks.pe.sections import called
from pipeline.errors import FormatError
from pipeline.formats.authenticode import CHANGED, Signature, image_digest, read_signatures
from pipeline.formats.pe import Pe
from pipeline.formats.sbat import read_sbat

rule = Rules[Pe]()


@rule(
    "UKI010",
    "its signatures are right",
    also="EFI006",
    spec="UEFI 2.10, §32.2.3 Authenticode digests; EDK II DxeImageVerificationLib; Microsoft, Windows "
    "Authenticode Portable Executable",
    fix="sign it again, as the last thing that is done to it: sbattach --remove, then sbsign",
)
def are_right(pe: Pe) -> Iterator[Fault]:
    """Under Secure Boot only a signature of these very bytes counts."""
    if sum(pe.certificates) > len(pe.image):
        return  # a rule of its own says so
    signatures = attempt(read_signatures, pe)
    if isinstance(signatures, FormatError):
        yield f"{called(pe)}: {signatures.message}", signatures.hint
        return
    if any(not signature.fault for signature in signatures):
        return  # firmware takes that one; a rule of its own says what is wrong with others
    for signature in signatures:
        if signature.fault == CHANGED:
            yield (
                f"{called(pe)} was changed after it was signed by {signature.subject!r}: "
                f"its {signature.digest} is not the signed one"
            )
        else:
            yield _wrong(pe, signature)


@rule(
    "UKI021",
    "all of its signatures are right",
    also="EFI009",
    severity=Severity.WARNING,
    spec="UEFI 2.10, §32.5.3.3 Authorization Process; EDK II DxeImageVerificationLib",
    fix="take all signatures off, and sign it again by all signers: sbattach --remove, then sbsign",
)
def all_count(pe: Pe) -> Iterator[Fault]:
    """Of several signatures one is enough, where firmware trusts its signer; elsewhere another counts."""
    signatures = or_none(read_signatures, pe) or ()  # a rule of its own says why it cannot be read
    if all(signature.fault for signature in signatures):
        return
    for signature in signatures:
        if signature.fault:
            yield f"{_wrong(pe, signature)}; another of its signatures is right"


def _wrong(pe: Pe, signature: Signature) -> str:
    if not signature.subject:
        return f"{called(pe)} has a signature that {signature.fault}"
    return f"{called(pe)} is signed by {signature.subject!r}, but {signature.fault}"


@rule(
    "UKI017",
    f"no SbatLevel that was published until {AS_OF}, nor dbx until {dbx.AS_OF}, refuses it",
    also="EFI008",
    severity=Severity.WARNING,
    spec="SBAT.md and SbatLevel_Variable.txt of shim; UEFI 2.10, §32.4.1 (dbx)",
    fix="take a newer build of it, one that has an .sbat, or start it with Secure Boot off",
)
def are_not_revoked(pe: Pe) -> Iterator[Fault]:
    """Firmware and shim refuse what was published as revoked, though nothing in the file has changed.

    Shim goes by the generations in .sbat, firmware by the digests in dbx, which are of older programs. Both
    are a machine's own: Windows and newer shims raise them. Without Secure Boot nobody asks.
    """
    for refusal in refused(pe):
        yield (
            f"under Secure Boot shim refuses {called(pe)}: {refusal.text()}",
            f"take a newer build of it, whose .sbat says {refusal.component},{refusal.wanted} or more",
        )
    month = in_dbx(pe)
    if month:
        yield f"under Secure Boot firmware refuses {called(pe)}: dbx has its digest since {month}"


def refused(pe: Pe) -> tuple[Refusal, ...]:
    """Return by which published SbatLevels a program is refused; none without an .sbat that can be read."""
    components = or_none(lambda: read_sbat(pe.contents(".sbat"))) if pe.section(".sbat") else ()
    return refusals(components or ())


def in_dbx(pe: Pe) -> str:
    """Return since which month dbx has a signed program, "" where it has not, and for one with .sbat."""
    if pe.certificates == (0, 0) or pe.section(".sbat"):
        return ""
    digest = or_none(image_digest, pe, "sha256")
    return dbx.published(digest) if digest else ""
