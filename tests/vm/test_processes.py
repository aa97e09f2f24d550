import asyncio
import os

import pytest

from pipeline.errors import PipelineError
from pipeline.vm.processes import running

SLEEP = ("sleep", "60")


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_process_ends_with_its_block() -> None:
    async def scene() -> int:
        async with running(SLEEP) as process:
            return process.pid

    assert is_gone(asyncio.run(scene()))


def test_a_process_ends_when_its_block_fails() -> None:
    pids = []

    async def scene() -> None:
        async with running(SLEEP) as process:
            pids.append(process.pid)
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - it is the block's own
        asyncio.run(scene())
    assert is_gone(pids[0])


def test_a_process_ends_when_its_block_is_cancelled() -> None:
    pids = []

    async def scene() -> None:
        async with asyncio.timeout(0.05), running(SLEEP) as process:
            pids.append(process.pid)
            await process.wait()

    with pytest.raises(TimeoutError):
        asyncio.run(scene())
    assert is_gone(pids[0])


def test_a_process_that_ended_by_itself() -> None:
    async def scene() -> tuple[bytes, int | None]:
        async with running(("sh", "-c", "echo $WORD"), env=os.environ | {"WORD": "said"}) as process:
            said, _ = await process.communicate()
        return said, process.returncode

    assert asyncio.run(scene()) == (b"said\n", 0)


def test_a_program_that_is_not_there() -> None:
    async def scene() -> None:
        async with running(("no-such-program",)):
            pass

    with pytest.raises(PipelineError) as caught:
        asyncio.run(scene())
    assert caught.value.message == "'no-such-program' is not installed"
