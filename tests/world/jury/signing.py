"""Signatures of programs, and certificate tables with them: right ones, and those that no tool makes."""

import struct
from collections.abc import Callable, Sequence

from pipeline.formats.pe import read_pe
from tests.fixtures import keys
from tests.fixtures.signer import signed_data
from tests.world.jury.changes import Change, poke

Signer = Callable[[bytes], bytes]
"""Makes a signature of an image."""

PKCS7, GUID, OTHER = 2, 0x0EF1, 1  # types of certificates
ENTRY = 0x40 + 24 + 112 + 4 * 8  # the certificate table's place and size


def by(
    *names: str,
    of: bytes | None = None,
    bring: Sequence[str] | None = None,
    digest: str = "sha256",
    announced: Sequence[str] = (),
    by: str = "",
) -> Signer:
    """A signature by the first of these, which brings the certificates of all, or others."""
    own = keys.certificate(names[0])
    bag = [keys.certificate(name) for name in (names if bring is None else bring)]
    return lambda image: signed_data(of or image, keys.key(names[0]), own, bag, digest, announced, by)


def table(*certificates: bytes, kind: int = PKCS7) -> bytes:
    return b"".join(
        struct.pack("<IHH", 8 + len(one), 0x200, kind) + one + bytes(-len(one) % 8) for one in certificates
    )


def with_table(image: bytes, certificates: bytes) -> bytes:
    """The image with a certificate table behind it."""
    return poke(ENTRY, struct.pack("<II", len(image), len(certificates)))(image) + certificates


def signed(*signers: Signer, image: bytes | None = None) -> Change:
    """The image, or another one, with signatures, on a multiple of 8."""

    def apply(given: bytes) -> bytes:
        padded = image or given
        padded += bytes(-len(padded) % 8)
        return with_table(padded, table(*(signer(padded) for signer in signers)))

    return apply


def around(make: Callable[[bytes, int, int], bytes]) -> Change:
    """Something done to a signed image, given where its certificate table is, and how large."""
    return lambda image: make(image, *read_pe(image).certificates)


def entry(image: bytes, offset: int, size: int) -> bytes:
    return poke(ENTRY, struct.pack("<II", offset, size))(image)


def length(image: bytes, offset: int, to: int) -> bytes:
    """Another length of the first certificate."""
    return poke(offset, struct.pack("<I", to))(image)
