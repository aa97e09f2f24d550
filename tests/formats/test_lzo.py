"""What lzop packs, and what is wrong with what it did not."""

import base64
import hashlib
import struct

import pytest

from pipeline.errors import FormatError
from pipeline.formats.compression import decompress
from pipeline.formats.decompressors import unpack
from tests.fixtures import patch
from tests.fixtures.packed import lzo

NOISE = b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(13))[:400]
PLAIN = (
    NOISE
    + bytes(20_000)
    + NOISE[50:250]
    + b"".join(b"%d," % n for n in range(60))
    + NOISE[:90]
    + b"abc" * 40
    + b"xyz"
    + NOISE[300:304]
    + b"q"
    + NOISE[310:313]
)
"""Long runs, short repetitions, near and far ones."""

PACKED = base64.b85decode(
    "iA-"
    "8g01XNn3J^dbpb0<&2?GEC4FCWD0BZ;`W&i*H001YC0)YSkQU3q{0>npIr4;}GfM4wEX8*`<IN4HoY;9?5dBWSmIo(c?v}Y;TIw$"
    "*A>1&3vbN@8_;hk%MPXAgzS4XX+>Y^_lNx&Xb-M5EZOVo2-"
    "IwoEg?%+RJaf_Q>0|A@|*tW$VklH$CZtN4QHBJXWg<`(ji(t+L!QRi~troW;FqVDbA7l%DM=7+Q&PyV9chub<#vE^mPe^1P0<_T~"
    ")BQ4xu!~hO{H)r)itjBFedBwSE2_|8MdeEjVVWNzGJ7t&&%VcxRb;Q@o#*zz5qEBlx6LyPR2NUzZ+!w5wh}mcU;O)l=J1i0gLwjJ"
    "o8&Btjz;^tMFDbU7wBsu#cCLzb|t3TNeCMxQ7mFYGR@K<cM_D}yD<vN016HEtczy0me~&QZ{GW4qZwEpC*FMR0RJ523m`}5rDw-"
    "$9J=eP<?jRc!vTA>w@O6Z6*fWys1N84kU2$M!C-"
    "=cf)C=dPaaY;t>&*C)lbMPCa%jz(uRyq`{P&_GNb3q%xo_EG6pON7YYULxNA|=G2dN(6db<J%=ez(Jpdp800000008Cy03ZMW000"
    "000OkMyAOHXW00000<^TX7000000002y001BW00000008Cy03ZMW000000OkMyAOHXW00000<^TX7000000002y001BW00000008"
    "Cy03ZMW000001ONaKzxX`>128NxEHW%JEHo@NEH*4REI2GVEHP06F$n-"
    "N2>>$*05k~zH3<MV2>>?<05}N%IR^_cEHX_7G6?`P2>>(+05u5!HVFVX2>>_=067H`Fbe=NEHg<8GYJ4R2>>+-"
    "05%B#HwgeZ2>>|-"
    "888U|F$(}PEHp(9GzkDT2>><;05=H$I0*nb1t2g905J&wG7A7REHyzAH3<MV2>>?<05}Q&IV=!Si$q~!V<1!u0C;(N5-"
    "me<5g0=e00000000"
)
"""What lzop 1.04 makes of it with -9."""

STORED = lzo(NOISE)


@pytest.mark.parametrize(("packed", "plain"), [(PACKED, PLAIN), (STORED, NOISE), (lzo(b""), b"")])
def test_it_is_unpacked(packed: bytes, plain: bytes) -> None:
    contents, size = decompress(packed + b"rest")
    assert (bytes(contents), size) == (plain, len(packed))
    found = unpack(packed + b"rest")
    assert (bytes(found.contents), found.size, found.fault) == (plain, len(packed), None)


@pytest.mark.parametrize(
    ("packed", "message"),
    [
        (PACKED[:-1], "lzo: block size: 4 bytes at offset "),
        (PACKED[:100], "lzo: block: "),
        (PACKED[:20], "lzo: header: "),
        (b"\x89LZO\0" + bytes(50), "lzo: this is no header of lzop's"),
        (patch(PACKED, len(PACKED) - 40, bytes(30)), "lzo: the block at offset "),
        (patch(STORED, len(STORED) - 4 - 400 - 12, struct.pack(">I", 1 << 19)), "lzo: the block at offset "),
        (patch(STORED, len(STORED) - 4 - 400 - 8, struct.pack(">I", 401)), "lzo: the block at offset "),
    ],
)
def test_damage_is_told(packed: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        decompress(packed)
    assert caught.value.message.startswith(message)


def test_what_is_damaged_ends() -> None:
    """Every fifth byte changed in turn: it unpacks to something, or is told, and never runs away."""
    for at in range(60, len(PACKED) - 4, 5):
        for value in (0, 0x11, 0x20, 0xFF):
            found = unpack(patch(PACKED, at, bytes([value])))
            assert len(found.contents) in (0, len(PLAIN))
