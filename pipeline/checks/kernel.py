"""Owns what must hold of a kernel: a bzImage for x86-64 that the firmware can start itself.

Must not know how it was built.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.checks.finding import Fault, Rule
from pipeline.checks.kind import Kind
from pipeline.errors import FormatError
from pipeline.formats.bzimage import BzImage, is_bzimage, read_bzimage
from pipeline.formats.fields import Image
from pipeline.formats.magic import describe
from pipeline.formats.pe import AMD64, EFI_APPLICATION, Pe, machine_name, read_pe

UKI_SECTIONS = (".linux", ".initrd", ".osrel", ".cmdline", ".uname")


@dataclass(frozen=True, slots=True)
class Kernel:
    """A file given as a kernel; a header is None where there is none."""

    image: Image
    header: BzImage | None
    pe: Pe | None


def read_kernel(image: Image) -> Kernel:
    """Read both headers. Raises FormatError for a boot header that is damaged or too old."""
    try:
        pe = read_pe(image)
    except FormatError:
        pe = None
    return Kernel(image, read_bzimage(image) if is_bzimage(image) else None, pe)


def _uki_sections(kernel: Kernel) -> list[str]:
    return [name for name in UKI_SECTIONS if kernel.pe and kernel.pe.section(name)]


def is_no_uki(kernel: Kernel) -> Iterator[Fault]:
    """Reject an output given as an input."""
    found = _uki_sections(kernel)
    if found:
        yield (
            f"this is a UKI (it has the sections {', '.join(found)}): an output, not a kernel",
            "give the vmlinuz that the UKI was made from",
        )


def is_a_bzimage(kernel: Kernel) -> Iterator[Fault]:
    """Say what was given instead of a bzImage."""
    if kernel.header is None and not _uki_sections(kernel):
        yield (
            f"the kernel is {describe(kernel.image)}, not a bzImage",
            "give the file that a kernel build leaves in arch/x86/boot/bzImage, often called vmlinuz",
        )


def is_64_bit(kernel: Kernel) -> Iterator[Fault]:
    """Firmware for x86-64 starts 64-bit kernels."""
    if kernel.header and not kernel.header.is_64_bit:
        yield (
            f"the kernel is a 32-bit one: its xloadflags {kernel.header.xloadflags:#06x} lack XLF_KERNEL_64",
            "build it with CONFIG_64BIT=y",
        )


def has_efi_stub(kernel: Kernel) -> Iterator[Fault]:
    """Without the stub BOOTX64.EFI returns at once, silently."""
    if kernel.header and kernel.pe is None:
        yield (
            f"the kernel has no EFI stub: it starts with {bytes(kernel.image[:2]).hex()}, "
            "not with the header of an EFI program",
            "build it with CONFIG_EFI=y and CONFIG_EFI_STUB=y",
        )


def stub_is_for_x86_64(kernel: Kernel) -> Iterator[Fault]:
    """The stub may be a 32-bit one."""
    if kernel.header and kernel.pe and kernel.pe.machine != AMD64:
        yield (
            f"the kernel's EFI stub is for {machine_name(kernel.pe.machine)}, not for x86-64",
            "build the kernel with CONFIG_64BIT=y",
        )


def stub_is_application(kernel: Kernel) -> Iterator[Fault]:
    """Firmware treats a driver in another way than an application."""
    if kernel.header and kernel.pe and kernel.pe.subsystem != EFI_APPLICATION:
        yield (
            f"the kernel's EFI stub is of subsystem {kernel.pe.subsystem}, "
            f"not {EFI_APPLICATION} (EFI application)",
            "build the kernel again",
        )


def is_relocatable(kernel: Kernel) -> Iterator[Fault]:
    """Firmware loads it where there is room."""
    if kernel.header and not kernel.header.relocatable:
        yield "the kernel is not relocatable", "build it with CONFIG_RELOCATABLE=y"


def is_whole(kernel: Kernel) -> Iterator[Fault]:
    """A download may have been cut off."""
    if kernel.header and kernel.header.size > len(kernel.image):
        yield (
            f"the kernel is cut off: its header says {kernel.header.size} bytes, "
            f"the file has {len(kernel.image)}",
            "fetch or build it again",
        )


def payload_is_known(kernel: Kernel) -> Iterator[Fault]:
    """What the kernel unpacks itself from starts with the mark of a compression."""
    if kernel.header and not kernel.header.compression:
        yield (
            "the kernel's payload starts with the mark of no compression that Linux uses",
            "the file is damaged: fetch or build it again",
        )


def names_its_version(kernel: Kernel) -> Iterator[Fault]:
    """The UKI's .uname is taken from it."""
    if kernel.header and not kernel.header.version:
        yield "the kernel does not name its version in the boot header", "build it again"


KIND = Kind(
    "kernel",
    "Linux kernel",
    "KRN000",
    read_kernel,
    (
        Rule("KRN001", "it is a kernel, not a UKI", is_no_uki),
        Rule("KRN002", "it is a bzImage", is_a_bzimage),
        Rule("KRN003", "it is a 64-bit kernel", is_64_bit),
        Rule("KRN004", "it has an EFI stub", has_efi_stub),
        Rule("KRN005", "the stub is for x86-64", stub_is_for_x86_64),
        Rule("KRN006", "the stub is an EFI application", stub_is_application),
        Rule("KRN007", "it is relocatable", is_relocatable),
        Rule("KRN008", "the file is whole", is_whole),
        Rule("KRN009", "its payload is compressed in a known way", payload_is_known),
        Rule("KRN010", "it names its version", names_its_version),
    ),
)
