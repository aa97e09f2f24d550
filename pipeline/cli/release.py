"""`./doit release` and `./doit sign`: what is built, tested and committed becomes a release of somebody's."""

import os
from collections.abc import Sequence
from pathlib import Path

from pipeline.build.session import Session
from pipeline.cli import sign_heads, sign_images
from pipeline.cli.commands import product
from pipeline.cli.releasable import faults, reasons, tag_of
from pipeline.errors import PipelineError
from pipeline.project import git
from pipeline.release.assemble import assemble
from pipeline.release.layout import ENDINGS, place
from pipeline.release.sign import SIGSTORE, sign, tool_for
from pipeline.report import size_text


def release(session: Session, since: str, tag: bool) -> None:
    """Write the release of what is built; with `tag`, tag its commit.

    `since` names the folder of the release before, with which it is compared.

    Raises PipelineError with all that is in the way.
    """
    before = _called(session, since) if since else None
    if found := reasons(session, before):
        raise PipelineError(
            f"{product(session)} cannot be released:\n    " + "\n    ".join(found),
            "nothing was written; fix all of these, and run `./doit release` again",
        )
    folder, new = assemble(session, before)
    rows = [(path.name, size_text(path.stat().st_size)) for path in sorted(folder.iterdir())]
    session.report.table(("file", "size:"), rows)
    session.report.print(f"\n{session.shown(folder)}", style="bold")
    if not new:
        session.report.print("  was there already, byte for byte the same: nothing was written")
    if tag and tag_of(session) not in git.tags(session.root, "--points-at", "HEAD"):
        git.tag(session.root, tag_of(session), product(session))
        session.report.print(f"  tagged {tag_of(session)}")
    session.report.print("  to sign it:  ./doit sign --key KEY")


def judge_sign(
    _session: Session,
    key: str,
    tool: str,
    heads: bool = False,
    secure_boot: bool = False,
    out: str = "",
    **other: object,
) -> None:
    """Raise PipelineError for an unknown tool, and where nobody says who signs."""
    if secure_boot:
        if heads or tool:
            raise PipelineError(
                "--secure-boot goes with neither --heads nor --with", "sign one after the other"
            )
        sign_images.judge(sign_images.Wanted(key))
        return
    for name in ("certificate", "pcr_key", "timestamp"):
        if other.get(name):
            option = f"--{name.replace('_', '-')}"
            raise PipelineError(f"{option} goes with --secure-boot", "leave it out, or sign images with it")
    if heads:
        sign_heads.judge(key, tool)
        return
    if out:
        raise PipelineError(
            "--out goes with --heads or --secure-boot", "a release's signatures lie in its folder"
        )
    if tool and tool not in ENDINGS:
        raise PipelineError(f"--with: unknown signing tool {tool!r}", f"choose from {', '.join(ENDINGS)}")
    if not key and tool != SIGSTORE:
        raise PipelineError(
            "--key is missing: it says whose signature it is to be",
            "name an SSH key file, or an OpenPGP key by its fingerprint; in CI, `--with sigstore`",
        )
    if key and tool == SIGSTORE:
        raise PipelineError("Sigstore signs with no --key", "leave it out")


def sign_release(
    session: Session,
    key: str,
    tool: str,
    heads: bool = False,
    secure_boot: bool = False,
    out: str = "",
    certificate: Sequence[str] = (),
    pcr_key: str = "",
    timestamp: str = "",
    files: Sequence[str] = (),
) -> None:
    """Sign the release of the version that the manifest names, if all holds of it; or `files` for Heads, or
    for Secure Boot.

    Raises PipelineError for a folder that is not what it says, and where it cannot be signed.
    """
    if heads:
        sign_heads.sign_heads(session, key, out, files)
        return
    if secure_boot:
        wanted = sign_images.Wanted(key, certificate, pcr_key, timestamp, out)
        sign_images.sign_secure_boot(session, wanted, files)
        return
    if files:
        raise PipelineError(
            f"{files[0]}: a release is signed as a whole",
            "leave it out; `--heads` signs the /boot in an image, `--secure-boot` images",
        )
    folder = place(session.root, session.project.manifest.product.version)
    path = _called(session, key)
    tool = tool or tool_for(key, path)
    if not folder.is_dir():
        raise PipelineError(f"{folder}: is not there", "run `./doit release` first")
    if wrong := faults(folder):
        raise PipelineError(
            f"{folder}: is not signed:\n    " + "\n    ".join(wrong),
            "remove it, and run `./doit release` again",
        )
    for made in sign(folder, tool, str(path) if tool == "ssh" else key):
        session.report.print(f"{session.shown(made)}: a signature of {made.stem.partition('.')[0]}")


def _called(session: Session, name: str) -> Path:
    """Return the path of a file that is named as it is called where ./doit was called."""
    return Path(os.environ.get("INSTALLER_ISO_CALLED_FROM", session.root), name).absolute()
