"""Attaches what was signed elsewhere to EFI programs: the same bytes for everybody, and without a key.

Specifications: Microsoft, PE Format, "The Attribute Certificate Table"; systemd-stub(7), `.pcrsig`
"""

import hashlib
import tarfile
from pathlib import Path

from pipeline.errors import FormatError, PipelineError
from pipeline.formats.authenticode_attach import attached
from pipeline.formats.pcr import with_policies
from pipeline.formats.signatures_file import Signed, read_signatures_file
from pipeline.steps.packaged import Packages
from pipeline.steps.runner import Context

UNSIGNED = "unsigned.efi"
"""The input that signatures are attached to."""

SIGNATURES = "signatures.json"
"""The input with what is attached; it is not there as long as nobody has signed."""

PACKAGES = "packages.tar"
SHIM, MOK_MANAGER = "shimx64.efi", "mmx64.efi"
SIGNED_BY_OTHERS = {SHIM: "/usr/lib/shim/shimx64.efi.signed", MOK_MANAGER: "/usr/lib/shim/mmx64.efi.signed"}
"""Where Debian has what shim consists of: signed by Microsoft, and by Debian, which shim trusts."""


def with_signatures(image: bytes, name: str, signed: Signed | None, where: str) -> bytes:
    """Return the image called `name` with what `signed` has of it, or as it is where that is None.

    Raises PipelineError for signatures of another file; `where` is the file that has them.
    """
    if signed is None:
        return image
    found = hashlib.sha256(image).hexdigest()
    if signed.of != found:
        raise PipelineError(
            f"{where}: its signatures of {name} are of another file, {signed.of}, and this one is {found}",
            "sign it: `./doit sign --secure-boot`; or move that file away, and the image stays unsigned",
        )
    try:
        return attached(with_policies(image, signed.pcrsig) if signed.pcrsig else image, signed.signatures)
    except FormatError as error:
        raise PipelineError(f"{where}: {name}: {error.message}", error.hint) from error


def read_signed(data: bytes, where: str) -> dict[str, Signed]:
    """Return what is to be attached, by an image's name. Raises PipelineError; `where` is the file."""
    try:
        return read_signatures_file(data)
    except FormatError as error:
        raise PipelineError(f"{where}: {error.message}", error.hint) from error


def _signed(ctx: Context, name: str) -> Signed | None:
    if SIGNATURES not in ctx.inputs:
        return None
    return read_signed(ctx.inputs[SIGNATURES].read_bytes(), ctx.params["signatures"]).get(name)


def signed_by_others(tar: Path, packages: str) -> dict[str, bytes]:
    """Return SHIM and MOK_MANAGER as they are in the unpacked set of packages of that name."""
    with tarfile.open(tar) as opened:
        found = Packages(opened, packages)
        return {name: found.file(path, "shim is made of it").data for name, path in SIGNED_BY_OTHERS.items()}


def build(ctx: Context) -> None:
    """Make `params.output` of the input UNSIGNED, with what the input SIGNATURES has under that name.

    `params.signatures` is what people call the latter.
    """
    name, unsigned = ctx.params["output"], ctx.inputs[UNSIGNED].read_bytes()
    made = with_signatures(unsigned, name, _signed(ctx, name), ctx.params["signatures"])
    (ctx.out / name).write_bytes(made)


def shim(ctx: Context) -> None:
    """Make SHIM and MOK_MANAGER, of the set `params.packages` in the input PACKAGES.

    What the input SIGNATURES has of SHIM is attached behind Microsoft's signature, for firmware that trusts
    the vendor alone.
    """
    files = signed_by_others(ctx.inputs[PACKAGES], ctx.params["packages"])
    files[SHIM] = with_signatures(files[SHIM], SHIM, _signed(ctx, SHIM), ctx.params["signatures"])
    for name, data in files.items():
        (ctx.out / name).write_bytes(data)
