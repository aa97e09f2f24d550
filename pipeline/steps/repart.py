"""Reads a recipe's `repart.d` files, as far as they place finished file systems on a disk.

The machine may have the same files: what `Label=` says there by a specifier is filled in here as it would be.

Specifications: repart.d(5) and systemd.syntax(7) of systemd 257
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pipeline.errors import ConfigError
from pipeline.formats import discoverable

ALIGNMENT = 1 << 20  # bytes
MAX_LABEL = 36  # UTF-16 units (UEFI 2.10, §5.3.3)
EMPTY = "_empty"
"""The label of partitions that wait for a version to come (sysupdate.d(5)): many may have it."""
SIZE = re.compile(r"(\d+)([KMGT]?)")
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}

SIZES = ("SizeMinBytes", "SizeMaxBytes", "PaddingMinBytes", "PaddingMaxBytes")
KNOWN = frozenset(
    {"Type", "Label", "UUID", "Weight", "PaddingWeight", *SIZES, "CopyBlocks", "Flags", "NoAuto"}
    | {"ReadOnly", "GrowFileSystem", "FactoryReset"}
)
SWAP = ("swap", str(discoverable.SWAP), discoverable.SWAP.hex)
FILLS = "its own filling leaks times and the order of files: name a finished file system by CopyBlocks="
VERITY = "the step `verity` makes the tree: name it by CopyBlocks= of a partition of its own"
REFUSED: Mapping[str, str] = {
    **dict.fromkeys(
        ("Format", "CopyFiles", "ExcludeFiles", "ExcludeFilesTarget", "MakeDirectories", "MakeSymlinks"),
        FILLS,
    ),
    **dict.fromkeys(("Subvolumes", "DefaultSubvolume", "Minimize", "Compression", "CompressionLevel"), FILLS),
    **dict.fromkeys(("Encrypt", "EncryptedVolume"), "keys and salts are random: encrypt at first boot"),
    **dict.fromkeys(
        ("Verity", "VerityMatchKey", "VerityDataBlockSizeBytes", "VerityHashBlockSizeBytes"), VERITY
    ),
    "Priority": "a partition that does not fit would be left out without a word",
    "SplitName": "the image is one file; its partitions are artifacts already",
    "SupplementFor": "it is for a partition that is there already, and the disk is a new one",
    "MountPoint": "no fstab is made here: it belongs into the tree",
}
"""Settings that systemd-repart has and the step `disk` does not take, and why not."""


@dataclass(frozen=True)
class Definition:
    """A partition: the name of its file, its settings, and the input that `CopyBlocks=` names, "" without."""

    file: str
    settings: Mapping[str, str]
    content: str

    @property
    def label(self) -> str:
        """Its label, "" where systemd-repart chooses one by the type."""
        return self.settings.get("Label", "")

    def size(self, setting: str) -> int:
        """Return a size in bytes, 0 if it is not given."""
        return bytes_of(self.settings.get(setting, "")) or 0


def specifiers(image: str, version: str) -> dict[str, str]:
    """Return what `Label=` may say, and what stands for it: os-release(5)'s IMAGE_ID and IMAGE_VERSION."""
    return {"%M": image, "%A": version}


def read_definitions(
    files: Mapping[str, str], inputs: Mapping[str, int], filled: Mapping[str, str] = MappingProxyType({})
) -> list[Definition]:
    """Return the partitions in their order; `files` is name to text, `inputs` name to size in bytes.

    `filled` is what stands for specifiers in labels.

    Raises ConfigError with all mistakes, each with file and line.
    """
    mistakes: list[str] = []
    found = [_read(name, text, inputs, filled, mistakes) for name, text in sorted(files.items())]
    if not files:
        mistakes.append("repart.d: there is no file that ends in .conf, and a disk has partitions")
    labels: dict[str, str] = {}
    for one in found:
        if one.label in labels and one.label not in ("", EMPTY):
            mistakes.append(
                f"{one.file}: the label {one.label!r} is given twice, also in {labels[one.label]}: "
                "it has to find one partition"
            )
        labels.setdefault(one.label, one.file)
    if mistakes:
        raise ConfigError(mistakes, "correct the files in the recipe's repart.d")
    return found


