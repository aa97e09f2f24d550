"""Makes the tar of a root file system: a set's Debian packages, the recipe's files, what scripts would make.

No maintainer script runs. What they would have done is in `root_scripts`, and for the rest the field's own
tools do it offline: systemd-sysusers(8), systemd-tmpfiles(8), systemctl(1), ldconfig(8), depmod(8).
"""

import os
import posixpath
import re
import stat
import tarfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipeline.debian import deb
from pipeline.debian.layer import MERGED_USR, UNWANTED
from pipeline.errors import FormatError, PipelineError
from pipeline.steps import root_artifact, root_scripts
from pipeline.steps.root_files import XATTR, Files, Meta
from pipeline.steps.runner import Context

TAR = "root.tar"
INIT = "/sbin/init"
UNITS = ("etc/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system")
"""Where systemd looks for units, first one first (systemd.unit(5))."""

MODULES = "usr/lib/modules"
MODULES_TAR = "chosen.tar"
"""The input with modules of the kernel, for a recipe that names some."""

LEFT_TO_BOOT = ("/run", "/dev", "/proc", "/sys", "/tmp", "/var/tmp")  # noqa: S108
"""What is made anew each time a machine starts, and so by no image."""


def build(ctx: Context) -> None:
    """Make TAR of the inputs `packages` and, where they are there, MODULES_TAR and `rootfs`; or of the input
    `artifact` alone.

    Parameters: `recipe` and `intent`, for messages; `image` and `version`, which os-release(5) says; `epoch`;
    `architecture`; `links`, path to target; `enable` and `mask`, names of units. Raises PipelineError with
    the file and the key that are at fault.
    """
    params = ctx.params
    if "artifact" in ctx.inputs:
        try:
            root_artifact.rewrite(
                ctx.inputs["artifact"],
                ctx.out / TAR,
                ctx.work,
                epoch=params["epoch"],
                architecture=params["architecture"],
            )
        except FormatError as error:
            raise PipelineError(
                f"{params['recipe']}: root.artifact: {error.message}", error.hint or "pin another tar"
            ) from error
        return
    files = Files(ctx.work / "root")
    packages = sorted(ctx.inputs["packages"].iterdir())
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # to decompress takes longest, and needs no lock
        reading = [pool.submit(read, package) for package in packages]
        for package, members in zip(packages, reading, strict=True):
            try:
                add_package(files, members.result())
            except FormatError as error:
                raise FormatError(f"{package.name}: {error.message}", error.hint) from error
    for name, target in params["links"].items():
        try:
            files.add_link(placed(name), target)
        except FormatError as error:
            raise PipelineError(
                f"{params['intent']}: links: {error.message}", "leave this link out"
            ) from error
    root_scripts.base(files, params["epoch"])
    if MODULES_TAR in ctx.inputs:
        add_modules(files, ctx.inputs[MODULES_TAR])
    if "rootfs" in ctx.inputs:
        add_rootfs(files, ctx.inputs["rootfs"], params["recipe"])
    root_scripts.identify(files, params["image"], params["version"])
    if not files.is_there(INIT):
        raise PipelineError(
            f"{params['recipe']}: root.packages: no package of {params['intent']} brings {INIT}",
            f"name systemd-sysv in {params['intent']}, then run `./doit lock`",
        )
    configure(ctx, files)
    root_scripts.as_never_started(files, params["epoch"])
    files.pack(ctx.out / TAR, params["epoch"])
    print(f"{len(files.metas)} files, {(ctx.out / TAR).stat().st_size} bytes")


def placed(name: str) -> str:
    """Return where a package's file lies in a root whose /bin, /lib and the like are links into /usr."""
    path = posixpath.normpath(f"/{name}").lstrip("/")
    return f"usr/{path}" if path.partition("/")[0] in MERGED_USR and "/" in path else path


def read(package: Path) -> list[tuple[tarfile.TarInfo, bytes]]:
    """Return the members of a package's data archive, each with what is in it. Raises as `deb` does."""
    with deb.open_archive(package) as archive:
        return [(each, _content(archive, each)) for each in archive]


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    data = archive.extractfile(member) if member.isreg() else None
    return data.read() if data else b""


