"""Stories that a recipe tells in rows: what is waited for, typed and pressed, without a line of code."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipeline.boot import stories
from pipeline.boot.stories import Lab, Story
from pipeline.steps.runner import Context
from pipeline.vm import machine
from pipeline.vm.machine import Disk, Machine
from pipeline.vm.session import NotSeenError, Session
from pipeline.vm.stages import plain

Row = Mapping[str, Any]
"""A row of a recipe's `acceptance.play` (`pipeline/project/recipe.py` has its schema)."""


async def act(vm: Session, rows: Sequence[Row]) -> None:
    """Do what the rows say, one after the other. Raises NotSeenError that says at which one it ended."""
    since = 0
    for number, row in enumerate(rows, start=1):
        try:
            since = await _do(vm, row, f"row-{number}", since)
        except NotSeenError as error:
            raise NotSeenError(f"row {number}: {error}", error.cause) from error


async def _do(vm: Session, row: Row, name: str, since: int) -> int:
    """Do what one row says; return from where on what the serial line says counts."""
    given = {
        what: value for what, value in row.items() if value not in (None, False, [], 0) and what != "seconds"
    }
    ((what, value),) = given.items()
    seconds, before = row["seconds"], len(vm.terminal.history)
    match what:
        case "sees":
            await vm.until(repr(value), lambda: value in plain(vm.terminal.history[since:]), seconds)
            return since
        case "shows":
            await vm.shows(name, *value.split(), timeout=seconds)
            return since
        case "resets":
            await vm.resets(seconds)
        case "off":
            await vm.is_off(seconds)
        case "waits":
            await asyncio.sleep(value)
            return since
        case "line":
            await vm.write(value.encode() + b"\r")
        case "types":
            for character in value:
                await vm.press(character, on_screen=True)
        case "presses":
            for key in value:
                await vm.press(key, on_screen=True)
    return before


def story(play: Mapping[str, Any]) -> Story:
    """Return the story of a recipe's play; `disk` is in bytes here, 0 for none, or as large as it is."""

    async def told(lab: Lab) -> None:
        way, size = machine.way(play["way"]), play["disk"]
        if way.of == machine.DISK:
            target, media = [lab.system(way.bus, size=size)], list[Disk]()
        else:
            target, media = [lab.disk(size=size)] if size else [], [lab.medium(way.bus)]

        def board(booting: Machine) -> Machine:
            code = None if way.bios else booting.code
            return replace(booting, code=code, keyboard=way.keyboard, screen=way.screen)

        async with lab.start(board(lab.machine(*target, *media))) as vm:
            await act(vm, play["rows"])
        if play["then"]:
            async with lab.start(board(lab.machine(*target, fresh=False)), "boot") as vm:
                await act(vm, play["then"])

    return told


def run(ctx: Context) -> None:
    """Play some of the stories in `params.plays`, by name, as `stories.run` says."""
    stories.run(ctx, {name: story(play) for name, play in ctx.params["plays"].items()})
