"""What two versions are compared by: the parts of one of them, wherever they are known from.

Texts of strangers stand in here escaped. What is None is not known, which is something else than empty.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Stored:
    """Something with bytes: its size, and the SHA-256 of them, "" where there are none.

    `mode` is as `ls -l` writes it, `owner` user and group in numbers, "" where nobody says. `target` is that
    of a symbolic link, and of a device node its numbers.
    """

    size: int
    sha256: str
    mode: str = ""
    owner: str = ""
    target: str = ""


@dataclass(frozen=True, slots=True)
class Component:
    """A package or a crate: all versions of it that are there; the locks that name it."""

    versions: tuple[str, ...]
    where: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Archive:
    """The files of an initramfs or of a file system, by name.

    `unstripped` are those that are programs with a symbol table. `services` are what init starts: systemd's
    units, and the programs of the inittab's lines, behind their action.
    """

    kind: str
    members: Mapping[str, Stored]
    unstripped: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Uki:
    """The sections of a UKI by name, its command line, and who signed it."""

    sections: Mapping[str, Stored]
    cmdline: str | None = None
    signers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel: its version, "" where it names none, its options by name, None where nobody knows them.

    `asked` says that they are those that a fragment asks for: one that is not in it is not off, but open.
    """

    version: str
    options: Mapping[str, str] | None
    asked: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that is broken, and where; `is_policy` tells whether an image that breaks it may boot well."""

    code: str
    path: str
    message: str
    is_policy: bool


@dataclass(frozen=True, slots=True)
class Side:
    """One of two versions. Its artifacts, and what lies in its images, are keyed by where that is.

    `size` is the bytes of those images that are told: what lies in another one does not count twice.
    `packages`, `crates` and `settings` are by name; `boots` is, by the way of booting, whether it works: yes,
    no or unknown. `untold` says what could not be found out, in sentences.
    """

    name: str
    version: str = ""
    size: int = 0
    artifacts: Mapping[str, Stored] = field(default_factory=dict)
    archives: Mapping[str, Archive] = field(default_factory=dict)
    ukis: Mapping[str, Uki] = field(default_factory=dict)
    kernels: Mapping[str, Kernel] = field(default_factory=dict)
    packages: Mapping[str, Component] | None = None
    crates: Mapping[str, Component] | None = None
    settings: Mapping[str, str] | None = None
    findings: Sequence[Finding] = ()
    boots: Mapping[str, str] = field(default_factory=dict)
    untold: tuple[str, ...] = ()


def with_images(side: Side, images: Sequence[Side]) -> Side:
    """Return a side with the parts of its images, and the version that they name where it has none."""
    crates = {name: each for one in images if one.crates for name, each in one.crates.items()}
    return replace(
        side,
        version=side.version or next((one.version for one in images if one.version), ""),
        size=sum(one.size for one in images),
        archives={path: each for one in images for path, each in one.archives.items()},
        ukis={path: each for one in images for path, each in one.ukis.items()},
        kernels={path: each for one in images for path, each in one.kernels.items()},
        crates=side.crates if side.crates is not None else crates or None,
        findings=[each for one in images for each in one.findings],
        boots={way: works for one in images for way, works in one.boots.items()},
        untold=(*side.untold, *(text for one in images for text in one.untold)),
    )
