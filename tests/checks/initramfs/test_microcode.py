"""Which microcode Linux finds in an initramfs, and what is told of the rest."""

import struct

import pytest

from pipeline.checks.catalog import take_apart
from pipeline.inspection.questions import answers
from tests.fixtures import patch
from tests.fixtures.elf import elf
from tests.fixtures.microcode import AMD, INTEL
from tests.fixtures.newc import DIRECTORY, FILE, Raw, newc
from tests.fixtures.packed import PACK
from tests.fixtures.uki import uki

FOLDER = "kernel/x86/microcode"
MAIN = PACK["zstd"](newc([Raw("init", FILE | 0o111, elf())]))
MAIN += bytes(-len(MAIN) % 4)


def archive(*files: tuple[str, bytes], top: str = "") -> bytes:
    folders = [Raw(top + name, DIRECTORY) for name in ("kernel", "kernel/x86", FOLDER)]
    return newc([*folders, *(Raw(f"{top}{FOLDER}/{name}", FILE, data) for name, data in files)])


BOTH = archive(("AuthenticAMD.bin", AMD), ("GenuineIntel.bin", INTEL))
ONE = archive(("GenuineIntel.bin", INTEL))
MISALIGNED = "no multiple of 16 as Intel's manual asks for"


@pytest.mark.parametrize(
    ("image", "value"),
    [
        (ONE + MAIN, "for Intel"),
        (BOTH + MAIN, "for AMD and Intel"),
        (archive(("AuthenticAMD.bin", AMD)) + bytes(512) + ONE + MAIN, "for AMD and Intel"),
        (archive(("GenuineIntel.bin", 2 * INTEL)) + MAIN, "for Intel"),
        (archive((".enuineIntel.align.0123", b""), ("GenuineIntel.bin", INTEL)) + MAIN, "for Intel"),
        (ONE + PACK["zstd"](ONE), "for Intel"),
        (ONE, "for Intel"),
    ],
)
def test_it_is_found(image: bytes, value: str) -> None:
    node = take_apart(image, "initrd")
    answer = {answer.question: answer for answer in answers(node)}["microcode"]
    assert (answer.verdict, answer.value) == ("yes", value)
    assert [finding.code for finding in node.all_findings() if finding.code == "CPIO020"] == []


def test_where_it_lies_is_said() -> None:
    found = take_apart(uki({".initrd": ONE + MAIN}), "uki")
    (answer,) = (answer for answer in answers(found) if answer.question == "microcode")
    assert answer.because == f"GenuineIntel.bin at 0x20c of .initrd, {MISALIGNED}"
    padded = archive((".enuineIntel.align.01", b""), ("GenuineIntel.bin", INTEL))
    at = padded.index(INTEL)
    (answer,) = (each for each in answers(take_apart(padded, "x")) if each.question == "microcode")
    assert answer.because == f"GenuineIntel.bin at {at:#x}" + (f", {MISALIGNED}" if at % 16 else "")


NOT_FOUND = f"the microcode '{FOLDER}/GenuineIntel.bin' is not found: "


@pytest.mark.parametrize(
    ("image", "message", "hint"),
    [
        (
            archive(("GenuineIntel.bin", INTEL), top="./") + MAIN,
            f"the microcode './{FOLDER}/GenuineIntel.bin' is not found: "
            f"Linux looks for the name '{FOLDER}/GenuineIntel.bin'",
            "name it from the top: `find kernel ",
        ),
        (
            MAIN + ONE,
            NOT_FOUND + "it lies behind what is packed, and Linux looks no further",
            "put it in front",
        ),
        (
            PACK["zstd"](ONE) + MAIN,
            NOT_FOUND + "it is packed with zstd, and Linux looks before it unpacks",
            "put it in front of all else, and do not pack it: `cat UCODE INITRAMFS > NEW`",
        ),
        (
            archive(("genuineintel.bin", INTEL)) + MAIN,
            f"no processor's microcode is called '{FOLDER}/genuineintel.bin': "
            "Linux looks for GenuineIntel.bin and AuthenticAMD.bin",
            "name it from the top",
        ),
        (
            archive(("GenuineIntel.bin", INTEL + bytes(4))) + MAIN,
            f"'{FOLDER}/GenuineIntel.bin' is not microcode that Linux accepts: "
            "4 bytes are left over behind its updates",
            "copy the file again",
        ),
        (
            archive(("GenuineIntel.bin", INTEL + patch(INTEL, 32, struct.pack("<I", 999)))) + MAIN,
            f"'{FOLDER}/GenuineIntel.bin' is not microcode that Linux accepts: "
            "there is no update of Intel at offset 0x60",
            "copy the file again",
        ),
        (
            archive(("AuthenticAMD.bin", INTEL)) + MAIN,
            f"'{FOLDER}/AuthenticAMD.bin' is not microcode that Linux accepts: it does not start as",
            "copy the file again",
        ),
        (
            archive(("GenuineIntel.bin", INTEL))[:-180],
            NOT_FOUND + "the archive ends ",
            "make the archive again",
        ),
    ],
)
def test_what_linux_passes_over_is_told(image: bytes, message: str, hint: str) -> None:
    node = take_apart(image, "initrd")
    (finding,) = (finding for finding in node.all_findings() if finding.code == "CPIO020")
    assert finding.message.startswith(message)
    assert finding.hint.startswith(hint)
    answer = {answer.question: answer for answer in answers(node)}["microcode"]
    assert (answer.verdict, answer.finding, answer.because) == ("no", "CPIO020", finding.message)


def test_without_any_nothing_is_said() -> None:
    found = {answer.question: answer for answer in answers(take_apart(MAIN, "initrd"))}
    assert found["microcode"].verdict == "not applicable"
    assert found["init"].verdict == "yes"
