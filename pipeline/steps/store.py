"""Makes of a root file system one whose programs, kernel, initramfs and systems lie in a store.

What is below /usr becomes a package, the kernel with its modules another, the initramfs a third; each system
is a folder of links to these. All are called by what is in them, belong to root, cannot be written to, and
are dated alike. /etc and /var stay as they are. The shape is Guix's.

Specifications: GNU Guix Reference Manual, "The Store" and "Invoking guix system"; file-hierarchy(7); Linux,
Documentation/arch/x86/boot.rst (kernel_version); `pipeline.formats.nar` has that of names.
"""

import io
import posixpath
import struct
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field

from pipeline.errors import PipelineError
from pipeline.formats.nar import File, Folder, Link, Node, path_of
from pipeline.steps.runner import Context

TAR = "root.tar"
"""The root: an input, and the output."""

KERNEL, INITRAMFS = "vmlinuz", "initramfs.cpio.zst"
BZIMAGE, INITRD = "bzImage", "initrd.cpio.zst"
"""What these two are called in their folders of the store."""

VERSION, SECTOR = 0x20E, 512
"""Where the boot header says how far behind the first sector the version stands."""

USR = "usr"
DATE = 1
"""Seconds since 1970 of all in a store: a time before that of any source, as make(1) compares them."""

BOOTED = "/run/booted-system"
INIT = """\
#!{package}/bin/sh
# Makes the system that this file is of the one that runs, then becomes the init of its packages.
PATH={package}/bin:{package}/sbin
system=$(readlink -f "$0")
system=${{system%/*}}
if [ "$(readlink -f /usr)" != "$(readlink -f "$system/profile")" ]; then
    ln -sfn "$system/profile" /usr.new && mv -T /usr.new /usr
fi
mount -t tmpfs -o mode=0755,nosuid,nodev,strictatime,size=20%,nr_inodes=800k tmpfs /run
ln -s "$system" {booted}
ln -s "$system" /run/current-system
exec {package}/sbin/init "$@"
"""
"""What a system starts: systemd leaves a /run alone that is mounted already."""

NEEDED = ("bin/sh", "bin/ln", "bin/mount", "bin/mv", "bin/readlink", "sbin/init")
"""What INIT runs of the package, below /usr."""

Made = tuple[tarfile.TarInfo, File | None]


@dataclass
class Tree:
    """The members of a tar that is written, by name, and the paths that are in the store `folder`."""

    folder: str
    members: dict[str, Made] = field(default_factory=dict)

    def add(self, name: str, node: Node, *leads_to: str) -> str:
        """Put a tree into the store; return its path. One that is there already stays."""
        path = path_of(self.folder, name, node, leads_to)
        self.add_folder(self.folder)
        if path.lstrip("/") not in self.members:
            self.members.update(_members(path.lstrip("/"), node, {}))
        return path

    def add_folder(self, path: str) -> None:
        """Make a folder, and those around it, where there is none. Raises PipelineError for what is none."""
        name = path.strip("/")
        if not name:
            return
        self.add_folder(posixpath.dirname(name))
        info = self.members.setdefault(name, (_info(name, tarfile.DIRTYPE, 0o755), None))[0]
        if not info.isdir():
            raise PipelineError(f"/{name} is no folder", "name another one in [store]")

    def add_link(self, path: str, target: str) -> None:
        """Make a symbolic link. Raises PipelineError for a name that is taken."""
        name = path.strip("/")
        self.add_folder(posixpath.dirname(name))
        if name in self.members:
            raise PipelineError(f"/{name} is there already", "name another path in [store]")
        info = _info(name, tarfile.SYMTYPE, 0o777)
        info.linkname = target
        self.members[name] = info, None


def build(ctx: Context) -> None:
    """Make TAR of the inputs TAR, KERNEL and INITRAMFS.

    Parameters: `recipe`, its path, for messages; `name` of the package; `store`, its folder, `profile` and
    `generations` as `Store` has them. Modules in TAR go to the kernel's folder. Raises PipelineError for a
    root that has not what a system starts with, or something where the store is to be.
    """
    params = ctx.params
    store = Tree(params["store"])
    with tarfile.open(ctx.inputs[TAR], errors="surrogateescape") as source:
        usr, others = split(source)
        store.members.update({member.name: (member, None) for member in others})
        kernel = ctx.inputs[KERNEL].read_bytes()
        linux = {BZIMAGE: File(kernel)} | _modules_of(usr)
        try:
            for path in NEEDED:
                _expect(usr, path)
            package = store.add(params["name"], usr)
            found = {
                "kernel": store.add(f"linux-{release_of(kernel)}", Folder(linux)),
                "initrd": store.add("initrd", Folder({INITRD: File(ctx.inputs[INITRAMFS].read_bytes())})),
                "profile": package,
            }
            systems = [store.add("system", *_system(found, words)) for words in params["generations"]]
            _add_profile(store, params["profile"], systems)
            store.add_link(f"/{USR}", f"{params['profile'].lstrip('/')}/profile")
        except PipelineError as error:
            raise PipelineError(f"{params['recipe']}: store: {error.message}", error.hint) from error
        with tarfile.open(ctx.out / TAR, "w", format=tarfile.PAX_FORMAT, errors="surrogateescape") as out:
            for name in sorted(store.members, key=lambda name: name.split("/")):
                _write(source, out, *store.members[name])
    print(f"{len(store.members)} files, {len(set(systems))} systems")