def add_package(files: Files, members: Sequence[tuple[tarfile.TarInfo, bytes]]) -> None:
    """Put the members of a package's data archive where they belong, with the owners and modes that it says.

    What nobody reads is left out. Raises FormatError for a file that another package has, and for what no
    package should have.
    """
    for name in MERGED_USR:
        if name not in files.metas:
            files.add_folder(f"usr/{name}")
            files.add_link(name, f"usr/{name}")
    for member, data in members:
        name = placed(member.name)
        if not name or name in MERGED_USR or any(f"{name}/".startswith(f"{it}/") for it in UNWANTED):
            continue
        xattrs = {
            key.removeprefix(XATTR): value
            for key, value in member.pax_headers.items()
            if key.startswith(XATTR)
        }
        meta = Meta(stat.S_IFREG | member.mode & 0o7777, member.uid, member.gid, xattrs)
        if member.isdir():
            files.add_folder(name, member.mode & 0o7777, member.uid, member.gid)
        elif member.issym():
            files.add_link(name, member.linkname)
        elif member.islnk():
            files.add_hard_link(name, placed(member.linkname))
        elif member.isreg():
            files.add_file(name, data, meta)
        else:
            raise FormatError(f"/{name} is a device", "no Debian package has one: is this the file?")


def add_modules(files: Files, chosen: Path) -> None:
    """Add the modules in a tar, root's."""
    with tarfile.open(chosen) as archive:
        for member in archive:
            if member.isreg() and (data := archive.extractfile(member)):
                files.add_file(member.name, data, Meta(stat.S_IFREG | 0o644))


def add_rootfs(files: Files, folder: Path, recipe: str) -> None:
    """Put a recipe's files over those of packages: 0644, or 0755 for what its owner may run, all root's.

    Raises PipelineError, with the file, where it is to lie where a directory is, or behind a link.
    """
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        try:
            if path.is_symlink():
                files.add_link(name, str(path.readlink()), over=True)
            elif path.is_dir():
                files.add_folder(name)
            else:
                mode = 0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644
                files.add_file(name, path.read_bytes(), Meta(stat.S_IFREG | mode), over=True)
        except FormatError as error:
            raise PipelineError(
                f"{recipe}: root.rootfs: {error.message}", error.hint or f"rename or remove {name} in rootfs"
            ) from error


def configure(ctx: Context, files: Files) -> None:
    """Do what packages' scripts have other programs do: users, folders, units, caches, certificates, PAM."""
    root, state = f"--root={files.folder}", ctx.work / "owners"
    root_scripts.pam(files)
    root_scripts.certificates(files, ctx.run, ctx.work)
    files.run_as_root(ctx.run, state, ["systemd-sysusers", root])
    excluded = [f"--exclude-prefix={prefix}" for prefix in LEFT_TO_BOOT]
    files.run_as_root(ctx.run, state, ["systemd-tmpfiles", root, "--create", "--boot", *excluded])
    for verb in ("enable", "mask"):
        for unit in ctx.params[verb]:
            expect_unit(files, unit, f"{ctx.params['recipe']}: root.{verb}")
    ctx.run(["systemctl", root, "preset-all"])
    for verb in ("enable", "mask"):
        for unit in ctx.params[verb]:
            set_unit(ctx, root, verb, unit)
    files.look()
    if "etc/ld.so.conf" in files.metas:
        ctx.run(["ldconfig", "-X", "-r", str(files.folder)])
    for release in sorted({name.split("/")[3] for name in files.below(MODULES)}):
        ctx.run(["depmod", "-b", str(files.folder), release])
    files.look()


def set_unit(ctx: Context, root: str, verb: str, unit: str) -> None:
    """Enable or mask a unit. Raises PipelineError where that cannot be, or would change nothing."""
    why = f"{ctx.params['recipe']}: root.{verb}: {unit}"
    try:
        said = ctx.run(["systemctl", root, verb, unit])
    except PipelineError as error:
        last = error.message.splitlines()[-1].replace(root.removeprefix("--root="), "")
        raise PipelineError(f"{why}: {last}", "correct the unit, or take it off the list") from error
    if "no installation config" in said:
        raise PipelineError(
            f"{why} has no [Install] section, so that nothing would start it",
            "link it in rootfs below etc/systemd/system/multi-user.target.wants, or take it off the list",
        )


def expect_unit(files: Files, unit: str, why: str) -> None:
    """Raise PipelineError, which begins with `why` it is wanted, where neither a unit nor its template is."""
    template = re.sub(r"@[^.]+\.", "@.", unit)
    places = [f"{folder}/{name}" for folder in UNITS for name in dict.fromkeys((unit, template))]
    if not any(place in files.metas for place in places):
        near = sorted(
            {
                name.rpartition("/")[2]
                for folder in UNITS
                for name in files.below(folder)
                if name.rpartition("/")[2].partition(".")[0] == unit.partition(".")[0]
            }
        )
        raise PipelineError(
            f"{why}: there is no unit {unit!r} in the packages or rootfs",
            f"there is {', '.join(near)}" if near else "correct the name, or add the package that has it",
        )
