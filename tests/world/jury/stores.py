"""Machines that trust different people, by the name of their variable store."""

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.steps.runner import Context
from pipeline.vm import machine
from pipeline.vm.variables import MICROSOFT


@dataclass(frozen=True)
class Store:
    """What is in a store, and whether Microsoft's keys are there before anything is written into it."""

    what: str
    microsoft: bool = False


STORES: Mapping[str, Store] = {
    "own": Store("own keys"),
    "dbx": Store("own keys, and a dbx"),
    "setup": Store("setup mode"),
    "off": Store("own keys, Secure Boot off"),
    "ms": Store("Microsoft's keys", microsoft=True),
    "mok": Store("Microsoft's keys, and a MOK", microsoft=True),
    "mokx": Store("Microsoft's keys, a MOK, and MokListX", microsoft=True),
    "sbat": Store("Microsoft's keys, a MOK, and an SbatLevel", microsoft=True),
}


def fill(ctx: Context) -> None:
    """Write `NAME.fd` for each of `params.stores`; the inputs `NAME.json` say what is written into it."""
    factory = machine.find_firmware().variables
    for name in ctx.params["stores"]:
        store = STORES[name]
        empty = factory.with_name(MICROSOFT) if store.microsoft else factory
        words = ["--set-json", str(ctx.inputs[f"{name}.json"])]
        ctx.run(["virt-fw-vars", "--input", str(empty), "--output", str(ctx.out / f"{name}.fd"), *words])
    (ctx.out / ctx.params["done"]).touch()
