"""Reads the log of what firmware, boot loaders and Linux measured into a TPM, and reckons its PCRs from it.

What Linux shows as /sys/kernel/security/tpm0/binary_bios_measurements.

Specification: TCG, PC Client Platform Firmware Profile, §10 "Event Logging" (crypto agile log format)
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pipeline.errors import FormatError
from pipeline.formats.fields import cut, unpack
from pipeline.formats.pcr import BANKS, extended, initial

MAX_SIZE = 1 << 22  # bytes; firmware sets 64 KiB aside, and a log with many certificates has some more
MAX_EVENTS = 1 << 14
MAX_ALGORITHMS = 16
PCRS = 24

NO_ACTION = 0x0000_0003  # EV_NO_ACTION: it is told, and not measured
KINDS: Mapping[int, str] = {
    0x0000_0000: "EV_PREBOOT_CERT",
    0x0000_0001: "EV_POST_CODE",
    NO_ACTION: "EV_NO_ACTION",
    0x0000_0004: "EV_SEPARATOR",
    0x0000_0005: "EV_ACTION",
    0x0000_0006: "EV_EVENT_TAG",
    0x0000_0007: "EV_S_CRTM_CONTENTS",
    0x0000_0008: "EV_S_CRTM_VERSION",
    0x0000_0009: "EV_CPU_MICROCODE",
    0x0000_000A: "EV_PLATFORM_CONFIG_FLAGS",
    0x0000_000B: "EV_TABLE_OF_DEVICES",
    0x0000_000C: "EV_COMPACT_HASH",
    0x0000_000D: "EV_IPL",
    0x0000_000E: "EV_IPL_PARTITION_DATA",
    0x0000_000F: "EV_NONHOST_CODE",
    0x0000_0010: "EV_NONHOST_CONFIG",
    0x0000_0011: "EV_NONHOST_INFO",
    0x0000_0012: "EV_OMIT_BOOT_DEVICE_EVENTS",
    0x0000_0013: "EV_POST_CODE2",
    0x8000_0001: "EV_EFI_VARIABLE_DRIVER_CONFIG",
    0x8000_0002: "EV_EFI_VARIABLE_BOOT",
    0x8000_0003: "EV_EFI_BOOT_SERVICES_APPLICATION",
    0x8000_0004: "EV_EFI_BOOT_SERVICES_DRIVER",
    0x8000_0005: "EV_EFI_RUNTIME_SERVICES_DRIVER",
    0x8000_0006: "EV_EFI_GPT_EVENT",
    0x8000_0007: "EV_EFI_ACTION",
    0x8000_0008: "EV_EFI_PLATFORM_FIRMWARE_BLOB",
    0x8000_0009: "EV_EFI_HANDOFF_TABLES",
    0x8000_000A: "EV_EFI_PLATFORM_FIRMWARE_BLOB2",
    0x8000_000B: "EV_EFI_HANDOFF_TABLES2",
    0x8000_000C: "EV_EFI_VARIABLE_BOOT2",
    0x8000_000D: "EV_EFI_GPT_EVENT2",
    0x8000_0010: "EV_EFI_HCRTM_EVENT",
    0x8000_00E0: "EV_EFI_VARIABLE_AUTHORITY",
    0x8000_00E1: "EV_EFI_SPDM_FIRMWARE_BLOB",
    0x8000_00E2: "EV_EFI_SPDM_FIRMWARE_CONFIG",
    0x8000_00E3: "EV_EFI_SPDM_DEVICE_POLICY",
    0x8000_00E4: "EV_EFI_SPDM_DEVICE_AUTHORITY",
}

FIRST = struct.Struct("<II20sI")  # TCG_PCClientPCREvent: PCR, type, SHA-1, bytes of data
SPEC_ID = b"Spec ID Event03\0"
ALGORITHMS = struct.Struct("<16sIBBBBI")  # TCG_EfiSpecIDEvent, up to the number of its algorithms
LOCALITY = b"StartupLocality\0"
HINT = "read it anew: /sys/kernel/security/tpm0/binary_bios_measurements"


@dataclass(frozen=True, slots=True)
class Event:
    """What was measured once: into which PCR, as what kind (EV_…), with one digest for each of the TPM's
    banks, and what the log tells of it. The digest is not always that of the data.
    """

    pcr: int
    kind: int
    digests: Mapping[str, bytes] = field(hash=False)
    data: bytes = field(repr=False)

    @property
    def kind_name(self) -> str:
        """How the specification calls its kind."""
        return KINDS.get(self.kind, f"the kind {self.kind:#010x}")


def read_log(data: bytes) -> tuple[Event, ...]:
    """Return the events in the order in which they were measured.

    Digests of hashes that are not in `pcr.BANKS` are left out. Raises FormatError for what is no such log,
    for one with SHA-1 alone as TPM 1.2 had it, and for one that is cut off or more than any machine writes.
    """
    if len(data) > MAX_SIZE:
        raise FormatError(f"event log: {len(data)} bytes are too many", "no machine writes more than 4 MiB")
    sizes, at = _header(data)
    events: list[Event] = []
    while at < len(data) and not _is_blank(data, at):
        if len(events) == MAX_EVENTS:
            raise FormatError(f"event log: it has more than {MAX_EVENTS} events", HINT)
        event, at = _event(data, at, sizes, f"event log: event {len(events) + 1}")
        events.append(event)
    return tuple(events)


def _is_blank(data: bytes, at: int) -> bool:
    """Tell the room behind the last event, which has nothing in it: of a log that ACPI keeps."""
    return data[at] in b"\0\xff" and not data[at:].strip(data[at : at + 1])


def _header(data: bytes) -> tuple[dict[int, int], int]:
    """Return how many bytes the digest of each algorithm has, and where the events begin."""
    index, kind, _, size = unpack(FIRST.format, data, 0, "event log: its first event")
    said = bytes(cut(data, FIRST.size, size, "event log: its first event"))
    if (index, kind) != (0, NO_ACTION) or not said.startswith(SPEC_ID):
        raise FormatError(
            f"event log: its first event does not say {SPEC_ID[:-1].decode()!r}",
            "give the log of a TPM 2.0: /sys/kernel/security/tpm0/binary_bios_measurements",
        )
    *_, count = unpack(ALGORITHMS.format, said, 0, "event log: Spec ID")
    if not 1 <= count <= MAX_ALGORITHMS:
        raise FormatError(f"event log: it says that the TPM has {count} banks of PCRs", HINT)
    sizes: dict[int, int] = {}
    for number in range(count):
        algorithm, length = unpack("<HH", said, ALGORITHMS.size + 4 * number, "event log: Spec ID")
        name = _NAMES.get(algorithm)
        if algorithm in sizes or not length or (name and length != len(initial(name))):
            raise FormatError(
                f"event log: it says that digests of {name or f'{algorithm:#06x}'} have {length} bytes", HINT
            )
        sizes[algorithm] = length
    return sizes, FIRST.size + size


_NAMES = {number: name for name, number in BANKS.items()}


def _event(data: bytes, at: int, sizes: Mapping[int, int], what: str) -> tuple[Event, int]:
    """Return one TCG_PCR_EVENT2, and where the next begins."""
    index, kind, count = unpack("<III", data, at, what)
    if index >= PCRS and kind != NO_ACTION:
        raise FormatError(f"{what} was measured into PCR {index}: a TPM has {PCRS}", HINT)
    if count > len(sizes):
        raise FormatError(f"{what} has {count} digests: the TPM has {len(sizes)} banks", HINT)
    at += 12
    digests: dict[int, bytes] = {}
    for _ in range(count):
        (algorithm,) = unpack("<H", data, at, what)
        if algorithm in digests or algorithm not in sizes:
            raise FormatError(f"{what} has a digest of {algorithm:#06x}, which is not to be there", HINT)
        digests[algorithm] = bytes(cut(data, at + 2, sizes[algorithm], what))
        at += 2 + sizes[algorithm]
    (size,) = unpack("<I", data, at, what)
    told = bytes(cut(data, at + 4, size, what))
    known = {_NAMES[number]: digest for number, digest in digests.items() if number in _NAMES}
    return Event(index, kind, known, told), at + 4 + size


def replay(events: Iterable[Event], bank: str) -> dict[int, bytes]:
    """Return what the PCRs are that something was measured into, by the log.

    Raises FormatError where an event has no digest for the bank, which then has to be one of others.
    """
    found: dict[int, bytes] = {}
    for number, event in enumerate(events, start=1):
        if event.kind == NO_ACTION:
            if event.pcr == 0 and event.data.startswith(LOCALITY) and len(event.data) > len(LOCALITY):
                found[0] = initial(bank)[:-1] + event.data[len(LOCALITY) :][:1]
            continue
        if bank not in event.digests:
            raise FormatError(f"event log: event {number} has no digest of {bank}", "ask for another bank")
        found[event.pcr] = extended(bank, found.get(event.pcr, initial(bank)), [event.digests[bank]])
    return found
