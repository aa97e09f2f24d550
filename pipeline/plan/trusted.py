"""What `[trust]` adds to a recipe's plan: room for policies, attached signatures, shim and public keys."""

from collections.abc import Sequence
from pathlib import PurePosixPath

from pipeline.checks.gate import Gate
from pipeline.plan.packages import packages_step
from pipeline.plan.step import Input, Output, Source, Step
from pipeline.project.checkout import Project
from pipeline.project.trust import PCR_KEY, Trust
from pipeline.steps import attach, efi_image, initramfs, packages, uki

SECOND_STAGE = "EFI/BOOT/grubx64.efi"
"""What shim starts, in its own folder, whatever it is (shim, DEFAULT_LOADER)."""


BY_OWN_KEYS = """
With Secure Boot it starts on a machine whose firmware trusts the vendor. For
the firmware's setup, the vendor's certificates lie in that partition, too:
keys/db.cer, or all of keys/db, KEK and PK (.auth, .esl).
"""
BY_SHIM = """
With Secure Boot it is started by shim, which most machines trust. If it says
"Security Violation", press a key when it offers MOK management, and choose
"Enroll key from disk", the partition EFI, keys, db.cer, then "Continue",
"Yes" and "Reboot": from then on the machine trusts the vendor. Machines whose
firmware trusts the vendor's own keys (keys/db.cer, or .auth) need not be asked.
"""


def about_trust(trust: Trust | None) -> str:
    """Return what a medium's text says of Secure Boot."""
    return "" if trust is None else BY_SHIM if trust.shim else BY_OWN_KEYS


def unsigned(name: str) -> str:
    """Return what an EFI program is called before anybody has signed it."""
    path = PurePosixPath(name)
    return f"{path.stem}.unsigned{path.suffix}"


def uki_inputs(project: Project, name: str) -> dict[str, Input]:
    """Return what a UKI gets besides, so that policies of its PCR 11 can be signed and attached."""
    trust = project.recipes[name].trust
    return {} if trust is None else {uki.PCR_KEY: Source(project.place(name, trust.keys) / PCR_KEY)}


def attach_step(project: Project, name: str, program: Output, gate: Gate) -> Step:
    """Return the step that attaches to the UKI of the recipe `name` what its vendor has signed."""
    image = project.recipes[name].image
    return Step(
        name=f"attach:{name}",
        summary="Attach the signatures that the vendor made to the UKI.",
        container=project.lock_of("imager"),
        inputs={attach.UNSIGNED: program, **_signatures(project, name)},
        outputs=(image.uki,),
        params={"output": image.uki, "signatures": signatures_of(project, name)},
        checks={image.uki: gate},
        published={image.uki: 0o644},
        run=attach.build,
    )


def bundled(program: Output) -> Step:
    """Return the step that made a UKI of its parts, whatever was attached to it afterwards."""
    before = program.step.inputs.get(attach.UNSIGNED)
    return before.step if isinstance(before, Output) else program.step


def shim_steps(project: Project, name: str) -> tuple[Step, ...]:
    """Return the steps that end in shim with the vendor's signature, and MokManager; none without."""
    trust = project.recipes[name].trust
    if trust is None or trust.shim is None:
        return ()
    unpacked = packages_step(project, trust.shim)
    step = Step(
        name=f"shim:{name}",
        summary="Take shim and MokManager, and attach the vendor's signature to shim.",
        container=project.lock_of("imager"),
        inputs={attach.PACKAGES: unpacked.output(packages.TAR), **_signatures(project, name)},
        outputs=(attach.SHIM, attach.MOK_MANAGER),
        params={"packages": trust.shim, "signatures": signatures_of(project, name)},
        checks=dict.fromkeys((attach.SHIM, attach.MOK_MANAGER), Gate("efi", policies=())),
        run=attach.shim,
    )
    return (unpacked, step)


def esp_inputs(project: Project, name: str, program: Output, shim: Sequence[Step]) -> dict[str, Input]:
    """Return what lies on the medium's EFI partition: inputs of the step that makes it.

    Firmware starts the UKI, or with shim that one, which starts the UKI in its turn.
    """
    trust = project.recipes[name].trust
    keys: dict[str, Input] = {} if trust is None else {efi_image.KEYS: _keys(project, name, trust)}
    if not shim:
        return {efi_image.PROGRAM: program, **keys}
    files = {SECOND_STAGE: program, f"EFI/BOOT/{attach.MOK_MANAGER}": shim[-1].output(attach.MOK_MANAGER)}
    besides = {f"{efi_image.BESIDES}/{path}": source for path, source in files.items()}
    return {efi_image.PROGRAM: shim[-1].output(attach.SHIM), **besides, **keys}


def initramfs_inputs(project: Project, name: str, shim: Sequence[Step]) -> dict[str, Input]:
    """Return what the initramfs of the recipe `name` gets besides, if it carries what gets installed.

    That are shim, and the public keys that it may put into firmware.
    """
    recipe = project.recipes[name]
    if recipe.trust is None or recipe.image.carries is None:
        return {}
    files = shim[-1].outputs if shim else ()
    besides = {f"{initramfs.BESIDES}/{file}": shim[-1].output(file) for file in files}
    return {initramfs.KEYS: _keys(project, name, recipe.trust), **besides}


def unsigned_images(project: Project, name: str) -> list[str]:
    """Return which EFI programs of the recipe `name` its vendor has not signed, though it has `[trust]`.

    Raises PipelineError for a file of signatures that cannot be read.
    """
    recipe = project.recipes[name]
    if recipe.trust is None:
        return []
    source = _signatures(project, name).get(attach.SIGNATURES)
    data = source.path.read_bytes() if isinstance(source, Source) else b""
    signed = attach.read_signed(data, signatures_of(project, name)) if data else {}
    wanted = [recipe.image.uki, *([attach.SHIM] if recipe.trust.shim else [])]
    return [image for image in wanted if not (image in signed and signed[image].signatures)]


def _keys(project: Project, name: str, trust: Trust) -> Source:
    return Source(project.place(name, trust.keys))


def _signatures(project: Project, name: str) -> dict[str, Input]:
    trust = project.recipes[name].trust
    path = project.place(name, trust.signatures) if trust and trust.signatures else None
    return {attach.SIGNATURES: Source(path)} if path and path.is_file() else {}


def signatures_of(project: Project, name: str) -> str:
    """Return what people call the signatures file of the recipe `name`."""
    trust = project.recipes[name].trust
    path = project.place(name, trust.signatures if trust else "")
    return path.relative_to(project.root).as_posix() if path.is_relative_to(project.root) else path.name