def release_of(kernel: bytes) -> str:
    """Return the version of a bzImage, as `uname -r` shows it. Raises PipelineError where there is none."""
    (offset,) = struct.unpack_from("<H", kernel.ljust(VERSION + 2, b"\0"), VERSION)
    version = kernel[offset + SECTOR :][:256].partition(b"\0")[0].partition(b" ")[0]
    if not offset or not version:
        raise PipelineError(f"{KERNEL} does not say which Linux it is", "give a bzImage as Linux builds it")
    return version.decode("ascii", errors="replace")


def split(source: tarfile.TarFile) -> tuple[Folder, list[tarfile.TarInfo]]:
    """Return what is below /usr as a tree of its own, and the other members.

    Owners, the rights to write and to run as somebody else, and extended attributes stay behind.
    """
    top: dict[str, Node] = {}
    folders, files, others = {USR: top}, dict[str, File](), list[tarfile.TarInfo]()
    for member in source:
        above, _, name = member.name.rpartition("/")
        if member.name == USR:
            continue
        if not member.name.startswith(f"{USR}/"):
            others.append(member)
        elif member.isdir():
            folders[above][name] = Folder(folders.setdefault(member.name, {}))
        elif member.issym():
            folders[above][name] = Link(_inside(member))
        elif member.islnk():
            folders[above][name] = files[member.name] = files[member.linkname]
        else:
            data = source.extractfile(member)
            made = File(data.read() if data else b"", bool(member.mode & 0o111))
            folders[above][name] = files[member.name] = made
    return Folder(top), others


def _inside(member: tarfile.TarInfo) -> str:
    """Return where a link leads; from the root on if that is out of /usr, as it lies deeper in a store."""
    if member.linkname.startswith("/"):
        return member.linkname
    led = posixpath.normpath(f"/{posixpath.dirname(member.name)}/{member.linkname}")
    return member.linkname if led.startswith(f"/{USR}/") else led


def _modules_of(usr: Folder) -> dict[str, Node]:
    """Take the modules out of a tree; return what of them lies beside the kernel."""
    library = usr.entries.get("lib")
    if not isinstance(library, Folder) or not isinstance(library.entries, dict):
        return {}
    modules = library.entries.get("modules")
    if modules is None:
        return {}
    library.entries["modules"] = Link(f"{BOOTED}/kernel/lib/modules")
    return {"lib": Folder({"modules": modules})}


def _expect(usr: Folder, path: str) -> None:
    """Raise PipelineError unless there is something at a path below /usr."""
    node: Node | None = usr
    for part in path.split("/"):
        node = node.entries.get(part) if isinstance(node, Folder) else None
    if node is None:
        raise PipelineError(
            f"there is no /{USR}/{path} in the root, which a system is started with",
            "have `essential = true` and the package systemd-sysv in the set of root.packages",
        )


def _system(found: dict[str, str], words: list[str]) -> tuple[Folder, str, str, str]:
    """Return a system that is told `words`, and the paths that it leads to."""
    package = found["profile"]
    made: dict[str, Node] = {name: Link(path) for name, path in found.items()}
    made["initrd"] = Link(f"{found['initrd']}/{INITRD}")
    made["init"] = File(INIT.format(package=package, booted=BOOTED).encode(), runs=True)
    made["parameters"] = File("".join(f"{word}\n" for word in words).encode())
    return Folder(made), found["kernel"], found["initrd"], package


def _add_profile(store: Tree, profile: str, systems: list[str]) -> None:
    """Make the link of each system, and the one that leads to the last."""
    for number, system in enumerate(systems, 1):
        store.add_link(f"{profile}-{number}-link", system)
    store.add_link(profile, f"{posixpath.basename(profile)}-{len(systems)}-link")


def _members(name: str, node: Node, files: dict[File, str]) -> Iterator[tuple[str, Made]]:
    """Give the members of a tree of the store, sorted; `files` are those that it has already given."""
    if isinstance(node, Folder):
        yield name, (_info(name, tarfile.DIRTYPE, 0o555), None)
        for each in sorted(node.entries):
            yield from _members(f"{name}/{each}", node.entries[each], files)
    elif isinstance(node, Link):
        info = _info(name, tarfile.SYMTYPE, 0o777)
        info.linkname = node.target
        yield name, (info, None)
    elif node in files:
        info = _info(name, tarfile.LNKTYPE, 0o555 if node.runs else 0o444)
        info.linkname = files[node]
        yield name, (info, None)
    else:
        files[node] = name
        info = _info(name, tarfile.REGTYPE, 0o555 if node.runs else 0o444)
        info.size = len(node.data)
        yield name, (info, node)


def _info(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.mtime = kind, mode, DATE
    return info


def _write(source: tarfile.TarFile, out: tarfile.TarFile, info: tarfile.TarInfo, made: File | None) -> None:
    """Write a member: one of the store, or one of `source` as it is there."""
    if made is not None:
        out.addfile(info, io.BytesIO(made.data))
    else:
        out.addfile(info, source.extractfile(info) if info.isreg() else None)
