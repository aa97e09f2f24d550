"""What must hold of a kernel: a bzImage for x86-64 that the firmware can start itself."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from pipeline.checks.attempt import or_none
from pipeline.checks.finding import Fault, Rules
from pipeline.checks.kind import Kind
from pipeline.errors import FormatError
from pipeline.formats import ikconfig
from pipeline.formats.authenticode import read_signatures
from pipeline.formats.budget import Spent
from pipeline.formats.bzimage import BzImage, is_bzimage, read_bzimage, unpack_kernel
from pipeline.formats.fields import Image
from pipeline.formats.magic import describe
from pipeline.formats.pe import AMD64, EFI_APPLICATION, Pe, machine_name, read_pe

UKI_SECTIONS = (".linux", ".initrd", ".osrel", ".cmdline", ".uname")
BOOT_PROTOCOL = "Linux, Documentation/arch/x86/boot.rst"
EFI_STUB = "Linux, Documentation/admin-guide/efi-stub.rst"
PARAGRAPH = 16  # bytes, in which the header counts

NEEDED = {
    "BLK_DEV_INITRD": "unpacks an initramfs",
    "DEVTMPFS": "makes device nodes",
    "BINFMT_ELF": "runs programs",
    "PROC_FS": "has /proc",
    "SYSFS": "has /sys",
    "TTY": "has terminals",
    "EFI_STUB": "is started by firmware",
}
"""What a kernel whose system is an initramfs cannot do without: option to what it is for."""


@dataclass(frozen=True)
class Kernel:
    """A file given as a kernel; a header is None where there is none."""

    image: Image
    header: BzImage | None
    pe: Pe | None

    @cached_property
    def config(self) -> Mapping[str, str] | FormatError | None:
        """The configuration that it carries with it, or why it cannot be read.

        None where it has none, or where that takes more looking than the budget has.
        """
        if self.header is None or not self.header.compression:
            return None
        try:
            return ikconfig.read_config(unpack_kernel(self.image, self.header))
        except FormatError as error:
            # the one that was raised keeps all alive that its frames hold: the kernel, unpacked
            return FormatError(error.message, error.hint)
        except Spent:
            return None

    @cached_property
    def signers(self) -> tuple[str, ...]:
        """Who signed it rightly; inside a UKI nobody asks."""
        try:
            return tuple(one.subject for one in read_signatures(self.pe) if not one.fault) if self.pe else ()
        except (FormatError, Spent):
            return ()

    def option(self, name: str) -> str:
        """Return an option's value, `n` where it is not set, "" if unknown."""
        return self.config.get(name, "n") if isinstance(self.config, Mapping) else ""

    @property
    def has_own_initramfs(self) -> bool:
        """Whether it was built with an initramfs in it; its contents are unknown."""
        return self.option("INITRAMFS_SOURCE") not in ("", "n", '""')


def read_kernel(image: Image) -> Kernel:
    """Read both headers. Raises FormatError for a boot header that is damaged or too old."""
    header = read_bzimage(image) if is_bzimage(image) else None
    return Kernel(image, header, or_none(read_pe, image))


def _uki_sections(kernel: Kernel) -> list[str]:
    return [name for name in UKI_SECTIONS if kernel.pe and kernel.pe.section(name)]


rule = Rules[Kernel]()


@rule(
    "KRN001",
    "it is a kernel, not a UKI",
    spec="UAPI.5 Unified Kernel Image, UKI Components",
    fix="give the vmlinuz that the UKI was made from",
)
def is_no_uki(kernel: Kernel) -> Iterator[Fault]:
    """Reject an output given as an input."""
    found = _uki_sections(kernel)
    if found:
        yield f"this is a UKI (it has the sections {', '.join(found)}): an output, not a kernel"


@rule(
    "KRN002",
    "it is a bzImage",
    spec=f"{BOOT_PROTOCOL}, header",
    fix="give the file that a kernel build leaves in arch/x86/boot/bzImage, often called vmlinuz",
)
def is_a_bzimage(kernel: Kernel) -> Iterator[Fault]:
    """Say what was given instead of a bzImage."""
    if kernel.header is None and not _uki_sections(kernel):
        yield f"the kernel is {describe(kernel.image)}, not a bzImage"


@rule(
    "KRN003", "it is a 64-bit kernel", spec=f"{BOOT_PROTOCOL}, xloadflags", fix="build it with CONFIG_64BIT=y"
)
def is_64_bit(kernel: Kernel) -> Iterator[Fault]:
    """Firmware for x86-64 starts 64-bit kernels."""
    if kernel.header and not kernel.header.is_64_bit:
        yield f"the kernel is a 32-bit one: its xloadflags {kernel.header.xloadflags:#06x} lack XLF_KERNEL_64"


