"""Owns `.venv`: exactly the packages of requirements.lock, made beside and put in place when it is whole.

The script `./doit` runs this with the Python that it found, before there are any packages: it must not
import anything but the standard library.
"""

import contextlib
import fcntl
import filecmp
import itertools
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

LOCK = "requirements.lock"
ENVIRONMENT = ".venv"

PIP = (
    "install",
    "--quiet",
    "--disable-pip-version-check",
    "--require-hashes",
    "--only-binary=:all:",  # to build a package, pip would fetch and run what no hash is known of
    "--retries=1",
)

UV = re.compile(r"^uv==[^\\\n]*(?:\\\n[^\\\n]*)*", re.MULTILINE)
"""uv in the lock, with its hashes: it installs packages in a fifth of pip's time."""

CONFIGURED = re.compile(r"index-url|^(?!:env:).*(no-index|find-links)", re.MULTILINE)
"""What of pip's configuration uv would not heed."""

UV_OPTIONS = ("install", "--no-config", "--system-certs", "--require-hashes", "--only-binary=:all:")
"""As those of pip; certificates are the system's, or those that SSL_CERT_FILE names."""

LACKING = re.compile(r"No matching distribution found for (\S+)")

UNREACHABLE = re.compile(
    r"connection (?:broken|error)|ConnectTimeout|NameResolution|Max retries", re.IGNORECASE
)


def fail(message: str, hint: str) -> NoReturn:
    """End this program with an error as all of this project's read."""
    sys.stderr.write(f"error: {message}\n  hint: {hint}\n")
    raise SystemExit(1)


