"""A person at a system's serial console: what is typed there, and what a command says.

No password is in an image: who may log in comes with systemd's credentials, which firmware hands over as OEM
strings of SMBIOS (systemd.system-credentials(7)).
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pipeline.boot.stories import Lab, must
from pipeline.vm.machine import Machine
from pipeline.vm.session import Session
from pipeline.vm.stages import plain

PATIENCE = 900.0
"""Seconds for a login prompt: nothing says how fast the machine is."""

ROOT = {"agetty.autologin": "root", "login.noauth": "yes"}
"""Credentials for a console that is root's without a password."""


def with_credentials(lab: Lab, machine: Machine, credentials: Mapping[str, str]) -> Machine:
    """Return the machine, with credentials as its OEM strings."""
    paths: list[Path] = []
    for name, text in credentials.items():
        path = lab.work / f"credential-{name}"
        value = base64.b64encode(text.encode()).decode()
        path.write_text(f"io.systemd.credential.binary:{name}={value}", encoding="ascii")
        paths.append(path)
    return replace(machine, oem_strings=paths)


class Shell:
    """A shell at the serial console, which neither echoes nor edits."""

    def __init__(self, vm: Session, asked: int = 0) -> None:
        self.vm = vm
        self._asked = asked

    async def says(self, command: str, timeout: float = PATIENCE) -> str:
        """Return what a command says; raise NotSeenError unless it succeeds."""
        status, text = await self.run(command, timeout)
        must(status == 0, f"{command!r} ended with {status}: {text}")
        return text

    async def ends(self, command: str) -> str:
        """Return the last line that a command says: its result, after what it has told of its work."""
        return (await self.says(command)).splitlines()[-1]

    async def fails(self, command: str, *words: str) -> None:
        """Raise NotSeenError unless a command fails, and says these words."""
        status, text = await self.run(command)
        must(status != 0, f"{command!r} has succeeded: {text}")
        must(all(word in text for word in words), f"{command!r} says no {words}: {text}")

    async def become(self, user: str) -> "Shell":
        """Return a shell of another user, as after a login; what is left of this one ends with it."""
        await self.vm.write(f"exec su - {user} -c 'PS1= PS2= exec sh'\n".encode())
        return Shell(self.vm, self._asked)

    async def run(self, command: str, timeout: float = PATIENCE) -> tuple[int, str]:
        """Return the exit status of a command, and what it says on both outputs."""
        self._asked += 1
        end = re.compile(rf"@@{self._asked}:(\d+)@@")
        start = len(self.vm.terminal.history)
        line = f"{{ {command}\n}} 2>&1; printf '@@%s:%s@@\\n' {self._asked} $?\n"
        await self.vm.write(line.encode())
        heard = self.vm.terminal
        await self.vm.until(
            f"the end of {command!r}", lambda: bool(end.search(heard.history, start)), timeout
        )
        text, status = end.split(heard.history[start:], 1)[:2]
        return int(status), plain(text).strip()


async def shell_of_root(vm: Session, since: int = 0) -> Shell:
    """Wait for the shell that the credentials ROOT give, and return it.

    `since` is how much of the terminal's history does not count.
    """
    await vm.hear("automatic login", PATIENCE, since)
    return await plain_shell(vm, "# ")


async def plain_shell(vm: Session, prompt: str) -> Shell:
    """Wait for a shell's prompt, and return one that has none."""
    since = len(vm.terminal.history)
    await vm.hear(prompt, PATIENCE, since)
    await vm.write(b"exec sh -c 'stty -echo; export PS1= PS2=; echo RE''ADY; exec sh'\n")
    await vm.hear("READY", PATIENCE, since)
    return Shell(vm)


async def switch_off(vm: Session) -> None:
    """Press the power button, and wait until the machine has obeyed."""
    await vm.monitor.press_power_button()
    await vm.is_off(PATIENCE)
