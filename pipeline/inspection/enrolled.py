"""Whether a program starts on the machine whose variables were given: by an entry of which list, or why not.

It asks in the order of EDK II and of shim, signature by signature; `authenticode` says whether one is right.

Specifications: UEFI 2.10, §32.5.3.3 Authorization Process; EDK II, DxeImageVerificationLib; shim,
verify_buffer()
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline.checks.attempt import attempt, or_none
from pipeline.checks.kind import Node
from pipeline.checks.medium.programs import image_of
from pipeline.errors import FormatError
from pipeline.formats.authenticode import (
    Signature,
    common_name,
    every_signature,
    image_digest,
    read_signatures,
)
from pipeline.formats.pe import Pe
from pipeline.formats.sbat import Level, read_sbat
from pipeline.formats.secure_boot import Database, Store
from pipeline.formats.shim import Shim, read_shim
from pipeline.formats.trust import by_digest
from pipeline.inspection.answer import Condition, Said
from pipeline.inspection.boots import boot_programs
from pipeline.inspection.secure import NO_SBAT, OF_UNSIGNED, Named, chain, in_same_volume, is_shim, refused

if TYPE_CHECKING:  # it takes long to load
    from cryptography.x509 import Certificate

UNCHECKED = {
    "off": "Secure Boot is off: it starts unchecked",
    "setup": "the firmware is in setup mode, without a PK: it starts unchecked",
}
SHOWN = 16  # digits of a digest
UKI = "uki"
ADDONS, ADDON = "loader/addons/", ".addon.efi"
"""Where systemd-stub looks for what any UKI takes, besides the folder of its own, and for which files."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What firmware or shim makes of a program: `by` is what starts it, "" where `because` stops it."""

    by: str = ""
    because: str = ""
    unsure: bool = False
    needs_ec: bool = False


def of_medium(node: Node, store: Store) -> Said:
    """Answer for the programs that firmware starts from a medium: one that is refused speaks for all."""
    chains = [chain(node, one.path, one.node) for one in boot_programs(node)]
    every = [_with_addons(_of_chain(one, store), node, one, store) for one in chains]
    weak = [said for said in every if said.verdict != "yes"]
    return next(iter([*weak, *every]), Said("no", because="there is no program that UEFI starts"))


def of_program(node: Node, store: Store) -> Said:
    """Answer for one program."""
    return Said("not applicable") if image_of(node) is None else _of_chain([("it", node)], store)


def _with_addons(said: Said, medium: Node, every: Sequence[Named], store: Store) -> Said:
    """Return a yes with the addons that systemd-stub passes over, as nobody whom it asks lets them in.

    The stub asks shim first, if that has started it (systemd, src/boot/shim.c).
    """
    (_, first), (path, uki) = every[0], every[-1]
    if said.verdict != "yes" or store.state != "on" or not uki.kind or uki.kind.name != UKI:
        return said
    folders = (f"{path.lower()}.extra.d/", ADDONS)
    refused_ones = []
    for one in in_same_volume(medium, uki):
        pe = image_of(one)
        if pe and one.name.lower().startswith(folders) and one.name.lower().endswith(ADDON):
            taken = by_firmware(pe, one.name, store)
            shim = image_of(first) if len(every) > 1 and not taken.by else None
            if shim:
                behind = read_shim(shim)
                taken = _by_shim(one, one.name, behind, store, _level(shim, behind, store))
            refused_ones += [] if taken.by else [f"; it starts without an addon: {taken.because}"]
    return replace(said, because=said.because + "".join(refused_ones))


