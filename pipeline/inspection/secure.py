"""The answers to Secure Boot: who signed what firmware and shim start, and what SBAT says of it.

Specifications: UEFI 2.10, §32.5.1 "Image Execution"; SBAT https://github.com/rhboot/shim/blob/main/SBAT.md
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from pipeline.checks.attempt import or_none
from pipeline.checks.kind import Node
from pipeline.checks.medium.programs import image_of
from pipeline.checks.pe.signatures import in_dbx
from pipeline.checks.pe.signatures import refused as by_levels
from pipeline.errors import FormatError
from pipeline.formats.authenticode import Signature, every_signature, image_digest, read_signatures
from pipeline.formats.pe import Pe
from pipeline.formats.sbat import read_sbat
from pipeline.formats.trust import by_digest
from pipeline.inspection.answer import Condition, Said
from pipeline.inspection.boots import boot_programs

IDENT = b"UEFI SHIM"
MAX_IDENT = 4096  # bytes
SHIMS = ("BOOT", "SHIM")  # how shim's file is called; what comes with it has another name
SECOND_STAGES = ("fb", "grub")
"""What shim starts out of its own folder: `grubx64.efi`, and before it the fallback that looks for others."""

SIGNATURES = frozenset({"EFI006", "UKI010"})
REVOKED = frozenset({"EFI008", "UKI017"})
DIGEST = "the program's digest"
NO_SBAT = "there is no .sbat, which shim asks of what it starts"
OF_UNSIGNED = ("sha256", "sha1", "sha384", "sha512")
"""Digests of a program without signatures that EDK II looks for in db; older ones, the first alone."""

Named = tuple[str, Node]
"""A program, and what people call it."""


def of_medium(node: Node) -> Said:
    """Answer for the programs that firmware starts from a medium: one that is refused speaks for all."""
    every = [_of_chain(chain(node, program.path, program.node)) for program in boot_programs(node)]
    weak = [said for said in every if said.verdict != "yes"]
    return next(iter([*weak, *every]), Said("no", because="there is no program that UEFI starts"))


def of_program(node: Node, name: str = "it") -> Said:
    """Answer for one program: it is started where firmware trusts who vouches for its signer."""
    return _of_chain([(name, node)])


def _of_chain(chain: Sequence[Named]) -> Said:
    """Answer for a program that firmware starts, and for what it starts itself where it is shim."""
    (name, first), *others = chain
    said = _signed(first, name)
    pe = image_of(first)
    if said.verdict != "yes" or pe is None or not is_shim(pe, first.name):
        return _unless_revoked(said, chain)
    asks = pe.section(".sbat") is not None  # a shim that knows SBAT asks others for it
    because = [said.because]
    for other, node in others:
        behind, declared = _signed(node, other), sbat_of_program(node)
        why = behind.because if behind.verdict != "yes" else ""
        if not why and asks and declared.verdict != "yes":
            why = f"{other}: {declared.because}"
        if why:
            return Said(
                "no",
                because=f"{name} is shim, and refuses what it starts: {why}",
                finding=behind.finding,
                hint=behind.hint,
            )
        because.append(f"it is shim, and of what it starts {behind.because}")
    if not others:
        because.append("it is shim, which starts only what is signed too")
    return _unless_revoked(replace(said, because="; ".join(because)), chain)


def _signed(node: Node, name: str) -> Said:
    """Say who signed a program, and whose trust that takes."""
    pe = image_of(node)
    if pe is None:
        return Said("not applicable")
    try:
        signatures = read_signatures(pe)
    except FormatError as error:
        said = refused(node, f"the signature of {name} cannot be read: {error.message}")
        every = or_none(every_signature, pe) or ()
        return (
            said
            if any(each.wants_signer for each in every)
            else replace(said, conditions=_in_db(DIGEST, every))
        )
    if not signatures:
        return Said("no", because=f"{name} is not signed", conditions=_of_unsigned(pe))
    good = [each for each in signatures if not each.fault]
    if not good:
        first = next((each for each in signatures if each.subject), signatures[0])
        said = refused(node, f"{name} is signed by {first.subject}, but {first.fault}")
        return replace(said, conditions=_in_db(DIGEST, signatures))
    trusted = " or ".join(dict.fromkeys(each.issuer for each in good))
    signers = ", ".join(each.subject for each in good)
    because = f"{name} is signed by {signers}"
    conditions = _in_db(trusted, signatures)
    if not any(each.is_rsa for each in good):
        conditions = (*conditions, Condition("signature", "ECDSA"))
    return Said("yes", f"if the firmware trusts {trusted}", because, conditions=conditions)


def _in_db(who: str, signatures: Iterable[Signature]) -> tuple[Condition, ...]:
    """Return what db has to hold for one of these: a certificate or, of a wrong one too, the digest."""
    entries = dict.fromkeys(entry for each in signatures for entry in each.trust)
    return (Condition("db", who, tuple(entries)),) if entries else ()


def _of_unsigned(pe: Pe) -> tuple[Condition, ...]:
    """Return what db has to hold for a program without signatures; nothing helps where others stand there."""
    if pe.certificates[1]:
        return ()
    try:
        entries = tuple(by_digest(name, image_digest(pe, name)) for name in OF_UNSIGNED)
    except FormatError:
        return ()
    return (Condition("db", DIGEST, entries),)


def refused(node: Node, because: str) -> Said:
    """Return a no, with what is wrong with the program's signatures, if anything is."""
    found = next((finding for finding in node.findings if finding.code in SIGNATURES), None)
    return Said("no", because=because, finding=found.code if found else "", hint=found.hint if found else "")


