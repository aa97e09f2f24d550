"""The command `./doit attest`: asks a machine what runs there, and says in one sentence whether it is so."""

import argparse
import http.client
import secrets
from collections.abc import Sequence
from pathlib import Path

from pipeline.checks.quoting import escaped, sentence
from pipeline.errors import PipelineError
from pipeline.inspection.open import located
from pipeline.measure.attestation import MAX_SIZE, Evidence, Verdict, judge, read_evidence, read_expectations
from pipeline.measure.predict import OWNERS, Expectation

EQUAL, DIFFERENT, TROUBLE = 0, 1, 2
PORT = 8081
PATIENCE = 30.0  # seconds: a TPM takes one or two
NONCE = 32  # bytes


def main(root: Path, arguments: Sequence[str]) -> int:
    """Ask and judge; return the exit status. SystemExit(2) for wrong arguments."""
    asked = _parser().parse_args(arguments)
    try:
        return _run(root, asked)
    except PipelineError as error:
        from pipeline.report import Report

        Report().error(PipelineError(sentence(error.message), sentence(error.hint)))
        return TROUBLE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./doit attest",
        description="Ask a machine what runs there. Its TPM signs what firmware and boot loaders measured, "
        "together with a number that nobody knew before; that is compared with what a release publishes.",
        epilog="Exit status: 0 the release runs there; 1 something else does; 2 nobody can say. "
        "docs/attestation.md explains what is proved, and what is not.",
    )
    parser.add_argument("host", metavar="HOST[:PORT]", help=f"the machine, at port {PORT} if none is named")
    parser.add_argument(
        "--release",
        metavar="FILE",
        help="the measurements of a release, as `./doit measure --json` writes them; without it, "
        "what was built here is measured",
    )
    parser.add_argument(
        "--key", metavar="NAME", help="the name of its TPM's key, as told the first time: no other may answer"
    )
    return parser


def _run(root: Path, asked: argparse.Namespace) -> int:
    expected = _expected(root, asked.release)
    nonce = secrets.token_bytes(NONCE)
    evidence = read_evidence(ask(asked.host, nonce), nonce)
    if asked.key and asked.key.lower() != evidence.key:
        print(f"another machine answers: the key of its TPM is {evidence.key}")
        return DIFFERENT
    verdict = judge(evidence, expected)
    print(said(asked.host, evidence, verdict))
    if not asked.key:
        print(f"the key of its TPM is {evidence.key}: name it with --key, and no other TPM can answer for it")
    return EQUAL if verdict.runs else DIFFERENT


def said(host: str, evidence: Evidence, verdict: Verdict) -> str:
    """Return in one sentence what runs on a machine."""
    node = " ".join(value for value in (evidence.node.get("name"), evidence.node.get("id")) if value)
    who = f"{host} ({evidence.system}{', node ' + node if node else ''})"
    one, compared = verdict.one, verdict.compared
    how = f"{one.way}, {OWNERS.get(one.trust, one.trust)}"
    if not verdict.runs:
        return f"{who} does not run this release: nearest is {how}. {compared.difference}"
    if compared.difference:
        return f"{who} runs this release; whom its firmware trusts was not predicted. {compared.difference}"
    return f"{who} runs this release: all {compared.equal} events are as predicted for {how}"


def _expected(root: Path, release: str | None) -> list[Expectation]:
    if release is None:
        from pipeline.cli.measure import predicted_here

        return predicted_here(root, "name what a release measures: --release FILE; or build it: `./doit iso`")
    path = located(release)
    try:
        return read_expectations(path.read_bytes()[: MAX_SIZE + 1])
    except OSError as error:
        raise PipelineError(
            f"{release}: cannot be read: {error.strerror}", "name a release's measurements"
        ) from error
    except PipelineError as error:
        raise PipelineError(f"{release}: {error.message}", error.hint) from error


def ask(host: str, nonce: bytes) -> bytes:
    """Return what a machine, HOST or HOST:PORT, answers to a nonce; PipelineError for no answer."""
    hint = "does the machine run, and is it the port of its attestation?"
    if "/" in host:
        raise PipelineError(f"{host}: is no HOST or HOST:PORT", "name a machine, such as db-7.example.org")
    try:
        connection = http.client.HTTPConnection(
            host if _names_port(host) else f"{host}:{PORT}", timeout=PATIENCE
        )
        connection.request("GET", f"/attestation/{nonce.hex()}")
        answer = connection.getresponse()
        body = answer.read(MAX_SIZE + 1)
    except (OSError, http.client.HTTPException, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise PipelineError(f"{host} does not answer: {why}", hint) from error
    if len(body) > MAX_SIZE:
        raise PipelineError(f"{host} answers with more than {MAX_SIZE} bytes", hint)
    if answer.status != http.client.OK:
        text = escaped(body[:200].decode(errors="replace").strip())
        raise PipelineError(f"{host} answers with status {answer.status}: {text}", hint)
    return body


def _names_port(host: str) -> bool:
    """Tell HOST:PORT from HOST, which may be an IPv6 address in brackets."""
    return host.rpartition(":")[2].isdigit() and not host.endswith("]")
