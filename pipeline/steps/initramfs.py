"""Makes the initramfs: BusyBox, the recipe's programs, files of packages, and what lies in its `rootfs/`.

What starts is data: `etc/inittab`.
"""

import hashlib
import io
import stat
import tarfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import zstandard

from pipeline.formats import cpio
from pipeline.steps import applets
from pipeline.steps.packaged import Packages, with_libraries
from pipeline.steps.runner import Context

BUSYBOX = "/usr/bin/busybox"
INIT = "init"
"""What the program is called that Linux starts, where it is not BusyBox."""

MODULES = "modules.tar"
"""The input with kernel modules and firmware, which is not always there."""

KEYS = "secure-boot"
"""The input with the public keys that the image may put into firmware, which is not always there."""

KEYS_FOR_FIRMWARE = ("PK.auth", "KEK.auth", "db.auth", "dbx.auth")
BESIDES = "besides"
"""Below which inputs there are that lie beside what is carried."""

LEVEL = 10  # 12 makes it 0.2 % smaller and 18 8 %, at twice and ten times the time, in each edit

FOLDERS = ("bin", "dev", "etc", "proc", "root", "run", "sbin", "sys", "tmp", "usr", "usr/bin", "usr/sbin")

DEVICES = (
    # BusyBox init opens the console before anything is mounted; /dev/null is for whoever comes next.
    cpio.CharDevice("dev/console", 5, 1, 0o600),
    cpio.CharDevice("dev/null", 1, 3, 0o666),
)


def files_below(root: Path) -> list[cpio.Member]:
    """Return the files and links of a folder; modes are 0644, or 0755 for what its owner may run."""
    members: list[cpio.Member] = []
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            members.append(cpio.Symlink(name, str(path.readlink())))
        elif path.is_file():
            mode = 0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644
            members.append(cpio.File(name, path.read_bytes(), mode))
    return members


def with_folders(members: Iterable[cpio.Member]) -> list[cpio.Member]:
    """Return the members and every folder that they lie in; later members replace earlier ones."""
    named = {member.name: member for member in members}
    for name in list(named):
        for parent in PurePosixPath(name).parents:
            if str(parent) != ".":
                named.setdefault(str(parent), cpio.Directory(str(parent)))
    return list(named.values())


def carried_files(path: str, data: bytes) -> list[cpio.Member]:
    """Return a file that the image carries along, and beside it a line that sha256sum(1) can check."""
    line = f"{hashlib.sha256(data).hexdigest()}  {PurePosixPath(path).name}\n"
    return [cpio.File(path, data), cpio.File(f"{path}.sha256", line.encode())]


def carried_set(folder: str, source: Path) -> list[cpio.Member]:
    """Return the files of a tar that the image carries along below `folder`; one lists their digests."""
    with tarfile.open(source) as tar:
        files = ((member.name, tar.extractfile(member)) for member in tar)
        return [cpio.File(f"{folder}{name}", file.read()) for name, file in files if file]


def keys_for_firmware(folder: Path) -> list[cpio.Member]:
    """Return the signed variables of a folder of keys, in /etc/secure-boot."""
    found = (folder / name for name in KEYS_FOR_FIRMWARE)
    return [cpio.File(f"etc/{KEYS}/{path.name}", path.read_bytes()) for path in found if path.is_file()]


def files_beside(folder: Path) -> list[cpio.Member]:
    """Return the files of a folder, beside what is carried."""
    return [cpio.File(f"payload/{path.name}", path.read_bytes()) for path in sorted(folder.iterdir())]


def modules_of(source: Path) -> list[cpio.Member]:
    """Return the files of a tar with `usr/lib/modules` and `usr/lib/firmware`, in `lib` as Linux looks."""
    with tarfile.open(source) as tar:
        files = ((member.name.removeprefix("usr/"), tar.extractfile(member)) for member in tar)
        return [cpio.File(name, file.read()) for name, file in files if file]


def build(ctx: Context) -> None:
    """Make `initramfs.cpio.zst`.

    Inputs: `programs` with each of `params.programs`, `rootfs`, `payload`, which becomes the file
    `params.carried`, or, a tar, the files below it where it ends in `/`, if that is not empty, and each of
    `params.about`, which go to `/etc`. BusyBox comes from
    `packages.tar`, those of the set `params.packages`, and so do the files `params.packaged`; of all programs
    come the libraries, too. Without `params.busybox` there is none; `params.applets` are those of its applets
    that have links, or None for all. MODULES, if it is there, has kernel modules, KEYS public keys for
    firmware, and BESIDES what lies beside what is carried. A program called INIT is what Linux starts.
    `params.recipe` is the path of the recipe, for messages.
    """
    params = ctx.params
    programs = [
        cpio.File(f"bin/{name}", (ctx.inputs["programs"] / name).read_bytes(), 0o755)
        for name in params["programs"]
    ]
    with tarfile.open(ctx.inputs["packages.tar"]) as tar:
        packages, recipe = Packages(tar, params["packages"]), params["recipe"]
        packaged = [packages.file(path, f"{recipe}: image.packaged") for path in params["packaged"]]
        busybox = []
        if params["busybox"]:
            data = packages.file(BUSYBOX, f"{recipe}: image.packages").data
            busybox = [cpio.File("bin/busybox", data, 0o755)]
        used = with_libraries([*programs, *packaged, *busybox], packages)
    files = files_below(ctx.inputs["rootfs"])
    links: list[cpio.Member] = []
    for each in busybox:
        listing = _applets_of(ctx, each.data)
        run = [program.data for program in programs]
        links += applets.links(listing, params["applets"], files, run, recipe)
    if INIT in params["programs"]:
        links.append(cpio.Symlink("init", f"bin/{INIT}"))
    carried: list[cpio.Member] = []
    if params["carried"].endswith("/"):
        carried = carried_set(params["carried"], ctx.inputs["payload"])
    elif params["carried"]:
        carried = carried_files(params["carried"], ctx.inputs["payload"].read_bytes())
    members = with_folders(
        [
            *(cpio.Directory(name, 0o1777 if name == "tmp" else 0o755) for name in FOLDERS),
            *DEVICES,
            *links,
            *used,
            *carried,
            *(modules_of(ctx.inputs[MODULES]) if MODULES in ctx.inputs else []),
            *(files_beside(ctx.inputs[BESIDES]) if BESIDES in ctx.inputs else []),
            *(keys_for_firmware(ctx.inputs[KEYS]) if KEYS in ctx.inputs else []),
            cpio.File("etc/os-release", params["os_release"].encode()),
            *(cpio.File(f"etc/{name}", ctx.inputs[name].read_bytes()) for name in params["about"]),
            *files,
        ]
    )
    raw = io.BytesIO()
    cpio.write(members, raw, params["epoch"])
    # The size in the frame header, one thread, the whole input at once: nothing left that may vary.
    packer = zstandard.ZstdCompressor(level=LEVEL, write_content_size=True, threads=0)
    data = packer.compress(raw.getbuffer())
    (ctx.out / "initramfs.cpio.zst").write_bytes(data)
    print(f"{len(members)} members, {raw.tell()} bytes, {len(data)} compressed")


def _applets_of(ctx: Context, busybox: bytes) -> str:
    """Return what a BusyBox says that it can be called as."""
    runnable = ctx.work / "busybox"
    runnable.write_bytes(busybox)
    runnable.chmod(0o755)
    return ctx.run([str(runnable), "--list-full"])
