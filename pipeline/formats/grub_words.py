"""GRUB's variables while a script runs, and words with their values.

Specification: GRUB manual 2.12, "Writing full configuration files directly", on expansion
"""

import re
from dataclasses import dataclass, field

from pipeline.errors import FormatError
from pipeline.formats.budget import STEPS, Budget
from pipeline.formats.grub_script import Script, Word

MAX_WORD = 1 << 16  # letters that variables may expand to


@dataclass
class State:
    """The variables while a script runs; a value of None is known on the machine alone."""

    values: dict[str, str | None]
    others: bool = False  # whether variables that are not among the values may have one
    functions: dict[str, Script] = field(default_factory=dict)
    arguments: tuple[str | None, ...] = ()
    is_certain: bool = True

    def get(self, name: str) -> str | None:
        """Return a variable's value, "" for one that is not set, None for one that is not known."""
        if name.isdecimal():
            number = int(name[:4])
            return self.arguments[number] if number < len(self.arguments) else ""
        if name in ("*", "@"):
            known = [each for each in self.arguments[1:] if each is not None]
            return " ".join(known) if len(known) == len(self.arguments[1:]) else None
        if name in ("?", "#"):
            return None
        return self.values.get(name, None if self.others else "")


def expanded(words: tuple[Word, ...], state: State, budget: Budget) -> tuple[list[str], set[str]]:
    """Return words with their variables' values, and those of them that have an unknown one.

    An unknown variable is its name: `${name}`.
    """
    found, unknown = list[str](), set[str]()
    for word in words:
        parts, is_known, is_word = [""], True, False
        for piece in word:
            value: str | None = piece.text
            if piece.is_variable:
                value = state.get(piece.text)
                is_known, value = is_known and value is not None, named(piece.text, value)
            if piece.is_variable and not piece.is_quoted and value is not None:
                first, *more = re.split(r"[ \t\n]+", value)
                parts[-1] += first
                parts.extend(more)
            else:
                parts[-1] += value or ""
                is_word = True
            if sum(map(len, parts)) > MAX_WORD:
                message = f"a variable of more than {MAX_WORD} letters is more than any has"
                raise FormatError(message, "the file is damaged, or made to exhaust memory")
        made = [part for part in parts if part or (is_word and len(parts) == 1)]
        budget.spend(STEPS, 1 + sum(map(len, made)) // 64)
        found += made
        if not is_known:
            unknown.update(made)
    return found, unknown


def named(name: str, value: str | None) -> str:
    """Return a variable's value, its name where that is unknown."""
    return f"${{{name}}}" if value is None else value


def variables(words: list[str], unknown: set[str]) -> list[str]:
    """Return the names of the variables that are unknown in words."""
    text = " ".join(word for word in words if word in unknown or word.startswith("(${"))
    return re.findall(r"\$\{([^}]*)\}", text)


def cmdline(words: list[str]) -> str:
    """Return words as GRUB gives them to Linux: with quotes around blanks (grub_create_loader_cmdline)."""
    escaped = (re.sub(r"([\\'\"])", r"\\\1", word) for word in words)
    return " ".join(f'"{word}"' if " " in word else word for word in escaped)
