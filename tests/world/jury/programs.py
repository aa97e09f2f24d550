"""Programs of some hundred bytes that say over the serial port that they were started, and leave.

All of them write to the port itself, so that none depends on a console. What a BIOS starts has the same code
as the others, but for the prefixes of its operands.
"""

import struct

WORD = "JURY-STARTED"
EXTRA = "JURY-EXTRA"
DONE = "done"  # the file that a step leaves which came to its end

AMD64, I386, ARM64 = 0x8664, 0x014C, 0xAA64
X86_64, AARCH64 = 0x3E, 0xB7
APPLICATION, BOOT_DRIVER = 10, 11
EXEC, DYN = 2, 3

ABORTED = 0x8000_0000_0000_0015
"""EFI_ABORTED: with it firmware goes on to the next medium."""

FILE_ALIGNMENT, SECTION_ALIGNMENT = 0x200, 0x1000
CODE, DATA, RELOCATIONS = 0x6000_0020, 0x4000_0040, 0x4200_0040
POWER_OFF = (0xFEE1_DEAD, 0x2812_1969, 0x4321_FEDC)
REAL_MODE = 0x7C00  # where a BIOS loads to


def say(prefix: str) -> bytes:
    """Write the text at rsi to the first serial port, up to its zero."""
    return bytes.fromhex(
        "ac"  #                  00 lodsb
        "84c0"  #                01 test al, al
        f"74{'14' if prefix else '12'}"  # 03 jz behind
        "88c4"  #                05 mov ah, al
        f"{prefix}bafd03"  #     07 mov dx, 0x3fd
        "ec"  #                     in al, dx
        "a820"  #                   test al, 0x20       the transmitter is empty
        "74fb"  #                   jz back to in
        "88e0"  #                   mov al, ah
        f"{prefix}baf803"  #        mov dx, 0x3f8
        "ee"  #                     out dx, al
        f"eb{'e7' if prefix else 'e9'}"  # jmp 00
    )


def _text(word: str) -> bytes:
    return f"\r\n{word}\r\n".encode() + b"\0"


def _relative(opcode: str, to: int) -> bytes:
    """An instruction with a displacement of 32 bits, to a place `to` bytes behind it."""
    return bytes.fromhex(opcode) + struct.pack("<i", to)


def efi_code() -> bytes:
    """Say it and return EFI_ABORTED, in position-independent code."""
    end = say("66") + bytes.fromhex("5e48b8") + struct.pack("<Q", ABORTED) + b"\xc3"
    return b"\x56" + _relative("488d35", len(end)) + end + _text(WORD)


def bios_code(skip: int = 0) -> bytes:
    """Say it in real mode, and give the machine back to the BIOS, which goes on (int 0x18).

    It jumps over its first `skip` bytes, where `-boot-info-table` writes.
    """
    over = bytes((0xEB, skip - 2)).ljust(skip, b"\0") if skip else b""
    start = over + b"\xea" + struct.pack("<HH", REAL_MODE + skip + 5, 0)
    start += bytes.fromhex("31c08ed88ed0bc007cfc")
    end = say("") + bytes.fromhex("cd18ebfe")
    where = REAL_MODE + len(start) + 3 + len(end)
    return start + b"\xbe" + struct.pack("<H", where) + end + _text(WORD)


