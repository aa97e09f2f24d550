"""Owns the answers to Secure Boot: who signed what firmware starts, and what SBAT says of it.

Must not know whom firmware trusts: nobody can read that from a file.

Specifications: UEFI 2.10, §32.5.1 "Image Execution"; SBAT https://github.com/rhboot/shim/blob/main/SBAT.md
"""

from pipeline.checks.kind import Node
from pipeline.errors import FormatError
from pipeline.formats.authenticode import Signature, read_signatures
from pipeline.formats.pe import Pe
from pipeline.formats.sbat import read_sbat
from pipeline.inspection.answers import Said
from pipeline.inspection.boots import boot_programs
from pipeline.inspection.media import image_of

IDENT = b"UEFI SHIM"
MAX_IDENT = 4096  # bytes


def of_medium(node: Node) -> Said:
    """Answer for the programs that firmware starts from a medium: one that is not signed speaks for all."""
    every = [of_program(program.node, program.path) for program in boot_programs(node)]
    weak = [said for said in every if said.verdict != "yes"]
    return next(iter([*weak, *every]), Said("no", because="there is no program that UEFI starts"))


def of_program(node: Node, name: str = "it") -> Said:
    """Answer for one program: it is started where firmware trusts who vouches for its signer."""
    pe = image_of(node)
    if pe is None:
        return Said("not applicable")
    try:
        signatures = read_signatures(pe)
    except FormatError as error:
        return Said("no", because=f"the signature of {name} cannot be read: {error.message}")
    if not signatures:
        return Said("no", because=f"{name} is not signed")
    good = [each for each in signatures if each.covers_file and each.is_valid]
    if good:
        shim = "; it is shim, which starts only what is signed too" if _is_shim(pe) else ""
        return Said(
            "yes",
            f"if the firmware trusts {' or '.join(dict.fromkeys(each.issuer for each in good))}",
            f"{name} is signed by {', '.join(each.subject for each in good)}{shim}",
        )
    return Said("no", because=f"{name} is signed by {signatures[0].subject}, but {_why(signatures[0])}")


def _why(signature: Signature) -> str:
    if not signature.covers_file:
        return "the signature is of another file: it was changed after it was signed"
    return "the signature was not made with the signer's key"


def sbat_of_medium(node: Node) -> Said:
    """Answer for the programs that firmware starts from a medium."""
    for program in boot_programs(node):
        return sbat_of_program(program.node)
    return Said("not applicable")


def sbat_of_program(node: Node) -> Said:
    """Say what generations the program declares, by which all older ones can be revoked at once."""
    pe = image_of(node)
    if pe is None:
        return Said("not applicable")
    if pe.section(".sbat") is None:
        return Said("no", because="there is no .sbat, which shim asks of what it starts")
    try:
        found = read_sbat(pe.contents(".sbat"))
    except FormatError as error:
        return Said("no", because=error.message)
    return Said("yes", ", ".join(f"{one.name} {one.generation}" for one in found))


def _is_shim(pe: Pe) -> bool:
    """Tell shim from what is built with it, by the small section in which it names itself (`.data.ident`)."""
    small = (section for section in pe.sections if 0 < section.size <= MAX_IDENT)
    try:
        return any(IDENT in bytes(pe.contents_of(section)) for section in small)
    except FormatError:
        return False