@contextlib.contextmanager
def alone(root: Path) -> Iterator[None]:
    """Keep other processes from making the same environment until the block ends."""
    with (root / f"{ENVIRONMENT}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_current(root: Path) -> bool:
    """Tell whether the environment is the lock's, and its Python still there."""
    there = root / ENVIRONMENT
    with contextlib.suppress(OSError):
        return os.access(there / "bin/python", os.X_OK) and filecmp.cmp(
            root / LOCK, there / LOCK, shallow=False
        )
    return False


def make(root: Path, arguments: Sequence[str] = ()) -> None:
    """Make the environment, unless another process has just done so; `arguments` are those of `./doit`.

    SystemExit, after a sentence and with the old environment in place, where that fails.
    """
    final, new, old = (root / f"{ENVIRONMENT}{suffix}" for suffix in ("", ".new", ".old"))
    if os.pathsep in str(root):
        fail(
            f"the checkout's path {str(root)!r} has a {os.pathsep!r}, which stands between paths in PATH",
            "move the checkout to a folder without one",
        )
    if os.path.lexists(final) and (final.is_symlink() or not (final / "pyvenv.cfg").is_file()):
        fail(f"{final} is not a virtual environment", "move it away; one will be made in its place")
    with alone(root):
        if is_current(root):
            return
        sys.stderr.write(f"making {ENVIRONMENT} with Python {sys.version.split()[0]}\n")
        for path in (new, old):
            shutil.rmtree(path, ignore_errors=True)
        _venv(new)
        with tempfile.TemporaryDirectory() as wheels:
            _install(root, new, offline(arguments, Path(wheels)))
        _move_scripts(new, final)
        shutil.copyfile(root / LOCK, new / LOCK)
        if final.exists():
            final.rename(old)
        new.rename(final)
        shutil.rmtree(old, ignore_errors=True)


def _venv(folder: Path) -> None:
    # The file behind all links: where an upgrade takes it away, the environment's link leads nowhere, and
    # is seen to do so. `python3` would be another version then, without these packages.
    python = os.path.realpath(sys.executable)
    done = subprocess.run([python, "-I", "-m", "venv", folder], capture_output=True, text=True, check=False)
    if done.returncode:
        fail(
            f"{sys.executable} cannot make a virtual environment: {_last(done.stdout + done.stderr)}",
            "install its venv module (on Debian and Ubuntu: apt install python3-venv)",
        )


def offline(arguments: Sequence[str], folder: Path) -> list[str]:
    """Return pip's options for what `--offline` and `--inputs FILE` say.

    The wheels of the archive FILE are unpacked into `folder`; it is pip that compares their digests.
    """
    options = ["--no-index"] if "--offline" in arguments else []
    names = [each.removeprefix("--inputs=") for each in arguments if each.startswith("--inputs=")]
    names += [name for each, name in itertools.pairwise(arguments) if each == "--inputs"]
    for name in names[:1]:
        try:
            with tarfile.open(Path(os.environ.get("INSTALLER_ISO_CALLED_FROM", ""), name), "r:") as tar:
                for member in tar:
                    plain = member.isreg() and not member.issparse()
                    data = tar.extractfile(member) if plain and member.name.startswith("wheels/") else None
                    if data is not None:
                        with (folder / Path(member.name).name).open("wb") as file:
                            shutil.copyfileobj(data, file)
        except (OSError, tarfile.TarError) as error:
            fail(f"--inputs {name}: {error}", "name an archive that `./doit vendor` has made")
        options.append(f"--find-links={folder}")
    return options


def _install(root: Path, folder: Path, options: Sequence[str]) -> None:
    if _uv_installs(root / LOCK, folder, options):
        return
    done = _pip(folder, *PIP, *options, "-r", str(root / LOCK))
    if done.returncode == 0:
        return
    if UNREACHABLE.search(done.stdout):
        fail(
            f"the packages of {LOCK} could not be fetched: pip reaches no package index",
            "look at the network, and at HTTPS_PROXY and PIP_INDEX_URL; this is needed once",
        )
    if "--no-index" in options and (lacking := LACKING.search(done.stdout)):
        python = f"Python {sys.version.split()[0]} on {platform.system()} {platform.machine()}"
        fail(
            f"no wheel of {lacking[1]} for {python}, and --offline forbids to fetch it",
            "name an archive that this version's `./doit vendor` has made: --inputs FILE",
        )
    said = "".join(f"\n    {line}" for line in done.stdout.splitlines() if line.strip())
    fail(f"the packages of {LOCK} could not be installed:{said}", "pip says why above")


def _pip(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [str(folder / "bin/python"), "-I", "-m", "pip", *words]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def _uv_installs(lock: Path, folder: Path, options: Sequence[str]) -> bool:
    """Tell whether uv, fetched by pip, has installed the lock's packages: where not, pip does, and says why.

    It is not asked where pip is told of another index, which uv would not heed.
    """
    found = UV.search(lock.read_text(encoding="utf-8"))
    if found is None or CONFIGURED.search(_pip(folder, "config", "list").stdout):
        return False
    only = folder / "uv.txt"
    only.write_text(f"{found.group()}\n", encoding="utf-8")
    done = _pip(folder, *PIP, *options, "-r", str(only))
    only.unlink()
    if done.returncode:
        return False
    if "PIP_NO_INDEX" in os.environ:
        options = ("--no-index", f"--find-links={os.environ.get('PIP_FIND_LINKS', '')}", *options)
    installed = subprocess.run(
        [folder / "bin/uv", "pip", *UV_OPTIONS, *options, f"--python={folder / 'bin/python'}", "-r", lock],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return installed.returncode == 0


def _last(text: str) -> str:
    return next((line for line in reversed(text.splitlines()) if line.strip()), "it does not say why")


def _move_scripts(folder: Path, final: Path) -> None:
    """Have the scripts that pip made name the Python of the place where the environment will be."""
    for path in (folder / "bin").iterdir():
        if path.is_symlink() or not path.is_file():
            continue
        content = path.read_bytes()
        if content.startswith(b"#!") or path.name.lower().startswith("activate"):
            path.write_bytes(content.replace(os.fsencode(folder), os.fsencode(final)))


if __name__ == "__main__":
    make(Path.cwd(), sys.argv[1:])
