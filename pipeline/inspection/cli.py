"""The command `./doit inspect`: its arguments, its exit status, and which output it writes where.

It needs no recipe, no lock and no engine: it works where those are broken.
"""

import argparse
import io
import os
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.checks.catalog import take_apart
from pipeline.checks.finding import POLICIES, PolicyName, Severity
from pipeline.checks.kind import Node
from pipeline.checks.quoting import escaped, sentence
from pipeline.errors import PipelineError
from pipeline.formats.efi_variables import read_variables
from pipeline.formats.magic import describe
from pipeline.formats.secure_boot import Store, read_store
from pipeline.inspection import document, evidence, extract, text
from pipeline.inspection.answer import Answer
from pipeline.inspection.limits import confine
from pipeline.inspection.open import defect, guarded, located, open_file
from pipeline.inspection.questions import interviewed

GOOD, BAD, UNREADABLE = 0, 1, 2
EVERY = "all"  # policies
STOPPED = 130  # as a shell says of a program that Ctrl-C ended


@dataclass(frozen=True, slots=True)
class Looked:
    """A file, and what came of looking at it: what lies in it and the answers, or why neither.

    `refused` is whether the machine that was asked about does not start it under Secure Boot.
    """

    name: str
    node: Node | None = None
    answers: tuple[Answer, ...] = ()
    error: PipelineError | None = None

    refused: bool = False

    @property
    def status(self) -> int:
        """The exit status that this file alone would give."""
        if self.node is None:
            return UNREADABLE
        if self.refused:
            return BAD
        wrong = (finding.severity for _, node in self.node.walk() for finding in node.findings)
        return BAD if Severity.ERROR in wrong else GOOD


def command(arguments: Sequence[str]) -> int:
    """Do as `main` does, in a process that does nothing else: it gets limits of its own."""
    confine(len(arguments), extracts="--extract" in arguments)
    return main(arguments)


def main(arguments: Sequence[str]) -> int:
    """Do what the arguments ask for, and return the exit status. SystemExit(2) for wrong arguments."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    if bool(asked.files) == bool(asked.extract):
        parser.error("--extract takes no FILE besides PATH" if asked.files else "name at least one FILE")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        return _extract(*asked.extract) if asked.extract else _inspect(asked)
    except OSError as error:
        # what is left must not be written when Python ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # who reads has read enough
            return GOOD
        why = PipelineError(f"cannot be written: {error.strerror}", "write it where there is room")
        _complain(why, "standard output")
        return UNREADABLE
    except KeyboardInterrupt:
        return STOPPED
    except Exception as error:
        _complain(defect(error), "what was found")
        return UNREADABLE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./doit inspect",
        description="Say of any boot image whether it will boot, and why not. Nothing is run or mounted.",
        epilog="Exit status: 0 no errors, 1 errors, or nothing boots, 2 a file that cannot be read.",
    )
    parser.add_argument(
        "files", nargs="*", metavar="FILE", help="an ISO, a disk image, a UKI, a kernel, an initramfs …"
    )
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="all of it, as docs/inspect.schema.json says")
    output.add_argument("--tree", action="store_true", help="only what lies in what, all of it")
    output.add_argument(
        "--extract",
        nargs=2,
        metavar=("PATH", "DEST"),
        help="write the member PATH, such as x.iso!efi.img!EFI/BOOT/BOOTX64.EFI!.initrd!etc/inittab, to a "
        "new file DEST, or - for standard output",
    )
    output.add_argument(
        "--why",
        choices=evidence.WAYS,
        default="",
        help="how firmware comes to the answer, step by step: what it reads, where, and what it makes of it",
    )
    parser.add_argument(
        "--secure-boot",
        metavar="VARS",
        help="whether it starts on the machine with these variables: OVMF_VARS.fd, a folder such as "
        "/sys/firmware/efi/efivars, or the JSON of virt-fw-vars",
    )
    parser.add_argument(
        "--policy",
        action="append",
        choices=[*POLICIES, EVERY],
        default=[],
        help="also hold it to a policy, as builds are; "
        + "; ".join(f"{name}: {text}" for name, text in POLICIES.items()),
    )
    return parser


def _inspect(asked: argparse.Namespace) -> int:
    policies = tuple(POLICIES) if EVERY in asked.policy else tuple(asked.policy)
    try:
        store = _machine(asked.secure_boot) if asked.secure_boot else None
    except PipelineError as error:
        _complain(error, asked.secure_boot)
        return UNREADABLE
    every = (_look(name, policies, store) for name in asked.files)
    statuses = [GOOD]

    def counted() -> Iterator[Looked]:
        for looked in every:
            statuses.append(looked.status)
            if looked.error:
                _complain(looked.error, looked.name)
            yield looked

    if asked.json:
        sys.stdout.writelines(document.written(_as_json(looked) for looked in counted()))
    else:
        _print(_as_text(counted(), tree_only=asked.tree, why=asked.why))
    sys.stdout.flush()
    return max(statuses)


def _machine(name: str) -> Store:
    """Read what a machine trusts. Raises PipelineError for what is no variable store."""
    return guarded(lambda: read_store(read_variables(located(name))))


def _look(name: str, policies: Collection[PolicyName], store: Store | None) -> Looked:
    try:
        node = guarded(lambda: take_apart(open_file(name), Path(name).name, policies=policies))
        if node.kind is None:
            return Looked(name, error=_unknown(node))
        node, answers = guarded(lambda: interviewed(node, store))
        said = next((each for each in answers if each.question == "secure_boot"), None)
        return Looked(name, node, answers, refused=bool(store and said and said.verdict == "no"))
    except PipelineError as error:
        return Looked(name, error=error)


def _unknown(node: Node) -> PipelineError:
    return PipelineError(
        f"is {describe(node.member.image)}: nothing that boots, nor what lies in such a thing",
        "give an ISO, a disk image, a file system, an EFI program, a kernel, an initramfs or an ELF program",
    )


def _complain(error: PipelineError, name: str | None = None) -> None:
    from pipeline.report import Report

    about = "" if name is None else f"{escaped(name)}: "
    Report().error(PipelineError(about + sentence(error.message), sentence(error.hint)))


def _as_json(looked: Looked) -> Iterator[str]:
    error = looked.error
    failure = document.Failure(sentence(error.message), sentence(error.hint)) if error else None
    return document.written_file(looked.name, error=failure, answers=looked.answers, node=looked.node)


def _as_text(every: Iterable[Looked], *, tree_only: bool, why: str) -> Iterator[text.Line]:
    first = True
    for looked in every:
        if looked.node is None:
            continue
        if not first:
            yield "", ""
        first = False
        if tree_only:
            yield from text.tree(looked.node, whole=True)
            continue
        yield text.heading(looked.name, looked.node)
        if why:
            answer = next(each for each in looked.answers if each.question == evidence.WAYS[why])
            yield from text.evidence(answer, evidence.steps(looked.node, why))
            continue
        yield from text.told(looked.answers)
        yield "", ""
        yield from text.tree(looked.node, whole=False)
        yield "", ""
        yield from text.findings(document.problems(looked.name, looked.node), looked.name)


def _print(lines: Iterable[text.Line]) -> None:
    if not sys.stdout.isatty():
        sys.stdout.writelines(f"{line}\n" for line, _ in lines)
        return
    from pipeline.report import Report

    report = Report()
    for line, style in lines:
        report.print(line, style)


def _extract(path: str, destination: str) -> int:
    try:
        extract.write(extract.find(path), destination)
    except PipelineError as error:
        _complain(error)
        return UNREADABLE
    return GOOD
