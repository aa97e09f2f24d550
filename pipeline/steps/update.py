"""Makes the archive of what an update brings: a root file system, its hashes, and the UKI that verifies it.

systemd-sysupdate finds each by its name: image, version, and for a partition the UUID by its root hash.

Specifications: sysupdate.d(5), `MatchPattern=`, of systemd 257; sha256sum(1)
"""

import hashlib
import io
import tarfile
from pathlib import Path

from pipeline.steps.disk import partition_uuids
from pipeline.steps.runner import Context
from pipeline.steps.verity import names

UKI = "uki"
SUMS = "SHA256SUMS"


def members(image: str, version: str, data: str, root_hash: str) -> dict[str, str]:
    """Return what the files of an update are called: the inputs UKI, `data` and its tree, to their names."""
    stem = f"{image}_{version}"
    uuids = partition_uuids({data: root_hash})
    return {UKI: f"{stem}.efi", **{name: f"{stem}_{uuid}.{name}" for name, uuid in uuids.items()}}


def build(ctx: Context) -> None:
    """Make `params.output`, a tar, of the UKI and of the file system `params.data` with what belongs to it.

    `params.image` and `params.version` say what it is an update to.
    """
    params = ctx.params
    root_hash = ctx.inputs[names(params["data"])[1]].read_text(encoding="ascii").strip()
    called = members(params["image"], params["version"], params["data"], root_hash)
    files = {name: ctx.inputs[source] for source, name in called.items()}
    with tarfile.open(ctx.out / params["output"], "w", format=tarfile.USTAR_FORMAT) as archive:
        sums = [f"{_digest(path)} *{name}\n" for name, path in sorted(files.items())]
        _add(archive, SUMS, "".join(sums).encode(), params["epoch"])
        for name, path in sorted(files.items()):
            _add(archive, name, path, params["epoch"])


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _add(archive: tarfile.TarFile, name: str, content: bytes | Path, epoch: int) -> None:
    """Add a file of root's that all may read."""
    info = tarfile.TarInfo(name)
    info.mtime, info.mode = epoch, 0o644
    info.size = len(content) if isinstance(content, bytes) else content.stat().st_size
    with io.BytesIO(content) if isinstance(content, bytes) else content.open("rb") as file:
        archive.addfile(info, file)
