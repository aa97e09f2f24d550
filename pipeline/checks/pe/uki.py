"""What must hold of a UKI: an EFI program for x86-64 with a kernel, an initramfs and a command line.

Specification: UAPI Group, Unified Kernel Image
https://uapi-group.org/specifications/specs/unified_kernel_image/
"""

from collections.abc import Iterator

from pipeline.checks.attempt import or_none
from pipeline.checks.finding import Fault, Rules, Severity
from pipeline.checks.initramfs.read import is_archive
from pipeline.checks.kind import Kind, Member
from pipeline.checks.pe import sections, signatures, uki_boot, uki_pcr
from pipeline.checks.pe.uki_parts import BY_SECTION
from pipeline.checks.pe.uki_profiles import left_out
from pipeline.errors import FormatError
from pipeline.formats.bzimage import read_bzimage
from pipeline.formats.fields import Image
from pipeline.formats.magic import describe
from pipeline.formats.pe import AMD64, EFI_APPLICATION, Pe, machine_name, read_pe
from pipeline.formats.sbat import read_sbat

SPEC = "UAPI.5 Unified Kernel Image"
SECTIONS = (".linux", ".initrd", ".cmdline", ".osrel", ".uname", ".sbat")


def read_uki(image: Image) -> Pe:
    """Read the headers. Raises FormatError when it is no EFI program."""
    if bytes(image[:2]) != b"MZ":
        raise FormatError(f"the UKI is {describe(image)}, not an EFI program", "make it with ukify")
    return read_pe(image)


rule = Rules[Pe]()


@rule(
    "UKI001",
    "it is for x86-64",
    policy="appliance",
    spec="UEFI 2.10, §2.1.1 UEFI Images",
    fix="give ukify linuxx64.efi.stub and --efi-arch=x64",
)
def is_for_x86_64(uki: Pe) -> Iterator[Fault]:
    """Ukify guesses the architecture from the machine that it runs on."""
    if uki.machine != AMD64:
        yield f"the UKI is for {machine_name(uki.machine)}, not for x86-64"


@rule(
    "UKI002",
    "it is an EFI application",
    spec="UEFI 2.10, §2.1.1 UEFI Images",
    fix="give ukify linuxx64.efi.stub, from the package systemd-boot-efi",
)
def is_application(uki: Pe) -> Iterator[Fault]:
    """Firmware starts applications."""
    if uki.subsystem != EFI_APPLICATION:
        yield f"the UKI is of subsystem {uki.subsystem}, not {EFI_APPLICATION} (EFI application)"


@rule(
    "UKI003",
    f"{', '.join(SECTIONS)} are there",
    lenient=True,
    spec=f"{SPEC}, UKI Components",
    fix="make it with ukify, from kernel, initramfs, command line, os-release and uname",
)
def sections_are_there(uki: Pe) -> Iterator[Fault]:
    """The stub starts without most of them, and then something else happens."""
    missing = [name for name in SECTIONS if uki.section(name) is None]
    empty = [
        section.name for section in uki.sections if section.name in SECTIONS and not section.virtual_size
    ]
    if missing:
        yield f"the UKI has no {', '.join(missing)}: it is {describe(uki.image)}"
    if empty:
        yield f"the UKI's {', '.join(empty)} is empty"


@rule(
    "UKI007",
    ".uname is the kernel's version",
    lenient=True,
    spec=f"{SPEC}, UKI Components (.uname)",
    fix="make it again from the kernel that is in it; ukify finds the version itself",
)
def uname_is_the_kernels(uki: Pe) -> Iterator[Fault]:
    """What .uname says is shown in boot menus, and taken by tools for the kernel's version."""
    kernel = or_none(read_bzimage, _contents(uki, ".linux"))
    uname = _contents(uki, ".uname").decode(errors="replace").rstrip("\0\n")
    if kernel and uname and kernel.version and uname != kernel.version:
        yield (
            f"the UKI's .uname is {uname!r}, its kernel is {kernel.version!r}",
            f"give ukify --uname={kernel.version}",
        )


