"""GRUB's commands that decide what is started, and what GRUB comes to where nobody presses a key.

What a script only says, draws or sets up is passed over, as if it succeeded; what it asks a person or the
hardware is answered with no.

Specification: GRUB manual 2.12, "The list of available commands"; GRUB 2.12, grub-core/normal/menu.c
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.errors import FormatError
from pipeline.formats.budget import Budget
from pipeline.formats.grub_config import KNOWN
from pipeline.formats.grub_machine import Choice, Loaded, Machine, Stopped, System, canonical
from pipeline.formats.grub_script import Script, parse
from pipeline.formats.grub_test import COMPARED
from pipeline.formats.grub_words import State, cmdline

MAX_FALLBACKS = 8  # entries that are tried in turn
OTHERS = (
    *("chainloader", "multiboot", "multiboot2", "xen_hypervisor", "ntldr", "freedos", "pxechainloader"),
    *("kfreebsd", "knetbsd", "kopenbsd", "loopback", "cryptomount", "blscfg", "legacy_configfile", "exit"),
)
"""What goes on in ways that are not followed."""

ASKED = ("false", "keystatus", "cpuid", "hwmatch", "regexp", "read")
"""What is answered with no."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What GRUB comes to: it loads something by the entry `title`, or not, `because` of a clause with a hint.

    It is not `known` where that is not certain. `way` is the files that were read, in order.
    """

    loaded: Loaded | None
    because: str = ""
    hint: str = ""
    is_known: bool = True
    way: tuple[str, ...] = ()
    title: str = ""


class _Started(Exception):  # noqa: N818  no error: it is what everybody wants
    """What is loaded is started."""


def start(
    systems: Mapping[str, System],
    modules: Sequence[str],
    variables: Mapping[str, str],
    early: str,
    budget: Budget,
    unread: Sequence[str] = (),
) -> Outcome:
    """Run GRUB from its core image on; return what it comes to.

    `systems` are by device; `modules` and the configuration `early` are in the core image; `variables` has
    `root` and `prefix` as they are before. `unread` are devices of which nobody knows what is on them.
    """
    given = {"grub_platform": "pc", "grub_cpu": "i386", "menuentry_id_option": "--id", **KNOWN, **variables}
    named = {canonical(name): system for name, system in systems.items()}
    machine = Machine(named, modules, State(dict(given)), budget, COMMANDS, tuple(map(canonical, unread)))
    because, hint, is_known = "GRUB's prompt comes", "", True
    try:
        if early.strip():
            machine.run(parse(early, budget))
        normal(machine, ())
    except _Started:
        return Outcome(machine.loaded, way=tuple(machine.way), title=machine.title)
    except Stopped as stopped:
        because, hint, is_known = stopped.because, stopped.hint, stopped.is_known
    except FormatError as error:
        because, hint = f"the configuration in its core image: {error.message}", error.hint
    return Outcome(None, because, hint, is_known and machine.is_sure, tuple(machine.way), machine.title)


def normal(machine: Machine, words: Sequence[str]) -> bool:
    """`normal`: the menu of a file, else that of the prefix."""
    prefix = machine.get("prefix")
    first = f"{machine.failed[0]}; " if machine.failed else ""
    if not machine.loads("normal"):
        raise Stopped(
            f"GRUB's rescue prompt comes: {first}its core image has no module normal, nor has {prefix}",
            "run grub-install again",
        )
    script = machine.text(words[0] if words else f"{prefix}/grub.cfg")
    if script is None:
        raise Stopped(f"GRUB's prompt comes: {first}{machine.failed[-1]}", "put a grub.cfg there")
    return show(machine, script)


def show(machine: Machine, script: Script) -> bool:
    """Run a menu's script, and then the entry that is started where nobody chooses."""
    machine.choices = []
    machine.run(script)
    choices = machine.choices
    if not choices:
        boot(machine, ())
        raise Stopped("GRUB's prompt comes: it has no entry", "add a menuentry")
    wanted, _, inner = (machine.get("default") or "0").partition(">")
    tries = [_chosen(choices, wanted) or choices[0]]
    tries += filter(None, (_chosen(choices, word) for word in machine.get("fallback").split()))
    first: Stopped | None = None
    for choice in tries[: 1 + MAX_FALLBACKS]:
        try:
            _enter(machine, choice, inner)
        except Stopped as stopped:
            if not stopped.is_known:
                raise
            first = first or stopped
    raise first or Stopped("GRUB's prompt comes")


