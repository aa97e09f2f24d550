"""Types of partitions that say what is in them: discoverable partitions, and BIOS boot.

Specification: UAPI.2 Discoverable Partitions Specification ("Defined Partition Type UUIDs"); GRUB manual,
"BIOS installation"
"""

from uuid import UUID

BIOS_BOOT = UUID("21686148-6449-6e6f-744e-656564454649")
XBOOTLDR = UUID("bc13c2ff-59e6-4262-a352-b275fd6f7172")
SWAP = UUID("0657fd6d-a4ab-43c4-84e5-0933c84b4f4f")
VAR = UUID("4d21b016-b534-45c2-a9fb-5c16e091fd2d")
TMP = UUID("7ec6f557-3bc5-4aca-b293-16ef5df639d1")

ROOT = UUID("4f68bce3-e8cd-4db1-96e7-fbcaf984b709")
ROOT_VERITY = UUID("2c7357ed-ebd2-46d9-aec1-23d437ec2bf5")
USR = UUID("8484680c-9521-48c6-9c11-b0720656f69e")
USR_VERITY = UUID("77ff5f63-e7b6-4633-acf4-1565b864c0e6")
ROOT_ARM64 = UUID("b921b045-1df0-41c3-af44-4c6f280d3fae")
ROOT_ARM64_VERITY = UUID("df3300ce-d69f-4c92-978c-9bfb0f38d820")
USR_ARM64 = UUID("b0e01050-ee5f-4390-949a-9101b17104e9")
USR_ARM64_VERITY = UUID("6e11a4e7-fbca-4ded-b9e9-e1a512bb664e")

VERIFIED = {
    ROOT_VERITY: ROOT,
    USR_VERITY: USR,
    ROOT_ARM64_VERITY: ROOT_ARM64,
    USR_ARM64_VERITY: USR_ARM64,
}
"""The type of the data that a tree of dm-verity is for, by the type of the tree; x86-64 and arm64."""
