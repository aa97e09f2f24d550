"""What GRUB's `test` and `[` say of words.

Specification: GRUB manual 2.12, "test"; GRUB 2.12, grub-core/commands/test.c
"""

from collections.abc import Callable, Collection, Mapping

COMPARED: Mapping[str, Callable[[str, str], bool]] = {
    "=": str.__eq__,
    "==": str.__eq__,
    "!=": str.__ne__,
    "<": str.__lt__,
    ">": str.__gt__,
    "<=": str.__le__,
    ">=": str.__ge__,
    "-eq": lambda one, other: _number(one) == _number(other),
    "-ne": lambda one, other: _number(one) != _number(other),
    "-lt": lambda one, other: _number(one) < _number(other),
    "-le": lambda one, other: _number(one) <= _number(other),
    "-gt": lambda one, other: _number(one) > _number(other),
    "-ge": lambda one, other: _number(one) >= _number(other),
}
FILES = ("-d", "-e", "-f", "-s")
TIMES = ("-nt", "-ot")


class Unknown(Exception):  # noqa: N818  no error: the answer is known on the machine alone
    """The answer depends on what nobody knows here."""


def is_true(words: list[str], unknown: Collection[str] = ()) -> bool:
    """Return what a test of these words says. Raises Unknown where it depends on files or unknown words."""
    answers = [_all(part, unknown) for part in _split(words, "-o")]
    return any(answers)


def _split(words: list[str], operator: str) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for word in words:
        if word == operator:
            parts.append([])
        else:
            parts[-1].append(word)
    return parts


def _all(words: list[str], unknown: Collection[str]) -> bool:
    answers = [_one(part, unknown) for part in _split(words, "-a")]
    return all(answers)


def _one(words: list[str], unknown: Collection[str]) -> bool:
    if words[:1] == ["!"]:
        return not _one(words[1:], unknown)
    if any(word in unknown for word in words) or "(" in words:
        raise Unknown
    if len(words) >= 3 and words[1] in COMPARED:
        return COMPARED[words[1]](words[0], words[2])
    if len(words) >= 2 and words[0] in ("-z", "-n"):
        return (words[1] == "") == (words[0] == "-z")
    asks_files = len(words) >= 2 and (words[0] in FILES or words[1] in TIMES)
    if asks_files:
        raise Unknown
    return bool(words and words[0])


def _number(word: str) -> int:
    return int(word) if word.lstrip("-").isdecimal() and len(word) < 20 else 0
