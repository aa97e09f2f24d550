"""Which of a UKI's sections systemd-stub takes, in each of its profiles.

Specifications: UAPI.5 Unified Kernel Image, "PE Sections" and "Multi-Profile UKIs"; systemd, src/boot/pe.c
(pe_locate_profile_sections), src/fundamental/uki.h
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import wraps

from pipeline.checks.attempt import or_none
from pipeline.checks.finding import Fault, Faults
from pipeline.checks.kind import Node
from pipeline.checks.pe import sections
from pipeline.checks.pe.uki_parts import read_description
from pipeline.formats.budget import STEPS
from pipeline.formats.fields import budget_of
from pipeline.formats.pe import Pe, Section

PROFILE = ".profile"
KNOWN = (
    *(".linux", ".osrel", ".cmdline", ".initrd", ".ucode", ".splash", ".dtb", ".uname", ".sbat"),
    *(".pcrsig", ".pcrpkey", PROFILE, ".dtbauto", ".hwids", ".efifw"),
)
"""All that a stub may know, in the order in which it measures them."""

CHOSEN = (".dtbauto", ".efifw")
"""Sections of which there may be several: the stub takes the first that is for the machine, if any."""

MAX_STUB = 1 << 20  # bytes of a section of the stub's own; all of it has a tenth of that
IN_VIEW = "section"
"""The attribute of a part of a view that has the name it has in the UKI itself."""

Taken = tuple[Section, str]
"""A section, and the name that only it has."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What the stub takes in one profile; `number` is None in a UKI that has none.

    `takes` has the sections that count by their names: one each, of those in `CHOSEN` all.
    """

    number: int | None
    id: str
    title: str
    takes: Mapping[str, tuple[Taken, ...]]

    @property
    def label(self) -> str:
        """What people call it: `profile @1 (rescue)`; "" for the whole of a UKI without profiles."""
        if self.number is None:
            return ""
        name = self.id or self.title
        return f"profile @{self.number}{f' ({name})' if name else ''}"

    def one(self, name: str) -> Section | None:
        """Return the one section of that name, None without one; an empty one counts as none."""
        section, _ = next(iter(self.takes.get(name, ())), (None, ""))
        return section if section and section.virtual_size else None


def known_to_stub(uki: Pe) -> frozenset[str]:
    """Return which sections the stub in front of them knows: those whose names it has among its strings.

    Of what has none of them, and so is another's stub, nobody knows: it is taken for the newest.
    """
    own = b""
    for section in uki.sections:
        if section.name not in KNOWN and section.size <= MAX_STUB:
            own += bytes(or_none(uki.contents_of, section) or b"")
    found = frozenset(name for name in KNOWN if name.encode() + b"\0" in own)
    return found if {".linux", ".initrd"} <= found else frozenset(KNOWN)


def profiles(uki: Pe) -> tuple[Profile, ...]:
    """Return the profiles, in the order of their numbers; one without a number where there are none.

    What stands before the first `.profile` counts in all of them, unless a profile has a section of that
    name itself.
    """
    first, *others = map(_takes, _places(uki))
    if not others:
        return (Profile(None, "", "", first),)
    found = []
    for number, own in enumerate(others):
        budget_of(uki.image).spend(STEPS, sum(map(len, (*first.values(), *own.values()))))
        both = {name: own.get(name, first.get(name, ())) for name in KNOWN}
        both |= {name: own.get(name, ()) + first.get(name, ()) for name in CHOSEN}
        takes = {name: taken for name, taken in both.items() if taken}
        said = read_description(or_none(uki.contents_of, own[PROFILE][0][0]) or b"")
        found.append(Profile(number, said.id, said.title, takes))
    return tuple(found)


def _places(uki: Pe) -> list[list[Taken]]:
    """Return the sections that the stub knows: those of all profiles, then those of each one.

    The first of several in one place counts. A stub before systemd 257 takes all for one place, and the
    last: they come in reverse.
    """
    known = known_to_stub(uki)
    places: list[list[Taken]] = [[]]
    for section, name in sections.named(uki):
        if section.name == PROFILE and PROFILE in known:
            places.append([])
        if section.name in known:
            places[-1].append((section, name))
    return places if PROFILE in known else [places[0][::-1]]


def _takes(every: Iterable[Taken]) -> dict[str, tuple[Taken, ...]]:
    found: dict[str, list[Taken]] = {}
    for section, name in every:
        if section.name in CHOSEN or section.name not in found:
            found.setdefault(section.name, []).append((section, name))
    return {name: tuple(taken) for name, taken in found.items()}


def left_out(uki: Pe) -> Iterator[tuple[str, str]]:
    """Yield the own name of each section that the stub leaves out, and of the one that counts instead."""
    for place in _places(uki):
        takes = _takes(place)
        for section, name in place:
            counts = takes[section.name][0][1]
            if section.name not in CHOSEN and name != counts and section.virtual_size:
                yield name, counts


def views(node: Node) -> tuple[tuple[Profile, Node], ...]:
    """Return each profile of a UKI with a node whose parts are those that count in it.

    A part has the name of its section there, and its own, in the UKI itself, as the attribute `IN_VIEW`.
    """
    uki = node.artifact
    if not isinstance(uki, Pe):
        return ()
    parts = {child.name: child for child in node.children}
    return tuple(
        (profile, replace(node, children=tuple(_parts(profile, parts)))) for profile in profiles(uki)
    )


def _parts(profile: Profile, parts: Mapping[str, Node]) -> Iterator[Node]:
    for name, many in profile.takes.items():
        for section, own in many:
            part = parts.get(own)
            if part is not None and section.virtual_size:
                facts = {**part.member.facts, IN_VIEW: own}
                yield replace(part, member=replace(part.member, name=name, facts=facts))


def in_every_profile(faults: Faults[Node]) -> Faults[Node]:
    """Return what judges each profile of a UKI as a program of its own, and says in which one a fault is."""

    @wraps(faults)
    def judged(node: Node) -> Iterator[Fault]:
        every = views(node)
        found: dict[Fault, list[str]] = {}
        for profile, view in every:
            for fault in faults(view) or ():
                found.setdefault(fault, []).append(profile.label)
        for fault, labels in found.items():
            where = "" if len(labels) == len(every) else f"in {', '.join(labels)}: "
            yield where + fault if isinstance(fault, str) else (where + fault[0], fault[1])

    return judged
