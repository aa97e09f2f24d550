"""What a UKI's stub measures of it: its sections, and the Linux in it.

Specifications: systemd-stub(7), "TPM PCR Notes"; systemd 257, src/boot/stub.c and linux.c
"""

from pipeline.checks.pe.uki_pcr import measured
from pipeline.checks.pe.uki_profiles import profiles
from pipeline.errors import FormatError
from pipeline.formats.pcr import KERNEL_BOOT
from pipeline.formats.pe import Pe, read_pe
from pipeline.formats.tcg_events import IPL
from pipeline.measure.event import BANK, Expected, of_program


def is_uki(program: Pe) -> bool:
    """Tell a UKI by the Linux in it."""
    return program.section(".linux") is not None


def of_sections(uki: Pe) -> list[Expected]:
    """Return what the stub measures into PCR 11, of the first profile where there are several.

    Raises FormatError where a section lies outside the file.
    """
    first = profiles(uki)[0]
    return [Expected(KERNEL_BOOT, IPL, what, digest) for what, digest in measured(uki, first, BANK)]


def of_linux(name: str, uki: Pe) -> Expected:
    """Return the measurement of the Linux in a UKI, which its stub has firmware load as a program.

    Raises FormatError for a Linux that firmware could not load.
    """
    section = profiles(uki)[0].one(".linux")
    if section is None:
        raise FormatError(f"{name} has no Linux", "give a UKI")
    return of_program(f"Linux in {name}", read_pe(uki.contents_of(section)))
