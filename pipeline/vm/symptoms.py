"""What is known about failed boots: what shows on serial, on the screen or in QEMU's own words, and why.

Pure text in, causes out. Patterns allow for what OCR takes one letter for another of (V and U, 0 and O),
because a machine may fail on its screen alone.
"""

import re
from dataclasses import dataclass

from pipeline.vm.stages import Stage


@dataclass(frozen=True)
class Cause:
    """Why a boot failed, in one sentence, and what to do.

    It shows as `pattern` in a machine's output, "" where output does not tell. When it is `final`, nothing
    good can follow. What is `of_firmware` explains nothing once a kernel runs: firmware tries one entry after
    another.
    """

    sentence: str
    hint: str
    pattern: str = ""
    final: bool = True
    of_firmware: bool = False


CHECK_ISO = "run `./doit inspect` on the ISO: it names the record that is wrong"

KVM_BROKEN = Cause(
    "KVM on this machine opens, but cannot run this virtual machine.",
    "boot without it: `--accel tcg`",
    r"KVM internal error|failed to set MSR|failed to initialize kvm|Could not access KVM",
)

SYMPTOMS = (
    Cause(
        "QEMU was given a firmware file that does not exist: the names differ between distributions.",
        "Debian calls them OVMF_CODE_4M.fd and OVMF_VARS_4M.fd",
        r"Could not open '?\S*OVMF",
    ),
    Cause(
        "QEMU wanted to open a window where there is no desktop.",
        "start QEMU with `-display none` and look at the machine through screenshots",
        r"gtk initialization failed|Could not initialize SDL",
    ),
    KVM_BROKEN,
    Cause(
        "The disk of the machine that runs QEMU is full.",
        "make room and start again",
        r"No space left on device",
    ),
    Cause(
        "BOOTX64.EFI is an EFI stub without a kernel in it, not a finished UKI.",
        "check what ukify was given as --linux",
        r"find_sections: Image lacks (\S+) section",
        final=False,
        of_firmware=True,
    ),
    Cause(
        "Secure Boot refused BOOTX64.EFI, which is not signed.",
        "switch Secure Boot off in the firmware's setup",
        r"BdsDxe: failed to load Boot\w+ \"(?!EFI Internal)[^\"]*\".*: (?:Access Denied|Security Violation)",
        final=False,
        of_firmware=True,
    ),
    Cause(
        "The firmware sees the medium but no FAT file system on it (BLK0: and no FS0:): El Torito's EFI"
        " entry points at a PE file instead of a FAT image, or the GPT has no EFI system partition.",
        CHECK_ISO,
        r"Mapping table(?:(?!FS\d+:)[\s\S])*BLK0:(?:(?!FS\d+:)[\s\S])*(?:Press ESC|Shell>)",
    ),
    Cause(
        "The firmware found no EFI/BOOT/BOOTX64.EFI on the medium: El Torito's EFI entry and the EFI"
        " system partition must each be a FAT image that holds it.",
        CHECK_ISO,
        r"BdsDxe: failed to load Boot\w+ \"(?!EFI Internal)[^\"]*\".*: Not Found",
        final=False,
        of_firmware=True,
    ),
    Cause(
        "BOOTX64.EFI was started and gave control back to the firmware: the kernel in it has no EFI stub,"
        " or is no kernel.",
        "build the kernel with CONFIG_EFI_STUB=y; `./doit inspect` says whether one has it",
        r"BdsDxe: starting Boot\w+ \"(?!EFI Internal)[^\"]*\"[\s\S]*BdsDxe: (?:failed to start|loading) Boot",
        final=False,
        of_firmware=True,
    ),
    Cause(
        "The firmware fell back to its UEFI shell: it found nothing that it could boot on the medium.",
        CHECK_ISO,
        r"Press ESC in \d+ seconds|Shell> ?$",
    ),
    Cause(
        "The firmware went on to boot from the network or gave up: the medium has nothing to boot.",
        CHECK_ISO,
        r"Start (?:PXE|HTTP Boot) over IPv|PXE-E\d\d|No bootable option or device was found",
    ),
    Cause(
        "Linux could not unpack the initramfs: it is cut off, or packed in a way the kernel cannot read.",
        "build the kernel with CONFIG_RD_ZSTD=y; the checks of `./doit iso` unpack the initramfs",
        r"[Ii]nitramfs unpacking failed",
        final=False,
    ),
    Cause(
        "The program that rdinit= names is not in the initramfs.",
        "compare rdinit= in the recipe's cmdline with what the initramfs holds",
        r"check access for rdinit=\S+ failed",
        final=False,
    ),
    Cause(
        "Linux could not start init: the file that rdinit= names is for another CPU, not executable, or"
        " needs a missing library.",
        "check rdinit= in the recipe's cmdline, and that BusyBox is static and for x86-64",
        r"Failed to execute \S+ \(error -\d+\)|No working init found",
        final=False,
    ),
    Cause(
        "Linux looked for a root file system on a disk: rdinit= is not on the command line or names"
        " nothing, or the initramfs was not taken.",
        "put rdinit=/sbin/init on the recipe's cmdline, and give ukify the initramfs as --initrd",
        r"[VUY]FS: Unable to mount r[o0][o0]t fs|Cannot open root device",
    ),
    Cause(
        "PID 1 ended, and Linux cannot live without it: the installer or a script runs as init.",
        "let rdinit= name BusyBox's init and have /etc/inittab start the installer",
        r"Attempted to kill init",
    ),
    Cause(
        "The machine has too little memory for the initramfs.",
        "make the initramfs smaller",
        r"System is deadlocked on memory|Out of memory and no killable processes",
    ),
    Cause(
        "The virtual machine's timer ticked too late for Linux, which is emulation on a busy computer.",
        "start it again while less else runs here, or with KVM, where Linux does not look",
        r"IO-APIC \+ timer doesn't work",
    ),
    Cause(
        "Linux panicked; its last lines say where.",
        "read the lines around `Kernel panic` in serial.log or kernel.log",
        r"Kernel panic",
    ),
    Cause(
        "systemd ended in emergency mode: a mount or a unit that the system cannot do without failed.",
        "the lines of serial.log with TIME or FAILED name it; a device that comes too late on a busy machine"
        " needs x-systemd.device-timeout=5min in /etc/fstab",
        r"^You are in emergency mode",
    ),
    Cause(
        "The installer crashed: a Rust panic.",
        "read the lines after `panicked at`: file, line and message",
        r"thread '[^']+' (?:\(\d+\) )?panicked at",
    ),
    Cause(
        "The installer starts over and over: it exits, and `respawn` in /etc/inittab starts it again.",
        "read what the installer says before it exits; only exit status 0 means that the user left",
        r"(?:process '[^']*' \(pid \d+\) exited\. Scheduling for restart\.[\s\S]*){3}"
        r"|^([\w-]*installer: .+)$(?:[\s\S]*?^\1$){2}",
    ),
)

