"""How members of nested artifacts are named: written in one line, and found again."""

from collections.abc import Iterable

from pipeline.checks.quoting import escaped, shown

SEPARATOR = "!"


def path_of(names: Iterable[str], file: str = "") -> str:
    """Return where a member lies, in one line: `x.iso!efi.img!EFI/BOOT/BOOTX64.EFI!.initrd!etc/inittab`.

    Without `file`, the one that was asked about, it is the path inside that.
    """
    return SEPARATOR.join([*([escaped(file)] if file else []), *(shown(name) for name in names)])


def closeness(name: str, wanted: str) -> int:
    """Return how well `wanted` names the member `name`: 2 to the letter, 1 but for its case, 0 not at all.

    FAT and ISO 9660 ignore case; a slash at either end means nothing; what is odd or long may be written as
    shown.
    """
    spellings = {name.strip("/"), shown(name).strip("/")}
    if wanted.strip("/") in spellings:
        return 2
    return int(wanted.strip("/").casefold() in {each.casefold() for each in spellings})
