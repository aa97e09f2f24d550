"""The stories of a small system that updates itself: its recipe's package. The console is root's."""

import re

from pipeline.boot import stories, updating
from pipeline.boot.stories import Lab, Story, must
from pipeline.steps.runner import Context
from pipeline.vm.session import Session
from pipeline.vm.stages import plain


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


async def updates(lab: Lab) -> None:
    await updating.updates(updating.Host(lab, "updatable", shell))


async def falls_back(lab: Lab) -> None:
    await updating.falls_back(updating.Host(lab, "updatable", shell))


STORIES: dict[str, Story] = {"updates": updates, "falls-back": falls_back}


def run(ctx: Context) -> None:
    stories.run(ctx, STORIES)
