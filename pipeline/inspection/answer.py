"""The questions that people ask of a boot image, and what an answer is."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["yes", "no", "unknown", "not applicable"]

QUESTIONS = {
    "uefi": "started by UEFI",
    "uefi_cd": "UEFI, from CD",
    "uefi_disk": "UEFI, from USB",
    "uefi_copied": "UEFI, if copied",
    "bios_cd": "BIOS, from CD",
    "bios_disk": "BIOS, from USB",
    "heads": "Heads",
    "secure_boot": "Secure Boot",
    "sbat": "SBAT",
    "architecture": "architecture",
    "kernel": "kernel",
    "cmdline": "command line",
    "init": "init",
    "microcode": "early microcode",
    "consoles": "consoles",
    "missing": "missing",
}
"""By the name that stands in JSON and stays: what a person reads, in the order in which it is read."""

UNSEEN, PARTLY = "inspecting it exceeds the limits for one file", "only part of it was inspected"
"""Why an answer is unknown: all or part of what it is about was not inspected."""

WAYS = frozenset({"uefi_cd", "uefi_disk", "bios_cd", "bios_disk"})
"""The ways of booting a medium."""

CONDITIONS = {
    "firmware": "on {} only, not by the rules",
    "firmware_bits": "on {}-bit firmware only",
    "block_size": "on disks of {}-byte blocks only",
    "sbat_level": "where SbatLevel is older than {}",
    "dbx": "where dbx is older than {}",
    "kernel": "by a kernel for {} only",
    "rdinit": "with rdinit={} only",
    "signature": "where the firmware takes {}",
    "db": "",
}
"""What a yes may depend on, by the name that stands in JSON and stays: how a person reads it.

What db has to hold is in the answer's own words already.
"""


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold for a yes, of the machine or of what starts Linux: `what`, one of those in `CONDITIONS`,
    has to be `value`. A no that has conditions is a yes where they hold.

    For `db`, `value` names who is trusted; of the entries in `one_of`, db has to hold one, and dbx none. Each
    is `certificate` and its SHA-256, `issuer` and its name, or an algorithm such as `sha256` and the digest
    that the program has by it.
    """

    what: str
    value: str
    one_of: tuple[str, ...] = ()

    def text(self) -> str:
        """Return it as people read it, "" for what is said elsewhere."""
        return CONDITIONS[self.what].format(self.value)


@dataclass(frozen=True, slots=True)
class Said:
    """What is said to a question.

    `value` is the answer in full where yes or no are not enough: a version, a command line. `because`
    is the evidence, one clause. `lacks` names what has to be added for another answer, and `hint` says how.
    A yes holds where all `conditions` do; `finding` is the code of the finding that decides, "" where none
    does.
    """

    verdict: Verdict
    value: str = ""
    because: str = ""
    lacks: str = ""
    conditions: tuple[Condition, ...] = ()
    finding: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A question's name, one of those in `QUESTIONS`, and what is said to it, as in `Said`."""

    question: str
    verdict: Verdict
    value: str
    because: str
    conditions: tuple[Condition, ...]
    finding: str
    hint: str
