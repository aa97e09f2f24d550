"""Owns what can be told of Kconfig files without evaluating them: which options sit below which menus.

Must not know which menus matter, or what an option's default is: `conf` itself knows that.

Specification: Linux, Documentation/kbuild/kconfig-language.rst
https://docs.kernel.org/kbuild/kconfig-language.html
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ENTRY = re.compile(
    r"\s*(?P<word>config|menuconfig|menu|choice|if|source|endmenu|endchoice|endif)\b\s*(?P<rest>.*)"
)
PROMPT = re.compile(r'\s*(?:bool|tristate|prompt)\s+"(?P<text>[^"]*)"')
HELP = re.compile(r"\s*(?:---)?help(?:---)?\s*")
QUOTES = "\"'"
VARIABLE = re.compile(r"\$\((\w+)\)")


@dataclass(frozen=True, slots=True)
class Placed:
    """An option, and the titles of the menus around it, outermost first; a menu's own option is below it."""

    name: str  # without CONFIG_
    menus: tuple[str, ...]


def options_below(root: Path, variables: Mapping[str, str]) -> Iterator[Placed]:
    """Yield every option of a kernel's source, as often as it is written.

    `variables` are what `$(NAME)` stands for in paths that are sourced. A file that is not there is passed
    over. Options in the `if NAME` after `menuconfig NAME` are below its menu.
    """
    yield from _read(root, Path("Kconfig"), variables, ())


def _read(root: Path, path: Path, variables: Mapping[str, str], outer: tuple[str, ...]) -> Iterator[Placed]:
    blocks: list[tuple[str, ...]] = [outer]
    titles: dict[str, str] = {}
    name = ""  # of the menuconfig whose prompt has not come yet
    for line in _without_help(root / path):
        if name and (prompt := PROMPT.match(line)):
            titles[name] = prompt["text"]
            yield Placed(name, (*blocks[-1], prompt["text"]))
            name = ""
        entry = ENTRY.fullmatch(line)
        if entry is None:
            continue
        word, rest = entry["word"], entry["rest"].split("#")[0].strip()
        if word == "config":
            yield Placed(rest, blocks[-1])
        elif word == "menuconfig":
            name = rest
        elif word == "menu":
            blocks.append((*blocks[-1], rest.strip(QUOTES)))
        elif word == "if":
            title = titles.get(rest)
            blocks.append((*blocks[-1], title) if title else blocks[-1])
        elif word == "choice":
            blocks.append(blocks[-1])
        elif word == "source":
            sourced = VARIABLE.sub(lambda match: variables.get(match[1], match[0]), rest.strip(QUOTES))
            yield from _read(root, Path(sourced), variables, blocks[-1])
        elif len(blocks) > 1:
            blocks.pop()


def _without_help(path: Path) -> Iterator[str]:
    """Yield a file's lines without help texts, which end at the first line that is indented less."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    indent: int | None = None  # of the help text's first line; 0 is: no help text, or none yet
    for line in text.replace("\\\n", " ").splitlines():
        expanded = line.expandtabs()
        width = len(expanded) - len(expanded.lstrip())
        if indent is not None:
            indent = indent or width
            if not expanded.strip() or width >= indent > 0:
                continue
            indent = None
        if HELP.fullmatch(line):
            indent = 0
            continue
        yield line
