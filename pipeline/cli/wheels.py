"""The Python packages that this program is made of, for each Python and system that it supports.

An archive of inputs is the same wherever it is made, so it holds those of all.
"""

import hashlib
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.report import Line
from pipeline.store.cache import Blob, Result, Store

LOCK = "requirements.lock"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
LINUX = (*(f"manylinux_2_{minor}" for minor in range(28, 4, -1)), "manylinux2014", "manylinux2010")
PLATFORMS = (
    tuple(f"{each}_x86_64" for each in LINUX),
    tuple(f"{each}_aarch64" for each in LINUX),
    ("macosx_14_0_arm64",),
)
"""What pip calls Linux with glibc 2.28 on x86-64 and arm64, with what runs there, too, and Apple silicon."""

AT_ONCE = 3

PIP = (
    "download",
    "--quiet",
    "--disable-pip-version-check",
    "--no-deps",  # the lock names them all
    "--require-hashes",
    "--only-binary=:all:",
)

UV = (
    sys.executable,
    "-I",
    "-m",
    "uv",
    "pip",
    "compile",
    "--quiet",
    "--no-config",
    "--system-certs",
    "--universal",
    "--generate-hashes",
    "--no-deps",  # the lock names them all
    "--no-annotate",
    "--no-header",
    "--no-strip-extras",
)
"""What has uv write a lock of the same versions, with the digests that the index has now."""

LOCKED = re.compile(r"^(\w[^\\\n]*?) \\\n((?: +--hash=.*\n?)+)", re.MULTILINE)
"""A package in a lock, and its digests."""


def wheels(root: Path, store: Store, line: Line) -> dict[str, Blob]:
    """Return the wheels of the requirements' lock by their names, in the store; pip fetches them once.

    Raises PipelineError where one cannot be downloaded.
    """
    lock = (root / LOCK).read_bytes()
    key = hashlib.sha256(repr((PYTHONS, PLATFORMS, PIP)).encode() + lock).hexdigest()
    known = store.result(key)
    if known and all(store.find(blob) for blob in known.outputs.values()):
        return known.outputs
    with store.scratch() as folder:
        wanted = [(python, platforms) for python in PYTHONS for platforms in PLATFORMS]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            fetched = pool.map(lambda each: _download(root, folder, *each), wanted)
            for done, _ in enumerate(fetched, 1):
                line.progress(done, len(wanted), "sets of wheels")
        found = {path.name: store.add(path) for path in sorted(folder.glob("*/*.whl"))}
    store.record(key, Result(found, 0.0, ""))
    return found


def _download(root: Path, folder: Path, python: str, platforms: tuple[str, ...]) -> None:
    target = folder / f"{python}-{platforms[0]}"
    options = [f"--python-version={python}", *(f"--platform={each}" for each in platforms)]
    command = [
        sys.executable,
        "-I",
        "-m",
        "pip",
        *PIP,
        *options,
        "--dest",
        str(target),
        "-r",
        str(root / LOCK),
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        said = "".join(f"\n    {each}" for each in done.stdout.splitlines() if each.strip())
        raise PipelineError(
            f"the wheels of {LOCK} for Python {python} on {platforms[0]} could not be fetched:{said}",
            "pip says why above; look at the network, and at HTTPS_PROXY and PIP_INDEX_URL",
        )


def missing(root: Path, scratch: Path) -> list[str]:
    """Return what the index has no more of the files that the requirements' lock names, or why nobody knows.

    It is asked what it knows of them, which is noted in `scratch`, and for none of them.
    """
    locked = _digests((root / LOCK).read_text(encoding="utf-8"))
    done = subprocess.run(
        [*UV, f"--python-version={PYTHONS[0]}", f"--cache-dir={scratch}", "-"],
        input="\n".join(locked),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return [each.strip() for each in done.stderr.splitlines() if each.strip()]
    there = _digests(done.stdout)
    gone = ((name, digest) for name, digests in locked.items() for digest in digests - there.get(name, set()))
    return [f"{name}: no file with {digest}" for name, digest in sorted(gone)]


def _digests(lock: str) -> dict[str, set[str]]:
    """Return the digests of each package, by its name, version and marker."""
    return {name: set(re.findall("sha256:[0-9a-f]+", digests)) for name, digests in LOCKED.findall(lock)}
