"""`./doit boot`: what somebody wishes to look at, and what is kept of it."""

import hashlib
import shutil
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

from pipeline.boot import interactive
from pipeline.build.session import Session
from pipeline.cli import boot_inputs, boot_test, realise
from pipeline.cli.commands import judge_iso
from pipeline.errors import PipelineError
from pipeline.plan.step import Input, Source, Step
from pipeline.report import Line
from pipeline.reproduce.builds import before
from pipeline.sandbox.terminal import expect_terminal
from pipeline.store.files import explained
from pipeline.vm import disks, machine

FOLDER = "boot"
"""In an image's folder, that of the release: the disk and the firmware's variables that are kept."""

PORTS = range(interactive.VNC_PORT, interactive.VNC_PORT + 100)
DISPLAYS = ("none", "vnc")
NO_WINDOW = (
    "--display gtk: the QEMU in the container has no window of its own",
    "`--display vnc`, and a viewer such as GNOME Connections or TigerVNC",
)
SIZE_AT = slice(24, 32)
"""Of a qcow2's header: the bytes of the disk in it, big endian (QEMU, docs/interop/qcow2.rst)."""


@dataclass(frozen=True)
class Wish:
    """The options of `./doit boot`, as people give them."""

    image: str = ""
    way: str = ""
    accel: str = "auto"
    disk: str = ""
    keep: bool = False
    installed: bool = False
    display: str = "none"
    debug: bool = False  # the session knows

    @property
    def size(self) -> int:
        """The bytes of the disk, 0 for none. Raises PipelineError for what is no size."""
        return disks.size_of(self.disk) if self.disk else 0

    @property
    def keeps(self) -> bool:
        """Whether the machine's disk is kept: this time or an earlier one has asked for it."""
        return self.keep or self.installed

    def way_of(self, session: Session) -> machine.Way:
        """Return how the image is booted. Raises PipelineError for a way that is unknown, or not its."""
        image = boot_inputs.bootable(session, self.image)
        recipe = session.project.recipes[image]
        ways = (machine.WAYS if recipe.iso else {}) | (machine.OF_SYSTEMS if recipe.has_disk else {})
        ways |= machine.BY_BIOS if recipe.has_iso_for_bios else {}
        way = machine.way(self.way or next(iter(ways)))
        if way.name not in ways:
            what = "a disk" if way.of == machine.DISK else "an ISO with GRUB" if way.bios else "an ISO"
            raise PipelineError(
                f"--way {way.name} boots {what}, and {image} has none", f"choose from {', '.join(ways)}"
            )
        return way

    def judge(self, session: Session) -> None:
        """Raise PipelineError for options that are wrong, or do not go together, or lack a terminal."""
        image = boot_inputs.bootable(session, self.image)
        is_system = self.way_of(session).of == machine.DISK
        machine.accelerators(self.accel, kvm=True)
        if self.display == "gtk":
            raise PipelineError(*NO_WINDOW)
        if self.display not in DISPLAYS:
            raise PipelineError(f"{self.display!r} is not a display", f"choose from {', '.join(DISPLAYS)}")
        size = self.size
        others = {"--way": self.way, "--disk": self.disk, "--keep": self.keep, "--debug": session.debug}
        if self.installed and (given := [option for option, value in others.items() if value]):
            wrong = f"--installed starts the kept disk alone: {given[0]} does not go with it"
            raise PipelineError(wrong, "leave one of them out")
        if self.keep and not size:
            raise PipelineError("--keep keeps a disk: --disk is required with it", "add `--disk 20G`")
        if is_system and self.keeps:
            wrong = f"{'--keep' if self.keep else '--installed'} is about a disk that a medium installs to"
            raise PipelineError(
                f"{wrong}: what is written to a system's own is gone afterwards", "leave it out"
            )
        kept = _kept(session, image)
        if self.installed and kept is None:
            raise PipelineError(
                f"nothing is kept in {session.shown(_folder(session, image))}",
                "install first: `./doit boot --disk 20G --keep`",
            )
        if self.keep and kept is not None and size != (there := _size(kept)):
            raise PipelineError(
                f"{session.shown(kept)}: the disk that is kept has {there} bytes, not {size}",
                "give it the same size, remove it, or leave out --keep for one that is gone afterwards",
            )
        expect_terminal()


