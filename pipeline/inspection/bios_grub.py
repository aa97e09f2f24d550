"""Following GRUB from a BIOS to a kernel: boot.img, core image, blocklist, grub.cfg, kernel and initramfs."""

from collections.abc import Mapping

from pipeline.checks.kernel import Kernel as KernelNode
from pipeline.checks.kind import Node
from pipeline.errors import FormatError
from pipeline.formats import grub_commands, grub_image
from pipeline.formats.bzimage import is_bzimage
from pipeline.formats.fields import Image, budget_of
from pipeline.formats.grub_image import Core
from pipeline.formats.grub_machine import System, canonical
from pipeline.inspection.answer import Said, Verdict
from pipeline.inspection.systems import CD, DISK, systems


def from_disk(node: Node, block: int) -> Said:
    """Follow boot.img, which loads the medium's `block`."""
    image = node.member.image
    try:
        core = grub_image.read_core(grub_image.from_disk(image, block), budget_of(image))
    except FormatError as error:
        return Said("no", because=f"GRUB does not start: {error.message}", hint=error.hint)
    return _followed(node, core, DISK, f"GRUB's boot code loads its core image from block {block}")


def from_cd(node: Node, code: Image) -> Said:
    """Follow the core image that El Torito's entry points at."""
    try:
        core = grub_image.read_core(grub_image.from_cd(node.member.image, code), budget_of(code))
    except FormatError as error:
        return Said("no", because=f"GRUB does not start: {error.message}", hint=error.hint)
    return _followed(node, core, CD, "El Torito's entry for BIOS is GRUB's core image")


def _followed(node: Node, core: Core, drive: str, way: str) -> Said:
    """Go on from the core image."""
    device, path = _prefix(core.prefix, drive)
    variables = {"root": device, "prefix": f"({device}){path}"}
    found, unread = systems(node, drive)
    outcome = grub_commands.start(
        found,
        core.modules,
        variables,
        core.config.decode(errors="surrogateescape"),
        budget_of(node.member.image),
        unread,
    )
    if outcome.way:
        way += f", it reads {' and '.join(outcome.way)}"
    if outcome.loaded is None:
        if outcome.is_known and not has_kernel(node):
            return Said("yes", because=f"{way}; {outcome.because}; there is no kernel on it to be started")
        verdict: Verdict = "no" if outcome.is_known else "unknown"
        return Said(verdict, because=f"{way}; {outcome.because}", hint=outcome.hint)
    fault = _fault(found, outcome.loaded.kernel)
    kernel, *initrds = [each for _, each in (outcome.loaded.kernel, *outcome.loaded.initrds)]
    if fault:
        return Said("no", because=f"{way}; {fault}", hint="put a kernel there, or correct the path")
    loaded = " and ".join([kernel, *initrds])
    return Said("yes", because=f"{way}, and its entry {outcome.title!r} loads {loaded}")


def _prefix(prefix: str, drive: str) -> tuple[str, str]:
    """Return device and path of the prefix in a core image, on the drive that was started.

    >>> _prefix('(,gpt2)/boot/grub', 'hd0'), _prefix('/boot/grub', 'cd')
    (('hd0,gpt2', '/boot/grub'), ('cd', '/boot/grub'))
    """
    if not prefix.startswith("("):
        return drive, prefix
    device, _, path = prefix[1:].partition(")")
    return (f"{drive}{device}" if device.startswith(",") else device), path


def _fault(found: Mapping[str, System], kernel: tuple[str, str]) -> str:
    """Return why what GRUB loads is no kernel, "" where it is one."""
    device, path = kernel
    named = {canonical(name): system for name, system in found.items()}
    if not is_bzimage(named[canonical(device)].files.image(path)):
        return f"({device}){path} is no Linux kernel"
    return ""


def has_kernel(node: Node) -> bool:
    """Tell whether there is a kernel anywhere on a medium."""
    return any(
        isinstance(below.artifact, KernelNode) or (below.kind and below.kind.name in ("uki", "bzimage"))
        for _, below in node.walk()
    )
