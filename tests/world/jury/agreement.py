"""The page docs/agreement.md, and `seen.json`, which it is made of: what was tried, and what came of it."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.world.jury.flips import UNSEEN
from tests.world.jury.row import STORED, TITLES, WAYS, Row
from tests.world.jury.stores import STORES
from tests.world.jury.table import GROUPS, TABLE
from tests.world.jury.verdict import Trial

SEEN = "tests/world/jury/seen.json"
PAGE = "docs/agreement.md"

HEAD = """\
# How often `inspect` agrees with firmware and Linux

Made by `.venv/bin/python -m tests.world.jury`; edit `tests/world/jury/`, not this page.

Each image is made by the recipe of its row in `tests/world/jury/`, and started in QEMU with a program that
says over the serial port that it was started: by OVMF (EDK II) as CD, as USB stick, or as disk with blocks of
4096 bytes, with Secure Boot too, and the db and dbx of `tests/world/jury/trust.py`; by SeaBIOS; or, for an
initramfs, by Linux. What a boot loader of others starts is a kernel of some KiB that says the same, and wants
an initramfs. That is compared with what `./doit inspect --json` answers. A yes that has conditions
counts as a yes on the machines where they hold, and as a no on others; so does a no that has any. "Not said"
is where the answer is "unknown".

Where the machine has a TPM (swtpm), the program asks it for PCR 11, and for the policy that systemd seals to,
before and after each phase of a start. `inspect` agrees if it says that value, and says that a .pcrsig is for
another one exactly where the TPM never has a policy that is signed there.
"""
LOADS = """
## Programs and variable stores

On machines that trust different people OVMF loads each of these programs, without starting it. What it says
is compared with what `./doit inspect --secure-boot VARS.fd` says of the program and the same variables: it
starts ("yes"), something else than Secure Boot stops it ("no"), or Secure Boot does, for a signer or a digest
in dbx, or for another reason ("denied", also for a digest in dbx of a program without a signature).
"""
FLIPS = """
## Single bytes of a signed UKI

`test_flips.py` has OVMF load a signed UKI with one byte changed, again and again: all over its headers, each
section, what is between them, and its signature. It is refused, and `inspect` says so, but for these bytes:
"""
MARKS = {
    "agreed": "",
    "not said": " (not said)",
    "known": " (known difference)",
    "disagreed": " (**disagreed**)",
}


def digest(row: Row) -> str:
    """Return what tells a row's recipe from an older one."""
    return hashlib.sha256(row.recipe.encode()).hexdigest()[:12]


def record(root: Path, trials: Iterable[Trial]) -> None:
    """Remember what was seen, forget rows that there are no more, and write the page."""
    path = root / SEEN
    seen: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    for trial in trials:
        fields = {
            key: value
            for key, value in asdict(trial).items()
            if key not in ("name", "way") and value not in ((), None)
        }
        seen[f"{trial.name}:{trial.way}"] = {**fields, "recipe": digest(TABLE[trial.name])}
    known = {key: seen[key] for key in every_trial() if key in seen}
    lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in known.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    (root / PAGE).write_text(write(known))


def every_trial() -> list[str]:
    """Return all trials of the table, by NAME:WAY."""
    return [f"{name}:{way}" for name, row in TABLE.items() for way in row.ways]


def totals(trials: Iterable[Trial]) -> str:
    """Return one line that counts."""
    counted = Counter(trial.agreement for trial in trials)
    return f"{sum(counted.values())} trials: " + ", ".join(
        f"{count} {what}" for what, count in counted.items()
    )


def write(seen: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the page."""
    lines = [HEAD, "| way | tried | start | agreed | not said | known differences | disagreed |"]
    lines.append("| --- | --- | --- | --- | --- | --- | --- |")
    for way, title in TITLES.items():
        found = [one for key, one in seen.items() if key.endswith(f":{way}")]
        lines += [_total(title, found)] if found else []
    lines.append(_total("all", list(seen.values())))
    lines.append(f"\nThese are {len(TABLE)} images.")
    for group, rows in GROUPS.items():
        tried = {name: row for name, row in rows.items() if set(row.ways) - set(STORED)}
        if tried:
            lines += [f"\n## {group}\n", "| image | what it is | what was seen |", "| --- | --- | --- |"]
            lines += [_row(name, row, seen) for name, row in tried.items()]
    lines += _matrix(seen)
    lines += [FLIPS, *(f"- {part}: {why}" for part, why in UNSEEN.items())]
    known = [
        f"- `{name}`, {TITLES[way]}: {why}" for name, row in TABLE.items() for way, why in row.differs.items()
    ]
    if known:
        lines += ["\n## Known differences\n", *known]
    return "\n".join(lines) + "\n"


def _matrix(seen: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the section about programs that are loaded with each variable store."""
    lines = [LOADS, *(f"- {name}: {store.what}" for name, store in STORES.items()), ""]
    lines += [f"| image | what it is | {' | '.join(STORES)} |", "| --- | --- |" + " --- |" * len(STORES)]
    for name, row in TABLE.items():
        found = [seen.get(f"{name}:{way}") for way in STORED if way in row.ways]
        if found:
            lines.append(f"| `{name}` | {row.what.replace('|', '/')} | {' | '.join(map(_loaded, found))} |")
    return lines


def _loaded(one: Mapping[str, Any] | None) -> str:
    if one is None:
        return "not tried yet"
    return (one["stopped"] or "yes") + MARKS[one["agreement"]]


def _total(title: str, found: list[Mapping[str, Any]]) -> str:
    counted = Counter(one["agreement"] for one in found)
    numbers = [len(found), sum(one["started"] for one in found), *(counted[what] for what in MARKS)]
    return f"| {title} | " + " | ".join(map(str, numbers)) + " |"


def _row(name: str, row: Row, seen: Mapping[str, Mapping[str, Any]]) -> str:
    said = []
    for way in WAYS:
        one = seen.get(f"{name}:{way}")
        if one and way not in STORED:
            verb = "starts" if one["started"] else "does not start"
            if one.get("measured"):
                verb += f", PCR 11 is {one['measured'][0][:8]}…"
                verb += one["said"].partition(";")[2].replace(" .pcrsig", ", .pcrsig")
            said.append(f"{TITLES[way]}: {verb}{MARKS[one['agreement']]}")
    return f"| `{name}` | {row.what.replace('|', '/')} | {'; '.join(said) or 'not tried yet'} |"
