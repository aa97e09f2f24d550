"""`./doit sign --secure-boot`: detached signatures of images, into the files that their recipes name; or one
EFI program, signed at once.

Keys are used in this process alone: steps attach what it wrote.
"""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.build.session import Session
from pipeline.cli import realise
from pipeline.errors import FormatError, PipelineError
from pipeline.formats.authenticode import Signature, read_signatures
from pipeline.formats.authenticode_attach import attached
from pipeline.formats.pcr import SECTION, with_policies
from pipeline.formats.pe import read_pe
from pipeline.formats.signatures_file import Signed, compact, signatures_file
from pipeline.inspection.open import located
from pipeline.plan.step import Output, Step
from pipeline.plan.trusted import signatures_of
from pipeline.project.trust import CERTIFICATES
from pipeline.report import Line
from pipeline.reproduce.builds import before
from pipeline.steps import attach
from pipeline.store.files import explained, replacing, write_atomically

if TYPE_CHECKING:  # few commands need keys, and what reads them takes long to load
    from cryptography.x509 import Certificate

    from pipeline.trust.signer import Signer


@dataclass(frozen=True)
class Signers:
    """Who signs: a program, and policies of its PCR 11, if anybody does; `timestamp` is a URL, or ""."""

    secure_boot: "Signer"
    pcr: "Signer | None" = None
    timestamp: str = ""


@dataclass(frozen=True)
class Wanted:
    """What `./doit sign --secure-boot` is asked for: keys, certificates, and where a single file goes."""

    key: str
    certificates: Sequence[str] = ()
    pcr_key: str = ""
    timestamp: str = ""
    out: str = ""


def judge(wanted: Wanted) -> None:
    """Raise PipelineError where nobody says who signs."""
    if not wanted.key:
        raise PipelineError(
            "--key is missing: it says whose signature it is to be",
            "name a PEM file such as keys/private/db.key, or a key of a token as pkcs11:…",
        )


def sign_secure_boot(session: Session, wanted: Wanted, words: Sequence[str]) -> None:
    """Sign one file to `wanted.out`, or images: of recipes that are named, or of all that have `[trust]`.

    Raises PipelineError for a recipe without it, for a key that it does not trust, and as signers do.
    """
    if wanted.out:
        if len(words) != 1:
            raise PipelineError(
                f"--out is one file, and {len(words)} are to be signed", "name one EFI program"
            )
        _sign_file(session, wanted, words[0])
        return
    recipes = session.project.recipes
    if unknown := [word for word in words if word not in recipes]:
        known = ", ".join(sorted(recipes))
        raise PipelineError(
            f"{unknown[0]!r} is not a recipe (there are: {known})",
            "to sign a single EFI program, say with --out where the signed one goes",
        )
    images = list(words) or [name for name, recipe in recipes.items() if recipe.trust]
    if lacking := [name for name in images if recipes[name].trust is None] or ([] if images else ["none"]):
        raise PipelineError(
            f"recipes/{lacking[0]}/recipe.toml has no [trust]" if images else "no recipe has [trust]",
            "docs/secure-boot.md: it names the public keys, and the file that signatures go to",
        )
    signers = _signers(session, wanted, images)
    for sentence in sign_images(session, images, signers):
        session.report.print(sentence)
    session.report.print("  to attach them:  ./doit iso")


def sign_images(session: Session, images: Sequence[str], signers: Signers) -> list[str]:
    """Sign what images consist of, one after the other, as each holds the one before; say what was signed.

    What is needed for it is made first. Afterwards the session's plans have the signatures for inputs.
    """
    said: list[str] = []
    seen = set[str]()
    while step := _next(session, images, seen):
        image = next(name for name in images if step in session.plans[name])
        realise.realise(session, before(session.plans[image], [step]))
        sentence = _sign_step(session, step, signers)
        said += [sentence] if sentence else []
        seen.add(step.name)
    return said


def _next(session: Session, images: Sequence[str], seen: set[str]) -> Step | None:
    """Return the first step of the images' plans that attaches, and was not seen yet."""
    steps = (step for image in images for step in session.plans[image])
    return next((step for step in steps if "signatures" in step.params and step.name not in seen), None)


def _sign_step(session: Session, step: Step, signers: Signers) -> str:
    """Sign what a step attaches to; return a sentence, "" for an image of a recipe without a file for it.

    Where the file changed, the session plans anew.
    """
    recipe, name = step.name.partition(":")[2], step.outputs[0]
    trust = session.project.recipes[recipe].trust
    if trust is None or not trust.signatures:
        return ""
    target = session.project.place(recipe, trust.signatures)
    with explained(target, "read", cache=False):
        data = target.read_bytes() if target.exists() else b""
    where = signatures_of(session.project, recipe)
    known = attach.read_signed(data, where) if data else {}
    image = _unsigned(session, step)
    signed, subjects = _signed_by(image, name, known.get(name), signers, _trusted(session, recipe))
    made = signatures_file({**known, name: signed})
    if made != data:
        with explained(target, "write", cache=False):
            write_atomically(target, made.decode())
        session.replan()
    names = " and ".join(map(repr, subjects))
    return f"{session.shown(target)}: {name}, {names}{_policies(image, signed)}"


def _policies(image: bytes, signed: Signed) -> str:
    """Say how many policies an image has, and what it cannot do without any; "" where none are wanted."""
    if signed.pcrsig:
        return f", and {signed.pcrsig.count('pkfp')} policies of PCR 11"
    if read_pe(image).section(SECTION):
        return ", and no policies of PCR 11, so that no TPM opens a disk for it: --pcr-key signs them"
    return ""


