"""The same packages by mkosi: what `bench` compares the way from packages to a disk with.

mkosi wants user namespaces, which engines forbid by default; its container gets them, and no right besides.
Its root is the container's user 100000, and it has no network: the packages are an archive for apt beside it.
"""

import hashlib
import io
import tarfile
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO

from pipeline.build.session import Session
from pipeline.debian import deb
from pipeline.debian.lock import SetIntent, SetLock
from pipeline.debian.packages import download
from pipeline.report import Line
from pipeline.sandbox.docker import Job
from pipeline.sandbox.run import StepError
from pipeline.sandbox.transfer import extract
from pipeline.steps.runner import BUILD, ENVIRONMENT

OWNER, OWNERS = 100_000, 65_536
"""The first user and group that mkosi's root is, and how many there are: a Debian has all of them."""

HERE = f"{BUILD}/mkosi"
SUITE = "trixie"
LAST_LINES = 20

RUN = """\
cd "$1/conf"
date +%s.%N > ../said/seconds
mkosi build > ../said/log 2>&1
echo $? > ../said/status
date +%s.%N >> ../said/seconds
"""
MKOSI = """\
[Distribution]
Distribution=debian
Release={suite}
Architecture=x86-64
LocalMirror=file://{here}/archive
RepositoryKeyCheck=no

[Output]
Format=disk
Output=disk
OutputDirectory={here}/image

[Content]
Packages={packages}
Bootable=no
WithDocs=no

[Build]
WithNetwork=no
PackageCacheDirectory={here}/packages
CacheDirectory={here}/cache
WorkspaceDirectory={here}/work
"""
REPART = {
    "20-root.conf": "Type=root\nFormat=erofs\nCompression=zstd\nCompressionLevel=3\nCopyFiles=/\n"
    "Minimize=guess\nVerity=data\nVerityMatchKey=root\n",
    "30-root-verity.conf": "Type=root-verity\nMinimize=guess\nVerity=hash\nVerityMatchKey=root\n",
}
ARGV = (
    "/usr/bin/unshare",
    "--user",
    "--mount",
    f"--map-users=0:{OWNER}:{OWNERS}",
    f"--map-groups=0:{OWNER}:{OWNERS}",
    "--setuid=0",
    "--setgid=0",
    *("/bin/sh", "-c", RUN, "mkosi", HERE),
)


def index_of(packages: Iterable[tuple[str, Path]]) -> str:
    """Return what apt reads of packages, each a file's name below `pool/` and the file.

    Format: Debian wiki, DebianRepository/Format, "Packages" indices.
    """
    entries = []
    for name, path in packages:
        fields = {key: value for key, value in deb.control(path).items() if value}
        fields |= {"filename": f"pool/{name}", "size": str(path.stat().st_size)}
        with path.open("rb") as file:
            fields["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
        entries.append("".join(f"{key.title()}: {value}\n" for key, value in fields.items()))
    return "\n".join(entries)


def release_of(index: str) -> str:
    """Return the archive's Release file (DebianRepository/Format, "Release" files)."""
    data = index.encode()
    return (
        f"Suite: {SUITE}\nCodename: {SUITE}\nArchitectures: amd64\nComponents: main\nSHA256:\n"
        f" {hashlib.sha256(data).hexdigest()} {len(data)} main/binary-amd64/Packages\n"
    )


def files_for(wanted: Sequence[str], packages: Mapping[str, Path]) -> tuple[dict[str, str], dict[str, Path]]:
    """Return the texts and the packages that mkosi gets, by where they lie, to install what is `wanted`."""
    index = index_of(sorted(packages.items()))
    settings = MKOSI.format(suite=SUITE, here=HERE, packages=",".join(wanted))
    texts = {
        "conf/mkosi.conf": settings,
        **{f"conf/mkosi.repart/{name}": f"[Partition]\n{text}" for name, text in REPART.items()},
        f"archive/dists/{SUITE}/Release": release_of(index),
        f"archive/dists/{SUITE}/main/binary-amd64/Packages": index,
    }
    return texts, {f"archive/pool/{name}": path for name, path in packages.items()}


def mkosi_seconds(session: Session, intent: SetIntent, lock: SetLock) -> float:
    """Return how many seconds mkosi takes to make a disk of a set: an EROFS root, and its tree of hashes.

    Raises StepError with its last lines when it fails.
    """
    line = Line.silent()
    containers = session.containers
    paths = download(lock.packages, session.project.sources(), session.store, line.progress)
    named = {f"{each.name}.deb": path for each, path in zip(lock.packages, paths, strict=True)}
    texts, pool = files_for(intent.packages, named)
    image = containers.image(session.project.locks["mkosi"], line.progress)
    env = dict(ENVIRONMENT) | {"HOME": f"{HERE}/work", "TMPDIR": f"{HERE}/work"}
    job = Job(image=image, argv=ARGV, env=tuple(env.items()), namespaces=True)
    with session.store.scratch() as scratch, tempfile.TemporaryFile(dir=scratch) as tree:
        _write(tree, texts, pool)
        tree.seek(0)
        with containers.engine.container(job, tree) as container:
            container.start()
            status = container.wait()["StatusCode"]
            extract(container.get_archive(f"{HERE}/said")[0], scratch / "said")
        return _seconds(scratch / "said", status)


def _write(tree: IO[bytes], texts: Mapping[str, str], pool: Mapping[str, Path]) -> None:
    """Write the tar of all that mkosi gets, and of the folders that it fills."""
    made_here = [f"{name}/" for name in ("said", "image", "packages", "cache", "work")]
    above = {parent.as_posix() for name in (*texts, *pool) for parent in Path(name).parents}
    folders = sorted({*made_here, *(f"{name}/" for name in above)})
    with tarfile.open(fileobj=tree, mode="w|") as tar:
        for name in folders:
            _add(tar, name.removesuffix("/"), None)
        for name, text in texts.items():
            _add(tar, name, text.encode())
        for name, path in pool.items():
            _add(tar, name, path.read_bytes())


def _add(tar: tarfile.TarFile, name: str, data: bytes | None) -> None:
    info = tarfile.TarInfo(f"mkosi/{name}")
    info.uid = info.gid = OWNER
    info.type, info.mode = (tarfile.DIRTYPE, 0o755) if data is None else (tarfile.REGTYPE, 0o644)
    info.size = len(data or b"")
    tar.addfile(info, io.BytesIO(data or b""))


def _seconds(said: Path, status: int) -> float:
    texts = {name: _text(said / name) for name in ("log", "status", "seconds")}
    if status or texts["status"].strip() != "0":
        last = "\n".join(texts["log"].splitlines()[-LAST_LINES:])
        raise StepError(
            f"mkosi failed:\n{last or 'it did not start'}",
            "it needs user namespaces in containers: does this machine allow them?",
        )
    started, ended = map(float, texts["seconds"].split())
    return ended - started


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
