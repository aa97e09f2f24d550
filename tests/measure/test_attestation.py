"""What a machine's TPM says of itself: what runs, what does not, and what proves nothing."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import MappingProxyType

import pytest

from pipeline.cli import attest
from pipeline.errors import FormatError
from pipeline.formats.pcr import extended, initial
from pipeline.formats.tcg_log import KINDS, read_log, replay
from pipeline.measure import predict
from pipeline.measure.attestation import judge, read_evidence, read_expectations
from pipeline.measure.event import Expected
from pipeline.measure.predict import Expectation
from tests.fixtures import tpm_quote
from tests.fixtures.tcg_log import tcg_log

EVENTS = (
    (4, 0x8000_0003, b"shim"),
    (7, 0x8000_0001, b"db"),
    (11, 0x0D, b".linux"),
    (4, 0x8000_0003, b"uki"),
)
NONCE = bytes(range(32))
WHO = {"system": "TruthDB 1.2.0", "node": {"id": "ab" * 16, "name": "node-1", "host_name": "db-7"}}
NAME = f"000b{hashlib.sha256(tpm_quote.public()).hexdigest()}"


def expectation(changed: Mapping[str, bytes] = MappingProxyType({}), *, way: str = "disk") -> Expectation:
    """What is predicted for EVENTS; `changed` says which event is of something else."""
    events = [
        Expected(pcr, kind, data.decode(), hashlib.sha256(changed.get(data.decode(), data)).digest())
        for pcr, kind, data in EVENTS
    ]
    return Expectation(way, "own", tuple(events))


def answer(
    nonce: bytes = NONCE,
    *,
    phase: str = "leave-initrd",
    log: str = tcg_log(*EVENTS).hex(),
    identity: str = json.dumps(WHO),
    signed_identity: str = "",
    pcrs: Mapping[int, bytes] | None = None,
    **differs: object,
) -> bytes:
    """An honest answer, unless told otherwise."""
    made = replay(read_log(tcg_log(*EVENTS)), "sha256")
    made[11] = extended("sha256", made[11], [hashlib.sha256(phase.encode()).digest()] if phase else [])
    values = [(made | dict(pcrs or {})).get(number, initial("sha256")) for number in range(16)]
    extra = hashlib.sha256(nonce + (signed_identity or identity).encode()).digest()
    quoted = tpm_quote.quoted(extra, values)
    whole = {
        "version": 1,
        "nonce": nonce.hex(),
        "identity": identity,
        "key": tpm_quote.public().hex(),
        "quoted": quoted.hex(),
        "signature": tpm_quote.signature(quoted).hex(),
        "pcrs": [value.hex() for value in values],
        "log": log,
    }
    return json.dumps(whole | differs).encode()


def test_what_the_tpm_vouches_for_is_read() -> None:
    evidence = read_evidence(answer(), NONCE)
    assert (evidence.system, evidence.node["name"], evidence.key) == ("TruthDB 1.2.0", "node-1", NAME)
    assert len(evidence.log) == len(EVENTS)


@pytest.mark.parametrize("phase", ["leave-initrd", ""])
def test_the_release_runs(phase: str) -> None:
    verdict = judge(
        read_evidence(answer(phase=phase), NONCE), [expectation({"uki": b"older"}), expectation()]
    )
    assert (verdict.runs, verdict.compared.difference, verdict.compared.equal) == (True, "", 4)


@pytest.mark.parametrize(
    ("changed", "runs", "sentence"),
    [
        ({"uki": b"newer"}, False, "PCR 4, event 2: uki"),
        ({".linux": b"newer"}, False, "PCR 11, event 1: .linux"),
        ({"db": b"more"}, True, "PCR 7, event 1: db"),
    ],
)
def test_the_first_difference_is_named(changed: dict[str, bytes], runs: bool, sentence: str) -> None:
    verdict = judge(read_evidence(answer(), NONCE), [expectation(changed)])
    assert verdict.runs is runs
    assert verdict.compared.difference.startswith(sentence)


@pytest.mark.parametrize("told", ["Global credentials initrd", "quiet init=/bin/sh"])
def test_whatever_a_system_was_given_besides_is_a_difference(told: str) -> None:
    data = (told + "\0").encode("utf-16-le")
    log = tcg_log(*EVENTS, (12, 0x0D, data))
    value = extended("sha256", initial("sha256"), [hashlib.sha256(data).digest()])
    verdict = judge(read_evidence(answer(log=log.hex(), pcrs={12: value}), NONCE), [expectation()])
    assert not verdict.runs
    assert verdict.compared.difference.startswith("PCR 12, event 1: ")


def test_what_the_system_measured_besides_is_no_release() -> None:
    verdict = judge(read_evidence(answer(phase="a shell"), NONCE), [expectation()])
    assert not verdict.runs
    assert verdict.compared.difference.startswith("PCR 11 is ")


QUOTED = tpm_quote.quoted(b"", [])


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (answer(bytes(32)), "the answer is not one to this question"),
        (answer(signed_identity="{}"), "the answer is not one to this question"),
        (answer(signature=tpm_quote.signature(b"x").hex()), "the answer was not signed by the key"),
        (answer(key=tpm_quote.public(0x0007_0472).hex()), "is none that signs only what the TPM says itself"),
        (answer(key=tpm_quote.public(0x0004_0472).hex()), "is none that signs only what the TPM says itself"),
        (answer(key=tpm_quote.public(scheme=0x001A).hex()), "is none for ECDSA"),
        (answer(key=tpm_quote.public(x=5).hex()), "is no point of P-256"),
        (answer(signature="0014000b"), "is not ECDSA with SHA-256"),
        (
            answer(quoted=QUOTED.hex(), signature=tpm_quote.signature(QUOTED).hex()),
            "not one to this question",
        ),
        (answer(version=2), "of version 2, and 1 is known"),
        (answer(log="00"), "event log"),
        (answer(log="xx"), "no attestation"),
        (answer(identity="[]"), "no attestation"),
        (b"<html>", "no attestation"),
        (b"[" * 100_000, "no attestation"),
    ],
)
def test_what_proves_nothing_is_refused(said: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read_evidence(said, NONCE)


def test_values_that_are_not_signed_are_refused() -> None:
    said = json.loads(answer())
    said["pcrs"][4] = "00" * 32
    with pytest.raises(FormatError, match="the PCRs in the answer are not those that are signed"):
        read_evidence(json.dumps(said).encode(), NONCE)
    del said["pcrs"][15]
    with pytest.raises(FormatError, match="about other PCRs than those that are signed"):
        read_evidence(json.dumps(said).encode(), NONCE)


@pytest.mark.parametrize("cut", range(0, 72, 7))
def test_what_is_cut_off_is_refused(cut: int) -> None:
    said = json.loads(answer())
    for name in ("key", "signature"):
        with pytest.raises(FormatError):
            read_evidence(json.dumps(said | {name: said[name][: 2 * cut]}).encode(), NONCE)


def test_what_a_release_publishes_is_what_is_compared() -> None:
    one = expectation()
    text = predict.text([predict.of_image("x.iso", "00", [one], [])])
    (read,) = read_expectations(text.encode())
    assert sorted(read.events, key=str) == sorted(one.events, key=str)
    assert {KINDS[each.kind] for each in read.events} <= set(KINDS.values())
    for wrong in (b"{}", b"[]", text.replace('"sha256"', '"sha1"', 1).encode()):
        with pytest.raises(FormatError):
            read_expectations(wrong)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., int]]:
    """Return what runs the command against a machine on loopback that answers as told."""
    replies: list[tuple[int, Callable[[bytes], bytes]]] = []

    class Machine(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, reply = replies[0]
            body = reply(bytes.fromhex(self.path.rpartition("/")[2]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Machine)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    release = tmp_path / "measurements.json"
    release.write_text(predict.text([predict.of_image("x.iso", "00", [expectation()], [])]))

    def run(*words: str, status: int = 200, reply: Callable[[bytes], bytes] = answer) -> int:
        replies[:] = [(status, reply)]
        return attest.main(tmp_path, [f"127.0.0.1:{server.server_port}", "--release", str(release), *words])

    yield run
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_machine_is_asked(asked: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert asked() == 0
    said = capsys.readouterr().out
    assert "TruthDB 1.2.0, node node-1 abab" in said
    assert f"runs this release: all 4 events are as predicted for disk, {predict.OWNERS['own']}" in said
    assert f"the key of its TPM is {NAME}" in said
    assert asked("--key", NAME.upper()) == 0
    assert "the key of its TPM" not in capsys.readouterr().out
    assert asked("--key", "000b00") == 1
    assert "another machine answers" in capsys.readouterr().out


def test_trouble_is_told(asked: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(status=503, reply=lambda _: b"This machine has no TPM 2.0.\n") == 2
    assert asked(reply=lambda _: answer(bytes(32))) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "answers with status 503: This machine has no TPM 2.0." in said
    assert "recorded earlier" in said


def test_nobody_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    release = tmp_path / "m.json"
    release.write_text("{}")
    assert attest.main(tmp_path, ["127.0.0.1:9", "--release", str(release)]) == 2
    release.write_text(predict.text([predict.of_image("x", "00", [replace(expectation(), way="cd")], [])]))
    assert attest.main(tmp_path, ["127.0.0.1:9", "--release", str(release)]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "it has no predictions of measurements" in said
    assert "127.0.0.1:9 does not answer: Connection refused" in said