def _unsigned(session: Session, step: Step) -> bytes:
    line = Line.silent()
    packed = step.inputs.get(attach.PACKAGES)
    if isinstance(packed, Output):
        files = attach.signed_by_others(session.builder.output(packed, line), step.params["packages"])
        return files[attach.SHIM]
    source = step.inputs[attach.UNSIGNED]
    if not isinstance(source, Output):
        raise TypeError(f"{step.name} attaches to what no step made")
    return session.builder.output(source, line).read_bytes()


def signed_anew(image: bytes, name: str, known: Signed | None, signers: Signers) -> Signed:
    """Return what is attached to an image after it was signed, whoever else signed the same.

    Raises PipelineError and FormatError as signers do.
    """
    return _signed_by(image, name, known, signers, None)[0]


def _signed_by(
    image: bytes,
    name: str,
    known: Signed | None,
    signers: Signers,
    trusted: "Collection[Certificate] | None",
) -> tuple[Signed, list[str]]:
    """Return what is attached to an image that was signed, and by whom: others, too, if they signed the same.

    `known` is what there was: each signature keeps its place, so that signing again changes nothing. But none
    stays whose signer is not `trusted` any more: firmware refuses what has one by a revoked certificate, also
    beside a good one. Without a key for policies those of the same file stay. Raises PipelineError and
    FormatError as signers do.
    """
    from pipeline.trust.cms import authenticode_signature
    from pipeline.trust.policies import policies

    of = hashlib.sha256(image).hexdigest()
    same = known if known and known.of == of else None
    pcrsig = same.pcrsig if same else ""
    if signers.pcr and read_pe(image).section(SECTION):
        pcrsig = compact(json.loads(policies(image, signers.pcr)))
    try:
        whole = with_policies(image, pcrsig) if pcrsig else image
        made = authenticode_signature(whole, signers.secure_boot, signers.timestamp)
    except FormatError as error:
        raise PipelineError(f"{name}: {error.message}", error.hint) from error
    kept = same.signatures if same and same.pcrsig == pcrsig else ()
    *others, ours = _read(whole, [*kept, made])
    by_signer = {
        one.trust[:1]: (signature, one.subject)
        for signature, one in zip(kept, others, strict=True)
        if trusted is None or (one.bag and one.bag[0] in trusted)
    }
    by_signer[ours.trust[:1]] = (made, ours.subject)
    signatures = tuple(signature for signature, _ in by_signer.values())
    return Signed(of, pcrsig, signatures), [subject for _, subject in by_signer.values()]


def _read(image: bytes, signatures: Sequence[bytes]) -> tuple[Signature, ...]:
    """Read signatures of an image that are not attached to it yet."""
    return read_signatures(read_pe(attached(image, signatures)))[-len(signatures) :]


def _signers(session: Session, wanted: Wanted, images: Sequence[str]) -> Signers:
    """Open the keys. Raises PipelineError for a certificate that is not among a recipe's."""
    from cryptography.hazmat.primitives.hashes import SHA256

    from pipeline.trust.signer import open_signer

    signer = _opened(wanted)
    for image in images:
        folder, trusted = _folder(session, image), _trusted(session, image)
        if not signer.certificates:
            own = tuple(one for one in trusted if one.public_key() == signer.public)
            signer = replace(signer, certificates=own[:1])
        known = {one.fingerprint(SHA256()) for one in trusted}
        if not known & {one.fingerprint(SHA256()) for one in signer.certificates}:
            raise PipelineError(
                f"--key {wanted.key}: no certificate in {folder}/{CERTIFICATES} is of this key, so that no "
                "machine that trusts those would start what it signs",
                "name the key of one of them, such as keys/private/db.key",
            )
    pcr = open_signer(str(_called(wanted.pcr_key))) if wanted.pcr_key else None
    return Signers(signer, pcr, wanted.timestamp)


def _folder(session: Session, recipe: str) -> Path:
    trust = session.project.recipes[recipe].trust
    return session.project.place(recipe, trust.keys if trust else "")


def _trusted(session: Session, recipe: str) -> "list[Certificate]":
    from pipeline.trust.signer import read_certificates

    paths = sorted(_folder(session, recipe).glob(CERTIFICATES))
    return [one for path in paths for one in read_certificates(path)]


def _opened(wanted: Wanted) -> "Signer":
    from pipeline.trust.signer import open_signer

    return open_signer(str(_called(wanted.key)), [located(name) for name in wanted.certificates])


def _called(key: str) -> str | Path:
    return key if key.startswith("pkcs11:") else located(key)


def _sign_file(session: Session, wanted: Wanted, name: str) -> None:
    """Sign an EFI program, or an addon, behind whoever signed it before."""
    from pipeline.trust.cms import authenticode_signature

    signer = _opened(wanted)
    if not signer.certificates:
        raise PipelineError(
            "--certificate is missing: firmware finds the signer by it",
            "name the certificate of the key, such as keys/public/db.pem",
        )
    source, target = located(name), located(wanted.out)
    with explained(source, "read", cache=False):
        image = source.read_bytes()
    try:
        made = attached(image, [authenticode_signature(image, signer, wanted.timestamp)])
    except FormatError as error:
        raise PipelineError(f"{name}: {error.message}", error.hint) from error
    subject = read_signatures(read_pe(made))[-1].subject
    with explained(target, "write", cache=False), replacing(target) as file:
        file.write(made)
    session.report.print(f"{session.shown(target)}: signed by {subject!r}")