def _chosen(choices: Sequence[Choice], wanted: str) -> Choice | None:
    """Return the entry that has a number, an id or a title."""
    if wanted.isascii() and wanted.isdigit():
        number = int(wanted[:9])
        return choices[number] if number < len(choices) else None
    return next((one for one in choices if wanted in (one.id, one.title)), None)


def _enter(machine: Machine, choice: Choice, inner: str) -> None:
    """Run an entry. Raises _Started, or Stopped."""
    machine.title, machine.failed, machine.loaded = choice.title, [], None
    machine.state.values["chosen"] = choice.id or choice.title
    if choice.is_submenu:
        machine.state.values["default"] = inner
        show(machine, choice.script)
    machine.run(choice.script)
    boot(machine, ())
    why = machine.failed[0] if machine.failed else "it has no command for that"
    raise Stopped(f"its entry {choice.title!r} loads nothing: {why}", "correct the entry")


def boot(machine: Machine, _words: Sequence[str]) -> bool:
    """`boot`: start what is loaded."""
    if machine.loaded:
        raise _Started
    if machine.other:
        raise Stopped(f"it goes on with `{machine.other}`, which is not followed", is_known=False)
    return False


def assign(machine: Machine, words: Sequence[str]) -> bool:
    """`set name=value`."""
    for word in words[:1]:
        name, equals, value = word.partition("=")
        if equals:
            machine.state.values[name] = value
    return True


def unset(machine: Machine, words: Sequence[str]) -> bool:
    """`unset name`."""
    for word in words:
        machine.state.values.pop(word, None)
    return True


def test(machine: Machine, words: Sequence[str]) -> bool:
    """`[ … ]` and `test`: alternatives of conditions that all hold."""
    plain = [word for word in words if word not in ("]", "(", ")")]
    return any(all(_holds(machine, each) for each in _split(part, "-a")) for part in _split(plain, "-o"))


def _split(words: Sequence[str], at: str) -> list[list[str]]:
    found: list[list[str]] = [[]]
    for word in words:
        if word == at:
            found.append([])
        else:
            found[-1].append(word)
    return found


def _holds(machine: Machine, words: Sequence[str]) -> bool:
    """Tell whether one condition holds."""
    match list(words):
        case ["!", *rest]:
            return not _holds(machine, rest)
        case [left, operator, right] if operator in COMPARED:
            return COMPARED[operator](left, right)
        case ["-f" | "-s", path]:
            return not machine.missing(path)
        case ["-e", path]:
            return not machine.missing(path) or _has_folder(machine, path)
        case ["-d", path]:
            return _has_folder(machine, path)
        case ["-z", *rest]:
            return not any(rest)
        case ["-n", *rest] | rest:
            return any(rest)


def _has_folder(machine: Machine, path: str) -> bool:
    device, inside = machine.located(path)
    system = machine.system(device)
    found = system.files.find(inside) if system else None
    return system is not None and found is not None and (not found or found in system.files.folders)


def search(machine: Machine, words: Sequence[str]) -> bool:
    """`search`: set a variable to the first device with a label, a UUID or a file."""
    short = {"-l": "--label", "-u": "--fs-uuid", "-f": "--file", "-s": "--set", "-h": "--hint"}
    by, variable, wanted, sets = "--file", "root", "", False
    pending = list(words)
    while pending:
        word = pending.pop(0)
        option = short.get(word, word)
        if option in ("--label", "--fs-uuid", "--file"):
            by = option
        elif option == "--hint":
            pending = pending[1:]
        elif option.startswith("--set"):  # the variable's name only ever stands behind a `=`
            sets, variable = True, option.partition("=")[2] or "root"
        elif not option.startswith("-"):
            wanted = wanted or word
    there = ((device, machine.system(device)) for device in machine.systems)
    found = next((device for device, each in there if each and _matches(each, by, wanted)), None)
    if found is None:
        kind = {"--label": "label", "--fs-uuid": "UUID"}.get(by, "file")
        machine.is_sure = machine.is_sure and not machine.unread
        where = f", and what is on ({machine.unread[0]}) is not read" if machine.unread else ""
        machine.failed.append(f"`search` finds no file system with the {kind} {wanted}{where}")
        return False
    if sets:
        machine.state.values[variable] = found
    return True