def efi(
    *,
    code: bytes = b"",
    version: int = 0,
    machine: int = AMD64,
    subsystem: int = APPLICATION,
    base: int = 0x1_4000_0000,
    relocations: bool = True,
    reloc_stripped: bool = False,
    file_alignment: int = FILE_ALIGNMENT,
    sections: tuple[tuple[str, bytes], ...] = (),
) -> bytes:
    """An EFI program, of `efi_code` or other code; PE32 for IA-32, else PE32+. `version` is its image's."""
    wide = machine != I386
    parts = [(".text", code or efi_code(), CODE), *((name, data, DATA) for name, data in sections)]
    if relocations:
        parts.append((".reloc", struct.pack("<III", SECTION_ALIGNMENT, 12, 0), RELOCATIONS))
    optional = 240 if wide else 224
    headers = _up(0x40 + 24 + optional + 40 * len(parts), FILE_ALIGNMENT)
    table, body, address, directory = b"", b"", SECTION_ALIGNMENT, (0, 0)
    for name, data, flags in parts:
        raw = _up(len(data), file_alignment)
        sizes = (len(data), address, raw, headers + len(body))
        table += struct.pack("<8sIIIIIIHHI", name.encode(), *sizes, 0, 0, 0, 0, flags)
        directory = (address, len(data)) if name == ".reloc" else directory
        body += data.ljust(raw, b"\0")
        address += _up(len(data) or 1, SECTION_ALIGNMENT)
    flags = 0x22E | (1 if reloc_stripped else 0)
    coff = struct.pack("<4sHHIIIHH", b"PE", machine, len(parts), 0, 0, 0, optional, flags)
    standard = struct.pack("<HBBIIIII", 0x20B if wide else 0x10B, 2, 40, FILE_ALIGNMENT, 0, 0, 0x1000, 0x1000)
    standard += struct.pack("<Q", base) if wide else struct.pack("<II", 0, 0x40_0000)
    windows = struct.pack("<II6HI", SECTION_ALIGNMENT, file_alignment, 0, 0, version, 0, 0, 0, 0)
    windows += struct.pack("<IIIHH", address, headers, 0, subsystem, 0)
    windows += bytes(32 if wide else 16) + struct.pack("<II", 0, 16)
    directories = struct.pack("<40xII80x", *directory)
    head = (
        b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40) + coff + standard + windows + directories + table
    )
    return head.ljust(headers, b"\0") + body


def _up(value: int, to: int) -> int:
    return -(-value // to) * to


def _system_call(number: int, *arguments: int) -> bytes:
    loads = ("bf", "be", "ba")  # edi, esi, edx
    return b"".join(
        bytes.fromhex(opcode) + struct.pack("<I", value)
        for opcode, value in (("b8", number), *zip(loads, arguments, strict=False))
    ) + bytes.fromhex("0f05")


def init_code() -> bytes:
    """Say it, say more where there is a file /extra, and switch the machine off."""
    texts = _text(WORD) + _text(EXTRA) + b"/extra\0"
    off = _system_call(169, *POWER_OFF) + bytes.fromhex("ebfe")
    extra = _relative("488d35", len(say("66")) + len(off) + len(_text(WORD))) + say("66")
    wanted = len(extra) + len(off) + len(_text(WORD)) + len(_text(EXTRA))
    look = bytes.fromhex("31f6b8020000000f0585c078") + bytes([len(extra)])
    first = _relative("488d3d", wanted + len(look)) + look + extra + off
    return _system_call(172, 3) + _relative("488d35", len(say("66")) + len(first)) + say("66") + first + texts


def console_code() -> bytes:
    """Say it on the console, and switch the machine off: a locked-down Linux gives nobody the port."""
    text, off = _text(WORD), _system_call(169, *POWER_OFF) + bytes.fromhex("ebfe")
    write = bytes.fromhex("b801000000bf01000000ba") + struct.pack("<I", len(text) - 1)
    return write + _relative("488d35", 2 + len(off)) + bytes.fromhex("0f05") + off + text


def init(
    *,
    first: bytes = b"",
    code: bytes | None = None,
    machine: int = X86_64,
    kind: int = EXEC,
    base: int = 0x40_0000,
    interpreter: str = "",
) -> bytes:
    """A static program for Linux: `code`, or one that says it was started, behind `first`.

    With an `interpreter` it is one that needs that.
    """
    code = first + (init_code() if code is None else code)
    start = 64 + 56 * 2
    name = interpreter.encode() + b"\0" if interpreter else b""
    end = start + len(code) + len(name)
    at = 0 if kind == DYN else base
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, at, at, end, end, 0x1000)
    if interpreter:
        load += struct.pack("<IIQQQQQQ", 3, 4, start + len(code), at, at, len(name), len(name), 1)
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    count = len(load) // 56
    head = struct.pack("<HHIQQQIHHHHHH", kind, machine, 1, at + start, 64, 0, 0, 64, 56, count, 64, 0, 0)
    return (ident + head + load).ljust(start, b"\0") + code + name
