"""The answer to whether Heads, firmware that starts Linux by kexec, would start a system, and why not.

Specification: Heads, initrd/etc/functions.sh (`detect_boot_device`) and initrd/bin/kexec-iso-init.sh
https://github.com/linuxboot/heads
"""

from collections.abc import Iterator

from pipeline.checks.kind import Node
from pipeline.checks.medium.iso import Iso
from pipeline.errors import FormatError
from pipeline.formats.heads import Start, would_start
from pipeline.inspection.answer import Said
from pipeline.inspection.systems import places, system_of


def of_medium(node: Node) -> Said:
    """Heads looks at each partition, or at all of what has none, for a /boot; an ISO it mounts as one."""
    tried = list(_tried(node))
    if not tried:
        return Said("no", because="it has no file system that Heads mounts")
    name, start = next((one for one in tried if one[1].starts), None) or max(
        tried, key=lambda one: (len(one[1].found), len(one[1].reasons))
    )
    because = ", and ".join([start.because, *start.conditions]) if start.starts else start.because
    hint = "" if start.starts else next((hint for _, hint in start.reasons if hint), "")
    return Said("yes" if start.starts else "no", because=f"{name}{because}", hint=hint)


def _tried(node: Node) -> Iterator[tuple[str, Start]]:
    """Yield what Heads makes of each file system, with its name in front."""
    is_iso = isinstance(node.artifact, Iso)
    for partition, table, each in places(node):
        if is_iso and partition:
            return
        name = f"{table} partition {partition[1:]}: " if partition else ""
        try:
            system = system_of(each)
            if system:
                size = len(each.member.image) if partition else None
                yield name, would_start(system.files, size=size, is_iso=is_iso)
        except FormatError as error:
            because = f"its file system cannot be read: {error.message}"
            yield name, Start(False, because, reasons=((because, error.hint),))
