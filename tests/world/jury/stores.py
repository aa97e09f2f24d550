"""Machines that trust different people, by the name of their variable store."""

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.steps.runner import Context
from pipeline.vm import machine
from pipeline.vm.variables import MICROSOFT, OWNER


@dataclass(frozen=True)
class Store:
    """What is in a store, and whether Microsoft's keys are there before anything is written into it."""

    what: str
    microsoft: bool = False


STORES: Mapping[str, Store] = {
    "setup": Store("setup mode"),
    "off": Store("own keys, Secure Boot off"),
    "own": Store("own keys"),
    "ms": Store("Microsoft's keys", microsoft=True),
    "hashes": Store("digests of programs in db"),
    "dbx_signer": Store("own keys, and a signer's certificate in dbx"),
    "dbx_ca": Store("own keys, and an intermediate CA's certificate in dbx"),
    "dbx_tbs": Store("own keys, and digests of certificates in dbx"),
    "dbx_image": Store("own keys, and digests of programs in dbx"),
}
SETUP, LOADER = "setup", "loader.pem"


def fill(ctx: Context) -> None:
    """Write `NAME.fd` for each of `params.stores`; the inputs `NAME.json` say what is written into it.

    Where firmware has a PK, its db gets `loader.pem`, too, so that the program starts which loads others.
    """
    factory = machine.find_firmware().variables
    for name in ctx.params["stores"]:
        store = STORES[name]
        empty, made = (
            factory.with_name(MICROSOFT) if store.microsoft else factory,
            str(ctx.out / f"{name}.fd"),
        )
        words = ["--set-json", str(ctx.inputs[f"{name}.json"])]
        ctx.run(["virt-fw-vars", "--input", str(empty), "--output", made, *words])
        if name != SETUP:
            ctx.run(["virt-fw-vars", "--inplace", made, "--add-db", OWNER, str(ctx.inputs[LOADER])])
    (ctx.out / ctx.params["done"]).touch()
