"""Compares two kernels, their command lines and sysctls with what people who harden Linux recommend.

Recommendations, and what is left of them and why, are data that the recipe names.
"""

import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import ConfigError
from pipeline.formats import kconfig
from pipeline.steps.runner import Context

HARDENING = "hardening.toml"
SYSCTL = "etc/sysctl.conf"
KINDS = ("options", "cmdline", "sysctl")

Wanted = str | bool | list[str]
"""A value; whether something is there; or, if it is there, one of these, of an option: all of its words."""


@dataclass(frozen=True)
class Judged:
    """What a recommendation came to: `state` is what the system has, None where it has nothing."""

    name: str
    source: str
    wanted: Wanted
    state: str | None
    followed: bool

    def __str__(self) -> str:
        has = "nothing" if self.state is None else repr(self.state)
        return f"{self.name}: {self.source} recommends {self.wanted!r}, the appliance has {has}"


def build(ctx: Context) -> None:
    """Write `hardening.txt`: how many recommendations the appliance follows, and what it leaves and why.

    Params: `kernels`, the names of the carrying image's and of the appliance's kernel, and `cmdline`, their
    command lines by these names. Inputs: the `kernel.off` of both as `NAME.off`, the configuration of the
    appliance's as `NAME.config`, its `rootfs`, and `hardening.toml`.
    Raises ConfigError for what is neither followed nor left with a reason, and for a reason that no longer
    has anything to excuse.
    """
    carrying, carried = ctx.params["kernels"]
    data = read(ctx.inputs[HARDENING].read_text(encoding="utf-8"), (carrying, carried))
    config = kconfig.parse(ctx.inputs[f"{carried}.config"].read_text(), f"{carried}.config")
    sysctl = ctx.inputs["rootfs"] / SYSCTL
    states = {
        "options": {option.name: option.value for option in config},
        "cmdline": parameters(ctx.params["cmdline"][carried]),
        "sysctl": settings(sysctl.read_text() if sysctl.exists() else ""),
    }
    judged = {kind: list(judge(kind, data[kind], states[kind])) for kind in KINDS}
    other = judge("cmdline", data["cmdline"], parameters(ctx.params["cmdline"][carrying]))
    off = {kernel: ctx.inputs[f"{kernel}.off"].read_text().split() for kernel in (carrying, carried)}
    # Somebody asked for less than what Linux does unasked.
    loose = (each for each in other if not each.followed and each.state is not None)
    mistakes = [
        *(line for kind in KINDS for line in unexcused(judged[kind], data["left"][kind], kind)),
        *(f"the {carrying} kernel's command line has {each.name}={each.state}" for each in loose),
        *(line for kernel in off for line in off_unexcused(kernel, off[kernel], data["left"]["defaults"])),
    ]
    if mistakes:
        raise ConfigError(mistakes, f"follow it, or give or take out a reason in {HARDENING}")
    (ctx.out / "hardening.txt").write_text(listing(judged, data["left"]), encoding="utf-8")


def read(text: str, kernels: Collection[str]) -> dict[str, Any]:
    """Return the file's tables. Raises ConfigError with all that is of another form."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{HARDENING}: {error}"], "") from error
    mistakes = [f"{HARDENING}: {key}: unknown key" for key in data if key not in (*KINDS, "left")]
    left = data.setdefault("left", {})
    for kind in KINDS:
        seen: dict[str, str] = {}
        for source, table in data.setdefault(kind, {}).items():
            for name in table:
                if name in seen:
                    mistakes.append(f"{HARDENING}: {kind}.{source}.{name}: stands in {seen[name]}, too")
                seen[name] = source
        mistakes += [
            f"{HARDENING}: left.{kind}.{name}: nobody recommends it"
            for name in left.setdefault(kind, {})
            if name not in seen
        ]
    defaults = left.setdefault("defaults", {})
    tables = {f"left.{kind}": left[kind] for kind in KINDS}
    for kernel in kernels:
        tables[f"left.defaults.{kernel}"] = defaults.setdefault(kernel, {})
    mistakes += [
        f"{HARDENING}: {place}.{name}: {reason!r} is not a reason"
        for place, table in tables.items()
        for name, reason in table.items()
        if not isinstance(reason, str) or not reason
    ]
    if mistakes:
        raise ConfigError(mistakes, 'write NAME = "what is wanted" or NAME = "reason"')
    return data


def parameters(cmdline: str) -> dict[str, str]:
    """Return a command line's parameters; of one that is given twice, the last value."""
    pairs = (word.partition("=") for word in cmdline.split())
    return {name: value for name, _, value in pairs}


def settings(text: str) -> dict[str, str]:
    """Return what a sysctl.conf(5) sets."""
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.partition("=") for line in lines if line and line[0] not in "#;")
    return {name.strip(): value.strip() for name, _, value in pairs}


def judge(
    kind: str, sources: Mapping[str, Mapping[str, Wanted]], state: Mapping[str, str]
) -> Iterator[Judged]:
    """Yield what each recommendation came to; an option that is nowhere is off."""
    for source, table in sources.items():
        for name, wanted in table.items():
            has = state.get(name, "n" if kind == "options" else None)
            match wanted:
                case bool():
                    followed = (has is not None) == wanted
                case list() if kind == "options":
                    followed = set(wanted) <= set((has or "").strip('"').split(","))
                case list():
                    followed = has is None or has in wanted
                case _:
                    followed = has == wanted
            yield Judged(name, source, wanted, has, followed)


def unexcused(judged: list[Judged], left: Mapping[str, str], kind: str) -> Iterator[str]:
    """Yield a sentence for each recommendation that is not followed or left, or both."""
    for each in judged:
        if not each.followed and each.name not in left:
            yield str(each)
        elif each.followed and each.name in left:
            yield f"{HARDENING}: left.{kind}.{each.name}: it is followed, and needs no reason"


def off_unexcused(kernel: str, off: list[str], left: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """Yield a sentence for each option that is off by accident, or whose reason excuses nothing."""
    for name in off:
        if name not in left[kernel]:
            yield f"the {kernel} kernel lacks CONFIG_{name}, which Linux turns on by default"
    for name in left[kernel]:
        if name not in off:
            yield f"{HARDENING}: left.defaults.{kernel}.{name}: it is not off, or not by default on"


def listing(judged: Mapping[str, list[Judged]], left: Mapping[str, Mapping[str, Any]]) -> str:
    """Return what people read."""
    lines = []
    for kind, recommendations in judged.items():
        followed = sum(each.followed for each in recommendations)
        lines.append(f"{kind}: {followed} of {len(recommendations)} recommendations are followed; left are:")
        lines += [
            f"  {each.name} ({each.source}): {left[kind][each.name]}"
            for each in recommendations
            if not each.followed
        ]
    for kernel, reasons in left["defaults"].items():
        lines.append(f"Off in the {kernel} kernel, though Linux turns it on by default:")
        lines += [f"  {name}: {why}" for name, why in sorted(reasons.items())]
    return "\n".join(lines) + "\n"