@rule("KRN004", "it has an EFI stub", spec=EFI_STUB, fix="build it with CONFIG_EFI=y and CONFIG_EFI_STUB=y")
def has_efi_stub(kernel: Kernel) -> Iterator[Fault]:
    """Without the stub BOOTX64.EFI returns at once, silently."""
    if kernel.header and kernel.pe is None:
        yield (
            f"the kernel has no EFI stub: it starts with {bytes(kernel.image[:2]).hex()}, "
            "not with the header of an EFI program"
        )


@rule(
    "KRN005",
    "the stub is for x86-64",
    spec="UEFI 2.10, §2.1.1 UEFI Images",
    fix="build the kernel with CONFIG_64BIT=y",
)
def stub_is_for_x86_64(kernel: Kernel) -> Iterator[Fault]:
    """The stub may be a 32-bit one."""
    if kernel.header and kernel.pe and kernel.pe.machine != AMD64:
        yield f"the kernel's EFI stub is for {machine_name(kernel.pe.machine)}, not for x86-64"


@rule(
    "KRN006",
    "the stub is an EFI application",
    spec="UEFI 2.10, §2.1.1 UEFI Images",
    fix="build the kernel again; something changed its header",
)
def stub_is_application(kernel: Kernel) -> Iterator[Fault]:
    """Firmware treats a driver in another way than an application."""
    if kernel.header and kernel.pe and kernel.pe.subsystem != EFI_APPLICATION:
        yield (
            f"the kernel's EFI stub is of subsystem {kernel.pe.subsystem}, "
            f"not {EFI_APPLICATION} (EFI application)"
        )


@rule(
    "KRN007",
    "it is relocatable",
    spec=f"{BOOT_PROTOCOL}, relocatable_kernel",
    fix="build it with CONFIG_RELOCATABLE=y",
)
def is_relocatable(kernel: Kernel) -> Iterator[Fault]:
    """Firmware loads it where there is room."""
    if kernel.header and not kernel.header.relocatable:
        yield "the kernel is not relocatable"


@rule("KRN008", "the file is whole", spec=f"{BOOT_PROTOCOL}, syssize", fix="fetch or build it again")
def is_whole(kernel: Kernel) -> Iterator[Fault]:
    """A download may have been cut off."""
    if kernel.header and kernel.header.size - len(kernel.image) >= PARAGRAPH:  # the size is rounded up
        yield (
            f"the kernel is cut off: its header says {kernel.header.size} bytes, "
            f"the file has {len(kernel.image)}"
        )


@rule(
    "KRN009",
    "its payload is compressed in a known way",
    spec=f"{BOOT_PROTOCOL}, payload_offset",
    fix="fetch or build it again",
)
def payload_is_known(kernel: Kernel) -> Iterator[Fault]:
    """What the kernel unpacks itself from starts with the mark of a compression."""
    header = kernel.header
    if header and header.protocol >= (2, 8) and not header.compression:
        yield "the kernel's payload starts with the mark of no compression that Linux uses"


@rule(
    "KRN010",
    "it names its version",
    lenient=True,
    spec=f"{BOOT_PROTOCOL}, kernel_version",
    fix="build it again",
)
def names_its_version(kernel: Kernel) -> Iterator[Fault]:
    """The UKI's .uname is taken from it."""
    if kernel.header and not kernel.header.version:
        yield "the kernel does not name its version in the boot header"


@rule(
    "KRN011",
    "its embedded configuration can be read",
    spec="Linux, kernel/configs.c and scripts/extract-ikconfig",
    fix="fetch or build it again",
)
def config_can_be_read(kernel: Kernel) -> Iterator[Fault]:
    """What is embedded says what the kernel can do; damage there is damage of the whole."""
    if isinstance(kernel.config, FormatError):
        yield f"the kernel's configuration cannot be read: {kernel.config.message}", kernel.config.hint


@rule(
    "KRN012",
    "its embedded configuration has what an initramfs needs",
    policy="appliance",
    spec="Linux, Documentation/filesystems/ramfs-rootfs-initramfs.rst",
    fix="add the option to a fragment below recipes/kernels/",
)
def has_what_an_initramfs_needs(kernel: Kernel) -> Iterator[Fault]:
    """Without these the machine stops, most often without a word."""
    for name, what in NEEDED.items():
        if kernel.option(name) == "n":
            yield (
                f"the kernel was built without CONFIG_{name}, which {what}",
                f"build it with CONFIG_{name}=y",
            )


KERNEL = Kind("kernel", "Linux kernel", "KRN000", read_kernel, tuple(rule.table))
"""A kernel that firmware for x86-64 has to start, as in a UKI."""

BZIMAGE = Kind("bzimage", "Linux bzImage", "KRN000", read_kernel, rule.of("KRN008"))
"""A kernel that lies somewhere, for whom is not known: it may lack an EFI stub, and boot by BIOS."""
