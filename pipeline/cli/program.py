"""The command line: doit with the tasks of this checkout, and one sentence for an unknown task.

doit parses the options of tasks and runs them; its own words for mistakes are not for people.
"""

import getopt
import os
import re
import signal
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from doit import plugin
from doit.cmd_base import Command, TaskLoader2
from doit.cmd_clean import Clean
from doit.cmd_forget import Forget
from doit.cmd_help import Help
from doit.cmd_info import Info
from doit.cmd_list import List
from doit.cmd_run import Run
from doit.cmdparse import CmdParseError
from doit.dependency import Dependency
from doit.exceptions import InvalidCommand
from doit.plugin import PluginDict
from doit.task import Task

from pipeline.build.session import Session
from pipeline.cli import realise
from pipeline.cli.entry import HELP
from pipeline.cli.graph import ISO
from pipeline.cli.records import Records, Unchanging
from pipeline.cli.reporter import DISK, Reporter
from pipeline.cli.tasks import COMMANDS, UNPINNED, all_tasks
from pipeline.cli.watch import Watch
from pipeline.errors import PipelineError
from pipeline.project import checkout
from pipeline.report import Report

LIST = "`./doit list` shows all"
NO_OPTION = re.compile(r"Error parsing \w+: (?:option )?(.+?) \(parsing options: ")
NO_VALUE = re.compile(r"Error parsing parameter '([\w-]+)' <class 'int'>\.\n.*: ('.*')")

KINDS: tuple[type[Command], ...] = (Run, List, Help, Info, Clean, Forget, Watch)
"""The commands of doit that work on tasks here; those that are left out would work on its own records.

`auto` is what older versions of doit called `watch`.
"""

MOST = 6
"""Steps that are made at once, however few cores there are: none keeps them busy all the time. The large ones
use all by themselves, and memory for each."""

FORGETTING = ("forget", "clean")
PINNED = {"lock", "reproduce", "bench", "release", "sign"}
"""Commands that prove or write down what is built of pins alone."""

DEBUG = "--debug"
"""What has a command work on images that talk."""

FROM_SOURCE = "--from-source"
"""What keeps a build from taking anything from caches elsewhere."""

TALKING = {ISO, "boot"}
"""Commands that --debug goes with, besides steps."""

OFFLINE, INPUTS = "--offline", "inputs"
"""Options that have a command build without network; `make_venv.py` knows them, too."""

BUILDING = {ISO, "image", "boot", "boot-test"}
"""Commands that they go with, besides steps."""

FOR_BUILDS = "works with `./doit iso`, `./doit image`, `./doit boot`, `./doit boot-test` and steps only"

NAMING = ("attest", "burn", "cache", "diff", "keys", "measure", "new", "pin", "sign", "vendor")
"""Commands whose words name files, not tasks."""


def workers(arguments: Sequence[str], steps: Collection[str]) -> int:
    """Return how many steps are made at once where nobody says (`-n`).

    More than one only where nothing but tasks of `steps` is named: other commands are one piece of work, and
    want keys and the terminal for themselves.
    """
    named = {argument for argument in arguments if not argument.startswith("-")}
    return MOST if named <= set(steps) else 0


class Loader(TaskLoader2):  # type: ignore[misc]
    """Gives doit the tasks, and finds those that are called otherwise: by their step, or by a target."""

    def __init__(self, session: Session, tasks: list[Task], at_once: int) -> None:
        super().__init__()
        self.session, self.tasks = session, tasks
        self.config_of_doit = {
            "default_tasks": [ISO],
            "num_process": at_once,
            "par_type": "thread",
            "reporter": Reporter(session),
            "sort": "definition",
            "verbosity": 2,
        }

    def load_doit_config(self) -> dict[str, Any]:
        """Return how doit is configured."""
        return self.config_of_doit

    def load_tasks(self, cmd: Command, pos_args: list[str]) -> list[Task]:
        """Return all tasks, and rewrite what was named on the command line to what the tasks are called.

        Raises InvalidCommand for what is none, where `cmd` takes names alone; `run` parses options, too.
        """
        pos_args[:] = called(pos_args, aliases(self.session, self.tasks))
        known = {task.name for task in self.tasks}
        for name in pos_args if not cmd.execute_tasks else ():
            if name not in known and "*" not in name:
                raise InvalidCommand(not_found=name)
        return self.tasks


