"""The command `./doit verify`: its arguments, its exit status, and what it says. It needs no project."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.checks.quoting import sentence, shown
from pipeline.errors import PipelineError
from pipeline.inspection.limits import confine
from pipeline.release.signatures import Verdict
from pipeline.release.trust import Trust, read_keys
from pipeline.release.verify import examine
from pipeline.report import Report

MARKS = {True: "[green]✓[/]", False: "[red]✗[/]", None: "[dim]-[/]"}
MOST = 50  # lines of what is wrong
STOPPED = 130  # as a shell says of a program that Ctrl-C ended
USAGE = "./doit verify DIR [--key FILE] [--identity WHO --issuer URL]"


def command(arguments: Sequence[str]) -> int:
    """Do as `main` does, in a process that does nothing else: it gets limits of its own."""
    confine(1, extracts=True)
    return main(arguments)


def main(arguments: Sequence[str]) -> int:
    """Say what holds of a release; return 1 if anything does not. SystemExit(2) for wrong arguments."""
    parser, report = _parser(), Report()
    asked = parser.parse_args(arguments)
    if bool(asked.identity) != bool(asked.issuer):
        parser.error("--identity and --issuer belong together")
    here = Path(os.environ.get("INSTALLER_ISO_CALLED_FROM", ""))
    try:
        trust = read_keys(here / asked.key) if asked.key else Trust()
        verdicts = examine(here / asked.folder, replace(trust, identity=asked.identity, issuer=asked.issuer))
    except PipelineError as error:
        report.error(error)
        return 1
    except KeyboardInterrupt:
        return STOPPED
    _tell(verdicts, report)
    return 1 if any(verdict.good is False for verdict in verdicts) else 0


def _tell(verdicts: Sequence[Verdict], report: Report) -> None:
    wrong = [verdict for verdict in verdicts if verdict.good is False]
    hidden = set(wrong[MOST:])
    for verdict in verdicts:
        if verdict not in hidden:
            report.answer(MARKS[verdict.good], shown(verdict.subject), sentence(verdict.sentence), "")
    if hidden:
        report.print(f"and {len(hidden)} more that are wrong")
    if wrong:
        report.print(f"{len(wrong)} wrong: do not use it", style="red")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./doit verify",
        usage=USAGE,
        description="Say whether a release is whole, what its documents say of it, and who signed it.",
        epilog="Exit status: 0 if nothing is wrong, 1 if anything is, 2 for wrong arguments.",
    )
    parser.add_argument("folder", metavar="DIR", help="the folder of a release, whoever it is from")
    parser.add_argument(
        "--key",
        "--signers",
        metavar="FILE",
        help="one of these public keys has to have signed it: of OpenPGP (gpg --export), of SSH (.pub), "
        "or in the form of allowed_signers",
    )
    parser.add_argument(
        "--identity", metavar="WHO", default="", help="whom Sigstore's certificate has to be for"
    )
    parser.add_argument("--issuer", metavar="URL", default="", help="by whose word, as the certificate says")
    return parser
