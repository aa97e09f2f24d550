"""No process outlives the block that started it."""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from pipeline.errors import PipelineError


@asynccontextmanager
async def running(
    argv: Sequence[str],
    *,
    fds: Sequence[int] = (),
    env: Mapping[str, str] | None = None,
    interactive: bool = False,
) -> AsyncIterator[Process]:
    """Run `argv` with both outputs as pipes and the descriptors `fds` inherited; kill it on leaving.

    An `interactive` one can be written to; all others have nothing to read.

    Raises PipelineError when the program is not installed.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=PIPE if interactive else DEVNULL, stdout=PIPE, stderr=PIPE, pass_fds=fds, env=env
        )
    except FileNotFoundError:
        raise PipelineError(
            f"{argv[0]!r} is not installed",
            "add its package to containers/boot.toml and run `./doit lock boot`",
        ) from None
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
