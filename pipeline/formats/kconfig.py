"""Owns the texts of the kernel's configuration: fragments, `.config`, and what `conf` warns about.

Must not know which options a kernel should have, or how `conf` is run. Runs inside the kernel
container, so it needs nothing but the standard library.

Specification: Linux, Documentation/kbuild/kconfig.rst and scripts/kconfig/{confdata,symbol,expr}.c
https://docs.kernel.org/kbuild/kconfig.html
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.errors import ConfigError

SET = re.compile(r'CONFIG_(?P<name>\w+)=(?P<value>[ynm]|-?\d+|0[xX][0-9a-fA-F]+|"(?:[^"\\]|\\.)*")')
ASSIGNED = re.compile(r"CONFIG_(?P<name>[^=]+)=(?P<value>.*)")
NOT_SET = re.compile(r"# CONFIG_(?P<name>\w+) is not set")
UNMET = re.compile(
    r"^WARNING: unmet direct dependencies detected for (?P<name>\w+)\n"
    r"  Depends on \[[nm]\]: (?P<expression>.+)$",
    re.MULTILINE,
)
OPERAND = re.compile(
    r"(?P<not>!?)(?P<name>\w+)( \[=(?P<value>\w*)\])?((?P<operator>!?=)(?P<other>\w+)( \[=\w*\])?)?"
)
SHOWN_VALUE = re.compile(r" \[=[^]]*\]")


@dataclass(frozen=True, slots=True)
class Option:
    """One option as a file sets it: `value` is `n` where it says "is not set", strings keep quotes."""

    name: str  # without CONFIG_
    value: str
    place: str  # file:line

    def __str__(self) -> str:
        return f"CONFIG_{self.name}={self.value}"


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole `.config` as Linux reads it: options by name, and what somebody may not have meant."""

    options: dict[str, Option]
    notes: list[str]


@dataclass(frozen=True, slots=True)
class Unmet:
    """Why Kconfig cannot give an option: its `depends on`, and the operands that would have to change."""

    expression: str
    missing: tuple[str, ...]


def parse(text: str, file: str) -> list[Option]:
    """Return the options that a fragment or a `.config` sets, in its order.

    Raises ConfigError that names every line of another form as `file:line`.
    """
    options, mistakes = [], []
    for number, line in enumerate(text.splitlines(), start=1):
        place = f"{file}:{number}"
        if match := SET.fullmatch(line):
            options.append(Option(match["name"], match["value"], place))
        elif match := NOT_SET.fullmatch(line):
            options.append(Option(match["name"], "n", place))
        elif line.strip() and not line.startswith("#"):
            mistakes.append(f"{place}: {line!r} does not set an option")
    if mistakes:
        raise ConfigError(
            mistakes,
            'write CONFIG_NAME=y, a number or a "text", `# CONFIG_NAME is not set`, or a comment',
        )
    return options


def read_whole(text: str, file: str) -> Whole:
    """Return what Linux makes of a `.config`: of two values the last, and nothing of other lines.

    `conf` warns of both, and goes on: scripts/kconfig/confdata.c, conf_read_simple.
    """
    options: dict[str, Option] = {}
    notes = []
    for number, line in enumerate(text.split("\n"), start=1):
        place, line = f"{file}:{number}", line.rstrip("\r")
        match = NOT_SET.fullmatch(line) or ASSIGNED.fullmatch(line)
        if match is None:
            if line and not line.startswith("#"):
                notes.append(f"{place}: Linux ignores {line!r}")
            continue
        option = Option(match["name"], match.groupdict().get("value", "n"), place)
        before = options.get(option.name)
        if before is not None and before.value != option.value:
            notes.append(f"{place}: {option} takes the place of {before} of {before.place}")
        options[option.name] = option
    return Whole(options, notes)


def merge(fragments: Iterable[Sequence[Option]]) -> list[Option]:
    """Return the options of all fragments, each once.

    Raises ConfigError that names both places of every option that is given two values.
    """
    merged: dict[str, Option] = {}
    mistakes = []
    for fragment in fragments:
        for option in fragment:
            first = merged.setdefault(option.name, option)
            if first.value != option.value:
                mistakes.append(f"{option.place}: {option} contradicts {first} of {first.place}")
    if mistakes:
        raise ConfigError(mistakes, "keep one of the two; an option that kernels differ in is not for both")
    return list(merged.values())


def render(options: Iterable[Option]) -> str:
    """Return the options as a text that `conf` reads."""
    return "".join(
        f"# CONFIG_{option.name} is not set\n" if option.value == "n" else f"{option}\n" for option in options
    )


def dropped(asked: Iterable[Option], config: Mapping[str, str]) -> list[Option]:
    """Return the options that have another value in `config`, a final `.config` by name."""
    return [option for option in asked if config.get(option.name, "n") != option.value]


def unmet(log: str) -> dict[str, Unmet]:
    """Return the dependencies that `conf` warns are unmet for options that something selects, by option."""
    return {
        match["name"]: Unmet(SHOWN_VALUE.sub("", match["expression"]), tuple(_missing(match["expression"])))
        for match in UNMET.finditer(log)
    }


def _missing(expression: str) -> list[str]:
    """Return the operands that keep `expression` from holding; none when it holds.

    Comparisons by size are of versions, and taken to hold.
    """
    alternatives = _split(expression, " || ")
    if len(alternatives) > 1:
        each = [_missing(alternative) for alternative in alternatives]
        return [operand for missing in each for operand in missing] if all(each) else []
    terms = _split(expression, " && ")
    if len(terms) > 1:
        return [operand for term in terms for operand in _missing(term)]
    if expression.startswith("("):
        return _missing(expression[1:-1])
    match = OPERAND.fullmatch(expression)
    if match is None:
        return []
    value = match["value"] or "n"  # an option that this architecture does not have shows no value
    if match["operator"]:
        holds = (value == match["other"]) == (match["operator"] == "=")
        return [] if holds else [f"CONFIG_{match['name']}{match['operator']}{match['other']}"]
    holds = (value == "n") == bool(match["not"])
    return [] if holds else [f"CONFIG_{match['name']}={'n' if match['not'] else 'y'}"]


def _split(expression: str, operator: str) -> list[str]:
    """Return the parts of `expression` between the operators that no parenthesis encloses."""
    parts: list[str] = []
    for piece in expression.split(operator):
        if parts and parts[-1].count("(") > parts[-1].count(")"):
            parts[-1] += operator + piece
        else:
            parts.append(piece)
    return parts
