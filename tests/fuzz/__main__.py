"""Fuzzes each target for some minutes, starting from its seeds; says how many inputs it took, and what broke.

An input that breaks a target is kept in tests/fuzz/regressions/, where the test suite tries it from then on.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from tests.fuzz.targets import REGRESSIONS, TARGETS

SECONDS_AN_INPUT = 20
MEMORY = 600  # MiB
LARGEST = 1 << 18  # bytes


@dataclass(frozen=True)
class Outcome:
    """What fuzzing one target came to; `broken` is the input that it did not answer."""

    inputs: int
    broken: Path | None
    log: str


def fuzz(name: str, seconds: int) -> Outcome:
    """Run one target for some seconds, or until an input breaks it."""
    with tempfile.TemporaryDirectory(prefix="installer-iso-fuzz-") as folder:
        corpus, found = Path(folder) / "corpus", Path(folder) / "found"
        corpus.mkdir()
        found.mkdir()
        for seed in TARGETS[name].seeds():
            (corpus / sha256(seed).hexdigest()[:16]).write_bytes(seed)
        command = [
            *(sys.executable, "-m", "tests.fuzz.engine", name, str(corpus)),
            f"-max_total_time={seconds}",
            f"-timeout={SECONDS_AN_INPUT}",
            f"-rss_limit_mb={MEMORY}",
            f"-max_len={LARGEST}",
            f"-artifact_prefix={found}/",
            "-print_final_stats=1",
        ]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        count = re.findall(r"number_of_executed_units: *(\d+)", done.stderr)
        broken = None
        for path in found.iterdir():
            broken = REGRESSIONS / name / sha256(path.read_bytes()).hexdigest()[:16]
            broken.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, broken)
        if done.returncode and broken is None:
            raise SystemExit(f"{name}: the fuzzer failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
        return Outcome(int(count[-1]) if count else 0, broken, done.stdout + done.stderr)


def main() -> int:
    """Fuzz what the command line names; return 1 when anything broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", default=list(TARGETS), help=f"some of {', '.join(TARGETS)}")
    parser.add_argument("--minutes", type=float, default=1.0, help="for each target")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.targets) - set(TARGETS))
    if unknown:
        parser.error(f"{unknown[0]!r} is no target; there are {', '.join(TARGETS)}")
    failed = False
    for name in arguments.targets:
        outcome = fuzz(name, round(arguments.minutes * 60))
        print(f"{name:16} {outcome.inputs:>9} inputs  {outcome.broken or 'all answered'}", flush=True)
        if outcome.broken:
            failed = True
            print("\n".join(line for line in outcome.log.splitlines() if "Error" in line)[-2000:])
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
