"""What looking at one file may cost: a budget that every part of an inspection pays from.

Small files can refer to the same bytes many times over, in ways that no limit of a single structure catches:
all that is done is counted here, against limits that grow with the file.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pipeline.errors import FormatError

MEMBERS = "members"
DEPTH = "levels of members inside members"
ARCHIVES = "archives in a row"
STEPS = "reads, look-ups and the like"  # records, findings …: each takes some microseconds
READ = "bytes of reading"
UNPACKED = "bytes of unpacking"
FILES = "temporary files"
ROOM = "room in the folder for temporary files"  # what the disk has, not what it may take
TIME = "seconds of computing"

CALLS_A_LOOK = 64  # at the clock, which takes as long as most that is paid for
MIB = 1 << 20
MAX_UNPACKED = 1 << 32  # bytes; Linux takes no larger initramfs
MAX_STEPS = 4_000_000
MAX_MEMBERS = 200_000
MAX_DEPTH = 12
MAX_SECONDS = 300


class Spent(Exception):  # noqa: N818  no error: what was found until then stands
    """The budget is spent: more is not looked at. Nothing is wrong with the file because of that."""


class Budget:
    """What may still be spent of each of some things; of what has no limit, any amount.

    `spent` is what there was too little of, in the order in which that was noticed.
    """

    def __init__(self, limits: Mapping[str, int], seconds: float) -> None:
        self.limits = dict(limits)
        self.seconds = seconds  # of this thread's processor time, so that a busy machine changes no answer
        self.spent: list[str] = []
        self.calls = 0
        self.refill()

    def refill(self) -> None:
        """Begin anew, with all of it, for what is asked next; `spent` stays."""
        self.left = dict(self.limits)
        self.end = time.thread_time() + self.seconds

    def lift(self) -> None:
        """Limit nothing from now on."""
        self.limits = {}
        self.refill()

    def spend(self, what: str, amount: int = 1) -> None:
        """Pay for something. Raises Spent if too little, or no time, is left."""
        left = self.left.get(what)
        if left is None:
            return
        self.left[what] = left - amount
        if left < amount:
            raise self.lacking(what)
        self.calls += 1
        if self.calls % CALLS_A_LOOK == 0 and time.thread_time() > self.end:
            raise self.lacking(TIME)

    @contextmanager
    def half(self) -> Iterator[None]:
        """Let what is done meanwhile have half of what is left, so that others come to their turn."""
        kept = {what: max(left, 0) // 2 for what, left in self.left.items()}
        for what, amount in kept.items():
            self.left[what] -= amount
        try:
            yield
        finally:
            for what, amount in kept.items():
                self.left[what] += amount

    def lacking(self, what: str) -> Spent:
        """Note what there is too little of, and return the exception that says so."""
        if what not in self.spent:
            self.spent.append(what)
        return Spent(what)

    def lacking_or(self, what: str, message: str, hint: str) -> Exception:
        """Return what a reader raises at a limit of its own: Spent in an inspection, else a FormatError."""
        return self.lacking(what) if self.limits else FormatError(message, hint)


ENDLESS = Budget({}, 0)
"""For what is no stranger's, or is looked at by somebody who has limits of his own."""


def for_file(size: int) -> Budget:
    """Return the budget of an inspection of a file of that size."""
    return Budget(
        {
            MEMBERS: min(10_000 + size // 32, MAX_MEMBERS),
            STEPS: min(50_000 + size // 8, MAX_STEPS),
            READ: 256 * MIB + 8 * size,
            UNPACKED: min(128 * MIB + 64 * size, MAX_UNPACKED),
            FILES: 128,
        },
        min(10 + size / MIB, MAX_SECONDS),
    )
