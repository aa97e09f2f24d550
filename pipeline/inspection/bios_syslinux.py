"""Following syslinux and its relatives from a BIOS to a kernel."""

from pipeline.checks.kind import Node
from pipeline.errors import FormatError
from pipeline.formats import syslinux, syslinux_config
from pipeline.formats.boot_files import Files
from pipeline.formats.bzimage import is_bzimage
from pipeline.formats.syslinux_config import FOLDERS, NAMES, Config, Label
from pipeline.inspection.answer import Said
from pipeline.inspection.systems import system_of

CORE = "ldlinux.c32"
KERNELS = ("kernel", "linux")


def from_partition(node: Node, way: str) -> Said:
    """Follow the boot sector of a file system that syslinux or extlinux was installed in."""
    block = bytes(node.member.image[: syslinux.BLOCK])
    loader = block[3:11].rstrip().decode("ascii")
    try:
        folder = syslinux.from_disk(node.member.image).folder
    except FormatError as error:
        return Said(
            "no", because=f"{way} is {loader}'s, which does not start: {error.message}", hint=error.hint
        )
    return _followed(node, loader, folder, f"{way} starts {loader}, which is whole")


def from_cd(node: Node, sector: int, way: str) -> Said:
    """Follow isolinux.bin, which begins in a sector of the medium."""
    try:
        syslinux.check_isolinux(node.member.image, sector)
    except FormatError as error:
        return Said("no", because=f"{way}; {error.message}", hint=error.hint)
    return _followed(node, "ISOLINUX", "", f"{way}, which is whole")


def _followed(node: Node, loader: str, folder: str, way: str) -> Said:
    """Go on from a loader that is whole."""
    try:
        system = system_of(node)
    except FormatError as error:
        return Said("no", because=f"{way}; its file system cannot be read: {error.message}")
    if system is None:
        return Said("unknown", because=f"{way}; it lies in a file system that is not read")
    files = system.files
    core = _first(files, folder, (CORE,))
    if core is None:
        hint = "copy it from the same version of syslinux (modules/bios)"
        return Said("no", because=f"{way}; {CORE} is in none of its folders", hint=hint)
    path = _first(files, folder, NAMES[loader])
    if path is None:
        name = NAMES[loader][0]
        return Said("no", because=f"{way}; there is no {name}", hint=f"write {name}")
    here = path.rpartition("/")[0]
    try:
        config = syslinux_config.read_config(files.text(path), lambda name: files.text(_at(here, name)))
    except FormatError as error:
        return Said("no", because=f"{way}; /{path}: {error.message}", hint=error.hint)
    return _chosen(files, here, config, f"{way} and reads /{path}")


def _chosen(files: Files, here: str, config: Config, way: str) -> Said:
    """Go on from a configuration."""
    if config.module and not _is_module_there(files, here, config.module):
        return Said("no", because=f"{way}; its menu {config.module} is not there", hint="copy it beside")
    label = config.chosen
    if label is None:
        return Said("no", because=f"{way}; it has no default: its prompt comes", hint="add DEFAULT")
    if label.kind not in KERNELS or not _is_kernel(label):
        told = f"{label.kind.upper()} {label.image}"
        return Said("unknown", because=f"{way}; its entry {label.name!r} goes on with {told}")
    for path in (label.image, *label.files):
        if not files.is_file(_at(here, path)):
            because = f"{way}; its entry {label.name!r} names {path}, which is not there"
            return Said("no", because=because, hint="correct the path")
    if not is_bzimage(files.image(_at(here, label.image))):
        because = f"{way}; {label.image}, which its entry {label.name!r} names, is no Linux kernel"
        return Said("no", because=because, hint="put a kernel there, or correct the path")
    loaded = " and ".join([label.image, *label.files])
    return Said("yes", because=f"{way}, and its entry {label.name!r} loads {loaded}")


def _is_kernel(label: Label) -> bool:
    """Tell whether KERNEL names a kernel: by the file's name it may be a boot sector or a program."""
    odd = (".c32", ".com", ".cbt", ".bs", ".bin", ".bss", ".0", ".img")
    return label.kind == "linux" or not label.image.lower().endswith(odd)


def _is_module_there(files: Files, here: str, module: str) -> bool:
    places = (here, *FOLDERS)
    return any(files.is_file(_at(place, module)) for place in places)


def _first(files: Files, folder: str, names: tuple[str, ...]) -> str | None:
    """Return the first of these files that is in one of the folders where loaders look."""
    paths = (f"{place}/{name}".lstrip("/") for place in (folder, *FOLDERS) for name in names)
    return next((path for path in paths if files.is_file(path)), None)


def _at(here: str, path: str) -> str:
    """Return a path that a configuration in the folder `here` names."""
    return path.lstrip("/") if path.startswith("/") else f"{here}/{path}"
