"""Makes a Linux kernel's configuration out of fragments, or out of somebody's whole `.config`."""

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError
from pipeline.formats import kconfig, kconfig_menu
from pipeline.formats.kconfig import Option
from pipeline.steps.kernel import make, unpack
from pipeline.steps.runner import Context

CONFIG, OFF = "kernel.config", "kernel.off"
GUARDED = re.compile("secur|mitigat|harden", re.IGNORECASE)
"""Titles of the menus in which no option may be off by accident."""

KCONFIG = ("Makefile", "Kbuild", "Kconfig", "*/Kconfig*", "scripts/*", "arch/x86/Makefile*")
"""All that `conf` and its makefiles read."""

PROBE = "\nconfig ASKED_FOR_BY_FRAGMENTS\n\tdef_bool y\n"


def build(ctx: Context) -> None:
    """Write `kernel.config`, and `kernel.off`: what guards the system by default and is off, one name a line.

    Inputs: a `<name>.config` for each of `params.fragments`, in which order does not matter, or the file
    `params.config`. Params besides: `source` (name of the archive in /usr/src, without .tar.xz),
    `localversion` (what the release ends in).
    Raises ConfigError for fragments that are malformed, contradict each other, or ask for what Kconfig
    does not give. In a whole `.config` all that is what Linux makes of it, and is noted.
    """
    own = Option("LOCALVERSION", f'"{ctx.params["localversion"]}"', "the step's localversion")
    asked = [] if ctx.params["config"] else read_fragments(ctx.inputs, ctx.params, own)
    source = unpack(ctx, *KCONFIG)
    if ctx.params["config"]:
        complete(ctx, source, own)
    else:
        configure(ctx, source, asked)
    shutil.copyfile(source / ".config", ctx.out / CONFIG)
    (ctx.out / OFF).write_text("".join(f"{name}\n" for name in off_by_accident(ctx, source)))


def read_fragments(inputs: Mapping[str, Path], params: Mapping[str, Any], own: Option) -> list[Option]:
    """Return the options that the step's fragments ask for, and `own`."""
    files = [f"{name}.config" for name in params["fragments"]]
    fragments = [kconfig.parse(inputs[file].read_text(), file) for file in files]
    return kconfig.merge([*fragments, [own]])


def complete(ctx: Context, source: Path, own: Option) -> None:
    """Write `.config`: somebody's whole one, as Linux reads it, with `own` as its last line.

    What people may not expect is noted: options that are given twice, that this kernel does not know or
    does not give, and modules, which nobody builds here. Raises ConfigError for an initramfs inside.
    """
    name: str = ctx.params["config"]
    whole = ctx.inputs[name].read_bytes()
    given = kconfig.read_whole(whole.decode(errors="replace"), name)
    embedded = given.options.get("INITRAMFS_SOURCE")
    if embedded is not None and embedded.value.strip('"'):
        raise ConfigError(
            [f"{embedded.place}: {embedded}: the kernel would embed an initramfs; the UKI brings one"],
            'write CONFIG_INITRAMFS_SOURCE=""',
        )
    (source / ".config").write_bytes(whole + f"\n{own}\n".encode())
    ctx.run(make("olddefconfig"), cwd=source)
    values = read_config(source)
    asked = [option for option in given.options.values() if option.name != own.name]
    dropped = kconfig.dropped(asked, values)
    otherwise = [f"{option} ({values.get(option.name, 'not there')})" for option in dropped]
    modules = [f"CONFIG_{option}" for option, value in values.items() if value == "m"]
    for text in given.notes:
        ctx.note(text)
    if otherwise:
        ctx.note(f"{name}: this kernel does not know, or gives otherwise: {', '.join(otherwise)}")
    if modules:
        ctx.note(f"{name}: modules are not built, so the kernel goes without: {', '.join(modules)}")


def configure(ctx: Context, source: Path, asked: Sequence[Option]) -> None:
    """Write `.config`: what is asked for, and off whatever can be off.

    Raises ConfigError that lists every option that did not come out as asked, with the reason.
    """
    fragment = ctx.work / "asked.config"
    fragment.write_text(kconfig.render(asked))
    ctx.run(make("allnoconfig"), env={"KCONFIG_ALLCONFIG": str(fragment)}, cwd=source)
    values = read_config(source)
    dropped = kconfig.dropped(asked, values)
    if dropped:
        reasons = find_unmet(ctx, source, [option.name for option in dropped])
        raise ConfigError(
            [describe(option, values.get(option.name), reasons.get(option.name)) for option in dropped],
            "ask for what is missing in a fragment too, or take the option out",
        )


def find_unmet(ctx: Context, source: Path, names: Sequence[str]) -> dict[str, kconfig.Unmet]:
    """Return the unmet dependencies of options, by option.

    Kconfig is asked: one more option that selects them all makes `conf` warn about each whose
    dependencies do not hold. Those that depend on one another hold while all are selected, so what has
    been explained is left out, until a round explains nothing.
    """
    found: dict[str, kconfig.Unmet] = {}
    remaining = list(names)
    while remaining:
        selects = "".join(f"\tselect {name}\n" for name in remaining)
        (ctx.work / "Kconfig.probe").write_text((source / "Kconfig").read_text() + PROBE + selects)
        shutil.copyfile(source / ".config", ctx.work / "probe.config")
        log = ctx.run(
            make("olddefconfig"),
            env={
                "KBUILD_KCONFIG": str(ctx.work / "Kconfig.probe"),
                "KCONFIG_CONFIG": str(ctx.work / "probe.config"),
            },
            cwd=source,
        )
        explained = {name: reason for name, reason in kconfig.unmet(log).items() if name in remaining}
        if not explained:
            break
        found |= explained
        remaining = [name for name in remaining if name not in explained]
    return found


def describe(option: Option, value: str | None, unmet: kconfig.Unmet | None) -> str:
    """Return the sentence that says why `option` came out as `value`; None is: not in `.config`."""
    lost = f"{option.place}: {option} was dropped"
    if unmet:
        missing = f"; missing: {', '.join(unmet.missing)}" if unmet.missing else ""
        return f"{lost}: it depends on {unmet.expression}{missing}"
    if value is None:
        return f"{lost}: this kernel has no such option, or none that a fragment can set"
    return f"{lost}: a choice, a range or an option that selects it makes it {value}"


def read_config(source: Path) -> dict[str, str]:
    """Return the values that `conf` left in `.config`, by option."""
    text = (source / ".config").read_text()
    return {option.name: option.value for option in kconfig.parse(text, ".config")}


def off_by_accident(ctx: Context, source: Path) -> list[str]:
    """Return the options of the guarded menus that are off and that Linux turns on by default, sorted.

    Kconfig is asked: `conf` gives every option that `.config` does not name its default.
    """
    placed = kconfig_menu.options_below(source, {"SRCARCH": "x86"})
    guarded = {option.name for option in placed if any(map(GUARDED.search, option.menus))}
    options = kconfig.parse((source / ".config").read_text(), ".config")
    off = {option.name for option in options if option.value == "n" and option.name in guarded}
    probe = ctx.work / "probe.config"
    probe.write_text(kconfig.render(option for option in options if option.name not in off))
    ctx.run(make("olddefconfig"), env={"KCONFIG_CONFIG": str(probe)}, cwd=source)
    defaults = {option.name: option.value for option in kconfig.parse(probe.read_text(), probe.name)}
    return sorted(name for name in off if defaults.get(name, "n") != "n")
