"""The pipeline as a wheel that a project brings along, pinned by its digest: it needs nothing else."""

import base64
import hashlib
import stat
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.project import engine
from pipeline.store.files import sha256_of

NAME = "installer-iso"
BUILT = ("METADATA", "WHEEL", "entry_points.txt", "licenses")
"""What of its metadata a wheel brings along: installers add files of their own."""

DATE = (2020, 2, 2, 0, 0, 0)
"""Of all members, as hatchling has it: a file's time is when it was installed."""


def pinned_wheel(folder: Path) -> str:
    """Put the wheel of this pipeline into `folder`, and return its line for requirements.lock.

    It is built of the checkout that this is, or packed of what is installed. Raises as `packed`.
    """
    folder.mkdir()
    wheel = _built(folder) if (engine.TREE / "pyproject.toml").is_file() else packed(installed(), folder)
    return f"./{folder.name}/{wheel.name} --hash=sha256:{sha256_of(wheel)}"


def _built(folder: Path) -> Path:
    from hatchling.builders.wheel import WheelBuilder

    return Path(next(WheelBuilder(str(engine.TREE)).build(directory=str(folder), versions=["standard"])))


def installed() -> Distribution | None:
    """Return the package that this program was installed as, None where it was not."""
    return next(iter(distributions(name=NAME)), None)


def packed(package: Distribution | None, folder: Path) -> Path:
    """Pack an installed package into a wheel in `folder`, as it was before.

    See the binary distribution format
    (https://packaging.python.org/en/latest/specifications/binary-distribution-format/). Raises
    PipelineError where the package does not list its files.
    """
    members = sorted(_members(package)) if package else []
    if package is None or not members:
        raise PipelineError(
            f"the installed package {NAME} does not list its files",
            f"install it by `uv tool install` or `pipx install`, or call the ./doit of a checkout of {NAME}",
        )
    tag = str(package.read_text("WHEEL")).partition("\nTag: ")[2].partition("\n")[0]
    stem = f"{NAME.replace('-', '_')}-{package.version}"
    wheel = folder / f"{stem}-{tag}.whl"
    record = f"{stem}.dist-info/RECORD"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as file:
        rows = [_add(file, name, path.read_bytes(), path.stat().st_mode) for name, path in members]
        _add(file, record, "\n".join([*rows, f"{record},,", ""]).encode(), 0)
    return wheel


def _members(package: Distribution) -> Iterator[tuple[str, Path]]:
    """Give name and path of what was in the wheel that a package was installed from."""
    for file in package.files or ():
        top, *below = file.parts
        metadata = top.endswith(".dist-info")
        if top != ".." and "__pycache__" not in below and (not metadata or below[0] in BUILT):
            yield file.as_posix(), Path(str(package.locate_file(file)))


def _add(file: zipfile.ZipFile, name: str, data: bytes, mode: int) -> str:
    """Add a file to a wheel, and return its row of RECORD: no name has a comma in it."""
    info = zipfile.ZipInfo(name, DATE)
    info.external_attr = (stat.S_IFREG | (0o755 if mode & stat.S_IXUSR else 0o644)) << 16
    file.writestr(info, data, zipfile.ZIP_DEFLATED)
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(data)}"