@rule(
    "UKI008",
    ".initrd is an initramfs",
    lenient=True,
    spec="Linux, init/initramfs.c (unpack_to_rootfs)",
    fix="give ukify a newc archive, compressed or not",
)
def initrd_is_an_initramfs(uki: Pe) -> Iterator[Fault]:
    """Linux goes on without what it does not know, to `Unable to mount root fs`."""
    for section, name, initrd in sections.with_contents(uki):
        if section.name in (".initrd", ".ucode") and len(initrd) and not is_archive(initrd):
            yield f"the UKI's {name} is {describe(initrd)}, not an initramfs"


@rule(
    "UKI018",
    "each of its sections counts",
    severity=Severity.WARNING,
    spec=f"{SPEC}, PE Sections; systemd, src/boot/pe.c (pe_locate_sections_internal)",
    fix="leave one of them out; to start the same kernel in another way, put a .profile before it",
)
def sections_count(uki: Pe) -> Iterator[Fault]:
    """Of several sections of one name the stub takes one, and tools may show another.

    Profiles have sections of the same names, each behind a .profile of its own; device trees and firmware
    for one of several machines may be there as often as there are machines.
    """
    for name, instead in left_out(uki):
        yield f"the UKI's {name} counts for nothing: systemd-stub takes {instead}{_quoted(uki, instead)}"


def _quoted(uki: Pe, name: str) -> str:
    """Return a command line as it is quoted, "" for any other section."""
    found = {own: section for section, own in sections.named(uki)}[name]
    contents = or_none(lambda: bytes(uki.contents_of(found))) if found.name == ".cmdline" else None
    return "" if contents is None else f", {contents.decode(errors='replace')!r}"


@rule(
    "UKI009",
    ".splash is a BMP",
    lenient=True,
    spec="systemd-stub(7), .splash",
    fix="give ukify a BMP of 24 or 32 bits as --splash",
)
def splash_is_a_bmp(uki: Pe) -> Iterator[Fault]:
    """The stub shows nothing else, and says nothing about it."""
    splash = _contents(uki, ".splash")
    if splash and not splash.startswith(b"BM"):
        yield f"the UKI's .splash is {describe(splash)}, not a BMP"


def _contents(uki: Pe, name: str) -> bytes:
    """Return a section's bytes, none when it is missing, too large, or cut off: other rules say so."""
    return or_none(lambda: bytes(uki.contents(name) or b"")) or b""


@rule(
    "UKI011",
    "its SBAT can be read",
    lenient=True,
    spec="SBAT.md of shim, Format",
    fix="let ukify write it, from `--sbat` or its own",
)
def sbat_can_be_read(uki: Pe) -> None:
    """Shim refuses a program whose SBAT it cannot read."""
    if _contents(uki, ".sbat"):
        read_sbat(_contents(uki, ".sbat"))


def members(uki: Pe) -> Iterator[Member]:
    """Yield the sections; what the stub takes has to be what its name says."""
    kinds = {".linux": "kernel" if uki.machine == AMD64 else None, ".cmdline": "cmdline", **BY_SECTION}
    for section, name, contents in sections.with_contents(uki):
        if section.name == ".linux" and section.virtual_size > section.raw_size:
            contents = _without_padding(contents, uki.file_alignment)
        kind = kinds.get(section.name, "") if len(contents) else ""
        if section.name in (".initrd", ".ucode") and is_archive(contents):
            kind = "initramfs"
        yield Member(name, contents, section.raw_offset, kind)


def _without_padding(kernel: Image, unit: int) -> Image:
    """Return a kernel without the zeros that fill its section up to a multiple of `unit` bytes.

    Where the section has the length that the kernel takes in memory, its own headers tell how long it was.
    """
    pe = or_none(read_pe, kernel)
    rest = kernel[pe.end :] if pe else kernel
    return kernel[: pe.end] if pe and len(rest) < unit and not any(bytes(rest)) else kernel


UKI = Kind(
    "uki",
    "UKI",
    "UKI000",
    read_uki,
    (*sections.rule.of("UKI"), *signatures.rule.of("UKI"), *rule.table, *uki_pcr.rule.table),
    members,
    tuple(uki_boot.together.table),
)
