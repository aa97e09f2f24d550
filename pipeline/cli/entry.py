"""Owns the command line: which command is meant, and one sentence for what is none.

doit parses the options of tasks and runs them; its own words for mistakes are not for people.
"""

import codecs
import difflib
import locale
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError

PLAIN = {"✓": "+", "✗": "x"}
LIST = "`./doit list` shows all"
NO_OPTION = re.compile(r"Error parsing \w+: (?:option )?(.+?) \(parsing options: ")
NO_VALUE = re.compile(r"Error parsing parameter '([\w-]+)' <class 'int'>\.\n.*: ('.*')")


def write_as_the_terminal_reads() -> None:
    """Have the standard streams write the locale's encoding, and a plain character for one that it lacks.

    Files are UTF-8 whatever the locale says (Python's UTF-8 mode); one that only knows ASCII is taken for a
    locale that nobody set, and gets UTF-8, too.
    """
    codecs.register_error("plain", _plainly)
    known = codecs.lookup(locale.getencoding()).name
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8" if known == "ascii" else known, errors="plain")  # type: ignore[union-attr]


def _plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(PLAIN.get(each, "?") for each in error.object[error.start : error.end]), error.end


def main(root: Path, arguments: Sequence[str]) -> int:
    """Run what the arguments of `./doit` ask for, in the checkout `root`; return the exit status."""
    write_as_the_terminal_reads()
    os.chdir(root)
    # It takes options after files, as doit does not, and needs no task's files; its task is for `list`.
    if arguments[:1] == ["inspect"]:
        from pipeline.inspection import cli

        return cli.command(list(arguments[1:]))
    from doit.cmd_base import ModuleTaskLoader
    from doit.cmd_help import Help
    from doit.cmd_list import List
    from doit.cmd_run import Run
    from doit.cmdparse import CmdParseError
    from doit.exceptions import InvalidCommand
    from doit.plugin import PluginDict

    from pipeline.cli import tasks
    from pipeline.cli.workers import workers
    from pipeline.report import Report  # it takes longer to load than most files to look at

    config, all_tasks = tasks.load(root, workers=workers(arguments))
    if "" in arguments:  # doit looks at the first character of each
        Report().error(unknown("", all_tasks))
        return 3
    kinds: dict[str, Any] = PluginDict({kind.get_name(): kind for kind in (Run, List, Help)})
    name, rest = (arguments[0], arguments[1:]) if arguments else ("run", ())
    if name in ("help", "--help", "-h") and not rest:
        name = "list"
    elif name not in kinds:
        name, rest = "run", arguments
    loader = ModuleTaskLoader({"DOIT_CONFIG": config, "task_all": all_tasks})
    command = kinds[name](task_loader=loader, bin_name="./doit", cmds=kinds)
    try:
        status: int | None = command.parse_execute(list(rest))
    except InvalidCommand as error:
        Report().error(unknown(str(error.not_found or error), all_tasks))
        return 3
    except CmdParseError as error:
        Report().error(PipelineError(_said(str(error)), "`./doit help COMMAND` shows a command's options"))
        return 3
    except KeyboardInterrupt:
        config["reporter"].stop()
        return 130
    return status or 0


def unknown(name: str, all_tasks: Any) -> PipelineError:
    """Return what is said of a command that there is not, with the one that was meant, if one looks so."""
    known = [task["basename"] for task in all_tasks() if not task["basename"].startswith("_")]
    close = difflib.get_close_matches(name, known, n=1)
    return PipelineError(
        f"{name!r} is not a command", f"did you mean `{close[0]}`? {LIST}" if close else LIST
    )


def _said(text: str) -> str:
    """Return doit's words for a wrong option without the insides of doit."""
    if match := NO_OPTION.match(text):
        return match[1]
    if match := NO_VALUE.match(text):
        return f"--{match[1]}: {match[2]} is not a whole number"
    return text.splitlines()[0]
