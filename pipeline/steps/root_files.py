"""The files of a root file system while it is made: contents on the disk of the container, owners beside it.

A step is unprivileged: it cannot give a file to anybody. So owners, modes and extended attributes are in
`Files` alone; fakeroot(1) shows them to the tools that ask for them, and `pack` writes them into the tar.
"""

import io
import os
import posixpath
import shutil
import stat
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Protocol

from pipeline.errors import FormatError

XATTR = "SCHILY.xattr."
"""What the names of extended attributes have in front in pax headers: star, GNU tar, libarchive write it."""

PRELOADED = "/usr/lib/x86_64-linux-gnu/libfakeroot/libfakeroot-sysv.so"
KEY = "1"
"""What fakeroot's daemon and its clients know each other by (faked(1)): a container has no other."""


class Run(Protocol):
    """What runs a command and returns what it says: `Context.run`."""

    def __call__(self, argv: list[str], *, env: Mapping[str, str] | None = None) -> str:
        """Run it, with `env` added to its environment. Raises PipelineError when it fails."""


@dataclass(frozen=True, slots=True)
class Meta:
    """What belongs to a file besides its contents: `mode` with its type bits, owners by number."""

    mode: int
    uid: int = 0
    gid: int = 0
    xattrs: Mapping[str, str] = field(default_factory=dict)


