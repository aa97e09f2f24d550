"""Verifies what a machine's TPM says of itself: that it is said now, and signed, and what was started.

What the appliance answers is made by `programs/appliance/src/attest.rs`.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.checks.quoting import escaped
from pipeline.errors import FormatError
from pipeline.formats import tcg_log, tpm_quote
from pipeline.formats.pcr import KERNEL_BOOT, extended, initial
from pipeline.measure.compare import Compared, compare
from pipeline.measure.event import BANK, Expected
from pipeline.measure.predict import Expectation

VERSION = 1
LAST_PHASE = "leave-initrd"
"""What the appliance measures into PCR 11 once its data are open: from then on nothing opens them again."""

SECURE_BOOT = 7  # the PCR of whom the firmware trusts
MAX_SIZE = 1 << 24  # bytes of an answer
HINT = "is this the port of an appliance's attestation? The product says which: service.attestation_port"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a machine answered, and its TPM vouches for: `pcrs` by their numbers, and the log that makes them.

    `system` and `node` are what it calls itself, for which nobody vouches but whoever wrote what runs there.
    """

    system: str
    node: Mapping[str, str]
    key: str  # the name of the TPM's key, in hex
    pcrs: Mapping[int, bytes]
    log: tuple[tcg_log.Event, ...]


def read_evidence(answer: bytes, nonce: bytes) -> Evidence:
    """Return what an answer to the nonce proves.

    Raises FormatError for what is no answer, and for one that the TPM does not vouch for: of another nonce,
    not signed, or with other values than those that are signed.
    """
    try:
        said: dict[str, Any] = json.loads(answer)
        identity = str(said["identity"])
        key, quoted, signature = (bytes.fromhex(said[name]) for name in ("key", "quoted", "signature"))
        values = [bytes.fromhex(value) for value in said["pcrs"]]
        log = bytes.fromhex(said["log"])
        who = json.loads(identity)
        system, node = str(who["system"]), dict(who["node"] or {})
        version = said["version"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FormatError(f"the answer is no attestation: {escaped(str(error))}", HINT) from error
    if version != VERSION:
        raise FormatError(f"the answer is of version {escaped(str(version))}, and {VERSION} is known", HINT)
    _verify(key, quoted, signature, hashlib.sha256(nonce + identity.encode()).digest(), values)
    shown = {escaped(str(name)): escaped(str(value)) for name, value in node.items()}
    return Evidence(
        escaped(system), shown, tpm_quote.name_of(key), dict(enumerate(values)), tcg_log.read_log(log)
    )


def _verify(key: bytes, quoted: bytes, signature: bytes, extra: bytes, values: Sequence[bytes]) -> None:
    if not tpm_quote.is_signed(key, quoted, signature):
        raise FormatError(
            "the answer was not signed by the key that comes with it", "somebody changed it on its way"
        )
    quote = tpm_quote.read_quote(quoted)
    if quote.extra != extra:
        raise FormatError(
            "the answer is not one to this question: its nonce or its identity is another",
            "somebody answers with what was recorded earlier, or passes on what another machine says",
        )
    if (quote.bank, quote.pcrs) != (BANK, tuple(range(len(values)))):
        raise FormatError("the answer is about other PCRs than those that are signed", HINT)
    if quote.digest != hashlib.sha256(b"".join(values)).digest():
        raise FormatError(
            "the PCRs in the answer are not those that are signed", "somebody changed it on its way"
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether what was predicted `runs`, started as `one` says, and the first difference, "" for none.

    Where it runs, a difference is about whom the firmware trusts, which no image decides on.
    """

    runs: bool
    one: Expectation
    compared: Compared


def judge(evidence: Evidence, expected: Sequence[Expectation]) -> Verdict:
    """Return how evidence compares with the prediction that is nearest to it.

    What the running system measures into PCR 11 last is no difference. Raises FormatError where nothing is
    predicted.
    """
    if not expected:
        raise FormatError("nothing is predicted for this release", "name the measurements of one: --release")
    pcrs = dict(evidence.pcrs)
    by_log = tcg_log.replay(evidence.log, BANK).get(KERNEL_BOOT, initial(BANK))
    phase = hashlib.sha256(LAST_PHASE.encode()).digest()
    if pcrs.get(KERNEL_BOOT) == extended(BANK, by_log, [phase]):
        pcrs[KERNEL_BOOT] = by_log
    found = [_verdict(one, evidence.log, pcrs) for one in expected]
    return max(found, key=lambda each: (each.runs, not each.compared.difference, each.compared.equal))


def _verdict(one: Expectation, log: Sequence[tcg_log.Event], pcrs: Mapping[int, bytes]) -> Verdict:
    whole = compare(one.events, log, pcrs)
    if not whole.difference:
        return Verdict(True, one, whole)
    programs = compare(
        [each for each in one.events if each.pcr != SECURE_BOOT],
        [each for each in log if each.pcr != SECURE_BOOT],
        {number: value for number, value in pcrs.items() if number != SECURE_BOOT},
    )
    # In what is left, PCR 7 is as it began on both sides.
    return Verdict(not programs.difference, one, whole if not programs.difference else programs)


def read_expectations(document: bytes) -> list[Expectation]:
    """Return the predictions that a release publishes (docs/measure.schema.json). FormatError for no such."""
    kinds = {name: number for number, name in tcg_log.KINDS.items()}
    try:
        said = json.loads(document)
        if (said["version"], said["bank"]) != (1, BANK):
            raise FormatError("the measurements are of another version or bank", "take those of the release")
        return [
            Expectation(
                str(one["way"]),
                str(one["trust"]),
                tuple(_expected(each, kinds[each["kind"]]) for each in one["events"]),
            )
            for image in said["images"]
            for one in image["predictions"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FormatError(
            f"it has no predictions of measurements: {error}",
            "name the file that `./doit measure --json` writes",
        ) from error


def _expected(said: Mapping[str, Any], kind: int) -> Expected:
    return Expected(int(said["pcr"]), kind, str(said["what"]), bytes.fromhex(said["digest"]))