def _of_chain(every: Sequence[Named], store: Store) -> Said:
    """Answer for a program that firmware starts, and for what it starts itself where it is shim."""
    if store.state != "on":
        return Said("yes", because=UNCHECKED[store.state])
    (name, first), *others = every
    pe = image_of(first)
    if pe is None:
        return Said("not applicable")
    taken = by_firmware(pe, name, store)
    if not taken.by or not is_shim(pe, first.name):
        return _said(first, taken)
    shim = read_shim(pe)
    level = max(shim.level, store.level, key=lambda one: one.date)
    if why := _too_old(pe, name, level):
        return Said("no", because=f"{name} is shim, and refuses itself: {why}")
    steps = [taken]
    for other, node in others:
        behind = _by_shim(node, other, shim, store, _level(pe, shim, store))
        if not behind.by:
            return _said(
                node, replace(behind, because=f"{name} is shim, and refuses what it starts: {behind.because}")
            )
        steps.append(behind)
    if not others:
        steps.append(Taken("it is shim, and nothing that it starts is beside it"))
    return _said(first, replace(taken, by="; ".join(step.by for step in steps)))


def _level(pe: Pe, shim: Shim, store: Store) -> Level | None:
    """Return what this shim asks of what it starts; one without .sbat asks nothing."""
    return max(shim.level, store.level, key=lambda one: one.date) if pe.section(".sbat") else None


def _said(node: Node, taken: Taken) -> Said:
    if not taken.by:
        return replace(refused(node, taken.because), verdict="unknown" if taken.unsure else "no")
    return Said(
        "yes", because=taken.by, conditions=(Condition("signature", "ECDSA"),) if taken.needs_ec else ()
    )


def by_firmware(pe: Pe, name: str, store: Store) -> Taken:
    """Ask as EDK II does: dbx about every signature, db until one counts.

    Without a dbx it does not look for a signer before it asks db.
    """
    signatures = attempt(every_signature, pe)
    if isinstance(signatures, FormatError):
        return Taken(because=f"the signature of {name} cannot be read: {signatures.message}")
    if not signatures:
        return _unsigned(pe, name, store)
    found = Taken()
    for each in signatures:
        if not each.image_digest:  # firmware passes over what it cannot read
            continue
        if each.wants_signer and store.has_dbx:
            why = f"the signature of {name} {each.fault}; so dbx cannot be asked about its signer"
            return Taken(because=why)
        stop = _revoked(each, name, store)
        if stop:
            return stop
        if not found.by:
            found = _in_list(store.db, each, name)
    return found if found.by else Taken(because=_nobody(signatures, name, store.db.name))


def _revoked(each: Signature, name: str, store: Store) -> Taken | None:
    always = store.dbx.revocation(each.bag[0]) if each.bag else None
    if always is not None:
        subject = common_name(each.bag[0].subject)
        what = f"{name} is signed by {subject}, the digest of whose certificate is in dbx"
        if always or not store.has_dbt:
            return Taken(because=what)
        return Taken(
            because=f"{what}, for what was signed after a time; time stamps are not read", unsure=True
        )
    return _banned((store.dbx,), each, name, (each.image_digest,))


def _banned(
    lists: Iterable[Database], each: Signature | None, name: str, digests: Sequence[str]
) -> Taken | None:
    """Say which of the lists refuses a program, by its digest or by a certificate."""
    for one in lists:
        for digest in digests:
            if digest in one.digests:
                return Taken(because=_listed(name, digest, one))
        certificate = one.vouching(each.bag) if each and not each.fault else None
        if certificate and each:
            return Taken(because=_signed(name, each, certificate, one))
    return None


def _in_list(one: Database, each: Signature, name: str) -> Taken:
    """Say whether a list starts a program, by a certificate or by its digest."""
    certificate = None if each.fault else one.vouching(each.bag)
    if certificate:
        return Taken(_signed(name, each, certificate, one), needs_ec=not each.is_rsa)
    return Taken(_listed(name, each.image_digest, one) if each.image_digest in one.digests else "")


def _unsigned(pe: Pe, name: str, store: Store) -> Taken:
    if pe.certificates[1]:
        return Taken(because=f"{name} has a certificate table without a signature that firmware knows")
    digests = _digests(pe, OF_UNSIGNED)
    stop = _banned((store.dbx,), None, name, digests)
    good = next((each for each in digests if each in store.db.digests), "")
    why = f"{name} is not signed, and its digest is not in db"
    return stop or (Taken(_listed(name, good, store.db)) if good else Taken(because=why))


