"""Programs that start one another, from the first that firmware starts on, and what they all measure."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from pipeline.formats.efi_variables import Variables
from pipeline.formats.pe import Pe
from pipeline.measure import secure_boot, shim, uki
from pipeline.measure.event import Expected, beginning, of_program


@dataclass(frozen=True)
class Program:
    """A program, and what people call it; what it measures is reckoned once. FormatError where it cannot."""

    name: str
    pe: Pe

    @cached_property
    def itself(self) -> Expected:
        """Its own measurement."""
        return of_program(self.name, self.pe)

    @cached_property
    def sections(self) -> list[Expected]:
        """What its stub measures of it, if it is a UKI."""
        return uki.of_sections(self.pe)

    @cached_property
    def linux(self) -> Expected:
        """The measurement of the Linux in it, if it is a UKI."""
        return uki.of_linux(self.name, self.pe)


@dataclass(frozen=True)
class Chain:
    """A UKI, and shim where that comes before it."""

    uki: Program
    shim: Program | None = None

    @property
    def first(self) -> Program:
        """What firmware starts."""
        return self.shim or self.uki


def events(chain: Chain, variables: Variables | None) -> tuple[Expected, ...]:
    """Return what is measured into the PCRs of `event.PREDICTED`, each PCR's in their order.

    `variables` are those of the firmware, None for one that knows no Secure Boot. Raises FormatError for
    programs and variables that cannot be read, and where firmware or shim would not start the chain.
    """
    return tuple(_events(chain, variables))


def _events(chain: Chain, variables: Variables | None) -> Iterator[Expected]:
    checks = secure_boot.checks(variables)
    yield from secure_boot.policy(variables)
    yield from beginning()
    if variables is not None and checks:
        yield secure_boot.started_by(chain.first.name, chain.first.pe, variables)
    yield chain.first.itself
    if chain.shim:
        yield from shim.events(chain.shim.pe, chain.uki.name, chain.uki.pe, variables, checks=checks)
        yield chain.uki.itself
    yield from chain.uki.sections
    if not checks:  # else its stub loads it past the firmware, which would refuse it: nobody signed it alone
        yield chain.uki.linux