def aliases(session: Session, tasks: Iterable[Task]) -> dict[str, str]:
    """Return what a task may be called besides its name: its step's name, and each target's path."""
    found = {task.title(): task.name for task in tasks}
    for task in tasks:
        found |= {os.path.normpath(session.root / target): task.name for target in task.targets}
    return found


def called(arguments: Sequence[str], names: dict[str, str]) -> list[str]:
    """Return command line arguments with the tasks' names; paths are those of where ./doit was called.

    What follows an option may be its value, and stays.
    """
    here = os.environ.get("INSTALLER_ISO_CALLED_FROM", "")
    if arguments and arguments[0] in NAMING:
        return list(arguments)
    found = []
    for before, argument in zip(("", *arguments), arguments, strict=False):
        path = os.path.abspath(os.path.join(here, argument))  # noqa: PTH100, PTH118
        name = names.get(argument) or names.get(path) or argument
        found.append(argument if before.startswith("--") and argument not in names else name)
    return found


def files_named(arguments: Sequence[str], options: Iterable[str]) -> tuple[dict[str, Path], list[str]]:
    """Return the files that these options name, and the other arguments."""
    files: dict[str, Path] = {}
    rest = list(arguments)
    for what in options:
        for at, argument in enumerate(rest):
            option, equals, value = argument.partition("=")
            if option == f"--{what}" and (equals or at + 1 < len(rest)):
                named = value if equals else rest[at + 1]
                files[what] = Path(os.environ.get("INSTALLER_ISO_CALLED_FROM", ""), named).absolute()
                del rest[at : at + (1 if equals else 2)]
                break
    return files, rest


def value_of(option: str, words: Sequence[str]) -> str:
    """Return what follows an option, "" where it is not there: doit parses it as well."""
    for word, following in zip(words, (*words[1:], ""), strict=False):
        name, equals, value = word.partition("=")
        if name == option:
            return value if equals else following
    return ""


def options_first(words: Sequence[str]) -> list[str]:
    """Return a command's words with its options in front: behind the first other word doit looks for none."""
    command = COMMANDS.get(words[0]) if words else None
    if command is None or not command.words:
        return list(words)
    takes = {f"--{each['long']}": each["type"] is not bool for each in command.params}
    try:
        known = [f"{name[2:]}=" if value else name[2:] for name, value in takes.items()]
        found, others = getopt.gnu_getopt(list(words[1:]), "", known)
    except getopt.GetoptError:  # doit says what is wrong
        return list(words)
    return [words[0], *(f"{name}={value}" if takes[name] else name for name, value in found), *others]


