"""The story that proves the product: it installs, and what was installed starts its service."""

from dataclasses import replace

from acceptance.installation import comes_first, install
from pipeline.boot import stories
from pipeline.boot.stories import Lab, Story, must
from pipeline.steps.runner import Context


async def installs(lab: Lab) -> None:
    """Install from an answer file, then start the disk without the medium, and ask the service how it is."""
    disk = lab.disk()
    await install(lab, disk)
    comes_first(lab)
    machine = lab.machine(replace(disk, turn=None), fresh=False, network=True)
    machine = replace(machine, service_port=9090)
    async with lab.start(machine, "boot") as vm:
        status, said = await vm.get("/")
        must((status, said) == (200, "ok\n"), f"the service answers {status}: {said!r}")
        await vm.shows("appliance", "Vault", ":9090")  # the reader of screens takes an M for an H


STORIES: dict[str, Story] = {"installs": installs}


def run(ctx: Context) -> None:
    """Play some of the stories."""
    stories.run(ctx, STORIES)
