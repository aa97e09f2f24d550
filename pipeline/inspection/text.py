"""What a person reads: answers first, then what lies in what, then what is wrong."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pipeline.checks import whole
from pipeline.checks.cmdline import Cmdline
from pipeline.checks.compressed import Packed
from pipeline.checks.elf import Program
from pipeline.checks.fat.volume import EfiImage
from pipeline.checks.initramfs.read import Initramfs
from pipeline.checks.kernel import Kernel
from pipeline.checks.kind import Node
from pipeline.checks.medium.iso import Iso
from pipeline.checks.medium.partitions import Partitions
from pipeline.checks.medium.views import is_for_macs
from pipeline.checks.quoting import escaped, shown
from pipeline.formats.bzimage import BzImage
from pipeline.formats.elf import Elf
from pipeline.formats.iso9660 import Iso9660
from pipeline.formats.pe import Pe, machine_name
from pipeline.formats.udf import Udf
from pipeline.inspection.answer import PARTLY, QUESTIONS, UNSEEN, WAYS, Answer
from pipeline.inspection.document import Problem
from pipeline.inspection.evidence import Step
from pipeline.inspection.member_path import SEPARATOR, path_of

WORDS_WIDTH = max(map(len, QUESTIONS.values()))
NAME_WIDTH = 48  # of the tree's first column, at most
FEW = 16  # members of one artifact that are shown when nobody asks for the whole tree
SHORT = 60  # letters of a command line in the tree
MAX_PROBLEMS = 50
STEP, TEN = 1000, 9.95  # sizes: from one unit to the next, and where they need no more than two digits
LINUX = ("kernel", "cmdline", "init", "consoles")
OF_A_PROGRAM = ("secure_boot", "sbat", "architecture")

Line = tuple[str, str]  # text, style


def heading(name: str, node: Node) -> Line:
    """Say what the file is."""
    title = node.kind.title if node.kind else ""
    return f"{escaped(name)}: {title}, {size(len(node.member.image))}", "bold"


def size(number: int) -> str:
    """Return a number of bytes as people read it: `117 kB` is 117,248 bytes, in steps of 1000."""
    if number < STEP:
        return f"{number} B"
    value, units = number / STEP, iter(("kB", "MB", "GB", "TB", "PB", "EB"))
    unit = next(units)
    while value >= STEP - 0.5:
        value, unit = value / STEP, next(units)
    return f"{value:.1f} {unit}" if value < TEN else f"{value:.0f} {unit}"


def told(answers: Sequence[Answer]) -> Iterator[Line]:
    """Yield a line an answer.

    Questions that make no sense for this kind are left out, and those that nobody can answer of what is not
    there. Where something boots, the ways that do not say what they lack; else a finding does.
    """
    verdicts = {answer.question: answer.verdict for answer in answers}
    ways = [verdicts[way] for way in WAYS if verdicts.get(way, "not applicable") != "not applicable"]
    boots = any(verdict != "no" for verdict in ways)
    media = [verdicts.get(way, "not applicable") for way in ("uefi_cd", "uefi_disk")]
    nothing = "no" in media and not {*media} - {"no", "not applicable"}
    no_linux = all(
        each.verdict == "unknown" and not each.because.startswith((UNSEEN, PARTLY))
        for each in answers
        if each.question in LINUX
    )
    for answer in answers:
        is_folded = (no_linux and answer.question in LINUX) or (nothing and answer.question in OF_A_PROGRAM)
        if no_linux and answer.question == LINUX[0]:
            yield f"  {'Linux':{WORDS_WIDTH}}  none was found inside", "dim"
        if answer.verdict == "not applicable" or is_folded:
            continue
        style = "dim" if answer.verdict == "unknown" else ""
        yield f"  {QUESTIONS[answer.question]:{WORDS_WIDTH}}  {answered(answer)}", style
        if boots and answer.verdict == "no" and answer.hint:
            yield f"  {'':{WORDS_WIDTH}}  hint: {answer.hint}", "dim"


def answered(answer: Answer) -> str:
    """Return what is said to a question, as one line."""
    where = "".join(f", {text}" for text in (each.text() for each in answer.conditions) if text)
    if answer.value:
        return f"{answer.value}{where}" + (f" ({answer.because})" if answer.because else "")
    return f"{answer.verdict}{where}" + (f": {answer.because}" if answer.because else "")


def evidence(answer: Answer, steps: Iterable[Step]) -> Iterator[Line]:
    """Yield how firmware comes to one answer, and the answer."""
    for step in steps:
        yield f"  {step.offset:#12x}  {step.text}", ""
    yield f"  {QUESTIONS[answer.question]}: {answered(answer)}", "bold"
    if answer.hint:
        yield f"  hint: {answer.hint}", ""


@dataclass(frozen=True, slots=True)
class _Row:
    """A line of the tree before its columns are aligned; `size` is "" where members are left out."""

    name: str
    what: str
    size: str
    offset: str


def tree(node: Node, *, whole: bool) -> Iterator[Line]:
    """Yield what lies in what; `whole` shows every member, else of many only those that say something."""

    def rows() -> Iterator[_Row]:
        return _rows(node, shown(node.name), "", "", whole=whole)

    width = min(max(len(row.name) for row in rows()), NAME_WIDTH)
    sizes = max(len(row.size) for row in rows())
    for row in rows():  # thrice: to keep hundreds of thousands of them costs more
        yield f"{row.name:{width}}  {row.size:>{sizes}}  {row.offset:>10}  {row.what}".rstrip(), ""


def _rows(node: Node, name: str, first: str, rest: str, *, whole: bool) -> Iterator[_Row]:
    """Yield an artifact and what is inside; `first` stands before its own line, `rest` before others."""
    offset = "" if node.member.offset is None or not rest + first else f"at {node.member.offset:#x}"
    yield _Row(first + name, _what(node), size(len(node.member.image)), offset)
    chosen = node.parts if whole else _telling(node.parts)
    hidden = 0 if whole else len(node.parts) - len(_folders(node.parts)) - len(chosen)
    last = len(chosen) - 1
    for index, child in enumerate(chosen):
        is_last = index == last and not hidden and not node.left_out
        marks = ("└── ", "    ") if is_last else ("├── ", "│   ")
        yield from _rows(child, shown(child.name), rest + marks[0], rest + marks[1], whole=whole)
    if node.left_out:
        yield _Row(f"{rest}└── … and more that are not looked at", "", "", "")
    elif hidden:
        yield _Row(f"{rest}└── … and {hidden} more (--tree shows all)", "", "", "")


def _telling(children: Sequence[Node]) -> list[Node]:
    """Return the few members to show, in their order: those that are wrong, or else known; no folders."""
    folders = _folders(children)
    files = [child for child in children if id(child) not in folders]
    if len(files) <= FEW:
        return files
    wrong = [child for child in files if any(node.findings for _, node in child.walk())]
    known = [child for child in files if child.kind]
    kept = {id(child) for child in ([*wrong, *known] or files)[:FEW]}
    return [child for child in files if id(child) in kept]


def _folders(children: Sequence[Node]) -> set[int]:
    """Return the ids of members that others lie in, or that say of themselves that they are directories."""
    above = {child.name.rpartition("/")[0] for child in children}
    return {
        id(child)
        for child in children
        if child.name in above or str(child.member.facts.get("mode", "")).startswith("d")
    }


def _what(node: Node) -> str:
    if node.kind is None:
        target = node.member.facts.get("target")
        return f"→ {shown(str(target))}" if target else ""
    if node.same_as is not None:
        return f"{node.kind.title}, the same as {path_of(node.same_as) or 'all of the file'}"
    said = _in_short(node)
    damaged = ""
    if node.artifact is None:
        damaged = ", not looked at" if node.left_out else ", cannot be read"
    return f"{node.kind.title}{f', {said}' if said else ''}{damaged}"


def _in_short(node: Node) -> str:
    match node.artifact:
        case Iso() as iso:
            return ", ".join(_of_iso(iso))
        case Partitions(used=used, sector_size=size):
            return f"{'GPT' if used else 'MBR'}, blocks of {size} bytes"
        case EfiImage(volume=volume):
            return f"{volume.variant}{f', label {shown(volume.label)}' if volume.label else ''}"
        case Pe(machine=machine):
            return f"for {machine_name(machine)}"
        case Kernel(header=BzImage(version=version), signers=signers) if version:
            return ", signed by ".join([shown(version), *filter(None, [" and ".join(map(shown, signers))])])
        case Cmdline(raw=raw):
            text = shown(raw.decode(errors="surrogateescape"))
            return text if len(text) <= SHORT else f"{text[: SHORT - 1]}…"
        case Initramfs(entries=entries, segments=segments):
            packed = ", ".join(segment.compression or "not packed" for segment in segments)
            return f"{_count(len(entries), 'member')}, {packed}"
        case Packed(compression=compression):
            return compression
        case Program(elf=Elf(machine=machine, is_static=static)):
            return f"{'static' if static else 'dynamic'}, for {shown(machine)}"
    return shown(str(getattr(node.artifact, "in_short", "")))


def _of_iso(iso: Iso) -> Iterator[str]:
    """Yield what is told of an ISO: its names, and what is on it for others than PCs."""
    if isinstance(iso.files, Iso9660) and iso.files.label:
        yield f"volume {shown(iso.files.label)}"
    if isinstance(iso.udf, Udf):
        yield f"UDF {shown(iso.udf.label)}"
    if is_for_macs(iso.image):
        yield "an Apple partition map for Macs"


def findings(problems: Sequence[Problem], name: str) -> Iterator[Line]:
    """Yield whether all was looked at, then what is wrong, errors first, and where to read more.

    The file `name` is not named again: what is said of it names no place, of what is inside where that is.
    """
    if not problems:
        yield "no findings", "bold"
        return
    errors = sum(problem.severity == "error" for problem in problems)
    yield f"findings: {_count(errors, 'error')}, {_count(len(problems) - errors, 'warning')}", "bold"
    order = sorted(problems, key=lambda problem: (problem.code != whole.CODE, problem.severity != "error"))
    for problem in order[:MAX_PROBLEMS]:
        style = "red" if problem.severity == "error" else "yellow"
        inside = problem.path.removeprefix(f"{escaped(name)}{SEPARATOR}")
        where = f" in {inside}" if inside != problem.path else ""
        yield f"  {problem.severity} {problem.code}{where}", style
        yield f"    {problem.message}", ""
        yield f"    hint: {problem.hint}", ""
    if len(problems) > MAX_PROBLEMS:
        yield f"  … and {len(problems) - MAX_PROBLEMS} more (--json shows all)", ""
    yield "docs/checks.md explains every code", "dim"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
