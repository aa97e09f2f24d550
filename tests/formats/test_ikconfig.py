import random

import pytest

from pipeline.errors import FormatError
from pipeline.formats.fields import CHUNK
from pipeline.formats.ikconfig import find, read_config
from tests.fixtures.packed import PACK

CONFIG = b"""\
# Automatically generated file; DO NOT EDIT.
CONFIG_64BIT=y
CONFIG_NAME="value"
# CONFIG_MODULES is not set
"""
RANDOM = random.Random(1).randbytes(CHUNK)  # noqa: S311


def kernel(text: bytes, before: int = 1000) -> bytes:
    return RANDOM[:before] + b"IKCFG_ST" + PACK["gzip"](text) + b"IKCFG_ED" + RANDOM[:500]


@pytest.mark.parametrize("before", [0, 1000, *range(CHUNK - 9, CHUNK + 1)])
def test_the_configuration_is_found_wherever_it_is(before: int) -> None:
    assert read_config(kernel(CONFIG, before)) == {"64BIT": "y", "NAME": '"value"', "MODULES": "n"}


def test_a_kernel_may_have_none() -> None:
    assert read_config(RANDOM) is None
    assert read_config(b"") is None
    assert read_config(b"12345678IKCFG_STnot gzip") is None
    assert find(RANDOM + b"IKCFG_S", b"IKCFG_ST") is None


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (
            b"IKCFG_ST" + PACK["gzip"](CONFIG)[:-1],
            f"IKCONFIG at offset 0x0: gzip: the stream is cut off, at {len(PACK['gzip'](CONFIG)) - 1} bytes",
        ),
        (
            kernel(b"CONFIG_A=y\nhello\n"),
            "IKCONFIG at offset 0x3e8 is no configuration: config:2: 'hello' does not set an option",
        ),
        (
            kernel(bytes(5 << 20)),
            "IKCONFIG at offset 0x3e8: gzip: the stream unpacks to more than 4194304 bytes",
        ),
    ],
    ids=["cut off", "no config", "endless"],
)
def test_damage_is_told(image: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_config(image)
    assert caught.value.message == message
