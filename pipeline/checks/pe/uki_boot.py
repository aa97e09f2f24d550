"""What must hold of a UKI's parts together: this kernel, with this command line, starts this initramfs."""

import re
from collections.abc import Iterator
from typing import TypeVar

from pipeline.checks.cmdline import Cmdline
from pipeline.checks.finding import Fault, Rules, Severity
from pipeline.checks.initramfs.read import Initramfs
from pipeline.checks.initramfs.startable import Refused, start
from pipeline.checks.kernel import Kernel
from pipeline.checks.kind import Node
from pipeline.checks.pe.uki_profiles import in_every_profile
from pipeline.formats.tree import plain

DEFAULT_INIT = "/init"
MICROCODE = "kernel/x86/microcode"
PACKED_BY = {
    "gzip": "RD_GZIP",
    "bzip2": "RD_BZIP2",
    "lzma": "RD_LZMA",
    "xz": "RD_XZ",
    "lzo": "RD_LZO",
    "lz4": "RD_LZ4",
    "zstd": "RD_ZSTD",
}
"""Which option lets Linux unpack what (usr/Kconfig)."""

CONSOLES = (
    (r"tty\d+", "VT_CONSOLE"),
    (r"ttyS\d+", "SERIAL_8250_CONSOLE"),
    (r"ttyAMA\d+", "SERIAL_AMBA_PL011_CONSOLE"),
    (r"hvc\d+", "HVC_DRIVER"),
    (r"netcon.*|netconsole.*", "NETCONSOLE"),
)
"""Which option makes which console (drivers/tty)."""

PARAMETERS = {
    "rdinit": "BLK_DEV_INITRD",
    "initrd": "BLK_DEV_INITRD",
    "earlycon": "SERIAL_EARLYCON",
    "apparmor": "SECURITY_APPARMOR",
    "selinux": "SECURITY_SELINUX",
    "lsm": "SECURITY",
    "intel_iommu": "INTEL_IOMMU",
    "amd_iommu": "AMD_IOMMU",
    "zswap.enabled": "ZSWAP",
    "systemd.unified_cgroup_hierarchy": "CGROUPS",
}
"""Parameters that do nothing without an option (Documentation/admin-guide/kernel-parameters.txt)."""


MODULES = re.compile(r"(?:usr/)?lib/modules/([^/]+)/kernel/")
"""Where an initramfs has the modules of a release (modules.dep(5))."""

Section = TypeVar("Section")


def _part(node: Node, name: str, kind: type[Section]) -> Section | None:
    """Return a section's artifact, None where there is none that could be read."""
    child = node.child(name)
    return child.artifact if child and isinstance(child.artifact, kind) else None


def init_path(node: Node) -> str:
    """Return what Linux starts out of the initramfs: the last `rdinit=`, else /init (init/main.c)."""
    cmdline = _part(node, ".cmdline", Cmdline)
    values = cmdline.values("rdinit") if cmdline else []
    return values[-1] if values else DEFAULT_INIT


together = Rules[Node]()


@together(
    "UKI012",
    "the kernel can unpack the initramfs",
    spec="Linux, usr/Kconfig and lib/decompress.c",
    fix="build the kernel with the option, or pack the initramfs as it can unpack it",
)
@in_every_profile
def kernel_unpacks_the_initramfs(node: Node) -> Iterator[Fault]:
    """Linux drops an initramfs that it cannot unpack, and panics for want of a root file system."""
    kernel, initramfs = _part(node, ".linux", Kernel), _part(node, ".initrd", Initramfs)
    if kernel is None or initramfs is None:
        return
    for compression in dict.fromkeys(segment.compression for segment in initramfs.segments):
        option = PACKED_BY.get(compression, "BLK_DEV_INITRD")
        if kernel.option(option) == "n":
            packed = f"packed with {compression}" if compression else "there"
            yield (
                f"the UKI's initramfs is {packed}, but its kernel was built without CONFIG_{option}",
                f"build the kernel with CONFIG_{option}=y, or pack the initramfs in another way",
            )


def refused_init(node: Node) -> Refused | None:
    """Return why Linux cannot start what it takes out of the initramfs, None where it can or has none."""
    initramfs = node.child(".initrd")
    if initramfs is None or not isinstance(initramfs.artifact, Initramfs):
        return None
    try:
        start(initramfs, init_path(node), node.child(".linux"))
    except Refused as refused:
        return refused
    return None