def _folder(session: Session, image: str) -> Path:
    return session.root / "artifacts" / image / FOLDER


def _kept(session: Session, image: str) -> Path | None:
    """Return the disk that is kept of an image, if there is one."""
    disk = _folder(session, image) / interactive.DISK
    return disk if disk.is_file() else None


def _size(disk: Path) -> int:
    """Return how many bytes the disk in a qcow2 image has."""
    with disk.open("rb") as file:
        return int(struct.unpack(">Q", file.read(SIZE_AT.stop)[SIZE_AT])[0])


def judge(session: Session, debug: bool, **options: object) -> None:
    """Raise PipelineError for options that are wrong, or do not go together."""
    judge_iso(debug=debug)
    Wish(**options).judge(session)  # type: ignore[arg-type]


def boot(session: Session, **options: object) -> bool:
    """Boot an image in this terminal, as `look_around` does; return whether QEMU ended well."""
    return look_around(session, Wish(**options)) == 0  # type: ignore[arg-type]


def look_around(session: Session, wish: Wish) -> int:
    """Boot an image with this terminal as its serial console; return QEMU's exit status.

    It is the first that has an ISO, or else a disk, where none is named.
    What its way of booting needs is made first, and nothing else. A disk that is kept has one machine at a
    time; the next one waits. Raises PipelineError as `judge` does, and StepError where that cannot be made.
    """
    if not wish.keeps:
        return _booted(session, wish)

    def waiting() -> None:
        session.report.print("another `./doit boot` has the kept disk; waiting for it to end")

    folder = _folder(session, boot_inputs.bootable(session, wish.image))
    name = hashlib.sha256(str(folder).encode()).hexdigest()
    with session.store.lock(f"boot-{name}", waiting):
        wish.judge(session)  # what is kept may be another one by now
        return _booted(session, wish)


def _booted(session: Session, wish: Wish) -> int:
    """Boot as `look_around` does."""
    image = boot_inputs.bootable(session, wish.image)
    steps, line = session.plans[image], Line("boot", session.report)
    way = "" if wish.installed else wish.way_of(session).name
    inputs: dict[str, Input] = {}
    if way:
        of = machine.way(way).of
        inputs[of] = boot_inputs.media(session, image)[of]
    size, kept = wish.size, _kept(session, image)
    if wish.keeps and kept:
        inputs |= {name: Source(_folder(session, image) / name) for name in interactive.KEPT}
        size = _size(kept)
    port = free_port() if wish.display == "vnc" else 0
    step = Step(
        name="boot",
        summary="Boot the image in a virtual machine.",
        container=boot_test.container(session),
        inputs=inputs,
        outputs=(),
        params={
            "way": way,
            "accel": boot_test.accelerator(session, image, wish.accel, line),
            "disk": wish.size,
            "keep": wish.keeps,
            "display": wish.display,
            "port": port,
        },
        run=interactive.run,
    )
    realise.realise(session, before(steps, [*step.needs()]) + step.needs())
    # A qcow2 image has tables besides, and what `savevm` in QEMU's monitor wrote.
    work = session.builder.work(step, line, device=boot_test.KVM, port=port, room=2 * size)
    status = 0
    with session.store.scratch() as out:
        try:
            status = session.builder.sandbox.attach(work, out)
        finally:
            if status == 0 or kept:  # a machine that never ran has an empty disk
                _keep(session, image, out)
    return status


def _keep(session: Session, image: str, out: Path) -> None:
    """Keep what a machine left, all of it or nothing: it is moved to where it may have to be copied."""
    folder = _folder(session, image)
    if not all((out / name).is_file() for name in interactive.KEPT):
        return
    with explained(folder, "write", cache=False):
        folder.mkdir(parents=True, exist_ok=True)
        for name in interactive.KEPT:
            shutil.move(out / name, folder / f".{name}")
        for name in interactive.KEPT:
            (folder / f".{name}").replace(folder / name)
    session.report.print(f"kept: {session.shown(folder)}; `./doit boot --installed` starts it")


def free_port() -> int:
    """Return a port of this machine's loopback on which nobody listens, for a display."""
    for port in PORTS:
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise PipelineError(f"all ports from {PORTS[0]} to {PORTS[-1]} are in use", "end another display")
