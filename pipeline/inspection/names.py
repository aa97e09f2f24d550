"""Owns how members of nested artifacts are named: shown to a person, written in one line, found again.

Must not know what the artifacts are.
"""

from collections.abc import Iterable

SEPARATOR = "!"


def shown(text: str) -> str:
    """Return a stranger's text as it may be printed: one line, with all escaped that is no letter or mark.

    That is what moves a terminal's cursor, is not seen, turns writing around, or was no UTF-8.
    """
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(letter: str) -> str:
    if letter.isprintable():
        return letter
    number = ord(letter)
    if 0xDC80 <= number <= 0xDCFF:  # a byte that was no UTF-8, as Python keeps it
        number -= 0xDC00
    width = 2 if number < 0x100 else 4 if number < 0x10000 else 8
    return f"\\{'xuU'[width // 4]}{number:0{width}x}"


def path_of(names: Iterable[str]) -> str:
    """Return where a member lies, in one line: `x.iso!efi.img!EFI/BOOT/BOOTX64.EFI!.initrd!etc/inittab`."""
    return SEPARATOR.join(shown(name) for name in names)


def closeness(name: str, wanted: str) -> int:
    """Return how well `wanted` names the member `name`: 2 to the letter, 1 but for its case, 0 not at all.

    FAT and ISO 9660 ignore case; a slash at either end means nothing; what is odd may be written as shown.
    """
    spellings = {name.strip("/"), shown(name).strip("/")}
    if wanted.strip("/") in spellings:
        return 2
    return int(wanted.strip("/").casefold() in {each.casefold() for each in spellings})
