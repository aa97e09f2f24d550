"""Chooses kernel modules for an initramfs or a root, with all that they depend on, and firmware.

Formats: modules.dep(5); modprobe.d(5) for the lines of modules.alias and modules.softdep; depmod(8).
"""

import difflib
import gzip
import lzma
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.steps import archive
from pipeline.steps.kernel_package import MODULES, MODULES_TAR, TAR, depmod
from pipeline.steps.packaged import Packages
from pipeline.steps.runner import Context

CHOSEN = "chosen.tar"
"""The output: what is below MODULES and FIRMWARE of a tree."""

FIRMWARE = "usr/lib/firmware/"
UNPACK: Mapping[str, Callable[[bytes], bytes]] = {
    ".ko": bytes,
    ".ko.xz": lzma.decompress,
    ".ko.gz": gzip.decompress,
}
TABLES = ("modules.dep", "modules.alias", "modules.softdep", "modules.builtin")
"""What programs read that load modules; the same in binary is for libkmod, which reads these, too."""

HINTS = ("modules.order", "modules.builtin", "modules.builtin.modinfo")
"""What depmod wants to see besides modules."""


@dataclass(frozen=True)
class Tables:
    """What depmod says of all modules: names are with `_`, files below the release's folder."""

    release: str
    files: Mapping[str, str]
    needs: Mapping[str, tuple[str, ...]]
    softly: Mapping[str, tuple[str, ...]]
    aliases: Mapping[str, tuple[str, ...]]
    builtin: frozenset[str]

    def matching(self, pattern: str) -> list[str]:
        """Return the names of the modules that a pattern means: one of names, or with a `/`, of files."""
        if "/" in pattern:
            files = ((name, file.removeprefix("kernel/")) for name, file in self.files.items())
            return sorted(name for name, file in files if fnmatchcase(file, pattern))
        return sorted(name for name in self.files if fnmatchcase(name, _plain(pattern)))

    def closure(self, names: Iterable[str]) -> list[str]:
        """Return these modules and all that they need, or would rather have, sorted."""
        found, waiting = set[str](), list(names)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                wishes = (each for wish in self.softly.get(name, ()) for each in self.meant(wish))
                waiting += [*self.needs[name], *wishes]
        return sorted(found)

    def meant(self, name: str) -> tuple[str, ...]:
        """Return the modules that a name or an alias stands for; none for what is built in, or nowhere."""
        return (name,) if name in self.files else self.aliases.get(name, ())


def _plain(name: str) -> str:
    return name.replace("-", "_")


def _name(file: str) -> str:
    """Return the name of the module in a file: kernel/fs/ext4/ext4.ko.xz has ext4."""
    return _plain(file.rpartition("/")[2].partition(".")[0])


def _lines(folder: Path, name: str) -> Iterator[list[str]]:
    for line in (folder / name).read_text(encoding="utf-8").splitlines():
        if not line.startswith("#") and (words := line.split()):
            yield words


def read_tables(folder: Path, release: str) -> Tables:
    """Read depmod's tables in the folder of a release."""
    files, needs = dict[str, str](), dict[str, tuple[str, ...]]()
    for file, *others in _lines(folder, "modules.dep"):
        path = file.removesuffix(":")
        files[_name(path)], needs[_name(path)] = path, tuple(map(_name, others))
    aliases, softly = dict[str, tuple[str, ...]](), dict[str, tuple[str, ...]]()
    for _, pattern, module in _lines(folder, "modules.alias"):
        aliases[_plain(pattern)] = (*aliases.get(_plain(pattern), ()), _plain(module))
    for _, module, *wishes in _lines(folder, "modules.softdep"):
        names = tuple(_plain(wish) for wish in wishes if wish not in ("pre:", "post:"))
        softly[_plain(module)] = softly.get(_plain(module), ()) + names
    builtin = frozenset(_name(file) for (file,) in _lines(folder, "modules.builtin"))
    return Tables(release, files, needs, softly, aliases, builtin)


def chosen(
    tables: Tables, patterns: Iterable[str], recipe: str, key: str, note: Callable[[str], None]
) -> list[str]:
    """Return the modules that the `key` of a recipe means, with all that they depend on, sorted.

    One that is built into the kernel is noted. Raises PipelineError for one that there is not.
    """
    names = list[str]()
    for pattern in patterns:
        found = tables.matching(pattern)
        if not found and _plain(pattern) in tables.builtin:
            note(f"{recipe}: {key}: {pattern!r} is built into Linux {tables.release}, and needs no module")
        elif not found:
            near = difflib.get_close_matches(_plain(pattern), [*tables.files], n=3)
            raise PipelineError(
                f"{recipe}: {key}: Linux {tables.release} has no module {pattern!r}",
                f"did you mean {' or '.join(near)}?" if near else "modinfo(8) shows how modules are called",
            )
        names += found
    return tables.closure(names)


def build(ctx: Context) -> None:
    """Write CHOSEN: the modules `params.modules` of MODULES_TAR, unpacked, and tables of their own; and the
    files below FIRMWARE that match `params.firmware` of TAR, the set `params.packages`.

    Modules keep the signatures of who built them. `params.recipe` is the path of the recipe, and
    `params.key` what names modules there, for messages.
    """
    params, whole, tree = ctx.params, ctx.work / "whole", ctx.work / "tree"
    archive.unpack(ctx.inputs[MODULES_TAR], whole)
    (source,) = (whole / MODULES).iterdir()
    tables = read_tables(source, source.name)
    target = tree / MODULES / source.name
    target.mkdir(parents=True)
    names = chosen(tables, params["modules"], params["recipe"], params["key"], ctx.note)
    for name in names:
        _copy_unpacked(source, tables.files[name], target)
    for table in HINTS:
        (target / table).write_bytes((source / table).read_bytes())
    depmod(ctx, tree, source.name)
    for path in target.glob("modules.*"):
        if path.name not in TABLES:
            path.unlink()
    _add_firmware(ctx, tree)
    archive.pack(tree, ctx.out / CHOSEN, params["epoch"])
    print(f"{len(names)} modules of {len(tables.files)}")


def _copy_unpacked(source: Path, file: str, target: Path) -> None:
    stem, dot, suffix = file.rpartition(".ko")
    unpack = UNPACK.get(dot + suffix)
    if unpack is None:
        known = ", ".join(UNPACK)
        raise PipelineError(
            f"{file} is packed in an unknown way (known: {known})", "take the kernel of another package"
        )
    path = target / f"{stem}.ko"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(unpack((source / file).read_bytes()))


def _add_firmware(ctx: Context, tree: Path) -> None:
    """Add the files that a recipe's `kernel.firmware` means, links as what they lead to."""
    patterns, why = ctx.params["firmware"], f"{ctx.params['recipe']}: kernel.firmware"
    if not patterns:
        return
    with tarfile.open(ctx.inputs[TAR]) as tar:
        packages = Packages(tar, ctx.params["packages"])
        files = [name for name, member in packages.members.items() if not member.isdir()]
        for pattern in patterns:
            found = [name for name in files if fnmatchcase(name, FIRMWARE + pattern)]
            if not found:
                raise PipelineError(
                    f"{why}: {pattern!r} is in no package of {packages.intent}",
                    f"name the Debian package that has it in {packages.intent}, then run `{packages.lock}`",
                )
            for name in found:
                path = tree / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(packages.file(f"/{name}", why).data)
