"""Which of BusyBox's applets an image has links for: all, or those that it names and uses.

Specification: BusyBox 1.37, libbb/appletlib.c; of its shell `shell/ash.c`, `builtintab`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from pipeline.errors import PipelineError
from pipeline.formats import cpio
from pipeline.formats.inittab import Command, read_inittab, read_script

LINK = "/bin/busybox"
INIT = "init"
INITTAB = "etc/inittab"
INSIDE = re.compile(r"(?:\$\(|`)\s*([\w.-]+)")
"""What a shell runs in the middle of a word."""

BUILTINS = frozenset(
    re.split(
        r"\s+",
        """. : [ [[ alias bg break cd chdir command continue echo eval exec exit export false fg getopts hash
        help history jobs kill let local printf pwd read readonly return set shift source test times trap true
        type ulimit umask unalias unset wait""",
    )
)
"""What BusyBox's shell does itself, without a link."""


def links(
    listing: str,
    wanted: Sequence[str] | None,
    files: Iterable[cpio.Member],
    programs: Iterable[bytes],
    recipe: str,
) -> list[cpio.Symlink]:
    """Return a link to BusyBox for each applet of `listing` (`busybox --list-full`) that is `wanted`.

    None wants all. `files` are the recipe's own, `programs` what it runs. Raises PipelineError, with all
    mistakes, where an applet is wanted that there is not, or that nothing uses, and where one is used by
    inittab or a script that is not wanted.
    """
    paths = {PurePosixPath(path).name: path for path in listing.split()}
    there = {
        name: path for name, path in paths.items() if name != "busybox" and not name.startswith("linuxrc")
    }
    if wanted is None:
        return [cpio.Symlink(path, LINK) for path in there.values()]
    used = {INIT: "Linux"} | _used(files, there)
    named = b"\n".join(programs)
    mistakes = []
    for name in wanted:
        if name not in there:
            mistakes.append(f"BusyBox has no {name!r}")
        elif name not in used and there[name].encode() not in named:
            mistakes.append(f"nothing uses {name!r}: no inittab, no script, no program")
    mistakes += [
        f"{where} uses {name!r}, which is not there" for name, where in used.items() if name not in wanted
    ]
    if mistakes:
        raise PipelineError(
            "\n".join(f"{recipe}: image.applets: {mistake}" for mistake in mistakes),
            "name there what inittab, scripts and programs use of BusyBox, and nothing else",
        )
    return [cpio.Symlink(there[name], LINK) for name in wanted]


def _used(files: Iterable[cpio.Member], there: Mapping[str, str]) -> dict[str, str]:
    """Return which of the applets that are `there` inittab and scripts use, and which file does."""
    used: dict[str, str] = {}
    for file in files:
        if isinstance(file, cpio.File):
            text = file.data.decode(errors="replace")
            names = set[str]()
            if file.name == INITTAB:
                names = set(_of_inittab(text, there))
            elif text.startswith("#!"):
                names = set(_of_script(text, there))
            used |= dict.fromkeys(sorted(names & there.keys() - used.keys()), f"/{file.name}")
    return used


def _of_inittab(text: str, there: Mapping[str, str]) -> Iterator[str]:
    for line in read_inittab(text):
        if line.is_good:
            for command in line.commands:
                yield from _names(command, there)
            if line.needs_shell:
                yield "sh"


def _of_script(text: str, there: Mapping[str, str]) -> Iterator[str]:
    first, _, rest = text[2:].partition("\n")
    yield from (PurePosixPath(word).name for word in first.split()[:1])
    yield from set(INSIDE.findall(rest)) - BUILTINS
    for command in read_script(rest):
        if command.applet not in BUILTINS:
            yield from _names(command, there)


def _names(command: Command, there: Mapping[str, str]) -> Iterator[str]:
    """Yield what a command is, and which applets are handed to it by their paths."""
    yield command.applet
    for word in command.words[1:]:
        name = PurePosixPath(word).name
        if word.startswith("/") and there.get(name) == word[1:]:
            yield name