def _nobody(signatures: Sequence[Signature], name: str, lists: str) -> str:
    """Say that nobody vouches for a program."""
    good = [each for each in signatures if not each.fault]
    if not good:
        first = next((each for each in signatures if each.subject), signatures[0])
        signed = f"{name} is signed by {first.subject}, but" if first.subject else f"the signature of {name}"
        return f"{signed} {first.fault}"
    signers = " and ".join(
        each.subject if each.issuer == each.subject else f"{each.subject} (issued by {each.issuer})"
        for each in good
    )
    return f"{name} is signed by {signers}, whom nothing in {lists} vouches for"


def _by_shim(node: Node, name: str, shim: Shim, store: Store, level: Level | None) -> Taken:
    """Ask as shim does: all lists of digests first, then signature by signature until one counts."""
    pe = image_of(node)
    if pe is None:
        return Taken(because=f"{name} is no program")
    if not store.shim_verifies:
        return Taken(f"shim starts {name} unchecked: its user switched verification off (MokSBState)")
    trusted = [*([store.db] if store.shim_asks_db else []), shim.vendor, store.mok]
    taken = _by_lists(pe, name, (shim.vendor_dbx, store.dbx, store.mokx), trusted)
    if not taken.by or level is None:
        return taken
    why = f"{name}: {NO_SBAT}" if pe.section(".sbat") is None else _too_old(pe, name, level)
    return Taken(because=why) if why else taken


def _by_lists(pe: Pe, name: str, banned: Sequence[Database], trusted: Sequence[Database]) -> Taken:
    digests = _digests(pe, ("sha256", "sha1"))
    stop = _banned(banned, None, name, digests)
    if stop:
        return stop
    for one in trusted:
        for digest in digests:
            if digest in one.digests:
                return Taken(_listed(name, digest, one))
    signatures = attempt(read_signatures, pe)
    if isinstance(signatures, FormatError):
        return Taken(because=f"the signature of {name} cannot be read: {signatures.message}")
    if not signatures:
        return Taken(because=f"{name} is not signed")
    for each in signatures:
        if each.fault or each.digest != "sha256":  # shim makes no other
            continue
        stop = _banned(banned, each, name, ())
        found = next((taken for taken in (_in_list(one, each, name) for one in trusted) if taken.by), None)
        if stop or found:
            return stop or found or Taken()
    return Taken(because=_nobody(signatures, name, " or ".join(one.name for one in trusted)))


def _digests(pe: Pe, algorithms: Iterable[str]) -> list[str]:
    """Return a program's digests as lists have them, none for one that nobody could hash."""
    return [by_digest(name, digest) for name in algorithms if (digest := or_none(image_digest, pe, name))]


def _too_old(pe: Pe, name: str, level: Level) -> str:
    """Say what shim's SbatLevel wants that a program is not, a clause; "" where it is new enough."""
    declared = attempt(lambda: read_sbat(pe.contents(".sbat")) if pe.section(".sbat") else ())
    if isinstance(declared, FormatError):
        return f"{name}: {declared.message}"
    wanted = [
        f"SbatLevel {level.date} wants {one.name},{level.least[one.name]}, and {name} is "
        f"{one.name},{one.generation}"
        for one in declared
        if one.generation < level.least.get(one.name, 0)
    ]
    return wanted[0] if wanted else ""


def _listed(name: str, entry: str, one: Database) -> str:
    return f"the digest of {name} ({entry[: entry.index(' ') + 1 + SHOWN]}…) is in {one.name}"


def _signed(name: str, each: Signature, certificate: "Certificate", one: Database) -> str:
    """Say by whom a program is signed, and who of those above is in a list."""
    entry = common_name(certificate.subject)
    who = entry if certificate == each.bag[0] else f"{each.subject}, issued below {entry}"
    return f"{name} is signed by {who}, which is in {one.name}"
