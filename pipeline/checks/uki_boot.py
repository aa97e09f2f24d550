"""Owns what must hold of a UKI's parts together: this kernel, with this command line, starts this initramfs.

Must not know how the parts are stored; they come as nodes that have been taken apart.
"""

import re
from collections.abc import Iterator

from pipeline.checks.cmdline import Cmdline
from pipeline.checks.finding import Fault, Rule
from pipeline.checks.initramfs_archive import Initramfs
from pipeline.checks.kernel import Kernel
from pipeline.checks.kind import Node
from pipeline.errors import FormatError
from pipeline.formats.cpio_reader import Entry
from pipeline.formats.elf import MAGIC, read_elf
from pipeline.formats.pe import Pe, machine_name

DEFAULT_INIT = "/init"
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

MACHINES = {"x86-64": 0x8664, "AArch64": 0xAA64, "RISC-V": 0x5064}
"""A machine of an ELF program, and its number in a PE header; 32-bit x86 runs on both."""


def _part(node: Node, name: str, kind: type) -> object:
    """Return a section's artifact, None where there is none that could be read."""
    child = node.child(name)
    return child.artifact if child and isinstance(child.artifact, kind) else None


def _kernel(node: Node) -> Kernel | None:
    found = _part(node, ".linux", Kernel)
    return found if isinstance(found, Kernel) else None


def _initramfs(node: Node) -> Initramfs | None:
    found = _part(node, ".initrd", Initramfs)
    return found if isinstance(found, Initramfs) else None


def _cmdline(node: Node) -> Cmdline | None:
    found = _part(node, ".cmdline", Cmdline)
    return found if isinstance(found, Cmdline) else None


def _kernel_machine(node: Node) -> int:
    """Return the kernel's machine by its PE header, 0 where nobody knows."""
    child = node.child(".linux")
    found = child.artifact if child else None
    pe = found.pe if isinstance(found, Kernel) else found
    return pe.machine if isinstance(pe, Pe) else 0


def init_path(node: Node) -> str:
    """Return what Linux starts out of the initramfs: the last `rdinit=`, else /init (init/main.c)."""
    cmdline = _cmdline(node)
    values = cmdline.values("rdinit") if cmdline else []
    return values[-1] if values else DEFAULT_INIT


def kernel_unpacks_the_initramfs(node: Node) -> Iterator[Fault]:
    """Linux drops an initramfs that it cannot unpack, and panics for want of a root file system."""
    kernel, initramfs = _kernel(node), _initramfs(node)
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


def init_is_there(node: Node) -> Iterator[Fault]:
    """Without it Linux looks for a root file system, and panics where the command line names none.

    A UKI without a command line is given one by firmware or an addon: nobody knows what that names.
    """
    initramfs, cmdline = _initramfs(node), _cmdline(node)
    if initramfs is None or cmdline is None or cmdline.values("root") or cmdline.values("nfsroot"):
        return
    path = init_path(node)
    try:
        initramfs.tree.resolve_program(path)
    except FormatError as error:
        yield (
            f"Linux would start {path} from the initramfs, but {error.message}",
            f"put a program there, or name another with rdinit= ({error.hint})",
        )


def init_can_run_on_this_machine(node: Node) -> Iterator[Fault]:
    """Linux cannot run a program of another machine, nor a script whose interpreter is not there."""
    initramfs = _initramfs(node)
    if initramfs is None:
        return
    try:
        program = initramfs.tree.resolve_program(init_path(node))
    except FormatError:
        return
    script, kernel = _interpreter(program), _kernel(node)
    if script:
        if kernel and kernel.option("BINFMT_SCRIPT") == "n":
            yield (
                f"/{program.name} is a script, but the kernel was built without CONFIG_BINFMT_SCRIPT",
                "build it with CONFIG_BINFMT_SCRIPT=y, or start a program with rdinit=",
            )
        try:
            program = initramfs.tree.resolve_program(script)
        except FormatError as error:
            yield f"/{program.name} is a script for {script}, but {error.message}", error.hint
            return
    found, machine = _machine(program), _kernel_machine(node)
    if found in MACHINES and machine and MACHINES[found] != machine:
        yield (
            f"/{program.name} is a program for {found}, the kernel is for {machine_name(machine)}",
            "make the initramfs of programs for the kernel's machine",
        )


def _interpreter(program: Entry) -> str:
    """Return what a script names after `#!`, "" for what is no script (fs/binfmt_script.c)."""
    line = bytes(program.data[:256]).partition(b"\n")[0]
    words = line[2:].split() if line.startswith(b"#!") else []
    return words[0].decode(errors="replace") if words else ""


def _machine(program: Entry) -> str:
    if bytes(program.data[:4]) != MAGIC:
        return ""
    try:
        return read_elf(program.data).machine
    except FormatError:
        return ""


def parameters_mean_something(node: Node) -> Iterator[Fault]:
    """Linux takes what it does not know for a variable of init's, and says nothing."""
    kernel, cmdline = _kernel(node), _cmdline(node)
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


RULES = (
    Rule(
        "UKI012",
        "the kernel can unpack the initramfs",
        kernel_unpacks_the_initramfs,
        spec="Linux, usr/Kconfig and lib/decompress.c",
        fix="Build the kernel with the option, or pack the initramfs as it can unpack it.",
    ),
    Rule(
        "UKI013",
        "what the kernel starts is in the initramfs",
        init_is_there,
        spec="Linux, init/main.c (kernel_init_freeable, ramdisk_execute_command)",
        fix="Put an executable /init into the initramfs, or name another with rdinit=.",
    ),
    Rule(
        "UKI014",
        "what the kernel starts can run on its machine",
        init_can_run_on_this_machine,
        spec="Linux, fs/binfmt_elf.c and fs/binfmt_script.c",
        fix="Build the initramfs for the kernel's machine, with the interpreter that its init names.",
    ),
    Rule(
        "UKI015",
        "the command line's parameters mean something to the kernel",
        parameters_mean_something,
        lenient=True,
        spec="Linux, Documentation/admin-guide/kernel-parameters.txt",
        fix="Build the kernel with the option, or leave the parameter out.",
    ),
)
