"""Near misses: programs that firmware would start, were they where it looks, and how to get them there."""

from collections.abc import Iterator

from pipeline.checks.kind import Node
from pipeline.checks.medium.programs import ARCHITECTURES, BOOT_FOLDER, NAMES, image_of, in_volume, looked_for
from pipeline.checks.quoting import shown
from pipeline.formats.pe import EFI_APPLICATION, machine_name
from pipeline.formats.udf import Udf

MAX_LOOKED_AT = 64  # programs


def in_fat(fat: Node, image: str) -> tuple[str, str]:
    """Return a clause on a program that lies elsewhere in a FAT volume, and how to move it; "" for none.

    `image` is what mtools call the volume.
    """
    found = sorted(_programs(fat), key=_distance)
    if not found:
        return "", ""
    path, machine = found[0]
    wanted = BOOT_FOLDER + NAMES[machine]
    clause = f"; {shown(path)} is a program for {machine_name(machine)}, but firmware looks for {wanted} only"
    folder, name = path.rpartition("/")[0], NAMES[machine]
    if f"{folder.upper()}/" == BOOT_FOLDER:
        return clause, f"`mren -i {image} '::{path}' '::{folder}/{name}'`"
    has_folder = any(f"{child.name.upper()}/" == BOOT_FOLDER for child in fat.children)
    made = "" if has_folder else f"mmd -i {image} ::EFI ::EFI/BOOT; "
    copied = f"mcopy -i {image} '::{path}' {name} && "
    return clause, f"`{copied}{made}mcopy -i {image} {name} ::{wanted}`"


def _programs(fat: Node) -> Iterator[tuple[str, int]]:
    """Yield EFI programs under any name, and their machines."""
    named = [child for child in fat.children if child.name.upper().endswith(".EFI")]
    for child in named[:MAX_LOOKED_AT]:
        pe = image_of(child)
        if pe and pe.subsystem == EFI_APPLICATION and pe.machine in NAMES:
            yield child.name, pe.machine


def _distance(found: tuple[str, int]) -> tuple[bool, bool, str]:
    """Return how far a program is from where it belongs: first by its folder, then by its name."""
    folder, _, name = found[0].upper().rpartition("/")
    return f"{folder}/" != BOOT_FOLDER, name not in ARCHITECTURES, found[0]


def images(iso: Node) -> list[str]:
    """Return the FAT images in an ISO with programs that firmware would start, but finds by no entry."""
    return [
        child.name
        for child in iso.children
        if child.kind
        and child.kind.name == "fat"
        and child.artifact
        and not {"el_torito", "partition"} & child.member.facts.keys()
        and any(not program.fault for program in in_volume(child))
    ]


def in_tree(iso: Node) -> tuple[str, str]:
    """Return a program in an ISO's file systems that would start from FAT, and a clause on it; "" for none.

    UDF is read by EDK II, and by nobody else.
    """
    udf = iso.artifact.udf
    in_udf = {one.path[1:].casefold() for one in udf.members} if isinstance(udf, Udf) else set()
    for child in iso.children:
        name = looked_for(child.name.upper())
        pe = image_of(child) if name else None
        if pe and pe.machine == ARCHITECTURES[name] and pe.subsystem == EFI_APPLICATION:
            if child.name.casefold() in in_udf:
                return child.name, "lies in UDF, which firmware need not read"
            return child.name, "lies in ISO 9660 only, which firmware does not read"
    return "", ""
