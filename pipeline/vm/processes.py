"""No process outlives the block that started it."""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from pipeline.errors import PipelineError


def not_installed(program: str) -> PipelineError:
    """Return the error of a program that the boot container lacks."""
    hint = "add its package to containers/boot.toml and run `./doit lock boot`"
    return PipelineError(f"{program!r} is not installed", hint)


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
        raise not_installed(argv[0]) from None
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
