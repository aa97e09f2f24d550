"""What Rock Ridge adds to a directory record of ISO 9660: POSIX names, modes, owners, links, times.

Specifications: IEEE P1281 (SUSP), IEEE P1282 (Rock Ridge Interchange Protocol)
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from struct import Struct

from pipeline.errors import FormatError

BOTH = Struct("<I4x")  # a number in both byte orders
PX = Struct("<I4xI4xI4xI4x")
CE = Struct("<I4xI4xI4x")

MAX_CONTINUATIONS = 32  # of one record; a circle of them has no end
MAX_NAME = 4096  # bytes, of a name or a target

CONTINUES, CURRENT, PARENT, ROOT = 1, 2, 4, 8  # flags of names, and of a link's components
LONG_FORM = 0x80

damaged = partial(FormatError, hint="make the ISO again")

ReadBytes = Callable[[int, int, int], bytes]
"""Returns `size` bytes at an offset (second) in a block (first)."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a record's fields say; None and "" where there is no such field."""

    name: str = ""
    mode: int | None = None
    owner: tuple[int, int] | None = None  # user, group
    target: str = ""  # of a symbolic link
    times: tuple[bytes, ...] = ()  # of 7 or 17 bytes, as directories and volumes have
    child: int | None = None  # the block of the directory that was moved away from here
    is_moved: bool = False  # a directory that was moved here, and belongs elsewhere


def skipped(area: bytes) -> int | None:
    """Return the bytes to skip in front of every area, as the root's says; None where there is no SUSP."""
    if len(area) >= 7 and area[:2] == b"SP" and area[4:6] == b"\xbe\xef":
        return area[6]
    return None


def read_attributes(area: bytes, read: ReadBytes) -> Attributes:
    """Read a system use area, and the areas in which it goes on.

    What is too short to be a field is left out, as Linux does. Raises FormatError when a field runs past
    its area's end, and when there are areas or names without end.
    """
    fields: dict[bytes, list[bytes]] = {}
    for signature, body in _fields(area, read):
        fields.setdefault(signature, []).append(body)
    px = next((PX.unpack_from(body) for body in fields.get(b"PX", ()) if len(body) >= PX.size), None)
    child = next((BOTH.unpack_from(body) for body in fields.get(b"CL", ()) if len(body) >= BOTH.size), None)
    return Attributes(
        name=_text(b"".join(_name(body) for body in fields.get(b"NM", ()))),
        mode=px[0] if px else None,
        owner=(px[2], px[3]) if px else None,
        target=_text(_target(fields.get(b"SL", ()))),
        times=tuple([time for body in fields.get(b"TF", ()) for time in _times(body)]),
        child=child[0] if child else None,
        is_moved=b"RE" in fields,
    )


def _fields(area: bytes, read: ReadBytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield signature and contents of all fields, in all areas of a record."""
    for _ in range(MAX_CONTINUATIONS):
        following: tuple[int, int, int] | None = None
        at, end = 0, len(area)
        while at + 4 <= end:
            size = area[at + 2]
            if size < 4 or area[at : at + 2] == b"ST":
                break
            if at + size > end:
                raise damaged(
                    f"Rock Ridge: the field {area[at : at + 2]!r} of {size} bytes runs past "
                    f"its area's end, at byte {at} of {end}"
                )
            signature, body = area[at : at + 2], area[at + 4 : at + size]
            at += size
            if signature == b"CE" and len(body) >= CE.size:
                following = CE.unpack_from(body)
            yield signature, body
        if following is None:
            return
        area = read(*following)
    raise damaged(f"Rock Ridge: a record goes on in more than {MAX_CONTINUATIONS} areas")


def _text(raw: bytes) -> str:
    if len(raw) > MAX_NAME:
        raise damaged(f"Rock Ridge: a name of more than {MAX_NAME} bytes")
    return raw.decode(errors="surrogateescape")


def _name(body: bytes) -> bytes:
    """Return a part of a name; `.` and `..` are known without one."""
    return body[1:] if body and not body[0] & (CURRENT | PARENT) else b""


def _times(body: bytes) -> list[bytes]:
    size = 17 if body and body[0] & LONG_FORM else 7
    return [body[start : start + size] for start in range(1, len(body) - size + 1, size)]


def _target(fields: Iterable[bytes]) -> bytes:
    """Return the path of a link: its components may go on from one field to the next."""
    parts: list[bytes] = []
    goes_on = False
    for body in fields:
        at = 1
        while at + 2 <= len(body):
            flags, size = body[at], body[at + 1]
            special = {CURRENT: b".", PARENT: b"..", ROOT: b""}.get(flags & (CURRENT | PARENT | ROOT))
            part = body[at + 2 : at + 2 + size] if special is None else special
            parts[-1:] = [parts[-1] + part] if goes_on else [*parts[-1:], part]
            goes_on = bool(flags & CONTINUES)
            at += 2 + size
    return b"/".join(parts) or (b"/" if parts else b"")
