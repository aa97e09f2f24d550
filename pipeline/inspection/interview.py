"""Owns which answers there are for which kind of artifact.

Must not know how an answer is found, nor how it is shown.
"""

from collections.abc import Callable, Mapping

from pipeline.checks.kind import Node
from pipeline.checks.packed import Packed
from pipeline.inspection import boots, linux, secure
from pipeline.inspection.answers import QUESTIONS, Answer, Said
from pipeline.inspection.names import shown

Ask = Callable[[Node], Said]

LINUX: Mapping[str, Ask] = {
    "kernel": linux.kernels,
    "cmdline": linux.command_line,
    "init": linux.init,
    "consoles": linux.consoles,
}
MEDIUM: Mapping[str, Ask] = {
    "uefi_disk": boots.by_uefi_from_disk,
    "bios_disk": boots.by_bios_from_disk,
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
ASKED: Mapping[str, Mapping[str, Ask]] = {
    "iso": {"uefi_cd": boots.by_uefi_from_cd, "bios_cd": boots.by_bios_from_cd, **MEDIUM},
    "disk": MEDIUM,
    "fat": MEDIUM,
    "uki": {**PROGRAM, **LINUX},
    "efi": PROGRAM,
    "kernel": KERNEL,
    "bzimage": KERNEL,
    "initramfs": {"init": linux.init},
    "elf": {"architecture": linux.architecture},
}
WAYS = frozenset({"uefi_cd", "uefi_disk"})


def answers(node: Node) -> tuple[Answer, ...]:
    """Return the answers for what was taken apart, to every question there is, in their order.

    What is only packed answers for what is packed. Strangers' words in them are escaped.
    """
    if isinstance(node.artifact, Packed) and node.children:
        return answers(node.children[0])
    asked = ASKED.get(node.kind.name, {}) if node.kind and node.artifact is not None else {}
    said = {question: ask(node) for question, ask in asked.items()}
    if "init" in said:
        said["missing"] = _missing(said)
    return tuple(
        Answer(question, each.verdict, shown(each.value), shown(each.because))
        for question, each in ((name, said.get(name, Said("not applicable"))) for name in QUESTIONS)
    )


def _missing(said: Mapping[str, Said]) -> Said:
    """Say what has to be added; for what firmware does not find, also for which way of booting."""
    wanted: dict[str, list[str]] = {}
    for question, each in said.items():
        if each.lacks:
            wanted.setdefault(each.lacks, []).extend([QUESTIONS[question]] * (question in WAYS))
    lacks = [f"{what} ({'; '.join(ways)})" if ways else what for what, ways in wanted.items()]
    return Said("yes", ", ".join(lacks)) if lacks else Said("no", "nothing")