STUCK = {
    Stage.POWER: Cause(
        "The firmware never wrote to the serial console.",
        "check that the firmware is OVMF for x86-64 and that this machine is not overloaded",
    ),
    Stage.FIRMWARE: Cause("The firmware started nothing from the medium.", CHECK_ISO),
    Stage.LOADER: Cause(
        "BOOTX64.EFI was started, but no Linux kernel ran: the kernel in it has no EFI stub or is for"
        " another CPU.",
        "build the kernel with CONFIG_EFI_STUB=y; `./doit inspect` says whether one has it",
    ),
    Stage.KERNEL: Cause(
        "Linux runs, but neither init nor the installer reached the serial console: console=ttyS0 is not on"
        " the command line, the kernel has no 8250 serial driver, or init hangs.",
        "add console=ttyS0,115200 to the recipe's cmdline; remove `quiet` to see where it stops",
    ),
    Stage.INIT: Cause(
        "init runs, but the program never greeted: neither /etc/inittab nor a unit starts it, or it cannot.",
        "check the line of /etc/inittab that starts it, or the unit of a system",
    ),
    Stage.SERIAL: Cause(
        "The installer greeted on serial but not on the screen: it found no DRM device and no /dev/fb0, or"
        " draws on one that is not the screen.",
        "check the kernel's drivers for simpledrm, bochs and virtio-gpu, and look at the screenshot",
    ),
    Stage.SCREEN: Cause(
        "The key was pressed and the machine did not reboot: the kernel lacks the keyboard's driver, or the"
        " installer left without BusyBox init rebooting.",
        "check the kernel's keyboard drivers and the restart line in /etc/inittab",
    ),
}

RESET = Cause(
    "The machine reset by itself: the kernel crashed early (a triple fault), or rebooted after a panic.",
    "remove `quiet` and any panic= from the recipe's cmdline to see what comes before",
)
OFF = Cause(
    "The virtual machine ended by itself.",
    "read what QEMU says above; the guest may also have powered off instead of rebooting",
)


def find(text: str, stage: Stage = Stage.POWER) -> tuple[Cause, ...]:
    """Return the symptoms that show in `text` (serial, screen or QEMU's messages), best cause first.

    `stage` is the furthest one that the machine reached.
    """
    possible = (cause for cause in SYMPTOMS if not (cause.of_firmware and stage >= Stage.KERNEL))
    return tuple(cause for cause in possible if re.search(cause.pattern, text, re.MULTILINE))