@together(
    "UKI013",
    "what the kernel starts is in the initramfs",
    spec="Linux, init/main.c (kernel_init_freeable, ramdisk_execute_command)",
    fix="put an executable /init into the initramfs, or name another with rdinit=",
)
@in_every_profile
def init_is_there(node: Node) -> Iterator[Fault]:
    """Without it Linux looks for a root file system, and panics where the command line names none.

    A UKI without a command line is given one by firmware or an addon: nobody knows what that names.
    """
    refused = refused_init(node)
    cmdline, kernel = _part(node, ".cmdline", Cmdline), _part(node, ".linux", Kernel)
    if refused is None or refused.lack == "cannot run" or cmdline is None:
        return
    if refused.lack == "nothing there" and kernel and kernel.has_own_initramfs:
        return
    has_root = cmdline.values("root") or cmdline.values("nfsroot")
    if refused.lack == "no program" or not has_root:
        yield (
            f"Linux would start {init_path(node)} from the initramfs, but {refused.message}",
            f"put a program there, or name another with rdinit= ({refused.hint})",
        )


@together(
    "UKI014",
    "what the kernel starts can run on its machine",
    spec="Linux, fs/binfmt_elf.c and fs/binfmt_script.c",
    fix="build the initramfs for the kernel's machine, with the interpreter that its init names",
)
@in_every_profile
def init_can_run_on_this_machine(node: Node) -> Iterator[Fault]:
    """Linux cannot run a program of another machine, nor what lacks its interpreter, loader or libraries."""
    refused = refused_init(node)
    if refused is not None and refused.lack == "cannot run":
        yield refused.message, refused.hint


@together(
    "UKI015",
    "the command line's parameters mean something to the kernel",
    lenient=True,
    spec="Linux, Documentation/admin-guide/kernel-parameters.txt",
    fix="build the kernel with the option, or leave the parameter out",
)
@in_every_profile
def parameters_mean_something(node: Node) -> Iterator[Fault]:
    """Linux takes what it does not know for a variable of init's, and says nothing."""
    kernel, cmdline = _part(node, ".linux", Kernel), _part(node, ".cmdline", Cmdline)
    if kernel is None or cmdline is None:
        return
    for key, value in cmdline.parameters:
        option = _console_option(value) if key == "console" else PARAMETERS.get(key, "")
        if option and kernel.option(option) == "n":
            shown = f"{key}={value}" if value else key
            yield (
                f"the command line says {shown}, but the kernel was built without CONFIG_{option}",
                f"build it with CONFIG_{option}=y, or leave {shown} out",
            )


def _console_option(value: str) -> str:
    name = value.partition(",")[0]
    return next((option for pattern, option in CONSOLES if re.fullmatch(pattern, name)), "")


@together(
    "UKI019",
    ".ucode holds microcode",
    severity=Severity.WARNING,
    spec="UAPI.5 Unified Kernel Image, PE Sections (.ucode); Linux, lib/earlycpio.c (find_cpio_data)",
    fix="put microcode at its path there, in a newc archive that is not packed",
)
@in_every_profile
def ucode_holds_microcode(node: Node) -> Iterator[Fault]:
    """The stub puts .ucode before any other initramfs, where Linux looks for microcode and nothing else."""
    ucode = _part(node, ".ucode", Initramfs)
    if ucode is None or not ucode.entries:
        return
    if not any(plain(entry.name).startswith(MICROCODE) for entry in ucode.entries):
        yield (
            f"the UKI's .ucode holds no microcode: it has {ucode.entries[0].name!r}, "
            f"which is unpacked before .initrd, and no {MICROCODE}",
            f"put {MICROCODE}/GenuineIntel.bin or AuthenticAMD.bin into it, and all else into .initrd",
        )


@together(
    "UKI024",
    "its modules are of its kernel",
    lenient=True,
    spec="Linux, kernel/module/version.c (same_magic); modules.dep(5)",
    fix="make the initramfs with the modules of this kernel",
)
@in_every_profile
def modules_are_of_the_kernel(node: Node) -> Iterator[Fault]:
    """Linux takes no module of another release: what has its driver in one is not found."""
    kernel, initramfs = _part(node, ".linux", Kernel), _part(node, ".initrd", Initramfs)
    release = kernel.header.version if kernel and kernel.header else ""
    if not release or initramfs is None:
        return
    matches = (MODULES.match(plain(entry.name)) for entry in initramfs.entries)
    found = sorted({match[1] for match in matches if match})
    if found and release not in found:
        yield f"the UKI's kernel is {release}, but the modules in its initramfs are of {' and '.join(found)}"
