"""Owns which stories of installations are run, and what is said of them.

A step's `run`, in the boot container. Must not know what happens in a story.
"""

import asyncio
import json
import os
import shutil
import threading
import time
import traceback
from collections.abc import Awaitable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.acceptance.lab import Stage
from pipeline.acceptance.scenarios import STORIES
from pipeline.errors import PipelineError
from pipeline.steps.runner import Context
from pipeline.vm import machine
from pipeline.vm.session import NotSeenError

LIMIT = 1800.0  # seconds for one story: fifty power cuts take some minutes
MOST_AT_ONCE = 4  # stories: a machine takes 1.5 GiB
PORT = 18080  # of the container's loopback, and those behind it


@dataclass(frozen=True)
class Verdict:
    """How a story went; `failure` is empty when it held."""

    name: str
    seconds: float
    times: dict[str, float]
    failure: str


def tell(name: str, stage: Stage) -> Verdict:
    """Session one story and say how it went; its disks are gone afterwards."""
    started = time.monotonic()
    failure = ""
    try:
        asyncio.run(_within(LIMIT, STORIES[name](stage)))
    except TimeoutError as error:  # an OSError, too
        failure = "\n".join([f"it did not come to its end within {LIMIT:.0f} s", *_notes(error.__cause__)])
    except (NotSeenError, PipelineError, OSError) as error:
        failure = str(error)
    except Exception as error:
        failure = "".join(traceback.format_exception(error)).strip()
    verdict = Verdict(name, time.monotonic() - started, stage.times, failure)
    record = {
        "story": name,
        "seconds": round(verdict.seconds, 1),
        "times": stage.times,
        "seed": stage.seed,
        "failure": failure,
    }
    (stage.out / "result.json").write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n")
    with suppress(OSError):
        shutil.rmtree(stage.work)
    stage.note(f"install {name}: {'FAILED' if failure else 'ok'} {verdict.seconds:.1f} s")
    return verdict


def _notes(error: BaseException | None) -> list[str]:
    return getattr(error, "__notes__", [])


async def _within(seconds: float, story: Awaitable[None]) -> None:
    async with asyncio.timeout(seconds):
        await story


def stages(ctx: Context, accel: str) -> Iterator[tuple[str, Stage]]:
    """Yield each story's name, and where it happens: a folder and a port of its own."""
    firmware = machine.find_firmware()
    installer = ctx.work / "truthdb-installer"
    shutil.copyfile(ctx.inputs["installer"], installer)
    installer.chmod(0o755)
    speaking = threading.Lock()

    def note(text: str) -> None:
        with speaking:
            ctx.note(text)

    for number, name in enumerate(ctx.params["stories"]):
        out, work = ctx.out / name, ctx.work / name
        for folder in (out, work):
            folder.mkdir(parents=True)
        yield (
            name,
            Stage(
                iso=ctx.inputs["iso"],
                installer=installer,
                payload=ctx.inputs["payload"],
                version=ctx.params["version"],
                note=note,
                firmware=firmware,
                accel=accel,
                out=out,
                work=work,
                port=PORT + number,
                seed=ctx.params["seed"],
            ),
        )


def tell_all(ctx: Context, accel: str) -> list[Verdict]:
    """Session the stories, as many at a time as there are processors: most of their time they wait."""
    at_once = min(MOST_AT_ONCE, os.cpu_count() or 1)
    with ThreadPoolExecutor(at_once) as pool:
        told = [pool.submit(tell, name, stage) for name, stage in stages(ctx, accel)]
    return [one.result() for one in told]


def run(ctx: Context) -> None:
    """Session the stories `params.stories` with the ISO in `inputs.iso`, made of `inputs.installer`
    and `inputs.payload`, the appliance's UKI.

    Parameters: `accel` (auto, kvm or tcg), `version` (of the product), `seed` (of what is left to chance),
    `folder` (what the user calls the output folder). Writes `<story>/` with result.json, and for each run
    of a machine serial.log and pictures. Raises PipelineError when a story does not hold.
    """
    accel = machine.accelerators(ctx.params["accel"], kvm=machine.can_open_kvm())[-1]
    verdicts = tell_all(ctx, accel)
    failed = [verdict for verdict in verdicts if verdict.failure]
    if failed:
        said = "\n".join(f"{one.name}: {one.failure}" for one in failed)
        hint = f"logs and pictures: {Path(ctx.params['folder'])}/{failed[0].name}"
        raise PipelineError(said, hint)
