"""Which generations of programs published SbatLevels refuse, as of a date.

A machine has one of these levels, or one between. It only ever rises, so a program that one of them refuses
starts on machines that have an older one.

Source: SbatLevel_Variable.txt of shim, https://github.com/rhboot/shim/blob/main/SbatLevel_Variable.txt, up to
2025021800; for later ones, what distributions quote of it. Copied by hand. Where one date has two payloads it
is the stricter one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipeline.formats.sbat import Component

AS_OF = "2026-11-26"

SBAT_LEVELS: Mapping[str, Mapping[str, int]] = {
    "2022052400": {"shim": 2, "grub": 2},
    "2022111500": {"shim": 2, "grub": 3},
    "2023012900": {"shim": 2, "grub": 3, "grub.debian": 4},
    "2023012950": {"shim": 3, "grub": 3, "grub.debian": 4},
    "2023091900": {"shim": 2, "grub": 4},
    "2024010900": {"shim": 4, "grub": 3, "grub.debian": 4},
    "2024040900": {"shim": 4, "grub": 4, "grub.peimage": 2},
    "2025021800": {"shim": 4, "grub": 5},
    "2025051000": {"shim": 4, "grub": 5, "grub.proxmox": 2},
    "2025112400": {"shim": 4, "grub": 6},
}
"""By its date: the least generation of each component that shim starts, and that shim itself may be."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A component of a program that is refused: by the SbatLevels from `level` on, the last of which, as far
    as the component goes, is `strictest`, which wants the generation `wanted`.
    """

    component: str
    generation: int
    level: str
    strictest: str
    wanted: int

    def text(self) -> str:
        """Return who refuses what, a clause."""
        at_last = f" ({self.strictest} wants {self.component},{self.wanted})"
        return f"SbatLevel {self.level} and newer refuse {self.component},{self.generation}{at_last}"


def refusals(components: Iterable[Component]) -> tuple[Refusal, ...]:
    """Return what is refused of a program's components, the first to be refused first (shim, sbat.c)."""
    found = []
    for one in components:
        wants = {date: least.get(one.name, 0) for date, least in SBAT_LEVELS.items()}
        against = [date for date, wanted in wants.items() if one.generation < wanted]
        if against:
            strictest = max(against, key=lambda date: (wants[date], -int(date)))
            found.append(Refusal(one.name, one.generation, against[0], strictest, wants[strictest]))
    return tuple(sorted(found, key=lambda refusal: refusal.level))
