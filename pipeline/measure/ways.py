"""Which programs an image starts by each way of booting: from a CD or a stick, and from where it installs to.

Specifications: UEFI 2.10, §3.5.1.1 (removable media) and §13.3.2 (El Torito, GPT)
"""

from collections.abc import Mapping

from pipeline.errors import FormatError
from pipeline.formats import eltorito, fat, fat_directory, gpt, sbat
from pipeline.formats.fields import Image
from pipeline.formats.pe import Pe, read_pe
from pipeline.measure.chain import Chain, Program
from pipeline.measure.uki import is_uki

FIRST, BEHIND_SHIM = "EFI/BOOT/BOOTX64.EFI", "EFI/BOOT/GRUBX64.EFI"
CARRIED = "payload/"
"""Where an installer has what it installs, in its initramfs."""

ISO_MAGIC_AT, ISO_MAGIC = 0x8001, b"CD001"
MBR_MAGIC_AT, MBR_MAGIC = 510, b"\x55\xaa"
INITRAMFS_LIMIT = 1 << 28  # bytes, unpacked
HINT = "name an ISO or a disk of yours, or a UKI"

CD, USB, DISK, FILE = "cd", "usb", "disk", "file"


def chains(image: Image, name: str) -> dict[str, Chain]:
    """Return the chain of each way of booting that an image is for.

    An ISO starts as `cd` and `usb`, and `disk` is what it installs, if anything; of a disk there is `disk`
    alone, of a UKI `file`. Raises FormatError for what is none of these, and for an image whose first
    program is neither a UKI nor shim.
    """
    if bytes(image[:2]) == b"MZ":
        return {FILE: _chain({name: image}, name, "")}
    found = started(image)
    if not _is_iso(image):
        return {DISK: found}
    installed = _installed(found.uki.pe)
    return {CD: found, USB: found} | ({DISK: installed} if installed else {})


def started(image: Image) -> Chain:
    """Return what firmware starts from an ISO or a disk. FormatError as of `chains`."""
    return _chain(_programs(_volume(image)), FIRST, BEHIND_SHIM)


def _is_iso(image: Image) -> bool:
    return bytes(image[ISO_MAGIC_AT : ISO_MAGIC_AT + len(ISO_MAGIC)]) == ISO_MAGIC


def _volume(image: Image) -> Image:
    """Return the FAT file system that firmware starts an ISO or a disk from."""
    if _is_iso(image):
        for entry in eltorito.read_catalog(image):
            if entry.platform == eltorito.PLATFORM_EFI and entry.bootable:
                return image[entry.offset :]
        raise FormatError("it has no boot entry for UEFI", HINT)
    block = gpt.find_sector_size(image)
    if block is None and bytes(image[MBR_MAGIC_AT : MBR_MAGIC_AT + 2]) == MBR_MAGIC:
        return image  # a file system alone, which has this magic as well
    for partition in gpt.read_table(image, 1, block).partitions if block else ():
        if block and partition.kind == gpt.EFI_SYSTEM_PARTITION:
            return image[partition.first_lba * block : (partition.last_lba + 1) * block]
    raise FormatError("it is no ISO, no disk with an EFI system partition, and no program", HINT)


def _programs(volume: Image) -> dict[str, Image]:
    """Return the files in a FAT file system, by their paths in capitals."""
    whole = fat.read_volume(volume)
    table = fat.read_table(whole)
    return {
        entry.path.upper(): fat_directory.read_file(whole, table, entry)
        for entry in fat_directory.walk(whole, table)
        if not entry.is_directory and entry.path.upper() in (FIRST, BEHIND_SHIM)
    }


def _installed(installer: Pe) -> Chain | None:
    """Return what an installer puts onto a disk: the UKI that it carries, and shim if it carries that."""
    from pipeline.formats.initramfs import read_initramfs  # stories lack what unpacks

    section = installer.section(".initrd")
    if section is None:
        return None
    found = {
        entry.name.removeprefix(CARRIED): entry.data
        for archive in read_initramfs(installer.contents_of(section), INITRAMFS_LIMIT)
        for entry in archive.entries
        if entry.name.startswith(CARRIED) and bytes(entry.data[:2]) == b"MZ"
    }
    ukis = [name for name, data in found.items() if is_uki(read_pe(data))]
    shims = [name for name, data in found.items() if _is_shim(read_pe(data)) and name.startswith("shim")]
    if len(ukis) != 1:
        return None
    return Chain(
        Program(ukis[0], read_pe(found[ukis[0]])),
        Program(shims[0], read_pe(found[shims[0]])) if shims else None,
    )


def _chain(files: Mapping[str, Image], first: str, behind: str) -> Chain:
    """Return the chain that begins with a file, and goes on with another where that is shim."""
    program = _program(files, first)
    if is_uki(program.pe):
        return Chain(program)
    if not _is_shim(program.pe):
        raise FormatError(
            f"{program.name} is neither a UKI nor shim: what it measures cannot be predicted", HINT
        )
    uki = _program(files, behind)
    if not is_uki(uki.pe):
        raise FormatError(
            f"{uki.name}, which shim starts, is no UKI: what it measures cannot be predicted", HINT
        )
    return Chain(uki, program)


def _program(files: Mapping[str, Image], path: str) -> Program:
    if path not in files:
        raise FormatError(f"it has no {path}, which would be started", HINT)
    return Program(path.rpartition("/")[2], read_pe(files[path]))


def _is_shim(program: Pe) -> bool:
    """Tell shim by what it declares to be: it and its MokManager alone do."""
    try:
        return any(one.name == "shim" for one in sbat.read_sbat(program.contents(".sbat")))
    except FormatError:
        return False
