"""The control channel to a running QEMU: power, keys, screenshots, events.

QEMU Machine Protocol: https://www.qemu.org/docs/master/interop/qemu-qmp-ref.html
"""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from qemu.qmp import EventListener, Message, QMPClient, QMPError

from pipeline.errors import PipelineError
from pipeline.vm.machine import THROTTLE

KERNEL_ADDRESS = re.compile(r"\b[RE]IP=ffff[89a-f][0-9a-f]{11}\b")
"""An instruction pointer in the upper half of the address space: Linux lives there, firmware never does."""

PROCESSOR = re.compile(r"\b[RE]IP=([0-9a-f]+)\b.*?\bCPL=(\d).*?\bHLT=(\d)")
"""Where a processor is, its privilege level (0 is a kernel or firmware), and whether it waits."""

UNCORRECTED = 0b1011001 << 57
"""IA32_MCi_STATUS: valid, uncorrected, enabled, processor context corrupt (Intel SDM, volume 3, 17.3.2.2)."""
IN_PROGRESS = 0b101
"""IA32_MCG_STATUS: a machine check is in progress, at an instruction that could go on (17.3.1.2)."""

PATIENCE = 30.0  # seconds in which QEMU must greet


class MonitorError(PipelineError):
    """QEMU hung up, or refused what it was asked."""


class Monitor:
    """A machine's monitor. Every method raises MonitorError when QEMU hangs up or refuses."""

    def __init__(self, client: QMPClient, events: EventListener) -> None:
        self._client = client
        self._events = events

    async def _execute(self, command: str, **arguments: object) -> object:
        try:
            return await self._client.execute(command, arguments or None)
        except (QMPError, OSError, EOFError) as error:
            raise MonitorError(f"QEMU's monitor refused {command!r}: {error}") from error

    async def power_on(self) -> None:
        """Let the processors of a machine that was started with `-S` run."""
        await self._execute("cont")

    async def press(self, key: str) -> None:
        """Press and release a key, by its QKeyCode, on the machine's keyboard."""
        await self._execute("send-key", keys=[{"type": "qcode", "data": key}])

    async def screenshot(self, file: Path) -> None:
        """Write what the screen shows to `file` as a PNG."""
        await self._execute("screendump", filename=str(file), format="png")

    async def press_power_button(self) -> None:
        """Press the machine's power button."""
        await self._execute("system_powerdown")

    async def unplug(self, device: str) -> None:
        """Take a device away, at once where its bus allows that."""
        await self._execute("device_del", id=device)

    async def plug_in(self, node: str, serial: str) -> None:
        """Plug the disk `node` into its own USB controller."""
        names = {"id": f"usb-{node}", "bus": f"xhci-{node}.0", "drive": node, "serial": serial}
        await self._execute("device_add", driver="usb-storage", removable=True, **names)

    async def replace_image(self, node: str, image: Path) -> None:
        """Put the file `image` below the disk `node`, a raw one, in the place of whatever is there."""
        file = {"driver": "file", "node-name": f"{node}-image", "filename": str(image)}
        await self._execute("blockdev-add", **file)
        options = {"driver": "raw", "node-name": node, "file": f"{node}-image"}
        await self._execute("blockdev-reopen", options=[options])

    async def hang(self) -> None:
        """Have the disks of the group THROTTLE hand out a byte a second, from the next request on."""
        limits = {"bps-total": 1}
        await self._execute("qom-set", path=f"/objects/{THROTTLE}", property="limits", value=limits)

    async def resize(self, node: str, size: int) -> None:
        """Make the disk `node` as large as `size` bytes, of which the guest is told."""
        await self._execute("block_resize", **{"node-name": node, "size": size})

    async def _ask(self, line: str) -> str:
        """Return the answer of the monitor that is meant for people, of which QMP has only a part."""
        return str(await self._execute("human-monitor-command", **{"command-line": line}))

    async def in_kernel(self) -> bool:
        """Say whether the first processor executes kernel code right now; firmware lies at low addresses."""
        return bool(KERNEL_ADDRESS.search(await self._ask("info registers")))

    async def processors(self) -> str:
        """Return what each processor does right now, as people read it: all that a silent machine tells."""
        found = PROCESSOR.findall(await self._ask("info registers -a"))
        return ", ".join(
            f"{number} at {address} (ring {ring}{', halted' if halted == '1' else ''})"
            for number, (address, ring, halted) in enumerate(found)
        )

    async def machine_check(self) -> None:
        """Report an error that nobody can correct to the first processor, as failing hardware does."""
        await self._ask(f"mce 0 0 {UNCORRECTED:#x} {IN_PROGRESS:#x} 0 0")

    async def memory(self, start: int, size: int, file: Path) -> bytes:
        """Return `size` bytes of the machine's memory from address `start` on; they cross in `file`."""
        try:
            await self._execute("pmemsave", val=start, size=size, filename=str(file))
            return file.read_bytes()
        finally:
            file.unlink(missing_ok=True)

    def events(self) -> list[Message]:
        """Return the events since the last call: RESET, SHUTDOWN, STOP."""
        return self._events.clear()


@asynccontextmanager
async def attached(channel: socket.socket) -> AsyncIterator[Monitor]:
    """Greet QEMU at the other end of `channel` and listen for its events; hang up on leaving.

    Raises MonitorError when nobody answers, as when QEMU refused its command line.
    """
    client = QMPClient("boot")
    listener = EventListener(("RESET", "SHUTDOWN", "STOP"))
    client.register_listener(listener)
    try:
        async with asyncio.timeout(PATIENCE):
            await client.connect(channel)
    except TimeoutError:
        raise MonitorError(f"QEMU does not answer on its monitor: no greeting within {PATIENCE} s") from None
    except (QMPError, OSError, EOFError) as error:
        raise MonitorError(f"QEMU does not answer on its monitor: {error}") from error
    try:
        yield Monitor(client, listener)
    finally:
        # A QEMU that is gone already has hung up first, which is no news here.
        with suppress(QMPError, OSError, EOFError):
            await client.disconnect()