def _matches(system: System, by: str, wanted: str) -> bool:
    """Tell whether `search` takes a file system; it compares UUIDs without regard to case."""
    if by == "--label":
        return bool(wanted) and system.label == wanted
    if by == "--fs-uuid":
        return bool(wanted) and system.uuid.casefold() == wanted.casefold()
    return system.files.is_file(wanted)


def _search_by(by: str) -> Callable[[Machine, Sequence[str]], bool]:
    """Return one of the commands that `search` is made of: what is wanted, and then the variable."""

    def run(machine: Machine, words: Sequence[str]) -> bool:
        plain = [word for word in words if not word.startswith("-")]
        variable = [f"--set={plain[1]}"] if len(plain) > 1 else []
        return search(machine, [by, *variable, *plain[:1]])

    return run


def source(machine: Machine, words: Sequence[str]) -> bool:
    """`source`: run a file's commands here."""
    script = machine.text(words[0] if words else "")
    return script is not None and machine.run(script)


def configfile(machine: Machine, words: Sequence[str]) -> bool:
    """`configfile`: take a file's menu in place of this one."""
    script = machine.text(words[0] if words else "")
    return script is not None and show(machine, script)


def linux(machine: Machine, words: Sequence[str]) -> bool:
    """`linux`: load a kernel."""
    missing = machine.missing(words[0]) if words else "`linux` names no kernel"
    if missing:
        machine.failed.append(missing)
        return False
    machine.loaded = Loaded(machine.located(words[0]), cmdline(list(words[1:])), ())
    return True


def initrd(machine: Machine, words: Sequence[str]) -> bool:
    """`initrd`: load archives behind each other. Raises Stopped where one is missing: GRUB waits for a key
    then, and goes on without it.
    """
    if machine.loaded is None:
        machine.failed.append("`initrd` stands in front of `linux`, or that failed")
        return False
    paths = [word.rpartition(":")[2] for word in words if not word.startswith("--")]
    for missing in filter(None, map(machine.missing, paths)):
        raise Stopped(f"its entry {machine.title!r} loads no initramfs: {missing}", "correct the path")
    machine.loaded = replace(machine.loaded, initrds=tuple(map(machine.located, paths)))
    return True


def insmod(machine: Machine, words: Sequence[str]) -> bool:
    """`insmod`: succeeds where there is a module."""
    return all(map(machine.loads, words))


def _other(name: str) -> Callable[[Machine, Sequence[str]], bool]:
    def run(machine: Machine, words: Sequence[str]) -> bool:
        file = next((word for word in words if word.startswith("/")), "")
        if missing := file and machine.missing(file):
            machine.failed.append(missing)
            return False
        machine.other = " ".join([name, *words])
        return True

    return run


COMMANDS: Mapping[str, Callable[[Machine, Sequence[str]], bool]] = {
    "set": assign,
    "unset": unset,
    "[": test,
    "test": test,
    "search": search,
    "search.fs_label": _search_by("--label"),
    "search.fs_uuid": _search_by("--fs-uuid"),
    "search.file": _search_by("--file"),
    "source": source,
    ".": source,
    "configfile": configfile,
    "normal": normal,
    "boot": boot,
    "insmod": insmod,
    **dict.fromkeys(("linux", "linux16", "linuxefi"), linux),
    **dict.fromkeys(("initrd", "initrd16", "initrdefi"), initrd),
    **{name: _other(name) for name in OTHERS},
    **dict.fromkeys(ASKED, lambda _machine, _words: False),
}
