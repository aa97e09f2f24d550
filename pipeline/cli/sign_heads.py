"""`./doit sign --heads`: the owner's signature of a /boot, or of an ISO, as Heads verifies it."""

import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from pipeline.build.build import run_uncached
from pipeline.build.session import Session
from pipeline.errors import PipelineError
from pipeline.formats import heads
from pipeline.formats.fields import open_image
from pipeline.formats.holes import copy_data
from pipeline.formats.magic import Format, is_iso9660, recognise
from pipeline.formats.signed_boot import SignedBoot, boot_in
from pipeline.inspection.open import located
from pipeline.plan.step import Source, Step
from pipeline.steps import boot_signature
from pipeline.steps.openpgp import is_secret_key, signature
from pipeline.store.files import explained, replacing, write_atomically

ISO_ENDING = ".asc"
PACKED = {
    Format.QCOW2: "qemu-img convert -O raw",
    Format.VMDK: "qemu-img convert -O raw",
    Format.VHD: "qemu-img convert -O raw",
    Format.VHDX: "qemu-img convert -O raw",
    Format.ZSTD: "zstd --decompress --keep",
    Format.GZIP: "gunzip --keep",
}
"""What makes a raw image of another format: no signature is written into that."""

CHUNK = 1 << 20  # bytes


@dataclass(frozen=True)
class Wanted:
    """An image, and the file that is written: of an ISO, which has no `boot`, its signature."""

    image: Path
    target: Path
    boot: SignedBoot | None


def judge(key: str, tool: str) -> None:
    """Raise PipelineError where nobody says who signs, or another tool than OpenPGP's is to."""
    if tool not in ("", "gpg"):
        raise PipelineError(f"--with {tool}: Heads verifies OpenPGP signatures alone", "leave --with out")
    if not key:
        raise PipelineError(
            "--key is missing: it says whose signature it is to be",
            "name an OpenPGP key by its fingerprint, or a file with a secret key",
        )


def sign_heads(session: Session, key: str, out: str, files: Sequence[str]) -> None:
    """Sign the /boot in each image, or each ISO: nothing is written before all of them are found good.

    `key` is a secret key's file, or what gpg knows one by. An image is replaced as a whole, or with `out`
    stays as it is; an ISO gets a signature beside it. Raises PipelineError as `boot_in` does, with the file's
    name, where nothing is named, and where gpg does not sign.
    """
    if not files:
        raise PipelineError("--heads signs images, and none is named", "name disks, file systems or ISOs")
    if out and len(files) > 1:
        raise PipelineError(f"--out is one file, and {len(files)} are to be signed", "sign one at a time")
    by = _key(key)
    for wanted in [_wanted(name, out) for name in files]:
        made = (
            _signed_iso(wanted, by) if wanted.boot is None else _signed_boot(session, wanted, wanted.boot, by)
        )
        session.report.print(f"{session.shown(wanted.target)}: {made}")


def _key(key: str) -> str | Path:
    path = located(key)
    if not path.is_file():
        return key
    with explained(path, "read", cache=False):
        if is_secret_key(path):
            return path
    raise PipelineError(
        f"--key {key}: has no OpenPGP secret key",
        "name a key of gpg's keyring by its fingerprint, or a file of `gpg --export-secret-keys`",
    )


def _wanted(name: str, out: str) -> Wanted:
    path = located(name).resolve()  # what a link leads to is replaced, and not the link
    if not path.is_file():
        raise PipelineError(f"{name}: is no file", "name a disk, a file system or an ISO")
    with explained(path, "read", cache=False):
        image = open_image(path)
        target = located(out) if out else path
        if is_iso9660(image):
            return Wanted(path, target if out else path.with_name(path.name + ISO_ENDING), None)
        if (found := recognise(image)) in PACKED:
            mistake = f"{name}: is {found.value}, and a raw one is signed"
            raise PipelineError(mistake, f"unpack it: `{PACKED[found]}`")
        try:
            return Wanted(path, target, boot_in(image))
        except PipelineError as error:
            raise PipelineError(f"{name}: is not signed: {error.message}", error.hint) from error


def _signed_iso(wanted: Wanted, key: str | Path) -> str:
    text = signature(wanted.image, key)
    with explained(wanted.target, "write", cache=False):
        write_atomically(wanted.target, text)
    return f"a signature of {wanted.image.name}"


def _signed_boot(session: Session, wanted: Wanted, boot: SignedBoot, key: str | Path) -> str:
    with tempfile.TemporaryDirectory() as scratch:
        text = Path(scratch, "digests")
        text.write_bytes(boot.text)
        armored = signature(text, key)
    with session.store.scratch() as scratch:
        made = _attached(session, wanted, boot, armored, scratch)
        with explained(wanted.target, "write", cache=False):
            _write(wanted, boot, made)
    return f"its /boot is signed, {boot.listed} files" + (
        ", in place of a signature" if boot.signature else ""
    )


def _attached(session: Session, wanted: Wanted, boot: SignedBoot, armored: str, scratch: Path) -> Path:
    """Return the file system with the signature in it, as a container made it."""
    system, text, out = scratch / boot_signature.BOOT, scratch / heads.SIGNATURE, scratch / "out"
    out.mkdir()
    text.write_text(armored, encoding="ascii")
    with wanted.image.open("rb") as file, system.open("wb") as target:
        for piece in _pieces(file.fileno(), boot.offset, boot.size):
            target.write(piece)
    step = Step(
        name="sign-heads",
        summary="Put the signature into the file system.",
        container=session.project.lock_of("disk"),
        inputs={boot_signature.BOOT: Source(system), heads.SIGNATURE: Source(text)},
        outputs=(boot_signature.BOOT,),
        params={"time": boot.time},
        run=boot_signature.build,
    )
    with session.report.step(step.name, step.summary) as line:
        run_uncached(step, session.builder, out, scratch / "log", line, known_as=step.name)
    made = out / boot_signature.BOOT
    after = boot_in(open_image(made))
    if after.signature != armored.encode() or after.text != boot.text:
        raise PipelineError(
            f"{wanted.image}: its /boot is another after it was signed", "report this: it is a defect"
        )
    return made


def _pieces(descriptor: int, offset: int, size: int) -> Iterator[bytes]:
    for start in range(offset, offset + size, CHUNK):
        yield os.pread(descriptor, min(CHUNK, offset + size - start), start)


def _write(wanted: Wanted, boot: SignedBoot, made: Path) -> None:
    """Write the image again, with another file system in it: whole, or not at all."""
    about = wanted.image.stat()
    with (
        wanted.image.open("rb") as original,
        made.open("rb") as system,
        replacing(wanted.target, stat.S_IMODE(about.st_mode)) as target,
    ):
        copy_data(original, cast("BinaryIO", target), about.st_size)
        target.seek(boot.offset)
        while piece := system.read(CHUNK):
            target.write(piece)
