"""What a service may do of what it should not: in the running appliance, a probe in its place tries it.

The probe is `programs/appliance/src/bin/probe.rs`; docs/hardening.md says what stops each attempt.
"""

from acceptance.images import ready_made
from pipeline.boot.stories import INITRAMFS, VMLINUZ, Lab, Story
from pipeline.vm.machine import Machine

APPEND = "rdinit=/sbin/init console=ttyS0,115200 quiet loglevel=3 no_timer_check panic=10 truthdb.log=info"

ATTEMPTS = {
    "write own": "ok",
    "write /tmp": "ok",
    "write /etc": "EROFS",
    "write /run": "EROFS",
    "write metadata": "EACCES",
    "read /bin/busybox": "EACCES",
    "read firmware": "EACCES",
    "read init": "ENOENT",
    "open memory": "ENOENT",
    "open disks": "ENOENT",
    "tune kernel": "EROFS",
    "start shell": "EACCES",
    "start busybox": "EACCES",
    "start from memory": "EACCES",
    "listen elsewhere": "EACCES",
    "signal init": "EPERM",
    "become root": "EPERM",
    "mount": "EPERM",
    "unshare": "EPERM",
    "trace": "EPERM",
    "load bpf": "EPERM",
    "watch others": "EPERM",
    "keys": "EPERM",
    "set clock": "EPERM",
    "raw socket": "EPERM",
    "unknown call": "ENOSYS",
}
"""How each attempt of the probe ends."""

ENDS = (
    "wanted more memory than the",
    "was ended by SIGSYS: it made a system call that no service may",
    "service: threads: 409",  # of 4096, which the probe itself counts among
)
"""What is said of the three times it is started: it takes all memory, ends the machine, starts threads."""


async def is_confined(lab: Lab) -> None:
    """Each attempt fails as it should, whatever ends the service is said, and the button ends the machine."""
    machine = Machine(
        (ready_made(lab, "virtio-blk"),),
        code=None,
        variables=lab.variables,
        accel=lab.accel,
        kernel=lab.inputs[VMLINUZ],
        initrd=lab.inputs[INITRAMFS],
        append=APPEND,
    )
    async with lab.start(machine, "probe") as vm:
        await vm.hear("service: unknown call:")
        for what, how in ATTEMPTS.items():
            await vm.hear(f"service: {what}: {how}")
        for said in ENDS:
            await vm.hear(said)
        await vm.switch_off()


HARDENED: dict[str, Story] = {"hardened": is_confined}
