"""The stories of a small system that updates itself: its recipe's package. The console is root's."""

import re
from dataclasses import replace

from pipeline.boot import stories, updating
from pipeline.boot.stories import Lab, Story, must
from pipeline.steps.runner import Context
from pipeline.vm.machine import Machine
from pipeline.vm.session import Session
from pipeline.vm.stages import plain

PATIENT = (
    "io.systemd.stub.kernel-cmdline-extra=no_timer_check audit=0 "
    "systemd.default_device_timeout_sec=900 systemd.default_timeout_start_sec=900"
)
"""What a stub adds to the command line (systemd-stub(7)): a busy one emulates timers too late."""


class Shell:
    """A shell that neither echoes nor edits."""

    def __init__(self, vm: Session) -> None:
        self.vm, self.asked = vm, 0

    async def run(self, command: str) -> tuple[int, str]:
        self.asked += 1
        end, heard = re.compile(rf"@@{self.asked}:(\d+)@@"), self.vm.terminal
        start = len(heard.history)
        await self.vm.write(f"{{ {command}\n}} 2>&1; printf '@@%s:%s@@\\n' {self.asked} $?\n".encode())
        await self.vm.until(
            f"the end of {command!r}", lambda: bool(end.search(heard.history, start)), updating.PATIENCE
        )
        found = end.search(heard.history, start)
        assert found
        return int(found[1]), plain(heard.history[start : found.start()]).strip()

    async def says(self, command: str) -> str:
        status, text = await self.run(command)
        must(status == 0, f"{command!r} ended with {status}: {text}")
        return text


async def shell(vm: Session) -> Shell:
    """Wait for root's prompt, and make it a plain one."""
    await vm.hear("automatic login", timeout=updating.PATIENCE)
    since = len(vm.terminal.history)
    await vm.hear("# ", since=since)
    await vm.write(b"exec sh -c 'stty -echo; export PS1= PS2=; echo RE''ADY; exec sh'\n")
    await vm.hear("READY", since=since)
    return Shell(vm)


def host(lab: Lab) -> updating.Host:
    """Return the system, on patient machines."""
    extra = lab.work / "cmdline"
    extra.write_text(PATIENT, encoding="ascii")

    def dress(machine: Machine) -> Machine:
        return replace(machine, oem_strings=(extra,))

    return updating.Host(lab, "updatable", shell, dress)


async def updates(lab: Lab) -> None:
    await updating.updates(host(lab))


async def falls_back(lab: Lab) -> None:
    await updating.falls_back(host(lab))


STORIES: dict[str, Story] = {"updates": updates, "falls-back": falls_back}


def run(ctx: Context) -> None:
    stories.run(ctx, STORIES)
