"""Compares the configurations of an image's kernel and of the one it carries: each lacks what is the other's.

Which options those are is data that the recipe names, with a reason for each.
"""

import tomllib
from collections.abc import Collection, Mapping

from pipeline.errors import ConfigError
from pipeline.formats import kconfig
from pipeline.steps.runner import Context

APART = "apart.toml"
NEITHER = "neither"
"""The table of what no kernel of the two has."""


def build(ctx: Context) -> None:
    """Write `kernels.txt`: what each kernel has and the other must not have, then all other differences.

    Params: `kernels`, the names of both. Inputs: their configurations, as they were built with, called
    `NAME.config`, and `apart.toml`: a table of options and reasons for each name, and one for `neither`.
    Raises ConfigError for each option that is where it must not be, or is not where it has to be.
    """
    kernels = tuple(ctx.params["kernels"])
    configs = {name: _options(ctx.inputs[f"{name}.config"].read_text()) for name in kernels}
    apart = read_apart(ctx.inputs[APART].read_text(), kernels)
    if mistakes := misplaced(configs, apart):
        raise ConfigError(mistakes, f"change the kernels' fragments, or {APART}")
    (ctx.out / "kernels.txt").write_text(listing(configs, apart), encoding="utf-8")


def _options(text: str) -> dict[str, str]:
    return {
        option.name: option.value for option in kconfig.parse(text, "kernel.config") if option.value != "n"
    }


def read_apart(text: str, kernels: Collection[str]) -> dict[str, dict[str, str]]:
    """Return the reasons by option by kernel. Raises ConfigError with all that is of another form."""
    try:
        apart = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{APART}: {error}"], "") from error
    mistakes = [f"{APART}: {key}: unknown key" for key in apart if key not in (*kernels, NEITHER)]
    for key in (*kernels, NEITHER):
        table = apart.get(key)
        if not isinstance(table, dict) or not table:
            mistakes.append(f"{APART}: {key}: is not a table of options and reasons")
            continue
        mistakes += [
            f"{APART}: {key}.{option}: {reason!r} is not a reason"
            for option, reason in table.items()
            if not isinstance(reason, str) or not reason
        ]
    if mistakes:
        raise ConfigError(mistakes, 'write OPTION = "reason"')
    return apart


def misplaced(configs: Mapping[str, Mapping[str, str]], apart: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return a sentence for every option that is in the wrong kernel, or not in its own."""
    found = []
    for owner, reasons in apart.items():
        for option, reason in reasons.items():
            for kernel, config in configs.items():
                if kernel != owner and option in config:
                    found.append(f"the {kernel} kernel has CONFIG_{option}={config[option]}: {reason}")
                elif kernel == owner and option not in config:
                    found.append(f"the {kernel} kernel has no CONFIG_{option}, which {APART} says is its own")
    return found


def listing(configs: Mapping[str, Mapping[str, str]], apart: Mapping[str, Mapping[str, str]]) -> str:
    """Return what people read: what is each kernel's own and why, and how else the two differ."""
    lines = []
    for owner in configs:
        lines.append(f"Only the {owner} kernel has, and the other must not have:")
        lines += [
            f"  {option}={configs[owner][option]}: {why}" for option, why in sorted(apart[owner].items())
        ]
    lines.append("Neither has:")
    lines += [f"  {option}: {why}" for option, why in sorted(apart[NEITHER].items())]
    named = {option for reasons in apart.values() for option in reasons}
    one, other = configs.values()
    lines.append(f"All other differences ({', '.join(configs)}):")
    lines += [
        f"  {option}: {one.get(option, 'n')}, {other.get(option, 'n')}"
        for option in sorted((one.keys() | other.keys()) - named)
        if one.get(option) != other.get(option)
    ]
    return "\n".join(lines) + "\n"