def _read(
    name: str, text: str, inputs: Mapping[str, int], filled: Mapping[str, str], mistakes: list[str]
) -> Definition:
    place = f"repart.d/{name}"
    settings: dict[str, str] = {}
    if not name.endswith(".conf") or "/" in name:
        mistakes.append(f"{place}: not a file repart.d/*.conf, which is all that systemd-repart is given")
        return Definition(place, {}, "")
    section = ""
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        if line.startswith("["):
            section = line
            why = "" if line == "[Partition]" else f"{line} is no section of repart.d, [Partition] is"
        else:
            key, equals, value = (part.strip() for part in line.partition("="))
            if key == "Label":
                for specifier, meaning in filled.items():
                    value = value.replace(specifier, meaning)
            why = _why_not(section, key, value, equals, settings, inputs)
            settings.setdefault(key, value)
        if why:
            mistakes.append(f"{place}:{number}: {why}")
    content = settings.get("CopyBlocks", "").removeprefix("/")
    if "Type" not in settings:
        mistakes.append(f"{place}: Type= is missing: a partition has a type")
    if not content and not bytes_of(settings.get("SizeMinBytes", "")):
        mistakes.append(f"{place}: neither CopyBlocks= nor SizeMinBytes=: an empty partition needs a size")
    most, least = bytes_of(settings.get("SizeMaxBytes", "")), inputs.get(content, 0)
    least = max(least, bytes_of(settings.get("SizeMinBytes", "")) or 0)
    if most is not None and most < least:
        mistakes.append(
            f"{place}: the partition is too small: SizeMaxBytes= is {most} bytes, "
            f"its content or SizeMinBytes= {least}"
        )
    return Definition(place, settings, content)


def _why_not(
    section: str,
    key: str,
    value: str,
    equals: str,
    settings: Mapping[str, str],
    inputs: Mapping[str, int],
) -> str:
    """Return why a line of a definition is not taken, "" if it is."""
    if not equals or not key:
        return f"{key!r} is no setting: those are NAME=VALUE"
    if section != "[Partition]":
        return f"{key}= stands in no section: write [Partition] above it"
    if key in REFUSED:
        return f"{key}= is not taken: {REFUSED[key]}"
    if key not in KNOWN:
        return f"{key}= is unknown; there are {', '.join(sorted(KNOWN))}"
    if key in settings:
        return f"{key}= is given twice"
    if not value:
        return f"{key}= is empty: leave it out"
    if "%" in value or value.endswith("\\"):
        what = "a specifier (%), which the machine that builds fills in" if "%" in value else "a second line"
        return f"{key}= has {what}: write it out, in one line"
    if key in SIZES and bytes_of(value) is None:
        return f"{key}={value} is no size: a number of bytes, with K, M, G or T for powers of 1024"
    if key == "Label" and len(value.encode("utf-16-le")) // 2 > MAX_LABEL:
        return f"Label= has more than the {MAX_LABEL} letters that a GPT has for it"
    if key == "Type" and value.lower() in SWAP:
        return f"Type={value} is not taken: systemd-repart would format it; have it made at first boot"
    if key == "CopyBlocks" and (value[:1] != "/" or value[1:] not in inputs):
        known = ", ".join(f"/{one}" for one in sorted(inputs)) or "none"
        return f"CopyBlocks={value} is no file system of the recipe; there are {known}"
    return ""


def bytes_of(text: str) -> int | None:
    """Return a size in bytes as systemd reads it (to the base of 1024), None for anything else."""
    match = SIZE.fullmatch(text)
    return int(match[1]) * UNITS[match[2]] if match else None