def _unless_revoked(said: Said, chain: Iterable[Named]) -> Said:
    """Return a yes with the SbatLevel, and the dbx, from which on one of the programs is refused, if any."""
    if said.verdict != "yes":
        return said
    by_level: dict[str, list[str]] = {}
    by_month: dict[str, list[str]] = {}
    code = ""
    for name, node in chain:
        pe = image_of(node)
        refusals = by_levels(pe) if pe else ()
        month = in_dbx(pe) if pe else ""
        for refusal in refusals:
            by_level.setdefault(refusal.level, []).append(f"{refusal.component},{refusal.generation}")
        if month:
            by_month.setdefault(month, []).append(name)
        if refusals or month:
            code = code or _code(node, REVOKED)
    conditions = [
        Condition(what, min(found)) for what, found in (("sbat_level", by_level), ("dbx", by_month)) if found
    ]
    levels = [f"{level} and newer refuse {' and '.join(by_level[level])}" for level in sorted(by_level)]
    because = [said.because] if said.because else []
    because += [f"SbatLevel {', '.join(levels)}"] if levels else []
    because += [
        f"dbx of {month} and newer refuses {' and '.join(by_month[month])}" for month in sorted(by_month)
    ]
    return replace(said, because="; ".join(because), conditions=(*said.conditions, *conditions), finding=code)


def _code(node: Node, codes: frozenset[str]) -> str:
    return next((finding.code for finding in node.findings if finding.code in codes), "")


def sbat_of_medium(node: Node) -> Said:
    """Answer for the programs that firmware and shim start from a medium."""
    every = [named for one in boot_programs(node) for named in chain(node, one.path, one.node)]
    if not every:
        return Said("not applicable")
    if len(every) == 1:
        return sbat_of_program(every[0][1])
    said = [(name, sbat_of_program(program)) for name, program in every]
    for name, one in said:
        if one.verdict != "yes":
            return replace(one, because=f"{name}: {one.because}")
    value = "; ".join(f"{name}: {one.value}" for name, one in said)
    return _unless_revoked(Said("yes", value), every)


def sbat_of_program(node: Node) -> Said:
    """Say what generations the program declares, by which all older ones can be revoked at once."""
    pe = image_of(node)
    if pe is None:
        return Said("not applicable")
    if pe.section(".sbat") is None:
        return Said("no", because=NO_SBAT)
    try:
        found = read_sbat(pe.contents(".sbat"))
    except FormatError as error:
        return Said("no", because=error.message)
    value = ", ".join(f"{one.name} {one.generation}" for one in found)
    return _unless_revoked(Said("yes", value), [(node.name, node)])


def chain(medium: Node, name: str, program: Node) -> list[Named]:
    """Return a program, and if it is shim what it starts: what lies beside it under one of those names."""
    pe = image_of(program)
    if pe is None or not is_shim(pe, name):
        return [(name, program)]
    folder, _, file = name.lower().rpartition("/")
    machine = file.removeprefix("boot").removeprefix("shim")
    beside = {child.name.lower(): child for child in in_same_volume(medium, program)}
    others = [beside.get(f"{folder}/{stage}{machine}") for stage in SECOND_STAGES]
    return [(name, program), *((other.name, other) for other in others if other)]


def in_same_volume(medium: Node, program: Node) -> Iterator[Node]:
    """Yield what lies in the same file system."""
    for _, node in medium.walk():
        if any(child is program for child in node.children):
            yield from node.children
            return


def is_shim(pe: Pe, name: str) -> bool:
    """Tell shim by the small section in which it names itself (`.data.ident`), or by name and SBAT."""
    small = (section for section in pe.sections if 0 < section.size <= MAX_IDENT)
    try:
        if any(IDENT in bytes(pe.contents_of(section)) for section in small):
            return True
        declared = any(one.name == "shim" for one in read_sbat(pe.contents(".sbat")))
    except FormatError:
        return False
    return declared and name.rpartition("/")[2].upper().startswith(SHIMS)
