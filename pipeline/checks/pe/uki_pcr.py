"""What PCR 11 is after systemd-stub has measured a UKI, and whether the .pcrsig in it is for that value.

Specifications: systemd, src/boot/stub.c (measure_sections), systemd-measure(1); UAPI.7 Linux TPM PCR Registry
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import product

from pipeline.checks.attempt import or_none
from pipeline.checks.finding import Fault, Rules, Severity
from pipeline.checks.pe.uki_profiles import CHOSEN, KNOWN, Profile, profiles
from pipeline.formats import pcr
from pipeline.formats.budget import READ, STEPS
from pipeline.formats.fields import CHUNK, budget_of, chunks
from pipeline.formats.pe import Pe, Section

NOT_MEASURED = ".pcrsig"  # it is made of the values

Digests = dict[tuple[str, Section], bytes]


def values(uki: Pe, profile: Profile, bank: str, digests: Digests) -> Iterator[bytes]:
    """Yield what PCR 11 may be when the stub has measured a profile.

    First without any section of `CHOSEN`, then for each that the stub may choose on some machine. `digests`
    keeps those of sections. Raises FormatError where a section lies outside the file.
    """
    for chosen in product(*([None, *(one for one, _ in profile.takes.get(name, ()))] for name in CHOSEN)):
        taken = _taken(profile, dict(zip(CHOSEN, chosen, strict=True)))
        events = _events(uki, taken, bank, digests)
        yield pcr.extended(bank, pcr.initial(bank), (digest for _, digest in events))


def measured(uki: Pe, profile: Profile, bank: str = "sha256") -> Iterator[tuple[str, bytes]]:
    """Yield what the stub measures of a profile, in words, and its digest, one after the other.

    On a machine for which it chooses nothing; FormatError as of `values`.
    """
    return _events(uki, _taken(profile, dict.fromkeys(CHOSEN)), bank, {})


def _taken(profile: Profile, chosen: Mapping[str, Section | None]) -> Iterator[tuple[str, Section]]:
    """Yield the sections that are measured, in that order."""
    for name in KNOWN:
        section = chosen[name] if name in chosen else profile.one(name)
        if section is not None and section.virtual_size and name != NOT_MEASURED:
            yield name, section


def _events(
    uki: Pe, taken: Iterable[tuple[str, Section]], bank: str, digests: Digests
) -> Iterator[tuple[str, bytes]]:
    """Yield two events for each section: its name, and what is in it."""
    for name, section in taken:
        budget_of(uki.image).spend(STEPS, 1)
        if (bank, section) not in digests:
            digests[bank, section] = _digest_in_memory(uki, section, bank)
        named = hashlib.new(bank, name.encode() + b"\0", usedforsecurity=False).digest()
        yield f"the name of the section {name}", named
        yield f"the section {name}", digests[bank, section]


def _digest_in_memory(uki: Pe, section: Section, bank: str) -> bytes:
    """Return the digest of a section as it lies in memory: with zeros where the file has no more of it."""
    digest = hashlib.new(bank, usedforsecurity=False)
    for part in chunks(uki.contents_of(section)):
        digest.update(part)
    zeros = section.virtual_size - section.size
    budget_of(uki.image).spend(READ, zeros)
    for start in range(0, zeros, CHUNK):
        digest.update(bytes(min(CHUNK, zeros - start)))
    return digest.digest()


def expected(uki: Pe, profile: Profile, bank: str = "sha256") -> dict[str, str]:
    """Return PCR 11 in hex after each phase, as `systemd-measure calculate` does, on a machine for which the
    stub chooses nothing. FormatError as of `values`.
    """
    value = next(values(uki, profile, bank, {}))
    return {path: after.hex() for path, after in pcr.phases(bank, value).items()}


rule = Rules[Pe]()


@rule(
    "UKI020",
    "its .pcrsig is for the PCR 11 that it will have",
    severity=Severity.WARNING,
    spec="systemd-stub(7), TPM PCR Notes; systemd-measure(1); UAPI.5 Unified Kernel Image (.pcrsig)",
    fix="sign it again after all sections are in it, with `ukify build --pcr-private-key=… "
    "--pcr-public-key=…`, and only then for Secure Boot",
)
def is_for_this_file(uki: Pe) -> Iterator[Fault]:
    """A disk that was encrypted for a signed PCR 11 is unlocked where PCR 11 has a signed value.

    The stub measures its sections before Linux starts: what was changed after .pcrsig was made, if only a
    letter of the command line, makes another value. It boots all the same.
    """
    digests: Digests = {}
    for profile in profiles(uki):
        policies = _policies(uki, profile)
        where = f"{profile.label}: " if profile.label else ""
        fitting = list(_fitting(uki, profile, policies, digests))
        if policies and not fitting:
            value = expected(uki, profile)["enter-initrd"]
            yield (
                f"{where}the UKI's .pcrsig is for another PCR 11 than it will have (sha256 {value} after "
                f"enter-initrd): none of its policies ({len(policies)}) fits, and what the TPM seals to them "
                "will not unlock"
            )
        key = profile.one(".pcrpkey")
        if key and fitting and not any(pcr.is_signed(policy, uki.contents_of(key)) for policy in fitting):
            yield (
                f"{where}no policy in the UKI's .pcrsig was signed with the key of its .pcrpkey",
                "give ukify the public half of the key that signs as --pcr-public-key",
            )


def _policies(uki: Pe, profile: Profile) -> list[pcr.Policy]:
    """Return the policies of a profile that are for PCR 11 alone: of others nobody knows."""
    section = profile.one(NOT_MEASURED)
    if section is None:
        return []
    # one that cannot be read is a part of its own, of which that is said
    every = or_none(lambda: pcr.read_policies(uki.contents_of(section))) or ()
    return [one for one in every if one.pcrs == (pcr.KERNEL_BOOT,) and one.bank in pcr.BANKS]


def _fitting(uki: Pe, profile: Profile, policies: list[pcr.Policy], digests: Digests) -> Iterator[pcr.Policy]:
    """Yield the policies that hold at some time of a machine that starts the profile."""
    for bank in dict.fromkeys(policy.bank for policy in policies):
        right = {
            pcr.policy_digest(bank, after)
            for value in values(uki, profile, bank, digests)
            for after in pcr.phases(bank, value).values()
        }
        yield from (policy for policy in policies if policy.bank == bank and policy.digest in right)
