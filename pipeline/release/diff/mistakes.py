"""What in a new version looks like a mistake: what nobody adds on purpose, or misses at once."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from pipeline.checks.initramfs.members import DEVICES
from pipeline.inspection.answer import QUESTIONS
from pipeline.inspection.member_path import SEPARATOR
from pipeline.release.diff.side import Archive, Side, Stored, Uki

TOLD = {"CPIO007", "CPIO015", "ELF005"}
"""Rules that say of an image what is said of its files one by one."""

Archives = Iterable[tuple[str, Archive | None, Archive | None]]
Ukis = Iterable[tuple[str, Uki | None, Uki | None]]


@dataclass(frozen=True, slots=True)
class Mistake:
    """One of them: `code` stays for ever, and so do those of `finding` (docs/checks.md)."""

    code: str
    path: str
    message: str


def mistakes(old: Side, new: Side, archives: Archives, ukis: Ukis) -> list[Mistake]:
    """Return what looks like one, in the order of the new side's parts; `archives` and `ukis` are paired."""
    return [
        *_ways(old, new),
        *(found for path, before, after in archives if after for found in _files(path, before, after)),
        *(found for path, before, after in archives if before for found in _services(path, before, after)),
        *(
            found
            for path, before, after in ukis
            if before and after
            for found in _unsigned(path, before, after)
        ),
        *_findings(old, new),
        *_older(old, new),
    ]


def _ways(old: Side, new: Side) -> Iterator[Mistake]:
    for way, works in old.boots.items():
        if works == "yes" and new.boots.get(way) == "no":
            yield Mistake("boots", "", f"it does not boot any more: {QUESTIONS[way]}")


def _files(path: str, before: Archive | None, after: Archive) -> Iterator[Mistake]:
    known = before.members if before else {}
    for name, stored in after.members.items():
        old = known.get(name)
        for code, message in _traits(name, stored).items():
            if old is None or code not in _traits(name, old) or (code == "device" and old != stored):
                yield Mistake(code, path, message)
    for name in sorted(after.unstripped - (before.unstripped if before else frozenset())):
        yield Mistake("unstripped", path, f"{name!r} has a symbol table: it is not stripped")


def _traits(name: str, stored: Stored) -> dict[str, str]:
    """Return what nobody adds to a file of that mode unawares: sentences by code."""
    mode, found = stored.mode, {}
    if mode[:1] in ("b", "c") and name not in DEVICES:
        found["device"] = f"{name!r} is a device node, {mode[0]} {stored.target}"
    if mode[:1] == "-" and (mode[3] in "sS" or mode[6] in "sS"):
        bits = "setuid" if mode[3] in "sS" else "setgid"
        found["setuid"] = f"{name!r} is {bits}: mode {mode}, owner {stored.owner}"
    sticky = mode[-1:] in ("t", "T")
    if mode[:1] in ("-", "d") and mode[8] == "w" and not (mode[0] == "d" and sticky):
        found["writable"] = f"everybody may write to {name!r}: mode {mode}"
    return found


def _services(path: str, before: Archive, after: Archive | None) -> Iterator[Mistake]:
    for name in sorted(before.services - (after.services if after else frozenset())):
        yield Mistake("service", path, f"init does not start {name!r} any more")


def _unsigned(path: str, before: Uki, after: Uki) -> Iterator[Mistake]:
    for signer in sorted(set(before.signers) - set(after.signers)):
        yield Mistake("signature", path, f"it is not signed by {signer!r} any more")


def _findings(old: Side, new: Side) -> Iterator[Mistake]:
    """Yield the rules that only the new side breaks: of a policy none that the old one broke anywhere."""
    places = {(found.code, _last(found.path)) for found in old.findings}
    codes = {found.code for found in old.findings} | TOLD
    for found in new.findings:
        if found.code not in codes if found.is_policy else (found.code, _last(found.path)) not in places:
            yield Mistake(found.code, found.path, found.message)


def _last(path: str) -> str:
    """Return the name at the end of a path: what is around it may be called otherwise than it was."""
    return path.rpartition(SEPARATOR)[2]


def _older(old: Side, new: Side) -> Iterator[Mistake]:
    if not (old.packages and new.packages):
        return
    from debian.debian_support import NativeVersion

    for name, after in new.packages.items():
        with suppress(KeyError, ValueError):  # it is new, or a stranger's version is none of Debian's
            before, now = (
                max(NativeVersion(version) for version in side.versions)
                for side in (old.packages[name], after)
            )
            if now < before:
                yield Mistake("older", "", f"the package {name} is older than it was: {before}, now {now}")