def run(root: Path, arguments: Sequence[str]) -> int:
    """Run what the arguments of `./doit` ask for, in the checkout `root`; return the exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
        signal.signal(signal.SIGHUP, _hang_up)
    kinds: dict[str, Any] = PluginDict({kind.get_name(): kind for kind in KINDS} | {"auto": Watch})
    plugin.entry_points_impl = lambda: lambda **_: ()  # doit would look for plugins in all packages, twice
    name, rest = (arguments[0], arguments[1:]) if arguments else ("run", ())
    if name not in kinds:
        name, rest = "run", arguments
    name, rest = asked_for_help(name, rest)
    report = Report()
    unpinned, rest = files_named(rest, UNPINNED)
    inputs, rest = files_named(rest, [INPUTS])
    debug, from_source, offline = (option in rest for option in (DEBUG, FROM_SOURCE, OFFLINE))
    rest = [word for word in rest if word not in (DEBUG, FROM_SOURCE, OFFLINE)]
    without_network = [f"--{each}" for each in inputs] + [OFFLINE] * offline
    if wrong := _misplaced(name, rest, unpinned, without_network, debug=debug, from_source=from_source):
        report.error(PipelineError(wrong, "leave it out"))
        return 3
    try:
        session = Session(
            root,
            report,
            unpinned,
            debug=debug,
            from_source=from_source,
            inputs=inputs.get(INPUTS),
            offline=offline,
            image=value_of("--image", rest),
        )
        if checkout.is_one(root):
            (root / "artifacts").mkdir(exist_ok=True)
        tasks = all_tasks(session, tuple(kinds), listed=name != "run")
    except PipelineError as error:
        report.error(error)
        return 1
    except OSError as error:
        report.error(PipelineError(f"{error.filename}: {error.strerror}", DISK))
        return 1
    rest = options_first(rest)
    if "" in rest:  # doit looks at the first character of each
        report.error(unknown("", tasks))
        return 3
    steps = {task.name for task in tasks if task.uptodate or task.has_subtask}
    loader = Loader(session, tasks, workers(called(rest, aliases(session, tasks)), steps))
    command = kinds[name](task_loader=loader, bin_name="./doit", cmds=kinds)
    command.dep_manager = Dependency(
        lambda *_, **__: Records(lambda task: _forget(session, tasks, task) if name in FORGETTING else None),
        "",
        checker_cls=Unchanging,
    )
    return _parsed(command, list(rest), session, tasks)


def asked_for_help(name: str, rest: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Return a command of doit and its arguments as `help TASK` where they ask for help in another way.

    Without a task, `list` answers.
    """
    if name == "help" or not HELP.isdisjoint(rest):
        tasks = [word for word in rest if not word.startswith("-")]
        named = [name] if name not in ("run", "help") else tasks[:1]
        return ("help", named) if named else ("list", ())
    return name, rest


def _hang_up(number: int, _frame: object) -> None:
    """End as Ctrl-C does, once: of a terminal that hangs up both kernel and shell send a signal."""
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _misplaced(
    name: str,
    rest: Sequence[str],
    unpinned: Iterable[str],
    without_network: Sequence[str],
    *,
    debug: bool,
    from_source: bool,
) -> str:
    """Return what is wrong with an option that is for some commands only."""
    commands = COMMANDS.keys() & set(rest)
    if from_source and without_network:
        return f"{FROM_SOURCE} does not go with {without_network[0]}: outputs are taken from an archive, too"
    for option in without_network:
        if name != "run" or commands - BUILDING:
            return f"{option} {FOR_BUILDS}"
    for option in unpinned:
        if name != "run" or PINNED & commands:
            return f"--{option} works with `./doit iso` only"
    if debug and (name != "run" or commands - TALKING):
        return f"{DEBUG} works with `./doit iso` and `./doit boot` only"
    if from_source and (name != "run" or commands - BUILDING):
        return f"{FROM_SOURCE} {FOR_BUILDS}"
    return ""


def _forget(session: Session, tasks: Iterable[Task], name: str | None) -> None:
    """Drop the results of the steps that have the task `name`, or of all."""
    realise.forget(session, [task.title() for task in tasks if name in (None, task.name)])


def _parsed(command: Command, rest: list[str], session: Session, tasks: list[Task]) -> int:
    """Run a command of doit, and tell its user what was wrong."""
    try:
        status: int | None = command.parse_execute(rest)
    except InvalidCommand as error:
        try:
            session.images  # noqa: B018
        except PipelineError as mistake:  # no step is known then
            session.report.error(mistake)
            return 1
        session.report.error(unknown(str(error.not_found or error), tasks))
        return 3
    except CmdParseError as error:
        session.report.error(
            PipelineError(_said(str(error)), "`./doit help COMMAND` shows a command's options")
        )
        return 3
    except PipelineError as error:
        session.report.error(error)
        return 1
    except KeyboardInterrupt:
        command.loader.config_of_doit["reporter"].stop()
        return 130
    return status or 0


def unknown(name: str, tasks: Iterable[Task]) -> PipelineError:
    """Return what is said of an unknown task, with the likely one, if any."""
    known = [task.name for task in tasks if not task.name.startswith("_")]
    known += [kind.get_name() for kind in KINDS]
    import difflib  # it takes longer to load than most tasks to look at

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
