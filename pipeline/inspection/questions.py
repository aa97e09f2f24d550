"""Which answers there are for which kind of artifact, and the one judgement of a medium by them."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from pipeline.checks.finding import Severity, judge
from pipeline.checks.inside import inside
from pipeline.checks.kind import Node
from pipeline.checks.medium import misses, starting
from pipeline.checks.quoting import sentence, shown
from pipeline.errors import FormatError
from pipeline.formats.budget import Spent
from pipeline.formats.fields import budget_of
from pipeline.formats.secure_boot import Store
from pipeline.inspection import bios, boots, copied, enrolled, heads, initramfs, linux, secure
from pipeline.inspection.answer import PARTLY, QUESTIONS, UNSEEN, WAYS, Answer, Condition, Said

Ask = Callable[[Node], Said]

LINUX: Mapping[str, Ask] = {
    "kernel": linux.kernels,
    "cmdline": linux.command_line,
    "init": initramfs.init,
    "microcode": initramfs.microcode,
    "consoles": linux.consoles,
}
MEDIUM: Mapping[str, Ask] = {
    "uefi_disk": boots.by_uefi_from_disk,
    "bios_disk": bios.from_disk,
    "heads": heads.of_medium,
    "secure_boot": secure.of_medium,
    "sbat": secure.sbat_of_medium,
    "architecture": boots.architecture_of_medium,
    **LINUX,
}
PROGRAM: Mapping[str, Ask] = {
    "uefi": boots.by_uefi,
    "secure_boot": secure.of_program,
    "sbat": secure.sbat_of_program,
    "architecture": boots.architecture_of_program,
}
KERNEL: Mapping[str, Ask] = {**PROGRAM, "kernel": linux.kernels}
SYSTEM: Mapping[str, Ask] = {"kernel": linux.kernels}
ASKED: Mapping[str, Mapping[str, Ask]] = {
    "iso": {
        "uefi_cd": boots.by_uefi_from_cd,
        "bios_cd": bios.from_cd,
        "uefi_copied": copied.by_copied_files,
        **MEDIUM,
    },
    "disk": MEDIUM,
    "fat": MEDIUM,
    "ext": {"heads": heads.of_medium, **SYSTEM},
    "erofs": SYSTEM,
    "squashfs": SYSTEM,
    "uki": {**PROGRAM, **LINUX},
    "efi": PROGRAM,
    "kernel": KERNEL,
    "bzimage": KERNEL,
    "initramfs": {"init": initramfs.init, "microcode": initramfs.microcode},
    "elf": {"architecture": linux.architecture},
}
ENROLLED: Mapping[Ask, Callable[[Node, Store], Said]] = {
    secure.of_medium: enrolled.of_medium,
    secure.of_program: enrolled.of_program,
}
OF_ITSELF = frozenset(PROGRAM.values())
"""Questions that the headers answer, whatever lies inside."""

MAX_VALUE = 4096  # letters: a command line, as long as any that Linux takes


def answers(node: Node, store: Store | None = None) -> tuple[Answer, ...]:
    """Return the answers for what was taken apart, to every question there is, in their order.

    Where a machine's variables are given, that to Secure Boot is of this machine.
    What is only packaging answers for what is in it. Strangers' words in them are escaped, and cut. Where a
    question spends the budget, its answer is unknown.
    """
    within = inside(node)
    if within is not None:
        return answers(node.children[within], store)
    asked = ASKED.get(node.kind.name, {}) if node.kind and _is_asked(node, node.kind.name) else {}
    was_left_out = any(below.left_out for _, below in node.walk())
    unsure = was_left_out and bool(budget_of(node.member.image).spent)
    said = {
        question: _said(_of_machine(ask, store), node, unsure and ask not in OF_ITSELF)
        for question, ask in asked.items()
    }
    if node.kind and node.artifact is None and node.findings and not node.left_out:
        said |= {way: _unreadable(node) for way in WAYS & ASKED.get(node.kind.name, {}).keys()}
    if "init" in said:
        said["missing"] = _missing(said)
    return tuple(
        Answer(
            question,
            each.verdict,
            shown(each.value, MAX_VALUE),
            sentence(each.because),
            tuple(map(_shown, each.conditions)),
            each.finding,
            sentence(each.hint),
        )
        for question, each in ((name, said.get(name, Said("not applicable"))) for name in QUESTIONS)
    )


def _of_machine(ask: Ask, store: Store | None) -> Ask:
    """Return who answers: of Secure Boot, one who knows what the machine trusts, where that is given."""
    ask_enrolled = ENROLLED.get(ask)
    if store is None or ask_enrolled is None:
        return ask
    return lambda node: ask_enrolled(node, store)


def _shown(condition: Condition) -> Condition:
    entries = tuple(shown(entry, MAX_VALUE) for entry in condition.one_of)
    return Condition(condition.what, shown(condition.value, MAX_VALUE), entries)


def interviewed(node: Node, store: Store | None = None) -> tuple[Node, tuple[Answer, ...]]:
    """Return what was taken apart, judged by the answers to the ways of booting, and all `answers`."""
    said = answers(node, store)
    node = judged(node, {answer.question: answer for answer in said})
    codes = {finding.code for _, below in node.walk() for finding in below.findings}
    return node, tuple(one if one.finding in codes else replace(one, finding="") for one in said)


def judged(node: Node, answers: Mapping[str, Answer]) -> Node:
    """Return what was taken apart with what the answers to the ways of booting make of its findings.

    Where nothing boots, what decides is an error, or there is another that says why. Where something does,
    it is none: the answers for the other ways say what they lack. Of what is only packaging, what is in it is
    judged.
    """
    within = inside(node)
    if within is not None:
        children = list(node.children)
        children[within] = judged(children[within], answers)
        return replace(node, children=tuple(children))
    ways = [answers[way] for way in WAYS if way in answers and answers[way].verdict != "not applicable"]
    budget = budget_of(node.member.image)
    if not ways or node.artifact is None:
        return node
    if any(answer.verdict != "no" for answer in ways):
        found = judge(starting.rule.of(starting.PICKY), node, budget=budget)
        return replace(node, findings=(*node.findings, *found))
    decided = {answer.finding for answer in ways}
    node, count = _promoted(node, decided)
    if count:
        return node
    nowhere = judge(starting.rule.of(misses.CODE), node, budget=budget)
    return replace(node, findings=(*nowhere, *node.findings))


def _promoted(node: Node, codes: set[str]) -> tuple[Node, int]:
    """Return a node whose findings of these codes are errors, and how many there are in and below it."""
    found = [finding for finding in node.findings if finding.code in codes]
    findings = tuple(
        replace(finding, severity=Severity.ERROR) if finding in found else finding
        for finding in node.findings
    )
    below = [_promoted(child, codes) for child in node.children]
    children = tuple(child for child, _ in below)
    return replace(node, findings=findings, children=children), len(found) + sum(count for _, count in below)


def _unreadable(node: Node) -> Said:
    """Answer for a medium that cannot be read."""
    found = node.findings[-1]
    return Said("no", because=found.message, finding=found.code, hint=found.hint)


def _is_asked(node: Node, kind: str) -> bool:
    """Tell whether there is something to ask about: of an initramfs also where nothing comes out of it."""
    return node.artifact is not None or node.left_out or kind == "initramfs"


def _said(ask: Ask, node: Node, unsure: bool) -> Said:
    """Return what is said to a question; what was not looked at might have made a yes of a no."""
    try:
        said = None if node.left_out and node.artifact is None else ask(node)
    except Spent:
        said = None
    except (
        FormatError
    ) as error:  # a block that it has to read is damaged, of a disk that lies in another format
        return Said("unknown", because=error.message, hint=error.hint)
    if said is None:
        return Said("unknown", because=UNSEEN)
    if said.verdict == "no" and unsure:
        return Said("unknown", because=f"{PARTLY}; so far, {said.because}")
    return said


def _missing(said: Mapping[str, Said]) -> Said:
    """Say what has to be added; for what firmware does not find, also for which way of booting."""
    wanted: dict[str, list[str]] = {}
    for question, each in said.items():
        if each.lacks:
            wanted.setdefault(each.lacks, []).extend([QUESTIONS[question]] * (question in WAYS))
    lacks = [f"{what} ({'; '.join(ways)})" if ways else what for what, ways in wanted.items()]
    return Said("yes", ", ".join(lacks)) if lacks else Said("no", "nothing")