class Files:
    """A tree below `folder`: names are relative, without a leading `/`; `metas` has each file's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.metas: dict[str, Meta] = {}
        folder.mkdir()

    def path(self, name: str) -> Path:
        """Return where a file's contents are."""
        return self.folder / name

    def add_folder(self, name: str, mode: int = 0o755, uid: int = 0, gid: int = 0) -> None:
        """Make a folder, and those around it, if it is not there; one that is stays as it is.

        Raises FormatError where something else has its name.
        """
        before = self.metas.get(name)
        if before is None:
            self._make_room(name)
            self.path(name).mkdir()
            self.metas[name] = Meta(stat.S_IFDIR | mode, uid, gid)
        elif stat.S_ISLNK(before.mode):
            target = self.path(name).readlink()
            raise FormatError(
                f"/{name} is a link to {target} already, and cannot be a folder, too",
                "put what is to lie in it where the link leads",
            )
        elif not stat.S_ISDIR(before.mode):
            raise FormatError(f"/{name} is {kind_of(before.mode)} already, and cannot be a folder, too")

    def add_file(self, name: str, data: bytes | IO[bytes], meta: Meta, *, over: bool = False) -> None:
        """Write a file. Raises FormatError for a name that is taken; `over` replaces a file or a link."""
        self._make_room(name, over=over)
        with self.path(name).open("xb") as file:
            shutil.copyfileobj(io.BytesIO(data) if isinstance(data, bytes) else data, file)
        self.path(name).chmod(stat.S_IMODE(meta.mode) | 0o600)  # the step itself has to read it
        self.metas[name] = meta

    def write(self, name: str, text: str, mode: int = 0o644, gid: int = 0) -> None:
        """Write a text of root's, over what is there."""
        self.add_file(name, text.encode(), Meta(stat.S_IFREG | mode, 0, gid), over=True)

    def add_link(self, name: str, target: str, *, over: bool = False) -> None:
        """Make a symbolic link; as `add_file` does."""
        self._make_room(name, over=over)
        self.path(name).symlink_to(target)
        self.metas[name] = Meta(stat.S_IFLNK | 0o777)

    def add_hard_link(self, name: str, other: str) -> None:
        """Give a file a second name. Raises FormatError where it is not there, as it has to be before."""
        if not stat.S_ISREG(getattr(self.metas.get(other), "mode", 0)):
            raise FormatError(f"/{name} is a hard link to /{other}, which is no file before it")
        self._make_room(name)
        self.path(name).hardlink_to(self.path(other))
        self.metas[name] = self.metas[other]

    def remove(self, name: str) -> None:
        """Remove a file or a link."""
        self.path(name).unlink()
        del self.metas[name]

    def below(self, name: str) -> list[str]:
        """Return the names of all that is below a folder, sorted."""
        return sorted(each for each in self.metas if each.startswith(f"{name}/"))

    def is_there(self, path: str) -> bool:
        """Tell whether an absolute path leads to something, links followed as in this root."""
        return self.resolve(path) is not None

    def resolve(self, path: str) -> str | None:
        """Return the name of what an absolute path leads to, "" for the root, None for nothing."""
        place, waiting, links = "", path.split("/"), 0
        while waiting:
            here = posixpath.normpath(posixpath.join("/", place, waiting.pop(0))).lstrip("/")
            meta = self.metas.get(here)
            if here and meta is None:
                return None
            if meta and stat.S_ISLNK(meta.mode):
                links += 1
                if links > 40:  # as Linux: MAXSYMLINKS
                    return None
                target = str(self.path(here).readlink())
                waiting = [*target.split("/"), *waiting]
                place = "" if target.startswith("/") else posixpath.dirname(here)
            else:
                place = here
        return place

    def _make_room(self, name: str, *, over: bool = False) -> None:
        """Have the folder of a name be there, and nothing under the name. Raises FormatError for what is."""
        parent = posixpath.dirname(name)
        if parent and not stat.S_ISDIR(getattr(self.metas.get(parent), "mode", 0)):
            meta = self.metas.get(parent)
            if meta and stat.S_ISLNK(meta.mode):
                target = self.path(parent).readlink()
                raise FormatError(
                    f"/{name} lies behind the link /{parent} -> {target}", "put it where that leads"
                )
            self.add_folder(parent)
        before = self.metas.get(name)
        if before is None:
            return
        if stat.S_ISDIR(before.mode):
            raise FormatError(f"/{name} is a directory already, and cannot be a file, too")
        if not over:
            raise FormatError(f"/{name} is there already")
        self.remove(name)

    def run_as_root(self, run: Run, state: Path, argv: list[str]) -> str:
        """Run a command that sees and may change owners and modes; return what it says.

        `state` is a file for fakeroot's daemon: a line for each inode. The script fakeroot(1) is of no use
        here: it waits for the daemon to vanish, whom a container's first process has to bury.
        """
        places: dict[tuple[int, int], list[str]] = {}
        for name in self.metas:
            places.setdefault(_inode(self.path(name)), []).append(name)
        lines = [
            f"dev={device:x},ino={inode},mode={meta.mode:o},uid={meta.uid},gid={meta.gid},nlink=1,rdev=0\n"
            for (device, inode), (name, *_) in places.items()
            for meta in [self.metas[name]]
        ]
        state.write_text("".join(lines))
        daemon = ["faked-sysv", "--foreground", "--key", KEY, "--save-file", str(state), "--load"]
        with state.open() as known, subprocess.Popen(daemon, stdin=known, stdout=subprocess.PIPE) as faked:
            if faked.stdout:
                faked.stdout.readline()  # it is ready
            try:
                said = run(argv, env={"LD_PRELOAD": PRELOADED, "FAKEROOTKEY": KEY})
            finally:
                faked.terminate()
        told = dict(map(_told, state.read_text().splitlines()))
        self.look(told, {name: inode for inode, names in places.items() for name in names})
        return said

    def look(
        self,
        told: Mapping[tuple[int, int], Meta] | None = None,
        before: Mapping[str, tuple[int, int]] | None = None,
    ) -> None:
        """Take in what tools did on the disk: what they made is root's, unless `told` knows better.

        `before` are the inodes from before the tool ran: what has another one now is another file.
        """
        found: dict[str, Meta] = {}
        for name in _walk(self.folder):
            status = self.path(name).lstat()
            inode = (status.st_dev, status.st_ino)
            known = self.metas.get(name)
            if known and before and before.get(name) != inode:
                known = None
            meta = (told or {}).get(inode)
            if meta and stat.S_IFMT(meta.mode) == stat.S_IFMT(status.st_mode):
                found[name] = replace(meta, xattrs=known.xattrs) if known else meta
            elif known and stat.S_IFMT(known.mode) == stat.S_IFMT(status.st_mode):
                found[name] = known
            else:
                found[name] = Meta(status.st_mode)
            if stat.S_ISREG(status.st_mode) and not status.st_mode & 0o400:
                self.path(name).chmod(0o600)
        self.metas = found

    def pack(self, target: Path, epoch: int) -> None:
        """Write all files as a pax tar, parents before what is in them, sorted, each dated `epoch`.

        Format: POSIX.1-2017, pax, "pax Interchange Format".
        """
        first: dict[tuple[int, int], str] = {}
        with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
            for name in sorted(self.metas, key=lambda name: name.split("/")):
                path, meta = self.path(name), self.metas[name]
                info = tarfile.TarInfo(name)
                info.mode, info.uid, info.gid, info.mtime = stat.S_IMODE(meta.mode), meta.uid, meta.gid, epoch
                info.pax_headers = {f"{XATTR}{key}": value for key, value in sorted(meta.xattrs.items())}
                if stat.S_ISDIR(meta.mode):
                    info.type = tarfile.DIRTYPE
                elif stat.S_ISLNK(meta.mode):
                    info.type, info.linkname = tarfile.SYMTYPE, str(path.readlink())
                elif (earlier := first.setdefault(_inode(path), name)) != name:
                    info.type, info.linkname = tarfile.LNKTYPE, earlier
                else:
                    info.size = path.stat().st_size
                    with path.open("rb") as file:
                        tar.addfile(info, file)
                    continue
                tar.addfile(info)


def kind_of(mode: int) -> str:
    """Return what a mode's type bits say, as a noun phrase."""
    kinds = {stat.S_IFDIR: "a directory", stat.S_IFLNK: "a link", stat.S_IFREG: "a file"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def _inode(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return status.st_dev, status.st_ino


def _told(line: str) -> tuple[tuple[int, int], Meta]:
    """Return what a line of fakeroot's state says, by device and inode."""
    fields = dict(part.split("=") for part in line.split(","))
    meta = Meta(int(fields["mode"], 8), int(fields["uid"]), int(fields["gid"]))
    return (int(fields["dev"], 16), int(fields["ino"])), meta


def _walk(folder: Path) -> Iterator[str]:
    for top, folders, files in os.walk(folder):
        for name in (*folders, *files):
            yield Path(top, name).relative_to(folder).as_posix()
