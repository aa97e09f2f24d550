"""Finds the configuration that a kernel carries with it, where CONFIG_IKCONFIG=y.

It is given the kernel itself, unpacked.

Specification: Linux, kernel/configs.c and scripts/extract-ikconfig
"""

from pipeline.errors import ConfigError, FormatError
from pipeline.formats import kconfig
from pipeline.formats.budget import STEPS
from pipeline.formats.compression import decompress
from pipeline.formats.fields import CHUNK, Image, budget_of

MARK = b"IKCFG_ST"  # in front of the configuration, which is packed with gzip
GZIP = b"\x1f\x8b\x08"
MAX_CONFIG = 1 << 22  # bytes


def read_config(kernel: Image) -> dict[str, str] | None:
    """Return the options by name, as `kconfig.Option` has their values; None where there are none.

    Raises FormatError when what is there cannot be unpacked, or is no `.config`.
    """
    start = find(kernel, MARK + GZIP)
    if start is None:
        return None
    try:
        packed, _ = decompress(kernel[start + len(MARK) :], MAX_CONFIG)
        text = bytes(packed).decode(errors="replace")
        budget_of(kernel).spend(STEPS, text.count("\n"))
        options = kconfig.parse(text, "config")
    except FormatError as error:
        raise FormatError(f"IKCONFIG at offset {start:#x}: {error.message}", error.hint) from error
    except ConfigError as error:
        raise FormatError(
            f"IKCONFIG at offset {start:#x} is no configuration: {error.mistakes[0]}", error.hint
        ) from error
    return {option.name: option.value for option in options}


def find(image: Image, mark: bytes) -> int | None:
    """Return the offset of the first place where these bytes are, None where there is none."""
    for start in range(0, len(image), CHUNK):
        found = bytes(image[start : start + CHUNK + len(mark) - 1]).find(mark)
        if found >= 0:
            return start + found
    return None
